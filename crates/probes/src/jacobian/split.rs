//! The gradient through a product of blocks, and what of it comes along the identity.
//!
//! With Jacobians S_l + J_l (shortcut and branches, each with what follows the addition),
//!
//! ```text
//! g ∏ (S_l + J_l) = g ∏ S_l  +  Σ_l g ∏_{m>l} S_m · J_l · ∏_{m<l} S_m  +  the rest
//! ```
//!
//! is the gradient that takes every shortcut, those that take one branch, and those that take two or
//! more: order 0, 1 and higher (Veit et al. 2016 count paths alike). Going back through a block,
//! a ← a S, b ← b S + a J, c ← c (S + J) + b J.

use reslab_nn::network::Shortcut;
use reslab_nn::reference::{Pass, Tensor};

use super::blocks::Linearisation;
use super::graded::{dot, norm};

/// ‖g P‖ and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// ‖g‖.
    pub out: f64,
    /// ‖g P‖.
    pub through: f64,
    /// Norms of the orders 0, 1 and higher divided by ‖g P‖, and the shares: their products with
    /// g P divided by ‖g P‖², which sum to 1. `None` where a block is plain or gated.
    pub orders: Option<[(f64, f64); 3]>,
}

/// Splits the gradient at the output of the last of the blocks `first..end`. `pass` is a pass of
/// (at least) those.
pub fn split(
    at: &Linearisation,
    pass: &Pass<f64>,
    (first, end): (usize, usize),
    gradient: &Tensor<f64>,
    through: &Tensor<f64>,
) -> Split {
    // Relative to the largest number, so that squares of tiny gradients do not vanish.
    let scale = largest(through);
    let flat = |tensor: &Tensor<f64>| tensor.iter().map(|x| x / scale).collect::<Vec<f64>>();
    let whole = flat(through);
    let length = norm(&whole);
    // Nothing arrives where every unit is dead: then it has no parts either.
    let parts = orders(at, pass, (first, end), gradient).filter(|_| length > 0.0);
    let orders = parts.map(|parts| {
        parts.map(|part| {
            let part = flat(&part);
            (norm(&part) / length, dot(&part, &whole) / (length * length))
        })
    });
    let out = largest(gradient);
    let start: Vec<f64> = gradient.iter().map(|x| x / out).collect();
    Split {
        out: out * norm(&start),
        through: scale * length,
        orders,
    }
}

fn largest(tensor: &Tensor<f64>) -> f64 {
    let most = tensor.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if most > 0.0 { most } else { 1.0 }
}

/// The gradients of order 0, 1 and higher at the input of block `first`.
pub fn orders(
    at: &Linearisation,
    pass: &Pass<f64>,
    (first, end): (usize, usize),
    gradient: &Tensor<f64>,
) -> Option<[Tensor<f64>; 3]> {
    let blocks = &at.network.blocks[first..end];
    if blocks
        .iter()
        .any(|block| block.shortcut == Shortcut::None || block.gate.is_some())
    {
        return None;
    }
    let nothing = Tensor::zeros(gradient.dim());
    let start = [gradient.clone(), nothing.clone(), nothing];
    Some((first..end).rev().fold(start, |[a, b, c], block| {
        let back = |by_shortcut: &Tensor<f64>, by_branches: Option<&Tensor<f64>>| {
            let numbers = (&at.network, &at.parameters[..]);
            pass.backward_by_roads(numbers, block, Some(by_shortcut), by_branches)
        };
        let twice = &b + &c;
        [back(&a, None), back(&b, Some(&a)), back(&c, Some(&twice))]
    }))
}

/// The gradients of a loss at the outputs of all blocks, and before them at the first one's input.
pub fn gradients(
    at: &Linearisation,
    pass: &Pass<f64>,
    cotangent: &Tensor<f64>,
) -> Vec<Tensor<f64>> {
    let found = pass.backward(&at.network, &at.parameters, cotangent);
    let mut all = vec![found.input];
    all.extend(found.block_outputs);
    all
}
