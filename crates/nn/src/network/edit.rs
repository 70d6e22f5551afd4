//! Edits: networks made from a network. They keep its [`Layout`](super::Layout), so that they
//! read the very parameters of the network they came from.
//!
//! Lesions after Veit, Wilber, Belongie 2016; the plain twin after He et al. 2015.

use super::{Block, Layer, Network, Op, Shortcut};
use crate::error::ShapeError;

impl Network {
    /// The network without one block, all other parameters untouched.
    ///
    /// Of a residual block the branches go and the rest stays: `y = post(shortcut(x))`. A plain
    /// block goes altogether, so that removing one that changes the shape leaves a network that
    /// [`Network::check`] refuses. A `block` past the last changes nothing.
    pub fn without(&self, block: usize) -> Network {
        let mut network = self.clone();
        match network.blocks.get_mut(block) {
            Some(gone) if gone.shortcut == Shortcut::None => {
                network.blocks.remove(block);
            }
            Some(kept) => kept.branches.clear(),
            None => {}
        }
        network
    }

    /// The network with its blocks in another order: place `i` gets block `order[i]`.
    pub fn reordered(&self, order: &[usize]) -> Result<Network, ShapeError> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.blocks.len()) {
            let (order, blocks) = (order.to_vec(), self.blocks.len());
            return Err(ShapeError::Order { order, blocks });
        }
        let blocks = order
            .iter()
            .map(|&block| self.blocks[block].clone())
            .collect();
        let network = Network {
            blocks,
            ..self.clone()
        };
        network.check()?;
        Ok(network)
    }

    /// The layers of the stem and of the first `blocks` blocks.
    pub fn front(&self, blocks: usize) -> impl Iterator<Item = &Layer> {
        self.stem
            .iter()
            .chain(self.blocks.iter().take(blocks).flat_map(Block::layers))
    }

    /// The network with the batch norms of the stem and of the first `blocks` blocks frozen: they
    /// keep to their running statistics.
    pub fn with_frozen_norms(&self, blocks: usize) -> Network {
        let mut network = self.clone();
        let front = network
            .blocks
            .iter_mut()
            .take(blocks)
            .flat_map(Block::layers_mut);
        for layer in network.stem.iter_mut().chain(front) {
            if let Op::BatchNorm(norm) = &mut layer.op {
                norm.frozen = true;
            }
        }
        network
    }

    /// The same network without its shortcuts: equal depth, width and parameters.
    ///
    /// Its entries no longer end a residual branch, so that initialisation treats it as plain.
    /// The parameters of projections and gates stay in the arena, read by nobody: a plain network
    /// that is built has none of them.
    pub fn plain_twin(&self) -> Network {
        let mut network = self.clone();
        network.name = plain_name(&self.name);
        for block in &mut network.blocks {
            block.shortcut = Shortcut::None;
            block.gate = None;
            block.survival = None;
        }
        for entry in &mut network.layout.parameters {
            entry.ends_branch = false;
        }
        network
    }
}

/// What the plain twin of a network is called.
pub(crate) fn plain_name(name: &str) -> String {
    match name.strip_prefix("wrn-") {
        Some(rest) => format!("wrn-plain-{rest}"),
        None => name
            .replace("resnet", "plain")
            .replace("resnext", "plainnext"),
    }
}
