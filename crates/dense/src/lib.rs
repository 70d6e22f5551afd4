//! Dense decompositions of real matrices: singular values, eigenvalues, QR. The one place that knows
//! the libraries for them.
//!
//! Two back ends. [`faer`](https://docs.rs/faer) is pure Rust and the default: nothing has to be
//! installed, and it computes on the calling thread in an order that does not depend on anything
//! but the matrix. With the cargo feature `lapack` the same calls go to LAPACK by `ndarray-linalg`,
//! which needs an installed OpenBLAS; last digits then depend on that library. A test compares both.
//!
//! A crate of its own, so that this test can be built without tables and networks.

#[cfg(any(test, not(feature = "lapack")))]
#[path = "faer.rs"]
mod by_faer;
#[cfg(feature = "lapack")]
#[path = "lapack.rs"]
mod by_lapack;
mod matrix;
mod symmetric;
#[cfg(test)]
mod tests;

pub use matrix::Matrix;
pub use symmetric::{Eigen, symmetric_eigen, tridiagonal_eigen};

#[cfg(not(feature = "lapack"))]
use by_faer as back_end;
#[cfg(feature = "lapack")]
use by_lapack as back_end;

/// Why a matrix has no decomposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DenseError {
    /// An entry is NaN or infinite.
    #[error("a matrix of {rows} × {columns} has entries that are not finite")]
    NotFinite {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// The iteration did not converge.
    #[error("the decomposition of a matrix of {rows} × {columns} did not converge")]
    NoConvergence {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
}

/// A thin singular value decomposition `A = U diag(σ) Vᵀ`, k = min(rows, columns).
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// U, rows × k.
    pub left: Matrix,
    /// σ, descending.
    pub values: Vec<f64>,
    /// V, columns × k.
    pub right: Matrix,
}

/// A complex number: an eigenvalue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Complex {
    /// Real part.
    pub re: f64,
    /// Imaginary part.
    pub im: f64,
}

/// Singular values, descending: min(rows, columns) of them.
pub fn singular_values(matrix: &Matrix) -> Result<Vec<f64>, DenseError> {
    finite(matrix)?;
    if matrix.is_empty() {
        return Ok(Vec::new());
    }
    back_end::singular_values(matrix).ok_or_else(|| no_convergence(matrix))
}

/// Singular values with vectors.
pub fn svd(matrix: &Matrix) -> Result<Svd, DenseError> {
    finite(matrix)?;
    back_end::svd(matrix).ok_or_else(|| no_convergence(matrix))
}

/// Eigenvalues of a general square matrix, by real part, then imaginary part, descending.
///
/// # Panics
///
/// If the matrix is not square.
pub fn eigenvalues(matrix: &Matrix) -> Result<Vec<Complex>, DenseError> {
    assert_eq!(matrix.rows(), matrix.columns(), "eigenvalues of a square");
    finite(matrix)?;
    let mut found = back_end::eigenvalues(matrix).ok_or_else(|| no_convergence(matrix))?;
    found.sort_by(|a, b| b.re.total_cmp(&a.re).then(b.im.total_cmp(&a.im)));
    Ok(found)
}

/// Thin QR: Q with min(rows, columns) orthonormal columns, and R upper triangular.
pub fn qr(matrix: &Matrix) -> Result<(Matrix, Matrix), DenseError> {
    finite(matrix)?;
    back_end::qr(matrix).ok_or_else(|| no_convergence(matrix))
}

fn finite(matrix: &Matrix) -> Result<(), DenseError> {
    if matrix.is_finite() {
        return Ok(());
    }
    Err(DenseError::NotFinite {
        rows: matrix.rows(),
        columns: matrix.columns(),
    })
}

fn no_convergence(matrix: &Matrix) -> DenseError {
    DenseError::NoConvergence {
        rows: matrix.rows(),
        columns: matrix.columns(),
    }
}
