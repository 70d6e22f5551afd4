//! Jacobians of networks against backpropagation, masks and edited networks.

use reslab_nn::data::{DataName, DataSettings, Dataset, load};
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::network::{Network, Op, Shortcut};
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::{Mode, Part, Pass, Tensor, lift, tensor};

use super::agree;
use crate::jacobian::blocks::{Kind, Linearisation};
use crate::jacobian::matrix_free::{Operator, golub_kahan};
use crate::jacobian::split::{gradients, orders, split};
use reslab_dense::{self as dense, Matrix};

pub(super) fn digits() -> Dataset {
    let settings = DataSettings {
        name: DataName::Digits,
        train_limit: Some(60),
        test_limit: Some(20),
        ..DataSettings::default()
    };
    load(&settings).expect("digits are built in")
}

pub(super) fn network(settings: &str, dataset: &Dataset) -> Network {
    let settings: ModelSettings = serde_json::from_str(settings).expect("settings");
    build(&settings, dataset.shape, dataset.outputs).expect("a network")
}

/// Parameters and running statistics that are nothing special.
pub(super) fn numbers(network: &Network) -> (Vec<f32>, Vec<f32>) {
    let mut rng = random::stream(5, Purpose::Test, 0, 0);
    let mut disturb = |value: f32| value + 0.1 * random::normal(&mut rng) as f32;
    let parameters = initialize(network, &InitSettings::default(), 3);
    let parameters = parameters.into_iter().map(&mut disturb).collect();
    let state = network.layout.initial_state();
    let state = state.into_iter().map(|s| disturb(s).max(0.3)).collect();
    (parameters, state)
}

/// A network at some samples of the digits: what goes into each block, and a pass.
struct At {
    linear: Linearisation,
    between: Vec<Tensor<f64>>,
    pass: Pass<f64>,
}

fn at(settings: &str, mode: Mode, samples: usize) -> At {
    let dataset = digits();
    let network = network(settings, &dataset);
    let (parameters, state) = numbers(&network);
    let inputs = &dataset.test.inputs[..samples * network.input.len()];
    let input = tensor(inputs, network.input).expect("samples");
    let linear = Linearisation::new(network, lift(&parameters), lift(&state), mode);
    let stem = linear.run(Part::before(0), &input).expect("runs").output;
    let pass = linear
        .run(Part::from(&linear.network, 0), &stem)
        .expect("runs");
    let mut between = vec![stem];
    between.extend(pass.block_outputs.iter().cloned());
    At {
        linear,
        between,
        pass,
    }
}

/// A random cotangent at the outputs.
fn cotangent(pass: &Pass<f64>) -> Tensor<f64> {
    let mut rng = random::stream(8, Purpose::Test, 0, 1);
    pass.output.map(|_| random::normal(&mut rng))
}

fn flat(tensor: &Tensor<f64>) -> Vec<f64> {
    tensor.iter().copied().collect()
}

/// Agreement to a share of the largest.
fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let most = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let worst = worst.fold(0.0, f64::max);
    assert!(most > 0.0, "all is 0: the network is dead");
    assert!(worst <= tolerance * most, "{worst} of {most}");
}

/// At most ten blocks each.
const FAMILIES: [&str; 15] = [
    r#"{"family": "fully-connected", "depth": 10, "width": 16}"#,
    r#"{"family": "fully-connected", "depth": 10, "width": 16, "residual": false}"#,
    r#"{"family": "fully-connected", "depth": 5, "width": 8, "branch_layers": 2, "batch_norm": true, "activation": "tanh"}"#,
    r#"{"depth": 14, "width": 4}"#,
    r#"{"depth": 8, "width": 6, "residual": false}"#,
    r#"{"depth": 8, "width": 4, "placement": "pre-activation"}"#,
    r#"{"depth": 8, "width": 4, "shortcut": "C", "placement": "pre-activation"}"#,
    r#"{"depth": 11, "width": 4, "block": "bottleneck", "shortcut": "B"}"#,
    r#"{"depth": 8, "width": 4, "shortcut": "exclusive-gate"}"#,
    r#"{"depth": 8, "width": 4, "placement": "relu-before-addition", "stochastic_depth": 0.5}"#,
    r#"{"family": "wide", "depth": 10, "width": 4, "widen": 2}"#,
    r#"{"family": "imagenet", "depth": 18, "width": 8}"#,
    r#"{"family": "d2l", "width": 8}"#,
    r#"{"depth": 11, "width": 4, "block": "bottleneck", "cardinality": 2, "group_width": 32}"#,
    r#"{"depth": 8, "width": 4, "shortcut": "constant", "activation": "tanh", "batch_norm": false}"#,
];

#[test]
fn dense_factors_take_a_gradient_where_backpropagation_does() {
    for family in FAMILIES {
        let At {
            linear,
            between,
            pass,
        } = at(family, Mode::Evaluation, 1);
        let expected = gradients(&linear, &pass, &cotangent(&pass));
        let last = linear.network.blocks.len();
        let mut found = flat(&expected[last]);
        for block in (0..last).rev() {
            let maps = linear.all(block, &between[block]).expect("runs");
            let (_, whole) = maps.last().expect("a map");
            found = whole.apply_transposed(&found);
            close(&found, &flat(&expected[block]), 1e-12);
        }
    }
}

#[test]
fn with_batch_statistics_the_whole_batch_is_one_map() {
    for family in [
        r#"{"family": "fully-connected", "depth": 4, "width": 6, "batch_norm": true}"#,
        r#"{"depth": 8, "width": 1}"#,
    ] {
        let At {
            linear,
            between,
            pass,
        } = at(family, Mode::Training, 3);
        let expected = gradients(&linear, &pass, &cotangent(&pass));
        let last = linear.network.blocks.len();
        let mut found = flat(&expected[last]);
        for block in (0..last).rev() {
            let maps = linear.all(block, &between[block]).expect("runs");
            found = maps.last().expect("a map").1.apply_transposed(&found);
            close(&found, &flat(&expected[block]), 1e-12);
        }
    }
}

/// The short cuts (adding the identity, scaling rows by the outer derivative) against the maps as
/// they are.
#[test]
fn maps_of_a_block_agree_with_each_written_out() {
    for family in FAMILIES {
        let At {
            linear, between, ..
        } = at(family, Mode::Evaluation, 1);
        for block in [0, linear.network.blocks.len() - 1] {
            let input = &between[block];
            for (kind, map) in linear.all(block, input).expect("runs") {
                let alone = linear.dense(block, kind, input).expect("runs");
                close(map.values(), alone.values(), 1e-13);
            }
        }
    }
}

#[test]
fn linear_blocks_are_the_identity_plus_their_weight() {
    let family =
        r#"{"family": "fully-connected", "depth": 3, "width": 7, "activation": "identity"}"#;
    let At {
        linear, between, ..
    } = at(family, Mode::Evaluation, 1);
    for (block, input) in between.iter().take(3).enumerate() {
        let weight = weight(&linear, block);
        let maps = linear.all(block, input).expect("runs");
        assert_eq!(maps.len(), 2);
        close(maps[0].1.values(), weight.values(), 1e-15);
        let sum = Matrix::from_fn(7, 7, |i, j| weight.at(i, j) + f64::from(u8::from(i == j)));
        close(maps[1].1.values(), sum.values(), 1e-15);
    }
}

#[test]
fn relu_branches_are_their_weight_under_a_mask() {
    let family = r#"{"family": "fully-connected", "depth": 3, "width": 12, "residual": false}"#;
    let At {
        linear, between, ..
    } = at(family, Mode::Evaluation, 1);
    for block in 0..3 {
        let output = flat(&between[block + 1]);
        let active = output.iter().filter(|x| **x > 0.0).count();
        assert!(active > 0 && active < 12, "{active} units are active");
        let weight = weight(&linear, block);
        let masked = Matrix::from_fn(12, 12, |i, j| {
            if output[i] > 0.0 {
                weight.at(i, j)
            } else {
                0.0
            }
        });
        let maps = linear.all(block, &between[block]).expect("runs");
        assert_eq!(maps.iter().map(|m| m.0).collect::<Vec<_>>(), [Kind::Branch]);
        close(maps[0].1.values(), masked.values(), 1e-15);
    }
}

/// The weight of the linear layer of a fully connected block.
fn weight(linear: &Linearisation, block: usize) -> Matrix {
    let layers = linear.network.blocks[block].layers();
    let found = layers.filter_map(|layer| match &layer.op {
        Op::Linear(linear) => Some(linear.clone()),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    let weight = found[0].weight.of(&linear.parameters);
    let width = found[0].in_features;
    Matrix::from_fn(found[0].out_features, width, |i, j| weight[i * width + j])
}

#[test]
fn products_with_vectors_find_what_the_dense_map_has() {
    for (family, kind) in [
        (r#"{"depth": 8, "width": 2}"#, Kind::Block),
        (r#"{"depth": 8, "width": 2}"#, Kind::Branch),
        (r#"{"depth": 8, "width": 2}"#, Kind::Sum),
        (
            r#"{"depth": 8, "width": 2, "shortcut": "exclusive-gate"}"#,
            Kind::Sum,
        ),
        (
            r#"{"family": "fully-connected", "depth": 1, "width": 40, "activation": "tanh"}"#,
            Kind::Sum,
        ),
    ] {
        let At {
            linear, between, ..
        } = at(family, Mode::Evaluation, 1);
        let input = &between[0];
        let map = linear.dense(0, kind, input).expect("runs");
        let pass = linear.pass((0, 1), kind, input).expect("runs");
        let apply = |v: &[f64]| linear.apply((0, 1), kind, input, v);
        let back = |u: &[f64]| Ok(linear.apply_transposed((0, 1), kind, &pass, u));
        let operator = Operator {
            rows: map.rows(),
            columns: map.columns(),
            apply: &apply,
            apply_transposed: &back,
        };
        let mut rng = random::stream(2, Purpose::Test, 9, 0);
        let found = golub_kahan(&operator, map.columns(), &mut rng, &mut || Ok(()));
        let found = found.expect("goes on").values;
        let exact = dense::singular_values(&map).expect("finite");
        let n = exact.len();
        agree(&found[..10], &exact[..10], 1e-6);
        if kind == Kind::Sum {
            // The others have singular values of 0, whose relative error means nothing.
            agree(&found[n - 10..], &exact[n - 10..], 1e-6);
        }
        for (a, b) in found.iter().zip(&exact) {
            assert!((a - b).abs() < 1e-9 * exact[0]);
        }
    }
}

#[test]
fn orders_sum_to_the_whole_and_the_first_is_all_shortcuts() {
    for family in FAMILIES {
        let At { linear, pass, .. } = at(family, Mode::Evaluation, 1);
        let all = gradients(&linear, &pass, &cotangent(&pass));
        let last = linear.network.blocks.len();
        for (first, end) in [(0, last), (1, last), (0, 2), (1, 2)] {
            let found = split(&linear, &pass, (first, end), &all[end], &all[first]);
            let blocks = &linear.network.blocks[first..end];
            let splits = blocks
                .iter()
                .all(|b| b.shortcut != Shortcut::None && b.gate.is_none());
            assert_eq!(found.orders.is_some(), splits, "{family}");
            let Some(shares) = found.orders else { continue };
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{family}: {sum}");
            let parts = orders(&linear, &pass, (first, end), &all[end]).expect("splits");
            let sum = &parts[0] + &parts[1] + &parts[2];
            close(&flat(&sum), &flat(&all[first]), 1e-12);
            if end == first + 1 {
                assert!(
                    parts[2].iter().all(|x| *x == 0.0),
                    "one block has no order 2"
                );
            }
        }
    }
}

/// With clean shortcuts and nothing after the addition order 0 is the gradient itself, and order 1
/// is the sum of gradients through one branch's dense Jacobian.
#[test]
fn first_order_is_the_sum_over_branches() {
    let family = r#"{"family": "fully-connected", "depth": 6, "width": 10}"#;
    let At {
        linear,
        between,
        pass,
    } = at(family, Mode::Evaluation, 1);
    let all = gradients(&linear, &pass, &cotangent(&pass));
    let parts = orders(&linear, &pass, (0, 6), &all[6]).expect("splits");
    let start = flat(&all[6]);
    close(&flat(&parts[0]), &start, 1e-15);
    let mut sum = vec![0.0; 10];
    for (block, input) in between.iter().take(6).enumerate() {
        let branch = linear.dense(block, Kind::Branch, input).expect("runs");
        for (total, part) in sum.iter_mut().zip(branch.apply_transposed(&start)) {
            *total += part;
        }
    }
    close(&flat(&parts[1]), &sum, 1e-13);
}
