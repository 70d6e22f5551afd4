//! Weights before and after a step, on all threads: packed for the kernels, and their gradients put
//! together from the shards' parts.

use std::sync::RwLock;

use rayon::prelude::*;
use reslab_kernels::pointwise::add_assign;
use reslab_kernels::{Isa, LANES};

use super::executor::Executor;
use super::ir::{Conv, Op};
use super::shard::Shard;

/// Packs the weights of some ops, whose places are in `range`, on all threads: halves of the ops,
/// then halves of those.
pub(super) fn pack(
    isa: Isa,
    ops: &[Op],
    range: (usize, usize),
    parameters: &[f32],
    (forward, backward): (&mut [f32], &mut [f32]),
) {
    if let [Op::Conv(conv)] = ops {
        let weight = conv.weight.of(parameters);
        conv.pack_forward(isa, weight, None, forward);
        if conv.propagates {
            conv.pack_backward(isa, weight, backward);
        }
    }
    if ops.len() < 2 {
        return;
    }
    let (front, back) = ops.split_at(ops.len() / 2);
    let first = back.iter().find_map(|op| match op {
        Op::Conv(conv) => Some(conv.packed),
        _ => None,
    });
    let middle = first.unwrap_or(range.1);
    let (forward, more) = forward.split_at_mut(middle - range.0);
    let (backward, more_backward) = backward.split_at_mut(middle - range.0);
    rayon::join(
        || {
            pack(
                isa,
                front,
                (range.0, middle),
                parameters,
                (forward, backward),
            )
        },
        || {
            pack(
                isa,
                back,
                (middle, range.1),
                parameters,
                (more, more_backward),
            )
        },
    );
}

/// Numbers that are summed over the shards before they are turned: few enough for a near cache.
const PIECE: usize = 1 << 12;

/// Adds the shards' parts of a phase's weight gradients, in order, to the arena's layout.
pub(super) fn combine(executor: &Executor, phase: usize, len: usize, gradient: &mut [f32]) {
    let isa = executor.plan.isa;
    let shards = &executor.shards[..len.div_ceil(executor.shard_images())];
    for &(op, part) in &executor.phases[phase].weights {
        let Op::Conv(conv) = &executor.plan.program.ops[op] else {
            continue;
        };
        let row = conv.shape.group_in() * conv.shape.places();
        let rows = (PIECE / row.max(1)).max(1);
        let pieces = conv.weight.of_mut(gradient);
        if pieces.len() <= 4 * PIECE {
            let pieces = pieces.chunks_mut(rows * row).enumerate();
            pieces.for_each(|(at, to)| combine_rows(isa, conv, part, shards, at * rows, to));
        } else {
            let pieces = pieces.par_chunks_mut(rows * row).enumerate();
            pieces.for_each(|(at, to)| combine_rows(isa, conv, part, shards, at * rows, to));
        }
        if let Some(bias) = conv.bias {
            let (start, to) = (part + conv.shape.weight_len(), bias.of_mut(gradient));
            for_each_part(shards, |parts| {
                add(isa, to, &parts[start..start + to.len()])
            });
        }
    }
}

/// Some output channels from `first` on: from `(group, place, out, in)` to `(out, in, place)`.
fn combine_rows(
    isa: Isa,
    conv: &Conv,
    part: usize,
    shards: &[RwLock<Shard>],
    first: usize,
    to: &mut [f32],
) {
    let (places, inputs) = (conv.shape.places(), conv.shape.group_in());
    let outputs = conv.shape.group_out();
    if places == 1 {
        // There is nothing to turn.
        let start = part + first * inputs;
        return for_each_part(shards, |parts| {
            add(isa, to, &parts[start..start + to.len()])
        });
    }
    // Of one output channel, as many input channels as there is room for; of small ones several.
    let most = (PIECE / places).clamp(1, inputs);
    let mut total = [0.0; PIECE];
    let rows = (PIECE / (places * most)).max(1);
    for (at, to) in to.chunks_mut(rows * inputs * places).enumerate() {
        let first_row = first + at * rows;
        let rows = to.len() / (inputs * places);
        for first_in in (0..inputs).step_by(most) {
            let some = most.min(inputs - first_in);
            let total = &mut total[..rows * places * some];
            total.fill(0.0);
            for_each_part(shards, |parts| {
                for (at, to) in total.chunks_exact_mut(some).enumerate() {
                    let (output, place) = (first_row + at / places, at % places);
                    let (group, output) = (output / outputs, output % outputs);
                    let row = (group * places + place) * outputs + output;
                    add(isa, to, &parts[part + row * inputs + first_in..][..some]);
                }
            });
            for (row, total) in total.chunks_exact(places * some).enumerate() {
                let to = &mut to[(row * inputs + first_in) * places..][..some * places];
                turn(total, places, to);
            }
        }
    }
}

/// Visits the shards' parts in order.
fn for_each_part(shards: &[RwLock<Shard>], mut visit: impl FnMut(&[f32])) {
    for shard in shards {
        visit(&shard.read().unwrap_or_else(|e| e.into_inner()).parts);
    }
}

fn add(isa: Isa, to: &mut [f32], values: &[f32]) {
    let vectors = to.len() / LANES * LANES;
    let (front, rest) = to.split_at_mut(vectors);
    add_assign(isa, front, &values[..vectors]);
    let rest = rest.iter_mut().zip(&values[vectors..]);
    rest.for_each(|(to, value)| *to += value);
}

/// Adds `(place, in)` to `(in, place)`.
fn turn(values: &[f32], places: usize, to: &mut [f32]) {
    let inputs = values.len() / places;
    for (input, to) in to.chunks_exact_mut(places).enumerate() {
        let from = values[input..].iter().step_by(inputs);
        to.iter_mut().zip(from).for_each(|(to, value)| *to += value);
    }
}
