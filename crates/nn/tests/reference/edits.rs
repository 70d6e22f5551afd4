//! Edited networks compute what the edit says, on the very parameters of the network edited.

use crate::support::cases::{Case, CaseSettings, any_case};
use proptest::prelude::*;
use reslab_nn::network::Network;
use reslab_nn::reference::{Mode, Tensor, forward};

fn outputs(case: &Case, network: &Network, parameters: &[f64]) -> Tensor<f64> {
    let mode = Mode::Evaluation;
    forward(network, parameters, &case.state, mode, &case.inputs)
        .unwrap()
        .output
}

/// The case's parameters with every number of one block's branches set to zero.
fn with_zeroed_branch(case: &Case, block: usize) -> Vec<f64> {
    let mut parameters = case.parameters.clone();
    let branches = &case.network.blocks[block].branches;
    for layer in branches.iter().flatten() {
        let part = format!("{}.", layer.name);
        for entry in &case.network.layout.parameters {
            if entry.name.starts_with(&part) {
                entry.slot.of_mut(&mut parameters).fill(0.0);
            }
        }
    }
    parameters
}

fn residual(settings: CaseSettings) -> CaseSettings {
    let model = reslab_nn::families::ModelSettings {
        residual: true,
        ..settings.model
    };
    CaseSettings { model, ..settings }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    // With all of its numbers zero, a branch of any family puts out zero.
    #[test]
    fn dropping_a_block_is_zeroing_its_branch(settings in any_case(), pick in any::<usize>()) {
        let case = Case::new(residual(settings));
        let block = pick % case.network.blocks.len();
        let lesion = case.network.without(block);
        let expected = outputs(&case, &case.network, &with_zeroed_branch(&case, block));
        prop_assert_eq!(&outputs(&case, &lesion, &case.parameters), &expected);
        // The numbers of the dropped block are no longer read.
        let zeroed = with_zeroed_branch(&case, block);
        prop_assert_eq!(&outputs(&case, &lesion, &zeroed), &expected);
    }

    #[test]
    fn swapping_two_blocks_twice_changes_nothing(settings in any_case()) {
        let case = Case::new(settings);
        let blocks = &case.network.blocks;
        // Two neighbours of one stage that keep the shape.
        let keeps = |at: usize| !blocks[at].is_downsampling();
        let pair = (1..blocks.len())
            .find(|&at| blocks[at].stage == blocks[at - 1].stage && keeps(at) && keeps(at - 1));
        prop_assume!(pair.is_some());
        let at = pair.unwrap_or(0);
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.swap(at - 1, at);
        let swapped = case.network.reordered(&order).unwrap();
        prop_assert_eq!(&swapped.blocks[at - 1], &case.network.blocks[at]);
        prop_assert_eq!(&swapped.blocks[at], &case.network.blocks[at - 1]);
        prop_assert_eq!(&swapped.layout, &case.network.layout);
        prop_assert_eq!(swapped.reordered(&order).unwrap(), case.network.clone());
    }
}
