//! Makes layers and allots their slots, in the order of execution.

use super::{Activation, BatchNorm, Conv2d, Entry, Layer, Layout, Linear, Op, Role, Slot};

/// ε of every batch norm, PyTorch's default.
pub const NORM_EPSILON: f64 = 1e-5;
/// Weight of the newest batch in the running statistics, PyTorch's default.
pub const NORM_MOMENTUM: f64 = 0.1;

/// The settings of a convolution, before it has slots.
#[derive(Debug, Clone, Copy)]
pub struct ConvSettings {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step in rows and columns.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
    /// Groups of channels convolved apart; divides both numbers of channels.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

/// Allots slots while a family lists its layers.
#[derive(Debug, Default)]
pub struct Builder {
    layout: Layout,
    block: Option<usize>,
}

impl Builder {
    /// An empty layout, outside of any block.
    pub fn new() -> Self {
        Self::default()
    }

    /// What follows belongs to this block, or to stem or head.
    pub fn enter(&mut self, block: Option<usize>) {
        self.block = block;
    }

    /// A convolution.
    pub fn conv(&mut self, name: &str, settings: ConvSettings) -> Layer {
        let ConvSettings {
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            groups,
            bias,
        } = settings;
        let shape = vec![out_channels, in_channels / groups, kernel, kernel];
        let weight = self.parameter(name, "weight", Role::ConvWeight, shape);
        let bias = bias.then(|| self.parameter(name, "bias", Role::Bias, vec![out_channels]));
        let op = Op::Conv2d(Conv2d {
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            groups,
            weight,
            bias,
        });
        Layer {
            name: name.to_owned(),
            op,
        }
    }

    /// A batch normalisation with PyTorch's ε and momentum.
    pub fn batch_norm(&mut self, name: &str, channels: usize) -> Layer {
        let op = Op::BatchNorm(BatchNorm {
            channels,
            epsilon: NORM_EPSILON,
            momentum: NORM_MOMENTUM,
            weight: self.parameter(name, "weight", Role::NormWeight, vec![channels]),
            bias: self.parameter(name, "bias", Role::NormBias, vec![channels]),
            running_mean: self.statistic(name, "running_mean", Role::RunningMean, channels),
            running_var: self.statistic(name, "running_var", Role::RunningVar, channels),
            frozen: false,
        });
        Layer {
            name: name.to_owned(),
            op,
        }
    }

    /// A linear layer.
    pub fn linear(&mut self, name: &str, inputs: usize, outputs: usize, bias: bool) -> Layer {
        let weight = self.parameter(name, "weight", Role::LinearWeight, vec![outputs, inputs]);
        let bias = bias.then(|| self.parameter(name, "bias", Role::Bias, vec![outputs]));
        let op = Op::Linear(Linear {
            in_features: inputs,
            out_features: outputs,
            weight,
            bias,
        });
        Layer {
            name: name.to_owned(),
            op,
        }
    }

    /// Says that the residual branch just listed ends here: marks its last γ, or its last
    /// weight where it has no batch norm.
    pub fn end_branch(&mut self) {
        let block = self.block;
        let entries = &mut self.layout.parameters;
        let last = |role: &dyn Fn(Role) -> bool| {
            entries
                .iter()
                .rposition(|e| e.block == block && role(e.role))
        };
        let norm = last(&|role| role == Role::NormWeight);
        let weight = last(&|role| matches!(role, Role::ConvWeight | Role::LinearWeight));
        if let Some(index) = norm.or(weight) {
            entries[index].ends_branch = true;
        }
    }

    /// Parameters allotted so far; stops at `usize::MAX`.
    pub fn parameter_count(&self) -> usize {
        self.layout
            .parameters
            .last()
            .map_or(0, |e| e.slot.offset.saturating_add(e.slot.len))
    }

    /// The layout of all layers made.
    pub fn finish(self) -> Layout {
        self.layout
    }

    fn parameter(&mut self, layer: &str, part: &str, role: Role, shape: Vec<usize>) -> Slot {
        push(
            &mut self.layout.parameters,
            self.block,
            format!("{layer}.{part}"),
            role,
            shape,
        )
    }

    fn statistic(&mut self, layer: &str, part: &str, role: Role, channels: usize) -> Slot {
        push(
            &mut self.layout.state,
            self.block,
            format!("{layer}.{part}"),
            role,
            vec![channels],
        )
    }
}

/// An elementwise layer; it has no parameters.
pub fn activation(name: &str, activation: Activation) -> Layer {
    Layer {
        name: name.to_owned(),
        op: Op::Activation(activation),
    }
}

fn push(
    entries: &mut Vec<Entry>,
    block: Option<usize>,
    name: String,
    role: Role,
    shape: Vec<usize>,
) -> Slot {
    // Absurd sizes must reach the family's own check as a number, not as an overflow.
    let len = shape.iter().copied().fold(1, usize::saturating_mul);
    let offset = entries
        .last()
        .map_or(0, |e| e.slot.offset.saturating_add(e.slot.len));
    let slot = Slot { offset, len };
    entries.push(Entry {
        name,
        block,
        role,
        shape,
        slot,
        ends_branch: false,
    });
    slot
}
