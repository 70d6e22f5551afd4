//! The steps of a pass over one group of images.

use std::ops::Range;

use reslab_kernels::batch_norm::fold_lanes;
use reslab_kernels::{Buffer, Isa, LANES, batch_norm, conv2d, lanes, tangent};

use super::loss;
use super::memory::{Group, Packed, Piece, Worker};
use super::norms::Norms;
use super::program::{Kind, Op, Program};
use super::schedule::Step;
use crate::loss::{Loss, TargetsRef};

/// What a pass is for.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    /// Values and, with a loss, gradients.
    Point {
        inputs: &'a [f32],
        state: &'a [f32],
        loss: Option<(&'a Loss, TargetsRef<'a>)>,
    },
    /// Tangents of values and, with a loss and the samples' weights in it, of gradients.
    Tangent {
        inputs: Option<&'a [f32]>,
        direction: Option<&'a [f32]>,
        loss: Option<(&'a Loss, &'a [f64])>,
    },
    /// Gradients of `cotangents · outputs`, without those of parameters.
    Cotangent { cotangents: &'a [f32] },
}

/// What all threads of a pass read.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub isa: Isa,
    pub program: &'a Program,
    pub norms: &'a Norms,
    pub parameters: &'a [f32],
    pub packed: &'a [Packed],
    /// Weights and their tangents.
    pub packed_tangents: &'a [Packed],
    pub work: Work<'a>,
    /// Whether what convolutions put out is stored where only the next op reads it in this pass.
    pub keeps: bool,
    /// Samples of the batch.
    pub len: usize,
}

/// A group at work.
pub(super) struct At<'a> {
    pub first: usize,
    /// Samples in it.
    pub live: usize,
    pub group: &'a mut Group,
    pub piece: &'a mut Piece,
    pub worker: &'a mut Worker,
}

/// An op's output in an arena, and what comes before it: its inputs among them.
pub(super) fn at_output(arena: &mut [f32], output: Range<usize>) -> (&mut [f32], &mut [f32]) {
    let (before, rest) = arena.split_at_mut(output.start);
    (before, &mut rest[..output.len()])
}

impl Context<'_> {
    pub fn range(&self, value: usize) -> Range<usize> {
        self.program.values[value].range()
    }

    pub fn channels(&self, op: &Op) -> usize {
        self.program.values[op.output].shape.channels
    }

    /// Whether a convolution's input stays where it is along the direction.
    pub fn is_fixed(&self, op: &Op) -> bool {
        op.input == 0
            && matches!(
                self.work,
                Work::Point { .. } | Work::Tangent { inputs: None, .. }
            )
    }

    /// The affine op that runs row by row with a convolution.
    pub fn next(&self, conv: usize) -> Option<&Op> {
        let ops = &self.program.ops;
        ops[conv].pairs.then(|| &ops[conv + 1])
    }

    /// Whether anything in this pass depends on the input of an affine op, its tangent apart.
    pub fn reads_input(&self, norm: Option<usize>) -> bool {
        let of_parameters = match self.work {
            Work::Point { .. } => true,
            Work::Tangent { direction, .. } => direction.is_some(),
            Work::Cotangent { .. } => false,
        };
        norm.is_some_and(|norm| of_parameters || self.program.norms[norm].of_batch)
    }

    pub fn step(&self, step: Step, at: &mut At<'_>) {
        let ops = &self.program.ops;
        match (step, self.work) {
            (Step::Input, Work::Point { inputs, .. }) => {
                self.gather_samples(0, inputs, at.first, at.live, &mut at.group.values);
            }
            (Step::Input, Work::Tangent { inputs, .. }) => match inputs {
                Some(inputs) => {
                    self.gather_samples(0, inputs, at.first, at.live, &mut at.group.tangents);
                }
                None => at.group.tangents[self.range(0)].fill(0.0),
            },
            (Step::Gather(op), _) => self.gather(&ops[op], at),
            (Step::Forward(op), Work::Point { .. }) => self.forward(op, at),
            (Step::Forward(op), _) => self.forward_tangent(op, at),
            (Step::Output, Work::Point { .. }) => {
                self.hand_on(
                    self.program.output,
                    at.live,
                    |group| &group.values,
                    at.group,
                );
            }
            (Step::Output, _) => {
                self.hand_on(
                    self.program.output,
                    at.live,
                    |group| &group.tangents,
                    at.group,
                );
            }
            (Step::Loss, _) => self.loss(at),
            (Step::GatherBackward(op), _) => self.affine_backward(&ops[op], at, Some(true)),
            (Step::Backward(op), _) => self.backward(op, at),
            (Step::InputGradient, _) => {
                self.hand_on(0, at.live, |group| &group.gradient_tangents, at.group);
            }
            (Step::Input, Work::Cotangent { .. }) => {}
        }
    }

    fn gather_samples(
        &self,
        value: usize,
        samples: &[f32],
        first: usize,
        live: usize,
        arena: &mut [f32],
    ) {
        let len = self.program.values[value].shape.len();
        let samples = &samples[first * len..(first + live) * len];
        lanes::gather(samples, len, &mut arena[self.range(value)]);
    }

    fn hand_on(
        &self,
        value: usize,
        live: usize,
        arena: impl Fn(&Group) -> &Buffer,
        group: &mut Group,
    ) {
        let len = self.program.values[value].shape.len();
        let mut found = std::mem::take(&mut group.found);
        found.resize(live * len, 0.0);
        lanes::scatter(&arena(group)[self.range(value)], len, &mut found);
        group.found = found;
    }

    fn loss(&self, at: &mut At<'_>) {
        let range = self.range(self.program.output);
        let (first, live) = (at.first, at.live);
        let group = &mut *at.group;
        match self.work {
            Work::Point { loss, .. } => {
                let Some((loss, targets)) = loss else { return };
                let scale = 1.0 / self.len as f32;
                let outputs = &group.values[range.clone()];
                let to = &mut group.gradients[range];
                let found = loss::gradient(loss, targets, (first, live), scale, outputs, to);
                at.piece.loss_sum += found.loss;
                at.piece.wrong += found.wrong;
            }
            Work::Tangent { loss, .. } => {
                let Some((loss, weights)) = loss else { return };
                loss::gradient_tangent(
                    loss,
                    &weights[first..first + live],
                    1.0 / self.len as f64,
                    &group.values[range.clone()],
                    &group.tangents[range.clone()],
                    &mut group.gradient_tangents[range],
                );
            }
            Work::Cotangent { cotangents } => {
                let to = &mut group.gradient_tangents;
                self.gather_samples(self.program.output, cotangents, first, live, to);
            }
        }
    }

    /// Sums for the statistics of a batch norm, or for their tangents.
    fn gather(&self, op: &Op, at: &mut At<'_>) {
        let Kind::Affine {
            norm: Some(norm), ..
        } = op.kind
        else {
            return;
        };
        let norm = &self.program.norms[norm];
        let range = self.range(op.input);
        let len = norm.spec.channels * LANES;
        let (sum, square) = at.worker.lanes[..2 * len].split_at_mut(len);
        sum.fill(0.0);
        square.fill(0.0);
        let values = &at.group.values[range.clone()];
        match self.work {
            Work::Point { state, .. } => {
                let shift = norm.spec.running_mean.of(state);
                let sums = conv2d::row::Sums { shift, sum, square };
                batch_norm::gather(self.isa, values, sums);
            }
            Work::Tangent { .. } | Work::Cotangent { .. } => {
                let sums = tangent::Sums {
                    mean: self.norms.mean(norm),
                    sum,
                    dot: square,
                };
                tangent::gather(self.isa, values, &at.group.tangents[range], sums);
            }
        }
        let totals = &mut at.piece.sums[2 * norm.at..][..2 * norm.spec.channels];
        fold_lanes(&at.worker.lanes[..2 * len], at.live, totals);
    }
}
