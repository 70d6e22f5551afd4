//! Backward, op by op: gradients, their tangents, and gradients without those of parameters.

use std::ops::Range;

use reslab_kernels::batch_norm::fold_lanes;
use reslab_kernels::pointwise::add_assign;
use reslab_kernels::{Isa, LANES, batch_norm, conv2d, lanes, tangent};

use super::convolution_backward::{Backward, Found};
use super::memory::Group;
use super::pass::{At, Context, Work, at_output};
use super::program::{Kind, Op};
use super::small;

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
    pub fn backward(&self, number: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        match op.kind {
            Kind::Conv(conv) if self.pulls_together(number) => self.pull_together(number, conv, at),
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
            .backward(self.isa, &from, None, found, &mut at.worker.scratch);
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

    /// Whether a cotangent is pulled through a convolution and the affine op behind it in one sweep.
    fn pulls_together(&self, conv: usize) -> bool {
        matches!(self.work, Work::Cotangent { .. }) && self.program.is_pulled(conv + 1)
    }

    /// A cotangent through an affine op, row by row as the convolution before it reads it.
    fn pull_together(&self, number: usize, conv: usize, at: &mut At<'_>) {
        let (op, next) = (&self.program.ops[number], &self.program.ops[number + 1]);
        let Kind::Affine { norm, f } = next.kind else {
            return;
        };
        let plan = &self.program.convs[conv].plan;
        let channels = self.channels(next);
        let row = plan.shape.out_width() * channels * LANES;
        let by = self.norms.backward(self.program, norm, channels);
        let Group {
            values,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let y = &values[self.range(next.output)];
        let (before, gradient) = at_output(gradient_tangents, self.range(next.output));
        let input = self.range(op.input);
        let (to_input, mut to_other) = match next.other {
            None => (&mut before[input], None),
            Some(other) => {
                let [input, other] = before
                    .get_disjoint_mut([input, self.range(other)])
                    .expect("the summand is not the convolution's input");
                (input, Some(other))
            }
        };
        let mut scratch_row = std::mem::take(&mut at.worker.first);
        let mut make = |at: usize, to: &mut [f32]| {
            let rows = at * row..(at + 1) * row;
            let from = tangent::Backward {
                gradient: &gradient[rows.clone()],
                output: &y[rows.clone()],
                input: None,
            };
            let other = to_other.as_deref_mut().map(|other| &mut other[rows]);
            match other {
                Some(other) if !next.first[1] => {
                    let found = &mut scratch_row[..row];
                    let written = Some(&mut *found);
                    tangent::backward(self.isa, f, from, by, None, Some(to), written);
                    add_assign(self.isa, other, found);
                }
                other => tangent::backward(self.isa, f, from, by, None, Some(to), other),
            }
        };
        let from = Backward {
            sources: &[&[]],
            packed: &self.packed[conv].backward,
            pairs: &[],
        };
        let found = Found {
            input: Some((to_input, !op.first[0])),
            weight: &mut [],
        };
        let scratch = &mut at.worker.scratch;
        plan.backward(self.isa, &from, Some(&mut make), found, scratch);
        at.worker.first = scratch_row;
    }

    /// Backward of an affine op, or its tangent. With a batch norm there are two sweeps: `Some(true)`
    /// gathers the sums, and `Some(false)` writes, when they are known.
    pub fn affine_backward(&self, op: &Op, at: &mut At<'_>, sweep: Option<bool>) {
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
                input: Some(z),
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
                input: (gathers || self.reads_input(norm)).then_some(z),
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
}
