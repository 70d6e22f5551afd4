//! What multiplies number by number: constants, dropout, survival of branches, gates.

use reslab_kernels::LANES;
use reslab_kernels::noise::{Mask, mask};
use reslab_kernels::select::{gate, gate_backward, scale};

use super::super::backward_plan::{Delivery, Gradient};
use super::super::deliver::deliver;
use super::super::forward::view_row;
use super::super::ir::{Factor, Product};
use super::super::shard::{Context, Frame, Shard, Worker};

/// The product, row by row.
pub fn forward(
    cx: Context<'_>,
    op: &Product,
    frame: Frame,
    arena: &mut [f32],
    shard: &Shard,
    worker: &mut Worker,
) {
    for y in 0..cx.plan.shape(op.output).height {
        let to = cx.plan.row(op.output, frame, y);
        let row = &mut worker.row[..to.len()];
        view_row(cx, op.input, frame, y, arena, row);
        multiply(cx, op, frame, y, arena, shard.first, row);
        arena[to].copy_from_slice(row);
    }
}

/// The gradients of what is multiplied and, where that is a gate, of its logits.
pub fn backward(
    cx: Context<'_>,
    op: &Product,
    (from, input, logits): (Gradient, Option<&Delivery>, Option<&Delivery>),
    frame: Frame,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    for y in 0..cx.plan.shape(op.output).height {
        let of_output = cx.plan.gradient_row(from, frame, y);
        if let (Some(delivery), Factor::Gate { logits, complement }) = (logits, op.factor) {
            let (row, mut scratch) = worker.rows(of_output.len());
            view_row(cx, op.input, frame, y, arena, row);
            let logits = &arena[cx.plan.row(logits, frame, y)];
            let gradient = &arena[of_output.clone()];
            gate_backward(cx.plan.isa, complement, logits, gradient, row);
            deliver(cx, delivery, frame, y, row, arena, shard, &mut scratch);
        }
        if let Some(delivery) = input {
            let (row, mut scratch) = worker.rows(of_output.len());
            row.copy_from_slice(&arena[of_output]);
            multiply(cx, op, frame, y, arena, shard.first, row);
            deliver(cx, delivery, frame, y, row, arena, shard, &mut scratch);
        }
    }
}

/// Multiplies row `y` in place. `first` is the shard's first sample in the batch.
fn multiply(
    cx: Context<'_>,
    op: &Product,
    frame: Frame,
    y: usize,
    arena: &[f32],
    first: usize,
    row: &mut [f32],
) {
    let isa = cx.plan.isa;
    match op.factor {
        Factor::Constant(factor) => scale(isa, factor, row),
        Factor::Survival(survival) => {
            let kept = cx
                .batch
                .noise
                .survives(survival.stream, survival.probability);
            scale(isa, f32::from(u8::from(kept)), row);
        }
        Factor::Dropout(dropout) => {
            let first = first + frame.first * LANES;
            let key = |lane| cx.batch.noise.key(dropout.stream, first + lane);
            let place = y * row.len() / LANES;
            let by = Mask::of_rate(dropout.rate);
            mask(isa, by, &std::array::from_fn(key), place as u32, row);
        }
        Factor::Gate { logits, complement } => {
            gate(isa, complement, &arena[cx.plan.row(logits, frame, y)], row);
        }
    }
}
