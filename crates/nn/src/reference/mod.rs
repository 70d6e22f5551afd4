//! The reference executor. **This is the specification**: short, readable, one layer after the
//! other, no fusion, no threads, no clever memory. What a network computes is what stands here;
//! the fast [`engine`](crate::engine) is right when it agrees with it. Whoever wants to know what
//! a number means reads this, and whoever wants speed goes there.
//!
//! Everything is generic over [`Scalar`]: `f64`, `f32`, and [`Dual`] numbers `a + ε a'` with
//! `ε² = 0`. Running the same forward on duals gives exact Jacobian–vector products, and running
//! the same forward *and* backward on duals gives exact Hessian–vector products (forward over
//! reverse), with no finite difference and no second derivation of anything: see [`derivatives`].
//!
//! Activations are [`Tensor`]s `(N, H, W, C)`; a vector of `F` features is `(N, 1, 1, F)`.
//! Parameters, gradients and running statistics are arenas of the network's
//! [`Layout`](crate::network::Layout), in PyTorch's layouts.

pub mod backward;
pub mod derivatives;
pub mod dual;
pub mod forward;
pub mod loss;
pub mod ops;
pub mod roads;
pub mod scalar;
#[cfg(test)]
mod tests;

pub use backward::{Gradients, Road};
pub use derivatives::{Direction, Problem};
pub use dual::Dual;
pub use forward::{Pass, forward, forward_part, forward_with_noise};
pub use loss::{LossValue, loss};
pub use scalar::Scalar;

use std::ops::Range;

use crate::error::ShapeError;
use crate::network::{Network, Shape, output_shape};

/// An activation `(N, H, W, C)`.
pub type Tensor<S> = ndarray::Array4<S>;

/// Which statistics batch norms use, and whether dropout and stochastic depth are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Those of the batch, and the running statistics move; norms that are frozen
    /// ([`BatchNorm::frozen`](crate::network::BatchNorm::frozen)) keep to the running ones. There is
    /// noise.
    Training,
    /// The running ones, which stay; there is no noise.
    Evaluation,
}

/// A stretch of a network that is executed alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whether it begins with the stem.
    pub stem: bool,
    /// The blocks.
    pub blocks: Range<usize>,
    /// Whether it ends with the head.
    pub head: bool,
}

impl Part {
    /// All of a network.
    pub fn whole(network: &Network) -> Self {
        Self {
            stem: true,
            blocks: 0..network.blocks.len(),
            head: true,
        }
    }

    /// Some blocks, without stem and head.
    pub fn blocks(blocks: Range<usize>) -> Self {
        Self {
            stem: false,
            blocks,
            head: false,
        }
    }

    /// What comes before a block: its output is that block's input.
    pub fn before(block: usize) -> Self {
        Self {
            stem: true,
            blocks: 0..block,
            head: false,
        }
    }

    /// A block and all that follows.
    pub fn from(network: &Network, block: usize) -> Self {
        Self {
            stem: false,
            blocks: block..network.blocks.len(),
            head: true,
        }
    }

    /// The shape of one sample that goes in.
    pub fn input_shape(&self, network: &Network) -> Result<Shape, ShapeError> {
        network.check()?;
        let shapes = network.block_shapes()?;
        let blocks = shapes.len();
        if self.blocks.start > self.blocks.end || self.blocks.end > blocks {
            return Err(ShapeError::Range {
                blocks,
                range: self.blocks.clone(),
            });
        }
        if self.stem {
            return Ok(network.input);
        }
        let before = self.blocks.start.checked_sub(1).map(|last| shapes[last].1);
        before.map_or_else(|| output_shape(&network.stem, network.input), Ok)
    }
}

/// Samples of `f32`, `(n, H, W, C)`, as a tensor of any scalar.
pub fn tensor<S: Scalar>(samples: &[f32], shape: Shape) -> Result<Tensor<S>, ShapeError> {
    let n = samples.len().checked_div(shape.len()).unwrap_or(0);
    let values = samples.iter().map(|v| S::from_f64(f64::from(*v))).collect();
    Tensor::from_shape_vec((n, shape.height, shape.width, shape.channels), values).map_err(|_| {
        ShapeError::Length {
            what: "samples",
            expected: n * shape.len(),
            found: samples.len(),
        }
    })
}

/// An arena in another scalar.
pub fn lift<S: Scalar>(arena: &[f32]) -> Vec<S> {
    arena.iter().map(|v| S::from_f64(f64::from(*v))).collect()
}
