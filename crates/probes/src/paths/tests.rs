//! Orders against enumeration of all paths, closed forms and the ordinary gradient.

use reslab_nn::data::{DataName, DataSettings, Dataset, load};
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::network::{Activation, Network, Op};
use reslab_nn::random;
use reslab_nn::reference::{Mode, Part, Tensor, derivatives::part_vjp, forward, lift, tensor};
use reslab_nn::train::TrainSettings;

use super::binomial::shortest_range;
use super::profile::{Linearised, along, linearise, orders_of};
use super::summary::{fit, total_variation};
use super::*;

fn digits() -> Dataset {
    let settings = DataSettings {
        name: DataName::Digits,
        train_limit: Some(60),
        test_limit: Some(20),
        ..DataSettings::default()
    };
    load(&settings).expect("digits are built in")
}

fn network(settings: &str, dataset: &Dataset) -> Network {
    let settings: ModelSettings = serde_json::from_str(settings).expect("settings");
    build(&settings, dataset.shape, dataset.outputs).expect("a network")
}

/// Parameters and running statistics that are nothing special.
fn numbers(network: &Network) -> (Vec<f32>, Vec<f32>) {
    let mut rng = random::stream(5, Purpose::Test, 0, 0);
    let mut disturb = |value: f32| value + 0.1 * random::normal(&mut rng) as f32;
    let parameters = initialize(network, &InitSettings::default(), 3);
    let parameters = parameters.into_iter().map(&mut disturb).collect();
    let state = network.layout.initial_state();
    let state = state.into_iter().map(|s| disturb(s).max(0.3)).collect();
    (parameters, state)
}

fn subject<'a>(
    network: &'a Network,
    (parameters, state): (&'a [f32], &'a [f32]),
    dataset: &'a Dataset,
    train: &'a TrainSettings,
) -> Subject<'a> {
    Subject {
        run_id: "r",
        epoch: 0,
        network,
        parameters,
        state,
        dataset,
        train,
        seed: 7,
        folder: None,
    }
}

fn measured(settings: &PathsSettings, subject: &Subject<'_>) -> Table {
    let mut go_on = |_| reslab_nn::train::Flow::Continue;
    let mut watch = Watch::new("paths", &mut go_on);
    measure(settings, subject, &mut watch).expect("measured")
}

fn linearised(network: &Network, dataset: &Dataset, count: usize) -> (Vec<f64>, Vec<Linearised>) {
    let (parameters, state) = numbers(network);
    let samples = Samples {
        network,
        parameters: &parameters,
        state: &state,
        loss: TrainSettings::default().loss.loss(),
        split: &dataset.test,
        count,
    };
    let (parameters, state) = (lift::<f64>(&parameters), lift::<f64>(&state));
    let at = (0..count).map(|sample| linearise(&samples, (&parameters, &state), sample));
    let at = at.collect::<Result<_, _>>().expect("linearised");
    (parameters, at)
}

fn size(tensor: &Tensor<f64>) -> f64 {
    tensor.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// At most ten blocks each.
const FAMILIES: [&str; 8] = [
    r#"{"family": "fully-connected", "depth": 10, "width": 16}"#,
    r#"{"family": "fully-connected", "depth": 5, "width": 8, "branch_layers": 2, "batch_norm": true, "activation": "tanh"}"#,
    r#"{"depth": 20, "width": 4}"#,
    r#"{"depth": 20, "width": 4, "placement": "pre-activation"}"#,
    r#"{"depth": 20, "width": 4, "shortcut": "C", "placement": "pre-activation"}"#,
    r#"{"depth": 29, "width": 4, "block": "bottleneck", "shortcut": "B"}"#,
    r#"{"depth": 14, "width": 3, "batch_norm": false, "shortcut": "constant"}"#,
    r#"{"depth": 14, "width": 4, "placement": "relu-before-addition", "stochastic_depth": 0.5}"#,
];

/// Sums over all 2ⁿ paths by length, each road of a block taken from the vector–Jacobian products of
/// an edited network: the branch's is that of the block less that of its shortcut.
struct Enumeration<'a> {
    network: &'a Network,
    numbers: (&'a [f64], &'a [f64]),
    inputs: Vec<Tensor<f64>>,
    outputs: Vec<Tensor<f64>>,
    sums: Vec<Option<Tensor<f64>>>,
    norms: Vec<f64>,
}

impl Enumeration<'_> {
    fn descend(&mut self, blocks_left: usize, length: usize, grad: &Tensor<f64>) {
        let Some(block) = blocks_left.checked_sub(1) else {
            self.norms[length] += size(grad);
            let sum = self.sums[length].take();
            self.sums[length] = Some(sum.map_or(grad.clone(), |sum| sum + grad));
            return;
        };
        let mut bare = self.network.clone();
        let post = std::mem::take(&mut bare.blocks[block].post);
        let mut masked = grad.clone();
        if !post.is_empty() {
            assert!(post.len() == 1 && matches!(post[0].op, Op::Activation(Activation::Relu)));
            masked.zip_mut_with(&self.outputs[block], |g, &y| {
                if y <= 0.0 {
                    *g = 0.0;
                }
            });
        }
        let vjp = |network: &Network| {
            let part = Part::blocks(block..block + 1);
            let input = &self.inputs[block];
            let found = part_vjp(
                (network, part),
                self.numbers,
                Mode::Evaluation,
                input,
                &masked,
            );
            found.expect("a block").1.input
        };
        let both = vjp(&bare);
        let shortcut = vjp(&bare.without(block));
        self.descend(block, length, &shortcut);
        self.descend(block, length + 1, &(both - shortcut));
    }
}

#[test]
fn orders_are_the_sums_over_all_paths() {
    let dataset = digits();
    for settings in FAMILIES {
        let network = network(settings, &dataset);
        let blocks = network.blocks.len();
        let (parameters, at) = linearised(&network, &dataset, 2);
        let state: Vec<f64> = lift(&numbers(&network).1);
        let orders = orders_of((&network, &parameters), &at, &mut || Ok(())).expect("orders");
        let mut compared = 0;
        for (sample, found) in orders.iter().enumerate() {
            let image = &dataset.test.inputs[sample * dataset.shape.len()..][..dataset.shape.len()];
            let image = tensor::<f64>(image, dataset.shape).expect("an image");
            let pass = forward(&network, &parameters, &state, Mode::Evaluation, &image);
            let outputs = pass.expect("a pass").block_outputs;
            let before = reslab_nn::reference::forward_part(
                &network,
                Part::before(0),
                &parameters,
                &state,
                Mode::Evaluation,
                &image,
            );
            let mut inputs = vec![before.expect("the stem").output];
            inputs.extend(outputs[..blocks - 1].iter().cloned());
            let mut all = Enumeration {
                network: &network,
                numbers: (&parameters, &state),
                inputs,
                outputs,
                sums: vec![None; blocks + 1],
                norms: vec![0.0; blocks + 1],
            };
            all.descend(blocks, 0, &at[sample].start);
            // A sample that is far on the right side, or dead units, leave nothing to compare.
            compared += all.norms.iter().filter(|norm| **norm > 0.0).count();
            for (k, (order, sum)) in found.iter().zip(&all.sums).enumerate() {
                let sum = sum.as_ref().expect("some path of each length");
                let off = size(&(order - sum));
                assert!(off <= 1e-12 * all.norms[k], "{settings}, order {k}: {off}");
            }
        }
        assert!(compared > blocks, "{settings}: nothing arrives");
    }
}

#[test]
fn orders_add_up_to_the_ordinary_gradient() {
    let dataset = digits();
    let deep = r#"{"depth": 56, "width": 2, "placement": "pre-activation"}"#;
    for settings in FAMILIES.into_iter().chain([deep]) {
        let network = network(settings, &dataset);
        let (parameters, at) = linearised(&network, &dataset, 3);
        let orders = orders_of((&network, &parameters), &at, &mut || Ok(())).expect("orders");
        let mut whole = 0.0;
        for (sample, orders) in at.iter().zip(&orders) {
            let zero = Tensor::from_elem(sample.whole.dim(), 0.0);
            let sum = orders.iter().fold(zero, |sum, order| sum + order);
            let (off, size) = (size(&(sum - &sample.whole)), size(&sample.whole));
            assert!(off <= 1e-12 * size, "{settings}: {off} of {size}");
            whole += size;
        }
        assert!(whole > 0.0, "{settings}: no gradient");
    }
}

#[test]
fn sampling_finds_what_enumeration_and_orders_say() {
    let dataset = digits();
    for settings in [
        r#"{"depth": 14, "width": 3, "placement": "pre-activation"}"#,
        r#"{"depth": 14, "width": 3}"#,
    ] {
        let network = network(settings, &dataset);
        let (parameters, state) = numbers(&network);
        let train = TrainSettings::default();
        let subject = subject(&network, (&parameters, &state), &dataset, &train);
        let settings = PathsSettings {
            samples: 4,
            draws: 300,
            ..PathsSettings::default()
        };
        let table = measured(&settings, &subject);
        let blocks = network.blocks.len();
        let (lifted, at) = linearised(&network, &dataset, 4);
        let mut norms = vec![0.0; blocks + 1];
        for path in 0..1_u32 << blocks {
            let through: Vec<bool> = (0..blocks).map(|b| path >> b & 1 == 1).collect();
            let parts = at.iter().map(|s| along((&network, &lifted), s, &through));
            let square: f64 = parts.map(|part| size(&part).powi(2)).sum();
            norms[path.count_ones() as usize] += square.sqrt() / 4.0;
        }
        let binomial = Binomial::new(blocks);
        for (k, row) in table.iter().enumerate() {
            let real = |column| row.real(column).expect(column);
            let mean = norms[k] / binomial.count(k);
            let off = (real("sampled_norm") - mean).abs();
            assert!(
                off <= 5.0 * real("sampled_norm_error") + 1e-12 * mean,
                "norm {k}"
            );
            let off = (real("sampled_share") - real("order_share")).abs();
            assert!(
                off <= 5.0 * real("sampled_share_error") + 1e-12,
                "share {k}"
            );
            assert!(real("coherence") < 1.2, "{k}");
        }
    }
}

/// Blocks `h + c h`: every path of length k carries c^k, and all point the same way.
#[test]
fn blocks_that_multiply_have_a_binomial_profile() {
    let dataset = digits();
    let settings =
        r#"{"family": "fully-connected", "depth": 12, "width": 5, "activation": "identity"}"#;
    let network = network(settings, &dataset);
    let (mut parameters, state) = numbers(&network);
    for block in &network.blocks {
        let Op::Linear(linear) = &block.branches[0][0].op else {
            panic!("a linear layer")
        };
        let weight = linear.weight.of_mut(&mut parameters);
        for (place, value) in weight.iter_mut().enumerate() {
            *value = if place % 6 == 0 { 0.25 } else { 0.0 };
        }
    }
    let train = TrainSettings::default();
    let subject = subject(&network, (&parameters, &state), &dataset, &train);
    let every = PathsSettings {
        every: 5,
        ..PathsSettings::default()
    };
    let table = measured(&every, &subject);
    let binomial = Binomial::new(12);
    let expected = binomial.with_gain(0.25);
    for (k, row) in table.iter().enumerate() {
        let close = |column, value: f64| {
            let found = row.real(column).expect(column);
            assert!(
                (found - value).abs() < 1e-12,
                "{column} {k}: {found}, not {value}"
            );
        };
        close("order_share", expected[k]);
        close("order_contribution", expected[k]);
        close("order_cosine", 1.0);
        close("sampled_contribution", expected[k]);
        let sampled = [0, 5, 10, 12].contains(&k);
        assert_eq!(
            row.integer("draws"),
            Some(if sampled {
                [16, 1][usize::from(k % 12 == 0)]
            } else {
                0
            })
        );
        if sampled {
            close("coherence", 1.0);
            close("sampled_share", expected[k]);
        }
    }
    let summary = summarise(&table).expect("a summary");
    assert_eq!(summary.len(), 2);
    for row in summary.iter() {
        let real = |column| row.real(column).expect(column);
        for column in ["gain", "gain_of_mean"] {
            assert!(
                (real(column) - 0.25).abs() < 1e-12,
                "{column}: {}",
                real(column)
            );
        }
        assert!(real("gain_error") < 1e-9 && real("r_squared") > 1.0 - 1e-12);
        assert!(real("total_variation") < 1e-12 && real("total_variation_of_mean") < 1e-12);
        // 12 · 0.2 = 2.4 branches on average.
        assert!((real("mean_length") - 2.4).abs() < 1e-12);
        assert!((real("length_deviation") - (2.4_f64 * 0.8).sqrt()).abs() < 1e-12);
        let (low, high) = (
            row.integer("low").unwrap() as usize,
            row.integer("high").unwrap() as usize,
        );
        let mass: f64 = expected[low..=high].iter().sum();
        assert!((real("mass") - mass).abs() < 1e-12 && mass >= 0.95);
    }
}

#[test]
fn the_papers_numbers_follow_from_its_gain() {
    // 54 modules: 0.45 % of paths are 5 to 17 long; r = 0.27 puts 96.7 % of the gradient there.
    let binomial = Binomial::new(54);
    let of_paths: f64 = (5..=17).map(|k| binomial.share(k)).sum();
    assert!((of_paths - 0.004_537).abs() < 1e-6, "{of_paths}");
    let shares = binomial.with_gain(0.27);
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let mass: f64 = shares[5..=17].iter().sum();
    assert!((mass - 0.967).abs() < 1e-3, "{mass}");
    assert!((0..=54).map(|k| binomial.share(k)).sum::<f64>() - 1.0 < 1e-12);
}

#[test]
fn ranges_fits_and_distances_are_what_they_say() {
    assert_eq!(shortest_range(&[0.1, 0.5, 0.3, 0.1], 0.75), (1, 2, 0.8));
    assert_eq!(shortest_range(&[0.5, 0.5], 0.95), (0, 1, 1.0));
    let found = fit(&[Some(2.0), Some(1.0), None, Some(0.25), Some(0.0)]).expect("three points");
    assert!((found.gain - 0.5).abs() < 1e-12 && found.error < 1e-9);
    assert_eq!(fit(&[Some(1.0), None, Some(0.0), Some(1.0)]), None);
    // Against the formula by hand: ln m = 0, 1, 0: slope 0, nothing explained.
    let flat = fit(&[Some(1.0), Some(1.0_f64.exp()), Some(1.0)]).expect("three points");
    assert!((flat.gain - 1.0).abs() < 1e-12 && flat.r_squared.abs() < 1e-12);
    assert!((flat.error - (2.0_f64 / 3.0 / 2.0).sqrt()).abs() < 1e-12);
    assert_eq!(total_variation(&[1.0, 0.0], &[0.25, 0.75]), 0.75);
}

#[test]
fn threads_change_no_bit() {
    let dataset = digits();
    let network = network(r#"{"depth": 20, "width": 3}"#, &dataset);
    let (parameters, state) = numbers(&network);
    let train = TrainSettings::default();
    let subject = subject(&network, (&parameters, &state), &dataset, &train);
    let settings = PathsSettings {
        samples: 11,
        draws: 3,
        statistics: Statistics::Recomputed,
        ..PathsSettings::default()
    };
    let tables = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads")
            .install(|| measured(&settings, &subject))
    });
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);
    assert_eq!(tables[0].len(), 10);
}

#[test]
fn recomputed_statistics_are_those_of_the_training_samples() {
    let dataset = digits();
    let mut network = network(
        r#"{"depth": 14, "width": 3, "stochastic_depth": 0.4}"#,
        &dataset,
    );
    let (parameters, state) = numbers(&network);
    let train = TrainSettings::default();
    let subject = subject(&network, (&parameters, &state), &dataset, &train);
    let found = Statistics::Recomputed.state(&subject).expect("statistics");
    assert_eq!(
        Statistics::Running.state(&subject).expect("statistics"),
        state
    );
    // The reference, with branches multiplied by their survival and a momentum of 1.
    for block in &mut network.blocks {
        let survival = block.survival.take().expect("it has one");
        let scale = Op::Scale(survival.probability);
        block.branches[0].push(reslab_nn::network::builder::layer("scale", scale));
    }
    let all = network
        .blocks
        .iter_mut()
        .flat_map(reslab_nn::network::Block::layers_mut);
    for layer in network.stem.iter_mut().chain(all) {
        if let Op::BatchNorm(norm) = &mut layer.op {
            norm.momentum = 1.0;
        }
    }
    let (parameters, state) = (lift::<f64>(&parameters), lift::<f64>(&state));
    let inputs = tensor(&dataset.train.inputs, dataset.shape).expect("images");
    let pass = forward(&network, &parameters, &state, Mode::Training, &inputs).expect("a pass");
    for (found, want) in found.iter().zip(&pass.state) {
        assert!((f64::from(*found) - want).abs() < 1e-4 * want.abs().max(1.0));
    }
}

#[test]
fn networks_without_two_roads_are_refused() {
    let dataset = digits();
    let told = |settings: &str| {
        let problems = PathsSettings::default().problems(&network(settings, &dataset));
        problems.iter().map(ToString::to_string).collect::<String>()
    };
    assert_eq!(told(r#"{"depth": 8}"#), "");
    assert!(told(r#"{"depth": 8, "residual": false}"#).contains("needs residual blocks"));
    assert!(told(r#"{"depth": 8, "shortcut": "exclusive-gate"}"#).contains("has gates"));
    let none = PathsSettings {
        samples: 0,
        every: 0,
        ..PathsSettings::default()
    };
    let problems = none.problems(&network(r#"{"depth": 8}"#, &dataset));
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["paths.samples", "paths.every"]);
}
