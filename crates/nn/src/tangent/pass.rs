//! The steps of a pass over one group of images.

use std::ops::Range;

use reslab_kernels::batch_norm::fold_lanes;
use reslab_kernels::pointwise::{self, add_assign};
use reslab_kernels::{Buffer, Isa, LANES, batch_norm, conv2d, lanes, select, tangent};

use super::convolution_backward::{Backward, Found};
use super::memory::{Group, Packed, Piece, Worker};
use super::norms::Norms;
use super::program::{Kind, Op, Program};
use super::schedule::Step;
use super::{loss, small};
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
fn at_output(arena: &mut [f32], output: Range<usize>) -> (&mut [f32], &mut [f32]) {
    let (before, rest) = arena.split_at_mut(output.start);
    (before, &mut rest[..output.len()])
}

/// Where an affine op's backward pass writes.
struct Targets {
    input: Range<usize>,
    other: Option<Range<usize>>,
    first: [bool; 2],
}

impl Targets {
    /// The arena itself for what is written first, and scratch for what is added to it.
    fn slices<'t>(
        &self,
        arena: &'t mut [f32],
        scratch: &'t mut [f32],
        other_scratch: &'t mut [f32],
    ) -> (Option<&'t mut [f32]>, Option<&'t mut [f32]>) {
        let (input, len) = (self.input.clone(), self.input.len());
        let scratch = &mut scratch[..len];
        let Some(other) = self.other.clone() else {
            return match self.first[0] {
                true => (Some(&mut arena[input]), None),
                false => (Some(scratch), None),
            };
        };
        let other_scratch = &mut other_scratch[..len];
        match self.first {
            [true, true] => {
                let [input, other] = arena
                    .get_disjoint_mut([input, other])
                    .expect("one value is not written first twice");
                (Some(input), Some(other))
            }
            [true, false] => (Some(&mut arena[input]), Some(other_scratch)),
            [false, true] => (Some(scratch), Some(&mut arena[other])),
            [false, false] => (Some(scratch), Some(other_scratch)),
        }
    }

    /// Adds what went to scratch.
    fn add(&self, isa: Isa, arena: &mut [f32], scratch: &[f32], other_scratch: &[f32]) {
        let len = self.input.len();
        if !self.first[0] {
            add_assign(isa, &mut arena[self.input.clone()], &scratch[..len]);
        }
        if let (Some(other), false) = (self.other.clone(), self.first[1]) {
            add_assign(isa, &mut arena[other], &other_scratch[..len]);
        }
    }
}

impl Context<'_> {
    pub fn range(&self, value: usize) -> Range<usize> {
        self.program.values[value].range()
    }

    fn channels(&self, op: &Op) -> usize {
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
            (Step::Forward(op), Work::Point { .. }) => self.forward(&ops[op], at),
            (Step::Forward(op), _) => self.forward_tangent(&ops[op], at),
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
            (Step::Backward(op), _) => self.backward(&ops[op], at),
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

    fn forward(&self, op: &Op, at: &mut At<'_>) {
        let (input, program) = (self.range(op.input), self.program);
        let shapes = (
            program.values[op.input].shape,
            program.values[op.output].shape,
        );
        let (before, output) = at_output(&mut at.group.values, self.range(op.output));
        match op.kind {
            Kind::Conv(conv) => {
                let packed = &self.packed[conv].forward;
                let conv = &program.convs[conv];
                let bias = conv.bias.map(|bias| bias.of(self.parameters));
                let sources = [&before[input]];
                let scratch = &mut at.worker.scratch;
                conv.plan
                    .forward(self.isa, &sources, packed, bias, output, scratch);
            }
            Kind::Affine { norm, f } => {
                let affine = self.norms.affine(program, norm);
                let (channels, input) = (self.channels(op), &before[input]);
                match op.other {
                    Some(other) => {
                        let other = &before[self.range(other)];
                        pointwise::apply_add(self.isa, channels, input, affine, other, f, output);
                    }
                    None => pointwise::apply(self.isa, channels, input, affine, f, output),
                }
            }
            Kind::Gate { complement, gate } => {
                let (before, factor) = at_output(before, self.range(gate));
                let logits = op.other.map_or(0..0, |other| self.range(other));
                factor.fill(1.0);
                select::gate(self.isa, complement, &before[logits], factor);
                let values = before[input].iter().zip(&*factor);
                for (to, (value, factor)) in output.iter_mut().zip(values) {
                    *to = value * factor;
                }
            }
            Kind::MaxPool { pool, places } => {
                let (before, places) = at_output(before, self.range(places));
                small::max_pool(pool, shapes, &before[input], output, places);
            }
            _ => self.linear(op, &[], &before[input], output),
        }
    }

    /// Ops that are linear once the point is fixed.
    fn linear(&self, op: &Op, values: &[f32], from: &[f32], to: &mut [f32]) {
        let of = |value: usize| self.program.values[value].shape;
        let shapes = (of(op.input), of(op.output));
        match op.kind {
            Kind::Scale(factor) => small::scale(factor, from, to),
            Kind::Average => small::average(shapes.0, from, to),
            Kind::Flatten => small::flatten(shapes.0, from, to),
            Kind::Subsample { stride, before } => {
                small::subsample(shapes, (stride, before), from, to);
            }
            Kind::MaxPool { pool, places } => {
                small::picked(pool, shapes, &values[self.range(places)], from, to);
            }
            Kind::Conv(_) | Kind::Affine { .. } | Kind::Gate { .. } => {
                unreachable!("not an op without parameters")
            }
        }
    }

    /// Their transposes.
    fn linear_back(&self, op: &Op, values: &[f32], from: &[f32], to: &mut [f32]) {
        let of = |value: usize| self.program.values[value].shape;
        let shapes = (of(op.input), of(op.output));
        match op.kind {
            Kind::Scale(factor) => small::scale(factor, from, to),
            Kind::Average => small::spread(shapes.0, from, to),
            Kind::Flatten => small::unflatten(shapes.0, from, to),
            Kind::Subsample { stride, before } => {
                small::subsample_back(shapes, (stride, before), from, to);
            }
            Kind::MaxPool { pool, places } => {
                small::picked_back(pool, shapes, &values[self.range(places)], from, to);
            }
            Kind::Conv(_) | Kind::Affine { .. } | Kind::Gate { .. } => {
                unreachable!("not an op without parameters")
            }
        }
    }

    fn forward_tangent(&self, op: &Op, at: &mut At<'_>) {
        let (input, program) = (self.range(op.input), self.program);
        let Work::Tangent { direction, .. } = self.work else {
            return;
        };
        let (values, tangents) = (&at.group.values, &mut at.group.tangents);
        let (before, output) = at_output(tangents, self.range(op.output));
        match op.kind {
            Kind::Conv(conv) => {
                let (point, joint) = (&self.packed[conv], &self.packed_tangents);
                let conv_op = &program.convs[conv];
                let moved = [&before[input.clone()], &values[input]];
                let (sources, packed) = match direction {
                    None => (&moved[..1], &point.forward),
                    Some(_) if self.is_fixed(op) => (&moved[1..], &joint[conv].forward),
                    Some(_) => (&moved[..], &joint[conv].forward),
                };
                let bias = conv_op.bias.zip(direction);
                let bias = bias.map(|(bias, direction)| bias.of(direction));
                let scratch = &mut at.worker.scratch;
                conv_op
                    .plan
                    .forward(self.isa, sources, packed, bias, output, scratch);
            }
            Kind::Affine { norm, f } => {
                let by = self.norms.forward_tangent(program, norm, self.channels(op));
                let y = &values[self.range(op.output)];
                let other = op.other.map(|other| &before[self.range(other)]);
                let (input, values) = (&before[input.clone()], &values[input]);
                tangent::forward(self.isa, f, by, values, input, other, y, output);
            }
            Kind::Gate { complement, gate } => {
                let logits = op.other.map_or(0..0, |other| self.range(other));
                self.gated(values, input.clone(), gate, complement).tangent(
                    &before[input],
                    &before[logits],
                    output,
                );
            }
            _ => self.linear(op, values, &before[input], output),
        }
    }

    fn gated<'v>(
        &self,
        values: &'v [f32],
        input: Range<usize>,
        gate: usize,
        complement: bool,
    ) -> small::Gated<'v> {
        small::Gated {
            factor: &values[self.range(gate)],
            value: &values[input],
            sign: if complement { -1.0 } else { 1.0 },
        }
    }

    fn backward(&self, op: &Op, at: &mut At<'_>) {
        match op.kind {
            Kind::Conv(conv) => self.convolution_backward(op, conv, at),
            Kind::Affine { norm, .. } => {
                let of_batch = norm.is_some_and(|norm| self.program.norms[norm].of_batch);
                self.affine_backward(op, at, of_batch.then_some(false));
            }
            Kind::Gate { complement, gate } => self.gate_backward(op, gate, complement, at),
            _ => {
                let group = &mut *at.group;
                let arena = match self.work {
                    Work::Point { .. } => &mut group.gradients,
                    _ => &mut group.gradient_tangents,
                };
                let (before, output) = at_output(arena, self.range(op.output));
                let to = &mut before[self.range(op.input)];
                if op.first[0] {
                    self.linear_back(op, &group.values, output, to);
                } else {
                    let scratch = &mut at.worker.first[..to.len()];
                    self.linear_back(op, &group.values, output, scratch);
                    add_assign(self.isa, to, scratch);
                }
            }
        }
    }

    fn convolution_backward(&self, op: &Op, conv: usize, at: &mut At<'_>) {
        let conv_op = &self.program.convs[conv];
        let (input, output) = (self.range(op.input), self.range(op.output));
        let Group {
            values,
            gradients,
            tangents,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let x = &values[input.clone()];
        let weights = &mut at.piece.weights;
        let len = conv_op.plan.shape.weight_len();
        // Nobody asks for the gradient at the network's input, but who asks for nothing else.
        let wanted = op.input != 0 || matches!(self.work, Work::Cotangent { .. });
        let (arena, other) = match self.work {
            Work::Point { .. } => (gradients, None),
            Work::Tangent { .. } => (gradient_tangents, Some(&*gradients)),
            Work::Cotangent { .. } => (gradient_tangents, None),
        };
        let (before, at_y) = at_output(arena, output.clone());
        let of_x = wanted.then(|| (&mut before[input.clone()], !op.first[0]));
        let g = other.map_or(&at_y[..0], |gradients| &gradients[output]);
        let sources = [&*at_y, g];
        let fixed = self.is_fixed(op);
        let x_tangent = if fixed || other.is_none() {
            &x[..0]
        } else {
            &tangents[input]
        };
        let pairs = [(x, 0), (x_tangent, 1)];
        let (count, packed) = match self.work {
            Work::Point { .. } => (1, &self.packed[conv].backward),
            Work::Tangent { .. } => {
                let count = if fixed { 1 } else { 2 };
                (count, &self.packed_tangents[conv].backward)
            }
            Work::Cotangent { .. } => (0, &self.packed[conv].backward),
        };
        let from = Backward {
            sources: &sources[..count.max(1)],
            packed,
            pairs: &pairs[..count],
        };
        let found = Found {
            input: of_x,
            weight: match count {
                0 => &mut [],
                _ => &mut weights[conv_op.part..conv_op.part + len],
            },
        };
        conv_op
            .plan
            .backward(self.isa, &from, found, &mut at.worker.scratch);
        if conv_op.bias.is_some() && count > 0 {
            let at_bias = 2 * self.program.norm_channels + conv_op.bias_at;
            let channels = conv_op.plan.shape.out_channels;
            let lanes = &mut at.worker.lanes[..2 * channels * LANES];
            lanes.fill(0.0);
            let (sum, square) = lanes.split_at_mut(channels * LANES);
            let shift = &at.worker.zeros[..channels];
            let sums = conv2d::row::Sums { shift, sum, square };
            batch_norm::gather(self.isa, at_y, sums);
            let totals = &mut at.piece.sums[at_bias..at_bias + channels];
            fold_lanes(&at.worker.lanes[..channels * LANES], at.live, totals);
        }
    }

    /// Backward of an affine op, or its tangent. With a batch norm there are two sweeps: `Some(true)`
    /// gathers the sums, and `Some(false)` writes, when they are known.
    fn affine_backward(&self, op: &Op, at: &mut At<'_>, sweep: Option<bool>) {
        let Kind::Affine { norm, f } = op.kind else {
            return;
        };
        let channels = self.channels(op);
        let output = self.range(op.output);
        let Group {
            values,
            gradients,
            tangents,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let y = &values[output.clone()];
        let z = &values[self.range(op.input)];
        let is_tangent = matches!(self.work, Work::Tangent { .. });
        let (arena, point): (&mut [f32], &[f32]) = match self.work {
            Work::Point { .. } => (gradients, &[]),
            _ => (gradient_tangents, gradients),
        };
        let (before, at_y) = at_output(arena, output.clone());
        let gathers = match sweep {
            Some(gathers) => gathers,
            None => norm.is_some() && !matches!(self.work, Work::Cotangent { .. }),
        };
        let len = channels * LANES;
        let (sum, dot) = at.worker.lanes[..2 * len].split_at_mut(len);
        let sums = match norm.filter(|_| gathers) {
            None => None,
            Some(norm) => {
                sum.fill(0.0);
                dot.fill(0.0);
                let mean = self.norms.mean(&self.program.norms[norm]);
                Some(tangent::Sums { mean, sum, dot })
            }
        };
        let to = Targets {
            input: self.range(op.input),
            other: op.other.map(|other| self.range(other)),
            first: op.first,
        };
        let (to_input, to_other) = if sweep == Some(true) {
            (None, None)
        } else {
            to.slices(before, &mut at.worker.first, &mut at.worker.second)
        };
        if is_tangent {
            let from = tangent::Backward {
                gradient: &point[output.clone()],
                output: y,
                input: z,
            };
            let along = tangent::BackwardTangent {
                gradient: at_y,
                output: &tangents[output],
                input: &tangents[self.range(op.input)],
            };
            let by = self.norms.backward_tangent(self.program, norm, channels);
            tangent::backward_tangent(self.isa, f, from, along, by, sums, to_input, to_other);
        } else {
            let from = tangent::Backward {
                gradient: at_y,
                output: y,
                input: z,
            };
            let by = self.norms.backward(self.program, norm, channels);
            tangent::backward(self.isa, f, from, by, sums, to_input, to_other);
        }
        if sweep != Some(true) {
            to.add(self.isa, before, &at.worker.first, &at.worker.second);
        }
        if sweep == Some(false) && at.live < LANES {
            lanes::clear_dead(&mut before[self.range(op.input)], at.live);
        }
        if let Some(norm) = norm.filter(|_| gathers) {
            let norm = &self.program.norms[norm];
            let totals = &mut at.piece.sums[2 * norm.at..][..2 * channels];
            fold_lanes(&at.worker.lanes[..2 * len], at.live, totals);
        }
    }

    fn gate_backward(&self, op: &Op, gate: usize, complement: bool, at: &mut At<'_>) {
        let (input, output) = (self.range(op.input), self.range(op.output));
        let logits = op.other.map_or(0..0, |other| self.range(other));
        let Group {
            values,
            gradients,
            tangents,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let gated = self.gated(values, input.clone(), gate, complement);
        let (arena, point): (&mut [f32], &[f32]) = match self.work {
            Work::Point { .. } => (gradients, &[]),
            _ => (gradient_tangents, gradients),
        };
        let (before, at_y) = at_output(arena, output.clone());
        let to_input = &mut at.worker.first[..input.len()];
        let to_logits = &mut at.worker.second[..input.len()];
        if matches!(self.work, Work::Tangent { .. }) {
            let along = [&*at_y, &tangents[input.clone()], &tangents[logits.clone()]];
            gated.backward_tangent(&point[output], along, to_input, to_logits);
        } else {
            gated.backward(at_y, to_input, to_logits);
        }
        let found = [(input, &*to_input), (logits, &*to_logits)];
        for ((to, found), first) in found.into_iter().zip(op.first) {
            if first {
                before[to].copy_from_slice(found);
            } else {
                add_assign(self.isa, &mut before[to], found);
            }
        }
    }
}
