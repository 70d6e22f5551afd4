//! How fast and in how much memory a network trains and evaluates, on noise: speed does not depend
//! on what images show.

mod memory;
mod side_by_side;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub use memory::{MemoryUse, memory_use, peak_resident_bytes};
pub use side_by_side::{SideBySide, SpeedError, side_by_side};

use crate::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use crate::error::ShapeError;
use crate::families::{InitSettings, initialize};
use crate::network::Network;
use crate::random::{Purpose, stream, uniform};
use crate::train::{Optimiser, TrainSettings};

/// Steps before the clock starts: memory is touched and caches are warm.
pub const WARM_UP: usize = 2;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Whole training steps: forward, backward, SGD with momentum and weight decay.
    Training,
    /// Forward with running statistics, folded into the weights; loss and error.
    Evaluation,
}

/// A network at its first step, a batch of noise for it, and the engine that runs them.
pub struct Workload {
    work: Work,
    engine: Engine,
    optimiser: Optimiser,
    batch: usize,
    inputs: Vec<f32>,
    targets: Vec<u32>,
    parameters: Vec<f32>,
    state: Vec<f32>,
    gradient: Vec<f32>,
    steps: usize,
}

impl Workload {
    /// Plans `work` on batches of so many samples, for the threads of the calling rayon pool.
    pub fn new(network: &Network, work: Work, batch: usize) -> Result<Self, ShapeError> {
        let mut noise = stream(0, Purpose::Synthetic, 0, 0);
        let numbers = batch * network.input.len();
        let inputs = (0..numbers).map(|_| 2.0 * uniform(&mut noise) as f32 - 1.0);
        let outputs = network.outputs.max(1);
        let parameters = initialize(network, &InitSettings::default(), 0);
        let engine = match work {
            Work::Training => Engine::for_training(network, batch)?,
            Work::Evaluation => Engine::for_evaluation(network, batch)?,
        };
        Ok(Self {
            work,
            engine,
            optimiser: Optimiser::new(&TrainSettings::default(), &network.layout),
            batch,
            inputs: inputs.collect(),
            // Every class in turn; a class number always fits.
            targets: (0..batch).map(|i| (i % outputs) as u32).collect(),
            gradient: vec![0.0; parameters.len()],
            parameters,
            state: network.layout.initial_state(),
            steps: 0,
        })
    }

    /// Samples in a batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// One training step or evaluation, on the calling rayon pool; its seconds.
    pub fn step(&mut self) -> f64 {
        let batch = Batch {
            inputs: &self.inputs,
            targets: TargetsRef::Classes(&self.targets),
            len: self.batch,
            noise: Noise::default(),
        };
        let loss = Loss::default();
        let start = Instant::now();
        match self.work {
            Work::Training => {
                self.steps += 1;
                let Self {
                    parameters,
                    state,
                    gradient,
                    ..
                } = self;
                self.engine.step(parameters, state, &batch, &loss, gradient);
                let (rate, count) = (1e-3, self.steps);
                self.optimiser.step(parameters, gradient, 1.0, rate, count);
            }
            Work::Evaluation => {
                let (parameters, state) = (&self.parameters, &self.state);
                self.engine.evaluate(parameters, state, &batch, &loss);
            }
        }
        start.elapsed().as_secs_f64()
    }

    /// The seconds of so many steps, after [`WARM_UP`] that do not count.
    pub fn seconds(&mut self, steps: usize) -> Vec<f64> {
        (0..WARM_UP).for_each(|_| {
            self.step();
        });
        (0..steps).map(|_| self.step()).collect()
    }

    /// Bytes of what a run holds beside its engine: parameters, gradient, momentum, running
    /// statistics, and the batch.
    fn array_bytes(&self) -> usize {
        let momentum = self.optimiser.buffers().iter().map(Vec::len).sum::<usize>();
        let floats = self.inputs.len()
            + self.parameters.len()
            + self.gradient.len()
            + self.state.len()
            + momentum;
        floats * size_of::<f32>() + self.targets.len() * size_of::<u32>()
    }
}

/// The middle number, or the mean of the two middle ones; not a number where there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}
