//! Edits: networks made from a network. They keep its [`Layout`](super::Layout), so that they
//! read the very parameters of the network they came from.
//!
//! Lesions after Veit, Wilber, Belongie 2016; the plain twin after He et al. 2015.

use std::ops::Range;

use super::{Block, Layer, Network, Op, Shortcut, output_shape};
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

    /// The network without several blocks, each removed as by [`Network::without`].
    pub fn without_all(&self, blocks: &[usize]) -> Network {
        let mut blocks = blocks.to_vec();
        blocks.sort_unstable();
        blocks.dedup();
        // From the back: a plain block that goes shifts those behind it.
        let edited = blocks.iter().rev().copied();
        edited.fold(self.clone(), |network, block| network.without(block))
    }

    /// The network without some layers in a row of one branch. Whether the rest fits together is
    /// for [`Network::check`] to say. A place that is not there changes nothing.
    pub fn without_layers(&self, block: usize, branch: usize, layers: Range<usize>) -> Network {
        let mut network = self.clone();
        let found = network.blocks.get_mut(block);
        if let Some(branch) = found.and_then(|block| block.branches.get_mut(branch))
            && layers.start <= layers.end
            && layers.end <= branch.len()
        {
            branch.drain(layers);
        }
        network
    }

    /// A part of the network as a network of its own: from the input of block `from` (from the
    /// network's own input if `None`) to the input of block `to` (to the network's end if `None`).
    /// The block past the last has as input what the last puts out.
    ///
    /// Parts one after the other compute what the whole does, which is what lets lesions share all
    /// that comes before them.
    pub fn part(&self, from: Option<usize>, to: Option<usize>) -> Result<Network, ShapeError> {
        let blocks = self.blocks.len();
        let range = from.unwrap_or(0)..to.unwrap_or(blocks);
        if range.start > range.end || range.end > blocks {
            return Err(ShapeError::Range { blocks, range });
        }
        let shapes = self.block_shapes()?;
        let stem = output_shape(&self.stem, self.input)?;
        let before = |block: usize| block.checked_sub(1).map_or(stem, |last| shapes[last].1);
        let keep = |layers: &Vec<Layer>, kept: bool| if kept { layers.clone() } else { Vec::new() };
        Ok(Network {
            name: self.name.clone(),
            input: from.map_or(self.input, before),
            outputs: to.map_or(self.outputs, |to| before(to).len()),
            stem: keep(&self.stem, from.is_none()),
            blocks: self.blocks[range].to_vec(),
            head: keep(&self.head, to.is_none()),
            layout: self.layout.clone(),
        })
    }

    /// The network with batch norms whose running statistics are those of the newest batch alone.
    pub fn with_batch_statistics(&self) -> Network {
        let mut network = self.clone();
        let blocks = network.blocks.iter_mut().flat_map(Block::layers_mut);
        for layer in (network.stem.iter_mut())
            .chain(blocks)
            .chain(&mut network.head)
        {
            if let Op::BatchNorm(norm) = &mut layer.op {
                (norm.momentum, norm.frozen) = (1.0, false);
            }
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
