//! What an engine's memory is for.

use reslab_kernels::LANES;

use super::Engine;
use super::executor::Executor;
use super::shard::{Numbers, Plan, Shard, Worker};

/// Bytes an engine holds, by what they are for. All of it is planned before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Outputs of convolutions, sums of blocks, pooled vectors: of the whole batch in training, of
    /// one shard for each thread in evaluation, where places are used again.
    pub activations: usize,
    /// Gradients of activations, where they do not lie in the place of another.
    pub gradients: usize,
    /// Weights in the order in which the kernels read them, forward and backward.
    pub packed_weights: usize,
    /// The shards' parts of weight gradients and of all sums, coefficients of batch norms, logits.
    pub sums: usize,
    /// Rows and rings of each thread.
    pub workers: usize,
}

impl Footprint {
    /// All bytes.
    pub fn total(&self) -> usize {
        let Self {
            activations,
            gradients,
            packed_weights,
            sums,
            workers,
        } = self;
        activations + gradients + packed_weights + sums + workers
    }
}

impl Engine {
    /// What the engine's memory is for, in bytes: of its training and its evaluation together, as
    /// far as they have been planned.
    pub fn footprint(&mut self) -> Footprint {
        let training = self.training.iter_mut().map(|(executor, _)| executor);
        let mut total = Footprint::default();
        for executor in training.chain(&mut self.evaluation) {
            let part = executor_footprint(executor);
            total.activations += part.activations;
            total.gradients += part.gradients;
            total.packed_weights += part.packed_weights;
            total.sums += part.sums;
            total.workers += part.workers;
        }
        total.sums += bytes_of(&self.logits);
        total
    }
}

fn executor_footprint(executor: &mut Executor) -> Footprint {
    let shards = executor.shards.iter_mut();
    let shards = shards.map(|shard| &*shard.get_mut().unwrap_or_else(|e| e.into_inner()));
    let (mut arenas, mut sums) = (0, coefficients(&executor.numbers));
    for shard in shards {
        arenas += bytes_of(&shard.arena);
        sums += shard_sums(shard);
    }
    let workers = executor.workers.iter();
    arenas += workers.clone().map(|w| bytes_of(&w.arena)).sum::<usize>();
    // Every arena has the same plan, a part of it activations.
    let arena = (executor.plan.arena * size_of::<f32>()).max(1);
    let activations = arenas / arena * activation_floats(&executor.plan) * size_of::<f32>();
    let numbers = &executor.numbers;
    Footprint {
        activations,
        gradients: arenas - activations,
        packed_weights: bytes_of(&numbers.forward) + bytes_of(&numbers.backward),
        sums,
        workers: workers.map(scratch).sum(),
    }
}

/// Floats of an arena that are a stored tensor's at some time.
fn activation_floats(plan: &Plan) -> usize {
    let tensors = plan.program.tensors.iter();
    let mut places: Vec<(usize, usize)> = tensors
        .map(|t| (t.offset, t.offset + t.shape.len() * plan.groups * LANES))
        .collect();
    places.sort_unstable();
    let (mut covered, mut end) = (0, 0);
    for (from, to) in places {
        covered += to.max(end) - from.max(end);
        end = end.max(to);
    }
    covered.min(plan.arena)
}

fn shard_sums(shard: &Shard) -> usize {
    bytes_of(&shard.parts)
        + bytes_of(&shard.sums)
        + bytes_of(&shard.norm_sums)
        + bytes_of(&shard.records)
        + bytes_of(&shard.logits)
}

fn coefficients(numbers: &Numbers) -> usize {
    [
        &numbers.bias,
        &numbers.scale,
        &numbers.shift,
        &numbers.mean,
        &numbers.of_gradient,
        &numbers.of_input,
        &numbers.constant,
        &numbers.stat_shift,
        &numbers.zeros,
    ]
    .iter()
    .map(|numbers| bytes_of(numbers))
    .sum()
}

fn scratch(worker: &Worker) -> usize {
    let rows = [
        &worker.inputs,
        &worker.gradients,
        &worker.row,
        &worker.other_row,
        &worker.third_row,
        &worker.lanes,
        &worker.other_lanes,
        &worker.strip,
        &worker.transformed,
        &worker.accumulators,
    ];
    let rows: usize = rows.iter().map(|row| bytes_of(row)).sum();
    rows + bytes_of(&worker.taps) + bytes_of(&worker.pairs)
}

fn bytes_of<T>(numbers: &[T]) -> usize {
    size_of_val(numbers)
}
