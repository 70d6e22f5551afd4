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
//!
//! `placement: pre-activation` puts norm and nonlinearity before each linear layer, as in Balduzzi
//! et al. 2017 and He et al. 2016: `h ← h + W σ(BN(h))`. The stem then has no nonlinearity, and
//! the head begins with norm and nonlinearity.

use super::choices::{Family, Placement};
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
    let before = settings.placement == Placement::PreActivation;
    let flatten = Layer {
        name: "flatten".to_owned(),
        op: Op::Flatten,
    };
    let mut stem = vec![
        flatten,
        builder.linear("stem", input.len(), settings.width, true),
    ];
    if !before {
        stem.push(activation("activation", settings.activation));
    }
    let blocks = (0..settings.depth)
        .map(|index| {
            builder.enter(Some(index));
            block(&mut builder, settings, &format!("layers.{index}"))
        })
        .collect();
    builder.enter(None);
    let mut head = Vec::new();
    if before {
        if settings.batch_norm {
            head.push(builder.batch_norm("bn", settings.width));
        }
        head.push(activation("activation", settings.activation));
    }
    head.push(builder.linear("linear", settings.width, outputs, true));
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
    let before = settings.placement == Placement::PreActivation;
    let mut branch = Vec::new();
    for number in 1..=settings.branch_layers {
        let nonlinearity = activation(&format!("{name}.activation{number}"), settings.activation);
        let norm = format!("{name}.bn{number}");
        if before {
            if settings.batch_norm {
                branch.push(builder.batch_norm(&norm, settings.width));
            }
            branch.push(nonlinearity);
            branch.push(linear(builder, settings, name, number));
        } else {
            branch.push(linear(builder, settings, name, number));
            if settings.batch_norm {
                branch.push(builder.batch_norm(&norm, settings.width));
            }
            // Of two layers the last ends the branch without a nonlinearity.
            if number == 1 {
                branch.push(nonlinearity);
            }
        }
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

/// `linearN`, with a bias where there is no batch norm.
fn linear(builder: &mut Builder, settings: &ModelSettings, block: &str, number: usize) -> Layer {
    let width = settings.width;
    let name = format!("{block}.linear{number}");
    builder.linear(&name, width, width, !settings.batch_norm)
}
