//! What a run costs, in multiply-adds: to plan, to order the runs, to estimate the time.

use reslab_nn::network::shapes::{layer_output_shape, shortcut_shape};
use reslab_nn::network::{Layer, Network, Op, Shape, Shortcut};
use reslab_nn::train::TrainSettings;

/// Multiply-adds of one forward pass of one sample; convolutions and linear layers only.
pub fn forward_multiply_adds(network: &Network) -> f64 {
    let mut shape = network.input;
    let mut total = through(&network.stem, &mut shape);
    for block in &network.blocks {
        let input = shape;
        if let Shortcut::Layers(layers) = &block.shortcut {
            total += through(layers, &mut input.clone());
        }
        for branch in &block.branches {
            shape = input;
            total += through(branch, &mut shape);
        }
        if block.branches.is_empty()
            && let Ok(Some(around)) = shortcut_shape(&block.shortcut, input)
        {
            shape = around;
        }
        total += through(&block.post, &mut shape);
    }
    total + through(&network.head, &mut shape)
}

/// Multiply-adds of a whole run. A training step costs three forward passes (He et al. count one;
/// backward takes two more); every measured epoch one pass over both sets.
pub fn run_multiply_adds(
    network: &Network,
    settings: &TrainSettings,
    train_len: usize,
    test_len: usize,
) -> f64 {
    let epochs = settings.epochs as f64;
    let measured = 1.0 + (epochs / settings.evaluate_every.max(1) as f64).ceil();
    let samples = 3.0 * epochs * train_len as f64 + measured * (train_len + test_len) as f64;
    samples * forward_multiply_adds(network)
}

fn through(layers: &[Layer], shape: &mut Shape) -> f64 {
    let mut total = 0.0;
    for layer in layers {
        let Ok(after) = layer_output_shape(layer, *shape) else {
            return total;
        };
        total += match &layer.op {
            Op::Conv2d(conv) => {
                let window = conv.in_channels / conv.groups.max(1) * conv.kernel * conv.kernel;
                after.len() as f64 * window as f64
            }
            Op::Linear(linear) => linear.in_features as f64 * linear.out_features as f64,
            _ => 0.0,
        };
        *shape = after;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use reslab_nn::families::{build, named};

    #[test]
    fn resnet20_costs_what_the_literature_says() {
        // 41 million multiply-adds on CIFAR-10, as commonly reported.
        let settings = named("resnet20").unwrap_or_default();
        let network = build(&settings, Shape::new(3, 32, 32), 10);
        let cost = network
            .as_ref()
            .map(forward_multiply_adds)
            .unwrap_or(f64::NAN);
        assert!((40.0e6..41.5e6).contains(&cost), "{cost}");
    }

    #[test]
    fn a_fully_connected_network_is_counted_by_hand() {
        let settings = named("fc-plain3").unwrap_or_default();
        let network = build(&settings, Shape::vector(5), 7);
        let cost = network
            .as_ref()
            .map(forward_multiply_adds)
            .unwrap_or(f64::NAN);
        assert_eq!(cost, (5 * 64 + 3 * 64 * 64 + 64 * 7) as f64);
    }
}
