//! Forward: a network, or a part of one, on a batch, with everything that backward needs.

use super::ops::{self, LayerTape, Numbers, elementwise};
use super::{Mode, Part, Scalar, Tensor};
use crate::error::ShapeError;
use crate::network::{Block, Gate, Network, Shape, Shortcut};
use crate::noise::Noise;

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
    /// `(N, H, W, C)` of what is split.
    pub split: (usize, usize, usize, usize),
    pub pre: Vec<LayerTape<S>>,
    pub shortcut: Vec<LayerTape<S>>,
    /// Empty where the branches were dropped.
    pub branches: Vec<Vec<LayerTape<S>>>,
    /// What the branches' sum is multiplied by, apart from a gate.
    pub branch_factor: f64,
    pub gate: Option<GateTape<S>>,
    pub post: Vec<LayerTape<S>>,
}

/// What a gate remembers.
#[derive(Debug)]
pub(super) struct GateTape<S> {
    pub layers: Vec<LayerTape<S>>,
    /// `g`.
    pub gate: Tensor<S>,
    /// What it multiplied.
    pub shortcut: Tensor<S>,
    pub branch: Option<Tensor<S>>,
}

/// A whole network on a batch of inputs, without noise to speak of: that of seed and step 0.
pub fn forward<S: Scalar>(
    network: &Network,
    parameters: &[S],
    state: &[S],
    mode: Mode,
    input: &Tensor<S>,
) -> Result<Pass<S>, ShapeError> {
    let part = Part::whole(network);
    forward_part(network, part, parameters, state, mode, input)
}

/// A part of a network on a batch of what it reads, with the noise of seed and step 0.
pub fn forward_part<S: Scalar>(
    network: &Network,
    part: Part,
    parameters: &[S],
    state: &[S],
    mode: Mode,
    input: &Tensor<S>,
) -> Result<Pass<S>, ShapeError> {
    let noise = Noise::default();
    forward_with_noise(network, part, (parameters, state), (mode, noise), input)
}

/// A part of a network on a batch of what it reads.
pub fn forward_with_noise<S: Scalar>(
    network: &Network,
    part: Part,
    (parameters, state): (&[S], &[S]),
    (mode, noise): (Mode, Noise),
    input: &Tensor<S>,
) -> Result<Pass<S>, ShapeError> {
    check(network, &part, parameters, state, input)?;
    let mut numbers = Numbers {
        parameters,
        state: state.to_vec(),
        mode,
        noise,
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

/// `y = post(shortcut(u) + Σ_i branch_i(u))` with `u = pre(x)`; see [`crate::network`] for gates.
fn forward_block<S: Scalar>(
    block: &Block,
    numbers: &mut Numbers<S>,
    input: Tensor<S>,
) -> (Tensor<S>, BlockTape<S>) {
    let (input, pre) = ops::forward(&block.pre, numbers, input);
    let split = input.dim();
    let branch_factor = branch_factor(block, numbers);
    let mut branches = Vec::new();
    let mut branch: Option<Tensor<S>> = None;
    if branch_factor != 0.0 {
        for layers in &block.branches {
            let (output, tape) = ops::forward(layers, numbers, input.clone());
            branches.push(tape);
            branch = Some(match branch {
                Some(sum) => sum + output,
                None => output,
            });
        }
    }
    if branch_factor != 1.0 {
        branch = branch.map(|branch| elementwise::scale(branch_factor, &branch));
    }
    let (shortcut, shortcut_tape) = match &block.shortcut {
        Shortcut::None => (None, Vec::new()),
        Shortcut::Identity => (Some(input.clone()), Vec::new()),
        Shortcut::Layers(layers) => {
            let (output, tape) = ops::forward(layers, numbers, input.clone());
            (Some(output), tape)
        }
    };
    let (sum, gate) = match (shortcut, &block.gate) {
        (Some(shortcut), Some(gate)) => {
            let (sum, tape) = forward_gate(gate, numbers, &input, shortcut, branch);
            (sum, Some(tape))
        }
        (Some(shortcut), None) => match branch {
            Some(branch) => (shortcut + branch, None),
            None => (shortcut, None),
        },
        // A block with neither shortcut nor branch does not pass the check of shapes.
        (None, _) => (branch.unwrap_or(input), None),
    };
    let (output, post) = ops::forward(&block.post, numbers, sum);
    let tape = BlockTape {
        split,
        pre,
        shortcut: shortcut_tape,
        branches,
        branch_factor,
        gate,
        post,
    };
    (output, tape)
}

/// 1; with stochastic depth in training 1 or 0, and in evaluation the probability of 1.
fn branch_factor<S>(block: &Block, numbers: &Numbers<S>) -> f64 {
    match (block.survival, numbers.mode) {
        (None, _) => 1.0,
        (Some(survival), Mode::Evaluation) => survival.probability,
        (Some(survival), Mode::Training) => {
            let noise = numbers.noise;
            f64::from(noise.survives(survival.stream, survival.probability))
        }
    }
}

/// `(1 − g) · shortcut + g · branch`, or `+ branch`.
fn forward_gate<S: Scalar>(
    gate: &Gate,
    numbers: &mut Numbers<S>,
    input: &Tensor<S>,
    shortcut: Tensor<S>,
    branch: Option<Tensor<S>>,
) -> (Tensor<S>, GateTape<S>) {
    let (logits, layers) = ops::forward(&gate.layers, numbers, input.clone());
    let g = elementwise::sigmoid(&logits);
    let mut sum = g.mapv(|g| S::one() - g) * &shortcut;
    if let Some(branch) = &branch {
        if gate.on_branch {
            sum += &(&g * branch);
        } else {
            sum += branch;
        }
    }
    let tape = GateTape {
        layers,
        gate: g,
        shortcut,
        branch,
    };
    (sum, tape)
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
