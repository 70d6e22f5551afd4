//! Networks built to equal a trained plain one, and what they get right (He et al. 2015, section 1).
//!
//! The deeper plain network has the trained one's error without any training at its own depth: what
//! training from scratch at that depth finds can be set beside it. The residual network shows that
//! `F = H − x` expresses every plain block. Both are constructed in `f64`
//! ([`reslab_nn::construct`]), rounded, and evaluated by the engine like any network.

use reslab_nn::construct::{ConstructError, Constructed, deeper, residual_equal};
use reslab_nn::data::{Split, Targets};
use reslab_nn::engine::{Batch, Engine, Noise};
use reslab_nn::loss::BatchResult;
use reslab_nn::network::{Block, Layer, Network, Op};
use reslab_nn::reference;
use reslab_nn::train::{EVALUATION_BATCH, SettingProblem, targets};
use reslab_results::{Cell, Table, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{ProbeError, Set, Subject, Watch};

/// Most blocks added to a stage.
const MOST_ADDED: usize = 1000;

/// Networks built to equal a plain one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpressivitySettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set it is evaluated on.
    pub set: Set,
    /// Evaluate on the first so many samples of the set; on all of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Identity blocks that deeper networks have more in each stage, a network for each number.
    pub added: Vec<usize>,
    /// Whether the residual network is built too.
    pub residual: bool,
}

impl Default for ExpressivitySettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Train,
            samples: None,
            added: vec![2],
            residual: true,
        }
    }
}

impl ExpressivitySettings {
    /// Everything that is wrong with the settings for a network; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let numbers = Constructed {
            network: network.clone(),
            parameters: vec![0.0; network.layout.parameter_count()],
            state: vec![1.0; network.layout.state_count()],
        };
        let mut refused = |field, error: ConstructError| {
            let message = format!("does not apply: {error}");
            found.push(SettingProblem { field, message });
        };
        if let (false, Err(error)) = (self.added.is_empty(), deeper(&numbers, 1)) {
            refused("expressivity.added", error);
        }
        if let (true, Err(error)) = (self.residual, residual_equal(&numbers)) {
            refused("expressivity.residual", error);
        }
        if let Some(added) = self
            .added
            .iter()
            .find(|&&added| added == 0 || added > MOST_ADDED)
        {
            found.push(SettingProblem {
                field: "expressivity.added",
                message: format!(
                    "must be numbers from 1 to {MOST_ADDED}, but {added} is one of them."
                ),
            });
        }
        if self.samples == Some(0) {
            found.push(SettingProblem {
                field: "expressivity.samples",
                message: "must be at least 1, or absent, but is 0.".to_owned(),
            });
        }
        found
    }
}

/// The trained network, then each that is built from it.
///
/// # Errors
///
/// [`ProbeError::Stopped`] where `watch` says so; a network that is not plain.
pub fn measure(
    settings: &ExpressivitySettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let given = Constructed {
        network: subject.network.clone(),
        parameters: reference::lift(subject.parameters),
        state: reference::lift(subject.state),
    };
    let refused = |error: ConstructError| ProbeError::Unusable(error.to_string());
    let total = 1 + settings.added.len() + usize::from(settings.residual);
    let mut table = Table::new(schema::expressivity());
    let mut add = |kind: &str, added: Option<usize>, built: &Constructed, done: usize| {
        let mut poll = || watch.at(done, total);
        let row = compared(settings, subject, built, &mut poll)?;
        let samples = row.samples as f64;
        let classes = matches!(
            settings.set.of(subject.dataset).targets,
            Targets::Classes(_)
        );
        let error = Some(row.sums.wrong as f64 / samples).filter(|_| classes);
        let set = match settings.set {
            Set::Train => "train",
            Set::Test => "test",
        };
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("kind", kind.into()),
            ("added", added.into()),
            ("blocks", built.network.blocks.len().into()),
            ("layers", weighing_layers(&built.network).into()),
            ("parameters", built.network.layout.parameter_count().into()),
            ("largest_difference", row.difference.into()),
            ("set", set.into()),
            ("wrong", row.sums.wrong.into()),
            ("total", row.samples.into()),
            ("loss", Cell::from(row.sums.loss_sum / samples)),
            ("error", error.into()),
        ])?;
        Ok::<(), ProbeError>(())
    };
    add("given", None, &given, 0)?;
    for (index, &added) in settings.added.iter().enumerate() {
        let built = deeper(&given, added).map_err(refused)?;
        add("deeper", Some(added), &built, index + 1)?;
    }
    if settings.residual {
        let built = residual_equal(&given).map_err(refused)?;
        add("residual", None, &built, total - 1)?;
    }
    Ok(table)
}

/// What a built network gets right, and how far its outputs are from the given one's.
struct Compared {
    sums: BatchResult,
    samples: usize,
    /// Largest difference of an output, against the largest output.
    difference: f64,
}

fn compared(
    settings: &ExpressivitySettings,
    subject: &Subject<'_>,
    built: &Constructed,
    poll: &mut dyn FnMut() -> Result<(), ProbeError>,
) -> Result<Compared, ProbeError> {
    let split = settings.set.of(subject.dataset);
    let samples = settings.samples.unwrap_or(split.len).min(split.len);
    let (parameters, state) = built.single();
    let loss = subject.train.loss.loss();
    let mut given = Engine::for_evaluation(subject.network, EVALUATION_BATCH)?;
    let mut other = Engine::for_evaluation(&built.network, EVALUATION_BATCH)?;
    let mut sums = BatchResult::default();
    let (mut apart, mut largest) = (0.0_f32, 0.0_f32);
    for start in (0..samples).step_by(EVALUATION_BATCH) {
        poll()?;
        let end = samples.min(start + EVALUATION_BATCH);
        let batch = batch(split, start, end);
        given.evaluate(subject.parameters, subject.state, &batch, &loss);
        let found = other.evaluate(&parameters, &state, &batch, &loss);
        sums.loss_sum += found.loss_sum;
        sums.wrong += found.wrong;
        for (a, b) in given.logits().iter().zip(other.logits()) {
            // Not `max`, which takes NaN for nothing; once it is NaN it stays so.
            let here = (a - b).abs();
            if here.is_nan() || here > apart {
                apart = here;
            }
            largest = largest.max(a.abs());
        }
    }
    Ok(Compared {
        sums,
        samples,
        difference: if apart == 0.0 {
            0.0
        } else {
            f64::from(apart) / f64::from(largest)
        },
    })
}

fn batch(split: &Split, start: usize, end: usize) -> Batch<'_> {
    let features = split.inputs.len() / split.len.max(1);
    Batch {
        inputs: &split.inputs[start * features..end * features],
        targets: targets(&split.targets, start, end),
        len: end - start,
        noise: Noise::default(),
    }
}

/// Convolutions and linear layers from the input to the output, one branch of each block.
fn weighing_layers(network: &Network) -> usize {
    let weighs = |layer: &&Layer| matches!(layer.op, Op::Conv2d(_) | Op::Linear(_));
    let of_block = |block: &Block| {
        let branch = block.branches.first().into_iter().flatten();
        branch.filter(weighs).count()
    };
    let rest = network.stem.iter().chain(&network.head).filter(weighs);
    rest.count() + network.blocks.iter().map(of_block).sum::<usize>()
}
