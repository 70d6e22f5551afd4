//! Backward: from the gradient at the output of a pass to all gradients before it.

use super::forward::{BlockTape, Pass};
use super::ops::{self, reshape};
use super::{Scalar, Tensor};
use crate::network::{Block, Network, Shortcut};

/// Gradients of one scalar.
#[derive(Debug, Clone)]
pub struct Gradients<S> {
    /// With respect to the parameters: an arena; 0 for those outside of the part.
    pub parameters: Vec<S>,
    /// With respect to what went in.
    pub input: Tensor<S>,
    /// With respect to the output of each block of the part.
    pub block_outputs: Vec<Tensor<S>>,
}

impl<S: Scalar> Pass<S> {
    /// The gradients, given that at the output. `network` and `parameters` are those of the pass.
    pub fn backward(
        &self,
        network: &Network,
        parameters: &[S],
        grad_output: &Tensor<S>,
    ) -> Gradients<S> {
        let mut gradient = vec![S::zero(); parameters.len()];
        let mut grad = grad_output.clone();
        if self.part.head {
            grad = ops::backward(&network.head, parameters, &self.head, grad, &mut gradient);
        }
        let mut block_outputs = Vec::with_capacity(self.blocks.len());
        let blocks = &network.blocks[self.part.blocks.clone()];
        for (block, tape) in blocks.iter().zip(&self.blocks).rev() {
            block_outputs.push(grad.clone());
            grad = backward_block(block, parameters, tape, grad, &mut gradient);
        }
        block_outputs.reverse();
        if self.part.stem {
            grad = ops::backward(&network.stem, parameters, &self.stem, grad, &mut gradient);
        }
        Gradients {
            parameters: gradient,
            input: grad,
            block_outputs,
        }
    }
}

/// The gradient at the sum goes back through the shortcut and through every branch.
fn backward_block<S: Scalar>(
    block: &Block,
    parameters: &[S],
    tape: &BlockTape<S>,
    grad_output: Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let grad_sum = ops::backward(&block.post, parameters, &tape.post, grad_output, gradient);
    let shortcut = match &block.shortcut {
        Shortcut::None => Tensor::from_elem(tape.input, S::zero()),
        Shortcut::Identity => grad_sum.clone(),
        Shortcut::SubsamplePad {
            stride, pad_before, ..
        } => reshape::subsample_pad_backward(tape.input, *stride, *pad_before, &grad_sum),
        Shortcut::Layers(layers) => ops::backward(
            layers,
            parameters,
            &tape.shortcut,
            grad_sum.clone(),
            gradient,
        ),
    };
    block
        .branches
        .iter()
        .zip(&tape.branches)
        .fold(shortcut, |grad_input, (layers, tape)| {
            grad_input + ops::backward(layers, parameters, tape, grad_sum.clone(), gradient)
        })
}
