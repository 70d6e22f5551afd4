//! The f32 executor for training and evaluation: planned memory, fused passes, the same bits for
//! any number of threads.
//!
//! # How it works
//!
//! Sixteen images lie side by side in the lanes of a vector ([`reslab_kernels`]). A batch is cut
//! into shards of one or two such groups, whose size depends on the network and, where its weights are
//! large, on the largest batch. A network is
//! compiled ([`ir`], [`compile`]) to convolutions and sums; batch norm and activation are applied
//! where a stored tensor is read. A shard runs op after op until something must be known of the whole
//! batch — batch statistics, in the forward pass and backward — and there alone the threads meet
//! ([`schedule`]). Inside a convolution rows stream through small rings: the sum of a block, batch
//! norm and ReLU are computed for a row just before the convolution reads it, and the statistics of
//! what it writes are gathered while that is in registers. The backward pass of a convolution makes
//! weight and input gradient in one sweep, and hands each row of the latter on through ReLU, shortcut
//! and the next norm's sums while it is hot.
//!
//! It runs inside the caller's rayon pool. Nothing is allocated in a step, once the pool's size and
//! the largest batch have been seen.

// A shard, its arena and a worker go through every step beside what the step is about.
#![allow(clippy::too_many_arguments)]

mod backward;
mod backward_plan;
mod compile;
mod deliver;
mod display;
#[cfg(test)]
mod display_tests;
mod evaluation;
mod executor;
mod finished;
mod footprint;
mod forward;
pub(crate) mod geometry;
mod ir;
mod kernel_speed;
pub(crate) mod memory;
mod ops;
mod pass_speed;
mod passes;
mod schedule;
mod shard;
#[cfg(test)]
mod tests;
mod tiled;
mod tiled_speed;
mod training;
mod weights;
mod whole;

use compile::Purpose;
use executor::Executor;
use training::Found;

use crate::error::ShapeError;
use crate::network::Network;

pub use crate::loss::{Batch, BatchResult, Loss, TargetsRef};
pub use crate::noise::Noise;
pub use footprint::Footprint;
pub use kernel_speed::{Algorithm, ConvolutionPass, ConvolutionSpeed, KernelSpeeds, kernel_speeds};
pub use pass_speed::PassSpeed;

/// How far a layer's output is spread: He et al. 2015, figure 7.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The convolution's or linear layer's name.
    pub layer: String,
    /// Index of its block as the network executes it; `None` in the stem.
    pub block: Option<usize>,
    /// Standard deviation over batch, positions and channels, after batch norm (if any) and before
    /// activation and addition.
    pub std: f64,
}

/// Executes one network. Takes the arenas that the network's
/// [`Layout`](crate::network::Layout) describes.
pub struct Engine {
    network: Network,
    max_batch: usize,
    training: Option<(Executor, Found)>,
    statistics: Option<(Executor, Found)>,
    evaluation: Option<Executor>,
    logits: Vec<f32>,
}

impl Engine {
    /// An engine for training with batches of up to `max_batch` samples. It can evaluate too; what
    /// that needs is planned at the first [`Engine::evaluate`]. Of networks of four million weights
    /// and more, sums are rounded otherwise from a `max_batch` of 64 on; else it changes no bit.
    pub fn for_training(network: &Network, max_batch: usize) -> Result<Self, ShapeError> {
        let mut engine = Self::new(network, max_batch);
        let executor = Executor::new(network, Purpose::Training, max_batch)?;
        let found = Found::for_executor(&executor);
        engine.training = Some((executor, found));
        Ok(engine)
    }

    /// An engine for evaluation: batch norm folded, no gradients, little memory.
    pub fn for_evaluation(network: &Network, max_batch: usize) -> Result<Self, ShapeError> {
        let mut engine = Self::new(network, max_batch);
        engine.evaluation = Some(Executor::new(network, Purpose::Evaluation, max_batch)?);
        Ok(engine)
    }

    /// An engine for [`Engine::pass_statistics`]: batch statistics, no gradients.
    pub fn for_statistics(network: &Network, max_batch: usize) -> Result<Self, ShapeError> {
        let mut engine = Self::new(network, max_batch);
        let mut executor = Executor::new(network, Purpose::Statistics, max_batch)?;
        executor.scored = false;
        let found = Found::for_executor(&executor);
        engine.statistics = Some((executor, found));
        Ok(engine)
    }

    fn new(network: &Network, max_batch: usize) -> Self {
        Self {
            network: network.clone(),
            max_batch,
            training: None,
            statistics: None,
            evaluation: None,
            logits: Vec::with_capacity(max_batch * network.outputs),
        }
    }

    /// Forward with batch statistics (running statistics updated in `state`), loss, backward.
    /// `gradient` becomes d(mean loss)/d(parameters); parameters that the network does not use get
    /// 0. A batch larger than planned for makes the engine grow.
    ///
    /// # Panics
    ///
    /// If an array does not have the length that the network's layout or the batch says, or the
    /// engine was made for evaluation.
    pub fn step(
        &mut self,
        parameters: &[f32],
        state: &mut [f32],
        batch: &Batch<'_>,
        loss: &Loss,
        gradient: &mut [f32],
    ) -> BatchResult {
        self.check(parameters, state, batch);
        assert_eq!(gradient.len(), parameters.len(), "one gradient a parameter");
        let (executor, found) = self.training.as_mut().expect("an engine made for training");
        let logits = &mut self.logits;
        training::step(
            executor, found, parameters, state, batch, loss, gradient, logits,
        )
    }

    /// Forward with running statistics, and the loss.
    ///
    /// # Panics
    ///
    /// If an array does not have the length that the network's layout or the batch says.
    pub fn evaluate(
        &mut self,
        parameters: &[f32],
        state: &[f32],
        batch: &Batch<'_>,
        loss: &Loss,
    ) -> BatchResult {
        self.check(parameters, state, batch);
        let executor = self.evaluation.get_or_insert_with(|| {
            Executor::new(&self.network, Purpose::Evaluation, self.max_batch)
                .expect("what fits for training fits for evaluation")
        });
        evaluation::evaluate(executor, parameters, state, batch, loss, &mut self.logits)
    }

    /// Like [`Self::evaluate`] for one more batch: parameters and statistics must be those of the
    /// last call of it, whose packed and folded weights serve again.
    pub(crate) fn evaluate_again(
        &mut self,
        parameters: &[f32],
        state: &[f32],
        batch: &Batch<'_>,
        loss: &Loss,
    ) -> BatchResult {
        self.check(parameters, state, batch);
        let executor = self.evaluation.as_mut().expect("evaluated before");
        evaluation::evaluate_again(executor, parameters, batch, loss, &mut self.logits)
    }

    /// Forward with running statistics and without a loss: what the network puts out for `inputs`,
    /// `(n, H, W, C)` for a part that ends in images (see [`Network::part`]).
    ///
    /// # Panics
    ///
    /// If an array does not have the length that the network's layout or input says, or the engine
    /// was not made by [`Engine::for_evaluation`].
    pub fn outputs(&mut self, parameters: &[f32], state: &[f32], inputs: &[f32]) -> &[f32] {
        let batch = self.unscored(parameters, state, inputs);
        let executor = self.evaluation.as_mut().expect("made for evaluation");
        executor.scored = false;
        let loss = Loss::SquaredError;
        evaluation::evaluate(executor, parameters, state, &batch, &loss, &mut self.logits);
        executor.scored = true;
        &self.logits
    }

    /// Forward with batch statistics, without noise and without gradients: what the network puts
    /// out. The running statistics in `state` move as in a training step.
    ///
    /// # Panics
    ///
    /// If an array does not have the length that the network's layout or input says, or the engine
    /// was not made by [`Engine::for_statistics`].
    pub fn pass_statistics(
        &mut self,
        parameters: &[f32],
        state: &mut [f32],
        inputs: &[f32],
    ) -> &[f32] {
        let batch = self.unscored(parameters, state, inputs);
        let (executor, found) = self.statistics.as_mut().expect("made for statistics");
        training::pass(executor, found, parameters, state, &batch, &mut self.logits);
        &self.logits
    }

    /// A batch without targets, whose arrays have been checked.
    fn unscored<'a>(&self, parameters: &[f32], state: &[f32], inputs: &'a [f32]) -> Batch<'a> {
        self.check_arenas(parameters, state);
        let features = self.network.input.len();
        assert!(
            inputs.len().is_multiple_of(features),
            "inputs are whole samples"
        );
        Batch {
            inputs,
            targets: TargetsRef::Values(&[]),
            len: inputs.len() / features,
            noise: Noise::default(),
        }
    }

    fn check_arenas(&self, parameters: &[f32], state: &[f32]) {
        let layout = &self.network.layout;
        assert_eq!(
            parameters.len(),
            layout.parameter_count(),
            "parameters of the network"
        );
        assert_eq!(
            state.len(),
            layout.state_count(),
            "running statistics of the network"
        );
    }

    fn check(&self, parameters: &[f32], state: &[f32], batch: &Batch<'_>) {
        self.check_arenas(parameters, state);
        let len = batch.len;
        assert_eq!(
            batch.inputs.len(),
            len * self.network.input.len(),
            "inputs of the batch"
        );
        match batch.targets {
            TargetsRef::Classes(classes) => assert_eq!(classes.len(), len, "one class a sample"),
            TargetsRef::Values(values) => {
                assert_eq!(
                    values.len(),
                    len * self.network.outputs,
                    "values of every sample"
                );
            }
        }
    }

    /// Outputs of the last batch, `(len, outputs)`.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Whether the steps that follow find out about layers: what [`Engine::responses`] and
    /// [`Engine::block_output_gradient_norms`] tell. Not at first: it costs some time, most in networks
    /// without batch norm. No other number depends on it.
    pub fn observe_layers(&mut self, observed: bool) {
        if let Some((executor, _)) = &mut self.training {
            executor.observed = observed;
        }
    }

    /// After an observed [`Engine::step`]: ‖∂(mean loss)/∂h‖₂ over the whole batch at each block's
    /// output, in order of execution.
    pub fn block_output_gradient_norms(&self, out: &mut Vec<f64>) {
        out.clear();
        if let Some((_, found)) = &self.training {
            out.extend(found.output_gradients.iter().map(|square| square.sqrt()));
        }
    }

    /// After an observed [`Engine::step`]: the spread of the output of each convolution and linear layer of stem
    /// and blocks, in order of execution.
    pub fn responses(&self) -> Vec<Response> {
        self.training
            .as_ref()
            .map_or_else(Vec::new, |(executor, found)| found.responses(executor))
    }
}

/// Whether `RESLAB_SIMD` can be followed: a program asks before anything is computed, since engines
/// take the best set where it cannot.
pub fn check_instruction_set() -> Result<(), reslab_kernels::IsaError> {
    reslab_kernels::Isa::chosen().map(|_| ())
}

/// The instruction set that engines of this process use, such as `avx512`: for the record.
pub fn instruction_set() -> String {
    reslab_kernels::Isa::current().to_string()
}
