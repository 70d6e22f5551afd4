//! The engine against the reference, in f64, tensor by tensor.

use proptest::prelude::*;

use super::*;
use crate::families::{Family, InitSettings, ModelSettings, build, initialize};
use crate::network::{Activation, Entry, Network, Shape};
use crate::reference::{Mode, Problem, derivatives, lift, tensor};

/// A network with numbers to run it on.
struct Case {
    network: Network,
    parameters: Vec<f32>,
    state: Vec<f32>,
    inputs: Vec<f32>,
    classes: Vec<u32>,
}

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (x >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

impl Case {
    fn new(network: Network, len: usize, seed: u64) -> Self {
        let mut parameters = initialize(&network, &InitSettings::default(), seed);
        // Biases and the norms' weights leave their special values.
        let noise = numbers(parameters.len(), seed ^ 7);
        parameters
            .iter_mut()
            .zip(noise)
            .for_each(|(p, n)| *p += 0.1 * n);
        let mut state = network.layout.initial_state();
        let noise = numbers(state.len(), seed ^ 5);
        state.iter_mut().zip(noise).for_each(|(s, n)| *s += 0.3 * n);
        let inputs = numbers(len * network.input.len(), seed ^ 3);
        let classes = (0..len)
            .map(|i| ((i * 7 + i / 3) % network.outputs) as u32)
            .collect();
        Self {
            network,
            parameters,
            state,
            inputs,
            classes,
        }
    }

    fn batch(&self) -> Batch<'_> {
        let targets = TargetsRef::Classes(&self.classes);
        Batch {
            inputs: &self.inputs,
            targets,
            len: self.classes.len(),
        }
    }

    fn step(&self, engine: &mut Engine, loss: &Loss) -> (BatchResult, Vec<f32>, Vec<f32>) {
        let mut state = self.state.clone();
        let mut gradient = vec![f32::NAN; self.parameters.len()];
        let batch = self.batch();
        let result = engine.step(&self.parameters, &mut state, &batch, loss, &mut gradient);
        (result, state, gradient)
    }

    /// Everything a step finds, and an evaluation's outputs, against the reference.
    fn assert_agrees(&self, loss: &Loss) {
        let name = &self.network.name;
        let mut engine = Engine::for_training(&self.network, self.classes.len()).unwrap();
        let (result, state, gradient) = self.step(&mut engine, loss);
        let (inputs, reference_state) = (
            tensor(&self.inputs, self.network.input).unwrap(),
            lift(&self.state),
        );
        let problem = |mode| Problem {
            network: &self.network,
            state: &reference_state,
            mode,
            inputs: &inputs,
            targets: TargetsRef::Classes(&self.classes),
            loss: *loss,
        };
        let parameters: Vec<f64> = lift(&self.parameters);
        let want = derivatives::gradient(&problem(Mode::Training), &parameters).unwrap();
        let mean = result.loss_sum / self.classes.len() as f64;
        assert!(
            (mean - want.loss).abs() <= 1e-4 * want.loss.abs(),
            "{name}: {mean} {}",
            want.loss
        );
        assert_eq!(result.wrong, want.wrong, "{name}");
        let outputs: Vec<f64> = want.pass.output.iter().copied().collect();
        assert_near(&format!("{name}: outputs"), engine.logits(), &outputs, 0.0);
        // Where a gradient cancels to nothing (a bias before a batch norm), rounding is judged by
        // the size of the others.
        let layout = &self.network.layout;
        let scale = want
            .gradients
            .parameters
            .iter()
            .fold(0f64, |m, g| m.max(g.abs()));
        let each = |entries: &[Entry], what: &str, got: &[f32], want: &[f64], floor: f64| {
            for entry in entries {
                let what = format!("{name}: {what} {}", entry.name);
                assert_near(&what, entry.slot.of(got), entry.slot.of(want), floor);
            }
        };
        let gradients = &want.gradients.parameters;
        each(
            &layout.parameters,
            "gradient of",
            &gradient,
            gradients,
            1e-2 * scale,
        );
        each(&layout.state, "state", &state, &want.pass.state, 0.1);
        let mut norms = Vec::new();
        engine.block_output_gradient_norms(&mut norms);
        let wanted: Vec<f64> = want
            .gradients
            .block_outputs
            .iter()
            .map(|g| g.iter().map(|x| x * x).sum::<f64>().sqrt())
            .collect();
        assert_eq!(norms.len(), wanted.len());
        for (block, (got, want)) in norms.iter().zip(&wanted).enumerate() {
            assert!(
                (got - want).abs() <= 1e-3 * want,
                "{name}: block {block}: {got}, not {want}"
            );
        }
        let result = engine.evaluate(&self.parameters, &self.state, &self.batch(), loss);
        let want = derivatives::gradient(&problem(Mode::Evaluation), &parameters).unwrap();
        let outputs: Vec<f64> = want.pass.output.iter().copied().collect();
        assert_near(
            &format!("{name}: evaluated"),
            engine.logits(),
            &outputs,
            0.0,
        );
        let mean = result.loss_sum / self.classes.len() as f64;
        assert!(
            (mean - want.loss).abs() <= 1e-4 * want.loss.abs(),
            "{name}: {mean} {}",
            want.loss
        );
    }
}

/// Equal to a part in ten thousand of the largest, or of `floor`.
fn assert_near(what: &str, got: &[f32], want: &[f64], floor: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(floor, |most, x| most.max(x.abs()));
    for (at, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(
            error <= 2e-4 * scale,
            "{what}[{at}] = {got}, not {want} (scale {scale})"
        );
    }
}

fn cifar(depth: usize, width: usize, residual: bool, batch_norm: bool) -> ModelSettings {
    ModelSettings {
        family: Family::Cifar,
        depth,
        width,
        residual,
        batch_norm,
        activation: Activation::Relu,
        branch_layers: 2,
    }
}

fn models() -> impl Strategy<Value = ModelSettings> {
    let activation = prop_oneof![
        Just(Activation::Relu),
        Just(Activation::Tanh),
        Just(Activation::Identity)
    ];
    let fully = (
        1usize..5,
        1usize..3,
        1usize..40,
        any::<bool>(),
        any::<bool>(),
        activation,
    );
    let fully = fully.prop_map(
        |(depth, branch_layers, width, residual, batch_norm, activation)| {
            let family = Family::FullyConnected;
            ModelSettings {
                family,
                depth,
                branch_layers,
                width,
                residual,
                batch_norm,
                activation,
            }
        },
    );
    let width = prop_oneof![Just(4usize), Just(8), Just(16)];
    let convolutional = (1usize..3, width, any::<bool>(), any::<bool>())
        .prop_map(|(n, width, residual, norm)| cifar(6 * n + 2, width, residual, norm));
    prop_oneof![fully, convolutional]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn steps_and_evaluations_agree_with_the_reference(
        model in models(),
        (channels, side) in (1usize..4, 4usize..9),
        len in 2usize..40,
        smoothing in prop_oneof![Just(0f32), Just(0.1)],
        squared in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let Ok(network) = build(&model, Shape::new(channels, side, side + 1), 5) else {
            return Ok(());
        };
        let loss = match squared {
            true => Loss::SquaredError,
            false => Loss::CrossEntropy { label_smoothing: smoothing },
        };
        Case::new(network, len, seed).assert_agrees(&loss);
    }
}

#[test]
fn lesioned_and_reordered_networks_agree_with_the_reference() {
    let network = build(&cifar(14, 8, true, true), Shape::new(3, 8, 8), 10).unwrap();
    for block in 0..network.blocks.len() {
        Case::new(network.without(block), 19, block as u64).assert_agrees(&Loss::default());
    }
    let reordered = network.reordered(&[1, 0, 2, 3, 4, 5]).unwrap();
    Case::new(reordered, 16, 3).assert_agrees(&Loss::default());
    Case::new(network.plain_twin(), 16, 3).assert_agrees(&Loss::default());
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let fully = ModelSettings {
        family: Family::FullyConnected,
        depth: 3,
        branch_layers: 2,
        width: 24,
        residual: true,
        batch_norm: true,
        activation: Activation::Tanh,
    };
    for (model, len) in [
        (cifar(8, 8, true, true), 75),
        (cifar(8, 4, true, false), 64),
        (fully, 100),
    ] {
        let network = build(&model, Shape::new(3, 8, 8), 10).unwrap();
        let case = Case::new(network, len, 1);
        let run = |threads: usize, max_batch: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut engine = Engine::for_training(&case.network, max_batch).unwrap();
                let (result, state, gradient) = case.step(&mut engine, &Loss::default());
                let mut norms = Vec::new();
                engine.block_output_gradient_norms(&mut norms);
                let logits = engine.logits().to_vec();
                let batch = case.batch();
                let found = engine.evaluate(&case.parameters, &state, &batch, &Loss::default());
                let evaluated = engine.logits().to_vec();
                (result, state, gradient, norms, logits, found, evaluated)
            })
        };
        let one = run(1, len);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, len), one, "{threads} threads");
        }
        assert_eq!(run(2, 4 * len), one, "an engine for larger batches");
        assert_eq!(run(2, 1), one, "an engine that had to grow");
    }
}

#[test]
fn a_batch_leaves_nothing_behind_for_the_next() {
    let network = build(&cifar(8, 8, true, true), Shape::new(1, 8, 8), 10).unwrap();
    let (long, short) = (
        Case::new(network.clone(), 50, 1),
        Case::new(network.clone(), 21, 2),
    );
    let mut fresh = Engine::for_training(&network, 50).unwrap();
    let want = short.step(&mut fresh, &Loss::default());
    let mut used = Engine::for_training(&network, 50).unwrap();
    long.step(&mut used, &Loss::default());
    assert_eq!(short.step(&mut used, &Loss::default()), want);
}

#[test]
fn responses_are_the_spread_of_each_layer() {
    let network = build(&cifar(8, 4, false, false), Shape::new(1, 6, 6), 3).unwrap();
    let case = Case::new(network, 20, 4);
    let mut engine = Engine::for_training(&case.network, 20).unwrap();
    case.step(&mut engine, &Loss::default());
    let responses = engine.responses();
    assert_eq!(responses.len(), 7);
    assert_eq!(
        (responses[0].layer.as_str(), responses[0].block),
        ("conv1", None)
    );
    assert_eq!(responses[6].block, Some(2));
    let part = crate::reference::Part {
        stem: true,
        blocks: 0..0,
        head: false,
    };
    let mut stem_only = case.network.clone();
    stem_only.stem.truncate(1);
    let inputs = tensor::<f64>(&case.inputs, case.network.input).unwrap();
    let pass = crate::reference::forward_part(
        &stem_only,
        part,
        &lift(&case.parameters),
        &lift(&case.state),
        Mode::Training,
        &inputs,
    )
    .unwrap();
    let mean = pass.output.mean().unwrap();
    let want = pass
        .output
        .mapv(|x| (x - mean).powi(2))
        .mean()
        .unwrap()
        .sqrt();
    assert!(
        (responses[0].std - want).abs() < 1e-5 * want,
        "{} {want}",
        responses[0].std
    );
}

#[test]
fn the_plan_of_a_resnet20_is_all_fused_direct_kernels() {
    let network = build(&cifar(20, 16, true, true), Shape::new(3, 32, 32), 10).unwrap();
    let engine = Engine::for_training(&network, 16).unwrap();
    let plan = engine.plan().to_string();
    let count = |what: &str| plan.matches(what).count();
    assert_eq!(count("direct convolution"), 19, "{plan}");
    assert_eq!(count("statistics fused"), 19, "{plan}");
    assert_eq!(count(": linear"), 1, "{plan}");
    // The last sum is read by the pool; the stem's output is stored by a sum of one term.
    assert_eq!(count("sum of 2 fused"), 6, "{plan}");
    assert_eq!(count("sum of 2 (subsampled) fused"), 2, "{plan}");
    assert_eq!(count("weight transposed"), 19, "{plan}");
    assert_eq!(count("weight in lanes"), 1, "{plan}");
    // One phase for each convolution forward and one backward, and the one the loss is in.
    assert_eq!(count("phase "), 39, "{plan}");
}
