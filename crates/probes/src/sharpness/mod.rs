//! Sharpness: how far the loss rises under perturbations of the weights.
//!
//! With w the weights of convolutions and linear layers, F filters w_f among them, L the mean loss over
//! the first samples of the training set (evaluation mode), and r a radius:
//!
//! | kind | perturbation | source |
//! |------|--------------|--------|
//! | `gaussian` | r ‖w‖ d/‖d‖, d normal | |
//! | `filter` | r ‖w_f‖ d_f/‖d_f‖ in each filter | Li et al. 2018, section 4 |
//! | `gradient` | r ‖w‖ g/‖g‖, g = ∇L | Foret et al. 2021, eq. 2 |
//! | `gradient-filter` | r √F T² g/‖T g‖, T the filters' norms | Kwon et al. 2021, eq. 6 |
//!
//! The four are equally long where all filters are: the first and third have length r ‖w‖, the
//! others `Σ_f (‖δ_f‖/‖w_f‖)² = F r²`. Rises are measured, not linearised. `curvature`, where it is
//! asked for, is the largest eigenvalue of the Hessian by w ([`CurvatureSettings`]).
//!
//! Sharpness can be reparametrised away (Dinh et al. 2017): with `rescale` each is measured on
//! networks that compute the same function with other weights ([`rescale`]). `filter` and
//! `gradient-filter` do not notice; the others do.

mod curvature;
mod directions;
mod rescale;

use reslab_nn::data::Split;
use reslab_nn::engine::{Batch, Engine};
use reslab_nn::network::{Network, Op};
use reslab_nn::noise::Noise;
use reslab_nn::train::{EVALUATION_BATCH, Flow, SettingProblem, evaluate_first, targets};
use reslab_results::{Cell, Table, TableError, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gradients::without_noise;
use crate::subject::{ProbeError, Set, Subject, Watch};

pub use curvature::CurvatureSettings;

/// Rise of the loss under perturbations of the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SharpnessSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The loss is that of the first so many samples of the training set, at most of all.
    pub samples: usize,
    /// Lengths of the perturbations as shares of the weights'.
    pub radii: Vec<f64>,
    /// Random directions of each kind.
    pub draws: usize,
    /// Do it again on networks of the same function whose branches' first layers are multiplied by
    /// each of these.
    pub rescale: Vec<f64>,
    /// Find the largest eigenvalue of the Hessian by the weights, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curvature: Option<CurvatureSettings>,
}

impl Default for SharpnessSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            samples: 1024,
            radii: vec![0.1],
            draws: 10,
            rescale: Vec::new(),
            curvature: None,
        }
    }
}

impl SharpnessSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut require = |field, holds: bool, message: String| {
            if !holds {
                found.push(SettingProblem { field, message });
            }
        };
        let positive = |values: &[f64]| values.iter().all(|v| *v > 0.0 && v.is_finite());
        require(
            "sharpness.samples",
            self.samples >= 1,
            format!("must be at least 1, but is {}.", self.samples),
        );
        require(
            "sharpness.radii",
            positive(&self.radii) && !self.radii.is_empty(),
            format!(
                "must be one or more numbers above 0, but is {:?}.",
                self.radii
            ),
        );
        require(
            "sharpness.rescale",
            positive(&self.rescale),
            format!("must be numbers above 0, but is {:?}.", self.rescale),
        );
        require(
            "sharpness.rescale",
            self.rescale.is_empty() || rescale::applies(network),
            format!(
                "must be empty for {}: no branch has a layer followed by batch norm, or by ReLU \
                 and another layer.",
                network.name
            ),
        );
        found.extend(self.curvature.iter().flat_map(|c| c.problems()));
        found
    }
}

/// Measures the network, then its rescaled twins.
pub fn measure(
    settings: &SharpnessSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let network = normalised_as_in_evaluation(&without_noise(subject.network));
    let mut surface = Surface {
        evaluator: Engine::for_evaluation(&network, EVALUATION_BATCH)?,
        trainer: Engine::for_training(&network, EVALUATION_BATCH)?,
        subject,
        samples: settings.samples.min(subject.dataset.train.len),
    };
    let given = (subject.parameters, subject.state);
    let mut alphas = vec![1.0];
    alphas.extend(&settings.rescale);
    let curvature = settings.curvature.as_ref();
    let each =
        1 + 2 * settings.radii.len() * (1 + settings.draws) + usize::from(curvature.is_some());
    let mut table = Table::new(schema::sharpness());
    for (place, &alpha) in alphas.iter().enumerate() {
        let mut progress = Count {
            watch: &mut *watch,
            done: place * each,
            total: alphas.len() * each,
        };
        let (parameters, state) = rescale::rescaled(&network, given, alpha);
        let point = surface.at(&network, parameters, state, &mut progress)?;
        if let Some(asked) = curvature {
            let found = point.curvature(asked, &network, subject, &mut progress)?;
            add_curvature(&mut table, subject, (&point, alpha), &found)?;
        }
        let mut row = |kind, radius, draw, after| {
            let what = (alpha, kind, radius, draw);
            add_rise(&mut table, subject, &point, what, after)
        };
        for &radius in &settings.radii {
            for draw in 0..settings.draws {
                let d = directions::normal(&point.filters, point.weights.len(), subject.seed, draw);
                for kind in ["gaussian", "filter"] {
                    let direction = point.direction(kind, &d);
                    let after = surface.moved(&point, &direction, radius, &mut progress)?;
                    row(kind, radius, draw.into(), after)?;
                }
            }
            for kind in ["gradient", "gradient-filter"] {
                let direction = point.direction(kind, &point.gradient);
                let after = surface.moved(&point, &direction, radius, &mut progress)?;
                row(kind, radius, Cell::Null, after)?;
            }
        }
    }
    Ok(table)
}

/// Training of this network, too, normalises with running statistics.
fn normalised_as_in_evaluation(network: &Network) -> Network {
    let mut network = network.clone();
    let inside = network.blocks.iter_mut().flat_map(|b| b.layers_mut());
    let ends = network.stem.iter_mut().chain(&mut network.head);
    for layer in ends.chain(inside) {
        if let Op::BatchNorm(norm) = &mut layer.op {
            norm.frozen = true;
        }
    }
    network
}

/// How far the measurement is.
struct Count<'c, 'w> {
    watch: &'c mut Watch<'w>,
    done: usize,
    total: usize,
}

impl Count<'_, '_> {
    fn next(&mut self) -> Result<(), ProbeError> {
        self.watch.at(self.done, self.total)?;
        self.done += 1;
        Ok(())
    }

    /// Asks within a piece of work.
    fn poll(&mut self) -> Flow {
        match self.watch.at(self.done, self.total) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Stop,
        }
    }
}

/// The loss as a function of the weights.
struct Surface<'s> {
    evaluator: Engine,
    trainer: Engine,
    subject: &'s Subject<'s>,
    samples: usize,
}

/// A network's numbers, and loss and gradient there.
struct Point {
    filters: Vec<std::ops::Range<usize>>,
    parameters: Vec<f32>,
    state: Vec<f32>,
    /// The parameters in `f64`.
    weights: Vec<f64>,
    samples: usize,
    loss: f64,
    gradient: Vec<f64>,
}

impl Point {
    /// The perturbation of a kind made of a direction, for radius 1.
    fn direction(&self, kind: &str, of: &[f64]) -> Vec<f64> {
        let (filters, weights) = (&self.filters, &self.weights);
        match kind {
            "filter" => directions::as_long_as_filters(filters, weights, of),
            "gradient-filter" => directions::steepest_in_filters(filters, weights, of),
            _ => directions::as_long_as_all(filters, weights, of),
        }
    }

    fn curvature(
        &self,
        asked: &CurvatureSettings,
        network: &Network,
        subject: &Subject<'_>,
        progress: &mut Count<'_, '_>,
    ) -> Result<curvature::Found, ProbeError> {
        progress.next()?;
        let at = (&self.parameters[..], &self.state[..]);
        let mut poll = || progress.watch.at(progress.done, progress.total);
        curvature::largest(asked, network, at, subject, &mut poll)
    }

    fn weight_norm(&self) -> f64 {
        directions::weight_norm(&self.filters, &self.weights)
    }
}

impl Surface<'_> {
    fn at(
        &mut self,
        network: &Network,
        parameters: Vec<f32>,
        state: Vec<f32>,
        progress: &mut Count<'_, '_>,
    ) -> Result<Point, ProbeError> {
        progress.next()?;
        let loss = self.loss(&parameters, &state, progress)?;
        let gradient = self.gradient(&parameters, &state, progress)?;
        Ok(Point {
            filters: directions::filters(network),
            weights: parameters.iter().map(|p| f64::from(*p)).collect(),
            parameters,
            state,
            samples: self.samples,
            loss,
            gradient,
        })
    }

    /// The loss where a direction leads.
    fn moved(
        &mut self,
        from: &Point,
        direction: &[f64],
        radius: f64,
        progress: &mut Count<'_, '_>,
    ) -> Result<f64, ProbeError> {
        progress.next()?;
        let moved = from.weights.iter().zip(direction);
        let moved: Vec<f32> = moved.map(|(w, d)| (w + radius * d) as f32).collect();
        self.loss(&moved, &from.state, progress)
    }

    fn loss(
        &mut self,
        parameters: &[f32],
        state: &[f32],
        progress: &mut Count<'_, '_>,
    ) -> Result<f64, ProbeError> {
        let split = Set::Train.of(self.subject.dataset);
        let loss = self.subject.train.loss.loss();
        let mut poll = || progress.poll();
        let sums = evaluate_first(
            &mut self.evaluator,
            parameters,
            state,
            split,
            self.samples,
            &loss,
            &mut poll,
        );
        let sums = sums.ok_or(ProbeError::Stopped)?;
        Ok(sums.loss_sum / self.samples as f64)
    }

    /// The gradient of the same loss, batch by batch.
    fn gradient(
        &mut self,
        parameters: &[f32],
        state: &[f32],
        progress: &mut Count<'_, '_>,
    ) -> Result<Vec<f64>, ProbeError> {
        let split: &Split = Set::Train.of(self.subject.dataset);
        let features = self.subject.network.input.len();
        let loss = self.subject.train.loss.loss();
        let mut state = state.to_vec();
        let mut part = vec![0.0; parameters.len()];
        let mut whole = vec![0.0; parameters.len()];
        for start in (0..self.samples).step_by(EVALUATION_BATCH) {
            if progress.poll() == Flow::Stop {
                return Err(ProbeError::Stopped);
            }
            let end = self.samples.min(start + EVALUATION_BATCH);
            let batch = Batch {
                inputs: &split.inputs[start * features..end * features],
                targets: targets(&split.targets, start, end),
                len: end - start,
                noise: Noise::default(),
            };
            self.trainer
                .step(parameters, &mut state, &batch, &loss, &mut part);
            let share = (end - start) as f64 / self.samples as f64;
            for (sum, term) in whole.iter_mut().zip(&part) {
                *sum += share * f64::from(*term);
            }
        }
        Ok(whole)
    }
}

fn add_rise(
    table: &mut Table,
    subject: &Subject<'_>,
    point: &Point,
    (alpha, kind, radius, draw): (f64, &str, f64, Cell),
    after: f64,
) -> Result<(), TableError> {
    table.push_named([
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        ("rescale", alpha.into()),
        ("kind", kind.into()),
        ("radius", radius.into()),
        ("draw", draw),
        ("samples", point.samples.into()),
        ("weight_norm", point.weight_norm().into()),
        ("loss", point.loss.into()),
        ("loss_after", after.into()),
        ("rise", (after - point.loss).into()),
        ("eigenvalue", Cell::Null),
        ("eigenvalue_error", Cell::Null),
    ])
}

fn add_curvature(
    table: &mut Table,
    subject: &Subject<'_>,
    (point, alpha): (&Point, f64),
    found: &curvature::Found,
) -> Result<(), TableError> {
    table.push_named([
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        ("rescale", alpha.into()),
        ("kind", "curvature".into()),
        ("radius", Cell::Null),
        ("draw", Cell::Null),
        ("samples", found.samples.into()),
        ("weight_norm", point.weight_norm().into()),
        ("loss", found.loss.into()),
        ("loss_after", Cell::Null),
        ("rise", Cell::Null),
        ("eigenvalue", found.largest.value.into()),
        ("eigenvalue_error", found.largest.residual.into()),
    ])
}
