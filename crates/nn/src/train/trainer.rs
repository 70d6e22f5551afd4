//! The moving parts of the loop: what changes from step to step, and the sums over an epoch.

use std::ops::Range;

use super::batch::BatchBuffer;
use super::checkpoint::Checkpoint;
use super::evaluate::{CleanEvaluation, EVALUATION_BATCH, evaluate_both};
use super::observer::{EpochReport, Flow, StepReport, TrainerView};
use super::optimiser::{self, Optimiser};
use super::settings::{LossKind, TrainSettings};
use super::{Outcome, TrainError, Trained, effective, freeze};
use crate::data::{Dataset, Targets, epoch_order};
use crate::engine::{Batch, Engine};
use crate::families::{InitSettings, init};
use crate::loss::Loss;
use crate::network::{Network, Role};
use crate::noise::Noise;

/// A run between two steps.
pub(super) struct Trainer<'a> {
    /// As it is evaluated.
    evaluated: Network,
    /// As steps execute it, where each trains all blocks.
    executed: Network,
    dataset: &'a Dataset,
    settings: &'a TrainSettings,
    seed: u64,
    loss: Loss,
    batch_size: usize,
    engine: Engine,
    evaluator: Engine,
    buffer: BatchBuffer,
    optimiser: Optimiser,
    parameters: Vec<f32>,
    state: Vec<f32>,
    gradient: Vec<f32>,
    /// Ranges of the arena that do not move.
    frozen: Vec<Range<usize>>,
    /// The state before the step under way: what is kept if that step diverges.
    state_before: Vec<f32>,
    /// Steps in each epoch.
    pub steps_per_epoch: usize,
    /// The first epoch to do.
    pub next_epoch: usize,
    /// Steps made so far.
    pub total_steps: usize,
}

/// What one step was like.
pub(super) struct Step {
    loss_sum: f64,
    wrong: usize,
    samples: usize,
    gradient_norm: f64,
    lr: f64,
}

impl<'a> Trainer<'a> {
    /// At the start of a run, or where a checkpoint of it was taken.
    pub fn new(
        network: &'a Network,
        dataset: &'a Dataset,
        settings: &'a TrainSettings,
        start: &InitSettings,
        seed: u64,
        resume: Option<Checkpoint>,
    ) -> Result<Self, TrainError> {
        check(network, dataset, settings)?;
        let samples = dataset.train.len;
        let batch_size = settings.batch_size.min(samples);
        let steps_per_epoch = settings.steps_per_epoch(samples, has_batch_norm(network));
        let layout = &network.layout;
        let mut optimiser = Optimiser::for_network(settings, network);
        let (parameters, state, next_epoch) = match resume {
            None => {
                let (parameters, state) = init::start(network, start, seed)?;
                (parameters, state, 0)
            }
            Some(checkpoint) => {
                let foreign = |what: &str| TrainError::ForeignCheckpoint(what.to_owned());
                if checkpoint.parameters.len() != layout.parameter_count()
                    || checkpoint.state.len() != layout.state_count()
                {
                    return Err(foreign("its network is of another size"));
                }
                let done = checkpoint.next_epoch.saturating_sub(1);
                if checkpoint.total_steps != done * steps_per_epoch || done > settings.epochs {
                    return Err(foreign("its epochs are not those of this run"));
                }
                if !optimiser.restore(checkpoint.optimizer) {
                    return Err(foreign("its optimiser keeps other buffers"));
                }
                (
                    checkpoint.parameters,
                    checkpoint.state,
                    checkpoint.next_epoch,
                )
            }
        };
        let executed = freeze::executed(network, settings.freeze);
        let entries = layout
            .parameters
            .iter()
            .zip(freeze::moves(network, settings.freeze));
        let frozen = entries
            .filter(|(_, moves)| !moves)
            .map(|(entry, _)| entry.slot.range());
        let evaluated = effective::evaluated(network, settings);
        Ok(Self {
            frozen: frozen.collect(),
            dataset,
            settings,
            seed,
            loss: settings.loss.loss(),
            batch_size,
            engine: Engine::for_training(&executed, batch_size)?,
            evaluator: Engine::for_evaluation(&evaluated, EVALUATION_BATCH)?,
            evaluated,
            executed,
            buffer: BatchBuffer::new(&dataset.train, dataset.shape, batch_size),
            optimiser,
            gradient: vec![0.0; parameters.len()],
            state_before: state.clone(),
            parameters,
            state,
            steps_per_epoch,
            next_epoch,
            total_steps: next_epoch.saturating_sub(1) * steps_per_epoch,
        })
    }

    /// Whether the targets are classes, so that there is an error to speak of.
    pub fn has_classes(&self) -> bool {
        matches!(self.dataset.train.targets, Targets::Classes(_))
    }

    /// The order in which an epoch takes the training samples; none before training.
    pub fn order(&self, epoch: usize) -> Vec<u32> {
        match epoch {
            0 => Vec::new(),
            _ => epoch_order(self.seed, epoch, self.dataset.train.len),
        }
    }

    /// The batches of an epoch.
    pub fn batches<'o>(&self, order: &'o [u32]) -> impl Iterator<Item = &'o [u32]> + use<'o> {
        order.chunks(self.batch_size).take(self.steps_per_epoch)
    }

    /// One step. `None` if loss or gradient is not finite: then parameters and state are those
    /// before the step.
    pub fn step(&mut self, indices: &[u32], epoch: usize) -> Option<Step> {
        let settings = self.settings;
        let multiple =
            settings
                .schedule
                .rate(self.total_steps, self.steps_per_epoch, settings.epochs);
        let lr = settings.lr * multiple;
        let augment = Some((&settings.augment, self.seed, epoch));
        let batch = Batch {
            noise: Noise {
                seed: self.seed,
                step: self.total_steps as u64,
            },
            ..self.buffer.fill(&self.dataset.train, indices, augment)
        };

        self.state_before.copy_from_slice(&self.state);
        let mut some_blocks = settings.blocks_per_step.map(|count| {
            let step = self.total_steps as u64;
            let trained = effective::trained_blocks(&self.executed, count, self.seed, step);
            let network = effective::network_of_step(&self.executed, &trained);
            Engine::for_training(&network, self.batch_size)
                .expect("a residual block fits without its branches")
        });
        let engine = some_blocks.as_mut().unwrap_or(&mut self.engine);
        let result = engine.step(
            &self.parameters,
            &mut self.state,
            &batch,
            &self.loss,
            &mut self.gradient,
        );
        // What does not move has no part in the gradient's norm, by which the rest is clipped.
        for range in &self.frozen {
            self.gradient[range.clone()].fill(0.0);
        }
        let gradient_norm = optimiser::norm(&self.gradient);
        if !(result.loss_sum.is_finite() && gradient_norm.is_finite()) {
            self.state.copy_from_slice(&self.state_before);
            return None;
        }
        let scale = optimiser::clip_scale(gradient_norm, settings.clip_norm);
        let (parameters, gradient) = (&mut self.parameters, &self.gradient);
        self.total_steps += 1;
        self.optimiser
            .step(parameters, gradient, scale, lr, self.total_steps);
        let (loss_sum, wrong) = (result.loss_sum, result.wrong);
        Some(Step {
            loss_sum,
            wrong,
            samples: indices.len(),
            gradient_norm,
            lr,
        })
    }

    /// Whether every parameter is a finite number.
    pub fn is_finite(&self) -> bool {
        self.parameters.iter().all(|p| p.is_finite())
    }

    /// Clean loss and error over both sets; `None` if `poll` said to stop.
    pub fn evaluate(&mut self, poll: &mut dyn FnMut() -> Flow) -> Option<CleanEvaluation> {
        let (parameters, state) = (&self.parameters, &self.state);
        evaluate_both(
            &mut self.evaluator,
            parameters,
            state,
            self.dataset,
            &self.loss,
            poll,
        )
    }

    /// What an observer sees after an epoch, or amid one that diverged.
    pub fn view(&mut self, epoch: usize, complete: bool) -> TrainerView<'_> {
        TrainerView {
            network: &self.evaluated,
            parameters: &self.parameters,
            state: &self.state,
            engine: &mut self.engine,
            optimiser: &self.optimiser,
            epoch,
            total_steps: self.total_steps,
            complete,
        }
    }

    /// The end of the run.
    pub fn finish(self, outcome: Outcome) -> Trained {
        Trained {
            parameters: self.parameters,
            state: self.state,
            outcome,
            total_steps: self.total_steps,
        }
    }
}

/// Refuses what does not go together.
fn check(network: &Network, dataset: &Dataset, settings: &TrainSettings) -> Result<(), TrainError> {
    let batch_norm = has_batch_norm(network);
    let problems = settings.problems(batch_norm);
    if !problems.is_empty() {
        return Err(TrainError::Settings(problems));
    }
    if network.input != dataset.shape || network.outputs != dataset.outputs {
        return Err(TrainError::Data {
            network: network.name.clone(),
            takes: network.input,
            outputs: network.outputs,
            dataset: dataset.name.clone(),
            shape: dataset.shape,
            targets: dataset.outputs,
        });
    }
    let available = network.blocks.len();
    if let Some(freeze) = settings.freeze.filter(|freeze| freeze.blocks > available) {
        return Err(TrainError::FrozenBlocks {
            blocks: freeze.blocks,
            network: network.name.clone(),
            available,
        });
    }
    if let Some(problem) = effective::problem(network, settings) {
        return Err(TrainError::Settings(vec![problem]));
    }
    let has_classes = matches!(dataset.train.targets, Targets::Classes(_));
    if !has_classes && settings.loss.kind == LossKind::CrossEntropy {
        return Err(TrainError::NoClasses(dataset.name.clone()));
    }
    let samples = dataset.train.len;
    if samples == 0 || settings.epochs > 0 && settings.steps_per_epoch(samples, batch_norm) == 0 {
        return Err(TrainError::TooFewSamples {
            dataset: dataset.name.clone(),
            samples,
            batch_size: settings.batch_size,
        });
    }
    Ok(())
}

/// Whether the network normalises by batch.
fn has_batch_norm(network: &Network) -> bool {
    network
        .layout
        .parameters
        .iter()
        .any(|entry| entry.role == Role::NormWeight)
}

/// Sums over the steps of an epoch so far.
pub(super) struct Running {
    epoch: usize,
    steps_before: usize,
    has_classes: bool,
    steps: usize,
    samples: usize,
    loss_sum: f64,
    wrong: usize,
    gradient_norms: f64,
    lr: f64,
}

impl Running {
    /// At the start of an epoch, after `steps_before` steps of the run.
    pub fn new(epoch: usize, steps_before: usize, has_classes: bool) -> Self {
        Self {
            epoch,
            steps_before,
            has_classes,
            steps: 0,
            samples: 0,
            loss_sum: 0.0,
            wrong: 0,
            gradient_norms: 0.0,
            lr: 0.0,
        }
    }

    /// Adds a step.
    pub fn add(&mut self, step: &Step) {
        self.steps += 1;
        self.samples += step.samples;
        self.loss_sum += step.loss_sum;
        self.wrong += step.wrong;
        self.gradient_norms += step.gradient_norm;
        self.lr = step.lr;
    }

    /// Error so far.
    fn error(&self) -> Option<f64> {
        (self.has_classes && self.samples > 0).then(|| self.wrong as f64 / self.samples as f64)
    }

    /// The report of the step added last.
    pub fn step_report(&self, step: &Step, steps_per_epoch: usize, seconds: f64) -> StepReport {
        StepReport {
            epoch: self.epoch,
            step: self.steps,
            steps_per_epoch,
            samples: self.samples,
            loss: step.loss_sum / step.samples as f64,
            train_error_running: self.error(),
            lr: step.lr,
            seconds,
        }
    }

    /// The report of the epoch, still without clean measurements.
    pub fn epoch_report(&self, seconds_train: f64) -> EpochReport {
        let trained = self.steps > 0;
        EpochReport {
            epoch: self.epoch,
            complete: true,
            train_loss_running: trained.then(|| self.loss_sum / self.samples as f64),
            train_error_running: self.error(),
            train_loss: None,
            train_error: None,
            test_loss: None,
            test_error: None,
            lr: trained.then_some(self.lr),
            gradient_norm: trained.then(|| self.gradient_norms / self.steps as f64),
            steps: self.steps,
            total_steps: self.steps_before + self.steps,
            samples: self.samples,
            seconds_train,
            seconds_evaluate: 0.0,
        }
    }
}
