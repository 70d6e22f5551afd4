//! Singular values of a map that is too wide to be written down: Golub–Kahan–Lanczos, and the
//! density by stochastic Lanczos quadrature.
//!
//! From a start v, k steps of Golub and Kahan (1965) give orthonormal U, V and a bidiagonal B with
//! `A V = U B`, `Aᵀ U = V Bᵀ + β v eᵀ`. Singular values of B are those of A up to the residual
//! `β |p_k|`, p being B's left singular vector; the largest come first, the smallest last (after as
//! many steps as A has columns at the latest, when they are exact). Both bases are re-orthogonalised
//! fully, twice. Where a step breaks down (B splits: the start has explored all it can reach), it
//! goes on from a new random direction, so that multiple singular values are found as often as
//! they occur.
//!
//! From a random v, the nodes σᵢ with the squares of the first entries of B's right singular vectors
//! as weights are a Gauss quadrature of the density of singular values (Ubaru, Chen, Saad 2017):
//! exact for polynomials in σ² of degree 2k − 1 as v sees them, and right in the mean over v. The
//! spread over several v is the error bar.

use reslab_nn::error::ShapeError;
use reslab_nn::random::{self, ChaCha8Rng};

use super::graded::{dot, norm};
use crate::subject::ProbeError;
use reslab_dense::{self as dense, Matrix};

/// What multiplies a vector.
pub type Apply<'a> = dyn Fn(&[f64]) -> Result<Vec<f64>, ShapeError> + 'a;

/// A linear map that is known by its products only.
pub struct Operator<'a> {
    /// Numbers that come out.
    pub rows: usize,
    /// Numbers that go in.
    pub columns: usize,
    /// A v.
    pub apply: &'a Apply<'a>,
    /// Aᵀ u.
    pub apply_transposed: &'a Apply<'a>,
}

/// One Golub–Kahan–Lanczos run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ritz {
    /// Approximate singular values, descending.
    pub values: Vec<f64>,
    /// Weight of each in the quadrature; they sum to 1.
    pub weights: Vec<f64>,
    /// ‖Aᵀ u − σ v‖ of each.
    pub residuals: Vec<f64>,
}

impl Operator<'_> {
    /// The map or its transpose, whichever reads fewer numbers: the other one has singular values
    /// of 0 besides.
    fn narrow(&self) -> Operator<'_> {
        if self.columns <= self.rows {
            Operator {
                rows: self.rows,
                columns: self.columns,
                apply: self.apply,
                apply_transposed: self.apply_transposed,
            }
        } else {
            Operator {
                rows: self.columns,
                columns: self.rows,
                apply: self.apply_transposed,
                apply_transposed: self.apply,
            }
        }
    }
}

/// At most `steps` steps from a random start; `tick` is called before each.
pub fn golub_kahan(
    operator: &Operator<'_>,
    steps: usize,
    rng: &mut ChaCha8Rng,
    tick: &mut dyn FnMut() -> Result<(), ProbeError>,
) -> Result<Ritz, ProbeError> {
    let operator = operator.narrow();
    let steps = steps.min(operator.columns);
    let mut right = vec![fresh(&[], operator.columns, rng)];
    let mut left: Vec<Vec<f64>> = Vec::new();
    let (mut alphas, mut betas) = (Vec::new(), Vec::new());
    let mut scale = 0.0_f64;
    for step in 0..steps {
        tick()?;
        let mut u = (operator.apply)(&right[step])?;
        orthogonalise(&mut u, &left);
        let mut alpha = norm(&u);
        scale = scale.max(alpha);
        if alpha <= breakdown(&operator, scale) {
            alpha = 0.0;
            u = fresh(&left, operator.rows, rng);
        } else {
            u.iter_mut().for_each(|x| *x /= alpha);
        }
        left.push(u);
        alphas.push(alpha);
        let mut v = (operator.apply_transposed)(&left[step])?;
        orthogonalise(&mut v, &right);
        let mut beta = norm(&v);
        scale = scale.max(beta);
        if step + 1 == operator.columns {
            // There is no direction left.
            beta = 0.0;
        } else if beta <= breakdown(&operator, scale) {
            beta = 0.0;
            right.push(fresh(&right, operator.columns, rng));
        } else {
            v.iter_mut().for_each(|x| *x /= beta);
            right.push(v);
        }
        betas.push(beta);
    }
    ritz(&alphas, &betas)
}

fn ritz(alphas: &[f64], betas: &[f64]) -> Result<Ritz, ProbeError> {
    let k = alphas.len();
    let bidiagonal = Matrix::from_fn(k, k, |i, j| match j.wrapping_sub(i) {
        0 => alphas[i],
        1 => betas[i],
        _ => 0.0,
    });
    let found = dense::svd(&bidiagonal)?;
    let last = betas.last().copied().unwrap_or(0.0);
    Ok(Ritz {
        weights: (0..k).map(|i| found.right.at(0, i).powi(2)).collect(),
        residuals: (0..k)
            .map(|i| last * found.left.at(k - 1, i).abs())
            .collect(),
        values: found.values,
    })
}

fn breakdown(operator: &Operator<'_>, scale: f64) -> f64 {
    operator.rows.max(operator.columns) as f64 * f64::EPSILON * scale
}

/// A random direction orthogonal to a basis.
fn fresh(basis: &[Vec<f64>], n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut vector: Vec<f64> = (0..n).map(|_| random::normal(rng)).collect();
    let before = norm(&vector);
    vector.iter_mut().for_each(|x| *x /= before);
    orthogonalise(&mut vector, basis);
    let length = norm(&vector);
    vector.iter_mut().for_each(|x| *x /= length);
    // The rest may be short: what rounding left of the basis in it is then not.
    orthogonalise(&mut vector, basis);
    let length = norm(&vector);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// Removes what lies in the span of an orthonormal basis, twice.
fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for direction in basis {
            let part = dot(direction, vector);
            for (x, y) in vector.iter_mut().zip(direction) {
                *x -= part * y;
            }
        }
    }
}
