//! What passes keep: arenas of groups, sums of pieces, packed weights, scratch of threads.

use std::ops::Range;

use reslab_kernels::{Buffer, Isa, LANES};

use rayon::prelude::*;

use super::convolution::Scratch;
use super::program::{Conv, Program};

/// Sixteen images: an arena each for values, for gradients at them, and for the tangents of both.
/// A vector–Jacobian product has its gradients in the place of the gradients' tangents.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub values: Buffer,
    pub gradients: Buffer,
    pub tangents: Buffer,
    pub gradient_tangents: Buffer,
    /// A bit for each number that a ReLU puts out: whether it is larger than 0.
    pub masks: Vec<u16>,
    /// What a pass hands on: outputs, or gradients at the input, samples one after the other.
    pub found: Vec<f32>,
}

/// Groups that one thread works on, one after the other. There are as many pieces for any number of
/// threads, and what they add up is put together in their order.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub groups: Range<usize>,
    /// Of each convolution `(group, place, out, in)`.
    pub weights: Buffer,
    /// Two sums for each channel of a norm, norm by norm, and one for each channel of a bias.
    pub sums: Vec<f64>,
    pub loss_sum: f64,
    pub wrong: usize,
}

/// What one thread needs.
#[derive(Debug, Default)]
pub(super) struct Worker {
    pub scratch: Scratch,
    /// Arenas of the group at hand, where groups are taken through a whole pass one by one.
    pub values: Buffer,
    pub tangents: Buffer,
    pub gradient_tangents: Buffer,
    pub lanes: Buffer,
    /// As large as the largest value.
    pub first: Buffer,
    pub second: Buffer,
    /// A zero for each channel.
    pub zeros: Vec<f32>,
}

impl Worker {
    pub fn new(program: &Program) -> Self {
        Self {
            scratch: Scratch::new(program.convs.iter().map(|conv| &conv.plan)),
            lanes: Buffer::zeros(2 * program.channels * LANES),
            first: Buffer::zeros(program.largest),
            second: Buffer::zeros(program.largest),
            zeros: vec![0.0; program.channels],
            ..Self::default()
        }
    }
}

/// Gives a buffer at least a length.
pub(super) fn make_room(buffer: &mut Buffer, len: usize) {
    if buffer.len() < len {
        *buffer = Buffer::zeros(len);
    }
}

/// Gives a buffer its length.
pub(super) fn ensure(buffer: &mut Buffer, len: usize) {
    if buffer.len() != len {
        *buffer = Buffer::zeros(len);
    }
}

/// Floats of all pieces' weight gradients that are worth more pieces.
const MOST_WEIGHTS: usize = 1 << 25;

/// How many pieces so many groups are cut into.
pub(super) fn piece_count(program: &Program, groups: usize) -> usize {
    let most = (MOST_WEIGHTS / program.weights.max(1)).clamp(4, 32);
    groups.min(most)
}

/// A convolution's weights, as passes forward and backward read them.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub forward: Buffer,
    pub backward: Buffer,
}

/// Packs the weights of all convolutions for forward passes.
pub(super) fn pack_forward(
    isa: Isa,
    program: &Program,
    parameters: &[f32],
    packed: &mut Vec<Packed>,
) {
    packed.resize_with(program.convs.len(), Packed::default);
    let convs = program.convs.par_iter().zip(packed.par_iter_mut());
    convs.for_each(|(conv, packed)| {
        let weight = [conv.weight.of(parameters)];
        ensure(&mut packed.forward, conv.plan.packed_forward_len(1));
        conv.plan.pack_forward(isa, &weight, &mut packed.forward);
    });
}

/// Packs them for backward passes.
pub(super) fn pack_backward(
    isa: Isa,
    program: &Program,
    parameters: &[f32],
    packed: &mut [Packed],
) {
    let convs = program.convs.par_iter().zip(packed.par_iter_mut());
    convs.for_each(|(conv, packed)| {
        let weight = [conv.weight.of(parameters)];
        ensure(&mut packed.backward, conv.plan.packed_backward_len(1));
        conv.plan.pack_backward(isa, &weight, &mut packed.backward);
    });
}

/// Packs weights and their tangents side by side; of a convolution for which `alone` holds, whose
/// input does not move, the tangents alone.
pub(super) fn pack_tangents(
    isa: Isa,
    program: &Program,
    (parameters, direction): (&[f32], &[f32]),
    alone: impl Fn(usize) -> bool + Sync,
    packed: &mut Vec<Packed>,
) {
    packed.resize_with(program.convs.len(), Packed::default);
    let convs = program.convs.par_iter().zip(packed.par_iter_mut());
    convs.enumerate().for_each(|(at, (conv, packed))| {
        let weights = [conv.weight.of(parameters), conv.weight.of(direction)];
        let forward = if alone(at) { &weights[1..] } else { &weights };
        let len = conv.plan.packed_forward_len(forward.len());
        ensure(&mut packed.forward, len);
        ensure(&mut packed.backward, conv.plan.packed_backward_len(2));
        conv.plan.pack_forward(isa, forward, &mut packed.forward);
        conv.plan.pack_backward(isa, &weights, &mut packed.backward);
    });
}

/// Adds the pieces' parts of the weight and bias gradients, piece by piece, to an arena.
pub(super) fn combine(program: &Program, pieces: &[&Piece], arena: &mut [f32]) {
    let sums: Vec<Vec<f32>> = program
        .convs
        .par_iter()
        .map(|conv| weight_sum(conv, pieces))
        .collect();
    for (conv, sum) in program.convs.iter().zip(&sums) {
        let to = conv.weight.of_mut(arena);
        to.iter_mut().zip(sum).for_each(|(to, sum)| *to += sum);
        if let Some(bias) = conv.bias {
            let at = 2 * program.norm_channels + conv.bias_at;
            for (c, to) in bias.of_mut(arena).iter_mut().enumerate() {
                *to += pieces.iter().map(|piece| piece.sums[at + c]).sum::<f64>() as f32;
            }
        }
    }
}

/// A convolution's weight gradient, `(out, in, place)`.
fn weight_sum(conv: &Conv, pieces: &[&Piece]) -> Vec<f32> {
    let shape = &conv.plan.shape;
    let (inputs, outputs, places) = (shape.group_in(), shape.group_out(), shape.places());
    let len = shape.weight_len();
    let mut total = vec![0.0; len];
    for piece in pieces {
        let part = &piece.weights[conv.part..conv.part + len];
        total
            .iter_mut()
            .zip(part)
            .for_each(|(to, part)| *to += part);
    }
    let mut sum = vec![0.0; len];
    for (row, from) in total.chunks_exact(inputs).enumerate() {
        let (group, rest) = (row / (places * outputs), row % (places * outputs));
        let (place, output) = (rest / outputs, rest % outputs);
        let to = &mut sum[(group * outputs + output) * inputs * places..];
        for (to, from) in to[place..].iter_mut().step_by(places).zip(from) {
            *to = *from;
        }
    }
    sum
}
