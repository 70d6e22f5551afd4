//! The convolution kernels at the shapes of CIFAR residual networks, one thread: items are FLOPs.
//!
//! `cargo bench -p reslab-kernels --bench conv2d [-- FILTER]`

use std::fmt;

use divan::Bencher;
use divan::counter::ItemsCount;
use reslab_kernels::conv2d::Tap;
use reslab_kernels::conv2d::backward_weight::{
    BLOCK_PIXEL, Pair, Strip, add_strip, reads_transposed,
};
use reslab_kernels::conv2d::row::{Row, row};
use reslab_kernels::{Isa, LANES};

fn main() {
    divan::main();
}

/// As many channels out as in, on `side × side` pixels.
#[derive(Clone, Copy)]
struct Case {
    isa: Isa,
    channels: usize,
    side: usize,
}

impl Case {
    /// 3×3, and 1×1 on one pixel.
    fn kernel(self) -> usize {
        if self.side == 1 { 1 } else { 3 }
    }

    fn weights(self) -> usize {
        (self.kernel() * self.channels).pow(2)
    }

    fn pixel(self) -> usize {
        self.channels * LANES
    }

    fn row_len(self) -> usize {
        (self.side + self.kernel() - 1) * self.pixel()
    }

    /// FLOPs of so many rows.
    fn flops(self, rows: usize) -> ItemsCount {
        ItemsCount::new(2 * rows * self.side * LANES * self.weights())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            isa,
            channels,
            side,
        } = self;
        write!(f, "{isa} {channels} × {side}×{side}")
    }
}

fn cases() -> Vec<Case> {
    let shapes = [
        (16, 32),
        (32, 16),
        (64, 8),
        (8, 8),
        (16, 4),
        (32, 2),
        (64, 1),
    ];
    let of = |&isa: &Isa| {
        shapes.map(|(channels, side)| Case {
            isa,
            channels,
            side,
        })
    };
    Isa::available().iter().flat_map(of).collect()
}

/// One row of the output, with every row of the kernel over the image.
#[divan::bench(args = cases())]
fn one_row(bencher: Bencher<'_, '_>, case: Case) {
    let (kernel, pixel) = (case.kernel(), case.pixel());
    let input = vec![0.5; kernel * case.row_len()];
    let weights = vec![0.1; case.weights()];
    let mut output = vec![0.0; case.side * pixel];
    let taps: Vec<Tap> = (0..kernel * kernel)
        .map(|place| Tap {
            input: place / kernel * case.row_len() + place % kernel * pixel,
            place,
        })
        .collect();
    let sizes = Row {
        in_channels: case.channels,
        out_channels: case.channels,
        places: kernel * kernel,
        pixels: case.side,
        in_step: pixel,
        out_step: pixel,
    };
    bencher.counter(case.flops(1)).bench_local(|| {
        row(
            case.isa,
            sizes,
            &input,
            &taps,
            &weights,
            None,
            &mut output,
            None,
        );
    });
}

/// The weight gradient of a strip of 64 pixels.
#[divan::bench(args = cases())]
fn weight_gradient(bencher: Bencher<'_, '_>, case: Case) {
    let (kernel, pixel) = (case.kernel(), case.pixel());
    let rows = (64 / case.side).clamp(1, case.side);
    let input = vec![0.5; (rows + kernel - 1) * case.row_len()];
    let gradient = vec![0.5; rows * case.side * pixel];
    let mut weight = vec![0.0; case.weights()];
    let pairs: Vec<Pair> = (0..kernel * rows)
        .map(|at| Pair {
            kernel_row: at / rows,
            input: (at / rows + at % rows) * case.row_len(),
            gradient: at % rows * case.side * pixel,
        })
        .collect();
    let (column, block) = match reads_transposed(case.channels) {
        true => (BLOCK_PIXEL, case.row_len() / (case.channels / LANES)),
        false => (pixel, 0),
    };
    let strip = Strip {
        in_channels: case.channels,
        out_channels: case.channels,
        kernel,
        pixels: case.side,
        in_step: column,
        column,
        block,
        out_step: pixel,
    };
    bencher.counter(case.flops(rows)).bench_local(|| {
        add_strip(case.isa, strip, &input, &gradient, &pairs, &mut weight);
    });
}
