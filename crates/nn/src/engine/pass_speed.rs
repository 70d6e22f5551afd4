//! How fast the passes over pixels run, against copies of as many bytes.

use std::hint::black_box;

use reslab_kernels::conv2d::backward_weight::{reads_transposed, transpose};
use reslab_kernels::peak::{best_seconds, copy_rate};
use reslab_kernels::pointwise::{
    Affine, Combination, GradientSums, Nonlinearity, add_assign, apply, apply_add, apply_backward,
    combine, mask_by_output,
};
use reslab_kernels::update::{Sgd, sgd};
use reslab_kernels::{Isa, LANES};

use super::ir::Op;
use super::kernel_speed::ROUND;
use super::shard::Plan;
use crate::network::Shape;

/// The speed of one pass over pixels.
#[derive(Debug, Clone)]
pub struct PassSpeed {
    /// What it does, in words.
    pub pass: &'static str,
    /// Of an image, what it runs over; for the optimiser's update as many channels as there are
    /// parameters.
    pub shape: Shape,
    /// Bytes it reads and writes, of all images; what it updates in place counts twice.
    pub bytes: usize,
    /// Seconds for all images.
    pub seconds: f64,
    /// Bytes a second of a copy with a working set of the same size, measured just before. An update
    /// in place can be faster: it writes no line that it has not just read.
    pub copy_rate: f64,
}

/// Every pass the plan's network needs, at each distinct shape of its convolutions' outputs, for
/// `groups` groups of images; and an update of so many parameters.
pub(super) fn all(plan: &Plan, parameters: usize, groups: usize) -> Vec<PassSpeed> {
    let mut shapes: Vec<Shape> = Vec::new();
    for op in &plan.program.ops {
        if let Op::Conv(conv) = op {
            let shape = plan.shape(conv.output);
            // The logits have no pass of their own.
            if conv.output != plan.program.logits && !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
    }
    let has_norms = !plan.program.norms.is_empty();
    let mut speeds = Vec::new();
    for shape in shapes {
        let mut bench = Bench::new(plan.isa, shape, groups);
        if has_norms {
            bench.norm_passes(&mut speeds);
        }
        bench.other_passes(&mut speeds);
    }
    speeds.push(update(plan.isa, parameters));
    speeds
}

/// Tensors of one shape, of all images.
struct Bench {
    isa: Isa,
    shape: Shape,
    one: Vec<f32>,
    other: Vec<f32>,
    output: Vec<f32>,
    /// One a channel.
    coefficients: Vec<f32>,
    /// Two sums of each channel's sixteen lanes.
    lanes: Vec<f32>,
}

impl Bench {
    fn new(isa: Isa, shape: Shape, groups: usize) -> Self {
        let tensor = vec![0.5; groups * shape.len() * LANES];
        Self {
            isa,
            shape,
            other: tensor.clone(),
            output: tensor.clone(),
            one: tensor,
            coefficients: vec![0.5; shape.channels],
            lanes: vec![0.0; 2 * shape.channels * LANES],
        }
    }

    /// Times `work(one, other, output)`, row by row over all images. It touches `slices` numbers for
    /// each of a tensor's, and `tensors` different ones.
    fn pass(
        &mut self,
        pass: &'static str,
        (slices, tensors): (usize, usize),
        mut work: impl FnMut(&[f32], &[f32], &mut [f32]),
    ) -> PassSpeed {
        let tensor = size_of::<f32>() * self.one.len();
        let row = self.shape.width * self.shape.channels * LANES;
        let copy_rate = copy_rate(tensors * tensor);
        let seconds = best_seconds(ROUND, || {
            let rows = self.one.chunks_exact(row).zip(self.other.chunks_exact(row));
            for ((one, other), output) in rows.zip(self.output.chunks_exact_mut(row)) {
                work(one, other, output);
            }
            black_box(&mut self.output);
        });
        PassSpeed {
            pass,
            shape: self.shape,
            bytes: slices * tensor,
            seconds,
            copy_rate,
        }
    }

    fn norm_passes(&mut self, speeds: &mut Vec<PassSpeed>) {
        let (isa, channels) = (self.isa, self.shape.channels);
        let coefficients = self.coefficients.clone();
        let affine = Affine {
            scale: &coefficients,
            shift: &coefficients,
        };
        let relu = Nonlinearity::Relu;
        speeds.push(self.pass("normalise, ReLU", (2, 2), |one, _, to| {
            apply(isa, channels, one, Some(affine), relu, to);
        }));
        speeds.push(self.pass("normalise, add, ReLU", (3, 3), |one, other, to| {
            apply_add(isa, channels, one, Some(affine), other, relu, to);
        }));
        let mut lanes = std::mem::take(&mut self.lanes);
        speeds.push(self.pass(
            "backward of ReLU, sums of norm",
            (3, 3),
            |one, other, to| {
                let (sum, dot) = lanes.split_at_mut(channels * LANES);
                let mean = &coefficients;
                let sums = GradientSums { mean, sum, dot };
                apply_backward(isa, channels, one, other, affine, relu, sums, to);
            },
        ));
        let by = Combination {
            mean: &coefficients,
            of_gradient: &coefficients,
            of_input: &coefficients,
            constant: &coefficients,
        };
        speeds.push(self.pass("backward of norm", (3, 3), |one, other, to| {
            combine(isa, channels, one, other, by, to);
        }));
    }

    fn other_passes(&mut self, speeds: &mut Vec<PassSpeed>) {
        let (isa, channels) = (self.isa, self.shape.channels);
        let relu = Nonlinearity::Relu;
        speeds.push(self.pass("add, ReLU", (3, 3), |one, other, to| {
            apply_add(isa, channels, one, None, other, relu, to);
        }));
        speeds.push(self.pass("backward of ReLU", (3, 2), |one, _, to| {
            mask_by_output(isa, relu, one, to);
        }));
        self.output.fill(0.0);
        speeds.push(self.pass("add in place", (3, 2), |one, _, to| {
            add_assign(isa, to, one)
        }));
        if reads_transposed(channels) {
            speeds.push(self.pass("transpose", (2, 2), |one, _, to| {
                let block = one.len() / (channels / LANES);
                transpose(isa, channels, one, block, to);
            }));
        }
    }
}

/// A step of SGD with momentum and weight decay.
fn update(isa: Isa, count: usize) -> PassSpeed {
    let settings = Sgd {
        learning_rate: 1e-3,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 1e-4,
        decoupled: false,
        gradient_scale: 1.0,
    };
    let gradient = vec![1e-3; count];
    let (mut parameters, mut velocity) = (vec![0.5; count], vec![0.0; count]);
    // Three arrays are read, two of them written again.
    let bytes = 5 * size_of::<f32>() * count;
    let copy_rate = copy_rate(3 * size_of::<f32>() * count);
    let seconds = best_seconds(ROUND, || {
        sgd(isa, settings, &mut parameters, &gradient, &mut velocity);
        black_box(&mut parameters);
    });
    PassSpeed {
        pass: "update (SGD)",
        shape: Shape::new(count, 1, 1),
        bytes,
        seconds,
        copy_rate,
    }
}
