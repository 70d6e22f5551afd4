//! The two roads back through a block: together they are the block's whole backward.

use crate::support::cases::{Case, any_case};
use proptest::prelude::*;
use reslab_nn::network::Shortcut;
use reslab_nn::reference::{Tensor, derivatives::gradient};

fn distance(found: &Tensor<f64>, want: &Tensor<f64>) -> f64 {
    let size = want.iter().fold(1e-300_f64, |most, x| most.max(x.abs()));
    let off = (found - want)
        .iter()
        .fold(0.0_f64, |most, x| most.max(x.abs()));
    off / size
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_roads_are_the_whole_backward(settings in any_case()) {
        let case = Case::new(settings);
        let found = gradient(&case.problem(), &case.parameters).unwrap();
        let at = &found.gradients.block_outputs;
        for block in 1..case.network.blocks.len() {
            let itself = &case.network.blocks[block];
            if itself.gate.is_some() {
                continue;
            }
            let numbers = (&case.network, case.parameters.as_slice());
            let grad = &at[block];
            let both = found.pass.backward_by_roads(numbers, block, Some(grad), Some(grad));
            prop_assert!(distance(&both, &at[block - 1]) < 1e-12);
            // Each road takes its own gradient, and they add.
            let shortcut = found.pass.backward_by_roads(numbers, block, Some(grad), None);
            let branches = found.pass.backward_by_roads(numbers, block, None, Some(grad));
            prop_assert!(distance(&(&shortcut + &branches), &at[block - 1]) < 1e-12);
            if itself.shortcut == Shortcut::None {
                prop_assert!(shortcut.iter().all(|&x| x == 0.0));
            }
            if itself.shortcut == Shortcut::Identity && itself.pre.is_empty() && itself.post.is_empty() {
                prop_assert_eq!(&shortcut, grad);
            }
        }
    }
}
