//! Extreme eigenvalues, trace and density of operators whose spectra are known.

use reslab_nn::random::{self, Purpose};
use reslab_probes::ProbeError;
use reslab_probes::hessian::{ExtremeSettings, Extremes, extremes, quadrature, trace};
use reslab_probes::lanczos::{dot, norm};

/// A symmetric operator with these eigenvalues: a diagonal seen through three random reflections.
struct Known {
    spectrum: Vec<f64>,
    mirrors: Vec<Vec<f64>>,
}

impl Known {
    fn new(spectrum: &[f64]) -> Self {
        let n = spectrum.len();
        let mirrors = (0..3).map(|index| {
            let mut rng = random::stream(11, Purpose::Test, 0, index);
            let mirror: Vec<f64> = (0..n).map(|_| random::normal(&mut rng)).collect();
            let length = norm(&mirror);
            mirror.iter().map(|x| x / length).collect()
        });
        Self {
            spectrum: spectrum.to_vec(),
            mirrors: mirrors.collect(),
        }
    }

    fn apply(&self, vector: &[f64], product: &mut [f64]) {
        product.copy_from_slice(vector);
        self.mirrors.iter().for_each(|m| reflect(m, product));
        let scaled = product.iter_mut().zip(&self.spectrum);
        scaled.for_each(|(x, value)| *x *= value);
        self.mirrors.iter().rev().for_each(|m| reflect(m, product));
    }
}

fn reflect(mirror: &[f64], vector: &mut [f64]) {
    let factor = 2.0 * dot(mirror, vector);
    vector
        .iter_mut()
        .zip(mirror)
        .for_each(|(x, m)| *x -= factor * m);
}

fn find(spectrum: &[f64], settings: &ExtremeSettings) -> Extremes {
    let known = Known::new(spectrum);
    let mut products = 0;
    let mut operator = |vector: &[f64], product: &mut [f64]| {
        products += 1;
        known.apply(vector, product);
        Ok(())
    };
    let found = extremes(&mut operator, spectrum.len(), None, settings, 3).expect("no error");
    assert_eq!(found.products, products);
    for eigenvalue in found.top.iter().chain(&found.bottom) {
        if let Some(vector) = &eigenvalue.vector {
            let mut rest = vec![0.0; vector.len()];
            known.apply(vector, &mut rest);
            let shifted = rest.iter_mut().zip(vector);
            shifted.for_each(|(r, x)| *r -= eigenvalue.value * x);
            let (told, true_one) = (eigenvalue.residual, norm(&rest));
            assert!((norm(vector) - 1.0).abs() < 1e-10);
            assert!(
                (told - true_one).abs() < 1e-9 * (1.0 + eigenvalue.value.abs()),
                "the residual is {true_one}, not {told}"
            );
        }
    }
    found
}

fn values(found: &Extremes) -> (Vec<f64>, Vec<f64>) {
    let values = |of: &[reslab_probes::hessian::Eigenvalue]| of.iter().map(|e| e.value).collect();
    (values(&found.top), values(&found.bottom))
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?}, not {expected:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance,
            "{found}, not {expected}"
        );
    }
}

const FINE: ExtremeSettings = ExtremeSettings {
    top: 3,
    bottom: 3,
    tolerance: 1e-9,
    max_products: 400,
    vectors: true,
};

#[test]
fn both_ends_of_an_even_spectrum() {
    let spectrum: Vec<f64> = (0..500).map(|i| f64::from(i) / 10.0 - 7.0).collect();
    let found = find(&spectrum, &FINE);
    assert!(found.converged);
    let (top, bottom) = values(&found);
    assert_near(&top, &[42.9, 42.8, 42.7], 1e-7);
    assert_near(&bottom, &[-7.0, -6.9, -6.8], 1e-7);
}

/// A bulk near 0 and isolated eigenvalues, as of the Hessian of a trained network.
#[test]
fn isolated_eigenvalues_are_found_long_before_the_bulk() {
    let mut spectrum: Vec<f64> = (0..2000)
        .map(|i| 0.1 * (f64::from(i) * 0.7).sin())
        .collect();
    spectrum[3] = 100.0;
    spectrum[700] = 20.0;
    spectrum[1999] = -5.0;
    let settings = ExtremeSettings {
        top: 2,
        bottom: 1,
        tolerance: 1e-6,
        ..FINE
    };
    let found = find(&spectrum, &settings);
    assert!(found.converged && found.products < 20, "{}", found.products);
    let (top, bottom) = values(&found);
    assert_near(&top, &[100.0, 20.0], 1e-8);
    assert_near(&bottom, &[-5.0], 1e-8);
}

/// The residual bounds the error also of a cluster that is not resolved yet.
#[test]
fn a_cluster_is_told_within_its_residual() {
    let mut spectrum = vec![0.0; 300];
    for (i, value) in spectrum.iter_mut().enumerate() {
        *value = if i < 20 {
            10.0 - 1e-4 * i as f64
        } else {
            (i as f64).cos()
        };
    }
    let loose = ExtremeSettings {
        tolerance: 1e-2,
        ..FINE
    };
    let found = find(&spectrum, &loose);
    assert!(found.converged);
    for eigenvalue in &found.top[..1] {
        let distance = |value: &f64| (value - eigenvalue.value).abs();
        let nearest = spectrum.iter().map(distance).fold(f64::MAX, f64::min);
        assert!(nearest <= eigenvalue.residual + 1e-12);
        assert!((eigenvalue.value - 10.0).abs() < 2e-3);
    }
    let found = find(&spectrum, &FINE);
    assert!(found.converged);
    assert_near(&values(&found).0, &[10.0, 9.9999, 9.9998], 1e-9);
}

/// A start near the wrong eigenvectors still finds the ends, since it has a random part; one near the
/// right one finds it sooner.
#[test]
fn a_vector_near_an_eigenvector_shortens_the_search_and_hides_nothing() {
    let mut spectrum: Vec<f64> = (0..2000).map(|i| (f64::from(i) * 0.7).sin()).collect();
    (spectrum[0], spectrum[1], spectrum[2]) = (10.0, 6.0, -3.0);
    let known = Known::new(&spectrum);
    let settings = ExtremeSettings {
        top: 2,
        bottom: 1,
        tolerance: 1e-6,
        ..FINE
    };
    let search = |places: &[usize]| {
        let mut near = vec![0.0; spectrum.len()];
        places.iter().for_each(|&place| near[place] = 7.0);
        known
            .mirrors
            .iter()
            .rev()
            .for_each(|m| reflect(m, &mut near));
        let mut operator = |vector: &[f64], product: &mut [f64]| {
            known.apply(vector, product);
            Ok(())
        };
        let found = extremes(&mut operator, spectrum.len(), Some(&near), &settings, 3);
        let found = found.expect("no error");
        assert!(found.converged);
        assert_near(&values(&found).0, &[10.0, 6.0], 1e-5);
        assert_near(&values(&found).1, &[-3.0], 1e-5);
        found.products
    };
    let random = find(&spectrum, &settings).products;
    assert!(search(&[0, 1, 2]) <= random);
    search(&[1]);
    search(&[2, 5, 6]);
    search(&[]);
}

/// One start vector meets one copy; when nothing new comes of it, further ones meet the others.
#[test]
fn a_multiple_eigenvalue_shows_as_often_as_it_is() {
    let mut spectrum = vec![0.0; 100];
    spectrum[..6].copy_from_slice(&[3.0, 3.0, 3.0, 2.0, -1.0, -1.0]);
    let found = find(&spectrum, &ExtremeSettings { top: 5, ..FINE });
    assert!(found.converged);
    let (top, bottom) = values(&found);
    assert_near(&top, &[3.0, 3.0, 3.0, 2.0, 0.0], 1e-10);
    assert_near(&bottom, &[-1.0, -1.0, 0.0], 1e-10);
    assert!(found.products < 20, "{}", found.products);
}

#[test]
fn an_operator_of_low_rank_ends_early() {
    let mut spectrum = vec![0.0; 5000];
    spectrum[17] = 4.0;
    spectrum[18] = 1.0;
    let one = ExtremeSettings {
        top: 1,
        bottom: 1,
        ..FINE
    };
    let found = find(&spectrum, &one);
    assert!(found.converged);
    assert_eq!(found.products, 3);
    assert_near(&values(&found).0, &[4.0], 1e-12);
    assert_near(&values(&found).1, &[0.0], 1e-12);
    let nothing = find(&[0.0; 50], &FINE);
    assert!(nothing.converged);
    assert_near(&values(&nothing).0, &[0.0; 3], 0.0);
}

#[test]
fn all_of_a_small_operator() {
    let found = find(
        &[5.0, -2.0, 1.0],
        &ExtremeSettings {
            top: 7,
            bottom: 2,
            ..FINE
        },
    );
    assert!(found.converged && found.products == 3);
    assert_near(&values(&found).0, &[5.0, 1.0, -2.0], 1e-12);
    assert_near(&values(&found).1, &[-2.0, 1.0], 1e-12);
    let none = find(&[], &FINE);
    assert!(none.converged && none.top.is_empty() && none.products == 0);
}

#[test]
fn what_has_not_converged_says_so() {
    let spectrum: Vec<f64> = (0..1000).map(|i| f64::from(i).sqrt()).collect();
    let found = find(
        &spectrum,
        &ExtremeSettings {
            max_products: 8,
            ..FINE
        },
    );
    assert!(!found.converged && found.products == 8);
    assert!(found.top.iter().all(|e| !e.converged && e.residual > 0.0));
    let infinite = find(
        &[1.0, f64::INFINITY, 2.0],
        &ExtremeSettings {
            vectors: false,
            ..FINE
        },
    );
    assert!(!infinite.converged && infinite.top[0].value.is_nan());
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let spectrum: Vec<f64> = (0..20_000).map(|i| (f64::from(i) * 0.3).sin()).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let settings = ExtremeSettings {
            max_products: 30,
            ..FINE
        };
        pool.expect("threads")
            .install(|| find(&spectrum, &settings))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn an_error_of_the_operator_ends_it_at_once() {
    let mut products = 0;
    let mut operator = |_: &[f64], product: &mut [f64]| {
        products += 1;
        product
            .iter_mut()
            .enumerate()
            .for_each(|(i, x)| *x = i as f64);
        if products == 3 {
            Err(ProbeError::Stopped)
        } else {
            Ok(())
        }
    };
    let found = extremes(&mut operator, 10, None, &FINE, 0);
    assert!(matches!(found, Err(ProbeError::Stopped)));
    assert_eq!(products, 3);
}

/// Of a diagonal operator random signs have the same weight everywhere: the estimate has no error.
#[test]
fn trace_and_density_of_a_diagonal_are_exact() {
    let spectrum: Vec<f64> = (0..30).map(|i| f64::from(i) - 4.0).collect();
    let mut operator = |vector: &[f64], product: &mut [f64]| {
        for i in 0..30 {
            product[i] = spectrum[i] * vector[i];
        }
        Ok(())
    };
    let found = trace(&mut operator, 30, 3, 1).expect("no error");
    assert!((found.value - 315.0).abs() < 1e-10 && found.error < 1e-10);
    let found = quadrature(&mut operator, 30, (2, 100), 1).expect("no error");
    assert_eq!(found.products, 60);
    for (node, expected) in found.draws[1].iter().zip(&spectrum) {
        assert!((node.0 - expected).abs() < 1e-9 && (node.1 - 1.0 / 30.0).abs() < 1e-9);
    }
    // √(10⁻⁵ · 29) = 0.0170, but the grid's points are further apart.
    let density = found.smoothed(400, None).expect("finite");
    let gap = density.eigenvalues[1] - density.eigenvalues[0];
    assert!((density.width / gap - 1.0).abs() < 1e-9 && gap < 0.08);
    let fine = found.smoothed(4000, None).expect("finite");
    assert!((fine.width - 2.9e-4_f64.sqrt()).abs() < 1e-12);
    let integral: f64 = density.density.iter().sum::<f64>() * gap;
    assert!((integral - 1.0).abs() < 1e-4);
    assert!(density.error.iter().all(|e| *e < 1e-8));
}
