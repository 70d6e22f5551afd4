//! What of the loss surface is looked at.

use reslab_nn::network::Network;
use reslab_nn::train::SettingProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cuts through the loss surface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LandscapeSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The plane of the two principal components of the training's trajectory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trajectory: Option<TrajectorySettings>,
}

/// A plane through the trajectory of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrajectorySettings {
    /// The network is kept after every so many epochs, and after the last one.
    pub every: usize,
}

impl Default for TrajectorySettings {
    fn default() -> Self {
        Self { every: 1 }
    }
}

impl LandscapeSettings {
    /// Whether the network after `epoch` of `last` is to be kept.
    pub fn keeps(&self, epoch: usize, last: usize) -> bool {
        let trajectory = self.trajectory.as_ref();
        trajectory.is_some_and(|t| epoch == last || epoch.is_multiple_of(t.every.max(1)))
    }

    /// Everything that is wrong with the settings for a network; empty when they can be used.
    pub fn problems(&self, _network: &Network) -> Vec<SettingProblem> {
        Vec::new()
    }
}
