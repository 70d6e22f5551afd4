//! Training: the loop, and what it is made of.
//!
//! [`train`] is the whole loop, top to bottom. It measures before training (epoch 0), then for
//! each epoch draws the order of the samples, makes its steps, and measures loss and error anew
//! over both sets. Everything it has to say goes to an [`Observer`]; everything it needs to go on
//! after a kill is a [`Checkpoint`], taken between epochs. Whatever the number of threads, and
//! however often a run is resumed, it ends in the same bits.

pub mod batch;
pub mod checkpoint;
pub mod effective;
pub mod evaluate;
pub mod freeze;
pub mod observer;
pub mod optimiser;
pub mod schedule;
pub mod scores;
pub mod settings;
mod trainer;

use std::time::Instant;

pub use batch::BatchBuffer;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use effective::EvaluationBranches;
pub use evaluate::{CleanEvaluation, EVALUATION_BATCH, Evaluation, evaluate_first, targets};
pub use freeze::{FreezeSettings, FrozenNorms};
pub use observer::{EpochReport, Flow, Observer, Silent, StepReport, TrainerView};
pub use optimiser::Optimiser;
pub use schedule::{Schedule, ScheduleKind, Warmup};
pub use scores::{Scores, score};
pub use settings::{LossKind, LossSettings, Optimizer, SettingProblem, TrainSettings};

use crate::data::Dataset;
use crate::error::ShapeError;
use crate::families::InitSettings;
use crate::import::ImportError;
use crate::network::{Network, Shape};
use trainer::{Running, Trainer};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs were done.
    Finished,
    /// Loss or gradient stopped being finite.
    Diverged {
        /// The step at which it did, counted from 1 over the whole run.
        step: usize,
        /// Its epoch, from 1.
        epoch: usize,
    },
    /// The observer said to stop.
    Interrupted,
}

/// A trained network.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The parameter arena. After a divergence: the parameters at which loss or gradient is not
    /// finite, the result of the step before (they may hold infinities themselves).
    pub parameters: Vec<f32>,
    /// The state arena, of the same moment: without the batch that diverged.
    pub state: Vec<f32>,
    /// How the run ended.
    pub outcome: Outcome,
    /// Steps made in the whole run.
    pub total_steps: usize,
}

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Settings that cannot be used.
    #[error("The training settings cannot be used: {}", join(.0))]
    Settings(Vec<SettingProblem>),
    /// The network does not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The network was built for other data.
    #[error(
        "The network `{network}` takes {takes} and puts out {outputs} numbers, but `{dataset}` has samples of {shape} and {targets} targets."
    )]
    Data {
        /// The network.
        network: String,
        /// Its input.
        takes: Shape,
        /// Its outputs.
        outputs: usize,
        /// The data set.
        dataset: String,
        /// Its samples.
        shape: Shape,
        /// Its classes or target dimensions.
        targets: usize,
    },
    /// Cross-entropy without classes.
    #[error("`{0}` has no classes: set `loss.kind` to squared-error.")]
    NoClasses(String),
    /// There is nothing to train on.
    #[error("`{dataset}` has {samples} training samples, too few for one step of {batch_size}.")]
    TooFewSamples {
        /// The data set.
        dataset: String,
        /// Its training samples.
        samples: usize,
        /// Samples in a step.
        batch_size: usize,
    },
    /// More blocks are to be frozen than there are.
    #[error("`freeze.blocks` is {blocks}, but `{network}` has {available} blocks.")]
    FrozenBlocks {
        /// Blocks to be frozen.
        blocks: usize,
        /// The network.
        network: String,
        /// Its blocks.
        available: usize,
    },
    /// The weights to start from are no use.
    #[error(transparent)]
    Weights(#[from] ImportError),
    /// The checkpoint is of another run.
    #[error("The checkpoint is of another run: {0}.")]
    ForeignCheckpoint(String),
}

fn join(problems: &[SettingProblem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Trains a network from its initialisation, or onwards from a checkpoint of the same run.
///
/// Runs in the caller's thread pool.
///
/// # Errors
///
/// Settings, network, data set and checkpoint that do not go together. Divergence and interruption
/// are outcomes, not errors.
pub fn train(
    network: &Network,
    dataset: &Dataset,
    settings: &TrainSettings,
    init: &InitSettings,
    seed: u64,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observer,
) -> Result<Trained, TrainError> {
    let mut trainer = Trainer::new(network, dataset, settings, init, seed, resume)?;
    let has_classes = trainer.has_classes();

    // Epoch 0 is the measurement before training: it has no steps.
    for epoch in trainer.next_epoch..=settings.epochs {
        let started = Instant::now();
        let mut running = Running::new(epoch, trainer.total_steps, has_classes);
        let mut diverged = None;
        let order = trainer.order(epoch);
        for indices in trainer.batches(&order) {
            let Some(step) = trainer.step(indices, epoch) else {
                diverged = Some(trainer.total_steps + 1);
                break;
            };
            running.add(&step);
            let seconds = started.elapsed().as_secs_f64();
            let report = running.step_report(&step, trainer.steps_per_epoch, seconds);
            if observer.step(&report) == Flow::Stop {
                return Ok(trainer.finish(Outcome::Interrupted));
            }
        }
        // The last step may leave parameters that no further step puts to the test.
        if diverged.is_none() && !trainer.is_finite() {
            diverged = Some(trainer.total_steps);
        }
        let mut report = running.epoch_report(started.elapsed().as_secs_f64());

        if let Some(step) = diverged {
            report.complete = false;
            if report.steps > 0 {
                observer.epoch(&report, &mut trainer.view(epoch, false));
            }
            return Ok(trainer.finish(Outcome::Diverged { step, epoch }));
        }

        let is_last = epoch == settings.epochs;
        if is_last || epoch.is_multiple_of(settings.evaluate_every) {
            let started = Instant::now();
            let Some(clean) = trainer.evaluate(&mut || observer.poll()) else {
                return Ok(trainer.finish(Outcome::Interrupted));
            };
            report.add_clean(&clean, started.elapsed().as_secs_f64());
        }
        let flow = observer.epoch(&report, &mut trainer.view(epoch, true));
        if flow == Flow::Stop && !is_last {
            return Ok(trainer.finish(Outcome::Interrupted));
        }
    }
    Ok(trainer.finish(Outcome::Finished))
}
