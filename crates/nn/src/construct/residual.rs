//! A residual network that equals a plain one.
//!
//! A plain block `H = relu ∘ A_m ∘ … ∘ relu ∘ A_1`, with affine maps `A_i` (batch norm, in
//! evaluation, is part of them), becomes `x + F(x)` with `F = H − x`. `F` has to bring `−x` to its
//! end, so that its hidden layers are wider by what carries `x`: a copy of `x` itself where `x` comes
//! out of a ReLU, since then `relu(x) = x`; else two, `x = relu(x) − relu(−x)`. Where the ReLU stands
//! after the addition (CIFAR networks), `F = A_m ∘ … ∘ A_1 − x` and the ReLU stays there; where it
//! belongs to the branch (fully connected networks of one layer a block), one more affine map takes `x`
//! off; a branch that ends without one (two layers a block) takes it off in its last map.

use super::affine::Affine;
use super::writer::{Tensor, Writer};
use super::{ConstructError, Constructed, is_given_no_negatives, plain};
use crate::network::{Activation, Block, Conv2d, Layer, Linear, Op, Role, Shortcut};

/// The residual network that equals a plain one in evaluation. Blocks that change the shape stay
/// plain: they have no identity to add.
///
/// # Errors
///
/// The network has a shortcut, or a block that keeps its shape has layers for which there is no
/// rule (groups, pre-activation, an activation other than ReLU).
pub fn residual_equal(of: &Constructed) -> Result<Constructed, ConstructError> {
    let network = &of.network;
    plain(network)?;
    let mut writer = Writer::default();
    let stem = writer.copies(&network.stem, of);
    let mut blocks = Vec::new();
    for (index, block) in network.blocks.iter().enumerate() {
        writer.enter(Some(index));
        blocks.push(if block.is_downsampling() {
            Block {
                pre: writer.copies(&block.pre, of),
                branches: vec![writer.copies(&block.branches[0], of)],
                post: writer.copies(&block.post, of),
                ..block.clone()
            }
        } else {
            let signed = !is_given_no_negatives(network, index);
            equal_block(&mut writer, block, of, signed)?
        });
    }
    let name = format!("{}-as-residual", network.name);
    Ok(writer.finish(of, name, stem, blocks))
}

/// The residual block that equals a plain one.
fn equal_block(
    writer: &mut Writer,
    block: &Block,
    of: &Constructed,
    signed: bool,
) -> Result<Block, ConstructError> {
    let (mut maps, relu_is_in_the_branch) = maps(block, of)?;
    if relu_is_in_the_branch {
        // H ends with the ReLU: what takes x off comes after it.
        let width = maps.last().map_or(0, |last| last.outputs);
        let mut identity = Affine::zeros(&maps[0], width, width);
        identity.add_identity(width, 0, 0, 1.0);
        maps.push(identity);
    }
    let channels = maps[0].inputs;
    let carriers: &[f64] = if signed { &[1.0, -1.0] } else { &[1.0] };
    let last = maps.len() - 1;
    let mut branch = Vec::new();
    for (index, map) in maps.iter().enumerate() {
        let map = carrying(map, channels, carriers, index == 0, index == last);
        let name = format!("{}.residual{}", block.name, index + 1);
        branch.push(layer(writer, &name, map, index == last));
        if index != last {
            branch.push(Layer {
                name: format!("{}.activation{}", block.name, index + 1),
                op: Op::Activation(Activation::Relu),
            });
        }
    }
    Ok(Block {
        shortcut: Shortcut::Identity,
        branches: vec![branch],
        post: writer.copies(&block.post, of),
        ..block.clone()
    })
}

/// The affine maps of a block, with a ReLU between each two, and whether the branch ends with one
/// too (it may end without, or the ReLU may stand after the addition).
fn maps(block: &Block, of: &Constructed) -> Result<(Vec<Affine>, bool), ConstructError> {
    let refused = |layer: &str, found| ConstructError::Layer {
        layer: layer.to_owned(),
        found,
        known: "linear layers and convolutions, each with a ReLU after it",
    };
    let relu = Op::Activation(Activation::Relu);
    let outside = match block.post.as_slice() {
        [] => false,
        [layer] if layer.op == relu => true,
        _ => {
            return Err(refused(
                &block.name,
                "a block with more than a ReLU after its branch",
            ));
        }
    };
    let branch = match (block.pre.as_slice(), block.branches.as_slice()) {
        ([], [branch]) => branch,
        _ => {
            return Err(refused(
                &block.name,
                "a block with layers before its branch",
            ));
        }
    };
    let mut maps: Vec<Affine> = Vec::new();
    // Whether the map added last still waits for its ReLU.
    let mut open = false;
    for layer in branch.iter().chain(&block.post) {
        match &layer.op {
            Op::BatchNorm(norm) if open => {
                maps = then_norm(maps, norm, of);
            }
            Op::Activation(Activation::Relu) if open => open = false,
            Op::Dropout(_) => {}
            Op::Conv2d(_) | Op::Linear(_) if !open => {
                maps.push(Affine::of(layer, of)?);
                open = true;
            }
            _ => return Err(refused(&layer.name, "out of its place")),
        }
    }
    if maps.is_empty() {
        return Err(refused(&block.name, "a block without layers of its own"));
    }
    Ok((maps, !open && !outside))
}

fn then_norm(
    mut maps: Vec<Affine>,
    norm: &crate::network::BatchNorm,
    of: &Constructed,
) -> Vec<Affine> {
    if let Some(last) = maps.pop() {
        maps.push(last.then_norm(norm, of));
    }
    maps
}

/// A map that also brings the carriers of x on; the first makes them, the last takes x off.
fn carrying(map: &Affine, channels: usize, carriers: &[f64], first: bool, last: bool) -> Affine {
    let carried = channels * carriers.len();
    let inputs = if first {
        channels
    } else {
        map.inputs + carried
    };
    let outputs = if last {
        map.outputs
    } else {
        map.outputs + carried
    };
    let mut wide = Affine::zeros(map, inputs, outputs);
    wide.put(map, 0, 0);
    if first && last {
        wide.add_identity(channels, 0, 0, -1.0);
        return wide;
    }
    for (number, sign) in carriers.iter().enumerate() {
        let to = map.outputs + number * channels;
        let from = map.inputs + number * channels;
        match (first, last) {
            (true, _) => wide.add_identity(channels, to, 0, *sign),
            (_, true) => wide.add_identity(channels, 0, from, -sign),
            _ => wide.add_identity(channels, to, from, 1.0),
        }
    }
    wide
}

/// A layer with a bias for an affine map.
fn layer(writer: &mut Writer, name: &str, map: Affine, ends_branch: bool) -> Layer {
    let Affine {
        inputs,
        outputs,
        taps,
        weight,
        bias,
        is_convolution,
    } = map;
    let kernel = (1..).find(|k| k * k >= taps).unwrap_or(1);
    let (role, shape) = if is_convolution {
        (Role::ConvWeight, vec![outputs, inputs, kernel, kernel])
    } else {
        (Role::LinearWeight, vec![outputs, inputs])
    };
    let weight = writer.tensor(
        format!("{name}.weight"),
        Tensor {
            role,
            shape,
            values: weight,
            ends_branch,
        },
    );
    let bias = Some(writer.tensor(
        format!("{name}.bias"),
        Tensor {
            role: Role::Bias,
            shape: vec![outputs],
            values: bias,
            ends_branch: false,
        },
    ));
    let op = if is_convolution {
        Op::Conv2d(Conv2d {
            in_channels: inputs,
            out_channels: outputs,
            kernel,
            stride: 1,
            padding: kernel / 2,
            groups: 1,
            weight,
            bias,
        })
    } else {
        Op::Linear(Linear {
            in_features: inputs,
            out_features: outputs,
            weight,
            bias,
        })
    };
    Layer {
        name: name.to_owned(),
        op,
    }
}
