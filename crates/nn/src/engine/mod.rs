//! The f32 executor for training and evaluation: planned memory, fused passes, the same bits for
//! any number of threads.

use crate::error::ShapeError;
use crate::network::Network;

pub use crate::loss::{Batch, BatchResult, Loss, TargetsRef};

/// How far a layer's output is spread: He et al. 2015, figure 7.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The convolution's or linear layer's name.
    pub layer: String,
    /// Index of its block as the network executes it; `None` in stem and head.
    pub block: Option<usize>,
    /// Standard deviation over batch, positions and channels, after batch norm (if any) and before
    /// activation and addition.
    pub std: f64,
}

/// Executes one network.
pub struct Engine {}

impl Engine {
    /// An engine for training (and evaluation) with batches of up to `max_batch` samples.
    pub fn for_training(_network: &Network, _max_batch: usize) -> Result<Self, ShapeError> {
        todo!()
    }

    /// An engine for evaluation: batch norm folded, no gradients.
    pub fn for_evaluation(_network: &Network, _max_batch: usize) -> Result<Self, ShapeError> {
        todo!()
    }

    /// Forward with batch statistics (running statistics updated in `state`), loss, backward.
    /// `gradient` becomes d(mean loss)/d(parameters).
    pub fn step(
        &mut self,
        _parameters: &[f32],
        _state: &mut [f32],
        _batch: &Batch,
        _loss: &Loss,
        _gradient: &mut [f32],
    ) -> BatchResult {
        todo!()
    }

    /// Forward with running statistics, and the loss.
    pub fn evaluate(
        &mut self,
        _parameters: &[f32],
        _state: &[f32],
        _batch: &Batch,
        _loss: &Loss,
    ) -> BatchResult {
        todo!()
    }

    /// Outputs of the last batch, `(len, outputs)`.
    pub fn logits(&self) -> &[f32] {
        todo!()
    }

    /// After [`Engine::step`]: ‖∂(mean loss)/∂h‖₂ over the whole batch at each block's output.
    pub fn block_output_gradient_norms(&self, _out: &mut Vec<f64>) {
        todo!()
    }

    /// After [`Engine::step`]: the spread of each layer's output.
    pub fn responses(&self) -> Vec<Response> {
        todo!()
    }
}
