//! The engine against torchvision's networks, evaluated in float64 at weights that are a formula of
//! (name, index), which `tests/fixtures/pytorch/make_torchvision.py` tells: names, layouts, strides
//! and paddings of ImageNet's networks, at their full width.

use std::collections::BTreeMap;

use reslab_nn::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use reslab_nn::families::{build, named};
use reslab_nn::network::{Entry, Shape};

const TOLERANCE: f64 = 1e-4;

#[derive(serde::Deserialize)]
struct Fixture {
    /// `(N, C, H, W)`.
    shape: [usize; 4],
    networks: BTreeMap<String, Expected>,
}

#[derive(serde::Deserialize)]
struct Expected {
    parameters: usize,
    /// Root mean square of all logits.
    rms: f64,
    /// The first logits of each image.
    logits: Vec<Vec<f64>>,
}

/// Numbers in [−1, 1): SplitMix64 from the FNV-1a hash of the name.
fn uniform(name: &str) -> impl Iterator<Item = f64> {
    let mut state = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let x = x ^ (x >> 31);
        (x >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

fn fill(entries: &[Entry], arena: &mut [f32]) {
    for Entry {
        name, shape, slot, ..
    } in entries
    {
        let (scale, shift) = match shape[..] {
            [_, ref fan_in @ ..] if !fan_in.is_empty() => {
                ((6.0 / fan_in.iter().product::<usize>() as f64).sqrt(), 0.0)
            }
            _ if name.ends_with("running_var") => (0.3, 1.0),
            _ if name.ends_with("weight") => (0.1, 1.0),
            _ => (0.1, 0.0),
        };
        for (to, number) in slot.of_mut(arena).iter_mut().zip(uniform(name)) {
            *to = (shift + scale * number) as f32;
        }
    }
}

#[test]
fn evaluated_networks_are_torchvisions() {
    let text = include_str!("../../../tests/fixtures/pytorch/torchvision.json");
    let Fixture { shape, networks } = serde_json::from_str(text).unwrap();
    let [len, channels, height, width] = shape;
    let image = Shape::new(channels, height, width);
    let planes: Vec<f64> = uniform("input").take(len * image.len()).collect();
    // From (N, C, H, W) to channels last.
    let inputs: Vec<f32> = (0..len * image.len())
        .map(|at| {
            let (pixel, channel) = (at / channels, at % channels);
            let (sample, pixel) = (pixel / (height * width), pixel % (height * width));
            planes[(sample * channels + channel) * height * width + pixel] as f32
        })
        .collect();
    for (name, expected) in networks {
        let network = build(&named(&name).unwrap(), image, 1000).unwrap();
        let layout = &network.layout;
        assert_eq!(layout.parameter_count(), expected.parameters, "{name}");
        let mut parameters = vec![0.0; layout.parameter_count()];
        fill(&layout.parameters, &mut parameters);
        let mut state = layout.initial_state();
        fill(&layout.state, &mut state);
        let batch = Batch {
            inputs: &inputs,
            targets: TargetsRef::Classes(&vec![0; len]),
            len,
            noise: Noise::default(),
        };
        let mut engine = Engine::for_evaluation(&network, len).unwrap();
        engine.evaluate(&parameters, &state, &batch, &Loss::default());
        let found = engine.logits();
        let square: f64 = found.iter().map(|&x| f64::from(x).powi(2)).sum();
        let rms = (square / found.len() as f64).sqrt();
        assert!(
            (rms / expected.rms - 1.0).abs() < TOLERANCE,
            "{name}: root mean square {rms}, not {}",
            expected.rms
        );
        let mut worst = 0_f64;
        for (found, expected_logits) in found.chunks_exact(1000).zip(&expected.logits) {
            for (&found, want) in found.iter().zip(expected_logits) {
                worst = worst.max((f64::from(found) - want).abs() / expected.rms);
            }
        }
        assert!(worst < TOLERANCE, "{name}: off by {worst:e} relative");
        println!("{name} agrees to {worst:.1e}");
    }
}
