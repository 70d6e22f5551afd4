//! From a [`Network`] to a [`Program`]: which tensors are stored and what is applied on reading.

use reslab_kernels::conv2d::{Conv2dShape, winograd};
use reslab_kernels::pointwise::Nonlinearity;

use super::ir::{
    Adapter, Conv, Factor, Finish, MaxPool, Norm, Op, Product, Program, Stat, Sum, Tensor, View,
};
use super::passes::{finish_convolutions, fuse_sums, mark_propagation};
use crate::error::ShapeError;
use crate::network::shapes::layer_output_shape;
use crate::network::{
    self, Activation, BatchNorm, Block, Conv2d, Layer, Linear, Network, Shape, Shortcut,
    SubsamplePad, Survival,
};

/// What the program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Batch statistics, sums, gradients.
    Training,
    /// Batch statistics without gradients: the noise of training is left out, as in evaluation.
    Statistics,
    /// Running statistics, folded into convolutions where they follow one.
    Evaluation,
}

/// Compiles a network whose shapes fit.
pub(super) fn compile(network: &Network, purpose: Purpose) -> Result<Program, ShapeError> {
    network.check()?;
    let mut compiler = Compiler {
        program: Program::default(),
        purpose,
        block: None,
        survival: None,
        head: false,
    };
    let input = compiler.tensor(network.input);
    let mut view = compiler.layers(&network.stem, View::plain(input))?;
    for (index, block) in network.blocks.iter().enumerate() {
        compiler.block = Some(index);
        view = compiler.block(block, view)?;
        compiler.program.block_outputs.push(view);
    }
    compiler.block = None;
    compiler.head = true;
    let view = compiler.layers(&network.head, view)?;
    let mut logits = compiler.materialise(view).tensor;
    if logits == 0 {
        // A network without layers: its input is copied, so that the logits are a tensor of its own.
        logits = compiler.sum(
            vec![(View::plain(0), Adapter::Same)],
            Nonlinearity::Identity,
            network.input,
        );
    }
    compiler.program.logits = logits;
    let mut program = compiler.program;
    if purpose == Purpose::Training {
        mark_propagation(&mut program);
    }
    if purpose == Purpose::Evaluation {
        finish_convolutions(&mut program);
    }
    fuse_sums(&mut program);
    Ok(program)
}

struct Compiler {
    program: Program,
    purpose: Purpose,
    block: Option<usize>,
    /// Of the branch that is being compiled.
    survival: Option<Survival>,
    head: bool,
}

impl Compiler {
    fn tensor(&mut self, shape: Shape) -> usize {
        self.program.tensors.push(Tensor { shape, offset: 0 });
        self.program.tensors.len() - 1
    }

    fn shape(&self, view: View) -> Shape {
        self.program.tensors[view.tensor].shape
    }

    fn layers(&mut self, layers: &[Layer], mut view: View) -> Result<View, ShapeError> {
        let mut layers = layers.iter().peekable();
        while let Some(layer) = layers.next() {
            let output = layer_output_shape(layer, self.shape(view))?;
            view = match &layer.op {
                network::Op::Conv2d(conv) => {
                    let folded = self.foldable(layers.peek().copied());
                    if folded.is_some() {
                        layers.next();
                    }
                    self.convolution(layer, conv, view, output, folded)?
                }
                network::Op::Linear(linear) => {
                    let folded = self.foldable(layers.peek().copied());
                    if folded.is_some() {
                        layers.next();
                    }
                    let conv = as_convolution(linear);
                    self.convolution(layer, &conv, view, output, folded)?
                }
                network::Op::SubsamplePad(option_a) => View::plain(self.sum(
                    vec![(view, adapter(option_a))],
                    Nonlinearity::Identity,
                    output,
                )),
                network::Op::MaxPool(pool) => self.max_pool(*pool, view, output),
                network::Op::Dropout(_) if self.purpose != Purpose::Training => view,
                network::Op::Dropout(dropout) => self.product(view, Factor::Dropout(*dropout)),
                network::Op::Scale(factor) => self.product(view, Factor::Constant(*factor as f32)),
                network::Op::BatchNorm(norm) => self.batch_norm(norm, view),
                network::Op::Activation(activation) => self.activation(*activation, view),
                network::Op::GlobalAveragePool | network::Op::Flatten
                    if self.shape(view) == output =>
                {
                    view
                }
                network::Op::GlobalAveragePool => {
                    let output = self.tensor(output);
                    self.program.ops.push(Op::Pool {
                        input: view,
                        output,
                    });
                    View::plain(output)
                }
                network::Op::Flatten => {
                    let output = self.tensor(output);
                    self.program.ops.push(Op::Flatten {
                        input: view,
                        output,
                    });
                    View::plain(output)
                }
            };
        }
        Ok(view)
    }

    /// The batch norm that the next layer is, if it may be folded.
    fn foldable(&self, next: Option<&Layer>) -> Option<BatchNorm> {
        match next.map(|layer| &layer.op) {
            Some(network::Op::BatchNorm(norm)) if self.purpose == Purpose::Evaluation => {
                Some(norm.clone())
            }
            _ => None,
        }
    }

    fn convolution(
        &mut self,
        layer: &Layer,
        conv: &Conv2d,
        input: View,
        output_shape: Shape,
        folded: Option<BatchNorm>,
    ) -> Result<View, ShapeError> {
        let found = self.shape(input);
        let is_vector = |shape: Shape| shape.height * shape.width == 1;
        let flat = is_vector(found) && is_vector(output_shape) && conv.kernel == 1;
        let shape = Conv2dShape {
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            height: found.height,
            width: found.width,
            kernel: conv.kernel,
            // Images of one pixel have no second one to step to.
            stride: if flat { 1 } else { conv.stride },
            padding: conv.padding,
            groups: conv.groups,
        };
        let output = self.tensor(output_shape);
        let hidden = !self.head;
        let stat = (self.purpose != Purpose::Evaluation && hidden)
            .then(|| self.stat(output, Some((layer.name.clone(), self.block))));
        let program = &mut self.program;
        let conv = Conv {
            name: layer.name.clone(),
            input,
            output,
            shape,
            weight: conv.weight,
            bias: conv.bias,
            folded,
            stat,
            fused: None,
            finish: Finish::default(),
            flat,
            tiled: winograd::pays(&shape),
            whole: !flat && whole_pays(&shape),
            packed: program.packed,
            bias_at: program.bias_channels,
            propagates: false,
        };
        program.packed += conv.packed_len();
        program.bias_channels += shape.out_channels;
        program.ops.push(Op::Conv(Box::new(conv)));
        Ok(View::plain(output))
    }

    fn stat(&mut self, tensor: usize, layer: Option<(String, Option<usize>)>) -> usize {
        let shape = self.program.tensors[tensor].shape;
        let (channels, pixels) = (shape.channels, shape.height * shape.width);
        let at = self.program.stat_channels;
        self.program.stat_channels += channels;
        self.program.stats.push(Stat {
            channels,
            pixels,
            shift: None,
            at,
            normed: false,
            layer,
        });
        self.program.stats.len() - 1
    }

    fn batch_norm(&mut self, spec: &BatchNorm, view: View) -> View {
        let tensor = self.materialise(view).tensor;
        let stat = (self.purpose != Purpose::Evaluation).then(|| self.stat_of(tensor));
        if let Some(stat) = stat {
            let stat = &mut self.program.stats[stat];
            stat.shift.get_or_insert(spec.running_mean);
            stat.normed = true;
        }
        let at = self.program.norm_channels;
        self.program.norm_channels += spec.channels;
        self.program.norms.push(Norm {
            spec: spec.clone(),
            tensor,
            stat,
            survival: self.survival.filter(|_| self.purpose == Purpose::Training),
            at,
        });
        let norm = Some(self.program.norms.len() - 1);
        View {
            tensor,
            norm,
            activation: Nonlinearity::Identity,
        }
    }

    /// The sums of a tensor: those its convolution gathers, or new ones.
    fn stat_of(&mut self, tensor: usize) -> usize {
        let written = self.program.ops.iter().find_map(|op| match op {
            Op::Conv(conv) if conv.output == tensor => conv.stat,
            Op::Gather { tensor: t, stat } if *t == tensor => Some(*stat),
            _ => None,
        });
        written.unwrap_or_else(|| {
            let stat = self.stat(tensor, None);
            self.program.ops.push(Op::Gather { tensor, stat });
            stat
        })
    }

    fn activation(&mut self, activation: Activation, view: View) -> View {
        let activation = nonlinearity(activation);
        if activation == Nonlinearity::Identity {
            return view;
        }
        // What a normalised block puts out is stored, so that its gradient is seen before it goes
        // through the next block's activation.
        let ends_block = view.norm.is_some() && self.program.block_outputs.contains(&view);
        let view = match view.activation {
            Nonlinearity::Identity if !ends_block => view,
            _ => self.materialise(view),
        };
        View { activation, ..view }
    }

    /// Stores what a view shows, unless it is stored.
    fn materialise(&mut self, view: View) -> View {
        if view.is_plain() {
            return view;
        }
        let shape = self.shape(view);
        View::plain(self.sum(vec![(view, Adapter::Same)], Nonlinearity::Identity, shape))
    }

    fn sum(
        &mut self,
        terms: Vec<(View, Adapter)>,
        activation: Nonlinearity,
        shape: Shape,
    ) -> usize {
        let output = self.tensor(shape);
        let flat = shape.height * shape.width == 1 && terms.iter().all(|t| t.1 == Adapter::Same);
        self.program.ops.push(Op::Sum(Sum {
            terms,
            activation,
            output,
            flat,
        }));
        output
    }

    /// Puts a product in the place of each term. A term that must be brought to the sum's shape is
    /// stored in it first.
    fn multiply_terms(&mut self, terms: &mut [(View, Adapter)], factor: Factor) {
        for (view, adapter) in terms {
            if let Adapter::Subsample { .. } = adapter {
                let shape = match factor {
                    Factor::Gate { logits, .. } => self.program.tensors[logits].shape,
                    _ => self.shape(*view),
                };
                let term = vec![(*view, std::mem::replace(adapter, Adapter::Same))];
                *view = View::plain(self.sum(term, Nonlinearity::Identity, shape));
            }
            *view = self.product(*view, factor);
        }
    }

    fn product(&mut self, input: View, factor: Factor) -> View {
        let output = self.tensor(self.shape(input));
        self.program.ops.push(Op::Product(Product {
            input,
            factor,
            output,
        }));
        View::plain(output)
    }

    fn max_pool(&mut self, pool: network::MaxPool, input: View, shape: Shape) -> View {
        let output = self.tensor(shape);
        let places = (self.purpose == Purpose::Training).then(|| self.tensor(shape));
        self.program.ops.push(Op::MaxPool(MaxPool {
            input,
            pool,
            output,
            places,
        }));
        View::plain(output)
    }

    fn block(&mut self, block: &Block, input: View) -> Result<View, ShapeError> {
        let input = self.layers(&block.pre, input)?;
        if block.shortcut == Shortcut::None {
            let view = match block.branches.first() {
                Some(branch) => self.layers(branch, input)?,
                None => input,
            };
            return self.layers(&block.post, view);
        }
        let input = if block.branches.is_empty() {
            input
        } else {
            self.materialise(input)
        };
        let mut terms = Vec::new();
        self.survival = block.survival;
        for branch in &block.branches {
            terms.push((self.layers(branch, input)?, Adapter::Same));
        }
        self.survival = None;
        if let Some(survival) = block.survival {
            let factor = match self.purpose {
                Purpose::Training => Factor::Survival(survival),
                Purpose::Statistics | Purpose::Evaluation => {
                    Factor::Constant(survival.probability as f32)
                }
            };
            self.multiply_terms(&mut terms, factor);
        }
        let mut shape = self.shape(input);
        let around = match &block.shortcut {
            Shortcut::None | Shortcut::Identity => (input, Adapter::Same),
            Shortcut::Layers(layers) => {
                if let [layer] = &layers[..]
                    && let network::Op::SubsamplePad(option_a) = &layer.op
                {
                    shape = layer_output_shape(layer, shape)?;
                    (input, adapter(option_a))
                } else {
                    let view = self.layers(layers, input)?;
                    shape = self.shape(view);
                    (view, Adapter::Same)
                }
            }
        };
        let mut around = vec![around];
        if let Some(gate) = &block.gate {
            let logits = self.layers(&gate.layers, input)?;
            let logits = self.materialise(logits).tensor;
            let factor = |complement| Factor::Gate { logits, complement };
            if gate.on_branch {
                self.multiply_terms(&mut terms, factor(false));
            }
            self.multiply_terms(&mut around, factor(true));
        }
        terms.extend(around);
        let (activation, rest) = match block.post.split_first() {
            Some((
                Layer {
                    op: network::Op::Activation(a),
                    ..
                },
                rest,
            )) => (*a, rest),
            _ => (Activation::Identity, &block.post[..]),
        };
        let sum = self.sum(terms, nonlinearity(activation), shape);
        self.layers(rest, View::plain(sum))
    }
}

/// Whether a direct convolution does better with all its rows at once: its weight fits no near
/// cache, what it reads and writes does.
fn whole_pays(shape: &Conv2dShape) -> bool {
    let read = shape.height * shape.width * shape.in_channels;
    let written = shape.out_height() * shape.out_width() * shape.out_channels;
    !winograd::pays(shape) && shape.weight_len() >= 1 << 17 && read.max(written) <= 1 << 13
}

fn adapter(option_a: &SubsamplePad) -> Adapter {
    Adapter::Subsample {
        stride: option_a.stride,
        before: option_a.pad_before,
    }
}

fn nonlinearity(activation: Activation) -> Nonlinearity {
    match activation {
        Activation::Relu => Nonlinearity::Relu,
        Activation::Tanh => Nonlinearity::Tanh,
        Activation::Identity => Nonlinearity::Identity,
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
