//! Training on effective paths only (Veit, Wilber, Belongie 2016, section 5): each step trains a
//! fixed number of residual blocks, drawn anew, and skips the others, `y = post(shortcut(pre(x)))`.
//! With k of n blocks in a step the lengths of paths follow Binomial(k, 1/2) in place of
//! Binomial(n, 1/2).
//!
//! Conventions where the paper is silent:
//!
//! - Every residual block can be drawn, down-sampling ones too (the paper counts all 54 of its
//!   modules); one that is skipped keeps its shortcut, whatever its kind.
//! - A skipped block sees no batch: its running statistics stay, and its gradient is 0. Momentum and
//!   weight decay go on, as they do in other implementations of stochastic depth.
//! - At evaluation all blocks are there, and their branches are multiplied by the share k/n of
//!   steps that train each (Huang et al. 2016), unless [`EvaluationBranches::Whole`] is asked for.
//!
//! A step's network is an edited network with an engine of its own: what is skipped is not computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{SettingProblem, TrainSettings};
use crate::network::{Block, Network, Shortcut, Survival};
use crate::random::{Purpose, below, stream};

/// What becomes of residual branches at evaluation where each step trains only some blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvaluationBranches {
    /// They are multiplied by the share of blocks that a step trains: the mean over steps.
    #[default]
    Scaled,
    /// They stay as they are.
    Whole,
}

/// Which blocks, of all of the network's, a step trains: plain ones always, of the residual ones
/// `count`, every choice equally likely. A function of seed and step alone.
pub fn trained_blocks(network: &Network, count: usize, seed: u64, step: u64) -> Vec<bool> {
    let mut rng = stream(seed, Purpose::Blocks, 0, step);
    let mut left = residual_blocks(network);
    let mut wanted = count.min(left);
    let blocks = network.blocks.iter();
    // Selection sampling (Knuth, The Art of Computer Programming 2, algorithm 3.4.2 S).
    blocks
        .map(|block| {
            if !is_residual(block) {
                return true;
            }
            let chosen = below(&mut rng, left) < wanted;
            left -= 1;
            wanted -= usize::from(chosen);
            chosen
        })
        .collect()
}

/// The network with the branches of the trained blocks alone.
pub fn network_of_step(network: &Network, trained: &[bool]) -> Network {
    let mut network = network.clone();
    let skipped = network.blocks.iter_mut().zip(trained);
    for (block, _) in skipped.filter(|(_, trained)| !**trained) {
        block.branches.clear();
    }
    network
}

/// The network as it is evaluated and measured after training with these settings.
pub fn evaluated(network: &Network, settings: &TrainSettings) -> Network {
    let mut evaluated = network.clone();
    let scaled = settings.evaluation_branches.unwrap_or_default() == EvaluationBranches::Scaled;
    if let (Some(count), true) = (settings.blocks_per_step, scaled) {
        let probability = count as f64 / residual_blocks(network).max(1) as f64;
        let residual = evaluated
            .blocks
            .iter_mut()
            .filter(|block| is_residual(block));
        // The stream is read in training alone, which runs the network as it was built.
        for block in residual.filter(|_| probability < 1.0) {
            block.survival = Some(Survival {
                probability,
                stream: 0,
            });
        }
    }
    evaluated
}

/// What is wrong with training so many blocks of this network in a step, if anything.
pub fn problem(network: &Network, settings: &TrainSettings) -> Option<SettingProblem> {
    let count = settings.blocks_per_step?;
    let (name, residual) = (&network.name, residual_blocks(network));
    let message = if residual == 0 {
        format!("is {count}, but `{name}` has no residual blocks to choose from: leave it out.")
    } else if count > residual {
        format!("must be at most {residual}, the residual blocks of `{name}`, but is {count}.")
    } else if network.blocks.iter().any(|block| block.survival.is_some()) {
        format!("is {count}, but `{name}` drops blocks by `stochastic_depth` already: use one.")
    } else {
        return None;
    };
    Some(SettingProblem {
        field: "blocks_per_step",
        message,
    })
}

/// Blocks with a shortcut.
pub fn residual_blocks(network: &Network) -> usize {
    network.blocks.iter().filter(|b| is_residual(b)).count()
}

fn is_residual(block: &Block) -> bool {
    block.shortcut != Shortcut::None
}
