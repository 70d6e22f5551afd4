//! Transfer: what of a network stays as it is, and what learns at a rate of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::TrainSettings;
use crate::import::last_linear;
use crate::network::{Entry, Network};

/// What of a network does not learn: the stem and the first blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FreezeSettings {
    /// How many blocks are frozen with the stem, from the front.
    pub blocks: usize,
    /// What the batch norms of the frozen part normalise with while the rest is trained.
    pub batch_norm: FrozenNorms,
}

/// What batch norms of the frozen part do in training; their γ and β never move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FrozenNorms {
    /// They use their running statistics, which stay.
    #[default]
    Frozen,
    /// They use the batch's statistics, and their running ones move.
    Training,
}

/// The network as training executes it: frozen norms use their running statistics.
pub(super) fn executed(network: &Network, freeze: Option<FreezeSettings>) -> Network {
    match freeze {
        Some(FreezeSettings {
            blocks,
            batch_norm: FrozenNorms::Frozen,
        }) => network.with_frozen_norms(blocks),
        _ => network.clone(),
    }
}

/// Whether each parameter of the layout moves.
pub(super) fn moves(network: &Network, freeze: Option<FreezeSettings>) -> Vec<bool> {
    let entries = &network.layout.parameters;
    let Some(freeze) = freeze else {
        return vec![true; entries.len()];
    };
    let mut frozen = vec![false; network.layout.parameter_count()];
    for slot in network
        .front(freeze.blocks)
        .flat_map(|layer| layer.op.parameters())
    {
        frozen[slot.range()].fill(true);
    }
    entries
        .iter()
        .map(|entry| !frozen.get(entry.slot.offset).copied().unwrap_or(false))
        .collect()
}

/// What each parameter's rate is multiplied by: 0 where it does not move.
pub(super) fn rates(network: &Network, settings: &TrainSettings) -> Vec<f64> {
    let head = last_linear(network);
    let backbone = settings.lr_backbone.map_or(1.0, |rate| rate / settings.lr);
    let in_head = |entry: &Entry| entry.name.rsplit_once('.').map(|(layer, _)| layer) == head;
    let entries = network
        .layout
        .parameters
        .iter()
        .zip(moves(network, settings.freeze));
    entries
        .map(|(entry, moves)| match (moves, in_head(entry)) {
            (false, _) => 0.0,
            (true, true) => 1.0,
            (true, false) => backbone,
        })
        .collect()
}
