//! A deeper plain network that equals a shallower one: blocks of identity layers are added.
//!
//! A linear layer is the identity with `W = I, b = 0`; a convolution with one at the centre of each
//! channel's own kernel; batch norm, in evaluation, with `γ = 1, β = 0, μ = 0, σ² = 1 − ε`; ReLU on
//! numbers that are not negative, which is what comes out of the ReLU before.

use super::writer::{Writer, old_values};
use super::{ConstructError, Constructed, is_given_no_negatives, last_layer, plain};
use crate::network::{Activation, Block, Entry, Layer, Network, Op, Role};

/// The plain network with `added` identity blocks at the end of each stage, which equals it in
/// evaluation. A CIFAR network becomes the one of its family that is 6 layers deeper for each
/// block added to the three stages.
///
/// # Errors
///
/// The network has a shortcut, a stage without a block that keeps its shape, or layers that cannot
/// be the identity (an activation other than ReLU, a ReLU that is given negative numbers, strides,
/// groups).
pub fn deeper(shallow: &Constructed, added: usize) -> Result<Constructed, ConstructError> {
    let network = &shallow.network;
    plain(network)?;
    let mut writer = Writer::default();
    let stem = writer.copies(&network.stem, shallow);
    let mut blocks: Vec<Block> = Vec::new();
    for (index, block) in network.blocks.iter().enumerate() {
        writer.enter(Some(blocks.len()));
        blocks.push(copied(&mut writer, block, shallow));
        let next = network.blocks.get(index + 1);
        if next.is_none_or(|next| next.stage != block.stage) {
            let template = template(network, block.stage)?;
            for number in 1..=added {
                writer.enter(Some(blocks.len()));
                let name = numbered(&block.name, number);
                blocks.push(identity(&mut writer, template, &name, shallow)?);
            }
        }
    }
    let name = format!("{}+{added}", network.name);
    Ok(writer.finish(shallow, name, stem, blocks))
}

/// The block of a stage that identity blocks are made like: one that keeps its shape and is given
/// no negative numbers, if it has a ReLU.
fn template(network: &Network, stage: usize) -> Result<&Block, ConstructError> {
    let fits = |(_, block): &(usize, &Block)| block.stage == stage && !block.is_downsampling();
    let found = network.blocks.iter().enumerate().rfind(fits);
    let (_, block) = found.ok_or_else(|| ConstructError::NoTemplate {
        network: network.name.clone(),
        stage: stage + 1,
    })?;
    let relu = |layer: &Layer| layer.op == Op::Activation(Activation::Relu);
    let last = network
        .blocks
        .iter()
        .rposition(|block| block.stage == stage);
    let after = last.map_or(0, |last| last + 1);
    let ends = last_layer(block).is_some_and(relu);
    if block.layers().any(relu) && !(ends && is_given_no_negatives(network, after)) {
        return Err(ConstructError::Layer {
            layer: block.name.clone(),
            found: "a block whose ReLU is given negative numbers",
            known: "blocks that end with the ReLU, or have none",
        });
    }
    Ok(block)
}

/// A block as it is.
fn copied(writer: &mut Writer, block: &Block, of: &Constructed) -> Block {
    Block {
        pre: writer.copies(&block.pre, of),
        branches: block
            .branches
            .iter()
            .map(|branch| writer.copies(branch, of))
            .collect(),
        post: writer.copies(&block.post, of),
        ..block.clone()
    }
}

/// A block of the template's form that is the identity.
fn identity(
    writer: &mut Writer,
    template: &Block,
    name: &str,
    of: &Constructed,
) -> Result<Block, ConstructError> {
    let mut rewritten = |layers: &[Layer]| -> Result<Vec<Layer>, ConstructError> {
        layers
            .iter()
            .map(|layer| {
                can_be_identity(layer)?;
                let renamed = layer.name.replacen(&template.name, name, 1);
                let epsilon = match &layer.op {
                    Op::BatchNorm(norm) => norm.epsilon,
                    _ => 0.0,
                };
                let values = |entry: &Entry| identity_values(entry, epsilon, of);
                Ok(writer.layer(layer, &renamed, of, &values))
            })
            .collect()
    };
    let pre = rewritten(&template.pre)?;
    let branches = template.branches.iter().map(|branch| rewritten(branch));
    let branches = branches.collect::<Result<_, _>>()?;
    Ok(Block {
        name: name.to_owned(),
        pre,
        branches,
        post: rewritten(&template.post)?,
        ..template.clone()
    })
}

fn can_be_identity(layer: &Layer) -> Result<(), ConstructError> {
    let refused = |found| {
        Err(ConstructError::Layer {
            layer: layer.name.clone(),
            found,
            known: "square linear layers and convolutions, batch norm, ReLU and no activation",
        })
    };
    match &layer.op {
        Op::Conv2d(conv) if conv.groups != 1 => refused("a convolution in groups"),
        Op::Conv2d(conv) if conv.in_channels != conv.out_channels => {
            refused("a convolution that changes the number of channels")
        }
        Op::Conv2d(conv) if conv.kernel != 2 * conv.padding + 1 || conv.stride != 1 => {
            refused("a convolution that changes the size of images")
        }
        Op::Linear(linear) if linear.in_features != linear.out_features => {
            refused("a linear layer that changes the number of features")
        }
        Op::Activation(Activation::Tanh) => refused("tanh"),
        Op::Conv2d(_) | Op::Linear(_) | Op::BatchNorm(_) | Op::Activation(_) => Ok(()),
        Op::Dropout(_) => Ok(()),
        _ => refused("a layer without parameters that is not the identity"),
    }
}

/// The numbers that make a layer the identity.
fn identity_values(entry: &Entry, epsilon: f64, of: &Constructed) -> Vec<f64> {
    let mut values = vec![0.0; entry.slot.len];
    match entry.role {
        Role::ConvWeight | Role::LinearWeight => {
            let taps: usize = entry.shape[2..].iter().product();
            let stride = entry.shape[1] * taps;
            for channel in 0..entry.shape[0] {
                values[channel * stride + channel * taps + taps / 2] = 1.0;
            }
        }
        Role::NormWeight => values.fill(1.0),
        Role::RunningVar => values.fill(1.0 - epsilon),
        Role::Bias | Role::NormBias | Role::RunningMean => {}
    }
    debug_assert_eq!(values.len(), old_values(of, entry).len());
    values
}

/// The name of the block so many places after this one: `layer2.3` and 2 give `layer2.5`.
fn numbered(name: &str, after: usize) -> String {
    let split = name.rsplit_once('.');
    let place = split.and_then(|(stage, place)| Some((stage, place.parse::<usize>().ok()?)));
    match place {
        Some((stage, place)) => format!("{stage}.{}", place + after),
        None => format!("{name}.identity{after}"),
    }
}
