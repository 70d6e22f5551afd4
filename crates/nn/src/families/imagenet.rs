//! Networks for large images in four stages (He et al. 2015, table 1), as torchvision builds them:
//! ResNet, Wide ResNet and ResNeXt; and the ResNet-18 of Dive into Deep Learning.
//!
//! | stage | resolution of 224² | channels, basic and bottleneck | blocks of depth 18, 34, 50, 101, 152, 200 |
//! |-------|--------------------|--------------------------------|-------------------------------------------|
//! | stem  | 112², 56²          | 64: 7×7 convolution of stride 2, 3×3 max pool of stride 2              ||
//! | 1     | 56²                | 64, 256                        | 2, 3, 3, 3, 3, 3                          |
//! | 2     | 28²                | 128, 512                       | 2, 4, 4, 4, 8, 24                         |
//! | 3     | 14²                | 256, 1024                      | 2, 6, 6, 23, 36, 36                       |
//! | 4     | 7²                 | 512, 2048                      | 2, 3, 3, 3, 3, 3                          |
//! | head  | 1²                 | global average pool, linear                                            ||
//!
//! Names are torchvision's: `conv1`, `bn1`, `layer1.0.conv1`, `layer1.0.downsample.0`, ..., `fc`. The
//! textbook's network has biases in all convolutions, and no batch norm after its projections,
//! which are called `conv3`.

use super::check::range;
use super::choices::{Family, ShortcutKind};
use super::cifar;
use super::settings::ModelSettings;
use super::units::{self, Style};
use crate::error::ModelError;
use crate::network::builder::{Builder, ConvSettings, stem_pool};
use crate::network::{Network, Shape};

/// ResNet-18.
pub const DEFAULTS: ModelSettings = ModelSettings {
    family: Family::Imagenet,
    depth: 18,
    width: 64,
    shortcut: ShortcutKind::B,
    ..cifar::DEFAULTS
};

/// The textbook's ResNet-18.
pub const D2L_DEFAULTS: ModelSettings = ModelSettings {
    family: Family::D2l,
    ..DEFAULTS
};

/// Blocks of each stage.
fn blocks(depth: usize) -> Option<[usize; 4]> {
    Some(match depth {
        18 => [2, 2, 2, 2],
        34 | 50 => [3, 4, 6, 3],
        101 => [3, 4, 23, 3],
        152 => [3, 8, 36, 3],
        200 => [3, 24, 36, 3],
        _ => return None,
    })
}

/// Whether there is such a network.
pub fn check(settings: &ModelSettings) -> Result<(), ModelError> {
    let family = settings.family.name();
    let (exists, rule, nearest) = match settings.family {
        Family::D2l => (
            settings.depth == 18,
            "the textbook has one depth",
            "18".to_owned(),
        ),
        _ => (
            blocks(settings.depth).is_some(),
            "the depths are 18 and 34 of basic blocks, 50, 101, 152 and 200 of bottlenecks",
            nearest_depth(settings.depth),
        ),
    };
    if !exists {
        return Err(ModelError::Depth {
            family,
            depth: settings.depth,
            rule,
            nearest,
        });
    }
    if settings.family == Family::Imagenet
        && settings.block != super::BlockKind::of_imagenet(settings.depth)
    {
        let rule = "18 and 34 layers are of basic blocks, 50 and more of bottlenecks; leave it out";
        let value = format!("{:?}", settings.block).to_lowercase();
        return range("block", value, rule);
    }
    Ok(())
}

fn nearest_depth(depth: usize) -> String {
    let depths = [18_usize, 34, 50, 101, 152, 200];
    let nearest = depths.into_iter().min_by_key(|known| known.abs_diff(depth));
    nearest.unwrap_or(18).to_string()
}

/// The network. `settings` have been checked.
pub(super) fn build(settings: &ModelSettings, input: Shape, outputs: usize) -> Network {
    let mut builder = Builder::new();
    let width = settings.width;
    let textbook = settings.family == Family::D2l;
    let style = if textbook {
        Style {
            projection: ("conv3", None),
            bias: true,
        }
    } else {
        Style {
            projection: ("downsample.0", Some("downsample.1")),
            bias: false,
        }
    };
    let conv = ConvSettings {
        in_channels: input.channels,
        out_channels: width,
        kernel: 7,
        stride: 2,
        padding: 3,
        groups: 1,
        bias: style.bias || !settings.batch_norm,
    };
    let mut stem = vec![builder.conv("conv1", conv)];
    stem.extend(units::after_stem(&mut builder, settings, width));
    stem.push(stem_pool("maxpool"));
    // Checked settings have a known depth.
    let stages = blocks(settings.depth).unwrap_or_default();
    let (blocks, channels) = units::stages(&mut builder, settings, style, &stages, (width, width));
    let head = units::head(&mut builder, settings, channels, ("fc", outputs));
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
