//! Lesions: what a trained network still knows when blocks are deleted (Veit, Wilber, Belongie
//! 2016, section 4).
//!
//! The network is edited ([`Network::without`]) and evaluated with the parameters it has; nothing
//! is trained again. Of a residual block the branches go and the shortcut stays, of a plain block
//! everything goes, which is possible where the block keeps its shape.

use reslab_nn::engine::Engine;
use reslab_nn::network::Network;
use reslab_nn::train::{EVALUATION_BATCH, Flow, SettingProblem, evaluate_first};
use reslab_results::{Cell, Table, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{ProbeError, Set, Subject, Watch};

/// A lesion study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LesionSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set it is evaluated on.
    pub set: Set,
    /// Evaluate on the first so many samples of the set; on all of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Delete each block in turn.
    pub each: bool,
}

impl Default for LesionSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Test,
            samples: None,
            each: true,
        }
    }
}

impl LesionSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, _network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        if self.samples == Some(0) {
            found.push(SettingProblem {
                field: "lesion.samples",
                message: "must be at least 1, or absent, but is 0.".to_owned(),
            });
        }
        found
    }
}

/// Does the study: the whole network first, then each lesion.
pub fn measure(
    settings: &LesionSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let mut table = Table::new(schema::lesion());
    let network = subject.network;
    let blocks = if settings.each {
        network.blocks.len()
    } else {
        0
    };
    let lesions = std::iter::once(None).chain((0..blocks).map(Some));
    for (done, block) in lesions.enumerate() {
        watch.at(done, blocks + 1)?;
        let edited = block.map_or_else(|| network.clone(), |block| network.without(block));
        // A plain block that changes the shape cannot go.
        if edited.check().is_ok() {
            let mut poll = || watch.at(done, blocks + 1);
            add(&mut table, settings, subject, (&edited, block), &mut poll)?;
        }
    }
    Ok(table)
}

fn add(
    table: &mut Table,
    settings: &LesionSettings,
    subject: &Subject<'_>,
    (edited, block): (&Network, Option<usize>),
    poll: &mut dyn FnMut() -> Result<(), ProbeError>,
) -> Result<(), ProbeError> {
    let split = settings.set.of(subject.dataset);
    let total = settings.samples.unwrap_or(split.len).min(split.len);
    let mut engine = Engine::for_evaluation(edited, EVALUATION_BATCH)?;
    let loss = subject.train.loss.loss();
    let (parameters, state) = (subject.parameters, subject.state);
    let mut go_on = || poll().map_or(Flow::Stop, |()| Flow::Continue);
    let found = evaluate_first(
        &mut engine,
        parameters,
        state,
        split,
        total,
        &loss,
        &mut go_on,
    )
    .ok_or(ProbeError::Stopped)?;
    let of = |part: fn(&reslab_nn::network::Block) -> Cell| {
        block.map_or(Cell::Null, |index| part(&subject.network.blocks[index]))
    };
    table.push_named([
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        (
            "kind",
            if block.is_some() { "delete" } else { "none" }.into(),
        ),
        ("stage", of(|b| b.stage.into())),
        ("block", block.into()),
        ("name", of(|b| b.name.as_str().into())),
        ("downsampling", of(|b| b.is_downsampling().into())),
        ("k", usize::from(block.is_some()).into()),
        ("sample", Cell::Null),
        ("kendall_tau", Cell::Null),
        ("wrong", found.wrong.into()),
        ("total", total.into()),
        ("loss", (found.loss_sum / total as f64).into()),
    ])?;
    Ok(())
}
