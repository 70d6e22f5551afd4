//! Forward, op by op: values, and their tangents.

use std::ops::Range;

use reslab_kernels::{pointwise, select, tangent};

use super::pass::{At, Context, Work, at_output};
use super::program::{Kind, Op};
use super::small;

impl Context<'_> {
    pub fn forward(&self, op: &Op, at: &mut At<'_>) {
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

    pub fn forward_tangent(&self, op: &Op, at: &mut At<'_>) {
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
