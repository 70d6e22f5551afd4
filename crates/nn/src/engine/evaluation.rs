//! Evaluation: running statistics, folded into the weights once for each batch.
//!
//! Without batch statistics there is nothing to wait for: a shard runs through the whole network on
//! one thread, in one arena whose places are used over and over.

use super::executor::Executor;
use super::ir::Op;
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
    executor.make_room(batch.len);
    prepare(executor, parameters, state);
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
    for op in &program.ops {
        let Op::Conv(conv) = op else { continue };
        let (weight, range) = (conv.weight.of(parameters), conv.packed_range());
        let to = &mut numbers.forward[range];
        let Some(norm) = &conv.folded else {
            conv.pack_forward(isa, weight, None, to);
            continue;
        };
        // The scales lie where the biases will: one pass each.
        let biases = &mut numbers.bias[conv.bias_at..conv.bias_at + conv.shape.out_channels];
        for (c, scale) in biases.iter_mut().enumerate() {
            *scale = affine(norm, c, parameters, state).0;
        }
        conv.pack_forward(isa, weight, Some(biases), to);
        for (c, bias) in biases.iter_mut().enumerate() {
            let (scale, shift) = affine(norm, c, parameters, state);
            let own = conv.bias.map_or(0.0, |bias| bias.of(parameters)[c]);
            *bias = shift + scale * own;
        }
    }
    for norm in &program.norms {
        for c in 0..norm.spec.channels {
            let (scale, shift) = affine(&norm.spec, c, parameters, state);
            numbers.scale[norm.at + c] = scale;
            numbers.shift[norm.at + c] = shift;
        }
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
