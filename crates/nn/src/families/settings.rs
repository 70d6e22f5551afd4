//! The settings of a network: as written, with what the user left out, and resolved.
//!
//! A run is identified by its resolved settings, so these hold no dead setting: what a family
//! does not have (`branch_layers` of the CIFAR family) can only stand at the family's own value,
//! and [`ModelSettings::check`] refuses any other. What is written of resolved settings leaves out
//! the newer keys where they stand at the family's default, so that a new key leaves the identity
//! of older runs what it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choices::{BlockKind, Family, Placement, ShortcutKind, StrideOn};
use super::names::{named, names, nearest_name};
use crate::error::ModelError;
use crate::network::Activation;

/// What a network is built from, every setting resolved.
///
/// Reads what a user writes, and writes it again, see [`WrittenModel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenModel", into = "WrittenModel")]
pub struct ModelSettings {
    /// Which builder.
    pub family: Family,
    /// Weighted layers, or blocks where `fully-connected`.
    pub depth: usize,
    /// Whether blocks have shortcuts; without them it is the plain twin.
    pub residual: bool,
    /// Channels of the first stage before widening, or features.
    pub width: usize,
    /// Whether there is batch norm; without it layers have biases.
    pub batch_norm: bool,
    /// The nonlinearity.
    pub activation: Activation,
    /// Weighted layers in a block. Only `fully-connected` has a choice: 1 or 2.
    pub branch_layers: usize,
    /// Layers of a block.
    pub block: BlockKind,
    /// Where a block has its batch norms and nonlinearities.
    pub placement: Placement,
    /// The road around a block.
    pub shortcut: ShortcutKind,
    /// What the shortcut is multiplied by (`shortcut: constant`).
    pub shortcut_factor: f64,
    /// What the branch is multiplied by (`shortcut: constant`).
    pub branch_factor: f64,
    /// Where the gates' biases start.
    pub gate_bias: f64,
    /// Share of the shortcut that is zeroed (`shortcut: dropout`).
    pub shortcut_dropout: f64,
    /// Groups of a bottleneck's 3×3 convolution.
    pub cardinality: usize,
    /// Channels of each of these groups, for each 64 channels of the stage's width.
    pub group_width: usize,
    /// What a stage's width is multiplied by, but for the stem.
    pub widen: usize,
    /// Share of a block's numbers zeroed before its last convolution.
    pub dropout: f64,
    /// Probability that the last block survives a training step.
    pub stochastic_depth: f64,
    /// Which convolution of a bottleneck has the stride.
    pub stride_on: StrideOn,
}

/// A network as a user writes it: a name, settings, or a name with settings that differ.
/// What is left out follows from the name and the family.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenModel {
    /// `resnet20`, `plain56`, `preact-resnet110`, `wrn-28-10`, `resnet50`, `fc-resnet32`, ...; `reslab models` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The family; `cifar` if nothing says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// Weighted layers. `cifar`: 6n+2 (20), with bottlenecks 9n+2. `wide`: 6n+4 (28). `imagenet`: 18, 34, 50, 101, 152, 200. `fully-connected`: blocks (32).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Whether blocks have shortcuts (true); without them it is the plain twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual: Option<bool>,
    /// Channels of the first stage (`cifar`, `wide`: 16; `imagenet`, `d2l`: 64). `fully-connected`: features (64).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Batch norm (true; `fully-connected`: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<bool>,
    /// The nonlinearity (`relu`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Weighted layers in a block: `fully-connected` 1 (default) or 2; elsewhere `block` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_layers: Option<usize>,
    /// Layers of a block (`basic`; `imagenet`: by depth).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockKind>,
    /// Where a block has its batch norms and nonlinearities (`original`; `wide`: `pre-activation`). `fully-connected`: these two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The road around a block (`A`; `wide`, `imagenet`, `d2l`: `B`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<ShortcutKind>,
    /// `shortcut: constant`: what the shortcut is multiplied by (0.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut_factor: Option<f64>,
    /// `shortcut: constant`: what the branch is multiplied by (1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_factor: Option<f64>,
    /// `shortcut: exclusive-gate` and `shortcut-gate`: where the gates' biases start (−6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_bias: Option<f64>,
    /// `shortcut: dropout`: share of the shortcut that is zeroed in training (0.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut_dropout: Option<f64>,
    /// `block: bottleneck`: groups of the 3×3 convolution (1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cardinality: Option<usize>,
    /// `block: bottleneck`: channels of each group for each 64 of the stage's width (64), as in `resnext50_32x4d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_width: Option<usize>,
    /// `wide`: what the width of the blocks is multiplied by (10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widen: Option<usize>,
    /// Share of numbers zeroed in training before the last convolution of each block (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Stochastic depth: probability that the last block survives a training step (1); from the first block it falls linearly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stochastic_depth: Option<f64>,
    /// `block: bottleneck`: which convolution has the stride (`3x3`; He et al. 2015: `1x1`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride_on: Option<StrideOn>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Family::default().defaults()
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
                nearest: nearest_name(name),
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
        let depth = self.depth.unwrap_or(base.depth);
        let block = match base.family {
            Family::Imagenet => BlockKind::of_imagenet(depth),
            _ => base.block,
        };
        let settings = ModelSettings {
            family: base.family,
            depth,
            residual: self.residual.unwrap_or(base.residual),
            width: self.width.unwrap_or(base.width),
            batch_norm: self.batch_norm.unwrap_or(base.batch_norm),
            activation: self.activation.unwrap_or(base.activation),
            branch_layers: self.branch_layers.unwrap_or(base.branch_layers),
            block: self.block.unwrap_or(block),
            placement: self.placement.unwrap_or(base.placement),
            shortcut: self.shortcut.unwrap_or(base.shortcut),
            shortcut_factor: self.shortcut_factor.unwrap_or(base.shortcut_factor),
            branch_factor: self.branch_factor.unwrap_or(base.branch_factor),
            gate_bias: self.gate_bias.unwrap_or(base.gate_bias),
            shortcut_dropout: self.shortcut_dropout.unwrap_or(base.shortcut_dropout),
            cardinality: self.cardinality.unwrap_or(base.cardinality),
            group_width: self.group_width.unwrap_or(base.group_width),
            widen: self.widen.unwrap_or(base.widen),
            dropout: self.dropout.unwrap_or(base.dropout),
            stochastic_depth: self.stochastic_depth.unwrap_or(base.stochastic_depth),
            stride_on: self.stride_on.unwrap_or(base.stride_on),
        };
        settings.check()?;
        Ok(settings.without_shortcut_settings_if_plain())
    }
}

impl ModelSettings {
    /// A plain network has no shortcuts to choose: what was said of them, say by the file that its
    /// residual twin shares, is taken back, so that equal networks have equal settings.
    fn without_shortcut_settings_if_plain(self) -> Self {
        if self.residual {
            return self;
        }
        let own = self.family.defaults();
        Self {
            shortcut: own.shortcut,
            shortcut_factor: own.shortcut_factor,
            branch_factor: own.branch_factor,
            gate_bias: own.gate_bias,
            shortcut_dropout: own.shortcut_dropout,
            stochastic_depth: own.stochastic_depth,
            ..self
        }
    }
}

impl TryFrom<WrittenModel> for ModelSettings {
    type Error = ModelError;

    fn try_from(written: WrittenModel) -> Result<Self, ModelError> {
        written.resolve()
    }
}

impl From<ModelSettings> for WrittenModel {
    fn from(settings: ModelSettings) -> Self {
        fn changed<T: PartialEq>(value: T, default: T) -> Option<T> {
            (value != default).then_some(value)
        }
        let (s, own) = (settings.clone(), settings.family.defaults());
        let own_block = match s.family {
            Family::Imagenet => BlockKind::of_imagenet(s.depth),
            _ => own.block,
        };
        Self {
            name: None,
            family: Some(s.family),
            depth: Some(s.depth),
            residual: Some(s.residual),
            width: Some(s.width),
            batch_norm: Some(s.batch_norm),
            activation: Some(s.activation),
            branch_layers: Some(s.branch_layers),
            block: changed(s.block, own_block),
            placement: changed(s.placement, own.placement),
            shortcut: changed(s.shortcut, own.shortcut),
            shortcut_factor: changed(s.shortcut_factor, own.shortcut_factor),
            branch_factor: changed(s.branch_factor, own.branch_factor),
            gate_bias: changed(s.gate_bias, own.gate_bias),
            shortcut_dropout: changed(s.shortcut_dropout, own.shortcut_dropout),
            cardinality: changed(s.cardinality, own.cardinality),
            group_width: changed(s.group_width, own.group_width),
            widen: changed(s.widen, own.widen),
            dropout: changed(s.dropout, own.dropout),
            stochastic_depth: changed(s.stochastic_depth, own.stochastic_depth),
            stride_on: changed(s.stride_on, own.stride_on),
        }
    }
}
