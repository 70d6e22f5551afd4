//! The laws against products of random matrices of 200 to 300 rows.

use ndarray::Array2;
use reslab_nn::random::shuffle;

use super::super::comparison::{PROBABILITIES, compare};
use super::*;

/// Compares and asks for quantiles within `tolerance` of half the bulk.
fn holds(law: &Law, ln_sigmas: &[f64], tolerance: f64) {
    let found = compare(law, &law.spectrum(), ln_sigmas);
    assert!(found.deviation < tolerance, "{law:?}: {found:?}");
    assert!(found.distance < 0.02, "{law:?}: {found:?}");
    assert_eq!(
        (found.outliers_below, found.outliers_above),
        (0, 0),
        "{found:?}"
    );
}

#[test]
fn many_blocks_of_random_matrices() {
    const N: usize = 200;
    for (index, c) in [(0, 0.25), (1, 1.0)] {
        let mut rng = rng(index);
        let mut product = Array2::<f64>::eye(N);
        for _ in 0..100 {
            product = &product + gaussian(N, c / 100.0, &mut rng).dot(&product);
        }
        let values = ln_singular_values(&product);
        holds(&Law::ManyBlocks { c }, &values, 0.04);
        let (variances, tolerance) = (vec![c / 100.0; 100], 0.04);
        holds(&Law::Blocks { variances }, &values, tolerance);
    }
}

/// Where blocks are few and large the law of many is wrong, and that of the blocks is right.
#[test]
fn few_large_blocks_have_a_law_of_their_own() {
    const N: usize = 300;
    for (index, variances) in [(2, vec![0.5]), (3, vec![1.5, 0.3, 0.8])] {
        let mut rng = rng(index);
        let mut product = Array2::<f64>::eye(N);
        for &t in &variances {
            product = &product + gaussian(N, t, &mut rng).dot(&product);
        }
        let values = ln_singular_values(&product);
        let c = variances.iter().sum();
        let many = Law::ManyBlocks { c };
        let wrong = compare(&many, &many.spectrum(), &values);
        let blocks = Law::Blocks { variances };
        let right = compare(&blocks, &blocks.spectrum(), &values);
        assert!(right.deviation < 0.04 && right.distance < 0.02, "{right:?}");
        assert!(wrong.deviation > 3.0 * right.deviation, "{wrong:?}");
    }
}

#[test]
fn plain_products_with_gates() {
    const N: usize = 300;
    for (index, weights) in [(4, Weights::Gaussian), (5, Weights::Orthogonal)] {
        let mut rng = rng(index);
        let layers = 4;
        let mut product = Array2::<f64>::eye(N);
        for _ in 0..layers {
            let weight = match weights {
                Weights::Gaussian => gaussian(N, 1.0, &mut rng),
                Weights::Orthogonal => rotation(N, &mut rng),
            };
            // Half of the gates, so that as many singular values are 0 as in the limit.
            let mut open: Vec<f64> = (0..N).map(|i| (i % 2) as f64).collect();
            shuffle(&mut rng, &mut open);
            let gated = Array2::from_shape_fn((N, N), |(i, j)| open[i] * weight[(i, j)]);
            product = gated.dot(&product);
        }
        let law = Law::Plain(plain(weights, layers, true, 0.0));
        let spectrum = law.spectrum();
        let found = compare(&law, &spectrum, &ln_singular_values(&product));
        for (share, (predicted, measured)) in PROBABILITIES.iter().zip(found.quantiles).skip(1) {
            let error = (predicted - measured).abs();
            assert!(error < 0.1, "{weights:?} {share}: {predicted} {measured}");
        }
        assert!(
            (found.measured_edges.1 - found.edges.1).abs() < 0.08,
            "{found:?}"
        );
        assert!(found.distance < 0.02, "{found:?}");
        assert_eq!((found.outliers_below, found.outliers_above), (0, 0));
    }
}

#[test]
fn a_sample_by_hand() {
    // The law of many blocks is symmetric: half of it is below ln σ = 0.
    let law = Law::ManyBlocks { c: 1.0 };
    let spectrum = law.spectrum();
    let high = spectrum.edges().1;
    let found = compare(&law, &spectrum, &[0.0, high + 10.0, -0.0, 0.0]);
    near(found.distance, 0.5, 1e-9);
    assert_eq!((found.outliers_below, found.outliers_above), (0, 1));
    let mut many = vec![0.0; 1000];
    many[3] = high + 1.0;
    many[8] = -high - 1.0;
    let found = compare(&law, &spectrum, &many);
    assert_eq!((found.outliers_below, found.outliers_above), (1, 1));
    near(
        found.trimmed_mean_square,
        (998.0 + (-2.0 * (high + 1.0)).exp()) / 999.0,
        1e-12,
    );
    assert!(found.measured_mean_square > found.trimmed_mean_square);
    near(found.mean_square, 1f64.exp(), 1e-12);
    assert_eq!(found.measured_edges, (-high - 1.0, high + 1.0));
    near(found.deviation, 1.0, 1e-6);
}
