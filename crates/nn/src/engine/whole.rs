//! Convolutions of small images with large weights: all rows of all full groups of a shard at once,
//! so that the weights, which fit no near cache, are read once for all of them.
//!
//! Each group has a ring of its own that holds all its rows; ring `g` starts `g` rings after the
//! first.

use reslab_kernels::LANES;
use reslab_kernels::conv2d::row::{Row, Span, Sums, rows};

use super::backward::ConvPass;
use super::backward_plan::Delivery;
use super::deliver::{Scratch, deliver};
use super::forward::{convolution_bias, fill};
use super::geometry::{Geometry, Ring};
use super::ir::Conv;
use super::shard::{Context, Frame, Shard, Worker};

/// Forward: all rows of a frame.
pub(super) fn convolve(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let ring = geometry.input_ring(1);
    let row_len = geometry.shape.width * geometry.pixel;
    worker.spans.clear();
    worker.taps.clear();
    let first = cx.plan.row(conv.output, frame.alone(0), 0).start;
    let mut end = first;
    for group in 0..frame.groups {
        let (alone, start) = (frame.alone(group), group * ring.len());
        ring.clear_margins(&mut worker.inputs[start..], row_len);
        for y in 0..conv.shape.height {
            let at = start + ring.row(y) + ring.margin;
            fill(cx, conv, alone, y, arena, worker, at, row_len);
        }
        for y in 0..conv.shape.out_height() {
            let row = cx.plan.row(conv.output, alone, y);
            let first_tap = worker.taps.len();
            geometry.add_forward_taps(y, ring, start, &mut worker.taps);
            worker.add_span(first_tap, row.start - first);
            end = row.end;
        }
    }
    let (group_in, group_out) = (conv.shape.group_in(), conv.shape.group_out());
    let bias = convolution_bias(cx, conv);
    let (sum, square) = worker.lanes.split_at_mut(conv.shape.out_channels * LANES);
    for group in 0..conv.shape.groups {
        let channel = group * group_out;
        let lanes = channel * LANES..(channel + group_out) * LANES;
        let sums = cx.stat_of(conv).map(|stat| Sums {
            shift: &cx.numbers.stat_shift[cx.plan.program.stats[stat].at + channel..][..group_out],
            sum: &mut sum[lanes.clone()],
            square: &mut square[lanes.clone()],
        });
        rows(
            cx.plan.isa,
            geometry.forward_row(),
            &worker.inputs[group * group_in * LANES..],
            &worker.taps,
            &worker.spans,
            &cx.numbers.forward[conv.packed_group(group)],
            bias.map(|bias| &bias[channel..channel + group_out]),
            &mut arena[first + lanes.start..end],
            sums,
        );
    }
}

impl Worker {
    /// The taps from `first_tap` on are those of a row that is written at `output`.
    fn add_span(&mut self, first_tap: usize, output: usize) {
        self.spans.push(Span {
            first_tap,
            taps: self.taps.len() - first_tap,
            output,
        });
    }
}

impl ConvPass<'_> {
    /// Backward: all rows of a frame.
    pub(super) fn run_whole(
        self,
        geometry: &Geometry,
        delivery: Option<&Delivery>,
        arena: &mut [f32],
        shard: &mut Shard,
        worker: &mut Worker,
    ) {
        let shape = &self.conv.shape;
        let inputs = geometry.weight_ring(geometry.strip_rows());
        let gradients = geometry.gradient_ring();
        for group in 0..self.frame.groups {
            let alone = ConvPass {
                frame: self.frame.alone(group),
                ..self
            };
            for y in 0..shape.out_height() {
                let to = (gradients, group * gradients.len());
                alone.fill_gradient(geometry, to, y, arena, worker);
            }
            for y in 0..shape.height {
                alone.fill_input(geometry, (inputs, group * inputs.len()), y, arena, worker);
            }
        }
        let all = 0..shape.out_height();
        geometry.pairs(all, inputs, gradients, self.frame.groups, &mut worker.pairs);
        self.add_weight_gradient(geometry, inputs, shard, worker);
        let Some(delivery) = delivery else { return };
        self.input_gradients(geometry, gradients, worker);
        let row_len = geometry.shape.width * geometry.pixel;
        let mut strip = std::mem::take(&mut worker.strip);
        for (at, gradient) in strip.chunks_exact_mut(row_len).enumerate() {
            let (group, y) = (at / shape.height, at % shape.height);
            if group == self.frame.groups {
                break;
            }
            let mut scratch = Scratch {
                copy: &mut worker.other_row,
                source: &mut worker.third_row,
                lanes: &mut worker.lanes,
            };
            let frame = self.frame.alone(group);
            deliver(
                self.cx,
                delivery,
                frame,
                y,
                gradient,
                arena,
                shard,
                &mut scratch,
            );
        }
        worker.strip = strip;
    }

    /// All rows of the input's gradient, into the worker's strip.
    fn input_gradients(self, geometry: &Geometry, ring: Ring, worker: &mut Worker) {
        let shape = &self.conv.shape;
        let row_len = geometry.shape.width * geometry.pixel;
        for first in 0..shape.stride.min(geometry.shape.width) {
            worker.spans.clear();
            worker.taps.clear();
            for row in 0..self.frame.groups * shape.height {
                let (group, y) = (row / shape.height, row % shape.height);
                let first_tap = worker.taps.len();
                let start = group * ring.len();
                geometry.add_gradient_taps(y, first, ring, start, &mut worker.taps);
                worker.add_span(first_tap, row * row_len);
            }
            let sizes: Row = geometry.gradient_row(first);
            for group in 0..shape.groups {
                let to = first * geometry.pixel + group * shape.group_in() * LANES;
                rows(
                    self.cx.plan.isa,
                    sizes,
                    &worker.gradients[group * shape.group_out() * LANES..],
                    &worker.taps,
                    &worker.spans,
                    &self.cx.numbers.backward[self.conv.packed_group(group)],
                    None,
                    &mut worker.strip[to..],
                    None,
                );
            }
        }
    }
}
