//! Layers: the forward and the backward of each op, side by side.
//!
//! Backward takes the gradient of a scalar L with respect to the layer's output, adds to the
//! arena of parameter gradients, and returns the gradient with respect to the layer's input.

pub mod batch_norm;
pub mod conv2d;
pub mod dropout;
pub mod elementwise;
pub mod linear;
pub mod pool;
pub mod reshape;

use super::{Mode, Scalar, Tensor};
use crate::network::{Layer, Op};
use crate::noise::Noise;

/// The numbers a forward pass reads, and the running statistics it moves.
#[derive(Debug)]
pub struct Numbers<'a, S> {
    /// The parameter arena.
    pub parameters: &'a [S],
    /// The state arena.
    pub state: Vec<S>,
    /// Which statistics batch norms use, and whether there is noise.
    pub mode: Mode,
    /// What dropout and stochastic depth are drawn from in training.
    pub noise: Noise,
}

/// What a layer remembers for its backward: its input, and what it took from elsewhere.
#[derive(Debug)]
pub struct LayerTape<S> {
    input: Tensor<S>,
    kept: Kept<S>,
}

impl<S> LayerTape<S> {
    /// `(N, H, W, C)` of the layer's input.
    pub fn input_dim(&self) -> (usize, usize, usize, usize) {
        self.input.dim()
    }
}

/// What a layer's backward needs beside its input.
#[derive(Debug)]
enum Kept<S> {
    Nothing,
    /// What a batch norm normalised with.
    Norm(batch_norm::Statistics<S>),
    /// What a dropout multiplied by, if by anything.
    Factors(Option<Tensor<S>>),
}

/// Layers one after the other.
pub fn forward<S: Scalar>(
    layers: &[Layer],
    numbers: &mut Numbers<S>,
    input: Tensor<S>,
) -> (Tensor<S>, Vec<LayerTape<S>>) {
    let mut tapes = Vec::with_capacity(layers.len());
    let mut activation = input;
    for layer in layers {
        let (output, kept) = forward_layer(layer, numbers, &activation);
        tapes.push(LayerTape {
            input: activation,
            kept,
        });
        activation = output;
    }
    (activation, tapes)
}

/// The same layers backwards.
pub fn backward<S: Scalar>(
    layers: &[Layer],
    parameters: &[S],
    tapes: &[LayerTape<S>],
    grad_output: Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    layers
        .iter()
        .zip(tapes)
        .rev()
        .fold(grad_output, |grad, (layer, tape)| {
            backward_layer(layer, parameters, tape, &grad, gradient)
        })
}

/// The same layers backwards, without the gradients of their parameters.
pub fn backward_input<S: Scalar>(
    layers: &[Layer],
    parameters: &[S],
    tapes: &[LayerTape<S>],
    grad_output: Tensor<S>,
) -> Tensor<S> {
    let back =
        |grad: Tensor<S>, (layer, tape): (&Layer, &LayerTape<S>)| match (&layer.op, &tape.kept) {
            (Op::Conv2d(conv), _) => {
                conv2d::backward_input(conv, parameters, tape.input.dim(), &grad)
            }
            (Op::Linear(linear), _) => linear::backward_input(linear, parameters, &grad),
            (Op::BatchNorm(norm), Kept::Norm(statistics)) if !statistics.are_of_batch() => {
                batch_norm::backward_fixed(norm, parameters, statistics, &grad)
            }
            (Op::BatchNorm(_), _) => {
                let mut unused = vec![S::zero(); parameters.len()];
                backward_layer(layer, parameters, tape, &grad, &mut unused)
            }
            // Without parameters there is nothing to leave out.
            _ => backward_layer(layer, parameters, tape, &grad, &mut []),
        };
    layers.iter().zip(tapes).rev().fold(grad_output, back)
}

fn forward_layer<S: Scalar>(
    layer: &Layer,
    numbers: &mut Numbers<S>,
    input: &Tensor<S>,
) -> (Tensor<S>, Kept<S>) {
    let output = match &layer.op {
        Op::Conv2d(conv) => conv2d::forward(conv, numbers.parameters, input),
        Op::Linear(linear) => linear::forward(linear, numbers.parameters, input),
        Op::Activation(activation) => elementwise::forward(*activation, input),
        Op::GlobalAveragePool => reshape::global_average(input),
        Op::Flatten => reshape::flatten(input),
        Op::BatchNorm(norm) => {
            let statistics = batch_norm::statistics(norm, numbers, input);
            let output = batch_norm::forward(norm, numbers.parameters, &statistics, input);
            return (output, Kept::Norm(statistics));
        }
        Op::Dropout(dropout) => {
            let factors = dropout::factors(dropout, numbers, input);
            let output = match &factors {
                Some(factors) => input * factors,
                None => input.clone(),
            };
            return (output, Kept::Factors(factors));
        }
        Op::MaxPool(pool) => pool::forward(pool, input),
        Op::Scale(factor) => elementwise::scale(*factor, input),
        Op::SubsamplePad(option_a) => reshape::subsample_pad(option_a, input),
    };
    (output, Kept::Nothing)
}

fn backward_layer<S: Scalar>(
    layer: &Layer,
    parameters: &[S],
    tape: &LayerTape<S>,
    grad_output: &Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let input = &tape.input;
    match (&layer.op, &tape.kept) {
        (Op::Conv2d(conv), _) => conv2d::backward(conv, parameters, input, grad_output, gradient),
        (Op::Linear(linear), _) => {
            linear::backward(linear, parameters, input, grad_output, gradient)
        }
        (Op::Activation(activation), _) => elementwise::backward(*activation, input, grad_output),
        (Op::GlobalAveragePool, _) => reshape::global_average_backward(input, grad_output),
        (Op::Flatten, _) => reshape::flatten_backward(input, grad_output),
        (Op::MaxPool(pool), _) => pool::backward(pool, input, grad_output),
        (Op::Scale(factor), _) => elementwise::scale(*factor, grad_output),
        (Op::SubsamplePad(option_a), _) => {
            reshape::subsample_pad_backward(option_a, input.dim(), grad_output)
        }
        (Op::Dropout(_), Kept::Factors(Some(factors))) => grad_output * factors,
        (Op::Dropout(_), _) => grad_output.clone(),
        (Op::BatchNorm(norm), Kept::Norm(statistics)) => {
            batch_norm::backward(norm, parameters, statistics, input, grad_output, gradient)
        }
        (Op::BatchNorm(_), _) => unreachable!("forward always keeps a batch norm's statistics"),
    }
}
