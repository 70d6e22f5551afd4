//! From a [`Network`] to a list of ops between values.
//!
//! A batch norm, the addition that ends a block and an activation are one op wherever they follow one
//! another.

use reslab_kernels::LANES;
use reslab_kernels::conv2d::Conv2dShape;
use reslab_kernels::pointwise::Nonlinearity;

use super::convolution::ConvPlan;
use super::error::TangentError;
use crate::network::shapes::layer_output_shape;
use crate::network::{
    self, Activation, BatchNorm, Block, Conv2d, Layer, Linear, MaxPool, Network, Shape, Shortcut,
    Slot,
};
use crate::reference::Mode;

/// `output = kind(input, other)`.
#[derive(Debug)]
pub(super) struct Op {
    pub kind: Kind,
    pub input: usize,
    /// What an affine op adds, or a gate's logits.
    pub other: Option<usize>,
    pub output: usize,
    /// Whether the gradients of `input` and `other` are written first by this op in the backward
    /// pass; otherwise it adds to them.
    pub first: [bool; 2],
    /// Of a convolution, whether the next op is an affine one that alone reads it, and needs no sum
    /// over the batch: the two can run row by row.
    pub pairs: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A convolution or linear layer, by its number.
    Conv(usize),
    /// `f(norm(input) + other)`; each of the three may be missing.
    Affine {
        norm: Option<usize>,
        f: Nonlinearity,
    },
    Scale(f32),
    /// `input · σ(± other)`. The value of the factor is stored in `gate`.
    Gate {
        complement: bool,
        gate: usize,
    },
    /// Mean over pixels.
    Average,
    Flatten,
    /// Option A.
    Subsample {
        stride: usize,
        before: usize,
    },
    /// Where the largest numbers were is stored in `places`.
    MaxPool {
        pool: MaxPool,
        places: usize,
    },
}

/// A convolution or linear layer.
#[derive(Debug)]
pub(super) struct Conv {
    pub plan: ConvPlan,
    pub weight: Slot,
    pub bias: Option<Slot>,
    /// Place of its part of the weight gradient, and of its bias's among the sums.
    pub part: usize,
    pub bias_at: usize,
}

#[derive(Debug)]
pub(super) struct Norm {
    pub spec: BatchNorm,
    /// Whether it normalises with the batch's statistics.
    pub of_batch: bool,
    /// Values of a channel in one image.
    pub pixels: usize,
    /// Place of its coefficients, in channels.
    pub at: usize,
}

#[derive(Debug, Default)]
pub(super) struct Program {
    /// Shapes of what is stored of an image.
    pub values: Vec<Shape>,
    pub ops: Vec<Op>,
    pub convs: Vec<Conv>,
    pub norms: Vec<Norm>,
    pub output: usize,
    /// Channels of all norms, floats of all weights, and channels of all biases.
    pub norm_channels: usize,
    pub weights: usize,
    pub bias_channels: usize,
    /// The most channels of a value.
    pub channels: usize,
    /// The most floats of a value.
    pub largest: usize,
}

/// Compiles a network whose shapes fit.
pub(super) fn compile(network: &Network, mode: Mode) -> Result<Program, TangentError> {
    network.check()?;
    let mut compiler = Compiler {
        program: Program::default(),
        shared: Vec::new(),
        mode,
    };
    let input = compiler.value(network.input);
    let mut value = compiler.layers(&network.stem, input)?;
    for block in &network.blocks {
        value = compiler.block(block, value)?;
    }
    value = compiler.layers(&network.head, value)?;
    if value == input {
        value = compiler.affine(None, value, None);
    }
    let mut program = compiler.program;
    program.output = value;
    program.channels = program
        .values
        .iter()
        .map(|shape| shape.channels)
        .max()
        .unwrap_or(0);
    program.largest = program
        .values
        .iter()
        .map(|shape| shape.len() * LANES)
        .max()
        .unwrap_or(0);
    plan_backward(&mut program);
    find_pairs(&mut program);
    Ok(program)
}

/// Drops what nothing reads, and finds who writes a gradient first.
fn plan_backward(program: &mut Program) {
    let mut written = vec![false; program.values.len()];
    written[program.output] = true;
    for op in program.ops.iter_mut().rev() {
        if !written[op.output] {
            continue;
        }
        op.first[0] = !written[op.input];
        written[op.input] = true;
        if let Some(other) = op.other {
            op.first[1] = !written[other];
            written[other] = true;
        }
    }
    program.ops.retain(|op| written[op.output]);
}

fn find_pairs(program: &mut Program) {
    let mut readers = vec![0; program.values.len()];
    readers[program.output] += 1;
    for op in &program.ops {
        readers[op.input] += 1;
        op.other.into_iter().for_each(|other| readers[other] += 1);
    }
    for at in 1..program.ops.len() {
        let (before, op) = (&program.ops[at - 1], &program.ops[at]);
        let is_conv = matches!(before.kind, Kind::Conv(_));
        let waits = match op.kind {
            Kind::Affine { norm, .. } => norm.is_some_and(|norm| program.norms[norm].of_batch),
            _ => true,
        };
        let alone = op.input == before.output && readers[before.output] == 1;
        program.ops[at - 1].pairs = is_conv && !waits && alone;
    }
}

impl Program {
    /// Whether a cotangent passes an affine op together with the convolution before it: not where the
    /// op also adds that convolution's input, whose gradient would be written twice at once.
    pub fn is_pulled(&self, affine: usize) -> bool {
        let before = affine.checked_sub(1).map(|conv| &self.ops[conv]);
        before.is_some_and(|conv| conv.pairs && self.ops[affine].other != Some(conv.input))
    }
}

struct Compiler {
    program: Program,
    /// Values that both a branch and its shortcut read: nothing is applied to them in place.
    shared: Vec<usize>,
    mode: Mode,
}

impl Compiler {
    fn value(&mut self, shape: Shape) -> usize {
        self.program.values.push(shape);
        self.program.values.len() - 1
    }

    fn shape(&self, value: usize) -> Shape {
        self.program.values[value]
    }

    fn push(&mut self, kind: Kind, input: usize, other: Option<usize>, shape: Shape) -> usize {
        let output = self.value(shape);
        self.program.ops.push(Op {
            kind,
            input,
            other,
            output,
            first: [true; 2],
            pairs: false,
        });
        output
    }

    fn affine(&mut self, norm: Option<usize>, input: usize, other: Option<usize>) -> usize {
        let f = Nonlinearity::Identity;
        self.push(Kind::Affine { norm, f }, input, other, self.shape(input))
    }

    /// The affine op that has just made a value which nobody else reads.
    fn open(&mut self, value: usize) -> Option<(&mut Nonlinearity, &mut Option<usize>)> {
        if self.shared.contains(&value) {
            return None;
        }
        match self.program.ops.last_mut() {
            Some(Op {
                kind: Kind::Affine { f, .. },
                other,
                output,
                ..
            }) if *output == value && *f == Nonlinearity::Identity => Some((f, other)),
            _ => None,
        }
    }

    fn activation(&mut self, activation: Activation, value: usize) -> usize {
        let activation = match activation {
            Activation::Relu => Nonlinearity::Relu,
            Activation::Tanh => Nonlinearity::Tanh,
            Activation::Identity => return value,
        };
        if let Some((f, _)) = self.open(value) {
            *f = activation;
            return value;
        }
        let kind = Kind::Affine {
            norm: None,
            f: activation,
        };
        self.push(kind, value, None, self.shape(value))
    }

    /// `value + other`, in the op that made `value` if it can be.
    fn sum(&mut self, value: usize, other: usize) -> usize {
        match self.open(value) {
            Some((_, open @ None)) => {
                *open = Some(other);
                value
            }
            _ => self.affine(None, value, Some(other)),
        }
    }

    fn layers(&mut self, layers: &[Layer], mut value: usize) -> Result<usize, TangentError> {
        for layer in layers {
            let output = layer_output_shape(layer, self.shape(value))?;
            value = self.layer(layer, value, output)?;
        }
        Ok(value)
    }

    fn layer(&mut self, layer: &Layer, value: usize, output: Shape) -> Result<usize, TangentError> {
        Ok(match &layer.op {
            network::Op::Conv2d(conv) => self.convolution(conv, value, output),
            network::Op::Linear(linear) => self.convolution(&as_convolution(linear), value, output),
            network::Op::BatchNorm(norm) => self.batch_norm(norm, value),
            network::Op::Activation(activation) => self.activation(*activation, value),
            network::Op::Scale(factor) => {
                self.push(Kind::Scale(*factor as f32), value, None, output)
            }
            network::Op::Dropout(dropout) => {
                if self.mode == Mode::Training && dropout.rate > 0.0 {
                    return Err(TangentError::Noise {
                        place: layer.name.clone(),
                    });
                }
                value
            }
            network::Op::GlobalAveragePool | network::Op::Flatten
                if self.shape(value) == output =>
            {
                value
            }
            network::Op::GlobalAveragePool => self.push(Kind::Average, value, None, output),
            network::Op::Flatten => self.push(Kind::Flatten, value, None, output),
            network::Op::SubsamplePad(option_a) => {
                let kind = Kind::Subsample {
                    stride: option_a.stride,
                    before: option_a.pad_before,
                };
                self.push(kind, value, None, output)
            }
            network::Op::MaxPool(pool) => {
                let places = self.value(output);
                let kind = Kind::MaxPool {
                    pool: *pool,
                    places,
                };
                self.push(kind, value, None, output)
            }
        })
    }

    fn convolution(&mut self, conv: &Conv2d, input: usize, output: Shape) -> usize {
        let found = self.shape(input);
        let program = &mut self.program;
        let shape = Conv2dShape {
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            height: found.height,
            width: found.width,
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
            groups: conv.groups,
        };
        program.convs.push(Conv {
            plan: ConvPlan::new(shape),
            weight: conv.weight,
            bias: conv.bias,
            part: program.weights,
            bias_at: program.bias_channels,
        });
        program.weights += shape.weight_len();
        program.bias_channels += conv.bias.map_or(0, |_| conv.out_channels);
        let kind = Kind::Conv(program.convs.len() - 1);
        self.push(kind, input, None, output)
    }

    fn batch_norm(&mut self, spec: &BatchNorm, value: usize) -> usize {
        let shape = self.shape(value);
        let program = &mut self.program;
        program.norms.push(Norm {
            spec: spec.clone(),
            of_batch: self.mode == Mode::Training && !spec.frozen,
            pixels: shape.height * shape.width,
            at: program.norm_channels,
        });
        program.norm_channels += spec.channels;
        let norm = program.norms.len() - 1;
        self.affine(Some(norm), value, None)
    }

    fn block(&mut self, block: &Block, input: usize) -> Result<usize, TangentError> {
        let input = self.layers(&block.pre, input)?;
        if let Some(survival) = block.survival
            && self.mode == Mode::Training
            && survival.probability < 1.0
        {
            return Err(TangentError::Noise {
                place: block.name.clone(),
            });
        }
        self.shared.push(input);
        let factor = block.survival.map_or(1.0, |s| s.probability as f32);
        if block.shortcut == Shortcut::None {
            let mut value = match block.branches.first() {
                Some(branch) => self.layers(branch, input)?,
                None => input,
            };
            if factor != 1.0 {
                value = self.push(Kind::Scale(factor), value, None, self.shape(value));
            }
            return self.layers(&block.post, value);
        }
        let mut sum = match &block.shortcut {
            Shortcut::None | Shortcut::Identity => input,
            Shortcut::Layers(layers) => self.layers(layers, input)?,
        };
        let mut logits = None;
        if let Some(gate) = &block.gate {
            let found = self.layers(&gate.layers, input)?;
            sum = self.gate(true, sum, found);
            logits = gate.on_branch.then_some(found);
        }
        // Nothing is applied in place to what the sum starts from: it may be the block's input.
        self.shared.push(sum);
        for branch in &block.branches {
            let mut value = self.layers(branch, input)?;
            if factor != 1.0 {
                value = self.push(Kind::Scale(factor), value, None, self.shape(value));
            }
            if let Some(logits) = logits {
                value = self.gate(false, value, logits);
            }
            sum = self.sum(value, sum);
        }
        if block.branches.is_empty() && sum != input {
            self.shared.retain(|&value| value != sum);
        }
        self.layers(&block.post, sum)
    }

    fn gate(&mut self, complement: bool, value: usize, logits: usize) -> usize {
        let shape = self.shape(value);
        let gate = self.value(shape);
        self.push(Kind::Gate { complement, gate }, value, Some(logits), shape)
    }
}

/// A linear layer is a 1×1 convolution of a 1×1 image.
fn as_convolution(linear: &Linear) -> Conv2d {
    Conv2d {
        in_channels: linear.in_features,
        out_channels: linear.out_features,
        kernel: 1,
        stride: 1,
        padding: 0,
        groups: 1,
        weight: linear.weight,
        bias: linear.bias,
    }
}
