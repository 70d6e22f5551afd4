//! Losses against their definition in `f64`, and gradients against differences.

use proptest::prelude::*;

use super::*;
use crate::test_support::{always_the_same, numbers};

fn outputs(count: usize) -> Vec<f32> {
    (0..count * LANES)
        .map(|i| ((i * 37 % 101) as f32 - 50.0) / 20.0)
        .collect()
}

/// Central differences of the loss against the gradient.
fn assert_gradient(loss: impl Fn(&[f32], Option<&mut [f32]>) -> Total) {
    let z = outputs(5);
    let mut gradient = vec![7.0; z.len()];
    loss(&z, Some(&mut gradient));
    for at in 0..z.len() {
        let (mut up, mut down) = (z.clone(), z.clone());
        up[at] += 1e-2;
        down[at] -= 1e-2;
        let slope = (loss(&up, None).loss - loss(&down, None).loss) / 2e-2;
        assert!(
            (slope - f64::from(gradient[at])).abs() < 1e-3,
            "{at}: {slope} {}",
            gradient[at]
        );
    }
}

#[test]
fn cross_entropy_has_the_gradient_it_says() {
    for smoothing in [0.0, 0.1, 1.0] {
        assert_gradient(|z, g| cross_entropy(z, Targets::Classes(&[0, 4, 2]), smoothing, 1.0, g));
    }
}

#[test]
fn squared_error_has_the_gradient_it_says() {
    assert_gradient(|z, g| squared_error(z, Targets::Classes(&[1, 3]), 1.0, g));
    let values: Vec<f32> = (0..10).map(|i| i as f32 / 3.0).collect();
    assert_gradient(|z, g| squared_error(z, Targets::Values(&values), 1.0, g));
}

#[test]
fn equal_outputs_lose_the_logarithm_of_their_number() {
    let total = cross_entropy(
        &[3.0; 10 * LANES],
        Targets::Classes(&[0, 9]),
        0.0,
        1.0,
        None,
    );
    assert!((total.loss - 2.0 * 10f64.ln()).abs() < 1e-12);
    assert_eq!(total.wrong, 1);
}

#[test]
fn what_is_not_a_number_is_wrong_and_shows_in_the_loss() {
    let total = cross_entropy(
        &[f32::NAN; 3 * LANES],
        Targets::Classes(&[0]),
        0.0,
        1.0,
        None,
    );
    assert!(total.loss.is_nan());
    assert_eq!(total.wrong, 1);
}

/// One lane's outputs in `f64`.
fn column(outputs: &[f32], lane: usize) -> Vec<f64> {
    outputs
        .chunks_exact(LANES)
        .map(|row| f64::from(row[lane]))
        .collect()
}

/// `log softmax(z)`.
fn log_softmax(z: &[f64]) -> Vec<f64> {
    let log_sum = z.iter().map(|z| z.exp()).sum::<f64>().ln();
    z.iter().map(|z| z - log_sum).collect()
}

/// Whether a sample's largest output is another than its class.
fn misses(z: &[f64], class: u32) -> bool {
    let top = z.iter().copied().fold(f64::MIN, f64::max);
    z.iter().position(|&z| z == top) != Some(class as usize)
}

proptest! {
    #![proptest_config(always_the_same(64))]

    #[test]
    fn cross_entropy_is_its_definition(
        count in 1usize..20, samples in 0usize..=16, smoothing in 0f32..1.0, scale in 0.01f32..2.0,
        seed: u32
    ) {
        let outputs: Vec<f32> = numbers(count * LANES, seed).iter().map(|z| 8.0 * z).collect();
        let classes: Vec<u32> = (0..samples).map(|i| (i * 7 % count) as u32).collect();
        let mut gradient = vec![f32::NAN; outputs.len()];
        let targets = Targets::Classes(&classes);
        let total = cross_entropy(&outputs, targets, smoothing, scale, Some(&mut gradient));
        let (mut loss, mut wrong) = (0.0, 0);
        for lane in 0..LANES {
            let z = column(&outputs, lane);
            let log = log_softmax(&z);
            for k in 0..count {
                let Some(&class) = classes.get(lane) else {
                    prop_assert_eq!(gradient[k * LANES + lane], 0.0);
                    continue;
                };
                let smoothing = f64::from(smoothing);
                let one = f64::from(u8::from(k == class as usize));
                let q = (1.0 - smoothing) * one + smoothing / count as f64;
                loss -= q * log[k];
                let want = f64::from(scale) * (log[k].exp() - q);
                let got = f64::from(gradient[k * LANES + lane]);
                prop_assert!((got - want).abs() < 1e-6, "{got}, not {want}");
            }
            wrong += classes.get(lane).map_or(0, |&class| usize::from(misses(&z, class)));
        }
        // Distances from the largest output are rounded to f32 once.
        prop_assert!((total.loss - loss).abs() < 1e-5 * (1.0 + loss), "{}, not {loss}", total.loss);
        prop_assert_eq!(total.wrong, wrong);
    }

    #[test]
    fn squared_error_is_its_definition(
        count in 1usize..20, samples in 0usize..=16, scale in 0.01f32..2.0, seed: u32
    ) {
        let outputs = numbers(count * LANES, seed);
        let values = numbers(count * samples, seed ^ 1);
        let mut gradient = vec![f32::NAN; outputs.len()];
        let total = squared_error(&outputs, Targets::Values(&values), scale, Some(&mut gradient));
        let mut loss = 0.0;
        for (lane, k) in (0..LANES).flat_map(|lane| (0..count).map(move |k| (lane, k))) {
            let got = f64::from(gradient[k * LANES + lane]);
            if lane >= samples {
                prop_assert_eq!(got, 0.0);
                continue;
            }
            let distance = column(&outputs, lane)[k] - f64::from(values[lane * count + k]);
            loss += distance * distance / count as f64;
            let want = 2.0 * distance / count as f64 * f64::from(scale);
            prop_assert!((got - want).abs() < 1e-6, "{got}, not {want}");
        }
        prop_assert!((total.loss - loss).abs() < 1e-9 * (1.0 + loss));
        prop_assert_eq!(total.wrong, 0);
    }
}
