//! The two roads back through a residual block, each taken alone: what gradients by single paths
//! are made of (Veit, Wilber, Belongie 2016, section 5).
//!
//! With `u = pre(x)` and `y = post(shortcut(u) + Σ branch(u))` the block's Jacobian is
//!
//! ```text
//! post' · (S + J) · pre'      S = ∂shortcut/∂u,   J = Σ ∂branch/∂u
//! ```
//!
//! at the activations of the pass. `post'` (the mask of an outer ReLU) and `pre'` belong to both
//! roads; a branch's factor (stochastic depth in evaluation) belongs to `J`.

use super::forward::Pass;
use super::ops::{self, elementwise};
use super::{Scalar, Tensor};
use crate::network::{Network, Shortcut};

impl<S: Scalar> Pass<S> {
    /// `pre'ᵀ (Sᵀ post'ᵀ a + Jᵀ post'ᵀ b)` of the network's block `block`, for `a` sent
    /// `by_shortcut` and `b` sent `by_branches`; both have the shape of the block's output, and the
    /// result that of its input. `network` and `parameters` are those of the pass.
    ///
    /// # Panics
    ///
    /// If the block is no part of the pass, or has a gate: its roads cannot be told apart.
    pub fn backward_by_roads(
        &self,
        (network, parameters): (&Network, &[S]),
        block: usize,
        by_shortcut: Option<&Tensor<S>>,
        by_branches: Option<&Tensor<S>>,
    ) -> Tensor<S> {
        let tape = &self.blocks[block - self.part.blocks.start];
        let block = &network.blocks[block];
        assert!(block.gate.is_none(), "the roads of a gated block are one");
        let before_post = |grad: &Tensor<S>| {
            ops::backward_input(&block.post, parameters, &tape.post, grad.clone())
        };
        let mut grad_split: Option<Tensor<S>> = None;
        let mut add = |grad: Tensor<S>| {
            grad_split = Some(match grad_split.take() {
                Some(sum) => sum + grad,
                None => grad,
            });
        };
        if let Some(grad) = by_shortcut {
            match &block.shortcut {
                Shortcut::None => {}
                Shortcut::Identity => add(before_post(grad)),
                Shortcut::Layers(layers) => {
                    let grad = before_post(grad);
                    add(ops::backward_input(
                        layers,
                        parameters,
                        &tape.shortcut,
                        grad,
                    ));
                }
            }
        }
        if let Some(grad) = by_branches {
            let mut grad = before_post(grad);
            if tape.branch_factor != 1.0 {
                grad = elementwise::scale(tape.branch_factor, &grad);
            }
            for (layers, tape) in block.branches.iter().zip(&tape.branches) {
                add(ops::backward_input(layers, parameters, tape, grad.clone()));
            }
        }
        match grad_split {
            Some(grad) => ops::backward_input(&block.pre, parameters, &tape.pre, grad),
            None => {
                let input = tape
                    .pre
                    .first()
                    .map_or(tape.split, |layer| layer.input_dim());
                Tensor::from_elem(input, S::zero())
            }
        }
    }
}
