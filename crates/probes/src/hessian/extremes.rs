//! The eigenvalues at both ends of a symmetric operator's spectrum, by Lanczos' method.

use reslab_nn::random::{self, Purpose};

use crate::lanczos::{Lanczos, Operator, norm};
use crate::subject::ProbeError;
use reslab_dense::Eigen;

/// What is looked for, and how well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExtremeSettings {
    /// Eigenvalues of the upper end.
    pub top: usize,
    /// Eigenvalues of the lower end.
    pub bottom: usize,
    /// An eigenvalue λ is found when its residual is at most `tolerance · max(|λ|, s / 1000)`, s
    /// being the largest |λ| found.
    pub tolerance: f64,
    /// Products with the operator at most; the basis holds so many vectors of `f64`.
    pub max_products: usize,
    /// Whether eigenvectors are wanted.
    pub vectors: bool,
}

impl Default for ExtremeSettings {
    fn default() -> Self {
        Self {
            top: 1,
            bottom: 1,
            tolerance: 1e-3,
            max_products: 200,
            vectors: false,
        }
    }
}

/// A Ritz value with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigenvalue {
    /// λ.
    pub value: f64,
    /// `‖A x − λ x‖` of its vector x of length 1: an eigenvalue of A is within this distance.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// x, where it was asked for.
    pub vector: Option<Vec<f64>>,
}

/// Both ends of a spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct Extremes {
    /// The largest, descending: as many as were asked for, unless the operator or
    /// `max_products` is smaller. NaN where the operator gave numbers that are not finite.
    pub top: Vec<Eigenvalue>,
    /// The smallest, ascending.
    pub bottom: Vec<Eigenvalue>,
    /// Products with the operator.
    pub products: usize,
    /// Whether all that were asked for are there and have converged.
    pub converged: bool,
}

/// Start vectors, the index counting those of one search.
const STREAM: u64 = u64::from_be_bytes(*b"lanczos\0");

/// The largest and smallest eigenvalues of a symmetric operator of so many dimensions. The start
/// vector is normal and follows from the seed; with a vector that is thought to lie `near` the
/// eigenvectors looked for, such as the gradient of a Hessian's loss (Gur-Ari, Roberts, Dyer 2018),
/// it is the sum of the two, each of length 1. Of a multiple eigenvalue one start vector finds one
/// copy; when its Krylov space is exhausted others follow, see [`crate::lanczos`]. Errors are the
/// operator's.
///
/// # Panics
///
/// If `near` is of another length than `dimension`.
pub fn extremes(
    operator: &mut Operator<'_>,
    dimension: usize,
    near: Option<&[f64]>,
    settings: &ExtremeSettings,
    seed: u64,
) -> Result<Extremes, ProbeError> {
    let start = |index| -> Vec<f64> {
        let mut rng = random::stream(seed, Purpose::Probe, STREAM, index);
        (0..dimension).map(|_| random::normal(&mut rng)).collect()
    };
    let mut space = Lanczos::new(near.map_or_else(|| start(0), |near| mixed(&start(0), near)));
    let (mut starts, mut first) = (1, 0);
    let mut found = Extremes {
        top: Vec::new(),
        bottom: Vec::new(),
        products: 0,
        converged: dimension == 0 || settings.top + settings.bottom == 0,
    };
    while !found.converged && space.steps() < settings.max_products {
        space.step(operator)?;
        let steps = space.steps();
        if !space.is_finite() {
            return Ok(not_finite(settings, steps));
        }
        let ended = space.is_exhausted() || steps == settings.max_products;
        if !ended && !is_looked_at(steps) {
            continue;
        }
        let Some(eigen) = space.eigen_from(0) else {
            return Ok(not_finite(settings, steps));
        };
        found = assess(&eigen, &space, settings, dimension);
        let hidden = match (first, space.is_exhausted()) {
            (0, false) => false,
            _ if steps == dimension => false,
            // Of each eigenspace one direction has been met.
            (0, true) => settings.top.max(settings.bottom) > 1,
            // This start had a part in all that is left, so that its ends are the ends of that.
            _ => !is_within(&space, first, &found, settings),
        };
        found.converged &= !hidden;
        if space.is_exhausted() && !found.converged {
            first = steps;
            if !space.go_on_from(start(starts)) {
                break;
            }
            starts += 1;
        }
    }
    if settings.vectors {
        add_vectors(&mut found, &space);
    }
    Ok(found)
}

/// The sum of the two, each scaled to length 1; the first alone where the second has no direction.
fn mixed(random: &[f64], near: &[f64]) -> Vec<f64> {
    assert_eq!(random.len(), near.len(), "a vector of the operator");
    let lengths = (norm(random), norm(near));
    if !(lengths.1 > 0.0 && lengths.1.is_finite()) {
        return random.to_vec();
    }
    let pairs = random.iter().zip(near);
    pairs.map(|(r, n)| r / lengths.0 + n / lengths.1).collect()
}

/// Whether convergence is looked at after so many steps: an eigenvalue decomposition each time.
fn is_looked_at(steps: usize) -> bool {
    steps <= 32 || steps.is_multiple_of(4)
}

/// Both ends of T's spectrum.
fn assess(
    eigen: &Eigen,
    space: &Lanczos,
    settings: &ExtremeSettings,
    dimension: usize,
) -> Extremes {
    let (steps, beta) = (space.steps(), space.last_beta());
    let scale = eigen.values.iter().fold(0.0, |s: f64, v| s.max(v.abs()));
    let ritz = |index: usize| {
        let value = eigen.values[index];
        let residual = beta * eigen.vectors[index][steps - 1].abs();
        Eigenvalue {
            value,
            residual,
            converged: residual <= settings.tolerance * value.abs().max(scale / 1000.0),
            vector: None,
        }
    };
    let top: Vec<_> = (0..steps).rev().take(settings.top).map(ritz).collect();
    let bottom: Vec<_> = (0..steps).take(settings.bottom).map(ritz).collect();
    let all_there =
        top.len() == settings.top.min(dimension) && bottom.len() == settings.bottom.min(dimension);
    let converged = all_there && top.iter().chain(&bottom).all(|found| found.converged);
    Extremes {
        top,
        bottom,
        products: steps,
        converged,
    }
}

/// Whether the Krylov space that begins at step `first` has settled, and brings no eigenvalue
/// further out than those found.
fn is_within(space: &Lanczos, first: usize, found: &Extremes, settings: &ExtremeSettings) -> bool {
    let Some(left) = space.eigen_from(first) else {
        return false;
    };
    let ends = found.top.iter().chain(&found.bottom);
    let scale = ends.fold(0.0, |s: f64, e| s.max(e.value.abs()));
    let (lowest, highest) = (0, left.values.len() - 1);
    let settled = |index: usize| {
        let residual = space.last_beta() * left.vectors[index][highest].abs();
        residual <= settings.tolerance * scale
    };
    let slack = 1e-10 * scale;
    let above = found.top.last();
    let below = found.bottom.last();
    settled(lowest)
        && settled(highest)
        && above.is_none_or(|last| left.values[highest] <= last.value + slack)
        && below.is_none_or(|last| left.values[lowest] >= last.value - slack)
}

fn add_vectors(found: &mut Extremes, space: &Lanczos) {
    let Some(eigen) = space.eigen_from(0) else {
        return;
    };
    let steps = eigen.values.len();
    for (place, top) in found.top.iter_mut().enumerate() {
        top.vector = Some(space.vector(&eigen.vectors[steps - 1 - place]));
    }
    for (place, bottom) in found.bottom.iter_mut().enumerate() {
        bottom.vector = Some(space.vector(&eigen.vectors[place]));
    }
}

fn not_finite(settings: &ExtremeSettings, products: usize) -> Extremes {
    let nan = Eigenvalue {
        value: f64::NAN,
        residual: f64::NAN,
        converged: false,
        vector: None,
    };
    Extremes {
        top: vec![nan.clone(); settings.top],
        bottom: vec![nan; settings.bottom],
        products,
        converged: false,
    }
}
