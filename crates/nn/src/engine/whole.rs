//! Convolutions of small images with large weights: all pixels of all full groups of a shard at
//! once, so that the weights, which fit no near cache, are read once for all of them.
//!
//! Each group has a ring of its own that holds all its rows; ring `g` starts `g` rings after the
//! first. A row of the kernel is one pixel of all groups, side by side: no product with padding is
//! computed, which of a 3×3 convolution on 2×2 pixels are five in nine.

use reslab_kernels::LANES;
use reslab_kernels::conv2d::Tap;
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
    for group in 0..frame.groups {
        for y in 0..conv.shape.height {
            let at = group * ring.len() + ring.row(y) + ring.margin;
            let alone = frame.alone(group);
            fill(cx, conv, alone, y, arena, worker, at, row_len);
        }
    }
    worker.spans.clear();
    worker.taps.clear();
    for y in 0..conv.shape.out_height() {
        for x in 0..geometry.out_width {
            let first_tap = worker.taps.len();
            add_forward_taps(geometry, ring, (y, x), &mut worker.taps);
            let output = (y * geometry.out_width + x) * geometry.out_pixel;
            worker.add_span(first_tap, output);
        }
    }
    let image = conv.shape.out_height() * geometry.out_width * geometry.out_pixel;
    let first = cx.plan.row(conv.output, frame.alone(0), 0).start;
    let end = first + frame.groups * image;
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
            Row {
                pixels: frame.groups,
                in_step: ring.len(),
                out_step: image,
                ..geometry.forward_row()
            },
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

/// Taps of the output pixel in row `y` and column `x`, in the ring of inputs.
fn add_forward_taps(geometry: &Geometry, ring: Ring, (y, x): (usize, usize), taps: &mut Vec<Tap>) {
    let s = &geometry.shape;
    for place in 0..s.places() {
        let row = (y * s.stride + place / s.kernel).checked_sub(s.padding);
        let column = (x * s.stride + place % s.kernel).checked_sub(s.padding);
        let (Some(row), Some(column)) = (row, column) else {
            continue;
        };
        if row < s.height && column < s.width {
            let input = ring.row(row) + ring.margin + column * geometry.pixel;
            taps.push(Tap { input, place });
        }
    }
}

/// Taps of the input's gradient in row `y` and column `x`, in the ring of gradients.
fn add_gradient_taps(geometry: &Geometry, ring: Ring, (y, x): (usize, usize), taps: &mut Vec<Tap>) {
    let s = &geometry.shape;
    let from = |at: usize, kernel: usize, end: usize| {
        let steps = (at + s.padding).checked_sub(kernel)?;
        (steps.is_multiple_of(s.stride) && steps / s.stride < end).then_some(steps / s.stride)
    };
    for place in 0..s.places() {
        let row = from(y, place / s.kernel, s.out_height());
        let column = from(x, place % s.kernel, s.out_width());
        if let (Some(row), Some(column)) = (row, column) {
            let input = ring.row(row) + ring.margin + column * geometry.out_pixel;
            taps.push(Tap { input, place });
        }
    }
}

impl Worker {
    /// The taps from `first_tap` on are those of a pixel that is written at `output`.
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

    /// All pixels of the input's gradient, into the worker's strip.
    fn input_gradients(self, geometry: &Geometry, ring: Ring, worker: &mut Worker) {
        let shape = &self.conv.shape;
        worker.spans.clear();
        worker.taps.clear();
        for (y, x) in (0..shape.height).flat_map(|y| (0..shape.width).map(move |x| (y, x))) {
            let first_tap = worker.taps.len();
            add_gradient_taps(geometry, ring, (y, x), &mut worker.taps);
            worker.add_span(first_tap, (y * shape.width + x) * geometry.pixel);
        }
        let sizes = Row {
            pixels: self.frame.groups,
            in_step: ring.len(),
            out_step: shape.height * shape.width * geometry.pixel,
            ..geometry.gradient_row(0)
        };
        for group in 0..shape.groups {
            rows(
                self.cx.plan.isa,
                sizes,
                &worker.gradients[group * shape.group_out() * LANES..],
                &worker.taps,
                &worker.spans,
                &self.cx.numbers.backward[self.conv.packed_group(group)],
                None,
                &mut worker.strip[group * shape.group_in() * LANES..],
                None,
            );
        }
    }
}
