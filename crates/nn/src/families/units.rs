//! The convolutional block that all image families share.
//!
//! A branch is two 3×3 convolutions, or 1×1, 3×3 (in groups) and 1×1 of a bottleneck, with batch
//! norms and nonlinearities where the [`Placement`] puts them:
//!
//! | placement                  | before the split | branch                          | after the addition |
//! |----------------------------|------------------|---------------------------------|--------------------|
//! | `original`                 |                  | conv BN ReLU conv BN            | ReLU               |
//! | `bn-after-addition`        |                  | conv BN ReLU conv               | BN ReLU            |
//! | `relu-before-addition`     |                  | conv BN ReLU conv BN ReLU       |                    |
//! | `relu-only-pre-activation` | (ReLU)           | ReLU conv BN ReLU conv BN       |                    |
//! | `pre-activation`           | (BN ReLU)        | BN ReLU conv BN ReLU conv       |                    |
//!
//! (He et al. 2016, figure 4.) With pre-activation the first nonlinearity comes before the split in
//! a network's first block and where the shortcut is a projection (ibid., appendix). Dropout comes
//! before a branch's last convolution (Zagoruyko, Komodakis 2016).

use super::choices::{BlockKind, Placement, ShortcutKind, StrideOn};
use super::settings::ModelSettings;
use crate::network::builder::{Builder, ConvSettings, activation, layer, option_a};
use crate::network::{Block, Gate, Layer, Op, Shortcut};

/// How a family writes its blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Name of the projection's convolution and of its batch norm, if it has one.
    pub projection: (&'static str, Option<&'static str>),
    /// Whether convolutions have a bias even before a batch norm.
    pub bias: bool,
}

/// One block, before it has slots.
pub(super) struct Unit<'a> {
    pub settings: &'a ModelSettings,
    pub style: Style,
    pub name: String,
    /// Channels in and out.
    pub channels: (usize, usize),
    /// Channels of the stage, from which a bottleneck's middle follows.
    pub planes: usize,
    pub stride: usize,
    /// Whether the network begins with it.
    pub first: bool,
    /// Probability that it survives a training step.
    pub survival: f64,
}

/// One convolution of a branch.
struct Conv {
    channels: (usize, usize),
    kernel: usize,
    stride: usize,
    groups: usize,
}

/// Channels of a bottleneck's middle: `cardinality` groups of `group_width` for each 64 of the
/// stage's `planes` (torchvision's rule).
pub(super) fn bottleneck_width(settings: &ModelSettings, planes: usize) -> usize {
    (planes * settings.group_width / 64).max(1) * settings.cardinality
}

/// All blocks of `stages`, each a number of blocks; stage `i` has `first << i` planes.
pub(super) fn stages(
    builder: &mut Builder,
    settings: &ModelSettings,
    style: Style,
    stages: &[usize],
    (stem, first): (usize, usize),
) -> (Vec<Block>, usize) {
    let count: usize = stages.iter().sum();
    let mut blocks = Vec::with_capacity(count);
    let mut channels = stem;
    for (stage, &length) in stages.iter().enumerate() {
        for place in 0..length {
            let index = blocks.len();
            builder.enter(Some(index));
            let planes = first << stage;
            let output = planes * settings.block.expansion();
            // Huang et al. 2016: p_l = 1 − l/L (1 − p_L).
            let share = (index + 1) as f64 / count as f64;
            let unit = Unit {
                settings,
                style,
                name: format!("layer{}.{place}", stage + 1),
                channels: (channels, output),
                planes,
                stride: if stage > 0 && place == 0 { 2 } else { 1 },
                first: index == 0,
                survival: 1.0 - share * (1.0 - settings.stochastic_depth),
            };
            let mut block = unit.build(builder);
            block.stage = stage;
            blocks.push(block);
            channels = output;
        }
    }
    builder.enter(None);
    (blocks, channels)
}

impl Unit<'_> {
    fn build(&self, builder: &mut Builder) -> Block {
        let mut pre = Vec::new();
        if self.shares_preactivation() {
            self.before(builder, 1, self.channels.0, &mut pre);
        }
        let branch = self.branch(builder, pre.is_empty());
        let (shortcut, gate) = if self.settings.residual {
            builder.end_branch();
            (self.shortcut(builder), self.gate(builder))
        } else {
            (Shortcut::None, None)
        };
        let post = self.post(builder);
        let survival = builder.survival(self.survival);
        Block {
            name: self.name.clone(),
            stage: 0,
            pre,
            shortcut,
            branches: vec![branch],
            gate,
            survival: survival.filter(|_| self.settings.residual),
            post,
        }
    }

    fn path(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    fn changes_shape(&self) -> bool {
        self.stride != 1 || self.channels.0 != self.channels.1
    }

    /// Whether the shortcut is a 1×1 convolution.
    fn is_projected(&self) -> bool {
        let base = self.settings.family.defaults().shortcut;
        match self.settings.shortcut {
            ShortcutKind::C => true,
            ShortcutKind::A => false,
            ShortcutKind::B => self.changes_shape(),
            _ => self.changes_shape() && base == ShortcutKind::B,
        }
    }

    fn shares_preactivation(&self) -> bool {
        self.settings.placement.is_before() && (self.first || self.is_projected())
    }

    fn convolutions(&self) -> Vec<Conv> {
        let (input, output) = self.channels;
        let conv = |channels, kernel, stride, groups| Conv {
            channels,
            kernel,
            stride,
            groups,
        };
        match self.settings.block {
            BlockKind::Basic => vec![
                conv(self.channels, 3, self.stride, 1),
                conv((output, output), 3, 1, 1),
            ],
            BlockKind::Bottleneck => {
                let middle = bottleneck_width(self.settings, self.planes);
                let (first, second) = match self.settings.stride_on {
                    StrideOn::OneByOne => (self.stride, 1),
                    StrideOn::ThreeByThree => (1, self.stride),
                };
                vec![
                    conv((input, middle), 1, first, 1),
                    conv((middle, middle), 3, second, self.settings.cardinality),
                    conv((middle, output), 1, 1, 1),
                ]
            }
        }
    }

    /// The branch; with `whole`, its first nonlinearity is its own.
    fn branch(&self, builder: &mut Builder, whole: bool) -> Vec<Layer> {
        let placement = self.settings.placement;
        let convolutions = self.convolutions();
        let count = convolutions.len();
        let mut layers = Vec::new();
        for (number, conv) in (1..).zip(&convolutions) {
            let last = number == count;
            if placement.is_before() && (number > 1 || whole) {
                self.before(builder, number, conv.channels.0, &mut layers);
            }
            if last && self.settings.dropout > 0.0 {
                layers.push(builder.dropout(&self.path("dropout"), self.settings.dropout));
            }
            layers.push(self.convolution(builder, &format!("conv{number}"), conv));
            let norm_here = match placement {
                Placement::PreActivation => false,
                Placement::BnAfterAddition => !last,
                _ => true,
            };
            if norm_here {
                self.norm(builder, number, conv.channels.1, &mut layers);
            }
            if !placement.is_before() && (!last || placement == Placement::ReluBeforeAddition) {
                layers.push(self.activation(number));
            }
        }
        if self.settings.shortcut == ShortcutKind::Constant && self.settings.residual {
            self.scale("branch_scale", self.settings.branch_factor, &mut layers);
        }
        layers
    }

    /// What comes before convolution `number` with pre-activation.
    fn before(
        &self,
        builder: &mut Builder,
        number: usize,
        channels: usize,
        layers: &mut Vec<Layer>,
    ) {
        if self.settings.placement == Placement::PreActivation {
            self.norm(builder, number, channels, layers);
        }
        layers.push(self.activation(number));
    }

    fn post(&self, builder: &mut Builder) -> Vec<Layer> {
        let last = self.settings.block.layers();
        let mut layers = Vec::new();
        match self.settings.placement {
            Placement::Original => layers.push(self.activation(last)),
            Placement::BnAfterAddition => {
                self.norm(builder, last, self.channels.1, &mut layers);
                layers.push(self.activation(last));
            }
            _ => {}
        }
        layers
    }

    fn shortcut(&self, builder: &mut Builder) -> Shortcut {
        let (input, output) = self.channels;
        let mut layers = Vec::new();
        if self.is_projected() {
            let (conv, norm) = self.style.projection;
            layers.push(self.convolution(builder, conv, &self.projection()));
            let after = self.settings.placement != Placement::PreActivation;
            if let Some(norm) = norm.filter(|_| after && self.settings.batch_norm) {
                layers.push(builder.batch_norm(&self.path(norm), output));
            }
        } else if self.changes_shape() {
            let name = self.path("shortcut");
            layers.push(option_a(&name, input, output, self.stride));
        }
        match self.settings.shortcut {
            ShortcutKind::Constant => {
                self.scale("shortcut_scale", self.settings.shortcut_factor, &mut layers);
            }
            ShortcutKind::Dropout => {
                let rate = self.settings.shortcut_dropout;
                layers.push(builder.dropout(&self.path("shortcut_dropout"), rate));
            }
            _ => {}
        }
        if layers.is_empty() {
            Shortcut::Identity
        } else {
            Shortcut::Layers(layers)
        }
    }

    fn gate(&self, builder: &mut Builder) -> Option<Gate> {
        let on_branch = match self.settings.shortcut {
            ShortcutKind::ExclusiveGate => true,
            ShortcutKind::ShortcutGate => false,
            _ => return None,
        };
        let settings = self.conv_settings(&self.projection());
        let start = self.settings.gate_bias;
        let layers = vec![builder.gate(&self.path("gate"), settings, start)];
        Some(Gate { layers, on_branch })
    }

    fn projection(&self) -> Conv {
        Conv {
            channels: self.channels,
            kernel: 1,
            stride: self.stride,
            groups: 1,
        }
    }

    fn convolution(&self, builder: &mut Builder, name: &str, conv: &Conv) -> Layer {
        builder.conv(&self.path(name), self.conv_settings(conv))
    }

    fn conv_settings(&self, conv: &Conv) -> ConvSettings {
        ConvSettings {
            in_channels: conv.channels.0,
            out_channels: conv.channels.1,
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.kernel / 2,
            groups: conv.groups,
            bias: self.style.bias || !self.settings.batch_norm,
        }
    }

    fn norm(&self, builder: &mut Builder, number: usize, channels: usize, layers: &mut Vec<Layer>) {
        if self.settings.batch_norm {
            layers.push(builder.batch_norm(&self.path(&format!("bn{number}")), channels));
        }
    }

    fn activation(&self, number: usize) -> Layer {
        activation(
            &self.path(&format!("activation{number}")),
            self.settings.activation,
        )
    }

    fn scale(&self, name: &str, factor: f64, layers: &mut Vec<Layer>) {
        if factor != 1.0 {
            layers.push(layer(&self.path(name), Op::Scale(factor)));
        }
    }
}

/// The stem's batch norm and nonlinearity, as far as they do not belong to the first block.
pub(super) fn after_stem(
    builder: &mut Builder,
    settings: &ModelSettings,
    channels: usize,
) -> Vec<Layer> {
    let mut layers = Vec::new();
    if settings.placement != Placement::PreActivation && settings.batch_norm {
        layers.push(builder.batch_norm("bn1", channels));
    }
    if !settings.placement.is_before() {
        layers.push(activation("activation", settings.activation));
    }
    layers
}

/// What follows the last block: with pre-activation its batch norm and nonlinearity, then the pool
/// and the linear layer called `linear`.
pub(super) fn head(
    builder: &mut Builder,
    settings: &ModelSettings,
    channels: usize,
    (linear, outputs): (&str, usize),
) -> Vec<Layer> {
    let mut layers = Vec::new();
    if settings.placement == Placement::PreActivation && settings.batch_norm {
        layers.push(builder.batch_norm("bn", channels));
    }
    if settings.placement.is_before() {
        layers.push(activation("activation", settings.activation));
    }
    layers.push(layer("pool", Op::GlobalAveragePool));
    layers.push(builder.linear(linear, channels, outputs, true));
    layers
}
