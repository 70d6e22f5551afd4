//! Smoothness along the gradient: loss, gradient and their change over steps of the length that
//! training makes (Santurkar, Tsipras, Ilyas, Madry 2018, section 3).
//!
//! For a mini-batch with gradient g at the parameters θ, and steps η = multiples of the learning
//! rate in force:
//!
//! - *loss variation*: L(θ − η g), its range over η;
//! - *gradient predictiveness*: ‖∇L(θ − η g) − g‖₂;
//! - *effective β-smoothness*: that divided by ‖η g‖₂; its largest value over η bounds from below the
//!   Lipschitz constant of the gradient along the step.
//!
//! All of it is of the mean loss of that one mini-batch, by all parameters, with batch norms in training
//! mode (statistics of the batch, differentiated), without augmentation, dropout and stochastic
//! depth. The paper does not state its range of steps; ours are 1/2, 1, 2 and 4 times the rate.
//! Momentum and weight decay, which training may add to its steps, are left out.
//!
//! Computed in single precision by the engine: a change of the gradient of less than about 1e-6 of its
//! norm is rounding.

use reslab_nn::data::Split;
use reslab_nn::engine::{Batch, Engine};
use reslab_nn::network::{Network, Role};
use reslab_nn::random::{self, Purpose};
use reslab_nn::train::{BatchBuffer, SettingProblem, TrainSettings};
use reslab_results::{Cell, Table, TableError, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gradients::without_noise;
use crate::subject::{ProbeError, Set, Subject, Watch};

/// Loss and gradient along the gradient of mini-batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothnessSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// Mini-batches of the training set, drawn anew at each epoch, the same for runs of one seed.
    pub batches: usize,
    /// Samples of a mini-batch; those of the run's training steps if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Lengths of the steps as multiples of the learning rate in force.
    pub steps: Vec<f64>,
}

impl Default for SmoothnessSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            batches: 8,
            batch_size: None,
            steps: vec![0.5, 1.0, 2.0, 4.0],
        }
    }
}

impl SmoothnessSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut require = |field, holds: bool, message: String| {
            if !holds {
                found.push(SettingProblem { field, message });
            }
        };
        require(
            "smoothness.batches",
            self.batches >= 1,
            format!("must be at least 1, but is {}.", self.batches),
        );
        let least = if has_batch_norm(network) { 2 } else { 1 };
        let size = self.batch_size.unwrap_or(least);
        require(
            "smoothness.batch_size",
            size >= least,
            format!("must be at least {least}, or absent, but is {size}."),
        );
        let positive = self.steps.iter().all(|m| *m > 0.0 && m.is_finite());
        require(
            "smoothness.steps",
            positive && !self.steps.is_empty(),
            format!(
                "must be one or more numbers above 0, but is {:?}.",
                self.steps
            ),
        );
        found
    }
}

/// Streams of [`Purpose::Probe`] that belong to this instrument; the index is the epoch.
const BATCHES: u64 = 0x534d_0000;

/// Measures each mini-batch at each length of step.
pub fn measure(
    settings: &SmoothnessSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let split = Set::Train.of(subject.dataset);
    let size = settings.batch_size.unwrap_or(subject.train.batch_size);
    let size = size.min(split.len);
    let network = without_noise(subject.network);
    let mut surface = Surface::new(&network, subject, size)?;
    let mut buffer = BatchBuffer::new(split, subject.dataset.shape, size);
    let lr = rate_in_force(
        subject.train,
        subject.epoch,
        split.len,
        has_batch_norm(&network),
    );
    let mut table = Table::new(schema::smoothness());
    let total = settings.batches * (settings.steps.len() + 1);
    for (number, indices) in batches(settings, subject, split, size).iter().enumerate() {
        let done = number * (settings.steps.len() + 1);
        watch.at(done, total)?;
        let batch = buffer.fill(split, indices, None);
        let start = surface.at(subject.parameters, &batch);
        for (place, &multiple) in settings.steps.iter().enumerate() {
            watch.at(done + place + 1, total)?;
            let step = surface.step(&start, &batch, multiple * lr);
            add_row(
                &mut table,
                subject,
                (number, size),
                (lr, multiple),
                (&start, &step),
            )?;
        }
    }
    Ok(table)
}

/// The learning rate of the step that follows `epoch`; after the last epoch that of the last step.
fn rate_in_force(train: &TrainSettings, epoch: usize, samples: usize, batch_norm: bool) -> f64 {
    let per_epoch = train.steps_per_epoch(samples, batch_norm);
    let steps = per_epoch * train.epochs;
    if steps == 0 {
        return train.lr;
    }
    let step = (epoch * per_epoch).min(steps - 1);
    train.lr * train.schedule.rate(step, per_epoch, train.epochs)
}

fn has_batch_norm(network: &Network) -> bool {
    let mut entries = network.layout.parameters.iter();
    entries.any(|entry| entry.role == Role::NormWeight)
}

/// Samples of each mini-batch: a random order of the set, gone through again where it ends.
fn batches(
    settings: &SmoothnessSettings,
    subject: &Subject<'_>,
    split: &Split,
    size: usize,
) -> Vec<Vec<u32>> {
    let epoch = subject.epoch as u64;
    let mut rng = random::stream(subject.seed, Purpose::Probe, BATCHES, epoch);
    let mut order: Vec<u32> = (0..split.len as u32).collect();
    random::shuffle(&mut rng, &mut order);
    let mut samples = order.iter().copied().cycle();
    (0..settings.batches)
        .map(|_| samples.by_ref().take(size).collect())
        .collect()
}

/// The loss of a mini-batch as a function of the parameters.
struct Surface<'s> {
    engine: Engine,
    subject: &'s Subject<'s>,
    /// Running statistics move with every pass; nobody reads these.
    state: Vec<f32>,
}

/// Loss and gradient at a point.
struct Point {
    loss: f64,
    gradient: Vec<f32>,
    norm: f64,
}

/// What a step has led to.
struct Step {
    size: f64,
    /// Length of the step as made.
    norm: f64,
    after: Point,
    /// Length of the change of the gradient.
    change: f64,
    /// Scalar product of both gradients.
    product: f64,
}

impl<'s> Surface<'s> {
    fn new(
        network: &Network,
        subject: &'s Subject<'s>,
        batch_size: usize,
    ) -> Result<Self, ProbeError> {
        Ok(Self {
            engine: Engine::for_training(network, batch_size)?,
            subject,
            state: subject.state.to_vec(),
        })
    }

    fn at(&mut self, parameters: &[f32], batch: &Batch<'_>) -> Point {
        let mut gradient = vec![0.0; parameters.len()];
        self.state.copy_from_slice(self.subject.state);
        let loss = self.subject.train.loss.loss();
        let found = self
            .engine
            .step(parameters, &mut self.state, batch, &loss, &mut gradient);
        Point {
            loss: found.loss_sum / batch.len as f64,
            norm: length(&gradient),
            gradient,
        }
    }

    fn step(&mut self, start: &Point, batch: &Batch<'_>, size: f64) -> Step {
        let from = self.subject.parameters;
        let moved = from.iter().zip(&start.gradient);
        let to: Vec<f32> = moved
            .map(|(p, g)| (f64::from(*p) - size * f64::from(*g)) as f32)
            .collect();
        let after = self.at(&to, batch);
        Step {
            size,
            norm: distance(&to, from),
            change: distance(&after.gradient, &start.gradient),
            product: sum(after.gradient.iter().zip(&start.gradient), |a, b| a * b),
            after,
        }
    }
}

/// A sum over pairs in `f64`, in order.
fn sum<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>, term: impl Fn(f64, f64) -> f64) -> f64 {
    pairs.map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum()
}

fn length(vector: &[f32]) -> f64 {
    sum(vector.iter().zip(vector), |a, b| a * b).sqrt()
}

fn distance(one: &[f32], other: &[f32]) -> f64 {
    sum(one.iter().zip(other), |a, b| (a - b) * (a - b)).sqrt()
}

/// A quotient, or null where there is nothing to divide by.
fn quotient(above: f64, below: f64) -> Cell {
    if below > 0.0 {
        (above / below).into()
    } else {
        Cell::Null
    }
}

fn add_row(
    table: &mut Table,
    subject: &Subject<'_>,
    (batch, samples): (usize, usize),
    (lr, multiple): (f64, f64),
    (start, step): (&Point, &Step),
) -> Result<(), TableError> {
    let cosine = quotient(step.product, start.norm * step.after.norm);
    table.push_named([
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        ("batch", batch.into()),
        ("samples", samples.into()),
        ("lr", lr.into()),
        ("multiple", multiple.into()),
        ("step_size", step.size.into()),
        ("loss", start.loss.into()),
        ("loss_after", step.after.loss.into()),
        ("gradient_norm", start.norm.into()),
        ("gradient_norm_after", step.after.norm.into()),
        ("step_norm", step.norm.into()),
        ("gradient_change", step.change.into()),
        ("smoothness", quotient(step.change, step.norm)),
        ("cosine", cosine),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use reslab_nn::train::{Schedule, ScheduleKind};

    #[test]
    fn the_rate_in_force_is_that_of_the_next_step_or_the_last() {
        let train = TrainSettings {
            epochs: 4,
            batch_size: 10,
            lr: 0.8,
            schedule: Schedule {
                kind: ScheduleKind::Linear,
                ..Schedule::default()
            },
            ..TrainSettings::default()
        };
        // 2 steps an epoch, 8 in all.
        let rates = [0, 1, 3, 4].map(|epoch| rate_in_force(&train, epoch, 20, false));
        let expected = [0.8, 0.8 * 0.75, 0.8 * 0.25, 0.8 * 0.125];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-15, "{rate}, not {expected}");
        }
        let untrained = TrainSettings { epochs: 0, ..train };
        assert!((rate_in_force(&untrained, 0, 20, false) - 0.8).abs() < 1e-15);
    }

    #[test]
    fn unusable_settings_are_named() {
        let model = reslab_nn::families::named("resnet8").expect("a name");
        let shape = reslab_nn::network::Shape::new(1, 8, 8);
        let network = reslab_nn::families::build(&model, shape, 10).expect("a network");
        let settings = SmoothnessSettings {
            batches: 0,
            batch_size: Some(1),
            steps: vec![1.0, 0.0],
            ..SmoothnessSettings::default()
        };
        let fields: Vec<&str> = settings
            .problems(&network)
            .iter()
            .map(|p| p.field)
            .collect();
        assert_eq!(
            fields,
            [
                "smoothness.batches",
                "smoothness.batch_size",
                "smoothness.steps"
            ]
        );
        assert_eq!(SmoothnessSettings::default().problems(&network), []);
    }
}
