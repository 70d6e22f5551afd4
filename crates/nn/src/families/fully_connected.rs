//! Fully connected networks of one width, plain and residual.
//!
//! Stem `h₀ = σ(W x + b)`, then `depth` blocks, then a linear head. A block is
//!
//! ```text
//! h ← h + σ(W h + b)                branch_layers: 1
//! h ← h + W₂ σ(W₁ h + b₁) + b₂      branch_layers: 2
//! ```
//!
//! and the plain twin leaves out the `h +`. With batch norm, one follows each linear layer of a
//! block, in place of the bias. Names: `stem`, `layers.0.linear1`, `layers.0.bn1`, ..., `linear`.

use super::choices::Family;
use super::cifar;
use super::settings::ModelSettings;
use crate::error::ModelError;
use crate::network::builder::{Builder, activation};
use crate::network::{Block, Layer, Network, Op, Shape, Shortcut};

/// 32 residual blocks of one layer.
pub const DEFAULTS: ModelSettings = ModelSettings {
    family: Family::FullyConnected,
    depth: 32,
    residual: true,
    width: 64,
    batch_norm: false,
    branch_layers: 1,
    ..cifar::DEFAULTS
};

const MAX_DEPTH: usize = 10_000;

/// Whether there is such a network.
pub fn check(settings: &ModelSettings) -> Result<(), ModelError> {
    if settings.depth == 0 || settings.depth > MAX_DEPTH {
        return Err(ModelError::Depth {
            family: settings.family.name(),
            depth: settings.depth,
            rule: "it is the number of blocks, from 1 to 10000",
            nearest: if settings.depth == 0 {
                "1".to_owned()
            } else {
                MAX_DEPTH.to_string()
            },
        });
    }
    if !matches!(settings.branch_layers, 1 | 2) {
        let rule = "a block has 1 or 2 linear layers";
        let value = settings.branch_layers.to_string();
        return Err(ModelError::Range {
            setting: "branch_layers",
            value,
            rule,
        });
    }
    Ok(())
}

/// The network. `settings` have been checked.
pub(super) fn build(settings: &ModelSettings, input: Shape, outputs: usize) -> Network {
    let mut builder = Builder::new();
    let stem = vec![
        Layer {
            name: "flatten".to_owned(),
            op: Op::Flatten,
        },
        builder.linear("stem", input.len(), settings.width, true),
        activation("activation", settings.activation),
    ];
    let blocks = (0..settings.depth)
        .map(|index| {
            builder.enter(Some(index));
            block(&mut builder, settings, &format!("layers.{index}"))
        })
        .collect();
    builder.enter(None);
    let head = vec![builder.linear("linear", settings.width, outputs, true)];
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

fn block(builder: &mut Builder, settings: &ModelSettings, name: &str) -> Block {
    let mut branch = linear_norm(builder, settings, name, 1);
    branch.push(activation(
        &format!("{name}.activation1"),
        settings.activation,
    ));
    if settings.branch_layers == 2 {
        branch.extend(linear_norm(builder, settings, name, 2));
    }
    if settings.residual {
        builder.end_branch();
    }
    Block {
        name: name.to_owned(),
        stage: 0,
        pre: Vec::new(),
        shortcut: if settings.residual {
            Shortcut::Identity
        } else {
            Shortcut::None
        },
        branches: vec![branch],
        gate: None,
        survival: None,
        post: Vec::new(),
    }
}

/// `linearN` and, with batch norm, `bnN`.
fn linear_norm(
    builder: &mut Builder,
    settings: &ModelSettings,
    block: &str,
    number: usize,
) -> Vec<Layer> {
    let width = settings.width;
    let name = format!("{block}.linear{number}");
    let mut layers = vec![builder.linear(&name, width, width, !settings.batch_norm)];
    if settings.batch_norm {
        layers.push(builder.batch_norm(&format!("{block}.bn{number}"), width));
    }
    layers
}
