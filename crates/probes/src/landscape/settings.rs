//! What of the loss surface is looked at.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Extreme eigenvalues of the Hessian at points of the same ranges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curvature: Option<CurvatureSettings>,
}

/// Curvature at points of a plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CurvatureSettings {
    /// Places along the first direction, over the range of the plane.
    pub x_points: usize,
    /// Places along the second direction.
    pub y_points: usize,
    /// The first so many training samples are the ones whose mean loss it is.
    pub samples: usize,
    /// An eigenvalue is found when its residual is at most this share of it.
    pub tolerance: f64,
    /// Products with the Hessian at most, at each point; a vector of double precision is kept of each.
    pub max_products: usize,
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
            curvature: None,
        }
    }
}

impl Default for CurvatureSettings {
    fn default() -> Self {
        Self {
            x_points: 11,
            y_points: 11,
            samples: 512,
            tolerance: 0.01,
            max_products: 100,
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

    /// The same range in other steps.
    pub fn divided(&self, points: usize) -> Self {
        Self { points, ..*self }
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
}
