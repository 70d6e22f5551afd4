//! Initial parameters: normal weights, biases 0 (those of gates where the settings say), γ 1, β 0.
//!
//! Standard deviation of a weight with `fan_in` numbers into, and `fan_out` out of, each unit:
//!
//! | scheme       | standard deviation          | source                                   |
//! |--------------|-----------------------------|------------------------------------------|
//! | `he`         | √(2 / fan_in)               | He et al. 2015 (ICCV), eq. 10            |
//! | `he-fan-out` | √(2 / fan_out)              | ibid., eq. 14; Facebook's ResNet code    |
//! | `xavier`     | √(2 / (fan_in + fan_out))   | Glorot, Bengio 2010, eq. 12              |
//! | `orthogonal` | orthonormal rows or columns | Saxe, McClelland, Ganguli 2014           |
//!
//! times `gain`. `orthogonal` takes a weight as a matrix of fan_out rows, as PyTorch does, and makes
//! its rows orthonormal, or its columns where these are fewer. Each tensor has its own random stream, keyed by its place in the layout, so that
//! a plain network and its residual twin start from the same numbers.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::orthogonal::orthogonal;
use super::settings::ModelSettings;
use crate::error::ModelError;
use crate::import::{Head, ImportError, WeightsFile};
use crate::network::{Entry, Network, Role, Shortcut};
use crate::random::{self, Purpose};

/// How weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InitScheme {
    /// By what goes into a unit.
    #[default]
    He,
    /// By what goes out of a unit.
    HeFanOut,
    /// By both.
    Xavier,
    /// Orthonormal rows, or columns where these are fewer.
    Orthogonal,
}

/// What the γ (or else the weight) that a residual branch ends with is multiplied by;
/// L is the number of residual blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BranchScale {
    /// 1.
    #[default]
    One,
    /// 1/√L.
    InverseSqrtDepth,
    /// 1/L.
    InverseDepth,
}

/// How parameters start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InitSettings {
    /// How weights are drawn.
    pub scheme: InitScheme,
    /// Multiplies the standard deviation of every weight.
    pub gain: f64,
    /// Starts every residual branch at zero: the γ it ends with, or else its last weight.
    pub zero_gamma: bool,
    /// Scales every residual branch by depth.
    pub branch_scale: BranchScale,
    /// A file of weights to start from instead: PyTorch's or safetensors. A relative path begins
    /// at the folder of the experiment file; where nothing is there, at `RESLAB_DATA`.
    pub weights: Option<PathBuf>,
    /// SHA-256 of that file. Filled in when the plan is made, so that another file is another run;
    /// written down, it pins the file.
    pub weights_sha256: Option<String>,
    /// What becomes of the last linear layer of the weights (`keep`).
    pub head: Option<Head>,
}

impl Default for InitSettings {
    fn default() -> Self {
        let (scheme, branch_scale) = (InitScheme::default(), BranchScale::default());
        Self {
            scheme,
            gain: 1.0,
            zero_gamma: false,
            branch_scale,
            weights: None,
            weights_sha256: None,
            head: None,
        }
    }
}

impl InitSettings {
    /// Whether parameters can be drawn with these settings.
    pub fn check(&self) -> Result<(), ModelError> {
        let without_weights = [
            ("head", self.head.is_some()),
            ("weights_sha256", self.weights_sha256.is_some()),
        ];
        let lost = without_weights
            .into_iter()
            .find(|(_, given)| *given && self.weights.is_none());
        if let Some((setting, _)) = lost {
            return Err(ModelError::Range {
                setting,
                value: "given".to_owned(),
                rule: "it says something of `weights`, and there are none",
            });
        }
        if self.gain.is_finite() && self.gain >= 0.0 {
            return Ok(());
        }
        let (value, rule) = (
            self.gain.to_string(),
            "it must be a finite number, at least 0",
        );
        Err(ModelError::Range {
            setting: "gain",
            value,
            rule,
        })
    }

    /// The settings that matter, for the identity of a run: a plain network has no branches to
    /// scale, a branch that starts at zero has no scale, and given weights are not drawn.
    pub fn resolved_for(&self, model: &ModelSettings) -> Self {
        if self.weights.is_some() {
            // What is drawn at random is the last layer, if anything.
            let drawn = self.head == Some(Head::Replace);
            let Self {
                scheme,
                gain,
                branch_scale,
                ..
            } = Self::default();
            return Self {
                scheme: if drawn { self.scheme } else { scheme },
                gain: if drawn { self.gain } else { gain },
                zero_gamma: false,
                branch_scale,
                ..self.clone()
            };
        }
        let zero_gamma = self.zero_gamma && model.residual;
        let scaled = model.residual && !zero_gamma;
        let branch_scale = if scaled {
            self.branch_scale
        } else {
            BranchScale::One
        };
        Self {
            zero_gamma,
            branch_scale,
            ..self.clone()
        }
    }
}

/// Parameters and running statistics before the first step: drawn, or those of a file.
///
/// # Errors
///
/// The file cannot be read, is not the one that was planned with, or does not fit.
pub fn start(
    network: &Network,
    settings: &InitSettings,
    seed: u64,
) -> Result<(Vec<f32>, Vec<f32>), ImportError> {
    let mut parameters = initialize(network, settings, seed);
    let mut state = network.layout.initial_state();
    if let Some(path) = &settings.weights {
        let file = WeightsFile::read(path)?;
        if let Some(expected) = &settings.weights_sha256 {
            file.verify(expected)?;
        }
        let head = settings.head.unwrap_or_default();
        file.assign(network, head, &mut parameters, &mut state)?;
    }
    Ok((parameters, state))
}

/// Draws a parameter arena.
pub fn initialize(network: &Network, settings: &InitSettings, seed: u64) -> Vec<f32> {
    let mut parameters = vec![0.0; network.layout.parameter_count()];
    let branch = branch_factor(network, settings);
    for (index, entry) in (0..).zip(&network.layout.parameters) {
        let factor = if entry.ends_branch { branch } else { 1.0 };
        let values = entry.slot.of_mut(&mut parameters);
        match entry.role {
            Role::NormWeight => values.fill(factor as f32),
            Role::ConvWeight | Role::LinearWeight => {
                let scale = factor * settings.gain;
                let mut rng = random::stream(seed, Purpose::Init, 0, index);
                if settings.scheme == InitScheme::Orthogonal {
                    let rows = entry.shape[0];
                    let drawn = orthogonal(rows, values.len() / rows, &mut rng);
                    for (value, drawn) in values.iter_mut().zip(drawn) {
                        *value = (scale * drawn) as f32;
                    }
                    continue;
                }
                let deviation = scale * unit_gain_deviation(entry, settings);
                for value in values {
                    *value = (deviation * random::normal(&mut rng)) as f32;
                }
            }
            Role::Bias | Role::NormBias => values.fill(entry.start as f32),
            Role::RunningMean | Role::RunningVar => {}
        }
    }
    parameters
}

fn branch_factor(network: &Network, settings: &InitSettings) -> f64 {
    let residual = network
        .blocks
        .iter()
        .filter(|b| b.shortcut != Shortcut::None)
        .count();
    let depth = residual.max(1) as f64;
    match settings.branch_scale {
        _ if settings.zero_gamma => 0.0,
        BranchScale::One => 1.0,
        BranchScale::InverseSqrtDepth => 1.0 / depth.sqrt(),
        BranchScale::InverseDepth => 1.0 / depth,
    }
}

fn unit_gain_deviation(entry: &Entry, settings: &InitSettings) -> f64 {
    let kernel: usize = entry.shape.iter().skip(2).product();
    let fan_in = (entry.shape[1] * kernel) as f64;
    let fan_out = (entry.shape[0] * kernel) as f64;
    match settings.scheme {
        InitScheme::He => (2.0 / fan_in).sqrt(),
        InitScheme::HeFanOut => (2.0 / fan_out).sqrt(),
        InitScheme::Xavier => (2.0 / (fan_in + fan_out)).sqrt(),
        // Not drawn one by one; this is what an entry has.
        InitScheme::Orthogonal => (1.0 / fan_in.max(fan_out)).sqrt(),
    }
}
