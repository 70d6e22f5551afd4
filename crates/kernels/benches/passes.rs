//! Passes over pixels, losses and updates, one thread: bytes read and written.
//!
//! `cargo bench -p reslab-kernels --bench passes [-- FILTER]`

use divan::Bencher;
use divan::counter::BytesCount;
use reslab_kernels::pointwise::{
    Affine, Combination, GradientSums, Nonlinearity, apply, apply_add, apply_backward, combine,
};
use reslab_kernels::update::{Sgd, sgd};
use reslab_kernels::{Isa, LANES};

fn main() {
    divan::main();
}

/// A row of 32 pixels of 16 channels, as the engine hands it to a pass.
const CHANNELS: usize = 16;
const NUMBERS: usize = 32 * CHANNELS * LANES;

fn affine(coefficients: &[f32]) -> Affine<'_> {
    Affine {
        scale: coefficients,
        shift: coefficients,
    }
}

fn touched(slices: usize) -> BytesCount {
    BytesCount::of_many::<f32>(slices * NUMBERS)
}

#[divan::bench(args = Isa::available())]
fn normalise_relu(bencher: Bencher<'_, '_>, isa: &Isa) {
    let (input, mut output) = (vec![0.5; NUMBERS], vec![0.0; NUMBERS]);
    let coefficients = [0.5; CHANNELS];
    let affine = Some(affine(&coefficients));
    bencher.counter(touched(2)).bench_local(|| {
        let relu = Nonlinearity::Relu;
        apply(*isa, CHANNELS, &input, affine, relu, &mut output);
    });
}

#[divan::bench(args = Isa::available())]
fn normalise_add_relu(bencher: Bencher<'_, '_>, isa: &Isa) {
    let (input, mut output) = (vec![0.5; NUMBERS], vec![0.0; NUMBERS]);
    let other = input.clone();
    let coefficients = [0.5; CHANNELS];
    let affine = Some(affine(&coefficients));
    bencher.counter(touched(3)).bench_local(|| {
        let relu = Nonlinearity::Relu;
        apply_add(*isa, CHANNELS, &input, affine, &other, relu, &mut output);
    });
}

#[divan::bench(args = Isa::available())]
fn norm_backward_sums(bencher: Bencher<'_, '_>, isa: &Isa) {
    let (input, mut output) = (vec![0.5; NUMBERS], vec![0.0; NUMBERS]);
    let gradient = input.clone();
    let coefficients = [0.5; CHANNELS];
    let mut lanes = vec![0.0; 2 * CHANNELS * LANES];
    bencher.counter(touched(3)).bench_local(|| {
        let (sum, dot) = lanes.split_at_mut(CHANNELS * LANES);
        let mean = &coefficients;
        let sums = GradientSums { mean, sum, dot };
        let (relu, affine) = (Nonlinearity::Relu, affine(&coefficients));
        apply_backward(
            *isa,
            CHANNELS,
            &gradient,
            &input,
            affine,
            relu,
            sums,
            &mut output,
        );
    });
}

#[divan::bench(args = Isa::available())]
fn norm_backward(bencher: Bencher<'_, '_>, isa: &Isa) {
    let (input, mut output) = (vec![0.5; NUMBERS], vec![0.0; NUMBERS]);
    let gradient = input.clone();
    let coefficients = [0.5; CHANNELS];
    let by = Combination {
        mean: &coefficients,
        of_gradient: &coefficients,
        of_input: &coefficients,
        constant: &coefficients,
    };
    bencher.counter(touched(3)).bench_local(|| {
        combine(*isa, CHANNELS, &gradient, &input, by, &mut output);
    });
}

/// As many parameters as ResNet-20 has.
#[divan::bench(args = Isa::available())]
fn update(bencher: Bencher<'_, '_>, isa: &Isa) {
    const COUNT: usize = 269_722;
    let settings = Sgd {
        learning_rate: 1e-3,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 1e-4,
        decoupled: false,
        gradient_scale: 1.0,
    };
    let gradient = vec![1e-3; COUNT];
    let (mut parameters, mut velocity) = (vec![0.5; COUNT], vec![0.0; COUNT]);
    let bytes = BytesCount::of_many::<f32>(5 * COUNT);
    bencher.counter(bytes).bench_local(|| {
        sgd(*isa, settings, &mut parameters, &gradient, &mut velocity);
    });
}
