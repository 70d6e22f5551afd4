//! Closed forms for the back end in use; both back ends against each other.

use super::*;

/// Nearly normal entries: sums of twelve uniform numbers of a linear congruential generator.
fn normal(rows: usize, columns: usize, index: u64) -> Matrix {
    let mut state = index + 1;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    Matrix::from_fn(rows, columns, |_, _| {
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    })
}

/// Random, of low rank, badly scaled, wide, tall.
fn matrices() -> Vec<Matrix> {
    let scaled = |matrix: Matrix, power: i32| {
        Matrix::from_fn(matrix.rows(), matrix.columns(), |i, j| {
            matrix.at(i, j) * 10_f64.powi(power * (i as i32 - j as i32))
        })
    };
    vec![
        normal(30, 30, 0),
        normal(40, 7, 1).times(&normal(7, 40, 2)),
        scaled(normal(12, 12, 3), 1),
        normal(9, 33, 4),
        normal(33, 9, 5),
        Matrix::identity(8),
        Matrix::from_fn(5, 5, |_, _| 0.0),
    ]
}

fn close(a: &Matrix, b: &Matrix, tolerance: f64) {
    assert_eq!((a.rows(), a.columns()), (b.rows(), b.columns()));
    let scale = 1e-300 + b.square().sqrt();
    for (x, y) in a.values().iter().zip(b.values()) {
        assert!((x - y).abs() <= tolerance * scale, "{x} and {y}");
    }
}

#[test]
fn decompositions_multiply_back_and_are_orthogonal() {
    for matrix in matrices() {
        let found = svd(&matrix).unwrap();
        let scaled = Matrix::from_fn(matrix.rows(), found.values.len(), |i, k| {
            found.left.at(i, k) * found.values[k]
        });
        close(&scaled.times(&found.right.transposed()), &matrix, 1e-13);
        assert!(found.values.is_sorted_by(|a, b| a >= b));
        let (q, r) = qr(&matrix).unwrap();
        close(&q.times(&r), &matrix, 1e-13);
        let size = q.columns();
        close(&q.transposed().times(&q), &Matrix::identity(size), 1e-13);
        for column in 0..r.columns() {
            assert!((column + 1..r.rows()).all(|row| r.at(row, column) == 0.0));
        }
    }
}

#[test]
fn known_spectra() {
    let diagonal = Matrix::from_fn(4, 4, |i, j| {
        if i == j {
            [3.0, -7.0, 0.0, 0.5][i]
        } else {
            0.0
        }
    });
    let values = singular_values(&diagonal).unwrap();
    for (value, expected) in values.iter().zip([7.0, 3.0, 0.5, 0.0]) {
        assert!((value - expected).abs() < 1e-14);
    }
    // A rotation by 60° scaled by 2: 2 (cos ± i sin).
    let (c, s) = (1.0, 3_f64.sqrt());
    let turn = Matrix::new(2, 2, vec![c, s, -s, c]);
    let found = eigenvalues(&turn).unwrap();
    assert!((found[0].re - c).abs() < 1e-14 && (found[0].im - s).abs() < 1e-14);
    assert!((found[1].re - c).abs() < 1e-14 && (found[1].im + s).abs() < 1e-14);
}

#[test]
fn what_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY] {
        let matrix = Matrix::new(1, 2, vec![1.0, bad]);
        let error = DenseError::NotFinite {
            rows: 1,
            columns: 2,
        };
        assert_eq!(singular_values(&matrix), Err(error));
        assert!(svd(&matrix).is_err() && qr(&matrix).is_err());
    }
}

#[cfg(feature = "lapack")]
#[test]
fn both_back_ends_agree() {
    for matrix in matrices() {
        let (ours, theirs) = (
            by_faer::singular_values(&matrix).unwrap(),
            by_lapack::singular_values(&matrix).unwrap(),
        );
        assert_eq!(ours.len(), theirs.len());
        let largest = ours[0].max(1e-300);
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() <= 1e-13 * largest, "{a} and {b}");
        }
        let (ours, theirs) = (
            by_faer::svd(&matrix).unwrap(),
            by_lapack::svd(&matrix).unwrap(),
        );
        for (a, b) in ours.values.iter().zip(&theirs.values) {
            assert!((a - b).abs() <= 1e-13 * largest, "{a} and {b}");
        }
        let (ours, theirs) = (
            by_faer::qr(&matrix).unwrap(),
            by_lapack::qr(&matrix).unwrap(),
        );
        close(&theirs.0.times(&theirs.1), &matrix, 1e-13);
        // R is unique up to signs where the leading columns are independent.
        if ours.1.rows() == ours.1.columns() && largest < 1e3 * ours.1.square().sqrt() {
            let gram = |r: &Matrix| r.transposed().times(r);
            close(&gram(&ours.1), &gram(&theirs.1), 1e-12);
        }
        if matrix.rows() == matrix.columns() {
            let ours = by_faer::eigenvalues(&matrix).unwrap();
            let theirs = by_lapack::eigenvalues(&matrix).unwrap();
            // As sets: each has a partner. Eigenvalues of a matrix of low rank are as uncertain as
            // the root of the rounding.
            for a in &ours {
                let nearest = theirs.iter().map(|b| (a.re - b.re).hypot(a.im - b.im));
                let nearest = nearest.fold(f64::MAX, f64::min);
                assert!(nearest <= 1e-6 * largest, "{a:?} is {nearest} away");
            }
        }
    }
}
