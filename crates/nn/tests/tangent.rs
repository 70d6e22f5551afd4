//! Derivatives at the engine's speed against the reference's, which computes them in f64 on dual
//! numbers.

mod support;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::loss::{Batch, Loss, TargetsRef};
use reslab_nn::network::{Activation, Block, Layer, Network, Op, Shape};
use reslab_nn::noise::Noise;
use reslab_nn::reference::derivatives::{self, Hvp};
use reslab_nn::reference::{Direction, Mode, Part, Problem, Scalar, lift, tensor};
use reslab_nn::tangent::{TangentError, Tangents};
use support::cases::draw;
use support::models::any_model;

/// A network with numbers to linearise it at.
struct Case {
    network: Network,
    parameters: Vec<f32>,
    state: Vec<f32>,
    inputs: Vec<f32>,
    classes: Vec<u32>,
    direction: Vec<f32>,
}

fn numbers(count: usize, seed: u64, index: u64) -> Vec<f32> {
    let wide = draw(seed, index, count);
    wide.into_iter().map(|v| v as f32).collect()
}

impl Case {
    fn new(network: &Network, len: usize, seed: u64) -> Self {
        let mut parameters = initialize(network, &InitSettings::default(), seed);
        // Biases and the norms' weights leave their special values.
        let noise = numbers(parameters.len(), seed, 1);
        let moved = parameters.iter_mut().zip(noise);
        moved.for_each(|(p, noise)| *p += 0.05 * noise);
        let mut state = network.layout.initial_state();
        let noise = numbers(state.len(), seed, 2);
        let moved = state.iter_mut().zip(noise);
        moved.for_each(|(s, noise)| *s += 0.2 * noise.tanh());
        Self {
            inputs: numbers(len * network.input.len(), seed, 3),
            classes: (0..len)
                .map(|i| ((i * 7 + i / 3) % network.outputs) as u32)
                .collect(),
            direction: numbers(parameters.len(), seed, 4),
            network: network.clone(),
            parameters,
            state,
        }
    }

    fn batch(&self) -> Batch<'_> {
        Batch {
            inputs: &self.inputs,
            targets: TargetsRef::Classes(&self.classes),
            len: self.classes.len(),
            noise: Noise::default(),
        }
    }

    fn reference<S: Scalar>(&self, mode: Mode, loss: &Loss) -> Hvp<S> {
        let problem = Problem {
            network: &self.network,
            state: &lift(&self.state),
            mode,
            noise: Noise::default(),
            inputs: &tensor(&self.inputs, self.network.input).unwrap(),
            targets: TargetsRef::Classes(&self.classes),
            loss: *loss,
        };
        let direction = lift(&self.direction);
        let direction = Direction {
            parameters: Some(&direction[..]),
            inputs: None,
        };
        derivatives::hvp(&problem, &lift::<S>(&self.parameters), direction).unwrap()
    }

    /// Loss, gradient and product.
    fn products(&self, mode: Mode, loss: &Loss) -> (f64, Vec<f32>, Vec<f32>) {
        let mut tangents = Tangents::new(&self.network, mode).unwrap();
        let found = tangents
            .linearise_loss(&self.parameters, &self.state, &self.batch(), loss)
            .unwrap();
        let mut product = vec![f32::NAN; self.parameters.len()];
        tangents.hvp(&self.direction, &mut product);
        let mean = found.loss_sum / self.classes.len() as f64;
        (mean, tangents.gradient().to_vec(), product)
    }

    fn assert_products(&self, mode: Mode, loss: &Loss) {
        let (mean, gradient, product) = self.products(mode, loss);
        let exact = self.reference::<f64>(mode, loss);
        let near = self.reference::<f32>(mode, loss);
        let name = format!("{} {mode:?}", self.network.name);
        let what = format!("{name}: loss");
        assert_near(&what, &[mean as f32], &[exact.loss], &[near.loss]);
        let what = format!("{name}: gradient");
        assert_near(&what, &gradient, &exact.gradient, &near.gradient);
        let what = format!("{name}: product");
        assert_near(&what, &product, &exact.parameters, &near.parameters);
    }

    /// Products with the Jacobian of the outputs with respect to the inputs, both ways.
    fn assert_jacobian(&self, mode: Mode) {
        let len = self.classes.len();
        let mut tangents = Tangents::new(&self.network, mode).unwrap();
        let outputs = tangents
            .linearise(&self.parameters, &self.state, &self.inputs)
            .to_vec();
        let input_tangents = numbers(self.inputs.len(), 5, len as u64);
        let mut found = vec![f32::NAN; outputs.len()];
        let (moved, want) = self.part_jvp::<f64>(mode, &input_tangents);
        let (moved_near, near) = self.part_jvp::<f32>(mode, &input_tangents);
        let name = format!("{} {mode:?}", self.network.name);
        assert_near(&format!("{name}: outputs"), &outputs, &moved, &moved_near);
        tangents.jvp(Some(&input_tangents), None, &mut found);
        assert_near(&format!("{name}: J v"), &found, &want, &near);

        let cotangents = numbers(outputs.len(), 6, len as u64);
        let mut gradients = vec![f32::NAN; self.inputs.len()];
        tangents.vjp(&cotangents, &mut gradients);
        let want = self.part_vjp::<f64>(mode, &cotangents);
        let near = self.part_vjp::<f32>(mode, &cotangents);
        assert_near(&format!("{name}: Jᵀ u"), &gradients, &want, &near);
        // A product forgets what came before.
        let mut again = vec![f32::NAN; outputs.len()];
        tangents.jvp(Some(&input_tangents), None, &mut again);
        assert_eq!(again, found, "{name}");
    }

    fn part_jvp<S: Scalar>(&self, mode: Mode, input_tangents: &[f32]) -> (Vec<S>, Vec<S>) {
        let input = self.network.input;
        let (output, tangent) = derivatives::part_jvp::<S>(
            (&self.network, Part::whole(&self.network)),
            (&lift(&self.parameters), &lift(&self.state)),
            mode,
            &tensor(&self.inputs, input).unwrap(),
            &tensor(input_tangents, input).unwrap(),
        )
        .unwrap();
        (
            output.iter().copied().collect(),
            tangent.iter().copied().collect(),
        )
    }

    fn part_vjp<S: Scalar>(&self, mode: Mode, cotangents: &[f32]) -> Vec<S> {
        let input = self.network.input;
        let output = match self.network.block_shapes().unwrap().last() {
            Some((_, output)) if self.network.head.is_empty() => *output,
            _ => Shape::vector(self.network.outputs),
        };
        let (_, gradients) = derivatives::part_vjp::<S>(
            (&self.network, Part::whole(&self.network)),
            (&lift(&self.parameters), &lift(&self.state)),
            mode,
            &tensor(&self.inputs, input).unwrap(),
            &tensor(cotangents, output).unwrap(),
        )
        .unwrap();
        gradients.input.iter().copied().collect()
    }
}

/// Near in norm: to a part in a hundred thousand, or as near as the reference itself comes in f32,
/// where a network amplifies rounding.
fn assert_near<S: Scalar>(what: &str, got: &[f32], want: &[f64], rounded: &[S]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let scale = norm(&mut want.iter().copied());
    let error = norm(&mut got.iter().zip(want).map(|(&g, w)| f64::from(g) - w));
    let rounding = norm(&mut rounded.iter().zip(want).map(|(r, w)| r.to_f64() - w));
    if std::env::var("PRINT_ERRORS").is_ok() {
        println!(
            "{what}: {:.1e} (f32 {:.1e})",
            error / scale,
            rounding / scale
        );
    }
    assert!(
        error <= 1e-5 * scale + 8.0 * rounding,
        "{what}: off by {error}, of {scale}; the reference in f32 is off by {rounding}"
    );
}

fn layers_mut(network: &mut Network) -> impl Iterator<Item = &mut Layer> {
    let blocks = network.blocks.iter_mut().flat_map(Block::layers_mut);
    network
        .stem
        .iter_mut()
        .chain(blocks)
        .chain(&mut network.head)
}

/// The network without dropout and stochastic depth.
fn without_noise(mut network: Network) -> Network {
    for layer in layers_mut(&mut network) {
        if let Op::Dropout(dropout) = &mut layer.op {
            dropout.rate = 0.0;
        }
    }
    for block in &mut network.blocks {
        block.survival = None;
    }
    network
}

/// The network with tanh for ReLU: it has derivatives everywhere.
fn without_kinks(mut network: Network) -> Network {
    for layer in layers_mut(&mut network) {
        if let Op::Activation(activation @ Activation::Relu) = &mut layer.op {
            *activation = Activation::Tanh;
        }
    }
    network
}

fn model(text: &str) -> ModelSettings {
    serde_json::from_str(text).unwrap()
}

fn network(text: &str, input: Shape) -> Network {
    build(&model(text), input, 10).unwrap()
}

const SMALL: Shape = Shape {
    channels: 3,
    height: 9,
    width: 8,
};

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

#[test]
fn the_hessian_is_symmetric_and_linear() {
    let network = without_kinks(network(r#"{"name": "resnet14", "width": 8}"#, SMALL));
    let case = Case::new(&network, 37, 6);
    let other = numbers(case.parameters.len(), 6, 7);
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b);
        products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    for mode in [Mode::Evaluation, Mode::Training] {
        let mut tangents = Tangents::new(&network, mode).unwrap();
        let loss = Loss::default();
        tangents
            .linearise_loss(&case.parameters, &case.state, &case.batch(), &loss)
            .unwrap();
        let mut product = |direction: &[f32]| {
            let mut product = vec![f32::NAN; direction.len()];
            tangents.hvp(direction, &mut product);
            product
        };
        let (of_one, of_other) = (product(&case.direction), product(&other));
        let (there, back) = (dot(&other, &of_one), dot(&case.direction, &of_other));
        let scale = dot(&of_one, &of_one).sqrt() * dot(&other, &other).sqrt();
        assert!(
            (there - back).abs() < 1e-6 * scale,
            "{mode:?}: {there} {back}"
        );
        let mixed: Vec<f32> = case
            .direction
            .iter()
            .zip(&other)
            .map(|(a, b)| 2.0 * a - 0.5 * b)
            .collect();
        let want: Vec<f64> = of_one
            .iter()
            .zip(&of_other)
            .map(|(&a, &b)| 2.0 * f64::from(a) - 0.5 * f64::from(b))
            .collect();
        assert_near("a linear map", &product(&mixed), &want, &want);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let gated = r#"{"depth": 8, "width": 4, "shortcut": "exclusive-gate"}"#;
    let pooled = r#"{"name": "resnet18", "width": 4}"#;
    let fully = r#"{"name": "fc-resnet4", "width": 24}"#;
    for (text, mode, len) in [
        (gated, Mode::Training, 75),
        (pooled, Mode::Evaluation, 33),
        (r#"{"name": "resnet8", "width": 16}"#, Mode::Training, 75),
        (r#"{"name": "resnet8", "width": 16}"#, Mode::Evaluation, 70),
        (fully, Mode::Training, 100),
    ] {
        let network = network(text, SMALL);
        let case = Case::new(&network, len, 8);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let found = case.products(mode, &Loss::default());
                let mut tangents = Tangents::new(&network, mode).unwrap();
                tangents.linearise(&case.parameters, &case.state, &case.inputs);
                let mut outputs = vec![0.0; len * 10];
                tangents.jvp(Some(&case.inputs), None, &mut outputs);
                let mut inputs = vec![0.0; case.inputs.len()];
                tangents.vjp(&outputs, &mut inputs);
                (found, outputs, inputs)
            })
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert!(run(threads) == one, "{text}: {threads} threads");
        }
    }
}

#[test]
fn a_point_leaves_nothing_behind_for_the_next() {
    let network = network(r#"{"name": "resnet8", "width": 8}"#, SMALL);
    let (long, short) = (Case::new(&network, 50, 1), Case::new(&network, 21, 2));
    for mode in [Mode::Evaluation, Mode::Training] {
        let want = short.products(mode, &Loss::default());
        let mut used = Tangents::new(&network, mode).unwrap();
        let mut found = None;
        for case in [&long, &short] {
            let loss = Loss::default();
            let result = used
                .linearise_loss(&case.parameters, &case.state, &case.batch(), &loss)
                .unwrap();
            let mut product = vec![f32::NAN; case.parameters.len()];
            used.hvp(&case.direction, &mut product);
            // Other products at the point change nothing.
            let cotangents = vec![1.0; used.outputs().len()];
            used.vjp(&cotangents, &mut vec![0.0; case.inputs.len()]);
            let mut again = vec![f32::NAN; case.parameters.len()];
            used.hvp(&case.direction, &mut again);
            assert!(product == again, "{mode:?}");
            let mean = result.loss_sum / case.classes.len() as f64;
            found = Some((mean, used.gradient().to_vec(), product));
        }
        assert!(found == Some(want), "{mode:?}");
    }
}

#[test]
fn noise_of_training_is_refused_by_its_place() {
    let dropped = network(
        r#"{"depth": 8, "width": 4, "stochastic_depth": 0.5}"#,
        SMALL,
    );
    let refused = Tangents::new(&dropped, Mode::Training).err();
    let Some(TangentError::Noise { place }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        dropped.blocks.iter().any(|block| block.name == place),
        "{place}"
    );
    assert!(Tangents::new(&dropped, Mode::Evaluation).is_ok());
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let network = network(r#"{"name": "resnet8", "width": 4}"#, SMALL);
    let case = Case::new(&network, 5, 1);
    let mut tangents = Tangents::new(&network, Mode::Evaluation).unwrap();
    for classes in [&[0, 1][..], &[0, 1, 2, 3, 10]] {
        let batch = Batch {
            targets: TargetsRef::Classes(classes),
            ..case.batch()
        };
        let found =
            tangents.linearise_loss(&case.parameters, &case.state, &batch, &Loss::default());
        assert!(matches!(found, Err(TangentError::Shape(_))), "{found:?}");
    }
}
