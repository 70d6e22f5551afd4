//! Small networks against their dense Hessian.

use reslab_dense::Eigen;
use reslab_nn::loss::Loss;
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::Mode;
use reslab_probes::hessian::{Coordinates, LossHessian, MeanLoss, quadrature, trace};
use reslab_probes::lanczos::dot;

use crate::cases::*;

/// Both ends, trace and density of an operator against the dense matrix.
fn assert_like_dense(hessian: &mut LossHessian<'_>, matrix: &[Vec<f64>]) {
    let n = matrix.len();
    assert_eq!(hessian.dimension(), n);
    let Eigen { values, .. } = eigen(matrix);
    let scale = values[n - 1].abs().max(values[0].abs());
    let found = ends(hessian, &FINE);
    assert!(found.converged, "{found:?}");
    for rank in 0..FINE.top {
        assert_relative(found.top[rank].value, values[n - 1 - rank], 1e-8, scale);
        assert_relative(found.bottom[rank].value, values[rank], 1e-8, scale);
    }
    assert_relative(found.top[0].value, values[n - 1], 1e-8, values[n - 1]);
    assert_relative(found.bottom[0].value, values[0], 1e-8, values[0].abs());
    let mut rng = random::stream(8, Purpose::Test, 3, 0);
    let vector: Vec<f64> = (0..n).map(|_| random::normal(&mut rng)).collect();
    let mut expected = vec![0.0; n];
    multiply(matrix, &vector, &mut expected);
    for (found, expected) in product(hessian, &vector).iter().zip(&expected) {
        assert_relative(*found, *expected, 1e-10, scale);
    }
    // Many products: of the matrix, which is the same operator.
    let mut operator = |v: &[f64], out: &mut [f64]| {
        multiply(matrix, v, out);
        Ok(())
    };
    let exact: f64 = (0..n).map(|i| matrix[i][i]).sum();
    let found = trace(&mut operator, n, 200, 2).expect("a checked network");
    // The error bar has to hold, and to be no wider than the theory's 2 Σ A_ij² by much.
    let off: f64 = (0..n)
        .flat_map(|i| (0..n).filter(move |j| *j != i).map(move |j| (i, j)))
        .map(|(i, j)| matrix[i][j].powi(2))
        .sum();
    let theory = (2.0 * off / 200.0).sqrt();
    assert!(
        (found.value - exact).abs() < 4.0 * theory,
        "{found:?}, not {exact}"
    );
    assert_relative(found.error, theory, 0.3, theory);
    // Moments of the quadrature: each is the mean of tr f(A) / n, with an error bar.
    let found = quadrature(&mut operator, n, (60, 25), 4).expect("a checked network");
    for power in 1..5 {
        let exact = values.iter().map(|v| v.powi(power)).sum::<f64>() / n as f64;
        let (mean, error) = found.mean(|v| v.powi(power));
        assert!(
            (mean - exact).abs() < 5.0 * error,
            "moment {power}: {mean} ± {error}, not {exact}"
        );
    }
    let width = 0.05 * scale;
    let density = found.smoothed(64, Some(width)).expect("finite nodes");
    let step = density.eigenvalues[1] - density.eigenvalues[0];
    let integral: f64 = density.density.iter().sum::<f64>() * step;
    assert!((integral - 1.0).abs() < 1e-3, "the integral is {integral}");
    let peak = density.density.iter().copied().fold(0.0, f64::max);
    for (i, t) in density.eigenvalues.iter().enumerate() {
        let exact = values.iter().map(|v| normal(t - v, width)).sum::<f64>() / n as f64;
        let error = 5.0 * density.error[i] + 1e-3 * peak;
        assert!(
            (density.density[i] - exact).abs() < error,
            "density at {t}: {} ± {}, not {exact}",
            density.density[i],
            density.error[i]
        );
    }
}

fn multiply(matrix: &[Vec<f64>], vector: &[f64], product: &mut [f64]) {
    for (row, out) in matrix.iter().zip(product) {
        *out = dot(row, vector);
    }
}

fn normal(x: f64, width: f64) -> f64 {
    (-0.5 * (x / width).powi(2)).exp() / (width * std::f64::consts::TAU.sqrt())
}

#[test]
fn small_networks_agree_with_their_dense_hessian_in_both_modes() {
    for case in small_networks() {
        for mode in [Mode::Evaluation, Mode::Training] {
            let function = case.loss(48, mode, Loss::default());
            let matrix = dense(&function, 0..48);
            assert_like_dense(&mut LossHessian::new(function), &matrix);
        }
    }
}

#[test]
fn some_parameters_have_their_part_of_the_dense_hessian() {
    let case = &small_networks()[0];
    let function = MeanLoss {
        coordinates: Coordinates::Weights,
        ..case.loss(48, Mode::Training, Loss::default())
    };
    let whole = dense(&function, 0..48);
    let weights: Vec<usize> = case
        .network
        .layout
        .parameters
        .iter()
        .filter(|entry| entry.name.ends_with("weight") && !entry.name.contains("bn"))
        .flat_map(|entry| entry.slot.range())
        .collect();
    let rows = weights
        .iter()
        .map(|&i| weights.iter().map(|&j| whole[i][j]).collect());
    let matrix: Vec<Vec<f64>> = rows.collect();
    assert_like_dense(&mut LossHessian::new(function), &matrix);
    let mut poll = || Ok(());
    let slope = LossHessian::new(function)
        .slope(&mut poll)
        .expect("a checked network");
    assert_eq!(slope.gradient.len(), weights.len());
}
