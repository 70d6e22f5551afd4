//! Products of networks of every family, edited ones too, against the reference.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use reslab_nn::families::build;
use reslab_nn::loss::{Batch, Loss, TargetsRef};
use reslab_nn::network::Shape;
use reslab_nn::noise::Noise;
use reslab_nn::reference::{Direction, Mode, Problem, derivatives, lift, tensor};
use reslab_nn::tangent::Tangents;

use super::support::models::any_model;
use super::{Case, SMALL, assert_near, network, numbers, without_kinks, without_noise};

proptest! {
    // Always the same cases: now and then a ReLU's input is so near 0 that f32 and f64 differ in its
    // sign, and then in more.
    #![proptest_config(ProptestConfig {
        cases: 160,
        rng_seed: RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn products_are_those_of_the_reference(
        model in any_model(),
        (channels, side) in (1usize..4, 4usize..9),
        len in 5usize..40,
        smoothing in prop_oneof![Just(0f32), Just(0.1)],
        (squared, smooth, training) in any::<(bool, bool, bool)>(),
        frozen in prop::option::of(0usize..7),
        seed in any::<u64>(),
    ) {
        let Ok(network) = build(&model, Shape::new(channels, side, side + 1), 5) else {
            return Ok(());
        };
        let network = if smooth { without_kinks(network) } else { network };
        let network = frozen.map_or(network.clone(), |blocks| network.with_frozen_norms(blocks));
        let loss = match squared {
            true => Loss::SquaredError,
            false => Loss::CrossEntropy { label_smoothing: smoothing },
        };
        let (mode, network) = match training {
            true => (Mode::Training, without_noise(network)),
            false => (Mode::Evaluation, network),
        };
        Case::new(&network, len, seed).assert_products(mode, &loss);
    }

    #[test]
    fn jacobians_of_parts_are_those_of_the_reference(
        model in any_model(),
        side in 5usize..9,
        len in 3usize..36,
        (first, count) in (0usize..4, 1usize..4),
        (smooth, training) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let Ok(network) = build(&model, Shape::new(3, side, side + 1), 5) else {
            return Ok(());
        };
        let network = if smooth { without_kinks(network) } else { network };
        let blocks = network.blocks.len();
        let from = (first > 0).then_some(first.min(blocks));
        let to = (first + count < blocks).then_some(first + count);
        let network = network.part(from, to).unwrap();
        let (mode, network) = match training {
            true => (Mode::Training, without_noise(network)),
            false => (Mode::Evaluation, network),
        };
        Case::new(&network, len, seed).assert_jacobian(mode);
    }
}

#[test]
fn the_kernels_by_tiles_and_of_large_images_are_right_too() {
    // Sixteen channels and more: 3×3 convolutions run by tiles, weight gradients transposed.
    let narrow = network(r#"{"name": "resnet8", "width": 16}"#, Shape::new(3, 13, 16));
    let bottleneck = network(
        r#"{"depth": 11, "block": "bottleneck", "cardinality": 2, "group_width": 64, "width": 16}"#,
        Shape::new(3, 12, 12),
    );
    for network in [narrow, bottleneck].map(without_kinks) {
        let case = Case::new(&network, 21, 1);
        for mode in [Mode::Evaluation, Mode::Training] {
            case.assert_products(mode, &Loss::default());
            case.assert_jacobian(mode);
        }
    }
}

#[test]
fn edited_networks_and_shared_parameters_are_right() {
    let network = without_kinks(network(r#"{"name": "resnet8", "width": 4}"#, SMALL));
    let mut twice = network.clone();
    for block in &mut twice.blocks {
        block.branches.push(block.branches[0].clone());
    }
    for network in [network.without(1), network.plain_twin(), twice] {
        let case = Case::new(&network, 17, 3);
        case.assert_products(Mode::Evaluation, &Loss::default());
        case.assert_products(Mode::Training, &Loss::default());
    }
}

#[test]
fn parameters_and_inputs_may_move_together() {
    let network = without_kinks(network(r#"{"name": "resnet8", "width": 4}"#, SMALL));
    let case = Case::new(&network, 19, 4);
    let input_tangents = numbers(case.inputs.len(), 4, 9);
    for mode in [Mode::Evaluation, Mode::Training] {
        let problem = Problem::<f64> {
            network: &network,
            state: &lift(&case.state),
            mode,
            noise: Noise::default(),
            inputs: &tensor(&case.inputs, network.input).unwrap(),
            targets: TargetsRef::Classes(&case.classes),
            loss: Loss::default(),
        };
        let along = tensor(&input_tangents, network.input).unwrap();
        let direction: Vec<f64> = lift(&case.direction);
        let mut tangents = Tangents::new(&network, mode).unwrap();
        tangents.linearise(&case.parameters, &case.state, &case.inputs);
        for (inputs, parameters) in [(true, true), (false, true)] {
            let along = Direction {
                parameters: parameters.then_some(&direction[..]),
                inputs: inputs.then_some(&along),
            };
            let want = derivatives::jvp(&problem, &lift(&case.parameters), along).unwrap();
            let mut found = vec![f32::NAN; want.outputs.len()];
            tangents.jvp(
                inputs.then_some(&input_tangents[..]),
                parameters.then_some(&case.direction[..]),
                &mut found,
            );
            let want: Vec<f64> = want.outputs_tangent.iter().copied().collect();
            assert_near::<f64>("J v", &found, &want, &want);
        }
    }
}

#[test]
fn values_as_targets_are_a_distribution() {
    let network = without_kinks(network(r#"{"name": "resnet8", "width": 4}"#, SMALL));
    let case = Case::new(&network, 18, 5);
    let values = numbers(18 * network.outputs, 5, 8);
    let targets = TargetsRef::Values(&values);
    let loss = Loss::CrossEntropy {
        label_smoothing: 0.2,
    };
    for loss in [loss, Loss::SquaredError] {
        let problem = Problem::<f64> {
            network: &network,
            state: &lift(&case.state),
            mode: Mode::Evaluation,
            noise: Noise::default(),
            inputs: &tensor(&case.inputs, network.input).unwrap(),
            targets,
            loss,
        };
        let along: Vec<f64> = lift(&case.direction);
        let direction = Direction {
            parameters: Some(&along[..]),
            inputs: None,
        };
        let want = derivatives::hvp(&problem, &lift(&case.parameters), direction).unwrap();
        let mut tangents = Tangents::new(&network, Mode::Evaluation).unwrap();
        let batch = Batch {
            targets,
            ..case.batch()
        };
        tangents
            .linearise_loss(&case.parameters, &case.state, &batch, &loss)
            .unwrap();
        let mut product = vec![f32::NAN; along.len()];
        tangents.hvp(&case.direction, &mut product);
        assert_near("H v", &product, &want.parameters, &want.parameters);
    }
}
