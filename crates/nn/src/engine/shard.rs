//! What a shard of the batch and a worker own, and what all of them read.

use std::ops::Range;

use reslab_kernels::conv2d::Tap;
use reslab_kernels::conv2d::backward_weight::Pair;
use reslab_kernels::conv2d::row::Span;
use reslab_kernels::conv2d::winograd::{self, POINTS, TILE};
use reslab_kernels::loss::Total;
use reslab_kernels::pointwise::{Affine, Combination};
use reslab_kernels::{Base, Buffer, Isa, LANES};

use super::backward_plan::{BackwardStep, Gradient};
use super::geometry::Geometry;
use super::ir::{Conv, Op, Program, View};
use super::memory::Memory;
use crate::loss::{Batch, Loss};
use crate::network::Shape;

/// Everything that is decided before the first step.
#[derive(Debug)]
pub(super) struct Plan {
    pub isa: Isa,
    pub program: Program,
    /// Places of the gradients of tensors, and of those after norms.
    pub tensor_gradients: Vec<usize>,
    pub norm_gradients: Vec<usize>,
    /// Floats of an arena.
    pub arena: usize,
    /// Groups of sixteen images in a shard.
    pub groups: usize,
    pub training: bool,
}

/// Numbers that all shards read during a phase.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Weights as the row kernel reads them, forward and for the input's gradient.
    pub forward: Vec<f32>,
    pub backward: Vec<f32>,
    /// Biases of convolutions that batch norm was folded into.
    pub bias: Vec<f32>,
    /// Of norms, one a channel.
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub mean: Vec<f32>,
    pub of_gradient: Vec<f32>,
    pub of_input: Vec<f32>,
    pub constant: Vec<f32>,
    /// Of stats, one a channel.
    pub stat_shift: Vec<f32>,
    /// As many zeros as the widest layer has channels.
    pub zeros: Vec<f32>,
}

/// What a phase reads.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub plan: &'a Plan,
    pub numbers: &'a Numbers,
    pub parameters: &'a [f32],
    pub batch: &'a Batch<'a>,
    pub loss: &'a Loss,
    /// Whether somebody wants to know of layers: spreads of outputs, norms of gradients.
    pub observed: bool,
    /// Whether the pass ends in a loss.
    pub scored: bool,
}

/// A fixed piece of the batch, and its part of every sum.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Activations and gradients; empty in evaluation, where they are the worker's.
    pub arena: Buffer,
    /// For each stat channel, Σ and Σ².
    pub sums: Vec<[f64; 2]>,
    /// For each norm channel, Σ g and Σ g (x − μ).
    pub norm_sums: Vec<[f64; 2]>,
    /// Parts of weight gradients.
    pub parts: Buffer,
    /// Squared norms of the gradients at the blocks' outputs.
    pub records: Vec<f64>,
    pub total: Total,
    /// Its first sample in the batch.
    pub first: usize,
    /// `(images, outputs)`.
    pub logits: Vec<f32>,
}

/// Scratch of one thread. Never carries a number from one shard to the next.
#[derive(Debug, Default)]
pub(super) struct Worker {
    pub arena: Buffer,
    pub inputs: Buffer,
    pub gradients: Buffer,
    pub row: Buffer,
    pub other_row: Buffer,
    pub third_row: Buffer,
    pub lanes: Buffer,
    pub other_lanes: Buffer,
    pub taps: Vec<Tap>,
    pub spans: Vec<Span>,
    pub pairs: Vec<Pair>,
    /// Rows of the input's gradient that are made at once, transformed numbers, and points of the
    /// weight gradient.
    pub strip: Buffer,
    pub transformed: Buffer,
    pub accumulators: Buffer,
    /// The arena of the shard that this worker turns to next.
    pub next_arena: Option<Base>,
}

/// Groups of images whose rows are worked on together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// First group in the shard.
    pub first: usize,
    /// Groups side by side in a row (if flat) or one after the other: 1, unless together.
    pub groups: usize,
    /// Images in the last group.
    pub live: usize,
}

impl Frame {
    /// One of its groups alone.
    pub fn alone(self, group: usize) -> Self {
        Self {
            first: self.first + group,
            groups: 1,
            ..self
        }
    }
}

/// Cuts `images` of a shard into frames: of one group, or `together` all that are full.
pub(super) fn frames(together: bool, images: usize) -> impl Iterator<Item = Frame> {
    let (full, rest) = (images / LANES, images % LANES);
    let (count, groups) = if together {
        (full.min(1), full)
    } else {
        (full, 1)
    };
    (0..count)
        .map(move |first| Frame {
            first,
            groups,
            live: LANES,
        })
        .chain((rest > 0).then_some(Frame {
            first: full,
            groups: 1,
            live: rest,
        }))
}

/// Row `y` of a tensor that starts at `offset` of an arena.
pub(super) fn row_of(offset: usize, shape: Shape, frame: Frame, y: usize) -> Range<usize> {
    let row = shape.width * shape.channels * LANES;
    let start = offset + frame.first * shape.len() * LANES + y * row;
    start..start + row * frame.groups
}

/// Two places of an arena, the first to write.
pub(super) fn pair(
    arena: &mut [f32],
    write: Range<usize>,
    read: Range<usize>,
) -> (&mut [f32], &[f32]) {
    let [write, read] = arena
        .get_disjoint_mut([write, read])
        .expect("the memory plan keeps them apart");
    (write, read)
}

impl Plan {
    pub fn new(isa: Isa, program: Program, memory: &Memory, groups: usize, training: bool) -> Self {
        let place = |gradient| {
            memory
                .gradients
                .get(&gradient)
                .copied()
                .unwrap_or(usize::MAX)
        };
        Self {
            isa,
            tensor_gradients: (0..program.tensors.len())
                .map(Gradient::Tensor)
                .map(place)
                .collect(),
            norm_gradients: (0..program.norms.len())
                .map(Gradient::Norm)
                .map(place)
                .collect(),
            program,
            arena: memory.len,
            groups,
            training,
        }
    }

    /// Row `y` of a tensor.
    pub fn row(&self, tensor: usize, frame: Frame, y: usize) -> Range<usize> {
        let tensor = &self.program.tensors[tensor];
        row_of(tensor.offset, tensor.shape, frame, y)
    }

    /// Some rows of a tensor.
    pub fn rows(&self, tensor: usize, frame: Frame, rows: Range<usize>) -> Range<usize> {
        let start = self.row(tensor, frame, rows.start).start;
        start..start + rows.len() * self.row(tensor, frame, 0).len()
    }

    /// Some rows of a gradient.
    pub fn gradient_rows(&self, of: Gradient, frame: Frame, rows: Range<usize>) -> Range<usize> {
        let start = self.gradient_row(of, frame, rows.start).start;
        start..start + rows.len() * self.gradient_row(of, frame, 0).len()
    }

    /// Row `y` of a gradient.
    pub fn gradient_row(&self, gradient: Gradient, frame: Frame, y: usize) -> Range<usize> {
        let (tensor, offset) = match gradient {
            Gradient::Tensor(tensor) => (tensor, self.tensor_gradients[tensor]),
            Gradient::Norm(norm) => (self.program.norms[norm].tensor, self.norm_gradients[norm]),
        };
        row_of(offset, self.program.tensors[tensor].shape, frame, y)
    }

    pub fn shape(&self, tensor: usize) -> Shape {
        self.program.tensors[tensor].shape
    }

    /// Scratch for one thread, large enough for every step.
    pub fn worker(&self, backward: &[&BackwardStep]) -> Worker {
        let (mut inputs, mut gradients, mut lanes) = (0, 0, 0);
        let (mut strip, mut transformed, mut accumulators) = (0, 0, 0);
        let (mut taps, mut spans, mut pairs) = (64, 0, 256);
        for op in &self.program.ops {
            if let Op::Conv(conv) = op {
                let geometry = Geometry::new(conv, self.groups);
                let rings = if conv.whole { self.groups } else { 1 };
                let rows = if self.training {
                    geometry.strip_rows()
                } else {
                    1
                };
                inputs = inputs.max(rings * geometry.input_ring(rows).len());
                if self.training {
                    gradients = gradients.max(rings * geometry.gradient_ring().len());
                }
                if conv.whole {
                    let shape = &conv.shape;
                    let image = shape.height * shape.width * geometry.pixel;
                    strip = strip.max(self.groups * image);
                    let pixels = shape.height * shape.width;
                    spans = spans.max(pixels);
                    taps = taps.max(pixels * shape.places());
                    pairs = pairs.max(self.groups * shape.height * shape.kernel);
                }
                // A frame of fewer groups has shorter rows, but more of them in a strip.
                let narrow = Geometry::new(conv, 1);
                if self.training {
                    inputs = inputs.max(narrow.input_ring(narrow.strip_rows()).len());
                    gradients = gradients.max(narrow.gradient_ring().len());
                }
                lanes = lanes.max(conv.shape.out_channels);
                if conv.tiled {
                    let shape = &conv.shape;
                    transformed = transformed.max(winograd::scratch_len(shape, TILE));
                    if self.training {
                        strip = strip.max(TILE * shape.width * geometry.pixel);
                        let pairs = shape.out_channels * shape.group_in();
                        accumulators = accumulators.max(POINTS * pairs);
                    }
                }
            }
        }
        lanes = backward
            .iter()
            .map(|step| step.lanes)
            .fold(lanes, usize::max);
        let stat_lanes = self
            .program
            .stats
            .iter()
            .map(|stat| stat.channels)
            .max()
            .unwrap_or(0);
        let row = |tensor: &super::ir::Tensor| {
            let groups = if tensor.shape.height * tensor.shape.width == 1 {
                self.groups
            } else {
                1
            };
            tensor.shape.width * tensor.shape.channels * groups * LANES
        };
        let row = self.program.tensors.iter().map(row).max().unwrap_or(0);
        let zeros = Buffer::zeros;
        Worker {
            arena: zeros(if self.training { 0 } else { self.arena }),
            inputs: zeros(inputs),
            gradients: zeros(gradients),
            row: zeros(row),
            other_row: zeros(row),
            third_row: zeros(row),
            lanes: zeros(2 * LANES * lanes.max(stat_lanes)),
            other_lanes: zeros(2 * LANES * lanes),
            taps: Vec::with_capacity(taps),
            spans: Vec::with_capacity(spans),
            pairs: Vec::with_capacity(pairs),
            strip: zeros(strip),
            transformed: zeros(transformed),
            accumulators: zeros(accumulators),
            next_arena: None,
        }
    }
}

impl Context<'_> {
    /// The sums that a convolution gathers in this step.
    pub fn stat_of(&self, conv: &Conv) -> Option<usize> {
        conv.stat
            .filter(|&stat| self.observed || self.plan.program.stats[stat].normed)
    }

    /// What a view's norm does to a channel.
    pub fn affine(&self, view: View) -> Option<Affine<'_>> {
        let norm = &self.plan.program.norms[view.norm?];
        let range = norm.at..norm.at + norm.spec.channels;
        Some(Affine {
            scale: &self.numbers.scale[range.clone()],
            shift: &self.numbers.shift[range],
        })
    }

    /// How the gradient before a norm is made from the one after it.
    pub fn combination(&self, norm: usize) -> Combination<'_> {
        let norm = &self.plan.program.norms[norm];
        let range = norm.at..norm.at + norm.spec.channels;
        Combination {
            mean: &self.numbers.mean[range.clone()],
            of_gradient: &self.numbers.of_gradient[range.clone()],
            of_input: &self.numbers.of_input[range.clone()],
            constant: &self.numbers.constant[range],
        }
    }
}
