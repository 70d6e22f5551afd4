//! The laws in themselves: mass, moments, edges, and the equations they come from.

use std::f64::consts::PI;

use super::super::residual::{self, ManyBlocks, many_blocks, variance_of_ln_sigma};
use super::super::trace::trace;
use super::*;

/// Mass, symmetry, `E λ`, `E λ²`, `Var ln σ`.
#[test]
fn many_blocks_have_their_moments() {
    for c in [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0] {
        let law = many_blocks(c);
        let points = law.points();
        near(points[0].below + 1.0, 1.0, 1e-12);
        near(points[points.len() - 1].below, 1.0, 1e-12);
        // The density is the derivative of the distribution.
        let mass: f64 = points
            .windows(2)
            .map(|p| 0.5 * (p[0].density + p[1].density) * (p[1].ln_sigma - p[0].ln_sigma))
            .sum();
        near(mass, 1.0, 1e-5);
        near(moment(&law, 1.0), c.exp(), 1e-5);
        near(moment(&law, -1.0), c.exp(), 1e-5);
        near(moment(&law, 2.0), (2.0 * c).exp() * (1.0 + 2.0 * c), 1e-4);
        assert!(law.quantile(0.5).abs() < 1e-9);
        near(law.quantile(0.9), -law.quantile(0.1), 1e-9);
        near(law.expectation(|x| x * x), variance_of_ln_sigma(c), 1e-5);
    }
}

/// `G = (z G − 1) exp(c (1 − 2 z G))` beyond the edges, G being the integral over the density.
#[test]
fn many_blocks_solve_the_equation_of_the_resolvent() {
    for c in [0.25, 1.0] {
        let law = many_blocks(c);
        for z in [-1.0, 1.5 * (2.0 * law.edges().1).exp()] {
            let g = law.expectation(|x| 1.0 / (z - (2.0 * x).exp()));
            near((z * g - 1.0) * (c * (1.0 - 2.0 * z * g)).exp(), g, 1e-5);
        }
    }
}

/// Values computed from the equation by an independent program.
#[test]
fn many_blocks_have_the_tabulated_edges_and_peaks() {
    let table = [
        (0.1, 0.6370, 1.5697, Some(0.706)),
        (0.25, 0.4860, 2.0577, Some(0.440)),
        (0.5, 0.3534, 2.8299, Some(0.306)),
        (1.0, 0.2177, 4.5929, Some(0.208)),
        (2.0, 0.1007, 9.9303, Some(0.137)),
        (4.0, 0.0274, 36.441, None),
    ];
    for (c, low, high, peak) in table {
        let law = many_blocks(c);
        let (least, most) = law.edges();
        assert!((least.exp() - low).abs() < 0.51e-4, "c = {c}");
        assert!(
            (most.exp() - high).abs() < 0.51e-4 * high.max(1.0),
            "c = {c}"
        );
        near(residual::edge(c), most, 1e-12);
        if let Some(peak) = peak {
            // Per unit of ln λ half of that per unit of ln σ.
            let highest = law.points().iter().map(|p| p.density).fold(0.0, f64::max);
            assert!((0.5 * highest - peak).abs() < 1e-3, "c = {c}: {highest}");
        }
    }
}

/// The traced curve is the explicit one.
#[test]
fn tracing_finds_the_explicit_curve() {
    for c in [0.1, 1.0, 3.0] {
        let (traced, explicit) = (trace(&ManyBlocks { c }, 0.0), many_blocks(c));
        near(traced.edges().0, explicit.edges().0, 1e-8);
        near(traced.edges().1, explicit.edges().1, 1e-8);
        for probability in [0.01, 0.2, 0.5, 0.77, 0.99] {
            let (a, b) = (traced.quantile(probability), explicit.quantile(probability));
            assert!((a - b).abs() < 2e-5, "{a} {b}");
            assert!((traced.density(b) - explicit.density(b)).abs() < 1e-4);
        }
    }
}

/// `E λ = ∏ (1 + t)`; each block adds `t (2 + t)/(1 + t)²` to the relative variance of λ.
#[test]
fn finite_blocks_have_their_moments() {
    for variances in [vec![0.3], vec![0.1, 0.7], vec![2.0; 12], vec![0.01; 100]] {
        let law = law_of(&variances);
        let mean: f64 = variances.iter().map(|t| 1.0 + t).product();
        near(moment(&law, 1.0), mean, 1e-3);
        let spread: f64 = variances
            .iter()
            .map(|t| t * (2.0 + t) / (1.0 + t).powi(2))
            .sum();
        near(moment(&law, 2.0) / mean.powi(2), 1.0 + spread, 1e-3);
        let points = law.points();
        let mass = points[points.len() - 1].below - points[0].below;
        near(mass, 1.0, 1e-6);
        assert!(points.windows(2).all(|p| p[0].below <= p[1].below + 1e-9));
    }
}

#[test]
fn finite_blocks_become_the_law_of_many() {
    let distance = |blocks: usize| {
        let (finite, many) = (law_of(&vec![1.0 / blocks as f64; blocks]), many_blocks(1.0));
        let shares = (1..20).map(|k| f64::from(k) / 20.0);
        let gaps = shares.map(|p| (finite.quantile(p) - many.quantile(p)).abs());
        gaps.fold(0.0, f64::max)
    };
    let (coarse, fine) = (distance(20), distance(200));
    assert!(fine < 3e-3 && coarse > 5.0 * fine, "{coarse} {fine}");
}

/// Without gates the law is Fuss and Catalan's, whose curve is
/// `λ = sin^(L+1)((L+1)φ) / (sin φ sin^L(Lφ))`.
#[test]
fn linear_gaussian_networks_follow_fuss_and_catalan() {
    for layers in [1, 2, 10] {
        let law = plain(Weights::Gaussian, layers, false, 0.0).spectrum();
        let l = layers as f64;
        near(
            (2.0 * law.edges().1).exp(),
            (l + 1.0).powf(l + 1.0) / l.powf(l),
            1e-9,
        );
        near(moment(&law, 1.0), 1.0, 1e-4);
        near(moment(&law, 2.0), 1.0 + l, 1e-3);
        for share in [0.1_f64, 0.4, 0.8] {
            let phi = share * PI / (l + 1.0);
            let (s, sl, sl1) = (phi.sin(), (l * phi).sin(), ((l + 1.0) * phi).sin());
            let lambda = sl1.powf(l + 1.0) / (s * sl.powf(l));
            let density = s * s * sl.powf(l - 1.0) / (PI * sl1.powf(l));
            // Per unit of ln σ.
            near(law.density(0.5 * lambda.ln()), 2.0 * lambda * density, 1e-3);
        }
    }
}

/// Mean, variance L/p or L (1 − p)/p, zeros; gains move ln σ.
#[test]
fn relu_networks_have_their_moments() {
    for weights in [Weights::Gaussian, Weights::Orthogonal] {
        for layers in [3, 6, 20] {
            // Critical: σ² = 2.
            let law = plain(weights, layers, true, layers as f64 * 2f64.ln());
            let (l, spectrum) = (layers as f64, law.spectrum());
            let expected = if weights == Weights::Gaussian {
                2.0 * l
            } else {
                l
            };
            near(law.mean_square(), 1.0, 1e-12);
            near(
                law.relative_variance(),
                if weights == Weights::Gaussian {
                    2.0 * l
                } else {
                    l
                },
                1e-12,
            );
            near(spectrum.points()[0].below, 0.5, 1e-4);
            near(moment(&spectrum, 1.0), 1.0, 1e-3);
            near(moment(&spectrum, 2.0) - 1.0, expected, 3e-3);
            let twice = PlainLaw {
                ln_gain: law.ln_gain + 2.0 * 3f64.ln(),
                ..law
            };
            near(twice.edge() - law.edge(), 3f64.ln(), 1e-9);
        }
    }
}

/// `λ_max` of three critical layers at right angles: m = p/(L (1 − p) − 1) = 1, λ = 2 (3/4)³ 8.
#[test]
fn the_edge_of_orthogonal_relu_networks_is_explicit() {
    let law = plain(Weights::Orthogonal, 3, true, 3.0 * 2f64.ln());
    near(
        (2.0 * law.edge()).exp(),
        2.0 * (1.5_f64 / 2.0).powi(3) * 8.0,
        1e-9,
    );
}

#[test]
fn scaling_by_depth_concentrates() {
    use reslab_nn::families::BranchScale;
    let c = |scale, blocks| residual::scaled(scale, blocks, 2.0);
    near(c(BranchScale::One, 64), 128.0, 1e-15);
    near(c(BranchScale::InverseSqrtDepth, 64), 2.0, 1e-15);
    near(c(BranchScale::InverseDepth, 64), 1.0 / 32.0, 1e-15);
}
