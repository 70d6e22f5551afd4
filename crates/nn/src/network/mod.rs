//! Networks as data: a stem, a list of blocks, a head.
//!
//! A block computes, with `u = pre(x)`,
//!
//! ```text
//! y = post(shortcut(u) + Σ_i branch_i(u))                            residual
//! y = post((1 − g(u)) · shortcut(u) + g(u) · Σ_i branch_i(u))        gated, see [`Gate`]
//! y = post(branch(u))                                                plain
//! ```
//!
//! A [`Network`] holds no numbers: parameters live in one flat arena that [`Layout`] describes, so
//! an edited network (a block dropped, blocks reordered) still reads the arena of the network it
//! came from.
//!
//! Activations are channels-last, `(N, H, W, C)`; parameters keep PyTorch's layouts.

pub mod builder;
pub mod census;
pub mod edit;
pub mod layout;
pub mod shapes;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use layout::{Entry, Layout, Role, Slot};
pub use shapes::output_shape;

/// The shape of one sample's activation. A vector of `n` features is `n × 1 × 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Channels, or features of a vector.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// A network: a value that builders make, edits change and executors run.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// What it is called, such as `resnet20`.
    pub name: String,
    /// Shape of one input sample.
    pub input: Shape,
    /// Numbers put out for one sample: classes, or dimensions of a regression target.
    pub outputs: usize,
    /// Layers before the first block.
    pub stem: Vec<Layer>,
    /// The blocks, in the order in which they are executed.
    pub blocks: Vec<Block>,
    /// Layers after the last block.
    pub head: Vec<Layer>,
    /// Where each parameter and each running statistic lies in its arena.
    pub layout: Layout,
}

/// One residual or plain block.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its place in PyTorch's naming, such as `layer2.0`.
    pub name: String,
    /// Stage, from 0: blocks of one stage work at one resolution and width.
    pub stage: usize,
    /// Layers before the split into shortcut and branches: shared pre-activation.
    pub pre: Vec<Layer>,
    /// What is added to the branches. [`Shortcut::None`] makes the block plain.
    pub shortcut: Shortcut,
    /// The residual branches, summed. Plain blocks have exactly one.
    pub branches: Vec<Vec<Layer>>,
    /// What weighs shortcut and branches against each other, if anything does.
    pub gate: Option<Gate>,
    /// Whether the branches are dropped at random (stochastic depth).
    pub survival: Option<Survival>,
    /// Layers after the addition.
    pub post: Vec<Layer>,
}

/// The road around a block's branches.
#[derive(Debug, Clone, PartialEq)]
pub enum Shortcut {
    /// No shortcut: a plain block.
    None,
    /// `x` unchanged.
    Identity,
    /// Layers of its own: option A is [`Op::SubsamplePad`], options B and C are a strided 1×1
    /// convolution and batch norm; scaling and dropout of a shortcut are layers too.
    Layers(Vec<Layer>),
}

/// A gate `g = σ(layers(u))`, computed from the block's input and of the shape of its sum (He et
/// al. 2016, section 3.1, after Srivastava et al. 2015). The shortcut is multiplied by `1 − g`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Layers that give the logits of `g`.
    pub layers: Vec<Layer>,
    /// Whether the branches are multiplied by `g` (exclusive gating) or stay as they are
    /// (shortcut-only gating).
    pub on_branch: bool,
}

/// Stochastic depth (Huang et al. 2016): in training a step keeps the branches with this
/// probability, for the whole batch, and drops them otherwise; in evaluation they are multiplied
/// by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survival {
    /// Probability that the branches are kept.
    pub probability: f64,
    /// Its random stream, see [`Noise`](crate::noise::Noise).
    pub stream: u64,
}

/// A named operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Full path in PyTorch's naming, such as `layer2.0.conv1`; parameters add `.weight`, `.bias`.
    pub name: String,
    /// What it computes.
    pub op: Op,
}

/// What a layer computes. Slots point into the arenas that [`Layout`] describes.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Two-dimensional cross-correlation with zero padding.
    Conv2d(Conv2d),
    /// Batch normalisation over everything but channels.
    BatchNorm(BatchNorm),
    /// `y = W x + b` on a vector.
    Linear(Linear),
    /// Elementwise nonlinearity.
    Activation(Activation),
    /// Mean over rows and columns; leaves a vector of channels.
    GlobalAveragePool,
    /// Largest value of each window.
    MaxPool(MaxPool),
    /// Zeroes numbers at random in training; nothing in evaluation.
    Dropout(Dropout),
    /// Multiplies by a constant.
    Scale(f64),
    /// Option A of He et al. 2015: every `stride`-th pixel, with channels of zeros.
    SubsamplePad(SubsamplePad),
    /// An image to a vector, in PyTorch's order (channel, row, column).
    Flatten,
}

/// Elementwise nonlinearities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`; its derivative at 0 is 0, as in PyTorch.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` itself: a linear network.
    Identity,
}

/// Settings of a max pooling. Padding counts as −∞, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Rows and columns of the window.
    pub kernel: usize,
    /// Step in rows and columns.
    pub stride: usize,
    /// Padding on each side.
    pub padding: usize,
}

/// Settings of a dropout (Srivastava et al. 2014): in training each number is kept with probability
/// `1 − rate` and then divided by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Share of numbers that are zeroed, from 0 to below 1.
    pub rate: f64,
    /// Its random stream, see [`Noise`](crate::noise::Noise).
    pub stream: u64,
}

/// Settings of option A. New channels are zeros, the same number `pad_before` and `pad_after` the
/// old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubsamplePad {
    /// Step in rows and columns.
    pub stride: usize,
    /// Zero channels put before the input's channels.
    pub pad_before: usize,
    /// Zero channels put after them.
    pub pad_after: usize,
}

/// Settings and parameters of a convolution. Weight: `(out, in / groups, kernel, kernel)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv2d {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step in rows and columns.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
    /// Groups of channels convolved apart.
    pub groups: usize,
    /// The weight, PyTorch's layout.
    pub weight: Slot,
    /// One number a channel, if there is a bias.
    pub bias: Option<Slot>,
}

/// Settings and parameters of a batch normalisation, `y = γ (x − μ)/√(σ² + ε) + β`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// Channels.
    pub channels: usize,
    /// ε, inside the root.
    pub epsilon: f64,
    /// Weight of the newest batch in the running statistics (PyTorch's meaning).
    pub momentum: f64,
    /// γ.
    pub weight: Slot,
    /// β.
    pub bias: Slot,
    /// Running mean, in the state arena.
    pub running_mean: Slot,
    /// Running variance (unbiased, as PyTorch keeps it), in the state arena.
    pub running_var: Slot,
    /// Whether training, too, normalises with the running statistics and leaves them as they are:
    /// PyTorch's `eval()` of this layer alone.
    pub frozen: bool,
}

/// Settings and parameters of a linear layer. Weight: `(out, in)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linear {
    /// Features in.
    pub in_features: usize,
    /// Features out.
    pub out_features: usize,
    /// The weight, PyTorch's layout.
    pub weight: Slot,
    /// One number an output, if there is a bias.
    pub bias: Option<Slot>,
}

impl Op {
    /// Its parameters, in the parameter arena.
    pub fn parameters(&self) -> impl Iterator<Item = Slot> + use<> {
        let slots = match self {
            Op::Conv2d(conv) => [Some(conv.weight), conv.bias],
            Op::Linear(linear) => [Some(linear.weight), linear.bias],
            Op::BatchNorm(norm) => [Some(norm.weight), Some(norm.bias)],
            Op::Activation(_)
            | Op::GlobalAveragePool
            | Op::MaxPool(_)
            | Op::Dropout(_)
            | Op::Scale(_)
            | Op::SubsamplePad(_)
            | Op::Flatten => [None, None],
        };
        slots.into_iter().flatten()
    }
}

impl Shape {
    /// An image of `channels` × `height` × `width`.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }

    /// A vector of `features`.
    pub const fn vector(features: usize) -> Self {
        Self::new(features, 1, 1)
    }

    /// Numbers in one sample.
    pub const fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether a dimension is zero.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

impl Block {
    /// All its layers: before the split, branches, shortcut, gate, after the addition.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        let shortcut: &[Layer] = match &self.shortcut {
            Shortcut::Layers(layers) => layers,
            Shortcut::None | Shortcut::Identity => &[],
        };
        let gate = self.gate.iter().flat_map(|gate| &gate.layers);
        let branches = self.branches.iter().flatten();
        self.pre
            .iter()
            .chain(branches)
            .chain(shortcut)
            .chain(gate)
            .chain(&self.post)
    }

    /// The same, to change them.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = &mut Layer> {
        let shortcut: &mut [Layer] = match &mut self.shortcut {
            Shortcut::Layers(layers) => layers,
            Shortcut::None | Shortcut::Identity => &mut [],
        };
        let gate = self.gate.iter_mut().flat_map(|gate| &mut gate.layers);
        let branches = self.branches.iter_mut().flatten();
        self.pre
            .iter_mut()
            .chain(branches)
            .chain(shortcut)
            .chain(gate)
            .chain(&mut self.post)
    }

    /// Whether input and output can differ in shape: such blocks change the stage (or, the first
    /// of a bottleneck network, the width) and are reported apart in lesion studies.
    pub fn is_downsampling(&self) -> bool {
        match &self.shortcut {
            Shortcut::Identity => false,
            Shortcut::Layers(layers) => changes_shape(layers),
            Shortcut::None => self.branches.iter().any(|branch| changes_shape(branch)),
        }
    }
}

/// Whether layers in a row have a stride, or end in another number of channels than they begin with.
fn changes_shape(layers: &[Layer]) -> bool {
    let strided = |layer: &Layer| match &layer.op {
        Op::Conv2d(conv) => conv.stride != 1,
        Op::MaxPool(pool) => pool.stride != 1,
        Op::SubsamplePad(option_a) => option_a.stride != 1,
        _ => false,
    };
    let ends = |layer: &Layer| match &layer.op {
        Op::Conv2d(conv) => Some((conv.in_channels, conv.out_channels)),
        Op::Linear(linear) => Some((linear.in_features, linear.out_features)),
        _ => None,
    };
    let padded = |layer: &Layer| matches!(&layer.op, Op::SubsamplePad(option_a) if option_a.pad_before + option_a.pad_after > 0);
    let first = layers.iter().find_map(ends).map(|(input, _)| input);
    let last = layers.iter().rev().find_map(ends).map(|(_, output)| output);
    first != last || layers.iter().any(|layer| strided(layer) || padded(layer))
}
