//! The steps of a pass over one group of images.

use std::ops::Range;

use reslab_kernels::batch_norm::fold_lanes;
use reslab_kernels::pointwise::Nonlinearity;
use reslab_kernels::{Isa, LANES, batch_norm, conv2d, lanes, tangent};

use super::loss;
use super::memory::{Group, Packed, Piece, Worker};
use super::norms::Norms;
use super::places::{Arenas, Places};
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
    pub arenas: &'a Arenas,
    pub norms: &'a Norms,
    pub parameters: &'a [f32],
    pub packed: &'a [Packed],
    /// Weights and their tangents.
    pub packed_tangents: &'a [Packed],
    pub work: Work<'a>,
    /// Whether the point has all values, or those alone that products with the Jacobian read.
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

/// Values to read, the same one twice or two, and values to write.
pub(super) fn apart(
    arena: &mut [f32],
    reads: [Range<usize>; 2],
    writes: [Range<usize>; 2],
) -> ([&[f32]; 2], [&mut [f32]; 2]) {
    let [first, second] = reads;
    let [output, more] = writes;
    let same = first == second;
    let second = if same { 0..0 } else { second };
    let [first, second, output, more] = arena
        .get_disjoint_mut([first, second, output, more])
        .expect("what lives at once lies apart");
    let first: &[f32] = first;
    ([first, if same { first } else { second }], [output, more])
}

impl Context<'_> {
    /// The place of a value at the point.
    pub fn value(&self, value: usize) -> Range<usize> {
        let places = match self.keeps {
            true => &self.arenas.full,
            false => &self.arenas.values,
        };
        places.ranges[value].clone()
    }

    /// The place of a value's tangent.
    pub fn tangent(&self, value: usize) -> Range<usize> {
        self.tangents().ranges[value].clone()
    }

    pub fn tangents(&self) -> &Places {
        match self.work {
            Work::Tangent { loss: Some(_), .. } => &self.arenas.full,
            _ => &self.arenas.tangents,
        }
    }

    /// The place of the gradient at a value, or of its tangent, in the arena that this pass writes.
    pub fn gradient(&self, value: usize) -> Range<usize> {
        let places = match self.work {
            Work::Point { .. } => &self.arenas.full,
            _ => &self.arenas.gradients,
        };
        places.ranges[value].clone()
    }

    /// The place of the point's gradient at a value.
    pub fn point_gradient(&self, value: usize) -> Range<usize> {
        self.arenas.full.ranges[value].clone()
    }

    /// Whether this pass stores what a convolution puts out where only the next op reads it.
    pub fn stores_between(&self) -> bool {
        match self.work {
            Work::Point { .. } => self.keeps,
            Work::Tangent { loss, .. } => loss.is_some(),
            Work::Cotangent { .. } => false,
        }
    }

    /// The derivative of an affine op's activation.
    pub fn slope<'v>(&self, op: &Op, values: &'v [f32], masks: &'v [u16]) -> tangent::Slope<'v> {
        match op.kind {
            Kind::Affine { f, .. } => match f {
                Nonlinearity::Identity => tangent::Slope::One,
                Nonlinearity::Relu => tangent::Slope::Mask(&masks[self.mask(op.output)]),
                Nonlinearity::Tanh => tangent::Slope::Tanh(&values[self.value(op.output)]),
            },
            _ => unreachable!("not an affine op"),
        }
    }

    /// The place of the bits of a value.
    pub fn mask(&self, value: usize) -> Range<usize> {
        self.arenas.masks.ranges[value].clone()
    }

    pub fn channels(&self, op: &Op) -> usize {
        self.program.values[op.output].channels
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
                let to = &mut at.group.values[self.value(0)];
                self.gather_samples(inputs, at.first, at.live, to);
            }
            (Step::Input, Work::Tangent { inputs, .. }) => match inputs {
                Some(inputs) => {
                    let to = &mut at.group.tangents[self.tangent(0)];
                    self.gather_samples(inputs, at.first, at.live, to);
                }
                None => at.group.tangents[self.tangent(0)].fill(0.0),
            },
            (Step::Gather(op), _) => self.gather(&ops[op], at),
            (Step::Forward(op), Work::Point { .. }) => self.forward(op, at),
            (Step::Forward(op), _) => self.forward_tangent(op, at),
            (Step::Output, Work::Point { .. }) => {
                let range = self.value(self.program.output);
                self.hand_on(at.live, |group| &group.values[range], at.group);
            }
            (Step::Output, _) => {
                let range = self.tangent(self.program.output);
                self.hand_on(at.live, |group| &group.tangents[range], at.group);
            }
            (Step::Loss, _) => self.loss(at),
            (Step::GatherBackward(op), _) => self.affine_backward(&ops[op], at, Some(true)),
            (Step::Backward(op), _) => self.backward(op, at),
            (Step::InputGradient, _) => {
                let range = self.gradient(0);
                self.hand_on(at.live, |group| &group.gradient_tangents[range], at.group);
            }
            (Step::Input, Work::Cotangent { .. }) => {}
        }
    }

    fn gather_samples(&self, samples: &[f32], first: usize, live: usize, to: &mut [f32]) {
        let len = to.len() / LANES;
        let samples = &samples[first * len..(first + live) * len];
        lanes::gather(samples, len, to);
    }

    fn hand_on(&self, live: usize, of: impl FnOnce(&Group) -> &[f32], group: &mut Group) {
        let mut found = std::mem::take(&mut group.found);
        let from = of(group);
        let len = from.len() / LANES;
        found.resize(live * len, 0.0);
        lanes::scatter(from, len, &mut found);
        group.found = found;
    }

    fn loss(&self, at: &mut At<'_>) {
        let output = self.program.output;
        let (values, to) = (self.value(output), self.gradient(output));
        let (first, live) = (at.first, at.live);
        let group = &mut *at.group;
        match self.work {
            Work::Point { loss, .. } => {
                let Some((loss, targets)) = loss else { return };
                let scale = 1.0 / self.len as f32;
                let outputs = &group.values[values];
                let to = &mut group.gradients[to];
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
                    &group.values[values],
                    &group.tangents[self.tangent(output)],
                    &mut group.gradient_tangents[to],
                );
            }
            Work::Cotangent { cotangents } => {
                let to = &mut group.gradient_tangents[to];
                self.gather_samples(cotangents, first, live, to);
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
        let len = norm.spec.channels * LANES;
        let (sum, square) = at.worker.lanes[..2 * len].split_at_mut(len);
        sum.fill(0.0);
        square.fill(0.0);
        let values = &at.group.values[self.value(op.input)];
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
                let tangents = &at.group.tangents[self.tangent(op.input)];
                tangent::gather(self.isa, values, tangents, sums);
            }
        }
        let totals = &mut at.piece.sums[2 * norm.at..][..2 * norm.spec.channels];
        fold_lanes(&at.worker.lanes[..2 * len], at.live, totals);
    }
}
