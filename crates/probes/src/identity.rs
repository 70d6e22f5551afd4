//! How near each block is to the identity: `‖F(x)‖ / ‖x‖` through depth.
//!
//! For a residual block `F(x)` is what its branch adds, before addition and whatever comes after it;
//! for a plain one it is what the branch makes of x. If the identity were optimal, residual
//! functions would only have to be pushed to zero (He et al. 2015, section 3.1), and the closer to
//! it a stack begins, the better it is conditioned (Hardt, Ma 2017). Computed by the reference in
//! `f64`.

use reslab_nn::error::ShapeError;
use reslab_nn::network::{Network, Shortcut};
use reslab_nn::reference::{self, Mode, Part, Tensor};
use reslab_nn::train::SettingProblem;
use reslab_results::{Cell, Table, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{ProbeError, Set, Subject, Watch};

/// Ratio of branch and input by block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdentitySettings {
    /// Epochs after which it is measured; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set whose samples go through the network.
    pub set: Set,
    /// The first so many samples of it, as one batch.
    pub samples: usize,
    /// Whether batch norm uses the statistics of that batch, or its running ones.
    pub batch_statistics: bool,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Train,
            samples: 64,
            batch_statistics: true,
        }
    }
}

impl IdentitySettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        if self.samples < 2 {
            found.push(SettingProblem {
                field: "identity.samples",
                message: format!("must be at least 2, but is {}.", self.samples),
            });
        }
        if let Some(block) = network.blocks.iter().find(|b| b.branches.len() != 1) {
            found.push(SettingProblem {
                field: "identity",
                message: format!(
                    "needs blocks of one branch, but `{}` has {}.",
                    block.name,
                    block.branches.len()
                ),
            });
        }
        found
    }
}

/// A row for each block.
///
/// # Errors
///
/// [`ProbeError::Stopped`] where `watch` says so.
pub fn measure(
    settings: &IdentitySettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let network = subject.network;
    let split = settings.set.of(subject.dataset);
    let samples = settings.samples.min(split.len);
    let inputs = &split.inputs[..samples * network.input.len()];
    let inputs: Tensor<f64> = reference::tensor(inputs, network.input)?;
    let numbers = (
        reference::lift::<f64>(subject.parameters),
        reference::lift::<f64>(subject.state),
    );
    let mode = if settings.batch_statistics {
        Mode::Training
    } else {
        Mode::Evaluation
    };
    let through = |network: &Network, part: Part, inputs: &Tensor<f64>| {
        let pass = reference::forward_part(network, part, &numbers.0, &numbers.1, mode, inputs)?;
        Ok::<Tensor<f64>, ShapeError>(pass.output)
    };

    let mut table = Table::new(schema::identity());
    let first = through(network, Part::before(0), &inputs)?;
    let mut x = first.clone();
    for (index, block) in network.blocks.iter().enumerate() {
        watch.at(index, network.blocks.len())?;
        let branch = through(
            &branch_alone(network, index),
            Part::blocks(index..index + 1),
            &x,
        )?;
        let output = through(network, Part::blocks(index..index + 1), &x)?;
        let (input_norm, branch_norm) = (norm(&x), norm(&branch));
        let same_shape = branch.dim() == x.dim();
        let cosine = same_shape.then(|| dot(&branch, &x) / (branch_norm * input_norm));
        let drift = (output.dim() == first.dim()).then(|| norm(&(&output - &first)) / norm(&first));
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("block", index.into()),
            ("name", block.name.as_str().into()),
            ("stage", block.stage.into()),
            ("downsampling", block.is_downsampling().into()),
            ("input_norm", finite(Some(input_norm))),
            ("branch_norm", finite(Some(branch_norm))),
            ("ratio", finite(Some(branch_norm / input_norm))),
            ("cosine", finite(cosine)),
            ("drift", finite(drift)),
        ])?;
        x = output;
    }
    Ok(table)
}

/// The network in which a block is its branch alone: no shortcut, gate, or layers after it.
fn branch_alone(network: &Network, block: usize) -> Network {
    let mut alone = network.clone();
    let block = &mut alone.blocks[block];
    block.shortcut = Shortcut::None;
    block.gate = None;
    block.survival = None;
    block.post.clear();
    alone
}

fn norm(x: &Tensor<f64>) -> f64 {
    dot(x, x).sqrt()
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What is not finite becomes null: a norm beyond all numbers, or an angle with nothing.
fn finite(value: Option<f64>) -> Cell {
    Cell::from(value.filter(|value| value.is_finite()))
}
