//! The settings of a network: as written, with what the user left out, and resolved.
//!
//! A run is identified by its resolved settings, so these hold no dead setting: what a family
//! does not have (`branch_layers` of the CIFAR family) can only stand at the family's own value,
//! and [`ModelSettings::check`] refuses any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{cifar, fully_connected};
use crate::error::ModelError;
use crate::network::Activation;

/// The families there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// 3×3 convolutions in three stages, depth 6n+2 (He et al. 2015, section 4.2).
    #[default]
    Cifar,
    /// Vectors of one width throughout.
    FullyConnected,
}

/// What a network is built from, every setting resolved.
///
/// Reads what a user writes, see [`WrittenModel`]; writes every setting.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenModel")]
pub struct ModelSettings {
    /// Which builder.
    pub family: Family,
    /// `cifar`: weighted layers, 6n+2. `fully-connected`: blocks.
    pub depth: usize,
    /// Whether blocks have shortcuts; without them it is the plain twin.
    pub residual: bool,
    /// `cifar`: channels of the first stage. `fully-connected`: features.
    pub width: usize,
    /// Whether a batch norm follows every convolution, or every linear layer of a block.
    pub batch_norm: bool,
    /// The nonlinearity.
    pub activation: Activation,
    /// Weighted layers in a block. Only `fully-connected` has a choice: 1 or 2.
    pub branch_layers: usize,
}

/// A network as a user writes it: a name, settings, or a name with settings that differ.
/// What is left out follows from the name and the family.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenModel {
    /// `resnet20`, `plain56`, `fc-resnet32`, `fc-plain32`, ...; the number is the depth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The family; `cifar` if nothing says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// `cifar`: weighted layers, 6n+2 (20). `fully-connected`: blocks (32).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Whether blocks have shortcuts (true); without them it is the plain twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual: Option<bool>,
    /// `cifar`: channels of the first stage (16). `fully-connected`: features (64).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Batch norm (`cifar`: true; `fully-connected`: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<bool>,
    /// The nonlinearity (`relu`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Weighted layers in a block: `fully-connected` 1 (default) or 2; `cifar` always 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_layers: Option<usize>,
}

/// Prefixes of the names accepted: family, residual.
const NAMES: [(&str, Family, bool); 4] = [
    ("resnet", Family::Cifar, true),
    ("plain", Family::Cifar, false),
    ("fc-resnet", Family::FullyConnected, true),
    ("fc-plain", Family::FullyConnected, false),
];

/// The settings that a name stands for, or `None` if it is no network's name. The depth is not
/// judged here: `resnet21` is a name, of a network that cannot be built.
pub fn named(name: &str) -> Option<ModelSettings> {
    NAMES.iter().find_map(|&(prefix, family, residual)| {
        let digits = name.strip_prefix(prefix)?;
        let plain_number = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let depth = plain_number.then(|| digits.parse().ok())??;
        Some(ModelSettings {
            depth,
            residual,
            ..family.defaults()
        })
    })
}

/// The names accepted, in words, for messages.
pub fn names() -> &'static str {
    "`resnetN` and `plainN` (N = 6n+2 layers: 8, 14, 20, 32, 44, 56, 110, ...), \
     `fc-resnetN` and `fc-plainN` (N blocks)"
}

impl Family {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Cifar => "cifar",
            Family::FullyConnected => "fully-connected",
        }
    }

    /// Its default settings.
    pub const fn defaults(self) -> ModelSettings {
        match self {
            Family::Cifar => cifar::DEFAULTS,
            Family::FullyConnected => fully_connected::DEFAULTS,
        }
    }
}

impl Default for ModelSettings {
    fn default() -> Self {
        Family::default().defaults()
    }
}

impl ModelSettings {
    /// The short name, such as `resnet20`; says nothing of width and the rest.
    pub fn name(&self) -> String {
        NAMES
            .iter()
            .find(|(_, family, residual)| *family == self.family && *residual == self.residual)
            .map_or_else(String::new, |(prefix, ..)| {
                format!("{prefix}{}", self.depth)
            })
    }

    /// Whether the family has such a network, whatever its input.
    pub fn check(&self) -> Result<(), ModelError> {
        const MAX_WIDTH: usize = 1 << 16;
        if self.width == 0 || self.width > MAX_WIDTH {
            let rule = "it must be from 1 to 65536";
            return Err(ModelError::Range {
                setting: "width",
                value: self.width.to_string(),
                rule,
            });
        }
        match self.family {
            Family::Cifar => cifar::check(self),
            Family::FullyConnected => fully_connected::check(self),
        }
    }
}

impl WrittenModel {
    /// Fills in what was left out: the name's settings, or else the family's defaults. A setting
    /// that is written wins over the name, but a name keeps its family.
    pub fn resolve(&self) -> Result<ModelSettings, ModelError> {
        let base = match &self.name {
            None => self.family.unwrap_or_default().defaults(),
            Some(name) => named(name).ok_or_else(|| ModelError::UnknownName {
                name: name.clone(),
                accepted: names().to_owned(),
            })?,
        };
        if let (Some(name), Some(family)) = (&self.name, self.family)
            && family != base.family
        {
            return Err(ModelError::NotApplicable {
                setting: "name",
                value: name.clone(),
                family: family.name(),
                rule: "the name belongs to another family; leave one of the two out",
            });
        }
        let settings = ModelSettings {
            family: base.family,
            depth: self.depth.unwrap_or(base.depth),
            residual: self.residual.unwrap_or(base.residual),
            width: self.width.unwrap_or(base.width),
            batch_norm: self.batch_norm.unwrap_or(base.batch_norm),
            activation: self.activation.unwrap_or(base.activation),
            branch_layers: self.branch_layers.unwrap_or(base.branch_layers),
        };
        settings.check()?;
        Ok(settings)
    }
}

impl TryFrom<WrittenModel> for ModelSettings {
    type Error = ModelError;

    fn try_from(written: WrittenModel) -> Result<Self, ModelError> {
        written.resolve()
    }
}
