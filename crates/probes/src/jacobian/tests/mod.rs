//! Closed forms, dense linear algebra, and backpropagation.

mod networks;
mod numbers;
mod tables;
mod theory;

use reslab_nn::random::{self, Purpose};

use reslab_dense::{self as dense, Matrix};

/// Standard normal entries.
fn normal(rows: usize, columns: usize, index: u64) -> Matrix {
    let mut rng = random::stream(17, Purpose::Test, 5, index);
    Matrix::from_fn(rows, columns, |_, _| random::normal(&mut rng))
}

/// A random matrix with orthonormal columns.
fn orthogonal(n: usize, index: u64) -> Matrix {
    dense::qr(&normal(n, n, index)).expect("finite").0
}

fn diagonal(entries: &[f64]) -> Matrix {
    let n = entries.len();
    Matrix::from_fn(n, n, |i, j| if i == j { entries[i] } else { 0.0 })
}

/// Whether all pairs agree to a relative tolerance.
fn agree(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1e-300),
            "{i}: {a} is not {b}"
        );
    }
}
