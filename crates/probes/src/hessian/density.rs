//! The spectral density of a symmetric operator by stochastic Lanczos quadrature (Ghorbani,
//! Krishnan, Xiao 2019, section 2; Yao et al. 2020, section 3; Golub, Meurant 1994).
//!
//! For a random unit vector v, m steps of Lanczos give nodes θ_i and weights ω_i (the squared first
//! components of the eigenvectors of T) with `vᵀ f(A) v ≈ Σ ω_i f(θ_i)`, exact for polynomials of
//! degree up to 2 m − 1. Its mean over v is `tr f(A) / n`: the measure `Σ ω_i δ(t − θ_i)` estimates
//! the density of eigenvalues. To be drawn it is smoothed by a normal kernel of standard deviation σ.

use super::trace::{mean_and_error, signs};
use crate::lanczos::{Lanczos, Operator};
use crate::subject::ProbeError;

/// Nodes and weights of each draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Quadrature {
    /// For each draw (θ_i, ω_i), ascending; the weights add up to 1.
    pub draws: Vec<Vec<(f64, f64)>>,
    /// Products with the operator.
    pub products: usize,
}

/// A density on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Density {
    /// Evenly spaced, ascending.
    pub eigenvalues: Vec<f64>,
    /// Density at each, a mean over draws; its integral is 1.
    pub density: Vec<f64>,
    /// Its standard error over draws; NaN for a single one.
    pub error: Vec<f64>,
    /// σ.
    pub width: f64,
}

/// Probing vectors, the index counting draws.
const STREAM: u64 = u64::from_be_bytes(*b"density\0");

/// Nodes and weights, by so many steps from each of so many vectors of random signs. Fewer steps
/// where the Krylov space is exhausted: then the quadrature is exact for that vector.
pub fn quadrature(
    operator: &mut Operator<'_>,
    dimension: usize,
    (draws, steps): (usize, usize),
    seed: u64,
) -> Result<Quadrature, ProbeError> {
    let mut found = Quadrature {
        draws: Vec::with_capacity(draws),
        products: 0,
    };
    for draw in 0..draws {
        let mut space = Lanczos::new(signs(dimension, seed, STREAM, draw));
        while space.steps() < steps && !space.is_exhausted() && space.is_finite() {
            space.step(operator)?;
        }
        found.products += space.steps();
        let Some(eigen) = space.eigen_from(0) else {
            found.draws.push(vec![(f64::NAN, 1.0)]);
            continue;
        };
        let weights = eigen.vectors.iter().map(|vector| vector[0] * vector[0]);
        let nodes = eigen.values.iter().copied().zip(weights);
        found.draws.push(nodes.collect());
    }
    Ok(found)
}

impl Quadrature {
    /// Mean and standard error over draws of `tr f(A) / n`.
    pub fn mean(&self, f: impl Fn(f64) -> f64) -> (f64, f64) {
        let of = |nodes: &Vec<(f64, f64)>| nodes.iter().map(|(node, w)| w * f(*node)).sum();
        mean_and_error(&self.draws.iter().map(of).collect::<Vec<f64>>())
    }

    /// The smoothed density on so many points. Without a width σ is the papers' `√(10⁻⁵ max(1,
    /// range))`, the range being that of the nodes, and at least the distance between points, so
    /// that no eigenvalue falls between them. `None` where a node is not finite.
    pub fn smoothed(&self, points: usize, width: Option<f64>) -> Option<Density> {
        let nodes = || self.draws.iter().flatten().map(|(node, _)| *node);
        if nodes().any(|node| !node.is_finite()) {
            return None;
        }
        let lowest = nodes().fold(f64::INFINITY, f64::min);
        let highest = nodes().fold(f64::NEG_INFINITY, f64::max);
        let range = highest - lowest;
        let gaps = (points.max(2) - 1) as f64;
        let papers = (1e-5 * range.max(1.0)).sqrt();
        // The grid reaches four widths beyond the nodes: the distance depends on the width.
        let width = width.unwrap_or_else(|| papers.max(range / (gaps - 8.0).max(1.0)));
        let start = lowest - 4.0 * width;
        let step = (range + 8.0 * width) / gaps;
        let eigenvalues: Vec<f64> = (0..points).map(|i| start + step * i as f64).collect();
        let at = eigenvalues
            .iter()
            .map(|&t| self.mean(|node| normal(t - node, width)));
        let (density, error) = at.unzip();
        Some(Density {
            eigenvalues,
            density,
            error,
            width,
        })
    }
}

/// Density of the normal distribution of mean 0 and this standard deviation.
fn normal(x: f64, width: f64) -> f64 {
    let scaled = x / width;
    (-0.5 * scaled * scaled).exp() / (width * (2.0 * std::f64::consts::PI).sqrt())
}
