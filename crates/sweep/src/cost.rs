//! What a run costs, in multiply-adds: to plan, to order the runs, to estimate the time.

use reslab_nn::network::Network;
use reslab_nn::network::census::census;
use reslab_nn::train::TrainSettings;
use reslab_nn::train::effective::residual_blocks;

/// Multiply-adds of one forward pass of one sample; convolutions and linear layers only. 0 for a
/// network whose shapes do not fit.
pub fn forward_multiply_adds(network: &Network) -> f64 {
    census(network).map_or(0.0, |census| census.multiply_adds as f64)
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
    // Nearly all of a network's work is in its branches.
    let trained = settings.blocks_per_step.map_or(1.0, |count| {
        (count as f64 / residual_blocks(network).max(1) as f64).min(1.0)
    });
    let samples =
        3.0 * trained * epochs * train_len as f64 + measured * (train_len + test_len) as f64;
    samples * forward_multiply_adds(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reslab_nn::families::{build, named};
    use reslab_nn::network::Shape;

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
