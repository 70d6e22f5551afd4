//! The backward pass of a shard.

use reslab_kernels::conv2d::backward_weight::{add_strip, transpose};
use reslab_kernels::conv2d::row::{Sums, row};
use reslab_kernels::pointwise::combine;
use reslab_kernels::{LANES, batch_norm, lanes};

use super::backward_plan::{BackwardStep, Delivery, Gradient, Kind};
use super::deliver::{Scratch, deliver, fold_deliveries, through_sum};
use super::forward::view_row;
use super::geometry::{Geometry, Ring};
use super::ir::{Conv, Op};
use super::ops::{elementwise, max_pool};
use super::shard::{Context, Frame, Shard, Worker, frames};

/// Runs one step. `part` is the place of a convolution's part of the gradient.
pub(super) fn run(
    cx: Context<'_>,
    step: &BackwardStep,
    part: usize,
    images: usize,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let together = match &step.kind {
        Kind::Conv { op, .. } => match &cx.plan.program.ops[*op] {
            Op::Conv(conv) => {
                let bias = conv.bias.map_or(0, |bias| bias.len);
                shard.parts[part..part + conv.shape.weight_len() + bias].fill(0.0);
                conv.flat || conv.whole
            }
            _ => false,
        },
        Kind::Sum(sum) => sum.flat,
        _ => false,
    };
    for frame in frames(together, images) {
        worker.lanes[..2 * step.lanes * LANES].fill(0.0);
        match &step.kind {
            Kind::Conv { op, from, deliver } => {
                if let Op::Conv(conv) = &cx.plan.program.ops[*op] {
                    let pass = ConvPass {
                        cx,
                        conv,
                        from: *from,
                        frame,
                        part,
                    };
                    pass.run(deliver.as_ref(), arena, shard, worker);
                }
            }
            Kind::Norm { norm, deliver } => {
                norm_backward(cx, *norm, deliver, frame, arena, shard, worker);
            }
            Kind::Sum(sum) => {
                let height = cx.plan.shape(sum.output).height;
                for y in 0..height {
                    let from = cx.plan.gradient_row(Gradient::Tensor(sum.output), frame, y);
                    let (gradient, mut scratch) = worker.rows(from.len());
                    gradient.copy_from_slice(&arena[from]);
                    through_sum(cx, sum, frame, y, gradient, arena, shard, &mut scratch);
                }
            }
            Kind::Pool { output, deliver } => {
                pool_backward(cx, *output, deliver, frame, arena, shard, worker);
            }
            Kind::Product {
                op,
                from,
                input,
                logits,
            } => {
                if let Op::Product(product) = &cx.plan.program.ops[*op] {
                    let ways = (*from, input.as_ref(), logits.as_ref());
                    elementwise::backward(cx, product, ways, frame, arena, shard, worker);
                }
            }
            Kind::MaxPool { op, deliver, .. } => {
                if let Op::MaxPool(pool) = &cx.plan.program.ops[*op] {
                    max_pool::backward(cx, pool, deliver, frame, arena, shard, worker);
                }
            }
            Kind::Flatten { output, deliver } => {
                flatten_backward(cx, *output, deliver, frame, arena, shard, worker);
            }
        }
        fold_deliveries(cx, step, frame.live, &worker.lanes, shard);
    }
}

impl Worker {
    /// A row of a gradient, and what a delivery needs beside it.
    pub(super) fn rows(&mut self, len: usize) -> (&mut [f32], Scratch<'_>) {
        let scratch = Scratch {
            copy: &mut self.other_row,
            source: &mut self.third_row,
            lanes: &mut self.lanes,
        };
        (&mut self.row[..len], scratch)
    }
}

/// Backward of one convolution for one frame, strip by strip.
#[derive(Clone, Copy)]
pub(super) struct ConvPass<'a> {
    pub cx: Context<'a>,
    pub conv: &'a Conv,
    pub from: Gradient,
    pub frame: Frame,
    /// Place of its part of the gradient.
    pub part: usize,
}

impl ConvPass<'_> {
    fn run(
        self,
        delivery: Option<&Delivery>,
        arena: &mut [f32],
        shard: &mut Shard,
        worker: &mut Worker,
    ) {
        let geometry = Geometry::new(self.conv, self.frame.groups);
        let strip = geometry.strip_rows();
        let (inputs, gradients) = (geometry.weight_ring(strip), geometry.gradient_ring());
        let (row, out_row) = (
            geometry.shape.width * geometry.pixel,
            geometry.out_width * geometry.out_pixel,
        );
        for group in 0..if self.conv.whole {
            self.frame.groups
        } else {
            1
        } {
            inputs.clear_margins(&mut worker.inputs[group * inputs.len()..], row);
            gradients.clear_margins(&mut worker.gradients[group * gradients.len()..], out_row);
        }
        let out_channels = self.conv.shape.out_channels;
        if self.conv.bias.is_some() {
            worker.other_lanes[..2 * out_channels * LANES].fill(0.0);
        }
        if self.conv.whole {
            self.run_whole(&geometry, delivery, arena, shard, worker);
        } else if self.conv.tiled {
            self.run_tiled(&geometry, delivery, arena, shard, worker);
        } else {
            self.run_rows(&geometry, delivery, arena, shard, worker);
        }
        if self.conv.bias.is_some() {
            self.add_bias_gradient(shard, worker);
        }
    }

    /// A direct convolution, strip by strip.
    fn run_rows(
        self,
        geometry: &Geometry,
        delivery: Option<&Delivery>,
        arena: &mut [f32],
        shard: &mut Shard,
        worker: &mut Worker,
    ) {
        let height = self.conv.shape.out_height();
        let strip = geometry.strip_rows();
        let (inputs, gradients) = (geometry.weight_ring(strip), geometry.gradient_ring());
        let (mut filled, mut delivered) = (0, 0);
        for first in (0..height).step_by(strip) {
            let rows = first..(first + strip).min(height);
            for y in rows.clone() {
                self.fill_gradient(geometry, (gradients, 0), y, arena, worker);
            }
            while filled < geometry.rows_needed(rows.end - 1) {
                self.fill_input(geometry, (inputs, 0), filled, arena, worker);
                filled += 1;
            }
            geometry.pairs(rows.clone(), inputs, gradients, 1, &mut worker.pairs);
            self.add_weight_gradient(geometry, inputs, shard, worker);
            if let Some(delivery) = delivery {
                while delivered < geometry.rows_complete(rows.end) {
                    self.input_gradient_row(geometry, gradients, delivered, worker);
                    let len = geometry.shape.width * geometry.pixel;
                    let (gradient, mut scratch) = worker.rows(len);
                    let (cx, frame) = (self.cx, self.frame);
                    deliver(
                        cx,
                        delivery,
                        frame,
                        delivered,
                        gradient,
                        arena,
                        shard,
                        &mut scratch,
                    );
                    delivered += 1;
                }
            }
        }
    }

    fn add_bias_gradient(self, shard: &mut Shard, worker: &Worker) {
        let out_channels = self.conv.shape.out_channels;
        let start = self.part + self.conv.shape.weight_len();
        let sums = worker.other_lanes[..out_channels * LANES].chunks_exact(LANES);
        for (part, lanes) in shard.parts[start..start + out_channels]
            .iter_mut()
            .zip(sums)
        {
            let mut total = [0.0];
            batch_norm::fold_lanes(lanes, LANES, &mut total);
            *part += total[0] as f32;
        }
    }

    /// Brings row `y` of the output's gradient into the ring at `at`, before the norm if there is one.
    pub(super) fn fill_gradient(
        self,
        geometry: &Geometry,
        (ring, at): (Ring, usize),
        y: usize,
        arena: &[f32],
        worker: &mut Worker,
    ) {
        let Context { plan, numbers, .. } = self.cx;
        let from = &arena[plan.gradient_row(self.from, self.frame, y)];
        let to = &mut worker.gradients[at + ring.row(y) + ring.margin..][..from.len()];
        match self.from {
            Gradient::Tensor(_) => to.copy_from_slice(from),
            Gradient::Norm(norm) => {
                let input = &arena[plan.row(self.conv.output, self.frame, y)];
                let by = self.cx.combination(norm);
                combine(plan.isa, self.conv.shape.out_channels, from, input, by, to);
            }
        }
        clear_dead(to, self.frame);
        if self.conv.bias.is_some() {
            let count = geometry.out_pixel;
            let (sum, square) = worker.other_lanes[..2 * count].split_at_mut(count);
            let shift = &numbers.zeros[..self.conv.shape.out_channels];
            batch_norm::gather(plan.isa, to, Sums { shift, sum, square });
        }
    }

    /// Brings input row `y` into the ring at `at`, as the weight gradient's kernel reads it.
    pub(super) fn fill_input(
        self,
        geometry: &Geometry,
        (ring, at): (Ring, usize),
        y: usize,
        arena: &[f32],
        worker: &mut Worker,
    ) {
        let len = geometry.shape.width * geometry.pixel;
        let to = &mut worker.inputs[at + ring.row(y) + ring.margin..];
        let (channels, block) = (self.conv.shape.in_channels, ring.block());
        if geometry.transposed() && self.conv.input.is_plain() && self.frame.live == LANES {
            let row = &arena[self.cx.plan.row(self.conv.input.tensor, self.frame, y)];
            transpose(self.cx.plan.isa, channels, row, block, to);
        } else if geometry.transposed() {
            let row = &mut worker.row[..len];
            view_row(self.cx, self.conv.input, self.frame, y, arena, row);
            clear_dead(row, self.frame);
            transpose(self.cx.plan.isa, channels, row, block, to);
        } else {
            let to = &mut to[..len];
            view_row(self.cx, self.conv.input, self.frame, y, arena, to);
            clear_dead(to, self.frame);
        }
    }

    pub(super) fn add_weight_gradient(
        self,
        geometry: &Geometry,
        inputs: Ring,
        shard: &mut Shard,
        worker: &Worker,
    ) {
        let shape = &self.conv.shape;
        let group_weights = shape.weight_len() / shape.groups;
        for group in 0..shape.groups {
            add_strip(
                self.cx.plan.isa,
                geometry.strip(inputs),
                &worker.inputs[geometry.weight_group(inputs, group)..],
                &worker.gradients[group * shape.group_out() * LANES..],
                &worker.pairs,
                &mut shard.parts[self.part + group * group_weights..][..group_weights],
            );
        }
    }

    /// Row `y` of the input's gradient, into the worker's row.
    fn input_gradient_row(self, geometry: &Geometry, ring: Ring, y: usize, worker: &mut Worker) {
        let shape = &self.conv.shape;
        let len = geometry.shape.width * geometry.pixel;
        for first in 0..shape.stride.min(geometry.shape.width) {
            geometry.gradient_taps(y, first, ring, &mut worker.taps);
            for group in 0..shape.groups {
                let to = first * geometry.pixel + group * shape.group_in() * LANES;
                row(
                    self.cx.plan.isa,
                    geometry.gradient_row(first),
                    &worker.gradients[group * shape.group_out() * LANES..],
                    &worker.taps,
                    &self.cx.numbers.backward[self.conv.packed_group(group)],
                    None,
                    &mut worker.row[to..len],
                    None,
                );
            }
        }
    }
}

/// Zeroes lanes without an image in a row of a frame.
fn clear_dead(row: &mut [f32], frame: Frame) {
    if frame.live < LANES {
        let last = row.len() / frame.groups * (frame.groups - 1);
        lanes::clear_dead(&mut row[last..], frame.live);
    }
}

fn norm_backward(
    cx: Context<'_>,
    norm: usize,
    delivery: &Delivery,
    frame: Frame,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let plan = cx.plan;
    let tensor = plan.program.norms[norm].tensor;
    let shape = plan.shape(tensor);
    for y in 0..shape.height {
        let input = plan.row(tensor, frame, y);
        let (gradient, mut scratch) = worker.rows(input.len());
        let from = &arena[plan.gradient_row(Gradient::Norm(norm), frame, y)];
        combine(
            plan.isa,
            shape.channels,
            from,
            &arena[input],
            cx.combination(norm),
            gradient,
        );
        deliver(cx, delivery, frame, y, gradient, arena, shard, &mut scratch);
    }
}

fn pool_backward(
    cx: Context<'_>,
    output: usize,
    delivery: &Delivery,
    frame: Frame,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let shape = cx.plan.shape(delivery.view.tensor);
    let pixel = shape.channels * LANES;
    let share = 1.0 / (shape.height * shape.width) as f32;
    let from = cx.plan.gradient_row(Gradient::Tensor(output), frame, 0);
    for y in 0..shape.height {
        let (gradient, mut scratch) = worker.rows(shape.width * pixel);
        for to in gradient.chunks_exact_mut(pixel) {
            for (to, from) in to.iter_mut().zip(&arena[from.clone()]) {
                *to = *from * share;
            }
        }
        deliver(cx, delivery, frame, y, gradient, arena, shard, &mut scratch);
    }
}

fn flatten_backward(
    cx: Context<'_>,
    output: usize,
    delivery: &Delivery,
    frame: Frame,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let shape = cx.plan.shape(delivery.view.tensor);
    let flat = cx
        .plan
        .gradient_row(Gradient::Tensor(output), frame, 0)
        .start;
    for y in 0..shape.height {
        let (gradient, mut scratch) = worker.rows(shape.width * shape.channels * LANES);
        for (at, to) in gradient.chunks_exact_mut(LANES).enumerate() {
            let (x, channel) = (at / shape.channels, at % shape.channels);
            let from = flat + ((channel * shape.height + y) * shape.width + x) * LANES;
            to.copy_from_slice(&arena[from..from + LANES]);
        }
        deliver(cx, delivery, frame, y, gradient, arena, shard, &mut scratch);
    }
}
