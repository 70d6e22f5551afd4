//! Backward, op by op: gradients, their tangents, and gradients without those of parameters.

use std::ops::Range;

use reslab_kernels::batch_norm::fold_lanes;
use reslab_kernels::pointwise::add_assign;
use reslab_kernels::{Isa, LANES, batch_norm, conv2d, lanes, tangent};

use super::convolution_backward::{Backward, Found};
use super::memory::Group;
use super::pass::{At, Context, Work};
use super::program::{Kind, Op};
use super::small;

/// Where an affine op's backward pass reads and writes.
struct Targets {
    output: Range<usize>,
    input: Range<usize>,
    other: Option<Range<usize>>,
    first: [bool; 2],
}

/// The gradient at an output, and where those at the op's input and at its summand go.
type Slices<'t> = (&'t [f32], Option<&'t mut [f32]>, Option<&'t mut [f32]>);

impl Targets {
    /// The arena itself for what is written first, and scratch for what is added to it.
    fn slices<'t>(
        &self,
        arena: &'t mut [f32],
        scratch: &'t mut [f32],
        other_scratch: &'t mut [f32],
    ) -> Slices<'t> {
        let len = self.input.len();
        let own = |range: &Range<usize>, first: bool| if first { range.clone() } else { 0..0 };
        let input = own(&self.input, self.first[0]);
        let other = self
            .other
            .as_ref()
            .map_or(0..0, |other| own(other, self.first[1]));
        let [output, input, other] = arena
            .get_disjoint_mut([self.output.clone(), input, other])
            .expect("one value is not written first twice");
        let input = if self.first[0] {
            input
        } else {
            &mut scratch[..len]
        };
        let other = self.other.as_ref().map(|_| match self.first[1] {
            true => other,
            false => &mut other_scratch[..len],
        });
        (output, Some(input), other)
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
                let ranges = [self.gradient(op.output), self.gradient(op.input)];
                let [output, to] = disjoint(arena, ranges);
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
        let Group {
            values,
            gradients,
            tangents,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let weights = &mut at.piece.weights;
        let len = conv_op.plan.shape.weight_len();
        // Nobody asks for the gradient at the network's input, but who asks for nothing else.
        let wanted = op.input != 0 || matches!(self.work, Work::Cotangent { .. });
        let (arena, other) = match self.work {
            Work::Point { .. } => (gradients, None),
            Work::Tangent { .. } => (gradient_tangents, Some(&*gradients)),
            Work::Cotangent { .. } => (gradient_tangents, None),
        };
        let input = if wanted {
            self.gradient(op.input)
        } else {
            0..0
        };
        let [at_y, to_input] = disjoint(arena, [self.gradient(op.output), input]);
        let of_x = wanted.then_some((to_input, !op.first[0]));
        let g = other.map_or(&[][..], |gradients| {
            &gradients[self.point_gradient(op.output)]
        });
        let sources = [&*at_y, g];
        let fixed = self.is_fixed(op);
        // What the weight's gradient is a product of.
        let x = match self.work {
            Work::Cotangent { .. } => &[][..],
            _ => &values[self.value(op.input)],
        };
        let x_tangent = match other {
            Some(_) if !fixed => &tangents[self.tangent(op.input)],
            _ => &[],
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
        let Kind::Affine { norm, .. } = next.kind else {
            return;
        };
        let plan = &self.program.convs[conv].plan;
        let channels = self.channels(next);
        let row = plan.shape.out_width() * channels * LANES;
        let by = self.norms.backward(self.program, norm, channels);
        let Group {
            values,
            masks,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let slope = self.slope(next, values, masks);
        let other = next.other.map_or(0..0, |other| self.gradient(other));
        let ranges = [self.gradient(next.output), self.gradient(op.input), other];
        let [gradient, to_input, other] = disjoint(gradient_tangents, ranges);
        let mut to_other = next.other.map(|_| other);
        let mut scratch_row = std::mem::take(&mut at.worker.first);
        let mut make = |at: usize, to: &mut [f32]| {
            let rows = at * row..(at + 1) * row;
            let from = tangent::Backward {
                gradient: &gradient[rows.clone()],
                slope: slope.part(rows.clone()),
                input: None,
            };
            let other = to_other.as_deref_mut().map(|other| &mut other[rows]);
            match other {
                Some(other) if !next.first[1] => {
                    let found = &mut scratch_row[..row];
                    let written = Some(&mut *found);
                    tangent::backward(self.isa, from, by, None, Some(to), written);
                    add_assign(self.isa, other, found);
                }
                other => tangent::backward(self.isa, from, by, None, Some(to), other),
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
        let Kind::Affine { norm, .. } = op.kind else {
            return;
        };
        let channels = self.channels(op);
        let Group {
            values,
            gradients,
            tangents,
            gradient_tangents,
            masks,
            ..
        } = &mut *at.group;
        let slope = self.slope(op, values, masks);
        let is_tangent = matches!(self.work, Work::Tangent { .. });
        let (arena, point): (&mut [f32], &[f32]) = match self.work {
            Work::Point { .. } => (gradients, &[]),
            _ => (gradient_tangents, gradients),
        };
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
            output: self.gradient(op.output),
            input: self.gradient(op.input),
            other: op.other.map(|other| self.gradient(other)),
            first: op.first,
        };
        let (at_y, mut to_input, mut to_other) =
            to.slices(arena, &mut at.worker.first, &mut at.worker.second);
        if sweep == Some(true) {
            (to_input, to_other) = (None, None);
        }
        let z = (is_tangent || gathers || self.reads_input(norm))
            .then(|| &values[self.value(op.input)]);
        if is_tangent {
            let from = tangent::Backward {
                gradient: &point[self.point_gradient(op.output)],
                slope,
                input: z,
            };
            let along = tangent::BackwardTangent {
                gradient: at_y,
                output: &tangents[self.tangent(op.output)],
                input: &tangents[self.tangent(op.input)],
            };
            let by = self.norms.backward_tangent(self.program, norm, channels);
            tangent::backward_tangent(self.isa, from, along, by, sums, to_input, to_other);
        } else {
            let from = tangent::Backward {
                gradient: at_y,
                slope,
                input: z,
            };
            let by = self.norms.backward(self.program, norm, channels);
            tangent::backward(self.isa, from, by, sums, to_input, to_other);
        }
        if sweep != Some(true) {
            to.add(self.isa, arena, &at.worker.first, &at.worker.second);
        }
        if sweep == Some(false) && at.live < LANES {
            lanes::clear_dead(&mut arena[self.gradient(op.input)], at.live);
        }
        if let Some(norm) = norm.filter(|_| gathers) {
            let norm = &self.program.norms[norm];
            let totals = &mut at.piece.sums[2 * norm.at..][..2 * channels];
            fold_lanes(&at.worker.lanes[..2 * len], at.live, totals);
        }
    }

    fn gate_backward(&self, op: &Op, gate: usize, complement: bool, at: &mut At<'_>) {
        let of_logits = |range: fn(&Self, usize) -> Range<usize>| {
            op.other.map_or(0..0, |other| range(self, other))
        };
        let Group {
            values,
            gradients,
            tangents,
            gradient_tangents,
            ..
        } = &mut *at.group;
        let gated = self.gated(values, self.value(op.input), gate, complement);
        let (arena, point): (&mut [f32], &[f32]) = match self.work {
            Work::Point { .. } => (gradients, &[]),
            _ => (gradient_tangents, gradients),
        };
        let at_y = &arena[self.gradient(op.output)];
        let to_input = &mut at.worker.first[..at_y.len()];
        let to_logits = &mut at.worker.second[..at_y.len()];
        if matches!(self.work, Work::Tangent { .. }) {
            let logits = &tangents[of_logits(Self::tangent)];
            let along = [at_y, &tangents[self.tangent(op.input)], logits];
            let point = &point[self.point_gradient(op.output)];
            gated.backward_tangent(point, along, to_input, to_logits);
        } else {
            gated.backward(at_y, to_input, to_logits);
        }
        let found = [
            (self.gradient(op.input), &*to_input),
            (of_logits(Self::gradient), &*to_logits),
        ];
        for ((to, found), first) in found.into_iter().zip(op.first) {
            if first {
                arena[to].copy_from_slice(found);
            } else {
                add_assign(self.isa, &mut arena[to], found);
            }
        }
    }

    /// Their transposes.
    fn linear_back(&self, op: &Op, values: &[f32], from: &[f32], to: &mut [f32]) {
        let shapes = self.shapes(op);
        match op.kind {
            Kind::Scale(factor) => small::scale(factor, from, to),
            Kind::Average => small::spread(shapes.0, from, to),
            Kind::Flatten => small::unflatten(shapes.0, from, to),
            Kind::Subsample { stride, before } => {
                small::subsample_back(shapes, (stride, before), from, to);
            }
            Kind::MaxPool { pool, places } => {
                small::picked_back(pool, shapes, &values[self.value(places)], from, to);
            }
            Kind::Conv(_) | Kind::Affine { .. } | Kind::Gate { .. } => {
                unreachable!("not an op without parameters")
            }
        }
    }
}

/// Values of an arena that live at once.
fn disjoint<const N: usize>(arena: &mut [f32], ranges: [Range<usize>; N]) -> [&mut [f32]; N] {
    arena
        .get_disjoint_mut(ranges)
        .expect("what lives at once lies apart")
}
