//! Batches, precision, stopping.

use reslab_nn::loss::Loss;
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::Mode;
use reslab_probes::ProbeError;
use reslab_probes::hessian::{LossHessian, MeanLoss, Precision};

use crate::cases::*;
use crate::support::length;

#[test]
fn batches_are_a_matter_of_memory_with_running_statistics_and_of_definition_with_those_of_the_batch()
 {
    let case = &small_networks()[3];
    let mut rng = random::stream(8, Purpose::Test, 1, 0);
    let count = case.parameters.len();
    let vector: Vec<f64> = (0..count).map(|_| random::normal(&mut rng)).collect();
    let with = |mode, batch_size| {
        let function = MeanLoss {
            batch_size,
            ..case.loss(48, mode, Loss::default())
        };
        product(&mut LossHessian::new(function), &vector)
    };
    let whole = with(Mode::Evaluation, 48);
    for batch_size in [1, 7, 16, 32, 1000] {
        for (one, other) in with(Mode::Evaluation, batch_size).iter().zip(&whole) {
            assert_relative(*one, *other, 1e-11, 1.0 + other.abs());
        }
    }
    // 48 samples in batches of 20: 20, 20 and 8, weighted so.
    let found = with(Mode::Training, 20);
    let function = case.loss(48, Mode::Training, Loss::default());
    let mut expected = vec![0.0; count];
    for (batch, share) in [(0..20, 20.0), (20..40, 20.0), (40..48, 8.0)] {
        let matrix = dense(&function, batch);
        for (i, sum) in expected.iter_mut().enumerate() {
            let along: f64 = matrix[i].iter().zip(&vector).map(|(h, v)| h * v).sum();
            *sum += share / 48.0 * along;
        }
    }
    let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert_relative(*found, *expected, 1e-10, largest);
    }
    let whole = with(Mode::Training, 48);
    let apart = found.iter().zip(&whole).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f64::max) > 1e-3 * largest);
}

#[test]
fn a_product_asks_after_every_batch_and_stops_at_once() {
    let case = &small_networks()[0];
    let function = MeanLoss {
        batch_size: 16,
        ..case.loss(48, Mode::Evaluation, Loss::default())
    };
    let mut hessian = LossHessian::new(function);
    let mut asked = 0;
    let mut poll = || {
        asked += 1;
        if asked == 2 {
            Err(ProbeError::Stopped)
        } else {
            Ok(())
        }
    };
    let vector = vec![1.0; hessian.dimension()];
    let found = hessian.product(&vector, &mut vec![0.0; vector.len()], &mut poll);
    assert!(found.is_err());
    assert_eq!((asked, hessian.batches()), (2, 3));
}

#[test]
fn products_in_single_precision_are_those_in_double() {
    for case in small_networks() {
        for (mode, batch_size) in [
            (Mode::Evaluation, 48),
            (Mode::Evaluation, 10),
            (Mode::Training, 24),
        ] {
            let double = MeanLoss {
                batch_size,
                ..case.loss(48, mode, Loss::default())
            };
            let single = MeanLoss {
                precision: Precision::F32,
                ..double
            };
            let (mut double, mut single) = (LossHessian::new(double), LossHessian::new(single));
            let poll = &mut || Ok(());
            let exact = double.slope(poll).expect("a checked network");
            let found = single.slope(poll).expect("a checked network");
            assert_relative(found.loss, exact.loss, 1e-6, exact.loss);
            assert_near(&found.gradient, &exact.gradient);
            let mut rng = random::stream(8, Purpose::Test, 2, 0);
            let vector: Vec<f64> = (0..double.dimension())
                .map(|_| random::normal(&mut rng))
                .collect();
            assert_near(
                &product(&mut single, &vector),
                &product(&mut double, &vector),
            );
            let (exact, found) = (ends(&mut double, &FINE), ends(&mut single, &FINE));
            let largest = exact.top[0].value;
            assert_relative(found.top[0].value, largest, 1e-5, largest);
            assert_relative(found.bottom[0].value, exact.bottom[0].value, 1e-5, largest);
        }
    }
}

fn assert_near(found: &[f64], exact: &[f64]) {
    let apart: Vec<f64> = found.iter().zip(exact).map(|(f, e)| f - e).collect();
    let (apart, whole) = (length(apart.iter()), length(exact.iter()));
    assert!(apart < 1e-5 * whole, "off by {apart} of {whole}");
}
