//! Eigenvalues of small symmetric matrices, by faer whatever the features.

use faer::{Mat, Side};

/// Eigenvalues of a symmetric matrix, ascending, with orthonormal eigenvectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    /// Ascending.
    pub values: Vec<f64>,
    /// The eigenvectors, `vectors[i]` that of `values[i]`.
    pub vectors: Vec<Vec<f64>>,
}

/// Of the symmetric tridiagonal matrix with this diagonal and, below and above it, `beside` (of
/// which the first n − 1 are read). `None` if a number is not finite.
pub fn tridiagonal_eigen(diagonal: &[f64], beside: &[f64]) -> Option<Eigen> {
    let n = diagonal.len();
    symmetric_eigen(n, |row, column| match row - column {
        0 => diagonal[row],
        1 => beside[column],
        _ => 0.0,
    })
}

/// Of the symmetric `n × n` matrix whose lower triangle is `entry(row, column)`, `row ≥ column`.
/// `None` if a number is not finite.
pub fn symmetric_eigen(n: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Eigen> {
    let matrix = Mat::from_fn(n, n, |i, j| entry(i.max(j), i.min(j)));
    let finite = (0..n).all(|i| (0..=i).all(|j| matrix[(i, j)].is_finite()));
    if !finite {
        return None;
    }
    let found = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let (vectors, values) = (found.U(), found.S().column_vector());
    Some(Eigen {
        values: (0..n).map(|i| values[i]).collect(),
        vectors: (0..n)
            .map(|i| (0..n).map(|row| vectors[(row, i)]).collect())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// −1, 2, −1: the eigenvalues are 2 − 2 cos(k π / (n + 1)).
    #[test]
    fn the_second_difference_has_its_closed_form() {
        for n in [1, 2, 7, 60] {
            let found = tridiagonal_eigen(&vec![2.0; n], &vec![-1.0; n]).unwrap();
            for (k, (value, vector)) in found.values.iter().zip(&found.vectors).enumerate() {
                let angle = std::f64::consts::PI * (k as f64 + 1.0) / (n as f64 + 1.0);
                assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
                let scale = (2.0 / (n as f64 + 1.0)).sqrt();
                let sign = vector[0].signum();
                for (i, entry) in vector.iter().enumerate() {
                    let expected = scale * (angle * (i as f64 + 1.0)).sin();
                    assert!((sign * entry - expected).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_has_no_eigenvalues() {
        assert_eq!(tridiagonal_eigen(&[1.0, f64::NAN], &[0.0]), None);
        assert_eq!(tridiagonal_eigen(&[1.0, 1.0], &[f64::INFINITY]), None);
        assert_eq!(tridiagonal_eigen(&[], &[]).unwrap().values, [0.0; 0]);
    }
}
