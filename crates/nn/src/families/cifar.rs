//! The CIFAR family of He, Zhang, Ren, Sun 2015, section 4.2: plain and residual, depth 6n+2.
//!
//! | stage | resolution | layers    | channels |
//! |-------|------------|-----------|----------|
//! | 1     | H × W      | 1 + 2n    | w (16)   |
//! | 2     | half       | 2n        | 2w (32)  |
//! | 3     | a quarter  | 2n        | 4w (64)  |
//! | head  | 1 × 1      | global average pool, linear   ||
//!
//! A block is conv – batch norm – ReLU – conv – batch norm, plus the shortcut, then ReLU; the
//! first convolution of stages 2 and 3 has stride 2. Shortcuts are option A: identity, or every
//! second pixel with zeros for the new channels, half of them before the old ones and half
//! after. Without batch norm the convolutions have a bias. Names are those of common PyTorch
//! code: `conv1`, `bn1`, `layer1.0.conv1`, ..., `linear`.

use super::settings::{Family, ModelSettings};
use crate::error::ModelError;
use crate::network::builder::{Builder, ConvSettings, activation};
use crate::network::{Activation, Block, Layer, Network, Op, Shape, Shortcut};

/// ResNet-20.
pub const DEFAULTS: ModelSettings = ModelSettings {
    family: Family::Cifar,
    depth: 20,
    residual: true,
    width: 16,
    batch_norm: true,
    activation: Activation::Relu,
    branch_layers: 2,
};

const STAGES: usize = 3;
/// Far beyond the paper's 1202.
const MAX_DEPTH: usize = 12_002;

/// Whether there is such a network: depth 6n+2, two convolutions in each block.
pub fn check(settings: &ModelSettings) -> Result<(), ModelError> {
    let depth = settings.depth;
    if depth < 8 || depth % 6 != 2 || depth > MAX_DEPTH {
        let below = (depth.saturating_sub(2) / 6).clamp(1, (MAX_DEPTH - 2) / 6) * 6 + 2;
        let above = below + 6;
        let nearest = match depth {
            d if d < below => format!("{below} or {above}"),
            d if d > MAX_DEPTH => format!("at most {MAX_DEPTH}"),
            _ => format!("{below} or {above}"),
        };
        let rule = "it must be 6n+2, the layers of n blocks of two in each of three stages, \
                    the first layer and the last";
        return Err(ModelError::Depth {
            family: settings.family.name(),
            depth,
            rule,
            nearest,
        });
    }
    if settings.branch_layers != DEFAULTS.branch_layers {
        return Err(ModelError::NotApplicable {
            setting: "branch_layers",
            value: settings.branch_layers.to_string(),
            family: settings.family.name(),
            rule: "its blocks always have 2 layers; leave it out",
        });
    }
    Ok(())
}

/// The network. `settings` have been checked.
pub(super) fn build(settings: &ModelSettings, input: Shape, outputs: usize) -> Network {
    let mut builder = Builder::new();
    let width = settings.width;
    let mut stem = conv_norm(&mut builder, settings, "", 1, (input.channels, width), 1);
    stem.push(activation("activation", settings.activation));

    let blocks_per_stage = (settings.depth - 2) / (2 * STAGES);
    let mut blocks = Vec::with_capacity(STAGES * blocks_per_stage);
    let mut channels = width;
    for stage in 0..STAGES {
        for place in 0..blocks_per_stage {
            builder.enter(Some(blocks.len()));
            let out = width << stage;
            let stride = if stage > 0 && place == 0 { 2 } else { 1 };
            let name = format!("layer{}.{place}", stage + 1);
            let mut block = basic_block(&mut builder, settings, &name, (channels, out), stride);
            block.stage = stage;
            blocks.push(block);
            channels = out;
        }
    }

    builder.enter(None);
    let pool = Layer {
        name: "pool".to_owned(),
        op: Op::GlobalAveragePool,
    };
    let head = vec![pool, builder.linear("linear", channels, outputs, true)];
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

/// A block of two 3×3 convolutions from `channels.0` to `channels.1`.
fn basic_block(
    builder: &mut Builder,
    settings: &ModelSettings,
    name: &str,
    channels: (usize, usize),
    stride: usize,
) -> Block {
    let prefix = format!("{name}.");
    let (input, output) = channels;
    let mut branch = conv_norm(builder, settings, &prefix, 1, channels, stride);
    branch.push(activation(
        &format!("{name}.activation1"),
        settings.activation,
    ));
    branch.extend(conv_norm(
        builder,
        settings,
        &prefix,
        2,
        (output, output),
        1,
    ));
    if settings.residual {
        builder.end_branch();
    }
    Block {
        name: name.to_owned(),
        stage: 0,
        shortcut: if settings.residual {
            option_a(input, output, stride)
        } else {
            Shortcut::None
        },
        branches: vec![branch],
        post: vec![activation(
            &format!("{name}.activation2"),
            settings.activation,
        )],
    }
}

/// The shortcut without parameters.
fn option_a(input: usize, output: usize, stride: usize) -> Shortcut {
    let new = output - input;
    if new == 0 && stride == 1 {
        return Shortcut::Identity;
    }
    Shortcut::SubsamplePad {
        stride,
        pad_before: new / 2,
        pad_after: new - new / 2,
    }
}

/// `convN` and, with batch norm, `bnN`.
fn conv_norm(
    builder: &mut Builder,
    settings: &ModelSettings,
    prefix: &str,
    number: usize,
    (in_channels, out_channels): (usize, usize),
    stride: usize,
) -> Vec<Layer> {
    let bias = !settings.batch_norm;
    let conv = ConvSettings {
        in_channels,
        out_channels,
        kernel: 3,
        stride,
        padding: 1,
        groups: 1,
        bias,
    };
    let mut layers = vec![builder.conv(&format!("{prefix}conv{number}"), conv)];
    if settings.batch_norm {
        layers.push(builder.batch_norm(&format!("{prefix}bn{number}"), out_channels));
    }
    layers
}
