//! Whether what is asked for can be done, and what a reader should know of it.

use reslab_nn::network::Network;
use reslab_nn::train::{SettingProblem, TrainSettings};

use super::settings::{
    AxisSettings, CurvatureSettings, LandscapeSettings, Normalisation, Statistics,
};
use crate::subject::is_due;

/// Most points of one surface.
const MOST_POINTS: usize = 1_000_000;

impl AxisSettings {
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

impl CurvatureSettings {
    fn problem(&self) -> Option<String> {
        if self.x_points < 2 || self.y_points < 2 || self.samples == 0 || self.max_products == 0 {
            let message = "must have at least 2 `x_points` and `y_points`, a sample and a product.";
            return Some(message.to_owned());
        }
        let within = self.tolerance > 0.0 && self.tolerance < 1.0;
        (!within).then(|| {
            format!(
                "must have a `tolerance` between 0 and 1, but has {}.",
                self.tolerance
            )
        })
    }
}

/// Where problems go: the setting, and what it must be.
type Refuse<'a> = dyn FnMut(&'static str, String) + 'a;

impl LandscapeSettings {
    /// Everything that is wrong with the settings for a network; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut refuse = |field, message: String| found.push(SettingProblem { field, message });
        if self.samples == Some(0) {
            let message = "must be at least 1, or absent, but is 0.".to_owned();
            refuse("landscape.samples", message);
        }
        self.statistics_problems(network, &mut refuse);
        self.random_problems(&mut refuse);
        self.trajectory_problems(&mut refuse);
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

    fn statistics_problems(&self, network: &Network, refuse: &mut Refuse<'_>) {
        match &self.statistics[..] {
            [Statistics::Recomputed | Statistics::Kept] => {}
            [one, other] if one != other => {}
            _ => refuse(
                "landscape.statistics",
                "must be a list of `kept`, `recomputed` or both, each once.".to_owned(),
            ),
        }
        if !self.statistics.contains(&Statistics::Recomputed) {
            return;
        }
        if network.layout.state.is_empty() {
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

    fn random_problems(&self, refuse: &mut Refuse<'_>) {
        let at_least_1 = || "must be at least 1, but is 0.".to_owned();
        if let Some(line) = &self.line {
            if let Some(problem) = line.axis().problem() {
                refuse("landscape.line", problem);
            }
            if line.draws == 0 {
                refuse("landscape.line.draws", at_least_1());
            }
        }
        let Some(plane) = &self.plane else {
            return;
        };
        if let Some(problem) = plane.x.problem() {
            refuse("landscape.plane.x", problem);
        }
        if let Some(problem) = plane.y.problem() {
            refuse("landscape.plane.y", problem);
        }
        let (x, y) = (plane.x.points, plane.y.points);
        if x.saturating_mul(y) > MOST_POINTS {
            let message = format!("must have at most {MOST_POINTS} points, but has {x} × {y}.");
            refuse("landscape.plane", message);
        }
        if plane.draws == 0 {
            refuse("landscape.plane.draws", at_least_1());
        }
        if let Some(problem) = plane
            .curvature
            .as_ref()
            .and_then(CurvatureSettings::problem)
        {
            refuse("landscape.plane.curvature", problem);
        }
    }

    fn trajectory_problems(&self, refuse: &mut Refuse<'_>) {
        let Some(trajectory) = &self.trajectory else {
            return;
        };
        for (field, points) in [
            ("landscape.trajectory.x_points", trajectory.x_points),
            ("landscape.trajectory.y_points", trajectory.y_points),
        ] {
            if !(2..=1000).contains(&points) {
                refuse(field, format!("must be from 2 to 1000, but is {points}."));
            }
        }
        if trajectory.every == 0 {
            let message = "must be at least 1, but is 0.".to_owned();
            refuse("landscape.trajectory.every", message);
        }
        let margin = trajectory.margin;
        if !(margin.is_finite() && margin >= 0.0) {
            let message = format!("must be a number of at least 0, but is {margin}.");
            refuse("landscape.trajectory.margin", message);
        }
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
