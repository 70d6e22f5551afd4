//! What of the loss surface is looked at, and whether that can be done.

use std::path::PathBuf;

use reslab_nn::network::Network;
use reslab_nn::train::{SettingProblem, TrainSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::is_due;

/// Most points of one surface.
const MOST_POINTS: usize = 1_000_000;

/// Cuts through the loss surface. Without any of `line`, `plane`, `trajectory` and `interpolation`
/// the plane of Li et al. 2018.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LandscapeSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// What random directions are scaled by.
    pub normalisation: Normalisation,
    /// Whether biases and batch norms move in random directions as well.
    pub one_dimensional: bool,
    /// What batch norms normalise with; both may be asked for.
    pub statistics: Vec<Statistics>,
    /// Training samples, from the first on, on which running statistics are recomputed at each point.
    pub statistics_samples: usize,
    /// Evaluate on the first so many training samples; on all of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Evaluate on the first so many test samples as well; not at all if 0.
    pub test_samples: usize,
    /// Lines along one random direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<LineSettings>,
    /// Planes of two random directions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plane: Option<PlaneSettings>,
    /// The plane of the two principal components of the training's trajectory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trajectory: Option<TrajectorySettings>,
    /// The line to another network of the same form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpolation: Option<InterpolationSettings>,
}

/// What a random direction has the norm of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Normalisation {
    /// Each filter that of the network's (a row, in a linear layer).
    #[default]
    Filter,
    /// Each weight tensor that of the network's.
    Layer,
    /// Nothing: every number is a standard normal draw.
    None,
}

/// What batch norms normalise with at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Statistics {
    /// The running statistics of the network at the centre (in an interpolation, those of both
    /// networks interpolated).
    Kept,
    /// Statistics of training samples, recomputed at the point.
    Recomputed,
}

/// Places along one direction, evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AxisSettings {
    /// First place.
    pub from: f64,
    /// Last place.
    pub to: f64,
    /// Places, both ends counted.
    pub points: usize,
}

/// Lines along random directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LineSettings {
    /// First place.
    pub from: f64,
    /// Last place.
    pub to: f64,
    /// Places, both ends counted.
    pub points: usize,
    /// Lines, each along another direction.
    pub draws: usize,
}

/// Planes of random directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlaneSettings {
    /// Places along the first direction.
    pub x: AxisSettings,
    /// Places along the second direction.
    pub y: AxisSettings,
    /// Planes, each with other directions.
    pub draws: usize,
}

/// A plane through the trajectory of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrajectorySettings {
    /// The network is kept after every so many epochs, and after the last one.
    pub every: usize,
    /// Places along the first component.
    pub x_points: usize,
    /// Places along the second component.
    pub y_points: usize,
    /// How far the plane reaches beyond the trajectory on each side, as a share of the trajectory's
    /// extent.
    pub margin: f64,
}

/// The line from the network to another one: 0 is the network, 1 the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InterpolationSettings {
    /// File of the other network's weights and running statistics, in the formats of `init.weights`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// SHA-256 that the file must have; part of the run's identity in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// In place of a file: the network of this run as it was after this epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_epoch: Option<usize>,
    /// First place.
    pub from: f64,
    /// Last place.
    pub to: f64,
    /// Places, both ends counted.
    pub points: usize,
}

impl Default for LandscapeSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            normalisation: Normalisation::Filter,
            one_dimensional: false,
            statistics: vec![Statistics::Kept],
            statistics_samples: 1024,
            samples: None,
            test_samples: 0,
            line: None,
            plane: None,
            trajectory: None,
            interpolation: None,
        }
    }
}

impl Default for AxisSettings {
    fn default() -> Self {
        Self {
            from: -1.0,
            to: 1.0,
            points: 51,
        }
    }
}

impl Default for LineSettings {
    fn default() -> Self {
        Self {
            from: -1.0,
            to: 1.0,
            points: 51,
            draws: 1,
        }
    }
}

impl Default for PlaneSettings {
    fn default() -> Self {
        Self {
            x: AxisSettings::default(),
            y: AxisSettings::default(),
            draws: 1,
        }
    }
}

impl Default for TrajectorySettings {
    fn default() -> Self {
        Self {
            every: 1,
            x_points: 25,
            y_points: 25,
            margin: 0.2,
        }
    }
}

impl Default for InterpolationSettings {
    fn default() -> Self {
        Self {
            weights: None,
            weights_sha256: None,
            to_epoch: None,
            from: -0.5,
            to: 1.5,
            points: 401,
        }
    }
}

impl Normalisation {
    /// As in the settings and the tables.
    pub fn name(self) -> &'static str {
        match self {
            Normalisation::Filter => "filter",
            Normalisation::Layer => "layer",
            Normalisation::None => "none",
        }
    }
}

impl AxisSettings {
    /// The places in order. A place depends on the range and its share of the way alone, so that a
    /// finer division meets the places of the coarser one exactly.
    pub fn places(&self) -> Vec<f64> {
        let last = self.points.saturating_sub(1);
        let span = self.to - self.from;
        let place = |index: usize| {
            if index == last {
                return self.to;
            }
            let place = self.from + span * (index as f64 / last as f64);
            // The network itself is met where rounding alone keeps them apart.
            if place.abs() < 1e-12 * span {
                0.0
            } else {
                place
            }
        };
        (0..self.points).map(place).collect()
    }

    fn problem(&self) -> Option<String> {
        let ascending = self.from.is_finite() && self.to.is_finite() && self.from < self.to;
        if !ascending {
            return Some(format!(
                "must go up from one number to a larger one, but goes from {} to {}.",
                self.from, self.to
            ));
        }
        (self.points < 2 || self.points > MOST_POINTS).then(|| {
            format!(
                "must have from 2 to {MOST_POINTS} points, but has {}.",
                self.points
            )
        })
    }
}

impl LineSettings {
    /// Its places.
    pub fn axis(&self) -> AxisSettings {
        AxisSettings {
            from: self.from,
            to: self.to,
            points: self.points,
        }
    }
}

impl InterpolationSettings {
    /// Its places.
    pub fn axis(&self) -> AxisSettings {
        AxisSettings {
            from: self.from,
            to: self.to,
            points: self.points,
        }
    }
}

impl TrajectorySettings {
    /// The epochs up to `epoch` whose network is kept, of a training of `last`.
    fn kept(&self, epoch: usize, last: usize) -> impl Iterator<Item = usize> {
        let every = self.every.max(1);
        (0..=epoch).filter(move |&at| at == last || at.is_multiple_of(every))
    }
}

impl LandscapeSettings {
    /// The plane of random directions, if there is to be one.
    pub fn plane(&self) -> Option<PlaneSettings> {
        let other = self.line.is_some() || self.trajectory.is_some();
        match &self.plane {
            None if !other && self.interpolation.is_none() => Some(PlaneSettings::default()),
            plane => plane.clone(),
        }
    }

    /// Whether the network after `epoch` of `last` is to be kept.
    pub fn keeps(&self, epoch: usize, last: usize) -> bool {
        let of_trajectory = |t: &TrajectorySettings| t.kept(epoch, last).any(|at| at == epoch);
        let interpolation = self.interpolation.as_ref();
        self.trajectory.as_ref().is_some_and(of_trajectory)
            || interpolation.is_some_and(|i| i.to_epoch == Some(epoch))
    }

    /// The kept epochs that a trajectory up to `epoch` of `last` is made of, the centre left out.
    pub fn snapshots(&self, epoch: usize, last: usize) -> Vec<usize> {
        let trajectory = self.trajectory.iter();
        let kept = trajectory.flat_map(|t| t.kept(epoch, last));
        kept.filter(|&at| at != epoch).collect()
    }

    /// Everything that is wrong with the settings for a network; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut refuse = |field, message: String| found.push(SettingProblem { field, message });
        let at_least_1 = "must be at least 1, but is 0.".to_owned();
        if self.samples == Some(0) {
            let message = "must be at least 1, or absent, but is 0.".to_owned();
            refuse("landscape.samples", message);
        }
        let norms = !network.layout.state.is_empty();
        match &self.statistics[..] {
            [Statistics::Recomputed | Statistics::Kept] => {}
            [one, other] if one != other => {}
            _ => refuse(
                "landscape.statistics",
                "must be a list of `kept`, `recomputed` or both, each once.".to_owned(),
            ),
        }
        if self.statistics.contains(&Statistics::Recomputed) {
            if !norms {
                let message = format!(
                    "can be `recomputed` where there are batch norms, which {} has not.",
                    network.name
                );
                refuse("landscape.statistics", message);
            }
            if self.statistics_samples < 2 {
                let message = format!("must be at least 2, but is {}.", self.statistics_samples);
                refuse("landscape.statistics_samples", message);
            }
        }
        if let Some(line) = &self.line {
            if let Some(problem) = line.axis().problem() {
                refuse("landscape.line", problem);
            }
            if line.draws == 0 {
                refuse("landscape.line.draws", at_least_1.clone());
            }
        }
        if let Some(plane) = &self.plane {
            if let Some(problem) = plane.x.problem() {
                refuse("landscape.plane.x", problem);
            }
            if let Some(problem) = plane.y.problem() {
                refuse("landscape.plane.y", problem);
            }
            if plane.x.points.saturating_mul(plane.y.points) > MOST_POINTS {
                let (x, y) = (plane.x.points, plane.y.points);
                let message = format!("must have at most {MOST_POINTS} points, but has {x} × {y}.");
                refuse("landscape.plane", message);
            }
            if plane.draws == 0 {
                refuse("landscape.plane.draws", at_least_1.clone());
            }
        }
        if let Some(trajectory) = &self.trajectory {
            for (field, points) in [
                ("landscape.trajectory.x_points", trajectory.x_points),
                ("landscape.trajectory.y_points", trajectory.y_points),
            ] {
                if !(2..=1000).contains(&points) {
                    refuse(field, format!("must be from 2 to 1000, but is {points}."));
                }
            }
            if trajectory.every == 0 {
                refuse("landscape.trajectory.every", at_least_1);
            }
            let margin = trajectory.margin;
            if !(margin.is_finite() && margin >= 0.0) {
                let message = format!("must be a number of at least 0, but is {margin}.");
                refuse("landscape.trajectory.margin", message);
            }
        }
        if let Some(interpolation) = &self.interpolation {
            if let Some(problem) = interpolation.axis().problem() {
                refuse("landscape.interpolation", problem);
            }
            if interpolation.weights.is_some() == interpolation.to_epoch.is_some() {
                let message = "must name either `weights`, a file, or `to_epoch`.".to_owned();
                refuse("landscape.interpolation", message);
            }
        }
        found
    }

    /// Everything that is wrong with the settings for a training.
    pub fn problems_of_training(&self, train: &TrainSettings) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let last = train.epochs;
        let due = (0..=last).filter(|&epoch| is_due(&self.epochs, epoch, last));
        for epoch in due {
            let snapshots = self.snapshots(epoch, last).len() + 1;
            if self.trajectory.is_some() && snapshots < 3 {
                let message = format!(
                    "needs a trajectory of at least 3 networks, but {snapshots} are kept up to epoch {epoch}."
                );
                found.push(SettingProblem {
                    field: "landscape.trajectory",
                    message,
                });
            }
            let to = self.interpolation.as_ref().and_then(|i| i.to_epoch);
            if let Some(to) = to.filter(|&to| to >= epoch) {
                let message = format!(
                    "must be an epoch before the one that is looked at, {epoch}, but is {to}."
                );
                found.push(SettingProblem {
                    field: "landscape.interpolation.to_epoch",
                    message,
                });
            }
        }
        found
    }

    /// What a reader of the results should know: a sentence each.
    pub fn remarks(&self, network: &Network) -> Vec<String> {
        let random = self.line.is_some() || self.plane().is_some();
        let norms = !network.layout.state.is_empty();
        if !(random && norms && self.normalisation == Normalisation::None) {
            return Vec::new();
        }
        vec![format!(
            "`probes.landscape.normalisation` is none and {} has batch norms: how sharp the surface \
             looks then depends on the scale of the weights, which the network's function does not \
             depend on (Li et al. 2018, section 3). `filter` is free of that.",
            network.name
        )]
    }
}
