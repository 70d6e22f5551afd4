//! Evaluation: running statistics, folded into the weights once for each batch.
//!
//! Without batch statistics there is nothing to wait for: a shard runs through the whole network on
//! one thread, in one arena whose places are used over and over.

use reslab_kernels::Isa;

use super::executor::Executor;
use super::ir::{Conv, Op};
use super::training::running;
use crate::loss::{Batch, BatchResult, Loss};
use crate::network::BatchNorm;

/// Forward with running statistics. See [`super::Engine::evaluate`].
pub(super) fn evaluate(
    executor: &mut Executor,
    parameters: &[f32],
    state: &[f32],
    batch: &Batch<'_>,
    loss: &Loss,
    logits: &mut Vec<f32>,
) -> BatchResult {
    prepare(executor, parameters, state);
    evaluate_again(executor, parameters, batch, loss, logits)
}

/// The same with the parameters and statistics of the last call.
pub(super) fn evaluate_again(
    executor: &mut Executor,
    parameters: &[f32],
    batch: &Batch<'_>,
    loss: &Loss,
    logits: &mut Vec<f32>,
) -> BatchResult {
    executor.make_room(batch.len);
    for phase in 0..executor.phases.len() {
        executor.run_phase(phase, parameters, batch, loss);
    }
    executor.collect(batch.len, logits)
}

/// Packs weights with batch norm folded in, and finds the coefficients of the norms that follow no
/// convolution.
fn prepare(executor: &mut Executor, parameters: &[f32], state: &[f32]) {
    let (isa, program, numbers) = (
        executor.plan.isa,
        &executor.plan.program,
        &mut executor.numbers,
    );
    let packed = (&mut numbers.forward[..], &mut numbers.bias[..]);
    let ends = (program.packed, program.bias_channels);
    pack(isa, &program.ops, (0, 0), ends, (parameters, state), packed);
    for norm in &program.norms {
        for c in 0..norm.spec.channels {
            let (scale, shift) = affine(&norm.spec, c, parameters, state);
            numbers.scale[norm.at + c] = scale;
            numbers.shift[norm.at + c] = shift;
        }
    }
}

/// Packs the weights of some ops, and finds their biases: halves of the ops on any thread, then
/// halves of those. `starts` and `ends` are the places of the first and past the last of them.
fn pack(
    isa: Isa,
    ops: &[Op],
    starts: (usize, usize),
    ends: (usize, usize),
    arenas: (&[f32], &[f32]),
    (packed, biases): (&mut [f32], &mut [f32]),
) {
    if let [Op::Conv(conv)] = ops {
        pack_one(isa, conv, arenas, packed, biases);
    }
    if ops.len() < 2 {
        return;
    }
    let (front, back) = ops.split_at(ops.len() / 2);
    let first = back.iter().find_map(|op| match op {
        Op::Conv(conv) => Some((conv.packed, conv.bias_at)),
        _ => None,
    });
    let middle = first.unwrap_or(ends);
    let (packed, more) = packed.split_at_mut(middle.0 - starts.0);
    let (biases, more_biases) = biases.split_at_mut(middle.1 - starts.1);
    rayon::join(
        || pack(isa, front, starts, middle, arenas, (packed, biases)),
        || pack(isa, back, middle, ends, arenas, (more, more_biases)),
    );
}

/// Packs one weight, with the norm that is folded into it.
fn pack_one(
    isa: Isa,
    conv: &Conv,
    (parameters, state): (&[f32], &[f32]),
    packed: &mut [f32],
    biases: &mut [f32],
) {
    let weight = conv.weight.of(parameters);
    let Some(norm) = &conv.folded else {
        return conv.pack_forward(isa, weight, None, packed);
    };
    // The scales lie where the biases will: one pass each.
    for (c, scale) in biases.iter_mut().enumerate() {
        *scale = affine(norm, c, parameters, state).0;
    }
    conv.pack_forward(isa, weight, Some(biases), packed);
    for (c, bias) in biases.iter_mut().enumerate() {
        let (scale, shift) = affine(norm, c, parameters, state);
        let own = conv.bias.map_or(0.0, |bias| bias.of(parameters)[c]);
        *bias = shift + scale * own;
    }
}

/// What a norm does to channel `c` with its running statistics.
fn affine(norm: &BatchNorm, c: usize, parameters: &[f32], state: &[f32]) -> (f32, f32) {
    running(norm, c, state).affine(
        norm.weight.of(parameters)[c],
        norm.bias.of(parameters)[c],
        norm.epsilon,
    )
}
