//! By LAPACK, through `ndarray-linalg`.

use ndarray::{Array2, ArrayView2, ShapeBuilder};
use ndarray_linalg::{EigVals, JobSvd, QR, SVDDC};

use super::{Complex, Matrix, Svd};

pub(super) fn singular_values(matrix: &Matrix) -> Option<Vec<f64>> {
    let (_, values, _) = array(matrix).svddc(JobSvd::None).ok()?;
    Some(values.to_vec())
}

pub(super) fn svd(matrix: &Matrix) -> Option<Svd> {
    let (left, values, right) = array(matrix).svddc(JobSvd::Some).ok()?;
    Some(Svd {
        left: owned(left?.view()),
        values: values.to_vec(),
        right: owned(right?.t()),
    })
}

pub(super) fn eigenvalues(matrix: &Matrix) -> Option<Vec<Complex>> {
    let found = array(matrix).eigvals().ok()?;
    let parts = found.iter().map(|z| Complex { re: z.re, im: z.im });
    Some(parts.collect())
}

pub(super) fn qr(matrix: &Matrix) -> Option<(Matrix, Matrix)> {
    let (q, r) = array(matrix).qr().ok()?;
    Some((owned(q.view()), owned(r.view())))
}

/// In LAPACK's own order, columns first.
fn array(matrix: &Matrix) -> Array2<f64> {
    let shape = (matrix.rows(), matrix.columns()).f();
    Array2::from_shape_fn(shape, |(i, j)| matrix.at(i, j))
}

fn owned(array: ArrayView2<'_, f64>) -> Matrix {
    let (rows, columns) = array.dim();
    Matrix::from_fn(rows, columns, |i, j| array[(i, j)])
}
