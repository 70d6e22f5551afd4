//! GFLOP/s of the convolution kernels at the shapes of CIFAR residual networks, one thread.

use std::time::Instant;

use reslab_kernels::conv2d::Tap;
use reslab_kernels::conv2d::backward_weight::{Pair, Strip, add_strip};
use reslab_kernels::conv2d::row::{Row, row};
use reslab_kernels::{Isa, LANES};

fn main() {
    for isa in Isa::available() {
        for (channels, side) in [
            (16, 32),
            (32, 16),
            (64, 8),
            (8, 8),
            (16, 4),
            (32, 2),
            (64, 1),
        ] {
            let kernel = if side == 1 { 1 } else { 3 };
            println!(
                "{isa:>8} {channels:>3} channels {side:>2}×{side:<2} row {:6.1} GFLOP/s, weight gradient {:6.1}",
                rows(*isa, channels, side, kernel),
                strips(*isa, channels, side, kernel)
            );
        }
    }
}

/// Seconds of one call, the best of some rounds.
fn best(flops: usize, mut work: impl FnMut()) -> f64 {
    let rounds = (20_000_000 / flops).max(1);
    let time = |_| {
        let start = Instant::now();
        (0..rounds).for_each(|_| work());
        start.elapsed().as_secs_f64() / rounds as f64
    };
    flops as f64 / (0..7).map(time).fold(f64::MAX, f64::min) / 1e9
}

fn rows(isa: Isa, channels: usize, side: usize, kernel: usize) -> f64 {
    let pixel = channels * LANES;
    let row_len = (side + kernel - 1) * pixel;
    let input = vec![0.5; kernel * row_len];
    let weights = vec![0.1; kernel * kernel * channels * channels];
    let mut output = vec![0.0; side * pixel];
    let places = kernel * kernel;
    let taps: Vec<Tap> = (0..places)
        .map(|place| Tap {
            input: place / kernel * row_len + place % kernel * pixel,
            place,
        })
        .collect();
    let sizes = Row {
        in_channels: channels,
        out_channels: channels,
        places,
        pixels: side,
        in_step: pixel,
        out_step: pixel,
    };
    best(2 * side * LANES * weights.len(), || {
        row(isa, sizes, &input, &taps, &weights, None, &mut output, None);
    })
}

fn strips(isa: Isa, channels: usize, side: usize, kernel: usize) -> f64 {
    let pixel = channels * LANES;
    let row_len = (side + kernel - 1) * pixel;
    let count = (64 / side).clamp(1, side);
    let input = vec![0.5; (count + kernel - 1) * row_len];
    let gradient = vec![0.5; count * side * pixel];
    let mut weight = vec![0.0; kernel * kernel * channels * channels];
    let pairs: Vec<Pair> = (0..kernel * count)
        .map(|at| Pair {
            kernel_row: at / count,
            input: (at / count + at % count) * row_len,
            gradient: at % count * side * pixel,
        })
        .collect();
    let strip = Strip {
        in_channels: channels,
        out_channels: channels,
        kernel,
        pixels: side,
        in_step: pixel,
        column: pixel,
        out_step: pixel,
    };
    best(2 * count * side * LANES * weight.len(), || {
        add_strip(isa, strip, &input, &gradient, &pairs, &mut weight);
    })
}
