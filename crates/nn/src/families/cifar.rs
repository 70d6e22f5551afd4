//! Networks for small images in three stages: the CIFAR family of He, Zhang, Ren, Sun 2015, section
//! 4.2, with the blocks of He et al. 2016 and Xie et al. 2017, and wide networks (Zagoruyko,
//! Komodakis 2016).
//!
//! | stage | resolution | blocks | channels, basic and bottleneck |
//! |-------|------------|--------|--------------------------------|
//! | stem  | H × W      |        | w (16)                         |
//! | 1     | H × W      | n      | w (16), 4w                     |
//! | 2     | half       | n      | 2w (32), 8w                    |
//! | 3     | a quarter  | n      | 4w (64), 16w                   |
//! | head  | 1 × 1      | global average pool, linear            ||
//!
//! Depth is 6n+2 of basic blocks, 9n+2 of bottlenecks; of wide networks, which count a projection
//! in each stage and multiply the stages' channels by `widen`, it is 6n+4. The first block of stages
//! 2 and 3 has stride 2. Blocks and shortcuts: [`super::units`]. Without batch norm the
//! convolutions have a bias. Names are those of common PyTorch code: `conv1`, `bn1`,
//! `layer1.0.conv1`, `layer2.0.shortcut.0`, ..., `linear`.

use super::check::{check_depth, range};
use super::choices::{BlockKind, Family, Placement, ShortcutKind, StrideOn};
use super::settings::ModelSettings;
use super::units::{self, Style};
use crate::error::ModelError;
use crate::network::builder::{Builder, ConvSettings};
use crate::network::{Activation, Network, Shape};

/// ResNet-20.
pub const DEFAULTS: ModelSettings = ModelSettings {
    family: Family::Cifar,
    depth: 20,
    residual: true,
    width: 16,
    batch_norm: true,
    activation: Activation::Relu,
    branch_layers: 2,
    block: BlockKind::Basic,
    placement: Placement::Original,
    shortcut: ShortcutKind::A,
    shortcut_factor: 0.5,
    branch_factor: 1.0,
    gate_bias: -6.0,
    shortcut_dropout: 0.5,
    cardinality: 1,
    group_width: 64,
    widen: 1,
    dropout: 0.0,
    stochastic_depth: 1.0,
    stride_on: StrideOn::ThreeByThree,
};

/// WRN-28-10.
pub const WIDE_DEFAULTS: ModelSettings = ModelSettings {
    family: Family::Wide,
    depth: 28,
    placement: Placement::PreActivation,
    shortcut: ShortcutKind::B,
    widen: 10,
    ..DEFAULTS
};

const STAGES: usize = 3;

/// Layers of each block in all stages together, and layers beside the blocks.
fn layers(settings: &ModelSettings) -> (usize, usize) {
    match (settings.family, settings.block) {
        (Family::Wide, _) => (2 * STAGES, 4),
        (_, block) => (block.layers() * STAGES, 2),
    }
}

/// Whether there is such a network.
pub fn check(settings: &ModelSettings) -> Result<(), ModelError> {
    let rule = match (settings.family, settings.block) {
        (Family::Wide, _) => {
            "it must be 6n+4, the layers of n blocks of two in each of three stages, a projection \
             in each, and the first layer"
        }
        (_, BlockKind::Basic) => {
            "it must be 6n+2, the layers of n blocks of two in each of three stages, the first \
             layer and the last"
        }
        (_, BlockKind::Bottleneck) => {
            "it must be 9n+2, the layers of n bottlenecks of three in each of three stages, the \
             first layer and the last"
        }
    };
    check_depth(settings, layers(settings), rule)?;
    if settings.width * settings.widen > 1 << 16 {
        let rule = "times `width` it must be at most 65536";
        return range("widen", settings.widen, rule);
    }
    Ok(())
}

/// The network. `settings` have been checked.
pub(super) fn build(settings: &ModelSettings, input: Shape, outputs: usize) -> Network {
    let mut builder = Builder::new();
    let width = settings.width;
    let conv = ConvSettings {
        in_channels: input.channels,
        out_channels: width,
        kernel: 3,
        stride: 1,
        padding: 1,
        groups: 1,
        bias: !settings.batch_norm,
    };
    let mut stem = vec![builder.conv("conv1", conv)];
    stem.extend(units::after_stem(&mut builder, settings, width));
    let (each, rest) = layers(settings);
    let blocks_per_stage = (settings.depth - rest) / each;
    let style = Style {
        projection: ("shortcut.0", Some("shortcut.1")),
        bias: false,
    };
    let (blocks, channels) = units::stages(
        &mut builder,
        settings,
        style,
        &[blocks_per_stage; STAGES],
        (width, width * settings.widen),
    );
    let head = units::head(&mut builder, settings, channels, ("linear", outputs));
    let (name, layout) = (settings.name(), builder.finish());
    Network {
        name,
        input,
        outputs,
        stem,
        blocks,
        head,
        layout,
    }
}
