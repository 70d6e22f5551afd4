//! A training step: what happens between its phases.

use reslab_kernels::batch_norm::{Moments, backward};

use super::Response;
use super::executor::Executor;
use super::weights;
use crate::loss::{Batch, BatchResult, Loss};
use crate::network::{BatchNorm, Survival};

/// What a step found out about layers, kept for the instruments.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of each stat channel.
    pub moments: Vec<Moments>,
    /// Mean and mean square of each stat's layer output, after its norm.
    pub responses: Vec<(f64, f64)>,
    /// Squared gradient norm of each block's output.
    pub output_gradients: Vec<f64>,
}

impl Found {
    pub fn for_executor(executor: &Executor) -> Self {
        let program = &executor.plan.program;
        Self {
            moments: vec![
                Moments {
                    mean: 0.0,
                    variance: 0.0
                };
                program.stat_channels
            ],
            responses: vec![(0.0, 0.0); program.stats.len()],
            output_gradients: vec![0.0; executor.records.len()],
        }
    }

    /// The spread of each named layer's output.
    pub fn responses(&self, executor: &Executor) -> Vec<Response> {
        let stats = executor.plan.program.stats.iter().zip(&self.responses);
        stats
            .filter_map(|(stat, &(mean, square))| {
                let (layer, block) = stat.layer.clone()?;
                Some(Response {
                    layer,
                    block,
                    std: (square - mean * mean).max(0.0).sqrt(),
                })
            })
            .collect()
    }
}

/// Forward with batch statistics and nothing else. See [`super::Engine::pass_statistics`].
pub(super) fn pass(
    executor: &mut Executor,
    found: &mut Found,
    parameters: &[f32],
    state: &mut [f32],
    batch: &Batch<'_>,
    outputs: &mut Vec<f32>,
) {
    executor.make_room(batch.len);
    prepare(executor, parameters, state, batch.len);
    for phase in 0..executor.phases.len() {
        executor.run_phase(phase, parameters, batch, &Loss::SquaredError);
        finish_stats(executor, found, phase, parameters, state, batch);
    }
    executor.collect(batch.len, outputs);
}

/// One step: forward, loss, backward. See [`super::Engine::step`].
pub(super) fn step(
    executor: &mut Executor,
    found: &mut Found,
    parameters: &[f32],
    state: &mut [f32],
    batch: &Batch<'_>,
    loss: &Loss,
    gradient: &mut [f32],
    logits: &mut Vec<f32>,
) -> BatchResult {
    executor.make_room(batch.len);
    gradient.fill(0.0);
    prepare(executor, parameters, state, batch.len);
    for phase in 0..executor.phases.len() {
        executor.run_phase(phase, parameters, batch, loss);
        finish_stats(executor, found, phase, parameters, state, batch);
        finish_norms(
            executor, found, phase, parameters, state, batch.len, gradient,
        );
        weights::combine(executor, phase, batch.len, gradient);
    }
    for (block, total) in found.output_gradients.iter_mut().enumerate() {
        let at = executor.records[block];
        *total = executor
            .shards(batch.len)
            .map(|shard| shard.records[at])
            .sum();
    }
    executor.collect(batch.len, logits)
}

/// Packs weights and clears sums.
fn prepare(executor: &mut Executor, parameters: &[f32], state: &[f32], len: usize) {
    let (isa, program, numbers) = (
        executor.plan.isa,
        &executor.plan.program,
        &mut executor.numbers,
    );
    let packed = (&mut numbers.forward[..], &mut numbers.backward[..]);
    weights::pack(isa, &program.ops, (0, program.packed), parameters, packed);
    for stat in &program.stats {
        if let Some(slot) = stat.shift {
            numbers.stat_shift[stat.at..stat.at + stat.channels].copy_from_slice(slot.of(state));
        }
    }
    for shard in executor.shards(len) {
        shard.sums.fill([0.0; 2]);
        shard.norm_sums.fill([0.0; 2]);
        shard.records.fill(0.0);
    }
}

/// Batch statistics of a phase's stats, coefficients of their norms, running statistics.
fn finish_stats(
    executor: &mut Executor,
    found: &mut Found,
    phase: usize,
    parameters: &[f32],
    state: &mut [f32],
    batch: &Batch<'_>,
) {
    let len = batch.len;
    for at in 0..executor.phases[phase].stats.len() {
        let index = executor.phases[phase].stats[at];
        if !executor.observed && !executor.plan.program.stats[index].normed {
            continue;
        }
        let (first, channels, pixels) = {
            let stat = &executor.plan.program.stats[index];
            (stat.at, stat.channels, stat.pixels)
        };
        let count = (len * pixels) as f64;
        for channel in first..first + channels {
            let (sum, square) = executor
                .shards(len)
                .fold((0.0, 0.0), |(sum, square), shard| {
                    (
                        sum + shard.sums[channel][0],
                        square + shard.sums[channel][1],
                    )
                });
            let shift = executor.numbers.stat_shift[channel];
            found.moments[channel] = Moments::from_sums(sum, square, count, shift);
        }
        let moments = &found.moments[first..first + channels];
        let (numbers, program) = (&mut executor.numbers, &executor.plan.program);
        found.responses[index] = spread(moments.iter().map(|m| (m.mean, m.variance)), channels);
        for norm in program.norms.iter().filter(|norm| norm.stat == Some(index)) {
            let (weights, biases) = (
                norm.spec.weight.of(parameters),
                norm.spec.bias.of(parameters),
            );
            let kept = |s: Survival| batch.noise.survives(s.stream, s.probability);
            let dropped = norm.survival.is_some_and(|survival| !kept(survival));
            let momentum = norm.spec.momentum;
            let running_mean = norm.spec.running_mean.offset;
            let running_var = norm.spec.running_var.offset;
            for (c, moments) in moments.iter().enumerate() {
                let used = match norm.spec.frozen {
                    true => running(&norm.spec, c, state),
                    false => *moments,
                };
                let (scale, shift) = used.affine(weights[c], biases[c], norm.spec.epsilon);
                numbers.scale[norm.at + c] = scale;
                numbers.shift[norm.at + c] = shift;
                numbers.mean[norm.at + c] = used.mean as f32;
                if dropped || norm.spec.frozen {
                    continue;
                }
                let blend = |old: f32, new: f64| {
                    ((1.0 - momentum) * f64::from(old) + momentum * new) as f32
                };
                let unbiased = moments.variance * count / (count - 1.0).max(1.0);
                state[running_mean + c] = blend(state[running_mean + c], moments.mean);
                state[running_var + c] = blend(state[running_var + c], unbiased);
            }
            // A norm that uses the batch's μ and σ² leaves mean β and variance γ² σ²/(σ² + ε).
            let after = moments.iter().enumerate().map(|(c, m)| {
                let used = match norm.spec.frozen {
                    true => running(&norm.spec, c, state),
                    false => *m,
                };
                let (gain, square) = (f64::from(weights[c]), used.variance + norm.spec.epsilon);
                (
                    f64::from(biases[c]) + gain * (m.mean - used.mean) / square.sqrt(),
                    gain.powi(2) * m.variance / square,
                )
            });
            found.responses[index] = spread(after, channels);
        }
    }
}

/// The running statistics of channel `c`.
pub(super) fn running(norm: &BatchNorm, c: usize, state: &[f32]) -> Moments {
    Moments {
        mean: f64::from(norm.running_mean.of(state)[c]),
        variance: f64::from(norm.running_var.of(state)[c]),
    }
}

/// Mean and mean square over channels with these means and variances.
fn spread(channels: impl Iterator<Item = (f64, f64)>, count: usize) -> (f64, f64) {
    channels.fold((0.0, 0.0), |(total, square), (mean, variance)| {
        let share = 1.0 / count as f64;
        (
            total + share * mean,
            square + share * (variance + mean * mean),
        )
    })
}

/// Gradients of γ and β, and coefficients of the gradient before the norm.
fn finish_norms(
    executor: &mut Executor,
    found: &Found,
    phase: usize,
    parameters: &[f32],
    state: &[f32],
    len: usize,
    gradient: &mut [f32],
) {
    for at in 0..executor.phases[phase].norms.len() {
        let index = executor.phases[phase].norms[at];
        let norm = &executor.plan.program.norms[index];
        let Some(stat) = norm.stat.map(|stat| &executor.plan.program.stats[stat]) else {
            continue;
        };
        let (first, stat_first, channels) = (norm.at, stat.at, stat.channels);
        let (weight, bias, epsilon) = (norm.spec.weight, norm.spec.bias, norm.spec.epsilon);
        let frozen = norm.spec.frozen.then(|| norm.spec.clone());
        // Running statistics do not depend on the batch: as if it were one of infinitely many.
        let count = match frozen {
            Some(_) => f64::INFINITY,
            None => (len * stat.pixels) as f64,
        };
        for c in 0..channels {
            let (sum, dot) = executor.shards(len).fold((0.0, 0.0), |(sum, dot), shard| {
                let [more, more_dot] = shard.norm_sums[first + c];
                (sum + more, dot + more_dot)
            });
            let moments = match &frozen {
                Some(spec) => running(spec, c, state),
                None => found.moments[stat_first + c],
            };
            let b = backward(moments, weight.of(parameters)[c], epsilon, sum, dot, count);
            gradient[weight.offset + c] += b.grad_weight;
            gradient[bias.offset + c] += b.grad_bias;
            let numbers = &mut executor.numbers;
            numbers.of_gradient[first + c] = b.of_gradient;
            numbers.of_input[first + c] = b.of_input;
            numbers.constant[first + c] = b.constant;
        }
    }
}
