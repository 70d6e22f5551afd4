//! Max pooling. Where a window's largest value was is noted for the backward pass.

use reslab_kernels::LANES;
use reslab_kernels::select::{Window, give_to_larger, take_larger};

use super::super::backward_plan::{Delivery, Gradient};
use super::super::deliver::deliver;
use super::super::forward::view_row;
use super::super::ir::MaxPool;
use super::super::shard::{Context, Frame, Shard, Worker};

/// Largest values, row by row.
pub fn forward(
    cx: Context<'_>,
    op: &MaxPool,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let (input, output) = (cx.plan.shape(op.input.tensor), cx.plan.shape(op.output));
    let width = input.width * input.channels * LANES;
    for y in 0..output.height {
        let to = cx.plan.row(op.output, frame, y);
        let most = &mut worker.row[..to.len()];
        let places = &mut worker.third_row[..to.len()];
        most.fill(f32::NEG_INFINITY);
        places.fill(0.0);
        for row in 0..op.pool.kernel {
            let source = (y * op.pool.stride + row).checked_sub(op.pool.padding);
            let Some(source) = source.filter(|&source| source < input.height) else {
                continue;
            };
            let from = &mut worker.other_row[..width];
            view_row(cx, op.input, frame, source, arena, from);
            for column in 0..op.pool.kernel {
                let window = window(op, input.channels, row, column);
                take_larger(cx.plan.isa, window, from, most, places);
            }
        }
        arena[to].copy_from_slice(most);
        if let Some(noted) = op.places {
            arena[cx.plan.row(noted, frame, y)].copy_from_slice(places);
        }
    }
}

/// The gradient of each input row from the windows that reach it.
pub fn backward(
    cx: Context<'_>,
    op: &MaxPool,
    delivery: &Delivery,
    frame: Frame,
    arena: &mut [f32],
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let Some(noted) = op.places else { return };
    let (input, output) = (cx.plan.shape(op.input.tensor), cx.plan.shape(op.output));
    for y in 0..input.height {
        let (gradient, mut scratch) = worker.rows(input.width * input.channels * LANES);
        gradient.fill(0.0);
        for row in 0..op.pool.kernel {
            let Some(window_row) = (y + op.pool.padding).checked_sub(row) else {
                continue;
            };
            let from = window_row / op.pool.stride;
            if !window_row.is_multiple_of(op.pool.stride) || from >= output.height {
                continue;
            }
            let of_output = cx
                .plan
                .gradient_row(Gradient::Tensor(op.output), frame, from);
            let places = cx.plan.row(noted, frame, from);
            for column in 0..op.pool.kernel {
                let window = window(op, input.channels, row, column);
                let (of_output, places) = (&arena[of_output.clone()], &arena[places.clone()]);
                give_to_larger(cx.plan.isa, window, of_output, places, gradient);
            }
        }
        deliver(cx, delivery, frame, y, gradient, arena, shard, &mut scratch);
    }
}

fn window(op: &MaxPool, channels: usize, row: usize, column: usize) -> Window {
    Window {
        pixel: channels * LANES,
        stride: op.pool.stride,
        offset: op.pool.padding as isize - column as isize,
        place: (row * op.pool.kernel + column) as u16,
    }
}
