//! The only way out of the training loop: what is told, when, and how to stop it.
//!
//! Numbers go out, wishes to stop come back; progress bars, tables, checkpoints and probes are
//! all observers. Wall-clock times are for progress and for the timings table: no result may
//! depend on them.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::evaluate::CleanEvaluation;
use super::optimiser::Optimiser;
use crate::engine::Engine;
use crate::network::Network;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop as soon as possible; the run ends as interrupted.
    Stop,
}

/// Told after each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step within the epoch, from 1.
    pub step: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Samples seen in this epoch, this step's included.
    pub samples: usize,
    /// Mean loss of this step's batch, before the step.
    pub loss: f64,
    /// Error over this epoch's samples so far, each before its step; `None` for regression.
    pub train_error_running: Option<f64>,
    /// Rate of this step.
    pub lr: f64,
    /// Seconds of training since the epoch began.
    pub seconds: f64,
}

/// Told after each epoch. Errors are fractions from 0 to 1, and `None` for regression.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochReport {
    /// The epoch, from 1; 0 is before training.
    pub epoch: usize,
    /// Whether the epoch was finished. The last report of a diverged run covers the steps of its
    /// last epoch before the one that diverged, without clean measurements; there is none if that
    /// was the epoch's first step.
    pub complete: bool,
    /// Mean loss over the epoch's samples as they were trained on: augmented, batch statistics,
    /// parameters changing meanwhile. `None` before training.
    pub train_loss_running: Option<f64>,
    /// Error over the same.
    pub train_error_running: Option<f64>,
    /// Mean loss over the training set after the epoch: no augmentation, running statistics.
    /// `None` in epochs that are not measured.
    pub train_loss: Option<f64>,
    /// Error over the same.
    pub train_error: Option<f64>,
    /// Mean loss over the test set after the epoch.
    pub test_loss: Option<f64>,
    /// Error over the same.
    pub test_error: Option<f64>,
    /// Rate of the epoch's last step; `None` before training.
    pub lr: Option<f64>,
    /// Mean over the epoch's steps of the norm of the gradient of the loss (without weight decay,
    /// before clipping). `None` before training.
    pub gradient_norm: Option<f64>,
    /// Steps made in this epoch.
    pub steps: usize,
    /// Steps made in the whole run.
    pub total_steps: usize,
    /// Samples trained on in this epoch.
    pub samples: usize,
    /// Seconds spent on the epoch's steps.
    pub seconds_train: f64,
    /// Seconds spent on its clean measurements.
    pub seconds_evaluate: f64,
}

impl EpochReport {
    /// Adds the clean measurements, and the seconds they took.
    pub(super) fn add_clean(&mut self, clean: &CleanEvaluation, seconds: f64) {
        self.train_loss = Some(clean.train.loss);
        self.train_error = clean.train.error;
        self.test_loss = clean.test.map(|test| test.loss);
        self.test_error = clean.test.and_then(|test| test.error);
        self.seconds_evaluate = seconds;
    }
}

/// A look into the loop after an epoch.
pub struct TrainerView<'a> {
    /// The network.
    pub network: &'a Network,
    /// The parameter arena.
    pub parameters: &'a [f32],
    /// The state arena.
    pub state: &'a [f32],
    /// The loop's training engine, lent to probes so that they need no second one: it takes
    /// batches up to the run's batch size, and nothing of it outlives a step.
    pub engine: &'a mut Engine,
    pub(super) optimiser: &'a Optimiser,
    pub(super) epoch: usize,
    pub(super) total_steps: usize,
    pub(super) complete: bool,
}

impl TrainerView<'_> {
    /// All that is needed to go on from the end of this epoch; the caller may add to `metadata`.
    /// `None` in the middle of an epoch, where the run has diverged.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.complete.then(|| Checkpoint {
            parameters: self.parameters.to_vec(),
            state: self.state.to_vec(),
            optimizer: self.optimiser.buffers().to_vec(),
            next_epoch: self.epoch + 1,
            total_steps: self.total_steps,
            metadata: BTreeMap::new(),
        })
    }
}

/// Whoever wants to know.
pub trait Observer {
    /// After each step.
    fn step(&mut self, report: &StepReport) -> Flow;

    /// After each epoch and its measurements, before training too (epoch 0, unless the run is
    /// resumed), and after the steps before a divergence.
    fn epoch(&mut self, report: &EpochReport, trainer: &mut TrainerView<'_>) -> Flow;

    /// Between the batches of a clean measurement, which on large sets takes many seconds: an
    /// observer that can be interrupted must answer here too.
    fn poll(&mut self) -> Flow {
        Flow::Continue
    }
}

/// An observer that wants nothing.
pub struct Silent;

impl Observer for Silent {
    fn step(&mut self, _: &StepReport) -> Flow {
        Flow::Continue
    }

    fn epoch(&mut self, _: &EpochReport, _: &mut TrainerView<'_>) -> Flow {
        Flow::Continue
    }
}
