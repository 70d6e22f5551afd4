//! Products, Lanczos and summaries of matrices whose spectra are known.

use reslab_nn::random::{self, Purpose};

use super::{agree, diagonal, normal, orthogonal};
use crate::jacobian::graded::Graded;
use crate::jacobian::matrix_free::{Operator, Ritz, golub_kahan};
use crate::jacobian::spectrum::{Spectrum, even};
use reslab_dense::{self as dense, Matrix};

fn product(factors: &[Matrix]) -> Graded {
    let mut product = Graded::identity(factors[0].columns());
    for factor in factors {
        product.multiply(factor).expect("finite");
    }
    product
}

fn logs(values: &[f64]) -> Vec<f64> {
    values.iter().map(|s| s.ln()).collect()
}

/// Absolute agreement: of logarithms, which is relative agreement of what they are of.
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "{i}: {a} is not {b}");
    }
}

/// `[[1, 1], [1, 0]]¹²⁸` is symmetric with eigenvalues φ¹²⁸ and φ⁻¹²⁸, φ the golden ratio: a condition
/// number of 3·10⁵³.
#[test]
fn powers_of_the_fibonacci_matrix_have_golden_exponents() {
    let factor = Matrix::new(2, 2, vec![1.0, 1.0, 1.0, 0.0]);
    let golden = f64::midpoint(1.0, 5_f64.sqrt()).ln();
    let found = product(&vec![factor; 128]);
    let sigma = found.log_singular_values().unwrap();
    near(&sigma, &[128.0 * golden, -128.0 * golden], 1e-11);
    near(&found.log_diagonal(), &sigma, 1.0);
}

/// J_l = Q_l D Q_{l−1}ᵀ: the product has the singular values of D to the power of 128, here from e³²⁰
/// to e⁻³²⁰, and the exponents are ln D.
#[test]
fn orthogonal_times_diagonal_keeps_every_exponent() {
    let exponents = [2.5, 1.5, 0.5, 0.25, -0.5, -1.5, -2.5];
    let middle = diagonal(&exponents.map(f64::exp));
    let turns: Vec<Matrix> = (0..=128).map(|l| orthogonal(7, l)).collect();
    let factors: Vec<Matrix> = turns
        .windows(2)
        .map(|pair| pair[1].times(&middle).times(&pair[0].transposed()))
        .collect();
    let found = product(&factors);
    let expected = exponents.map(|e| 128.0 * e);
    near(&found.log_singular_values().unwrap(), &expected, 1e-9);
    // Re-orthogonalisation has them up to a constant, which many blocks make small.
    let by_qr: Vec<f64> = found.log_diagonal().iter().map(|d| d / 128.0).collect();
    near(&by_qr, &exponents, 0.05);
    // Backward it is the transposes in the other order.
    let transposed: Vec<Matrix> = factors.iter().rev().map(Matrix::transposed).collect();
    let found = product(&transposed).log_singular_values().unwrap();
    near(&found, &expected, 1e-9);
}

#[test]
fn diagonals_in_any_order_stay_exact_beyond_the_range_of_numbers() {
    let factor = diagonal(&[1e-6, 1e-3, 1.0, 10.0, 1e6]);
    let found = product(&vec![factor; 100]);
    let ten = 10_f64.ln();
    let expected = [600.0, 100.0, 0.0, -300.0, -600.0].map(|power| power * ten);
    near(&found.log_singular_values().unwrap(), &expected, 1e-9);
    near(&found.log_diagonal(), &expected, 1e-9);
}

#[test]
fn short_products_agree_with_the_product_written_out() {
    for (index, count) in [(0, 1), (100, 2), (200, 5)] {
        let factors: Vec<Matrix> = (0..count).map(|l| normal(24, 24, index + l)).collect();
        let written = factors[1..]
            .iter()
            .fold(factors[0].clone(), |product, factor| factor.times(&product));
        let expected = logs(&dense::singular_values(&written).unwrap());
        let found = product(&factors).log_singular_values().unwrap();
        // The written product knows its smallest to 1e-16 of its largest.
        let tolerance = 1e-13 * (expected[0] - expected[23]).exp();
        near(&found, &expected, tolerance.max(1e-12));
    }
}

#[test]
fn masks_leave_as_many_singular_values_of_zero() {
    // Three masks of 12, 9 and 10 out of 16 with random matrices between: rank 9, written out or not.
    let mask = |kept: usize| {
        diagonal(
            &(0..16)
                .map(|i| f64::from(u8::from(i < kept)))
                .collect::<Vec<_>>(),
        )
    };
    let factors: Vec<Matrix> = [12, 9, 10]
        .iter()
        .zip(0..)
        .map(|(kept, index)| mask(*kept).times(&normal(16, 16, 300 + index)))
        .collect();
    let written = factors[2].times(&factors[1]).times(&factors[0]);
    let expected = dense::singular_values(&written).unwrap();
    let found = product(&factors).log_singular_values().unwrap();
    near(&found, &logs(&expected[..9]), 1e-9);
    // Masks that share nothing leave nothing.
    let other = diagonal(
        &(0..16)
            .map(|i| f64::from(u8::from(i >= 12)))
            .collect::<Vec<_>>(),
    );
    let found = product(&[mask(12), other]);
    assert!(found.log_singular_values().unwrap().is_empty());
}

#[test]
fn factors_may_change_the_width() {
    let factors = [normal(20, 12, 400), normal(8, 20, 401), normal(15, 8, 402)];
    let written = factors[2].times(&factors[1]).times(&factors[0]);
    let expected = dense::singular_values(&written).unwrap();
    let found = product(&factors).log_singular_values().unwrap();
    near(&found, &logs(&expected[..8]), 1e-11);
}

fn lanczos(matrix: &Matrix, steps: usize, start: u64) -> Ritz {
    let apply = |v: &[f64]| Ok(matrix.apply(v));
    let back = |u: &[f64]| Ok(matrix.apply_transposed(u));
    let operator = Operator {
        rows: matrix.rows(),
        columns: matrix.columns(),
        apply: &apply,
        apply_transposed: &back,
    };
    let mut rng = random::stream(1, Purpose::Test, 9, start);
    golub_kahan(&operator, steps, &mut rng, &mut || Ok(())).expect("goes on")
}

#[test]
fn as_many_steps_as_columns_find_both_ends() {
    let wide = normal(60, 90, 500);
    for matrix in [normal(80, 80, 501), wide.clone(), wide.transposed()] {
        let exact = dense::singular_values(&matrix).unwrap();
        let found = lanczos(&matrix, 200, 0).values;
        let n = exact.len();
        agree(&found[..10], &exact[..10], 1e-10);
        agree(&found[n - 10..], &exact[n - 10..], 1e-6);
    }
}

#[test]
fn few_steps_find_the_large_end_and_say_how_well() {
    let sigma: Vec<f64> = (0..200).map(|i| 0.9_f64.powi(i)).collect();
    let matrix = orthogonal(200, 510)
        .times(&diagonal(&sigma))
        .times(&orthogonal(200, 511));
    let found = lanczos(&matrix, 40, 0);
    agree(&found.values[..5], &sigma[..5], 1e-9);
    assert!(found.residuals[0] < 1e-6 && found.residuals[39] > 1e-9);
    // A Ritz value lies no further from a singular value than its residual.
    for (value, residual) in found.values.iter().zip(&found.residuals) {
        let nearest = sigma
            .iter()
            .map(|s| (s - value).abs())
            .fold(f64::MAX, f64::min);
        assert!(
            nearest <= residual + 1e-12,
            "{value}: {nearest} > {residual}"
        );
    }
}

#[test]
fn multiple_singular_values_are_found_as_often_as_they_occur() {
    let sigma: Vec<f64> = (0..30).map(|i| [3.0, 1.0, 1.0, 0.0, 0.5][i % 5]).collect();
    let matrix = orthogonal(30, 520)
        .times(&diagonal(&sigma))
        .times(&orthogonal(30, 521));
    let mut expected = sigma;
    expected.sort_by(|a, b| b.total_cmp(a));
    let found = lanczos(&matrix, 30, 0);
    for (a, b) in found.values.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-10, "{a} is not {b}");
    }
    // All the weight is on what the start could reach.
    assert!((found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

/// The mean of ln σ of a matrix by quadrature, within five standard errors of the exact one.
#[test]
fn quadrature_finds_the_density() {
    let sigma: Vec<f64> = (0..150).map(|i| 0.5 + 1.5 * f64::from(i) / 149.0).collect();
    let matrix = orthogonal(150, 530)
        .times(&diagonal(&sigma))
        .times(&orthogonal(150, 531));
    let runs: Vec<Ritz> = (0..8).map(|start| lanczos(&matrix, 25, start)).collect();
    let mean = |runs: &[Ritz]| {
        let spectrum = Spectrum::of_quadratures(runs, (150, 150));
        spectrum.summary().unwrap().log_mean
    };
    let each: Vec<f64> = runs
        .iter()
        .map(|run| mean(std::slice::from_ref(run)))
        .collect();
    let found = mean(&runs);
    let spread: f64 = each.iter().map(|m| (m - found).powi(2)).sum();
    let error = (spread / 7.0 / 8.0).sqrt();
    let exact = sigma.iter().map(|s| s.ln()).sum::<f64>() / 150.0;
    assert!(
        (found - exact).abs() < 5.0 * error,
        "{found} ± {error}, {exact}"
    );
    assert!(error < 0.03, "{error}");
    let median = Spectrum::of_quadratures(&runs, (150, 150)).quantile(0.5);
    assert!((median - 1.25_f64.ln()).abs() < 0.1, "{median}");
}

/// A third of the singular values are 0: Lanczos finds tiny ones there, none above its residual.
#[test]
fn zeros_do_not_pass_for_small_singular_values() {
    let sigma: Vec<f64> = (0..150)
        .map(|i| {
            if i % 3 == 0 {
                0.0
            } else {
                1.0 + f64::from(i) / 150.0
            }
        })
        .collect();
    let matrix = orthogonal(150, 540)
        .times(&diagonal(&sigma))
        .times(&orthogonal(150, 541));
    let runs: Vec<Ritz> = (0..8).map(|start| lanczos(&matrix, 25, start)).collect();
    let found = Spectrum::of_quadratures(&runs, (150, 150));
    assert!(found.rank.abs_diff(100) < 15, "{}", found.rank);
    let least = found.summary().unwrap().log_min;
    assert!(least > 0.8_f64.ln(), "{least}");
    let kept = found.kept(10);
    assert_eq!(kept.len(), 10);
    // The error bar of the quantile of each: what eight starts differ by.
    let share = 1.0 - (kept[4].rank as f64 + 0.5) / found.rank as f64;
    let single = |run: &Ritz| Spectrum::of_quadratures(std::slice::from_ref(run), (150, 150));
    let each: Vec<f64> = runs.iter().map(|run| single(run).quantile(share)).collect();
    let mean = each.iter().sum::<f64>() / 8.0;
    let squares: f64 = each.iter().map(|x| (x - mean) * (x - mean)).sum();
    let error = kept[4].log_error.expect("of several starts");
    assert!(error > 0.0 && (error - (squares / 56.0).sqrt()).abs() < 1e-15);
    assert_eq!(single(&runs[0]).kept(10)[4].log_error, None);
}

#[test]
fn summaries_by_hand() {
    // 4, 1, 1, and a 0.
    let found = Spectrum::of_values(&[4.0, 1.0, 1.0, 0.0], (4, 4));
    assert_eq!(found.rank, 3);
    let summary = found.summary().unwrap();
    let ln4 = 4_f64.ln();
    assert!((summary.log_max - ln4).abs() < 1e-15 && summary.log_min.abs() < 1e-15);
    assert!((summary.log_mean - ln4 / 3.0).abs() < 1e-15);
    assert!((summary.log_deviation - ln4 * (2.0_f64 / 9.0).sqrt()).abs() < 1e-15);
    assert!((summary.log_rms - 0.5 * 4.5_f64.ln()).abs() < 1e-15);
    assert!((summary.share_near_one - 0.5).abs() < 1e-15);
    // Shares 2/3, 1/6, 1/6: entropy 2/3 ln 3/2 + 1/3 ln 6.
    let entropy = 2.0 / 3.0 * 1.5_f64.ln() + 6_f64.ln() / 3.0;
    assert!((summary.effective_rank - entropy.exp()).abs() < 1e-14);
    assert!(summary.log_quantiles[1].abs() < 1e-15);
    // 5 numbers: the middle one is the median, and a quarter of the way up lies between two.
    let found = Spectrum::of_logs(&[4.0, 3.0, 2.0, 1.0, 0.0], 5);
    assert!((found.quantile(0.5) - 2.0).abs() < 1e-14);
    assert!((found.quantile(0.2) - 0.5).abs() < 1e-14);
    assert!(Spectrum::of_values(&[0.0, 0.0], (2, 2)).summary().is_none());
    // Of sizes whose squares are no numbers.
    let huge = Spectrum::of_logs(&[900.0, 0.0], 2).summary().unwrap();
    assert!((huge.log_rms - (900.0 - 0.5 * 2_f64.ln())).abs() < 1e-12);
}

#[test]
fn values_are_kept_evenly_with_both_ends() {
    assert_eq!(even(4, 9), [0, 1, 2, 3]);
    assert_eq!(even(101, 5), [0, 25, 50, 75, 100]);
    let found = Spectrum::of_logs(&[3.0, 2.0, 1.0, 0.0], 6);
    let kept = found.kept(2).into_iter().map(|kept| (kept.rank, kept.log));
    assert_eq!(kept.collect::<Vec<_>>(), [(0, 3.0), (3, 0.0)]);
}
