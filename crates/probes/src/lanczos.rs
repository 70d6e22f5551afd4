//! Lanczos' method for a symmetric operator that is known by its products with vectors alone, with
//! full reorthogonalisation.
//!
//! After m steps from the vector q₁ the columns of Q are an orthonormal basis of the Krylov space
//! span(q₁, A q₁, …, A^(m−1) q₁), and `A Q = Q T + β_m q_(m+1) e_mᵀ` with T tridiagonal. An
//! eigenpair (θ, s) of T gives the Ritz pair (θ, Q s) of A with the residual
//! `‖A Q s − θ Q s‖ = β_m |s_m|`: some eigenvalue of A is within that distance of θ (Golub, Van
//! Loan, Matrix Computations, section 10.1; Parlett, The Symmetric Eigenvalue Problem, chapter 13).
//!
//! In exact arithmetic one start vector meets one direction of each eigenspace, so that an
//! eigenvalue shows once, whatever its multiplicity. When the Krylov space is exhausted (β = 0) the
//! method goes on from a new vector orthogonal to it, and meets the next direction.
//!
//! Every new vector is made orthogonal to all before it, twice ("twice is enough", Giraud et al.
//! 2005): without that, converged eigenvalues come back as copies. The basis holds
//! 8 · steps · dimension bytes.

use rayon::prelude::*;

use crate::subject::ProbeError;
use reslab_dense::{Eigen, tridiagonal_eigen};

/// Writes the product of a symmetric operator with the first vector into the second; an error stops
/// whoever asked.
pub type Operator<'o> = dyn FnMut(&[f64], &mut [f64]) -> Result<(), ProbeError> + 'o;

/// Below this share of the operator's scale a new direction is rounding.
const EXHAUSTED: f64 = 1e-10;

/// Numbers that one thread works on at once.
const CHUNK: usize = 8192;

/// A Krylov space that grows.
#[derive(Debug, Clone)]
pub struct Lanczos {
    /// q₁ … q_m.
    basis: Vec<Vec<f64>>,
    /// Diagonal of T, m numbers.
    diagonal: Vec<f64>,
    /// β₁ … β_m; β_m couples to what comes next.
    beside: Vec<f64>,
    /// q_(m+1), the start vector before the first step; `None` where the space is exhausted.
    next: Option<Vec<f64>>,
    /// Largest |α| or β seen.
    scale: f64,
}

impl Lanczos {
    /// Begins at `start`, which need not have length 1.
    pub fn new(start: Vec<f64>) -> Self {
        let mut space = Self {
            basis: Vec::new(),
            diagonal: Vec::new(),
            beside: Vec::new(),
            next: None,
            scale: 0.0,
        };
        space.go_on_from(start);
        space
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.basis.len()
    }

    /// β_m.
    pub fn last_beta(&self) -> f64 {
        self.beside.last().copied().unwrap_or(0.0)
    }

    /// Whether the space maps into itself, so that every Ritz pair is an eigenpair.
    pub fn is_exhausted(&self) -> bool {
        self.next.is_none()
    }

    /// Whether all numbers were finite.
    pub fn is_finite(&self) -> bool {
        self.scale.is_finite()
    }

    /// One product with the operator. Nothing happens where the space is exhausted.
    pub fn step(&mut self, operator: &mut Operator<'_>) -> Result<(), ProbeError> {
        let Some(direction) = self.next.take() else {
            return Ok(());
        };
        let mut product = vec![0.0; direction.len()];
        operator(&direction, &mut product)?;
        self.basis.push(direction);
        let overlaps = remove(&self.basis, &mut product);
        let alpha = overlaps[overlaps.len() - 1];
        remove(&self.basis, &mut product);
        let beta = norm(&product);
        // `max` passes over NaN: the sum does not.
        self.scale = if (alpha + beta).is_finite() {
            self.scale.max(alpha.abs()).max(beta)
        } else {
            f64::NAN
        };
        self.diagonal.push(alpha);
        let goes_on = beta > EXHAUSTED * self.scale && self.steps() < product.len();
        self.beside.push(if goes_on { beta } else { 0.0 });
        if goes_on {
            product.iter_mut().for_each(|x| *x /= beta);
            self.next = Some(product);
        }
        Ok(())
    }

    /// Goes on from another vector where the space is exhausted; `false` if the vector has nothing
    /// outside of it.
    pub fn go_on_from(&mut self, mut start: Vec<f64>) -> bool {
        let whole = norm(&start);
        remove(&self.basis, &mut start);
        remove(&self.basis, &mut start);
        let rest = norm(&start);
        let new = rest > 1e-8 * whole && self.steps() < start.len();
        if new {
            start.iter_mut().for_each(|x| *x /= rest);
            self.next = Some(start);
        }
        new
    }

    /// Eigenvalues and eigenvectors of T from row `first` on; `None` if a number is not finite.
    pub fn eigen_from(&self, first: usize) -> Option<Eigen> {
        tridiagonal_eigen(&self.diagonal[first..], &self.beside[first..])
    }

    /// Q s: the vector of the whole space with these coordinates.
    pub fn vector(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut vector = vec![0.0; self.basis.first().map_or(0, Vec::len)];
        add(&self.basis, coordinates, 1.0, &mut vector);
        vector
    }
}

/// Takes out of `vector` what it has along the basis; its overlaps with it.
fn remove(basis: &[Vec<f64>], vector: &mut [f64]) -> Vec<f64> {
    let fixed: &[f64] = vector;
    let overlaps: Vec<f64> = basis.par_iter().map(|q| dot(q, fixed)).collect();
    add(basis, &overlaps, -1.0, vector);
    overlaps
}

/// `vector += factor Σ_j coordinates_j q_j`, the sum in the order of the basis.
fn add(basis: &[Vec<f64>], coordinates: &[f64], factor: f64, vector: &mut [f64]) {
    let pieces = vector.par_chunks_mut(CHUNK).enumerate();
    pieces.for_each(|(index, piece)| {
        let from = index * CHUNK;
        for (q, coordinate) in basis.iter().zip(coordinates) {
            let factor = factor * coordinate;
            let q = &q[from..from + piece.len()];
            piece.iter_mut().zip(q).for_each(|(x, q)| *x += factor * q);
        }
    });
}

/// Scalar product, in eight interleaved sums that are added in order.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_eights, b_eights) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_eights.remainder().iter().zip(b_eights.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_eights.zip(b_eights) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Euclidean norm.
pub fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}
