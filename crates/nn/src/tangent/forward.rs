//! Forward, op by op: values, and their tangents.

use std::ops::Range;

use reslab_kernels::pointwise::Nonlinearity;
use reslab_kernels::tangent::Slope;
use reslab_kernels::{LANES, pointwise, select, tangent};

use super::convolution::{Output, Scratch};
use super::pass::{At, Context, Work, apart};
use super::program::{Kind, Op};
use super::small;
use crate::network::Shape;

impl Context<'_> {
    pub fn forward(&self, number: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        let group = &mut *at.group;
        let other = op.other.map_or(0..0, |other| self.value(other));
        let reads = [self.value(op.input), other];
        let output = self.value(op.output);
        match op.kind {
            Kind::Conv(conv) => self.convolve(number, conv, at),
            Kind::Affine { .. } => {
                let ([input, other], [output, _]) = apart(&mut group.values, reads, [output, 0..0]);
                self.affine(
                    op,
                    input,
                    op.other.map(|_| other),
                    output,
                    &mut group.masks,
                    0,
                );
            }
            Kind::Gate { complement, gate } => {
                let writes = [output, self.value(gate)];
                let ([input, logits], [output, factor]) = apart(&mut group.values, reads, writes);
                factor.fill(1.0);
                select::gate(self.isa, complement, logits, factor);
                for (to, (value, factor)) in output.iter_mut().zip(input.iter().zip(&*factor)) {
                    *to = value * factor;
                }
            }
            Kind::MaxPool { pool, places } => {
                let writes = [output, self.value(places)];
                let ([input, _], [output, places]) = apart(&mut group.values, reads, writes);
                small::max_pool(pool, self.shapes(op), input, output, places);
            }
            _ => {
                let ([input, _], [output, _]) = apart(&mut group.values, reads, [output, 0..0]);
                self.linear(op, &[], input, output);
            }
        }
    }

    /// An affine op on some rows, and what is noted of their activation, from a place of the whole on.
    fn affine(
        &self,
        op: &Op,
        input: &[f32],
        other: Option<&[f32]>,
        output: &mut [f32],
        masks: &mut [u16],
        first: usize,
    ) {
        let Kind::Affine { norm, f } = op.kind else {
            return;
        };
        let affine = self.norms.affine(self.program, norm);
        let (isa, channels) = (self.isa, self.channels(op));
        match other {
            Some(other) => pointwise::apply_add(isa, channels, input, affine, other, f, output),
            None => pointwise::apply(isa, channels, input, affine, f, output),
        }
        if f == Nonlinearity::Relu {
            let mask = &mut masks[self.mask(op.output)];
            let places = first / LANES..(first + output.len()) / LANES;
            tangent::positive(isa, output, &mut mask[places]);
        }
    }

    /// A convolution and, row by row, the affine op that alone reads it.
    fn convolve(&self, number: usize, conv: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        let packed = &self.packed[conv].forward;
        let conv = &self.program.convs[conv];
        let bias = conv.bias.map(|bias| bias.of(self.parameters));
        let (group, scratch) = (&mut *at.group, &mut at.worker.scratch);
        let (input, z) = (self.value(op.input), self.value(op.output));
        let Some(next) = self.next(number) else {
            let ([input, _], [z, _]) = apart(&mut group.values, [input, 0..0], [z, 0..0]);
            let output = Output {
                kept: Some(z),
                next: None,
            };
            return conv
                .plan
                .forward(self.isa, &[input], packed, bias, output, scratch);
        };
        let other = next.other.map_or(0..0, |other| self.value(other));
        let writes = [z, self.value(next.output)];
        let ([input, other], [z, y]) = apart(&mut group.values, [input, other], writes);
        let other = next.other.map(|_| other);
        let mut apply = |first: usize, rows: &[f32]| {
            let part = first..first + rows.len();
            let other = other.map(|other| &other[part.clone()]);
            self.affine(next, rows, other, &mut y[part], &mut group.masks, first);
        };
        let output = Output {
            kept: self.stores_between().then_some(z),
            next: Some(&mut apply),
        };
        conv.plan
            .forward(self.isa, &[input], packed, bias, output, scratch);
    }

    /// Shapes of an op's input and output.
    pub fn shapes(&self, op: &Op) -> (Shape, Shape) {
        let values = &self.program.values;
        (values[op.input], values[op.output])
    }

    /// Ops that are linear once the point is fixed.
    fn linear(&self, op: &Op, values: &[f32], from: &[f32], to: &mut [f32]) {
        let shapes = self.shapes(op);
        match op.kind {
            Kind::Scale(factor) => small::scale(factor, from, to),
            Kind::Average => small::average(shapes.0, from, to),
            Kind::Flatten => small::flatten(shapes.0, from, to),
            Kind::Subsample { stride, before } => {
                small::subsample(shapes, (stride, before), from, to);
            }
            Kind::MaxPool { pool, places } => {
                small::picked(pool, shapes, &values[self.value(places)], from, to);
            }
            Kind::Conv(_) | Kind::Affine { .. } | Kind::Gate { .. } => {
                unreachable!("not an op without parameters")
            }
        }
    }

    pub fn forward_tangent(&self, number: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        if let Kind::Conv(conv) = op.kind {
            return self.convolve_tangent(number, conv, at);
        }
        let group = &mut *at.group;
        let other = op.other.map_or(0..0, |other| self.tangent(other));
        let reads = [self.tangent(op.input), other];
        let ([input, other], [output, _]) =
            apart(&mut group.tangents, reads, [self.tangent(op.output), 0..0]);
        match op.kind {
            Kind::Affine { norm, .. } => {
                let z = self
                    .reads_input(norm)
                    .then(|| &group.values[self.value(op.input)]);
                let slope = self.slope(op, &group.values, &group.masks);
                self.affine_tangent(op, z, input, op.other.map(|_| other), slope, output);
            }
            Kind::Gate { complement, gate } => {
                let gated = self.gated(&group.values, self.value(op.input), gate, complement);
                gated.tangent(input, other, output);
            }
            _ => self.linear(op, &group.values, input, output),
        }
    }

    /// The tangent of an affine op on some rows: from z where anything depends on it, its tangent, and
    /// the summand's.
    fn affine_tangent(
        &self,
        op: &Op,
        input: Option<&[f32]>,
        input_tangent: &[f32],
        other_tangent: Option<&[f32]>,
        slope: Slope<'_>,
        output_tangent: &mut [f32],
    ) {
        let Kind::Affine { norm, .. } = op.kind else {
            return;
        };
        let by = self
            .norms
            .forward_tangent(self.program, norm, self.channels(op));
        tangent::forward(
            self.isa,
            slope,
            by,
            input,
            input_tangent,
            other_tangent,
            output_tangent,
        );
    }

    /// The tangent of a convolution and, row by row, of the affine op that alone reads it.
    fn convolve_tangent(&self, number: usize, conv: usize, at: &mut At<'_>) {
        let Work::Tangent { direction, .. } = self.work else {
            return;
        };
        let op = &self.program.ops[number];
        let (point, joint) = (&self.packed[conv], &self.packed_tangents);
        let conv_op = &self.program.convs[conv];
        let group = &mut *at.group;
        let (values, scratch) = (&group.values, &mut at.worker.scratch);
        let (input, z) = (self.tangent(op.input), self.tangent(op.output));
        // What the point's values are multiplied with, where parameters move.
        let x = direction.map_or(&[][..], |_| &values[self.value(op.input)]);
        let bias = conv_op.bias.zip(direction);
        let bias = bias.map(|(bias, direction)| bias.of(direction));
        let fixed = self.is_fixed(op);
        let convolve = |input: &[f32], output: Output<'_, '_>, scratch: &mut Scratch| {
            let moved = [input, x];
            let (sources, packed) = match direction {
                None => (&moved[..1], &point.forward),
                Some(_) if fixed => (&moved[1..], &joint[conv].forward),
                Some(_) => (&moved[..], &joint[conv].forward),
            };
            let plan = &conv_op.plan;
            plan.forward(self.isa, sources, packed, bias, output, scratch);
        };
        let Some(next) = self.next(number) else {
            let ([input, _], [z, _]) = apart(&mut group.tangents, [input, 0..0], [z, 0..0]);
            let output = Output {
                kept: Some(z),
                next: None,
            };
            return convolve(input, output, scratch);
        };
        let Kind::Affine { norm, .. } = next.kind else {
            return;
        };
        let other = next.other.map_or(0..0, |other| self.tangent(other));
        let writes = [z, self.tangent(next.output)];
        let ([input, other], [z, y]) = apart(&mut group.tangents, [input, other], writes);
        let other = next.other.map(|_| other);
        let slope = self.slope(next, values, &group.masks);
        let at_point = self
            .reads_input(norm)
            .then(|| &values[self.value(op.output)]);
        let mut apply = |first: usize, rows: &[f32]| {
            let part = first..first + rows.len();
            let other = other.map(|other| &other[part.clone()]);
            let at_point = at_point.map(|z| &z[part.clone()]);
            let to = &mut y[part.clone()];
            self.affine_tangent(next, at_point, rows, other, slope.part(part), to);
        };
        let output = Output {
            kept: self.stores_between().then_some(z),
            next: Some(&mut apply),
        };
        convolve(input, output, scratch);
    }

    pub fn gated<'v>(
        &self,
        values: &'v [f32],
        input: Range<usize>,
        gate: usize,
        complement: bool,
    ) -> small::Gated<'v> {
        small::Gated {
            factor: &values[self.value(gate)],
            value: &values[input],
            sign: if complement { -1.0 } else { 1.0 },
        }
    }
}
