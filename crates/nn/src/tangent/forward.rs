//! Forward, op by op: values, and their tangents.

use std::ops::Range;

use reslab_kernels::{pointwise, select, tangent};

use super::convolution::Output;
use super::pass::{At, Context, Work, at_output};
use super::program::{Kind, Op};
use super::small;

impl Context<'_> {
    pub fn forward(&self, number: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        let (input, program) = (self.range(op.input), self.program);
        let shapes = (
            program.values[op.input].shape,
            program.values[op.output].shape,
        );
        if let Kind::Conv(conv) = op.kind {
            return self.convolve(number, conv, at);
        }
        let (before, output) = at_output(&mut at.group.values, self.range(op.output));
        match op.kind {
            Kind::Affine { .. } => {
                let other = op.other.map(|other| &before[self.range(other)]);
                self.affine(op, &before[input], other, output);
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

    /// An affine op on some rows.
    fn affine(&self, op: &Op, input: &[f32], other: Option<&[f32]>, output: &mut [f32]) {
        let Kind::Affine { norm, f } = op.kind else {
            return;
        };
        let affine = self.norms.affine(self.program, norm);
        let (isa, channels) = (self.isa, self.channels(op));
        match other {
            Some(other) => pointwise::apply_add(isa, channels, input, affine, other, f, output),
            None => pointwise::apply(isa, channels, input, affine, f, output),
        }
    }

    /// A convolution and, row by row, the affine op that alone reads it.
    fn convolve(&self, number: usize, conv: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        let packed = &self.packed[conv].forward;
        let conv = &self.program.convs[conv];
        let bias = conv.bias.map(|bias| bias.of(self.parameters));
        let (before, output, after) = around(&mut at.group.values, self.range(op.output));
        let sources = [&before[self.range(op.input)]];
        let scratch = &mut at.worker.scratch;
        let Some(next) = self.next(number) else {
            let output = Output {
                kept: Some(output),
                next: None,
            };
            return conv
                .plan
                .forward(self.isa, &sources, packed, bias, output, scratch);
        };
        let start = self.range(next.output).start - self.range(op.output).end;
        let other = next.other.map(|other| &before[self.range(other)]);
        let mut apply = |first: usize, rows: &[f32]| {
            let other = other.map(|other| &other[first..first + rows.len()]);
            let to = &mut after[start + first..][..rows.len()];
            self.affine(next, rows, other, to);
        };
        let output = Output {
            kept: self.keeps.then_some(output),
            next: Some(&mut apply),
        };
        conv.plan
            .forward(self.isa, &sources, packed, bias, output, scratch);
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

    pub fn forward_tangent(&self, number: usize, at: &mut At<'_>) {
        let op = &self.program.ops[number];
        if let Kind::Conv(conv) = op.kind {
            return self.convolve_tangent(number, conv, at);
        }
        let input = self.range(op.input);
        let (values, tangents) = (&at.group.values, &mut at.group.tangents);
        let (before, output) = at_output(tangents, self.range(op.output));
        match op.kind {
            Kind::Affine { .. } => {
                let z = &values[input.clone()];
                let y = &values[self.range(op.output)];
                let other = op.other.map(|other| &before[self.range(other)]);
                self.affine_tangent(op, z, &before[input], other, y, output);
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

    /// The tangent of an affine op on some rows: z, its tangent, the summand's, y.
    fn affine_tangent(
        &self,
        op: &Op,
        input: &[f32],
        input_tangent: &[f32],
        other_tangent: Option<&[f32]>,
        output: &[f32],
        output_tangent: &mut [f32],
    ) {
        let Kind::Affine { norm, f } = op.kind else {
            return;
        };
        let by = self
            .norms
            .forward_tangent(self.program, norm, self.channels(op));
        tangent::forward(
            self.isa,
            f,
            by,
            self.reads_input(norm).then_some(input),
            input_tangent,
            other_tangent,
            output,
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
        let values = &at.group.values;
        let z = self.range(op.output);
        let (before, output, after) = around(&mut at.group.tangents, z.clone());
        let input = self.range(op.input);
        let moved = [&before[input.clone()], &values[input]];
        let (sources, packed) = match direction {
            None => (&moved[..1], &point.forward),
            Some(_) if self.is_fixed(op) => (&moved[1..], &joint[conv].forward),
            Some(_) => (&moved[..], &joint[conv].forward),
        };
        let bias = conv_op.bias.zip(direction);
        let bias = bias.map(|(bias, direction)| bias.of(direction));
        let scratch = &mut at.worker.scratch;
        let Some(next) = self.next(number) else {
            let output = Output {
                kept: Some(output),
                next: None,
            };
            return conv_op
                .plan
                .forward(self.isa, sources, packed, bias, output, scratch);
        };
        let y = self.range(next.output);
        let start = y.start - z.end;
        let other = next.other.map(|other| &before[self.range(other)]);
        let mut apply = |first: usize, rows: &[f32]| {
            let part = first..first + rows.len();
            let other = other.map(|other| &other[part.clone()]);
            let to = &mut after[start + first..][..rows.len()];
            let (z, y) = (&values[z.clone()][part.clone()], &values[y.clone()][part]);
            self.affine_tangent(next, z, rows, other, y, to);
        };
        let output = Output {
            kept: self.keeps.then_some(output),
            next: Some(&mut apply),
        };
        conv_op
            .plan
            .forward(self.isa, sources, packed, bias, output, scratch);
    }

    pub fn gated<'v>(
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
}

/// An op's output in an arena, what comes before it, and what comes after.
fn around(arena: &mut [f32], output: Range<usize>) -> (&[f32], &mut [f32], &mut [f32]) {
    let (before, rest) = arena.split_at_mut(output.start);
    let (output, after) = rest.split_at_mut(output.len());
    (before, output, after)
}
