//! How fast each kernel runs at the shapes of a network: called as the engine calls it, with its
//! row sizes, rings and strips, on one thread, against what the machine can do at most.
//!
//! What is timed is the kernel alone: bringing rows into the rings is what the pointwise passes do,
//! and is timed there.

use std::hint::black_box;

use reslab_kernels::conv2d::backward_weight::{Pair, add_strip, reads_transposed};
use reslab_kernels::conv2d::row::{Sums, row};
use reslab_kernels::conv2d::{Conv2dShape, Tap, pack, winograd};
use reslab_kernels::peak::{best_seconds, multiply_add_rate};
use reslab_kernels::{Isa, LANES};

use super::compile::Purpose;
use super::executor::Executor;
use super::geometry::{Geometry, Ring};
use super::ir::{Conv, Op};
use super::pass_speed::{self, PassSpeed};
use super::tiled_speed::TiledBench;
use crate::error::ShapeError;
use crate::network::Network;

/// Least seconds of a round of a measurement.
pub(super) const ROUND: f64 = 4e-3;

/// The speed of every kernel a network needs.
#[derive(Debug, Clone)]
pub struct KernelSpeeds {
    /// The instruction set, such as `avx512`.
    pub instruction_set: String,
    /// Images each kernel was called for: whole groups of sixteen.
    pub images: usize,
    /// FLOP/s of fused multiply-adds in registers, measured just before.
    pub peak: f64,
    /// Of each distinct convolution and linear layer, its three passes.
    pub convolutions: Vec<ConvolutionSpeed>,
    /// Of each distinct activation, the passes over its pixels; last, the optimiser's update.
    pub passes: Vec<PassSpeed>,
}

/// What is computed of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConvolutionPass {
    /// The output, with the sums that batch statistics need.
    Forward,
    /// The gradient with respect to the input.
    BackwardData,
    /// The gradient with respect to the weight.
    BackwardWeight,
}

/// How a convolution is computed. Another algorithm is a variant here, in [`Algorithm::ALL`], and an
/// arm of `Bench::run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// As the definition says, row by row.
    Direct,
    /// Winograd's minimal filtering, by tiles of 4 × 4.
    Tiled,
}

/// The speed of one pass of one convolution.
#[derive(Debug, Clone)]
pub struct ConvolutionSpeed {
    /// The first layer of this shape.
    pub layer: String,
    /// Layers of this shape in the network that need this pass.
    pub times: usize,
    /// What it computes.
    pub shape: Conv2dShape,
    /// Which of its passes.
    pub pass: ConvolutionPass,
    /// How.
    pub algorithm: Algorithm,
    /// FLOPs of the definition, padding included, for all images: two for a multiply-add.
    pub flops: f64,
    /// Seconds for all images.
    pub seconds: f64,
}

impl ConvolutionPass {
    /// All passes, in the order of a training step.
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardData, Self::BackwardWeight];

    /// `forward`, `backward-data` or `backward-weight`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::BackwardData => "backward-data",
            Self::BackwardWeight => "backward-weight",
        }
    }
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 2] = [Self::Direct, Self::Tiled];

    /// `direct` or `tiled`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Tiled => "tiled",
        }
    }

    /// Whether there is such a kernel for this pass of this shape.
    pub fn computes(self, shape: &Conv2dShape, pass: ConvolutionPass) -> bool {
        match (self, pass) {
            (Self::Direct, _) => true,
            (Self::Tiled, ConvolutionPass::BackwardWeight) => {
                winograd::pays(shape) && reads_transposed(shape.group_in())
            }
            (Self::Tiled, _) => winograd::pays(shape),
        }
    }
}

/// Times every kernel that training `network` needs, on one thread, for a batch of so many images
/// (rounded up to whole groups of sixteen). Takes some seconds.
pub fn kernel_speeds(network: &Network, batch: usize) -> Result<KernelSpeeds, ShapeError> {
    let executor = Executor::new(network, Purpose::Training, LANES)?;
    let (plan, isa) = (&executor.plan, executor.plan.isa);
    let groups = batch.div_ceil(LANES);
    let mut convolutions = Vec::new();
    for (first, times, propagating) in distinct(&plan.program.ops) {
        let side_by_side = if first.flat {
            plan.groups.min(groups)
        } else {
            1
        };
        let mut bench = Bench::new(isa, &first.shape, side_by_side, groups);
        for pass in ConvolutionPass::ALL {
            let times = match pass {
                ConvolutionPass::BackwardData => propagating,
                _ => times,
            };
            for algorithm in Algorithm::ALL {
                if times == 0 || !algorithm.computes(&first.shape, pass) {
                    continue;
                }
                convolutions.push(ConvolutionSpeed {
                    layer: first.name.clone(),
                    times,
                    shape: first.shape,
                    pass,
                    algorithm,
                    flops: bench.flops(),
                    seconds: best_seconds(ROUND, || bench.run(algorithm, pass)),
                });
            }
        }
    }
    Ok(KernelSpeeds {
        instruction_set: isa.to_string(),
        images: groups * LANES,
        peak: multiply_add_rate(isa),
        convolutions,
        passes: pass_speed::all(plan, network.layout.parameter_count(), groups),
    })
}

/// The first convolution of each shape, how many there are, and how many of them hand a gradient on.
fn distinct(ops: &[Op]) -> Vec<(&Conv, usize, usize)> {
    let mut found: Vec<(&Conv, usize, usize)> = Vec::new();
    for op in ops {
        let Op::Conv(conv) = op else { continue };
        let propagating = usize::from(conv.propagates);
        let same = |(first, ..): &&mut (&Conv, usize, usize)| {
            first.shape == conv.shape && first.flat == conv.flat
        };
        match found.iter_mut().find(same) {
            Some((_, times, also)) => {
                *times += 1;
                *also += propagating;
            }
            None => found.push((conv, 1, propagating)),
        }
    }
    found
}

/// One convolution with buffers as a worker has them, and outputs of a whole batch.
struct Bench {
    isa: Isa,
    geometry: Geometry,
    /// Times the convolution is done: groups of images, or several groups at once.
    frames: usize,
    inputs: Vec<f32>,
    gradients: Vec<f32>,
    forward: Vec<f32>,
    backward: Vec<f32>,
    output: Vec<f32>,
    row: Vec<f32>,
    shift: Vec<f32>,
    lanes: Vec<f32>,
    grad_weight: Vec<f32>,
    taps: Vec<Tap>,
    pairs: Vec<Pair>,
    /// The same by tiles, where that is done.
    tiled: Option<TiledBench>,
}

impl Bench {
    fn new(isa: Isa, shape: &Conv2dShape, side_by_side: usize, groups: usize) -> Self {
        let geometry = Geometry::of_shape(shape, side_by_side, false);
        let frames = groups.div_ceil(side_by_side);
        let strip = geometry.input_ring(geometry.strip_rows());
        let weight = vec![0.01; shape.weight_len()];
        let (mut forward, mut backward) = (weight.clone(), weight.clone());
        pack::forward(isa, shape, &weight, None, &mut forward);
        pack::backward(isa, shape, &weight, &mut backward);
        let out_row = geometry.out_width * geometry.out_pixel;
        Self {
            isa,
            geometry,
            frames,
            inputs: vec![0.5; strip.len().max(geometry.input_ring(1).len())],
            gradients: vec![0.5; geometry.gradient_ring().len()],
            forward,
            backward,
            output: vec![0.0; frames * shape.out_height() * out_row],
            row: vec![0.0; geometry.shape.width * geometry.pixel],
            shift: vec![0.1; shape.out_channels],
            lanes: vec![0.0; 2 * shape.out_channels * LANES],
            grad_weight: vec![0.0; shape.weight_len()],
            taps: Vec::new(),
            pairs: Vec::new(),
            tiled: winograd::pays(shape).then(|| TiledBench::new(isa, shape, groups)),
        }
    }

    /// FLOPs of one pass.
    fn flops(&self) -> f64 {
        let shape = &self.geometry.shape;
        let pixels = shape.out_height() * self.geometry.out_width;
        2.0 * (self.frames * pixels * LANES * shape.weight_len()) as f64
    }

    fn run(&mut self, algorithm: Algorithm, pass: ConvolutionPass) {
        for frame in 0..self.frames {
            match (algorithm, pass) {
                (Algorithm::Direct, ConvolutionPass::Forward) => self.forward(frame),
                (Algorithm::Direct, ConvolutionPass::BackwardData) => self.backward_data(),
                (Algorithm::Direct, ConvolutionPass::BackwardWeight) => self.backward_weight(),
                (Algorithm::Tiled, pass) => {
                    if let Some(tiled) = &mut self.tiled {
                        tiled.run(pass, frame);
                    }
                }
            }
        }
        black_box((&self.output, &self.row, &self.grad_weight));
    }

    fn forward(&mut self, frame: usize) {
        let (shape, ring) = (self.geometry.shape, self.geometry.input_ring(1));
        let (group_in, group_out) = (shape.group_in(), shape.group_out());
        let weights = shape.weight_len() / shape.groups;
        let out_row = self.geometry.out_width * self.geometry.out_pixel;
        let (sum, square) = self.lanes.split_at_mut(shape.out_channels * LANES);
        sum.fill(0.0);
        square.fill(0.0);
        for y in 0..shape.out_height() {
            self.geometry.forward_taps(y, ring, &mut self.taps);
            let output = &mut self.output[(frame * shape.out_height() + y) * out_row..][..out_row];
            for group in 0..shape.groups {
                let first = group * group_out;
                let sums = Sums {
                    shift: &self.shift[first..first + group_out],
                    sum: &mut sum[first * LANES..][..group_out * LANES],
                    square: &mut square[first * LANES..][..group_out * LANES],
                };
                row(
                    self.isa,
                    self.geometry.forward_row(),
                    &self.inputs[group * group_in * LANES..],
                    &self.taps,
                    &self.forward[group * weights..][..weights],
                    None,
                    &mut output[first * LANES..],
                    Some(sums),
                );
            }
        }
    }

    fn backward_data(&mut self) {
        let (shape, ring) = (self.geometry.shape, self.geometry.gradient_ring());
        let weights = shape.weight_len() / shape.groups;
        for y in 0..shape.height {
            for first in 0..shape.stride.min(shape.width) {
                self.geometry.gradient_taps(y, first, ring, &mut self.taps);
                for group in 0..shape.groups {
                    let to = first * self.geometry.pixel + group * shape.group_in() * LANES;
                    row(
                        self.isa,
                        self.geometry.gradient_row(first),
                        &self.gradients[group * shape.group_out() * LANES..],
                        &self.taps,
                        &self.backward[group * weights..][..weights],
                        None,
                        &mut self.row[to..],
                        None,
                    );
                }
            }
        }
    }

    fn backward_weight(&mut self) {
        let (shape, strip) = (self.geometry.shape, self.geometry.strip_rows());
        let weights = shape.weight_len() / shape.groups;
        let (inputs, gradients): (Ring, Ring) = (
            self.geometry.weight_ring(strip),
            self.geometry.gradient_ring(),
        );
        self.grad_weight.fill(0.0);
        for first in (0..shape.out_height()).step_by(strip) {
            let rows = first..(first + strip).min(shape.out_height());
            self.geometry
                .pairs(rows, inputs, gradients, 1, &mut self.pairs);
            for group in 0..shape.groups {
                add_strip(
                    self.isa,
                    self.geometry.strip(inputs),
                    &self.inputs[self.geometry.weight_group(inputs, group)..],
                    &self.gradients[group * shape.group_out() * LANES..],
                    &self.pairs,
                    &mut self.grad_weight[group * weights..][..weights],
                );
            }
        }
    }
}
