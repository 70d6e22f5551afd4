//! Writing a network's layers and numbers anew, in the order of execution, so that it has a layout
//! of its own.

use crate::network::{
    BatchNorm, Block, Conv2d, Entry, Layer, Layout, Linear, Network, Op, Role, Slot,
};

use super::Constructed;

/// A layout with its numbers, growing.
#[derive(Debug, Default)]
pub(super) struct Writer {
    layout: Layout,
    parameters: Vec<f64>,
    state: Vec<f64>,
    block: Option<usize>,
}

/// A tensor to be written.
pub(super) struct Tensor {
    pub role: Role,
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
    /// Whether a residual branch ends with it.
    pub ends_branch: bool,
}

impl Writer {
    /// What follows belongs to this block, or to stem or head.
    pub fn enter(&mut self, block: Option<usize>) {
        self.block = block;
    }

    /// Writes a tensor under its full name.
    pub fn tensor(&mut self, name: String, tensor: Tensor) -> Slot {
        let Tensor {
            role,
            shape,
            values,
            ends_branch,
        } = tensor;
        let (entries, arena) = match role {
            Role::RunningMean | Role::RunningVar => (&mut self.layout.state, &mut self.state),
            _ => (&mut self.layout.parameters, &mut self.parameters),
        };
        let slot = Slot {
            offset: arena.len(),
            len: values.len(),
        };
        arena.extend(values);
        entries.push(Entry {
            name,
            block: self.block,
            role,
            shape,
            slot,
            ends_branch,
            start: 0.0,
        });
        slot
    }

    /// A layer with the numbers that `values` gives for each tensor of `of`, under another name.
    pub fn layer(
        &mut self,
        layer: &Layer,
        name: &str,
        of: &Constructed,
        values: &dyn Fn(&Entry) -> Vec<f64>,
    ) -> Layer {
        let mut slot = |old: Slot, state: bool, suffix: &str| {
            let layout = &of.network.layout;
            let entries = if state {
                &layout.state
            } else {
                &layout.parameters
            };
            let entry = entries.iter().find(|entry| entry.slot == old);
            let entry = entry.expect("every slot of a network is in its layout");
            let tensor = Tensor {
                role: entry.role,
                shape: entry.shape.clone(),
                values: values(entry),
                ends_branch: entry.ends_branch,
            };
            self.tensor(format!("{name}.{suffix}"), tensor)
        };
        let op = match &layer.op {
            Op::Conv2d(conv) => Op::Conv2d(Conv2d {
                weight: slot(conv.weight, false, "weight"),
                bias: conv.bias.map(|bias| slot(bias, false, "bias")),
                ..conv.clone()
            }),
            Op::Linear(linear) => Op::Linear(Linear {
                weight: slot(linear.weight, false, "weight"),
                bias: linear.bias.map(|bias| slot(bias, false, "bias")),
                ..linear.clone()
            }),
            Op::BatchNorm(norm) => Op::BatchNorm(BatchNorm {
                weight: slot(norm.weight, false, "weight"),
                bias: slot(norm.bias, false, "bias"),
                running_mean: slot(norm.running_mean, true, "running_mean"),
                running_var: slot(norm.running_var, true, "running_var"),
                ..norm.clone()
            }),
            other => other.clone(),
        };
        Layer {
            name: name.to_owned(),
            op,
        }
    }

    /// A layer as it is.
    pub fn copy(&mut self, layer: &Layer, of: &Constructed) -> Layer {
        self.layer(layer, &layer.name, of, &|entry| old_values(of, entry))
    }

    /// Layers as they are.
    pub fn copies(&mut self, layers: &[Layer], of: &Constructed) -> Vec<Layer> {
        layers.iter().map(|layer| self.copy(layer, of)).collect()
    }

    /// The network of these blocks, with the head of the one it is made `of` as it is.
    pub fn finish(
        mut self,
        of: &Constructed,
        name: String,
        stem: Vec<Layer>,
        blocks: Vec<Block>,
    ) -> Constructed {
        self.enter(None);
        let head = self.copies(&of.network.head, of);
        Constructed {
            network: Network {
                name,
                stem,
                blocks,
                head,
                layout: self.layout,
                ..of.network.clone()
            },
            parameters: self.parameters,
            state: self.state,
        }
    }
}

/// The numbers of a tensor.
pub(super) fn old_values(of: &Constructed, entry: &Entry) -> Vec<f64> {
    let arena = match entry.role {
        Role::RunningMean | Role::RunningVar => &of.state,
        _ => &of.parameters,
    };
    entry.slot.of(arena).to_vec()
}
