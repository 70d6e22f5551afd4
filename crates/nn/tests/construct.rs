//! Networks built to equal others: in f64 on the reference, in f32 on the engine, and cases in which
//! they must not be equal.

use ndarray::Array4;
use reslab_nn::construct::{ConstructError, Constructed, deeper, residual_equal};
use reslab_nn::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize, named};
use reslab_nn::network::{Activation, Layer, Network, Op, Role, Shape};
use reslab_nn::random::{Purpose, normal, stream, uniform};
use reslab_nn::reference::{self, Mode, Part, Tensor};

/// A network with drawn parameters, biases, and running statistics as after some training.
fn drawn(settings: &ModelSettings, input: Shape, seed: u64) -> Constructed {
    let network = build(settings, input, 4).expect("a small network");
    let single = initialize(&network, &InitSettings::default(), seed);
    let mut parameters: Vec<f64> = reference::lift(&single);
    let mut state: Vec<f64> = reference::lift(&network.layout.initial_state());
    let mut rng = stream(seed, Purpose::Test, 0, 0);
    for entry in &network.layout.parameters {
        for value in entry.slot.of_mut(&mut parameters) {
            match entry.role {
                Role::Bias | Role::NormBias => *value = 0.3 * normal(&mut rng),
                Role::NormWeight => *value = 0.5 + uniform(&mut rng),
                _ => {}
            }
        }
    }
    for entry in &network.layout.state {
        for value in entry.slot.of_mut(&mut state) {
            *value = match entry.role {
                Role::RunningVar => 0.5 + uniform(&mut rng),
                _ => 0.3 * normal(&mut rng),
            };
        }
    }
    Constructed {
        network,
        parameters,
        state,
    }
}

fn inputs(shape: Shape, samples: usize, seed: u64) -> Tensor<f64> {
    let mut rng = stream(seed, Purpose::Test, 1, 0);
    Array4::from_shape_fn((samples, shape.height, shape.width, shape.channels), |_| {
        // Numbers that f32 holds, so that both executors see the same.
        f64::from(normal(&mut rng) as f32)
    })
}

fn outputs(of: &Constructed, inputs: &Tensor<f64>) -> Vec<f64> {
    let (parameters, state) = (&of.parameters, &of.state);
    reference::forward(&of.network, parameters, state, Mode::Evaluation, inputs)
        .expect("a network that fits")
        .output
        .into_iter()
        .collect()
}

/// Largest difference, against the largest number; of finite numbers.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|x| x.is_finite()));
    let largest = a.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f64::max) / largest
}

fn by_the_engine(of: &Constructed, inputs: &Tensor<f64>) -> Vec<f64> {
    let (parameters, state) = of.single();
    let values: Vec<f32> = inputs.iter().map(|&x| x as f32).collect();
    let samples = inputs.dim().0;
    let mut engine = Engine::for_evaluation(&of.network, samples).expect("a network that fits");
    let classes = vec![0; samples];
    let batch = Batch {
        inputs: &values,
        targets: TargetsRef::Classes(&classes),
        len: samples,
        noise: Noise::default(),
    };
    engine.evaluate(&parameters, &state, &batch, &Loss::default());
    engine.logits().iter().map(|&x| f64::from(x)).collect()
}

/// Plain networks of random sizes.
fn cases() -> Vec<(Constructed, Tensor<f64>)> {
    let mut cases = Vec::new();
    for seed in 0..6 {
        let mut rng = stream(seed, Purpose::Test, 2, 0);
        let mut pick =
            |from: usize, to: usize| from + (uniform(&mut rng) * (to - from) as f64) as usize;
        let connected = ModelSettings {
            depth: pick(1, 6),
            width: pick(3, 12),
            batch_norm: seed % 2 == 0,
            branch_layers: 1,
            ..named("fc-plain3").expect("a name")
        };
        let images = ModelSettings {
            depth: 6 * pick(1, 3) + 8,
            width: pick(2, 6),
            batch_norm: seed % 3 != 0,
            ..named("plain20").expect("a name")
        };
        let vector = Shape::vector(pick(2, 9));
        let image = Shape::new(3, 8, 8);
        cases.push((drawn(&connected, vector, seed), inputs(vector, 7, seed)));
        cases.push((drawn(&images, image, seed), inputs(image, 3, seed)));
    }
    cases
}

#[test]
fn a_deeper_network_equals_the_shallower_one() {
    for (shallow, inputs) in cases() {
        let name = &shallow.network.name;
        let expected = outputs(&shallow, &inputs);
        for added in [0, 1, 3] {
            let deep = deeper(&shallow, added).expect("a plain network");
            deep.network.check().expect("it fits");
            let stages = shallow.network.blocks.last().map_or(0, |b| b.stage + 1);
            let blocks = shallow.network.blocks.len() + stages * added;
            assert_eq!(deep.network.blocks.len(), blocks, "{name}");
            let found = difference(&expected, &outputs(&deep, &inputs));
            assert!(found < 1e-12, "{name}, {added} added: {found:e}");
            let found = difference(&expected, &by_the_engine(&deep, &inputs));
            assert!(found < 2e-5, "{name}, {added} added, f32: {found:e}");
        }
    }
}

#[test]
fn a_residual_network_equals_the_plain_one() {
    for (plain, inputs) in cases() {
        let name = &plain.network.name;
        let residual = residual_equal(&plain).expect("a plain network");
        residual.network.check().expect("it fits");
        let skips = residual.network.blocks.iter();
        let skips = skips.filter(|b| b.shortcut == reslab_nn::network::Shortcut::Identity);
        let keeping = plain.network.blocks.iter().filter(|b| !b.is_downsampling());
        assert_eq!(skips.count(), keeping.count(), "{name}");
        let expected = outputs(&plain, &inputs);
        let found = difference(&expected, &outputs(&residual, &inputs));
        assert!(found < 1e-12, "{name}: {found:e}");
        let found = difference(&expected, &by_the_engine(&residual, &inputs));
        assert!(found < 2e-5, "{name}, f32: {found:e}");
        // The theory's F is not small where H is not near the identity.
        assert!(residual.parameters.len() > plain.parameters.len());
    }
}

/// Blocks that end without a ReLU are given numbers of both signs, and none can be the identity.
#[test]
fn blocks_that_end_linearly_become_residual_and_not_deeper() {
    let settings = ModelSettings {
        depth: 3,
        width: 7,
        branch_layers: 2,
        ..named("fc-plain3").expect("a name")
    };
    let plain = drawn(&settings, Shape::vector(4), 5);
    let inputs = inputs(Shape::vector(4), 9, 5);
    let residual = residual_equal(&plain).expect("a plain network");
    let found = difference(&outputs(&plain, &inputs), &outputs(&residual, &inputs));
    assert!(found < 1e-12, "{found:e}");
    assert!(deeper(&plain, 1).is_err());
}

/// A deeper CIFAR network is the family's own, so that its weights can be loaded and trained.
#[test]
fn a_deeper_cifar_network_is_the_one_of_its_family() {
    let settings = |depth| ModelSettings {
        depth,
        width: 4,
        ..named("plain20").expect("a name")
    };
    let image = Shape::new(3, 8, 8);
    let deep = deeper(&drawn(&settings(20), image, 1), 2).expect("a plain network");
    let family = build(&settings(32), image, 4).expect("a network");
    assert_eq!(deep.network.layout, family.layout);
    assert_eq!(deep.network.blocks, family.blocks);
    assert_eq!(
        (&deep.network.stem, &deep.network.head),
        (&family.stem, &family.head)
    );
}

/// relu(I x) is x only where x is not negative: what the check must be able to see.
#[test]
fn an_identity_block_is_none_for_negative_numbers() {
    let settings = ModelSettings {
        width: 5,
        ..named("fc-plain3").expect("a name")
    };
    let deep = deeper(&drawn(&settings, Shape::vector(4), 0), 1).expect("a plain network");
    let last = deep.network.blocks.len() - 1;
    let through = |inputs: &Tensor<f64>| {
        let part = Part::blocks(last..last + 1);
        let (parameters, state) = (&deep.parameters, &deep.state);
        let mode = Mode::Evaluation;
        reference::forward_part(&deep.network, part, parameters, state, mode, inputs)
            .expect("it fits")
            .output
    };
    let any = inputs(Shape::vector(5), 6, 3);
    let found = difference(
        any.as_slice().expect("in order"),
        through(&any).as_slice().expect("in order"),
    );
    assert!(found > 0.1, "{found}");
    let no_negatives = any.mapv(f64::abs);
    assert_eq!(through(&no_negatives), no_negatives);
}

/// A block that may be given negative numbers carries both signs of x.
#[test]
fn negative_numbers_are_carried_by_two_units() {
    let settings = ModelSettings {
        width: 5,
        ..named("fc-plain2").expect("a name")
    };
    let mut plain = drawn(&settings, Shape::vector(4), 2);
    let linear_stem = |network: &mut Network| {
        let relu = |layer: &Layer| !matches!(layer.op, Op::Activation(Activation::Relu));
        network.stem.retain(relu);
    };
    let narrow = residual_equal(&plain).expect("a plain network");
    linear_stem(&mut plain.network);
    let wide = residual_equal(&plain).expect("a plain network");
    let inputs = inputs(Shape::vector(4), 9, 2);
    let expected = outputs(&plain, &inputs);
    let found = difference(&expected, &outputs(&wide, &inputs));
    assert!(found < 1e-12, "{found:e}");
    // With the unit for negative numbers missing the networks differ.
    let mut wrong = narrow;
    linear_stem(&mut wrong.network);
    let found = difference(&expected, &outputs(&wrong, &inputs));
    assert!(found > 1e-3, "{found:e}");
}

#[test]
fn what_cannot_be_built_is_refused_by_name() {
    let image = Shape::new(3, 8, 8);
    let of = |name: &str| {
        let settings = ModelSettings {
            width: 4,
            ..named(name).expect("a name")
        };
        drawn(&settings, image, 0)
    };
    let residual = of("resnet20");
    let expected = ConstructError::NotPlain {
        network: residual.network.name.clone(),
        block: "layer1.0".to_owned(),
    };
    assert_eq!(deeper(&residual, 1), Err(expected.clone()));
    assert_eq!(residual_equal(&residual), Err(expected));
    let message =
        |result: Result<Constructed, ConstructError>| result.expect_err("refused").to_string();
    assert!(message(deeper(&of("preact-plain20"), 1)).contains("negative numbers"));
    assert!(message(residual_equal(&of("preact-plain20"))).contains("layer1.0"));
    let tanh = ModelSettings {
        activation: Activation::Tanh,
        ..named("fc-plain3").expect("a name")
    };
    let tanh = drawn(&tanh, Shape::vector(3), 0);
    assert!(message(deeper(&tanh, 1)).contains("tanh"));
    assert!(message(residual_equal(&tanh)).contains("activation"));
}
