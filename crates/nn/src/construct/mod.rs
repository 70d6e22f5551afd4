//! Networks built to equal a given one: the existence arguments of the theory, made of numbers.
//!
//! - [`deeper`]: a deeper plain network that computes what a shallower one does, by blocks that are
//!   the identity. Its existence is why a deeper network "should produce no higher training error
//!   than its shallower counterpart" (He et al. 2015, section 1).
//! - [`residual_equal`]: a residual network whose residual functions are `F(x) = H(x) − x` for the
//!   blocks `H` of a plain one, so that residual networks express whatever plain ones do (ibid.,
//!   section 3.1).
//!
//! Both hold in evaluation, where batch norm is an affine map; both are exact but for rounding.
//! Everything is `f64`; [`Constructed::single`] rounds to the engine's `f32`.

mod affine;
mod deeper;
mod residual;
mod writer;

pub use deeper::deeper;
pub use residual::residual_equal;

use crate::network::{Block, Network, Op};

/// A network with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Constructed {
    /// The network.
    pub network: Network,
    /// Its parameters.
    pub parameters: Vec<f64>,
    /// Its running statistics.
    pub state: Vec<f64>,
}

impl Constructed {
    /// Parameters and running statistics in single precision.
    pub fn single(&self) -> (Vec<f32>, Vec<f32>) {
        let round = |arena: &[f64]| arena.iter().map(|&x| x as f32).collect();
        (round(&self.parameters), round(&self.state))
    }
}

/// Why there is no such construction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstructError {
    /// Only plain networks are taken.
    #[error("`{network}` is not plain: its block `{block}` has a shortcut.")]
    NotPlain {
        /// The network.
        network: String,
        /// The first such block.
        block: String,
    },
    /// A layer the construction has no rule for.
    #[error("`{layer}` is {found}; the construction knows {known}.")]
    Layer {
        /// The layer or block.
        layer: String,
        /// What it is.
        found: &'static str,
        /// What could be there.
        known: &'static str,
    },
    /// A stage without a block to copy.
    #[error(
        "Stage {stage} of `{network}` has no block that keeps its shape, so none can be added."
    )]
    NoTemplate {
        /// The network.
        network: String,
        /// The stage, from 1.
        stage: usize,
    },
}

/// Refuses networks with shortcuts.
fn plain(network: &Network) -> Result<(), ConstructError> {
    let residual = |block: &&Block| block.shortcut != crate::network::Shortcut::None;
    match network.blocks.iter().find(residual) {
        None => Ok(()),
        Some(block) => Err(ConstructError::NotPlain {
            network: network.name.clone(),
            block: block.name.clone(),
        }),
    }
}

/// Whether what a block is given can hold no negative number: it comes out of a ReLU.
fn is_given_no_negatives(network: &Network, block: usize) -> bool {
    let relu = Op::Activation(crate::network::Activation::Relu);
    let keeps_sign = |op: &Op| matches!(op, Op::MaxPool(_) | Op::GlobalAveragePool);
    match block.checked_sub(1) {
        None => {
            let last = network.stem.iter().rfind(|layer| !keeps_sign(&layer.op));
            last.is_some_and(|layer| layer.op == relu)
        }
        Some(previous) => last_layer(&network.blocks[previous]).is_some_and(|l| l.op == relu),
    }
}

/// The layer a plain block ends with.
fn last_layer(block: &Block) -> Option<&crate::network::Layer> {
    block.post.last().or_else(|| block.branches.first()?.last())
}
