//! Forward: a network, or a part of one, on a batch, with everything that backward needs.

use super::ops::{self, LayerTape, Numbers, reshape};
use super::{Mode, Part, Scalar, Tensor};
use crate::error::ShapeError;
use crate::network::{Block, Network, Shape, Shortcut};

/// A forward pass that has been made.
#[derive(Debug)]
pub struct Pass<S> {
    /// What was executed.
    pub part: Part,
    /// What came out: `(N, 1, 1, outputs)` if the part ends with the head.
    pub output: Tensor<S>,
    /// Output of each block of the part.
    pub block_outputs: Vec<Tensor<S>>,
    /// The state arena after the pass: in training the running statistics have moved.
    pub state: Vec<S>,
    pub(super) stem: Vec<LayerTape<S>>,
    pub(super) blocks: Vec<BlockTape<S>>,
    pub(super) head: Vec<LayerTape<S>>,
}

/// What a block remembers.
#[derive(Debug)]
pub(super) struct BlockTape<S> {
    /// `(N, H, W, C)` of the block's input.
    pub input: (usize, usize, usize, usize),
    pub shortcut: Vec<LayerTape<S>>,
    pub branches: Vec<Vec<LayerTape<S>>>,
    pub post: Vec<LayerTape<S>>,
}

/// A whole network on a batch of inputs.
pub fn forward<S: Scalar>(
    network: &Network,
    parameters: &[S],
    state: &[S],
    mode: Mode,
    input: &Tensor<S>,
) -> Result<Pass<S>, ShapeError> {
    forward_part(
        network,
        Part::whole(network),
        parameters,
        state,
        mode,
        input,
    )
}

/// A part of a network on a batch of what it reads.
pub fn forward_part<S: Scalar>(
    network: &Network,
    part: Part,
    parameters: &[S],
    state: &[S],
    mode: Mode,
    input: &Tensor<S>,
) -> Result<Pass<S>, ShapeError> {
    check(network, &part, parameters, state, input)?;
    let mut numbers = Numbers {
        parameters,
        state: state.to_vec(),
        mode,
    };
    let mut activation = input.clone();
    let mut stem = Vec::new();
    if part.stem {
        (activation, stem) = ops::forward(&network.stem, &mut numbers, activation);
    }
    let (mut blocks, mut block_outputs) = (Vec::new(), Vec::new());
    for block in &network.blocks[part.blocks.clone()] {
        let tape;
        (activation, tape) = forward_block(block, &mut numbers, activation);
        blocks.push(tape);
        block_outputs.push(activation.clone());
    }
    let mut head = Vec::new();
    if part.head {
        (activation, head) = ops::forward(&network.head, &mut numbers, activation);
    }
    let (output, state) = (activation, numbers.state);
    Ok(Pass {
        part,
        output,
        block_outputs,
        state,
        stem,
        blocks,
        head,
    })
}

/// `y = post(shortcut(x) + Σ_i branch_i(x))`.
fn forward_block<S: Scalar>(
    block: &Block,
    numbers: &mut Numbers<S>,
    input: Tensor<S>,
) -> (Tensor<S>, BlockTape<S>) {
    let dim = input.dim();
    let (mut sum, shortcut) = match &block.shortcut {
        Shortcut::None => (None, Vec::new()),
        Shortcut::Identity => (Some(input.clone()), Vec::new()),
        Shortcut::SubsamplePad {
            stride,
            pad_before,
            pad_after,
        } => (
            Some(reshape::subsample_pad(
                &input,
                *stride,
                *pad_before,
                *pad_after,
            )),
            Vec::new(),
        ),
        Shortcut::Layers(layers) => {
            let (output, tape) = ops::forward(layers, numbers, input.clone());
            (Some(output), tape)
        }
    };
    let mut branches = Vec::with_capacity(block.branches.len());
    for layers in &block.branches {
        let (output, tape) = ops::forward(layers, numbers, input.clone());
        branches.push(tape);
        sum = Some(match sum {
            Some(sum) => sum + output,
            None => output,
        });
    }
    // A block with neither shortcut nor branch does not pass the check of shapes.
    let (output, post) = ops::forward(&block.post, numbers, sum.unwrap_or(input));
    (
        output,
        BlockTape {
            input: dim,
            shortcut,
            branches,
            post,
        },
    )
}

fn check<S>(
    network: &Network,
    part: &Part,
    parameters: &[S],
    state: &[S],
    input: &Tensor<S>,
) -> Result<(), ShapeError> {
    let expected = part.input_shape(network)?;
    let (_, height, width, channels) = input.dim();
    let found = Shape::new(channels, height, width);
    if found != expected {
        return Err(ShapeError::Input { expected, found });
    }
    let layout = &network.layout;
    let lengths = [
        ("parameters", layout.parameter_count(), parameters.len()),
        ("running statistics", layout.state_count(), state.len()),
    ];
    match lengths
        .into_iter()
        .find(|(_, expected, found)| expected != found)
    {
        Some((what, expected, found)) => Err(ShapeError::Length {
            what,
            expected,
            found,
        }),
        None => Ok(()),
    }
}
