//! The largest eigenvalue of the Hessian by the weights: sharpness without a radius (Dinh et al. 2017,
//! section 2).

use reslab_nn::network::Network;
use reslab_nn::reference::Mode;
use reslab_nn::train::{EVALUATION_BATCH, SettingProblem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hessian::{
    Coordinates, Eigenvalue, ExtremeSettings, LossHessian, MeanLoss, Precision, extremes,
};
use crate::subject::{ProbeError, Set, Subject};

/// Largest eigenvalue of the Hessian by the weights, at each rescaling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CurvatureSettings {
    /// The loss is that of the first so many samples of the training set, at most of all.
    pub samples: usize,
    /// It is found when its residual is at most so many times its size.
    pub tolerance: f64,
    /// Steps of Lanczos' method at most, a product each.
    pub max_steps: usize,
}

impl Default for CurvatureSettings {
    fn default() -> Self {
        Self {
            samples: 256,
            tolerance: 1e-2,
            max_steps: 40,
        }
    }
}

impl CurvatureSettings {
    pub(super) fn problems(&self) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let counts = [
            ("sharpness.curvature.samples", self.samples),
            ("sharpness.curvature.max_steps", self.max_steps),
        ];
        for (field, value) in counts.into_iter().filter(|(_, value)| *value < 1) {
            let message = format!("must be at least 1, but is {value}.");
            found.push(SettingProblem { field, message });
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let message = format!("must be above 0 and below 1, but is {}.", self.tolerance);
            found.push(SettingProblem {
                field: "sharpness.curvature.tolerance",
                message,
            });
        }
        found
    }
}

/// What was found at a point.
pub(super) struct Found {
    /// λ₁ with its residual.
    pub largest: Eigenvalue,
    /// Mean loss over the samples asked for.
    pub loss: f64,
    /// How many they were.
    pub samples: usize,
}

/// λ₁ of a network that normalises with running statistics, at these parameters and statistics.
pub(super) fn largest(
    settings: &CurvatureSettings,
    network: &Network,
    (parameters, state): (&[f32], &[f32]),
    subject: &Subject<'_>,
    poll: &mut dyn FnMut() -> Result<(), ProbeError>,
) -> Result<Found, ProbeError> {
    let split = Set::Train.of(subject.dataset);
    let mut hessian = LossHessian::new(MeanLoss {
        network,
        parameters,
        state,
        split,
        samples: settings.samples,
        loss: subject.train.loss.loss(),
        mode: Mode::Evaluation,
        batch_size: EVALUATION_BATCH,
        coordinates: Coordinates::Weights,
        precision: Precision::F32,
    });
    let loss = hessian.slope(poll)?.loss;
    let wanted = ExtremeSettings {
        top: 1,
        bottom: 0,
        tolerance: settings.tolerance,
        max_products: settings.max_steps,
        vectors: false,
    };
    let dimension = hessian.dimension();
    let samples = hessian.samples();
    let mut operator = |vector: &[f64], product: &mut [f64]| hessian.product(vector, product, poll);
    let ends = extremes(&mut operator, dimension, None, &wanted, subject.seed)?;
    let largest = ends.top.into_iter().next();
    Ok(Found {
        largest: largest.unwrap_or(Eigenvalue {
            value: f64::NAN,
            residual: f64::NAN,
            converged: false,
            vector: None,
        }),
        loss,
        samples,
    })
}
