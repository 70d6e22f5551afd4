//! The forward pass of a shard.

use reslab_kernels::conv2d::row::{Sums, row};
use reslab_kernels::pointwise::{Nonlinearity, activate_in_place, add_assign, apply, apply_add};
use reslab_kernels::{LANES, batch_norm, lanes};

use super::geometry::Geometry;
use super::ir::{Adapter, Conv, Op, Sum, View};
use super::ops::{elementwise, max_pool};
use super::shard::{Context, Frame, Shard, Worker, frames, pair};
use super::{tiled, whole};

/// Puts the shard's samples side by side. `first` is its first sample in the batch.
pub(super) fn gather_input(cx: Context<'_>, first: usize, images: usize, arena: &mut [f32]) {
    let input = &cx.plan.program.tensors[0];
    let len = input.shape.len();
    let samples = &cx.batch.inputs[first * len..(first + images) * len];
    let groups = arena[input.offset..].chunks_exact_mut(len * LANES);
    for (samples, group) in samples.chunks(len * LANES).zip(groups) {
        lanes::gather(samples, len, group);
    }
}

/// Runs one op.
pub(super) fn run(
    cx: Context<'_>,
    op: &Op,
    images: usize,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    match op {
        Op::Conv(conv) => {
            for frame in frames(conv.flat || conv.whole, images) {
                convolve(cx, conv, frame, arena, shard, worker);
            }
        }
        Op::Sum(sum) => {
            for frame in frames(sum.flat, images) {
                for y in 0..cx.plan.shape(sum.output).height {
                    sum_row(cx, sum, frame, y, arena, worker);
                }
            }
        }
        &Op::Gather { tensor, stat } => gather(cx, tensor, stat, images, arena, shard, worker),
        Op::Pool { input, output } => {
            for frame in frames(false, images) {
                pool(cx, *input, *output, frame, arena, worker);
            }
        }
        Op::Product(product) => {
            for frame in frames(false, images) {
                elementwise::forward(cx, product, frame, arena, shard, worker);
            }
        }
        Op::MaxPool(pool) => {
            for frame in frames(false, images) {
                max_pool::forward(cx, pool, frame, arena, worker);
            }
        }
        Op::Flatten { input, output } => {
            for frame in frames(false, images) {
                flatten(cx, *input, *output, frame, arena, worker);
            }
        }
    }
}

/// Row `y` of what a view shows.
pub(super) fn view_row(
    cx: Context<'_>,
    view: View,
    frame: Frame,
    y: usize,
    arena: &[f32],
    to: &mut [f32],
) {
    let channels = cx.plan.shape(view.tensor).channels;
    let from = &arena[cx.plan.row(view.tensor, frame, y)];
    apply(
        cx.plan.isa,
        channels,
        from,
        cx.affine(view),
        view.activation,
        to,
    );
}

fn convolve(
    cx: Context<'_>,
    conv: &Conv,
    frame: Frame,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let geometry = Geometry::new(conv, frame.groups);
    let channels = conv.shape.out_channels;
    worker.lanes[..2 * channels * LANES].fill(0.0);
    if !conv.whole {
        let row_pixels = geometry.shape.width * geometry.pixel;
        let ring = geometry.input_ring(1);
        ring.clear_margins(&mut worker.inputs, row_pixels);
    }
    if conv.whole {
        whole::convolve(cx, conv, &geometry, frame, arena, worker);
    } else if conv.tiled {
        tiled::convolve(cx, conv, &geometry, frame, arena, worker);
    } else {
        convolve_rows(cx, conv, &geometry, frame, arena, worker);
    }
    if let Some(stat) = cx.stat_of(conv) {
        fold(cx, stat, frame.live, shard, worker);
    }
}

/// A direct convolution, row by row.
fn convolve_rows(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let ring = geometry.input_ring(1);
    let row_pixels = geometry.shape.width * geometry.pixel;
    let mut filled = 0;
    for y in 0..conv.shape.out_height() {
        while filled < geometry.rows_needed(y) {
            fill(
                cx,
                conv,
                frame,
                filled,
                arena,
                worker,
                ring.row(filled) + ring.margin,
                row_pixels,
            );
            filled += 1;
        }
        geometry.forward_taps(y, ring, &mut worker.taps);
        let output = &mut arena[cx.plan.row(conv.output, frame, y)];
        convolve_row(cx, conv, geometry, output, worker);
    }
    if let Some(sum) = &conv.fused {
        for y in filled..conv.shape.height {
            sum_row(cx, sum, frame, y, arena, worker);
        }
    }
}

/// Brings input row `y` into the ring, computing the sum it is a row of if that is fused.
pub(super) fn fill(
    cx: Context<'_>,
    conv: &Conv,
    frame: Frame,
    y: usize,
    arena: &mut [f32],
    worker: &mut Worker,
    at: usize,
    len: usize,
) {
    if let Some(sum) = &conv.fused {
        sum_row(cx, sum, frame, y, arena, worker);
    }
    view_row(
        cx,
        conv.input,
        frame,
        y,
        arena,
        &mut worker.inputs[at..at + len],
    );
}

/// What is added to each output channel: the bias, or what folding a norm made of it.
pub(super) fn convolution_bias<'a>(cx: Context<'a>, conv: &Conv) -> Option<&'a [f32]> {
    match (&conv.folded, conv.bias) {
        (Some(_), _) => Some(&cx.numbers.bias[conv.bias_at..][..conv.shape.out_channels]),
        (None, Some(bias)) => Some(bias.of(cx.parameters)),
        (None, None) => None,
    }
}

fn convolve_row(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    output: &mut [f32],
    worker: &mut Worker,
) {
    let (group_in, group_out) = (conv.shape.group_in(), conv.shape.group_out());
    let bias = convolution_bias(cx, conv);
    let (sum, square) = worker.lanes.split_at_mut(conv.shape.out_channels * LANES);
    for group in 0..conv.shape.groups {
        let first = group * group_out;
        let sums = cx.stat_of(conv).map(|stat| Sums {
            shift: &cx.numbers.stat_shift[cx.plan.program.stats[stat].at + first..][..group_out],
            sum: &mut sum[first * LANES..][..group_out * LANES],
            square: &mut square[first * LANES..][..group_out * LANES],
        });
        row(
            cx.plan.isa,
            geometry.forward_row(),
            &worker.inputs[group * group_in * LANES..],
            &worker.taps,
            &cx.numbers.forward[conv.packed_group(group)],
            bias.map(|bias| &bias[first..first + group_out]),
            &mut output[first * LANES..],
            sums,
        );
    }
}

/// Adds the worker's lane sums to the shard's.
fn fold(cx: Context<'_>, stat: usize, live: usize, shard: &mut Shard, worker: &Worker) {
    let stat = &cx.plan.program.stats[stat];
    let sums = &mut shard.sums[stat.at..stat.at + stat.channels];
    fold_pairs(&worker.lanes[..2 * stat.channels * LANES], live, sums);
}

/// Adds sums of `2 × channels × 16` lanes to those of the channels.
pub(super) fn fold_pairs(lanes: &[f32], live: usize, sums: &mut [[f64; 2]]) {
    let (first, second) = lanes.split_at(lanes.len() / 2);
    let channels = first.chunks_exact(LANES).zip(second.chunks_exact(LANES));
    for ((first, second), sums) in channels.zip(sums) {
        batch_norm::fold_lanes(first, live, &mut sums[..1]);
        batch_norm::fold_lanes(second, live, &mut sums[1..]);
    }
}

fn gather(
    cx: Context<'_>,
    tensor: usize,
    stat: usize,
    images: usize,
    arena: &[f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let Context { plan, numbers, .. } = cx;
    let Shard { sums, .. } = shard;
    let (channels, at) = (
        plan.program.stats[stat].channels,
        plan.program.stats[stat].at,
    );
    for frame in frames(false, images) {
        let lanes = &mut worker.lanes[..2 * channels * LANES];
        lanes.fill(0.0);
        for y in 0..plan.shape(tensor).height {
            let (sum, square) = lanes.split_at_mut(channels * LANES);
            let shift = &numbers.stat_shift[at..at + channels];
            let values = &arena[plan.row(tensor, frame, y)];
            batch_norm::gather(plan.isa, values, Sums { shift, sum, square });
        }
        fold_pairs(lanes, frame.live, &mut sums[at..at + channels]);
    }
}

/// Computes and stores row `y` of a sum.
fn sum_row(
    cx: Context<'_>,
    sum: &Sum,
    frame: Frame,
    y: usize,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let (isa, shape) = (cx.plan.isa, cx.plan.shape(sum.output));
    let to = cx.plan.row(sum.output, frame, y);
    match sum.terms[..] {
        [(view, Adapter::Same)] if sum.activation == Nonlinearity::Identity => {
            let (to, from) = pair(arena, to, cx.plan.row(view.tensor, frame, y));
            apply(
                isa,
                shape.channels,
                from,
                cx.affine(view),
                view.activation,
                to,
            );
        }
        [(view, Adapter::Same), (other, Adapter::Same)]
            if view.activation == Nonlinearity::Identity
                && other.is_plain()
                && view.tensor != other.tensor =>
        {
            let places = [
                to,
                cx.plan.row(view.tensor, frame, y),
                cx.plan.row(other.tensor, frame, y),
            ];
            let [to, from, other] = arena
                .get_disjoint_mut(places)
                .expect("the memory plan keeps them apart");
            apply_add(
                isa,
                shape.channels,
                from,
                cx.affine(view),
                other,
                sum.activation,
                to,
            );
        }
        _ => {
            let total = &mut worker.row[..to.len()];
            total.fill(0.0);
            for &(view, adapter) in &sum.terms {
                let source_row = match adapter {
                    Adapter::Same => y,
                    Adapter::Subsample { stride, .. } => y * stride,
                };
                let from = cx.plan.row(view.tensor, frame, source_row);
                let term = &mut worker.other_row[..from.len()];
                view_row(cx, view, frame, source_row, arena, term);
                match adapter {
                    Adapter::Same => add_assign(isa, total, term),
                    Adapter::Subsample { stride, before } => {
                        let pixel = cx.plan.shape(view.tensor).channels * LANES;
                        let pixels = total.chunks_exact_mut(shape.channels * LANES);
                        for (to, from) in pixels.zip(term.chunks(pixel).step_by(stride)) {
                            add_assign(isa, &mut to[before * LANES..][..pixel], from);
                        }
                    }
                }
            }
            activate_in_place(isa, sum.activation, total);
            arena[to].copy_from_slice(total);
        }
    }
}

fn pool(
    cx: Context<'_>,
    input: View,
    output: usize,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let shape = cx.plan.shape(input.tensor);
    let pixel = shape.channels * LANES;
    let mean = &mut worker.row[..pixel];
    mean.fill(0.0);
    for y in 0..shape.height {
        let row = &mut worker.other_row[..shape.width * pixel];
        view_row(cx, input, frame, y, arena, row);
        row.chunks_exact(pixel)
            .for_each(|from| add_assign(cx.plan.isa, mean, from));
    }
    let share = 1.0 / (shape.height * shape.width) as f32;
    for (to, total) in arena[cx.plan.row(output, frame, 0)].iter_mut().zip(mean) {
        *to = *total * share;
    }
}

fn flatten(
    cx: Context<'_>,
    input: View,
    output: usize,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let shape = cx.plan.shape(input.tensor);
    let flat = cx.plan.row(output, frame, 0);
    for y in 0..shape.height {
        let row = &mut worker.row[..shape.width * shape.channels * LANES];
        view_row(cx, input, frame, y, arena, row);
        for (at, from) in row.chunks_exact(LANES).enumerate() {
            let (x, channel) = (at / shape.channels, at % shape.channels);
            let to = flat.start + ((channel * shape.height + y) * shape.width + x) * LANES;
            arena[to..to + LANES].copy_from_slice(from);
        }
    }
}
