//! Where a row of a gradient goes: through the activation it was read through, added to what came
//! before, and on through the sum it completes.

use reslab_kernels::pointwise::{
    GradientSums, Nonlinearity, add_assign, apply_backward, mask_by_input, mask_by_output,
    sum_backward,
};
use reslab_kernels::{LANES, reduce};

use super::backward_plan::{Delivery, Gradient, SumBackward};
use super::forward::fold_pairs;
use super::ir::Adapter;
use super::shard::{Context, Frame, Shard, pair};

/// Rows a delivery needs while it works, beside the gradient's own.
pub(super) struct Scratch<'a> {
    pub copy: &'a mut [f32],
    pub source: &'a mut [f32],
    /// Lane sums of the norms delivered to.
    pub lanes: &'a mut [f32],
}

/// Delivers row `y` of the gradient of `delivery.view`. `gradient` is used up.
pub(super) fn deliver(
    cx: Context<'_>,
    delivery: &Delivery,
    frame: Frame,
    y: usize,
    gradient: &mut [f32],
    arena: &mut [f32],
    shard: &mut Shard,
    scratch: &mut Scratch<'_>,
) {
    let isa = cx.plan.isa;
    let view = delivery.view;
    let input = cx.plan.row(view.tensor, frame, y);
    record(cx, delivery.record, frame, gradient, shard);
    if let (Some(norm), Some(affine)) = (view.norm, cx.affine(view)) {
        let spec = &cx.plan.program.norms[norm];
        let channels = spec.spec.channels;
        let lanes = &mut scratch.lanes[2 * delivery.lanes * LANES..][..2 * channels * LANES];
        let (sum, dot) = lanes.split_at_mut(channels * LANES);
        let mean = &cx.numbers.mean[spec.at..spec.at + channels];
        let to = cx.plan.gradient_row(Gradient::Norm(norm), frame, y);
        let (to, input) = pair(arena, to, input);
        let sums = GradientSums { mean, sum, dot };
        apply_backward(
            isa,
            channels,
            gradient,
            input,
            affine,
            view.activation,
            sums,
            to,
        );
        return;
    }
    if view.activation != Nonlinearity::Identity {
        mask_by_input(isa, view.activation, &arena[input], gradient);
    }
    if let (Some(sum), true, 1) = (&delivery.sum, view.is_plain(), frame.groups) {
        let base = delivery
            .base
            .map(|base| &arena[cx.plan.gradient_row(base, frame, y)]);
        let output = &arena[cx.plan.row(sum.output, frame, y)];
        let mut squares = [0.0; LANES];
        sum_backward(isa, gradient, base, sum.activation, output, &mut squares);
        if let Some(at) = delivery.record_tensor {
            let live = squares[..frame.live].iter();
            shard.records[at] += live.map(|&square| f64::from(square)).sum::<f64>();
        }
        through_terms(cx, sum, frame, y, gradient, arena, shard, scratch);
        return;
    }
    if let Some(base) = delivery.base {
        add_assign(isa, gradient, &arena[cx.plan.gradient_row(base, frame, y)]);
    }
    record(cx, delivery.record_tensor, frame, gradient, shard);
    if let Some(sum) = &delivery.sum {
        through_sum(cx, sum, frame, y, gradient, arena, shard, scratch);
    } else if let Some(store) = delivery.store {
        arena[cx.plan.gradient_row(store, frame, y)].copy_from_slice(gradient);
    }
}

/// Adds the squared norm of a block output's gradient.
fn record(cx: Context<'_>, at: Option<usize>, frame: Frame, gradient: &[f32], shard: &mut Shard) {
    let Some(at) = at.filter(|_| cx.observed) else {
        return;
    };
    let group = gradient.len() / frame.groups;
    for (index, gradient) in gradient.chunks_exact(group).enumerate() {
        let live = if index + 1 == frame.groups {
            frame.live
        } else {
            LANES
        };
        shard.records[at] += reduce::sum_of_squares_of_lanes(gradient, live);
    }
}

/// Backward of a sum on row `y` of its output's gradient, which is used up.
pub(super) fn through_sum(
    cx: Context<'_>,
    sum: &SumBackward,
    frame: Frame,
    y: usize,
    gradient: &mut [f32],
    arena: &mut [f32],
    shard: &mut Shard,
    scratch: &mut Scratch<'_>,
) {
    let output = &arena[cx.plan.row(sum.output, frame, y)];
    mask_by_output(cx.plan.isa, sum.activation, output, gradient);
    through_terms(cx, sum, frame, y, gradient, arena, shard, scratch);
}

/// The rest of [`through_sum`], from the gradient before the activation.
fn through_terms(
    cx: Context<'_>,
    sum: &SumBackward,
    frame: Frame,
    y: usize,
    gradient: &mut [f32],
    arena: &mut [f32],
    shard: &mut Shard,
    scratch: &mut Scratch<'_>,
) {
    for (adapter, delivery) in &sum.terms {
        match *adapter {
            Adapter::Same => {
                // The row may be changed on its way, but the next term wants it as it is.
                let Scratch {
                    copy,
                    source,
                    lanes,
                } = scratch;
                let (copy, rest) = copy.split_at_mut(gradient.len());
                let mut inner = Scratch {
                    copy: rest,
                    source,
                    lanes,
                };
                let row = if delivery.view.norm.is_some() {
                    &mut *gradient
                } else {
                    copy.copy_from_slice(gradient);
                    copy
                };
                deliver(cx, delivery, frame, y, row, arena, shard, &mut inner);
            }
            Adapter::Subsample { stride, before } => {
                spread(
                    cx,
                    delivery,
                    (stride, before),
                    frame,
                    y,
                    gradient,
                    arena,
                    shard,
                    scratch,
                );
            }
        }
    }
}

/// Backward of option A: the gradient of row `y` goes to every `stride`-th pixel of row
/// `y · stride`; the rows up to the next one get none.
fn spread(
    cx: Context<'_>,
    delivery: &Delivery,
    (stride, before): (usize, usize),
    frame: Frame,
    y: usize,
    gradient: &[f32],
    arena: &mut [f32],
    shard: &mut Shard,
    scratch: &mut Scratch<'_>,
) {
    let source = cx.plan.shape(delivery.view.tensor);
    let pixel = source.channels * LANES;
    let width = source.width.div_ceil(stride);
    let rows = y * stride..((y + 1) * stride).min(source.height);
    for source_row in rows {
        let Scratch {
            copy,
            source: row,
            lanes,
        } = scratch;
        let row = &mut row[..source.width * pixel];
        row.fill(0.0);
        if source_row == y * stride {
            let pixels = gradient.chunks_exact(gradient.len() / width);
            for (to, from) in row.chunks_exact_mut(pixel).step_by(stride).zip(pixels) {
                to.copy_from_slice(&from[before * LANES..][..pixel]);
            }
        }
        let mut inner = Scratch {
            copy,
            source: &mut [],
            lanes,
        };
        deliver(
            cx, delivery, frame, source_row, row, arena, shard, &mut inner,
        );
    }
}

/// Adds the lane sums of every norm a step delivered to, to the shard's.
pub(super) fn fold_deliveries(
    cx: Context<'_>,
    step: &super::backward_plan::BackwardStep,
    live: usize,
    lanes: &[f32],
    shard: &mut Shard,
) {
    step.visit_deliveries(&mut |delivery| {
        if let Some(norm) = delivery.view.norm {
            let norm = &cx.plan.program.norms[norm];
            let channels = norm.spec.channels;
            let lanes = &lanes[2 * delivery.lanes * LANES..][..2 * channels * LANES];
            fold_pairs(
                lanes,
                live,
                &mut shard.norm_sums[norm.at..norm.at + channels],
            );
        }
    });
}
