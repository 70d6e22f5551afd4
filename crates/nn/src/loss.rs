//! Losses as values, and the batches they are taken over.
//!
//! The loss of a batch is the mean over its samples. For a sample with outputs `z` and target `t`:
//!
//! - cross-entropy with label smoothing `s` over `K` classes, as PyTorch defines it:
//!   `−Σ_k q_k log softmax(z)_k` with `q = (1 − s)·onehot(t) + s/K`;
//! - squared error: the mean over outputs of `(z_k − t_k)²`; a class counts as its one-hot vector.

use serde::{Deserialize, Serialize};

use crate::noise::Noise;

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// Softmax cross-entropy; targets are classes.
    CrossEntropy {
        /// Share of the target spread evenly over all classes, from 0 to 1.
        #[serde(default)]
        label_smoothing: f32,
    },
    /// Mean over outputs of the squared difference; targets are values, or classes as one-hot.
    SquaredError,
}

impl Default for Loss {
    fn default() -> Self {
        Self::CrossEntropy {
            label_smoothing: 0.0,
        }
    }
}

/// Samples and targets of one step.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// `(len, H, W, C)`, channels last.
    pub inputs: &'a [f32],
    /// One target a sample.
    pub targets: TargetsRef<'a>,
    /// Samples.
    pub len: usize,
    /// What dropout and stochastic depth are drawn from; read by training steps only.
    pub noise: Noise,
}

/// Targets of a batch.
#[derive(Debug, Clone, Copy)]
pub enum TargetsRef<'a> {
    /// One class a sample.
    Classes(&'a [u32]),
    /// `(len, outputs)` numbers.
    Values(&'a [f32]),
}

/// What a pass over a batch found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BatchResult {
    /// Sum over samples of the loss.
    pub loss_sum: f64,
    /// Samples whose largest output is not their class; 0 for values.
    pub wrong: usize,
}
