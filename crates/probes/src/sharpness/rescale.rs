//! The same function with other weights (Dinh, Pascanu, Bengio, Bengio 2017, section 4).
//!
//! In every branch the first convolution or linear layer is multiplied by α. Where a batch norm
//! follows it, running mean and variance are multiplied by α and α², and the output stays the same
//! up to the ε beside the variance. Where a ReLU (or nothing) and another layer follow, that one is
//! divided by α.

use reslab_nn::network::{Activation, Layer, Network, Op, Slot};

/// Where α goes in a branch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    weight: Slot,
    bias: Option<Slot>,
    after: After,
}

/// What undoes it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    /// Batch norm with this running mean and variance.
    Norm(Slot, Slot),
    /// A layer with this weight.
    Layer(Slot),
}

/// Whether there is anything to rescale.
pub(super) fn applies(network: &Network) -> bool {
    !places(network).is_empty()
}

/// Parameters and running statistics of the same function, rescaled by α.
pub(super) fn rescaled(
    network: &Network,
    (parameters, state): (&[f32], &[f32]),
    alpha: f64,
) -> (Vec<f32>, Vec<f32>) {
    let (mut parameters, mut state) = (parameters.to_vec(), state.to_vec());
    for place in places(network) {
        multiply(place.weight.of_mut(&mut parameters), alpha);
        if let Some(bias) = place.bias {
            multiply(bias.of_mut(&mut parameters), alpha);
        }
        match place.after {
            After::Norm(mean, variance) => {
                multiply(mean.of_mut(&mut state), alpha);
                multiply(variance.of_mut(&mut state), alpha * alpha);
            }
            After::Layer(weight) => multiply(weight.of_mut(&mut parameters), 1.0 / alpha),
        }
    }
    (parameters, state)
}

fn multiply(values: &mut [f32], factor: f64) {
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
}

fn places(network: &Network) -> Vec<Place> {
    let branches = network.blocks.iter().flat_map(|block| &block.branches);
    branches.filter_map(|branch| place(branch)).collect()
}

fn weighted(op: &Op) -> Option<(Slot, Option<Slot>)> {
    match op {
        Op::Conv2d(conv) => Some((conv.weight, conv.bias)),
        Op::Linear(linear) => Some((linear.weight, linear.bias)),
        _ => None,
    }
}

fn place(branch: &[Layer]) -> Option<Place> {
    let mut layers = branch.iter();
    let (weight, bias) = layers.find_map(|layer| weighted(&layer.op))?;
    for layer in layers {
        let after = match &layer.op {
            Op::BatchNorm(norm) => After::Norm(norm.running_mean, norm.running_var),
            // Positively homogeneous: α goes through.
            Op::Activation(Activation::Relu | Activation::Identity)
            | Op::Dropout(_)
            | Op::Scale(_) => continue,
            other => After::Layer(weighted(other)?.0),
        };
        return Some(Place {
            weight,
            bias,
            after,
        });
    }
    None
}
