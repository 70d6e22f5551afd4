//! By faer: pure Rust, on the calling thread.

use faer::MatRef;

use super::{Complex, Matrix, Svd};

pub(super) fn singular_values(matrix: &Matrix) -> Option<Vec<f64>> {
    matrix.view().singular_values().ok()
}

pub(super) fn svd(matrix: &Matrix) -> Option<Svd> {
    let found = matrix.view().thin_svd().ok()?;
    let values = found.S().column_vector();
    Some(Svd {
        left: owned(found.U()),
        values: (0..values.nrows()).map(|i| values[i]).collect(),
        right: owned(found.V()),
    })
}

pub(super) fn eigenvalues(matrix: &Matrix) -> Option<Vec<Complex>> {
    let found = matrix.view().eigenvalues().ok()?;
    let parts = found.into_iter().map(|z| Complex { re: z.re, im: z.im });
    Some(parts.collect())
}

#[allow(clippy::unnecessary_wraps)] // As the other back end, which can fail.
pub(super) fn qr(matrix: &Matrix) -> Option<(Matrix, Matrix)> {
    let found = matrix.view().qr();
    let q = found.compute_thin_Q();
    Some((owned(q.as_ref()), owned(found.thin_R())))
}

fn owned(matrix: MatRef<'_, f64>) -> Matrix {
    Matrix::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)])
}
