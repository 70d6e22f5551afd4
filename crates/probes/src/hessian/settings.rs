//! What is asked of the Hessian, and whether it can be done.

use std::fmt;

use reslab_nn::network::Network;
use reslab_nn::reference;
use reslab_nn::train::SettingProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::operator::{Coordinates, Precision};
use crate::subject::Set;

/// Eigenvalues, trace and spectral density of the Hessian of the mean loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HessianSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set, un-augmented.
    pub set: Set,
    /// How many of its first samples the loss is a mean over, or `all`.
    pub samples: Samples,
    /// Samples worked on at once. In mode `evaluation` a matter of memory; in mode `training` the
    /// batches whose statistics are used.
    pub batch_size: usize,
    /// Which statistics batch norms use.
    pub mode: Mode,
    /// The parameters it is taken by.
    pub parameters: Coordinates,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// Eigenvalues of the upper end.
    pub top: usize,
    /// Eigenvalues of the lower end.
    pub bottom: usize,
    /// An eigenvalue is found when its residual is at most so many times its size (or a thousandth
    /// of the largest).
    pub tolerance: f64,
    /// Steps of Lanczos' method for the eigenvalues, at most; memory holds as many vectors.
    pub max_steps: usize,
    /// Estimate the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceSettings>,
    /// Estimate the spectral density.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub density: Option<DensitySettings>,
}

/// Hutchinson's estimate of the trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TraceSettings {
    /// Random vectors, a product each.
    pub draws: usize,
}

/// Stochastic Lanczos quadrature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DensitySettings {
    /// Random vectors.
    pub draws: usize,
    /// Steps of Lanczos' method from each, a product each.
    pub steps: usize,
    /// Points of the grid that the density is given on.
    pub points: usize,
    /// Standard deviation of the normal kernel that smooths it; if absent
    /// `√(10⁻⁵ max(1, range))`, and at least the distance between points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
}

/// Which statistics batch norms use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The running ones.
    #[default]
    Evaluation,
    /// Those of the batch, which are differentiated.
    Training,
}

impl Mode {
    /// The executors' word for it.
    pub fn of_executor(self) -> reference::Mode {
        match self {
            Self::Evaluation => reference::Mode::Evaluation,
            Self::Training => reference::Mode::Training,
        }
    }
}

/// How many samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Samples {
    /// The whole set.
    All,
    /// The first so many; at most all.
    #[serde(untagged)]
    First(usize),
}

impl Samples {
    /// How many they are of a set.
    pub fn of(self, len: usize) -> usize {
        match self {
            Self::All => len,
            Self::First(first) => first.min(len),
        }
    }
}

impl<'de> Deserialize<'de> for Samples {
    /// By hand rather than `untagged`, so that a mistake is told where it stands.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SamplesVisitor)
    }
}

struct SamplesVisitor;

impl de::Visitor<'_> for SamplesVisitor {
    type Value = Samples;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of samples, or all")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Samples, E> {
        let number = usize::try_from(number);
        number
            .map(Samples::First)
            .map_err(|_| E::custom("more samples than this machine can count"))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Samples, E> {
        let unsigned = de::Unexpected::Signed(number);
        u64::try_from(number)
            .map_err(|_| E::invalid_value(unsigned, &self))
            .and_then(|number| self.visit_u64(number))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Samples, E> {
        match name {
            "all" => Ok(Samples::All),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }
}

impl Default for HessianSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Train,
            samples: Samples::First(1000),
            batch_size: 128,
            mode: Mode::Evaluation,
            parameters: Coordinates::All,
            precision: Precision::F32,
            top: 1,
            bottom: 1,
            tolerance: 1e-3,
            max_steps: 100,
            trace: None,
            density: None,
        }
    }
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self { draws: 30 }
    }
}

impl Default for DensitySettings {
    fn default() -> Self {
        Self {
            draws: 4,
            steps: 80,
            points: 1000,
            width: None,
        }
    }
}

impl HessianSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, _network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut tell = |field, message| found.push(SettingProblem { field, message });
        for (field, value, least) in self.counts() {
            if value < least {
                tell(field, format!("must be at least {least}, but is {value}."));
            }
        }
        if let (Samples::First(samples), Mode::Training) = (self.samples, self.mode)
            && samples > 1
            && self.batch_size > 1
            && samples % self.batch_size == 1
        {
            let message = format!(
                "must not leave a last batch of one sample in mode `training`, since one sample has \
                 no variance, but is {} for {samples} samples.",
                self.batch_size
            );
            tell("hessian.batch_size", message);
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let message = format!("must be above 0 and below 1, but is {}.", self.tolerance);
            tell("hessian.tolerance", message);
        }
        let width = self.density.as_ref().and_then(|density| density.width);
        if let Some(width) = width.filter(|width| !(*width > 0.0 && width.is_finite())) {
            let message = format!("must be above 0, but is {width}.");
            tell("hessian.density.width", message);
        }
        let nothing = self.top + self.bottom == 0 && self.trace.is_none() && self.density.is_none();
        if nothing {
            let message = "asks for nothing: give `top`, `bottom`, `trace` or `density`.";
            tell("hessian", message.to_owned());
        }
        found
    }

    /// Numbers with a least value.
    fn counts(&self) -> Vec<(&'static str, usize, usize)> {
        // A batch of one sample has no variance.
        let least = match self.mode {
            Mode::Evaluation => 1,
            Mode::Training => 2,
        };
        let mut counts = vec![
            ("hessian.samples", self.samples.of(usize::MAX), least),
            ("hessian.batch_size", self.batch_size, least),
            (
                "hessian.max_steps",
                self.max_steps,
                self.top.saturating_add(self.bottom),
            ),
        ];
        if let Some(trace) = &self.trace {
            counts.push(("hessian.trace.draws", trace.draws, 2));
        }
        if let Some(density) = &self.density {
            counts.push(("hessian.density.draws", density.draws, 1));
            counts.push(("hessian.density.steps", density.steps, 2));
            counts.push(("hessian.density.points", density.points, 16));
        }
        counts
    }
}
