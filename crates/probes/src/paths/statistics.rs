//! What batch norms normalise with while paths are measured: fixed numbers either way.

use reslab_nn::data::{Split, Targets};
use reslab_nn::engine::{Batch, Engine, Noise};
use reslab_nn::loss::TargetsRef;
use reslab_nn::network::{Block, Layer, Network, Op};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{ProbeError, Subject};

/// Samples that statistics are computed anew from.
const SAMPLES: usize = 512;

/// Where the mean and variance of each batch norm come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Statistics {
    /// The running statistics, as in evaluation. Before training they are 0 and 1, and normalise
    /// nothing.
    #[default]
    Running,
    /// Those of the first 512 training samples, computed anew at the parameters as they are.
    Recomputed,
}

impl Statistics {
    /// The state arena to measure with.
    pub(crate) fn state(self, subject: &Subject<'_>) -> Result<Vec<f32>, ProbeError> {
        let mut state = subject.state.to_vec();
        if self == Statistics::Running || state.is_empty() {
            return Ok(state);
        }
        let network = forgetful(subject.network);
        let split = &subject.dataset.train;
        let count = split.len.min(SAMPLES);
        let mut engine = Engine::for_training(&network, count)?;
        let mut gradient = vec![0.0; subject.parameters.len()];
        let loss = subject.train.loss.loss();
        let batch = first(split, subject, count);
        engine.step(subject.parameters, &mut state, &batch, &loss, &mut gradient);
        Ok(state)
    }
}

/// The network with running statistics that are those of the last batch, and no branch dropped.
fn forgetful(network: &Network) -> Network {
    let mut network = network.clone();
    let Network {
        stem, blocks, head, ..
    } = &mut network;
    for block in blocks.iter_mut() {
        certain(block);
    }
    let inside = blocks.iter_mut().flat_map(Block::layers_mut);
    for layer in stem.iter_mut().chain(inside).chain(head) {
        if let Op::BatchNorm(norm) = &mut layer.op {
            norm.momentum = 1.0;
        }
    }
    network
}

/// Branches that training drops at random have their factor of evaluation instead.
fn certain(block: &mut Block) {
    let Some(survival) = block.survival.take() else {
        return;
    };
    for branch in &mut block.branches {
        branch.push(Layer {
            name: format!("{}.survival", block.name),
            op: Op::Scale(survival.probability),
        });
    }
}

fn first<'a>(split: &'a Split, subject: &Subject<'_>, count: usize) -> Batch<'a> {
    let targets = match &split.targets {
        Targets::Classes(classes) => TargetsRef::Classes(&classes[..count]),
        Targets::Values { values, .. } => {
            TargetsRef::Values(&values[..count * subject.network.outputs])
        }
    };
    Batch {
        inputs: &split.inputs[..count * subject.network.input.len()],
        targets,
        len: count,
        noise: Noise::default(),
    }
}
