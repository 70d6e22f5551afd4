//! Makes layers and allots their slots, in the order of execution.

use super::{
    Activation, BatchNorm, Conv2d, Dropout, Entry, Layer, Layout, Linear, MaxPool, Op, Role, Slot,
    SubsamplePad, Survival,
};

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
    streams: u64,
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

    /// A convolution with a bias that starts at `start`: the logits of a gate.
    pub fn gate(&mut self, name: &str, settings: ConvSettings, start: f64) -> Layer {
        let layer = self.conv(
            name,
            ConvSettings {
                bias: true,
                ..settings
            },
        );
        if let Some(bias) = self.layout.parameters.last_mut() {
            bias.start = start;
        }
        layer
    }

    /// A dropout with a random stream of its own.
    pub fn dropout(&mut self, name: &str, rate: f64) -> Layer {
        let stream = self.stream();
        layer(name, Op::Dropout(Dropout { rate, stream }))
    }

    /// Survival of a block's branches, with a random stream of its own; `None` if it is certain.
    pub fn survival(&mut self, probability: f64) -> Option<Survival> {
        let stream = self.stream();
        (probability < 1.0).then_some(Survival {
            probability,
            stream,
        })
    }

    fn stream(&mut self) -> u64 {
        self.streams += 1;
        self.streams
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

    /// Says that the residual branch just listed ends here: marks what it ends with, the γ of a
    /// batch norm or else a weight.
    pub fn end_branch(&mut self) {
        let block = self.block;
        let weighs = |role| {
            matches!(
                role,
                Role::NormWeight | Role::ConvWeight | Role::LinearWeight
            )
        };
        let entries = &mut self.layout.parameters;
        let last = entries
            .iter_mut()
            .rfind(|e| e.block == block && weighs(e.role));
        if let Some(entry) = last {
            entry.ends_branch = true;
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

/// A layer without parameters.
pub fn layer(name: &str, op: Op) -> Layer {
    Layer {
        name: name.to_owned(),
        op,
    }
}

/// An elementwise nonlinearity.
pub fn activation(name: &str, activation: Activation) -> Layer {
    layer(name, Op::Activation(activation))
}

/// The max pooling of ImageNet stems: 3×3 windows, every second pixel, one pixel of padding.
pub fn stem_pool(name: &str) -> Layer {
    let (kernel, stride, padding) = (3, 2, 1);
    layer(
        name,
        Op::MaxPool(MaxPool {
            kernel,
            stride,
            padding,
        }),
    )
}

/// Option A from `input` to `output` channels, the new ones half before and half after the old.
pub fn option_a(name: &str, input: usize, output: usize, stride: usize) -> Layer {
    let new = output.saturating_sub(input);
    layer(
        name,
        Op::SubsamplePad(SubsamplePad {
            stride,
            pad_before: new / 2,
            pad_after: new - new / 2,
        }),
    )
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
        start: 0.0,
    });
    slot
}
