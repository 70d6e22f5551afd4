//! What a lesion study is asked to do, and whether it can be done.

use reslab_nn::network::{Network, Op};
use reslab_nn::train::SettingProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edits::{compatible_places, removable};
use crate::subject::Set;

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
    /// Delete each single layer in turn, with its batch norm and nonlinearity, where that keeps the
    /// shape.
    pub layers: bool,
    /// Delete random blocks, several at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomSettings>,
    /// Put blocks in another order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<ReorderSettings>,
    /// Do every lesion a second time, with the batch norms' statistics estimated anew on the first so
    /// many training samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reestimate: Option<usize>,
}

/// Deleting several blocks at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomSettings {
    /// How many blocks are deleted: a list.
    pub k: Vec<usize>,
    /// Random draws for each number.
    #[serde(default = "draws")]
    pub samples: usize,
    /// Whether down-sampling blocks may be drawn.
    #[serde(default)]
    pub downsampling: bool,
}

/// Putting blocks in another order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReorderSettings {
    /// How many swaps of two random blocks of one stage: a list.
    pub swaps: Vec<usize>,
    /// Random draws for each number.
    #[serde(default = "draws")]
    pub samples: usize,
}

fn draws() -> usize {
    20
}

impl Default for LesionSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Test,
            samples: None,
            each: true,
            layers: false,
            random: None,
            reorder: None,
            reestimate: None,
        }
    }
}

impl LesionSettings {
    /// Everything that is wrong with the settings for a network; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut refuse = |field, message: String| found.push(SettingProblem { field, message });
        let positive = "must be at least 1";
        if self.samples == Some(0) {
            refuse(
                "lesion.samples",
                format!("{positive}, or absent, but is 0."),
            );
        }
        if let Some(random) = &self.random {
            let most = removable(network, random.downsampling).len();
            if random.samples == 0 {
                refuse("lesion.random.samples", format!("{positive}, but is 0."));
            }
            if let Some(k) = random.k.iter().find(|&&k| k == 0 || k > most) {
                let kind = if random.downsampling {
                    ""
                } else {
                    " that keep their shape"
                };
                let message = format!(
                    "must be numbers from 1 to {most}, the blocks of {}{kind} that can go, but {k} is one of them.",
                    network.name
                );
                refuse("lesion.random.k", message);
            }
        }
        if let Some(reorder) = &self.reorder {
            if reorder.samples == 0 {
                refuse("lesion.reorder.samples", format!("{positive}, but is 0."));
            }
            if reorder.swaps.contains(&0) {
                refuse(
                    "lesion.reorder.swaps",
                    format!("{positive}, but 0 is one of them."),
                );
            }
            if compatible_places(network)
                .iter()
                .all(|group| group.len() < 2)
            {
                let message = format!(
                    "needs a stage with two blocks that keep their shape, which {} has not.",
                    network.name
                );
                refuse("lesion.reorder", message);
            }
        }
        match self.reestimate {
            Some(0) => refuse(
                "lesion.reestimate",
                format!("{positive}, or absent, but is 0."),
            ),
            Some(_) if !has_batch_norm(network) => refuse(
                "lesion.reestimate",
                format!("needs batch norms, which {} has not.", network.name),
            ),
            _ => {}
        }
        found
    }
}

fn has_batch_norm(network: &Network) -> bool {
    let mut layers = network.front(network.blocks.len()).chain(&network.head);
    layers.any(|layer| matches!(layer.op, Op::BatchNorm(_)))
}
