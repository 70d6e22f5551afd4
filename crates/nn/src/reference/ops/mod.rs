//! Layers: the forward and the backward of each op, side by side.
//!
//! Backward takes the gradient of a scalar L with respect to the layer's output, adds to the
//! arena of parameter gradients, and returns the gradient with respect to the layer's input.

pub mod batch_norm;
pub mod conv2d;
pub mod elementwise;
pub mod linear;
pub mod reshape;

use super::{Mode, Scalar, Tensor};
use crate::network::{Layer, Op};

/// The numbers a forward pass reads, and the running statistics it moves.
#[derive(Debug)]
pub struct Numbers<'a, S> {
    /// The parameter arena.
    pub parameters: &'a [S],
    /// The state arena.
    pub state: Vec<S>,
    /// Which statistics batch norms use.
    pub mode: Mode,
}

/// What a layer remembers for its backward: its input, and what a batch norm normalised with.
#[derive(Debug)]
pub struct LayerTape<S> {
    input: Tensor<S>,
    norm: Option<batch_norm::Statistics<S>>,
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
        let (output, norm) = forward_layer(layer, numbers, &activation);
        tapes.push(LayerTape {
            input: activation,
            norm,
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

fn forward_layer<S: Scalar>(
    layer: &Layer,
    numbers: &mut Numbers<S>,
    input: &Tensor<S>,
) -> (Tensor<S>, Option<batch_norm::Statistics<S>>) {
    let output = match &layer.op {
        Op::Conv2d(conv) => conv2d::forward(conv, numbers.parameters, input),
        Op::Linear(linear) => linear::forward(linear, numbers.parameters, input),
        Op::Activation(activation) => elementwise::forward(*activation, input),
        Op::GlobalAveragePool => reshape::global_average(input),
        Op::Flatten => reshape::flatten(input),
        Op::BatchNorm(norm) => {
            let statistics = batch_norm::statistics(norm, numbers, input);
            let output = batch_norm::forward(norm, numbers.parameters, &statistics, input);
            return (output, Some(statistics));
        }
    };
    (output, None)
}

fn backward_layer<S: Scalar>(
    layer: &Layer,
    parameters: &[S],
    tape: &LayerTape<S>,
    grad_output: &Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let input = &tape.input;
    match (&layer.op, &tape.norm) {
        (Op::Conv2d(conv), _) => conv2d::backward(conv, parameters, input, grad_output, gradient),
        (Op::Linear(linear), _) => {
            linear::backward(linear, parameters, input, grad_output, gradient)
        }
        (Op::Activation(activation), _) => elementwise::backward(*activation, input, grad_output),
        (Op::GlobalAveragePool, _) => reshape::global_average_backward(input, grad_output),
        (Op::Flatten, _) => reshape::flatten_backward(input, grad_output),
        (Op::BatchNorm(norm), Some(statistics)) => {
            batch_norm::backward(norm, parameters, statistics, input, grad_output, gradient)
        }
        (Op::BatchNorm(_), None) => unreachable!("forward always keeps a batch norm's statistics"),
    }
}
