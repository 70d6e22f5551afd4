//! A linear layer or convolution with the batch norm after it, as one affine map, and putting such
//! maps together.

use super::{ConstructError, Constructed};
use crate::network::{Layer, Op};

/// `y = W * x + b`, where `*` is a matrix product or, with `taps` = k², a convolution that keeps the
/// size of images. `weight` is `(outputs, inputs, taps)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    pub inputs: usize,
    pub outputs: usize,
    pub taps: usize,
    pub weight: Vec<f64>,
    pub bias: Vec<f64>,
    pub is_convolution: bool,
}

impl Affine {
    /// Of the layer, in evaluation.
    pub fn of(layer: &Layer, numbers: &Constructed) -> Result<Self, ConstructError> {
        let (inputs, outputs, taps, weight, bias, is_convolution) = match &layer.op {
            Op::Linear(linear) => (
                linear.in_features,
                linear.out_features,
                1,
                linear.weight,
                linear.bias,
                false,
            ),
            Op::Conv2d(conv)
                if conv.groups == 1 && conv.stride == 1 && conv.kernel == 2 * conv.padding + 1 =>
            {
                let taps = conv.kernel * conv.kernel;
                (
                    conv.in_channels,
                    conv.out_channels,
                    taps,
                    conv.weight,
                    conv.bias,
                    true,
                )
            }
            _ => {
                return Err(ConstructError::Layer {
                    layer: layer.name.clone(),
                    found: "no linear layer and no convolution without groups and stride",
                    known: "these, batch norm after them, and ReLU",
                });
            }
        };
        let arena = &numbers.parameters;
        Ok(Self {
            inputs,
            outputs,
            taps,
            weight: weight.of(arena).to_vec(),
            bias: bias.map_or_else(|| vec![0.0; outputs], |bias| bias.of(arena).to_vec()),
            is_convolution,
        })
    }

    /// With a batch norm after it, in evaluation.
    pub fn then_norm(mut self, norm: &crate::network::BatchNorm, numbers: &Constructed) -> Self {
        let (gamma, beta) = (
            norm.weight.of(&numbers.parameters),
            norm.bias.of(&numbers.parameters),
        );
        let (mean, var) = (
            norm.running_mean.of(&numbers.state),
            norm.running_var.of(&numbers.state),
        );
        let row = self.inputs * self.taps;
        for channel in 0..self.outputs {
            let scale = gamma[channel] / (var[channel] + norm.epsilon).sqrt();
            for weight in &mut self.weight[channel * row..(channel + 1) * row] {
                *weight *= scale;
            }
            self.bias[channel] = beta[channel] + scale * (self.bias[channel] - mean[channel]);
        }
        self
    }

    /// Zeros, of the kind of `like`.
    pub fn zeros(like: &Affine, inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            taps: like.taps,
            weight: vec![0.0; inputs * outputs * like.taps],
            bias: vec![0.0; outputs],
            is_convolution: like.is_convolution,
        }
    }

    /// Writes `other` into the rows from `output` and the columns from `input` on.
    pub fn put(&mut self, other: &Affine, output: usize, input: usize) {
        for row in 0..other.outputs {
            let from = row * other.inputs * other.taps;
            let to = ((output + row) * self.inputs + input) * self.taps;
            let len = other.inputs * other.taps;
            self.weight[to..to + len].copy_from_slice(&other.weight[from..from + len]);
            self.bias[output + row] = other.bias[row];
        }
    }

    /// Adds `factor` times the identity of `channels` from `output` and `input` on.
    pub fn add_identity(&mut self, channels: usize, output: usize, input: usize, factor: f64) {
        for channel in 0..channels {
            let row = (output + channel) * self.inputs + input + channel;
            self.weight[row * self.taps + self.taps / 2] += factor;
        }
    }
}
