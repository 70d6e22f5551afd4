//! The engine's form of a network: tensors that are stored, and ops between them.
//!
//! Only outputs of convolutions (before batch norm), sums of blocks and pooled vectors are stored.
//! Batch norm and activation are [`View`]s: applied wherever a stored tensor is read, in the
//! forward pass and again in the backward pass.

use std::ops::Range;

use reslab_kernels::Isa;
use reslab_kernels::conv2d::{Conv2dShape, pack, winograd};
use reslab_kernels::pointwise::Nonlinearity;

use crate::network::{self, BatchNorm, Dropout, Shape, Slot, Survival};

/// A stored activation of a shard, `(groups, H, W, C, 16)`.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub shape: Shape,
    /// Place in the shard's arena, in floats; set by the memory plan.
    pub offset: usize,
}

/// A tensor as it is read: normalised, then activated. A view that does either has one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub tensor: usize,
    pub norm: Option<usize>,
    pub activation: Nonlinearity,
}

/// A batch norm that is applied on reading.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    pub spec: BatchNorm,
    pub tensor: usize,
    /// Sums of the tensor it normalises; `None` in evaluation.
    pub stat: Option<usize>,
    /// Survival of the branch it belongs to: what is dropped leaves running statistics alone.
    pub survival: Option<Survival>,
    /// Place of its coefficients, in channels.
    pub at: usize,
}

/// Sums over batch and positions of each channel of a tensor.
#[derive(Debug, Clone)]
pub(super) struct Stat {
    pub channels: usize,
    /// Values summed for one image.
    pub pixels: usize,
    /// Running mean to shift by, where there is one.
    pub shift: Option<Slot>,
    /// Place of its sums, in channels.
    pub at: usize,
    /// Whether a batch norm needs it; otherwise it is gathered only for who observes layers.
    pub normed: bool,
    /// Set where the stat is a layer's output: its name and block.
    pub layer: Option<(String, Option<usize>)>,
}

/// A convolution or linear layer.
#[derive(Debug, Clone)]
pub(super) struct Conv {
    pub name: String,
    pub input: View,
    pub output: usize,
    pub shape: Conv2dShape,
    pub weight: Slot,
    pub bias: Option<Slot>,
    /// Batch norm folded into weight and bias (evaluation).
    pub folded: Option<BatchNorm>,
    pub stat: Option<usize>,
    /// Sum that is computed, row by row, as this convolution reads it.
    pub fused: Option<Sum>,
    /// What is done to its output before that is stored (evaluation).
    pub finish: Finish,
    /// Whether images of a shard are the pixels of one row: all sides are 1.
    pub flat: bool,
    /// Whether it is done by tiles (Winograd) where its kernel allows.
    pub tiled: bool,
    /// Whether all rows of all full groups of a shard are computed together: a small image under a
    /// large weight, which is read once for all.
    pub whole: bool,
    /// Place of its packed weights, in floats.
    pub packed: usize,
    /// Place of its folded bias, in channels.
    pub bias_at: usize,
    /// Whether its input's gradient is asked for.
    pub propagates: bool,
}

/// What follows a convolution by tiles before its output is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Finish {
    /// A tensor that is added.
    pub add: Option<usize>,
    /// ReLU.
    pub relu: bool,
}

/// How a term of a sum is brought to the sum's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adapter {
    /// It has it.
    Same,
    /// Option A: every `stride`-th pixel, `before` zero channels first.
    Subsample { stride: usize, before: usize },
}

/// `output = activation(Σ terms)`.
#[derive(Debug, Clone)]
pub(super) struct Sum {
    pub terms: Vec<(View, Adapter)>,
    pub activation: Nonlinearity,
    pub output: usize,
    pub flat: bool,
}

/// `output = factor · input`, number by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub input: View,
    pub factor: Factor,
    pub output: usize,
}

/// What a product multiplies by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Factor {
    Constant(f32),
    Dropout(Dropout),
    /// 1 or 0, for the whole batch.
    Survival(Survival),
    /// `g = σ(logits)`, or `1 − g`.
    Gate {
        logits: usize,
        complement: bool,
    },
}

/// A max pooling; in training with the tensor of the places that were the largest.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxPool {
    pub input: View,
    pub pool: network::MaxPool,
    pub output: usize,
    pub places: Option<usize>,
}

/// One step of the forward pass.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Conv(Box<Conv>),
    Sum(Sum),
    /// Sums of a tensor that no convolution writes.
    Gather {
        tensor: usize,
        stat: usize,
    },
    /// Mean over rows and columns.
    Pool {
        input: View,
        output: usize,
    },
    /// `(H, W, C)` to a vector in the order `(C, H, W)`.
    Flatten {
        input: View,
        output: usize,
    },
    Product(Product),
    MaxPool(MaxPool),
}

/// A network ready to be scheduled.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub tensors: Vec<Tensor>,
    pub norms: Vec<Norm>,
    pub stats: Vec<Stat>,
    pub ops: Vec<Op>,
    /// What each block puts out.
    pub block_outputs: Vec<View>,
    /// The tensor of logits.
    pub logits: usize,
    /// Channels of all norms, and of all stats.
    pub norm_channels: usize,
    pub stat_channels: usize,
    /// Floats of packed weights, and channels of folded biases.
    pub packed: usize,
    pub bias_channels: usize,
}

impl View {
    /// A tensor as it is stored.
    pub const fn plain(tensor: usize) -> Self {
        Self {
            tensor,
            norm: None,
            activation: Nonlinearity::Identity,
        }
    }

    /// Whether nothing is applied on reading.
    pub fn is_plain(&self) -> bool {
        *self == Self::plain(self.tensor)
    }
}

impl Conv {
    /// Whether strips read the image where it lies, without a copy in rows with margins.
    pub fn reads_in_place(&self) -> bool {
        let whole_tiles = self.shape.width.is_multiple_of(winograd::TILE);
        let is_stored = self.input.is_plain() && self.fused.is_none();
        self.tiled
            && whole_tiles
            && is_stored
            && self.stat.is_none()
            && self.finish.add != Some(self.input.tensor)
    }

    /// Floats of its packed weights, for the forward pass or for the input's gradient.
    pub fn packed_len(&self) -> usize {
        if self.tiled {
            winograd::pack::packed_len(&self.shape)
        } else {
            self.shape.weight_len()
        }
    }

    /// Its packed weights of one group of channels, among all.
    pub fn packed_group(&self, group: usize) -> Range<usize> {
        let len = self.packed_len() / self.shape.groups;
        self.packed + group * len..self.packed + (group + 1) * len
    }

    /// Packs its weight for the forward pass; see [`pack::forward`].
    pub fn pack_forward(&self, isa: Isa, weight: &[f32], scale: Option<&[f32]>, to: &mut [f32]) {
        if self.tiled {
            winograd::pack::forward(isa, &self.shape, weight, scale, to);
        } else {
            pack::forward(isa, &self.shape, weight, scale, to);
        }
    }

    /// Packs its weight for the input's gradient; see [`pack::backward`].
    pub fn pack_backward(&self, isa: Isa, weight: &[f32], to: &mut [f32]) {
        if self.tiled {
            winograd::pack::backward(isa, &self.shape, weight, to);
        } else {
            pack::backward(isa, &self.shape, weight, to);
        }
    }
}

impl Op {
    /// What it reads. A sum fused into a convolution stands for the convolution's own input.
    pub fn inputs(&self) -> Vec<View> {
        match self {
            Op::Conv(conv) => {
                let mut views = match &conv.fused {
                    Some(sum) => sum.terms.iter().map(|t| t.0).collect(),
                    None => vec![conv.input],
                };
                views.extend(conv.finish.add.map(View::plain));
                views
            }
            Op::Sum(sum) => sum.terms.iter().map(|t| t.0).collect(),
            Op::Gather { tensor, .. } => vec![View::plain(*tensor)],
            Op::Pool { input, .. } | Op::Flatten { input, .. } => vec![*input],
            Op::Product(product) => match product.factor {
                Factor::Gate { logits, .. } => vec![product.input, View::plain(logits)],
                _ => vec![product.input],
            },
            Op::MaxPool(pool) => vec![pool.input],
        }
    }

    /// Tensors it writes.
    pub fn outputs(&self) -> Vec<usize> {
        match self {
            Op::Conv(conv) => conv
                .fused
                .iter()
                .map(|sum| sum.output)
                .chain([conv.output])
                .collect(),
            Op::Sum(sum) => vec![sum.output],
            Op::Gather { .. } => Vec::new(),
            Op::Pool { output, .. } | Op::Flatten { output, .. } => vec![*output],
            Op::Product(product) => vec![product.output],
            Op::MaxPool(pool) => [pool.output].into_iter().chain(pool.places).collect(),
        }
    }

    /// The sums it completes.
    pub fn stat(&self) -> Option<usize> {
        match self {
            Op::Conv(conv) => conv.stat,
            Op::Gather { stat, .. } => Some(*stat),
            _ => None,
        }
    }
}
