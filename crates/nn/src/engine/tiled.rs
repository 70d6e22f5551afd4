//! Convolutions by tiles: forward and backward, one row of tiles at a time.

use std::ops::Range;

use reslab_kernels::conv2d::row::Sums;
use reslab_kernels::conv2d::winograd::strip::{Strip, strip};
use reslab_kernels::conv2d::winograd::weight::{WeightStrip, add_strip, finish};
use reslab_kernels::conv2d::winograd::{POINTS, TILE, Tiles};

use reslab_kernels::{Ahead, Base, LANES};

use super::backward::ConvPass;
use super::backward_plan::{Delivery, Gradient};
use super::deliver::{Scratch, deliver};
use super::finished;
use super::forward::{convolution_bias, fill};
use super::geometry::Geometry;
use super::ir::{Adapter, Conv, Finish};
use super::shard::{Context, Frame, Plan, Shard, Worker};

/// The rows that are brought in after the strip at row `first`: of this arena or, at its end, the
/// first rows of the one that comes next.
fn next_rows(
    first: usize,
    height: usize,
    arena: &[f32],
    worker: &Worker,
) -> Option<(Base, Range<usize>)> {
    let filled = (first + TILE + 1).min(height);
    if filled < height {
        return Some((Base::of(arena), filled..(filled + TILE).min(height)));
    }
    let last = first + TILE >= height;
    let next = worker.next_arena.filter(|_| last)?;
    Some((next, 0..(TILE + 1).min(height)))
}

/// Adds what the given rows of a convolution's input are made from.
fn add_sources(
    plan: &Plan,
    conv: &Conv,
    frame: Frame,
    base: Base,
    rows: Range<usize>,
    ahead: &mut Ahead,
) {
    let Some(sum) = &conv.fused else {
        ahead.add(base, plan.rows(conv.input.tensor, frame, rows));
        return;
    };
    for &(view, adapter) in &sum.terms {
        let height = plan.shape(view.tensor).height;
        let rows = match adapter {
            Adapter::Same => rows.clone(),
            Adapter::Subsample { stride, .. } => {
                rows.start * stride..(rows.end * stride).min(height)
            }
        };
        ahead.add(base, plan.rows(view.tensor, frame, rows));
    }
    ahead.add(base, plan.rows(sum.output, frame, rows));
}

/// Adds what a delivery of some rows reads and writes.
fn add_targets(
    plan: &Plan,
    delivery: &Delivery,
    frame: Frame,
    base: Base,
    rows: Range<usize>,
    ahead: &mut Ahead,
) {
    for gradient in delivery.base.into_iter().chain(delivery.store) {
        ahead.add(base, plan.gradient_rows(gradient, frame, rows.clone()));
    }
    if delivery.view.norm.is_some() {
        ahead.add(base, plan.rows(delivery.view.tensor, frame, rows.clone()));
    }
    let Some(sum) = &delivery.sum else { return };
    ahead.add(base, plan.rows(sum.output, frame, rows.clone()));
    for (adapter, delivery) in &sum.terms {
        if *adapter == Adapter::Same {
            add_targets(plan, delivery, frame, base, rows.clone(), ahead);
        }
    }
}

/// Forward: all rows of a frame.
pub(super) fn convolve(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    if conv.finish != Finish::default() || conv.reads_in_place() {
        return finished::convolve(cx, conv, geometry, frame, arena, worker);
    }
    let height = conv.shape.height;
    let mut filled = 0;
    for first in (0..height).step_by(TILE) {
        fill_for(cx, conv, geometry, frame, first, &mut filled, arena, worker);
        let rows = first..(first + TILE).min(height);
        let tiles = geometry.tiles(rows.len());
        let places = geometry.strip_inputs(geometry.input_ring(TILE), first);
        let ahead = strip_ahead(cx, conv, frame, rows.clone(), arena, worker);
        let output = &mut arena[cx.plan.rows(conv.output, frame, rows)];
        forward_strip(cx, conv, geometry, tiles, &places, output, ahead, worker);
    }
}

/// Brings the rows into the ring that the strip at row `first` reads; `filled` are there already.
pub(super) fn fill_for(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    frame: Frame,
    first: usize,
    filled: &mut usize,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let ring = geometry.input_ring(TILE);
    let row_len = geometry.shape.width * geometry.pixel;
    while *filled < (first + TILE + 1).min(conv.shape.height) {
        let at = ring.row(*filled) + ring.margin;
        fill(cx, conv, frame, *filled, arena, worker, at, row_len);
        *filled += 1;
    }
}

/// What a strip of those rows asks for while it works: where it writes, what it adds, and what the
/// next strip reads.
pub(super) fn strip_ahead(
    cx: Context<'_>,
    conv: &Conv,
    frame: Frame,
    rows: Range<usize>,
    arena: &[f32],
    worker: &Worker,
) -> Ahead {
    let mut ahead = Ahead::default();
    for tensor in [Some(conv.output), conv.finish.add].into_iter().flatten() {
        ahead.add(Base::of(arena), cx.plan.rows(tensor, frame, rows.clone()));
    }
    if let Some((base, rows)) = next_rows(rows.start, conv.shape.height, arena, worker) {
        add_sources(cx.plan, conv, frame, base, rows, &mut ahead);
    }
    ahead
}

fn forward_strip(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    tiles: Tiles,
    places: &[usize],
    output: &mut [f32],
    ahead: Ahead,
    worker: &mut Worker,
) {
    let (group_in, group_out) = (conv.shape.group_in(), conv.shape.group_out());
    let bias = convolution_bias(cx, conv);
    let (sum, square) = worker.lanes.split_at_mut(conv.shape.out_channels * LANES);
    let sizes = sizes(conv, geometry, tiles);
    for group in 0..conv.shape.groups {
        let first = group * group_out;
        let sums = cx.stat_of(conv).map(|stat| Sums {
            shift: &cx.numbers.stat_shift[cx.plan.program.stats[stat].at + first..][..group_out],
            sum: &mut sum[first * LANES..][..group_out * LANES],
            square: &mut square[first * LANES..][..group_out * LANES],
        });
        strip(
            cx.plan.isa,
            sizes,
            &worker.inputs[group * group_in * LANES..],
            places,
            &cx.numbers.forward[conv.packed_group(group)],
            bias.map(|bias| &bias[first..first + group_out]),
            &mut output[first * LANES..],
            sums,
            ahead.unless(group > 0),
            &mut worker.transformed,
        );
    }
}

/// Sizes of a forward strip of one group.
pub(super) fn sizes(conv: &Conv, geometry: &Geometry, tiles: Tiles) -> Strip {
    Strip {
        in_channels: conv.shape.group_in(),
        out_channels: conv.shape.group_out(),
        tiles,
        in_step: geometry.pixel,
        out_step: geometry.out_pixel,
        out_row: geometry.out_width * geometry.out_pixel,
    }
}

impl ConvPass<'_> {
    /// Backward: all rows of a frame.
    pub(super) fn run_tiled(
        self,
        geometry: &Geometry,
        delivery: Option<&Delivery>,
        arena: &mut [f32],
        shard: &mut Shard,
        worker: &mut Worker,
    ) {
        let (cx, frame) = (self.cx, self.frame);
        let height = self.conv.shape.height;
        let (inputs, gradients) = (geometry.weight_ring(TILE), geometry.gradient_ring());
        let row_len = geometry.shape.width * geometry.pixel;
        let pairs = self.conv.shape.out_channels * self.conv.shape.group_in();
        worker.accumulators[..POINTS * pairs].fill(0.0);
        let (mut filled, mut there) = (0, 0);
        for first in (0..height).step_by(TILE) {
            let rows = TILE.min(height - first);
            while filled < (first + TILE + 1).min(height) {
                self.fill_gradient(geometry, (gradients, 0), filled, arena, worker);
                filled += 1;
            }
            while there < (first + TILE + 1).min(height) {
                self.fill_input(geometry, (inputs, 0), there, arena, worker);
                there += 1;
            }
            let tiles = geometry.tiles(rows);
            if geometry.transposed() {
                let ahead = self.ahead(first, arena, worker);
                self.accumulate(geometry, tiles, first, ahead, worker);
            } else {
                let rows = first..first + rows;
                geometry.pairs(rows, inputs, gradients, 1, &mut worker.pairs);
                self.add_weight_gradient(geometry, inputs, shard, worker);
            }
            let Some(delivery) = delivery else { continue };
            let mut ahead = Ahead::default();
            let span = first..first + rows;
            add_targets(cx.plan, delivery, frame, Base::of(arena), span, &mut ahead);
            let places = geometry.strip_inputs(gradients, first);
            self.input_gradient_strip(geometry, tiles, &places, ahead, worker);
            let mut strip = std::mem::take(&mut worker.strip);
            for (y, gradient) in (first..first + rows).zip(strip.chunks_exact_mut(row_len)) {
                let mut scratch = Scratch {
                    copy: &mut worker.other_row,
                    source: &mut worker.third_row,
                    lanes: &mut worker.lanes,
                };
                deliver(cx, delivery, frame, y, gradient, arena, shard, &mut scratch);
            }
            worker.strip = strip;
        }
        if geometry.transposed() {
            self.finish_weights(shard, worker);
        }
    }

    /// What the strip after the one at row `first` reads.
    fn ahead(self, first: usize, arena: &[f32], worker: &Worker) -> Ahead {
        let mut ahead = Ahead::default();
        let (plan, frame) = (self.cx.plan, self.frame);
        if let Some((base, rows)) = next_rows(first, self.conv.shape.height, arena, worker) {
            ahead.add(base, plan.gradient_rows(self.from, frame, rows.clone()));
            if matches!(self.from, Gradient::Norm(_)) {
                ahead.add(base, plan.rows(self.conv.output, frame, rows.clone()));
            }
            ahead.add(base, plan.rows(self.conv.input.tensor, frame, rows));
        }
        ahead
    }

    /// Adds a strip's part to the accumulators of the weight gradient.
    fn accumulate(
        self,
        geometry: &Geometry,
        tiles: Tiles,
        first: usize,
        ahead: Ahead,
        worker: &mut Worker,
    ) {
        let shape = &self.conv.shape;
        let (group_in, group_out) = (shape.group_in(), shape.group_out());
        let ring = geometry.weight_ring(TILE);
        let sizes = WeightStrip {
            in_channels: group_in,
            out_channels: group_out,
            block: ring.block(),
            tiles,
            out_step: geometry.out_pixel,
        };
        let places = geometry.strip_inputs(ring, first);
        let gradient_places = geometry.strip_gradients(geometry.gradient_ring(), first);
        let len = sizes.accumulators_len();
        for group in 0..shape.groups {
            add_strip(
                self.cx.plan.isa,
                sizes,
                &worker.inputs[geometry.weight_group(ring, group)..],
                &places,
                &worker.gradients[group * group_out * LANES..],
                &gradient_places,
                &mut worker.accumulators[group * len..][..len],
                ahead.unless(group > 0),
                &mut worker.transformed,
            );
        }
    }

    /// Four rows of the input's gradient, into the worker's strip.
    fn input_gradient_strip(
        self,
        geometry: &Geometry,
        tiles: Tiles,
        places: &[usize],
        ahead: Ahead,
        worker: &mut Worker,
    ) {
        let shape = &self.conv.shape;
        let (group_in, group_out) = (shape.group_in(), shape.group_out());
        let sizes = Strip {
            in_channels: group_out,
            out_channels: group_in,
            tiles,
            in_step: geometry.out_pixel,
            out_step: geometry.pixel,
            out_row: geometry.shape.width * geometry.pixel,
        };
        for group in 0..shape.groups {
            strip(
                self.cx.plan.isa,
                sizes,
                &worker.gradients[group * group_out * LANES..],
                places,
                &self.cx.numbers.backward[self.conv.packed_group(group)],
                None,
                &mut worker.strip[group * group_in * LANES..],
                None,
                ahead.unless(group > 0),
                &mut worker.transformed,
            );
        }
    }

    fn finish_weights(self, shard: &mut Shard, worker: &Worker) {
        let shape = &self.conv.shape;
        let (ins, outs) = (shape.group_in(), shape.group_out());
        for group in 0..shape.groups {
            finish(
                self.cx.plan.isa,
                ins,
                outs,
                &worker.accumulators[group * POINTS * ins * outs..][..POINTS * ins * outs],
                &mut shard.parts[self.part + group * 9 * ins * outs..][..9 * ins * outs],
            );
        }
    }
}
