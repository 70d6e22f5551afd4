//! Backward: from the gradient at the output of a pass to all gradients before it.

use super::forward::{BlockTape, GateTape, Pass};
use super::ops::{self, elementwise};
use super::{Scalar, Tensor};
use crate::network::{Block, Gate, Network, Shortcut};

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

/// Which way the gradient takes past the branches of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Every way: the gradient.
    All,
    /// The shortcut alone, as if branches and gates were constants: the first term of
    /// `∂L/∂x = ∂L/∂y · (∂shortcut/∂x + ∂F/∂x)` (He et al. 2016, eq. 5). Nothing comes through a
    /// plain block.
    Shortcut,
}

impl<S: Scalar> Pass<S> {
    /// The gradients, given that at the output. `network` and `parameters` are those of the pass.
    pub fn backward(
        &self,
        network: &Network,
        parameters: &[S],
        grad_output: &Tensor<S>,
    ) -> Gradients<S> {
        self.backward_along(Road::All, network, parameters, grad_output)
    }

    /// What comes back along one road, given the gradient at the output.
    pub fn backward_along(
        &self,
        road: Road,
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
            grad = backward_block(road, (block, tape), parameters, grad, &mut gradient);
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

/// The gradient at the sum goes back through the shortcut and through every branch, and where there
/// is a gate through that.
fn backward_block<S: Scalar>(
    road: Road,
    (block, tape): (&Block, &BlockTape<S>),
    parameters: &[S],
    grad_output: Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let grad_sum = ops::backward(&block.post, parameters, &tape.post, grad_output, gradient);
    let gated = block.gate.as_ref().zip(tape.gate.as_ref());
    let (grad_shortcut, grad_branch) = match gated {
        None => (grad_sum.clone(), grad_sum.clone()),
        Some((gate, tape)) => {
            let shortcut = tape.gate.mapv(|g| S::one() - g) * &grad_sum;
            let branch = match gate.on_branch {
                true => &tape.gate * &grad_sum,
                false => grad_sum.clone(),
            };
            (shortcut, branch)
        }
    };
    let mut grad_split = match &block.shortcut {
        Shortcut::None => Tensor::from_elem(tape.split, S::zero()),
        Shortcut::Identity => grad_shortcut,
        Shortcut::Layers(layers) => {
            ops::backward(layers, parameters, &tape.shortcut, grad_shortcut, gradient)
        }
    };
    if road == Road::Shortcut {
        return ops::backward(&block.pre, parameters, &tape.pre, grad_split, gradient);
    }
    let grad_branch = match tape.branch_factor {
        1.0 => grad_branch,
        factor => elementwise::scale(factor, &grad_branch),
    };
    for (layers, tape) in block.branches.iter().zip(&tape.branches) {
        grad_split =
            grad_split + ops::backward(layers, parameters, tape, grad_branch.clone(), gradient);
    }
    if let Some((gate, tape)) = gated {
        let grad_logits = gate_backward(gate, tape, &grad_sum);
        grad_split = grad_split
            + ops::backward(
                &gate.layers,
                parameters,
                &tape.layers,
                grad_logits,
                gradient,
            );
    }
    ops::backward(&block.pre, parameters, &tape.pre, grad_split, gradient)
}

/// `∂L/∂logits = g (1 − g) · ∂L/∂sum · (branch − shortcut)`, without `branch` where it is not gated.
fn gate_backward<S: Scalar>(gate: &Gate, tape: &GateTape<S>, grad_sum: &Tensor<S>) -> Tensor<S> {
    let slope = tape.gate.mapv(|g| g * (S::one() - g));
    let difference = match &tape.branch {
        Some(branch) if gate.on_branch => branch - &tape.shortcut,
        _ => tape.shortcut.mapv(|x| -x),
    };
    slope * grad_sum * difference
}
