//! Gradient flow against the engine, finite differences and mean-field theory.

mod support;

use reslab_nn::data::Dataset;
use reslab_nn::engine::Engine;
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::{Block, Network, Op};
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::{self, Mode, Part, Tensor};
use reslab_nn::train::{Flow, TrainSettings};
use reslab_probes::gradients::{GradientSettings, measure};
use reslab_probes::layers::{LayerProbe, MeasureSettings, RowKind};
use reslab_probes::{Subject, Watch};
use reslab_results::Table;
use support::*;

const SAMPLES: usize = 48;

fn gradients(network: &Network, dataset: &Dataset, parameters: &[f32], samples: usize) -> Table {
    let settings = GradientSettings {
        samples,
        ..GradientSettings::default()
    };
    let state = network.layout.initial_state();
    with_subject(network, dataset, (parameters, &state), |subject, watch| {
        measure(&settings, subject, watch).expect("a table")
    })
}

fn column(table: &Table, kind: &str, name: &str) -> Vec<f64> {
    let rows = table.iter().filter(|row| row.text("kind") == Some(kind));
    rows.filter_map(|row| row.real(name)).collect()
}

fn assert_close(ours: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (ours - expected).abs() <= tolerance * expected.abs(),
        "{what}: {ours}, not {expected}"
    );
}

#[test]
fn norms_are_those_of_one_pass_through_the_whole_network() {
    let dataset = digits();
    for name in [
        "resnet8",
        "preact-resnet8",
        "plain8",
        "fc-resnet4",
        "preact-fc-plain3",
    ] {
        let network = network(name, 6, &dataset);
        let parameters = initialize(&network, &InitSettings::default(), 5);
        let table = gradients(&network, &dataset, &parameters, SAMPLES);
        let (pass, found) = whole(&network, &dataset, &parameters, SAMPLES);
        let norms = column(&table, "block", "output_gradient_norm");
        let weights = column(&table, "block", "weight_gradient_norm");
        let squares = column(&table, "block", "mean_square");
        assert_eq!(norms.len(), network.blocks.len());
        for (l, block) in network.blocks.iter().enumerate() {
            let at = |what| format!("{what} of {} of {name}", block.name);
            let expected = length(found.block_outputs[l].iter());
            assert_close(norms[l], expected, 1e-12, &at("gradient"));
            let entries = network.layout.parameters.iter();
            let own = entries.filter(|entry| entry.block == Some(l));
            let expected = length(own.flat_map(|entry| entry.slot.of(&found.parameters)));
            assert_close(weights[l], expected, 1e-12, &at("weight gradient"));
            let output = &pass.block_outputs[l];
            let expected = output.iter().map(|x| x * x).sum::<f64>() / output.len() as f64;
            assert_close(squares[l], expected, 1e-12, &at("mean square"));
        }
        // The engine in f32, with other code from top to bottom.
        let settings = MeasureSettings {
            samples: SAMPLES,
            ..MeasureSettings::default()
        };
        let mut probe = LayerProbe::new(&network, &dataset, &settings, &TrainSettings::default());
        let mut engine = Engine::for_training(&network, SAMPLES).expect("a checked network");
        let rows = probe.measure(&mut engine, &parameters, &network.layout.initial_state());
        for (l, row) in rows.iter().filter(|r| r.kind == RowKind::Block).enumerate() {
            let at_output = row.output_gradient_norm.expect("a block");
            assert_close(norms[l], at_output, 2e-4, &format!("engine, {l} of {name}"));
            assert_close(
                weights[l],
                row.gradient_norm,
                2e-4,
                &format!("engine, {l} of {name}"),
            );
        }
    }
}

#[test]
fn the_stems_gradient_is_what_finite_differences_say() {
    let dataset = digits();
    let network = network("preact-fc-resnet3", 6, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 2);
    let table = gradients(&network, &dataset, &parameters, SAMPLES);
    let norm = column(&table, "stem", "weight_gradient_norm")[0];
    let (_, found) = whole(&network, &dataset, &parameters, SAMPLES);
    let entries = network.layout.parameters.iter();
    let stem: Vec<_> = entries.filter(|e| e.name.starts_with("stem.")).collect();
    let direction: Vec<(usize, f64)> = stem
        .iter()
        .flat_map(|e| e.slot.range().map(|i| (i, found.parameters[i])))
        .collect();
    let loss = |step: f64| {
        let mut moved: Vec<f64> = reference::lift(&parameters);
        direction.iter().for_each(|(i, g)| moved[*i] += step * g);
        loss_at(&network, &dataset, &moved, SAMPLES)
    };
    let h = 1e-5;
    // Along its own gradient a function grows by the squared norm.
    let slope = (loss(h) - loss(-h)) / (2.0 * h);
    assert_close(slope, norm * norm, 1e-6, "slope along the gradient");
}

#[test]
fn the_two_roads_add_up() {
    let dataset = digits();
    for name in ["resnet8", "preact-resnet8", "fc-resnet4"] {
        let network = network(name, 6, &dataset);
        let parameters = initialize(&network, &InitSettings::default(), 5);
        let table = gradients(&network, &dataset, &parameters, SAMPLES);
        let of = |name| column(&table, "block", name);
        let shares = of("shortcut_share").into_iter().zip(of("branch_share"));
        for ((shortcut, branch), cosine) in shares.zip(of("shortcut_branch_cosine")) {
            let whole = shortcut * shortcut + branch * branch + 2.0 * cosine * shortcut * branch;
            assert_close(whole, 1.0, 1e-12, "the law of cosines");
        }
        // Through an identity with nothing after the addition comes the gradient itself.
        if name == "fc-resnet4" {
            let mut norms = column(&table, "stem", "output_gradient_norm");
            norms.extend(of("output_gradient_norm"));
            for (l, share) in of("shortcut_share").into_iter().enumerate() {
                assert_close(share, norms[l + 1] / norms[l], 1e-12, "identity's share");
            }
        }
    }
}

#[test]
fn a_branch_of_zeros_leaves_all_to_the_shortcut() {
    let dataset = digits();
    let network = network("resnet8", 6, &dataset);
    let zero = InitSettings {
        zero_gamma: true,
        ..InitSettings::default()
    };
    let table = gradients(&network, &dataset, &initialize(&network, &zero, 1), SAMPLES);
    assert_eq!(column(&table, "block", "branch_ratio"), [0.0; 3]);
    assert_eq!(column(&table, "block", "gamma_rms"), [0.0; 3]);
    assert_eq!(column(&table, "block", "shortcut_share"), [1.0; 3]);
    let plain = self::network("plain8", 6, &dataset);
    let table = gradients(&plain, &dataset, &initialize(&plain, &zero, 1), SAMPLES);
    assert!(column(&table, "block", "shortcut_share").is_empty());
    assert_eq!(column(&table, "block", "gamma_rms"), [1.0; 3]);
}

#[test]
fn branch_ratios_are_those_of_responses_by_hand() {
    let dataset = digits();
    let network = network("fc-resnet4", 6, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 5);
    let table = gradients(&network, &dataset, &parameters, SAMPLES);
    let (pass, _) = whole(&network, &dataset, &parameters, SAMPLES);
    let ratios = column(&table, "block", "branch_ratio");
    assert_eq!(ratios.len(), 4);
    for (outputs, ratio) in pass.block_outputs.windows(2).zip(&ratios[1..]) {
        let (before, after) = (&outputs[0], &outputs[1]);
        let expected = length((after - before).iter()) / length(before.iter());
        assert_close(*ratio, expected, 1e-12, "‖F(x)‖ / ‖x‖");
    }
}

/// With batch norm in batch mode the response of each channel varies by |γ| exactly, but for ε
/// (He et al. 2015, Fig. 7, plots learned scales).
#[test]
fn the_response_of_a_channel_varies_by_gamma() {
    let dataset = digits();
    for name in ["resnet8", "plain8"] {
        let network = network(name, 6, &dataset);
        let mut parameters = initialize(&network, &InitSettings::default(), 3);
        let mut rng = random::stream(1, Purpose::Test, 0, 0);
        for block in &network.blocks {
            for layer in block.layers() {
                if let Op::BatchNorm(norm) = &layer.op {
                    let gammas = norm.weight.of_mut(&mut parameters).iter_mut();
                    gammas.for_each(|g| *g = random::normal(&mut rng) as f32);
                    let betas = norm.bias.of_mut(&mut parameters).iter_mut();
                    betas.for_each(|b| *b = random::normal(&mut rng) as f32);
                }
            }
        }
        let table = gradients(&network, &dataset, &parameters, SAMPLES);
        let rms = column(&table, "block", "gamma_rms");
        // The branch alone, up to its last batch norm.
        let mut bare = network.clone();
        bare.blocks.iter_mut().for_each(alone);
        let (parameters, state) = (
            reference::lift::<f64>(&parameters),
            reference::lift::<f64>(&network.layout.initial_state()),
        );
        let pass = |network: &Network, part: Part, x: &Tensor<f64>| {
            reference::forward_part(network, part, &parameters, &state, Mode::Training, x)
                .expect("parts that fit")
                .output
        };
        for (l, block) in network.blocks.iter().enumerate() {
            let x = pass(
                &network,
                Part::before(l),
                &batch(&network, &dataset, SAMPLES),
            );
            let response = pass(&bare, Part::blocks(l..l + 1), &x);
            let last = block.branches[0]
                .iter()
                .rev()
                .find_map(|layer| match &layer.op {
                    Op::BatchNorm(norm) => Some(norm.weight),
                    _ => None,
                });
            let gammas = last.expect("a batch norm").of(&parameters);
            let channels = response.dim().3;
            assert_eq!(gammas.len(), channels);
            for (channel, gamma) in gammas.iter().enumerate() {
                let values: Vec<f64> = response
                    .iter()
                    .skip(channel)
                    .step_by(channels)
                    .copied()
                    .collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let variance =
                    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
                assert_close(variance.sqrt(), gamma.abs(), 1e-3, &block.name);
            }
            let mean_square = gammas.iter().map(|g| g * g).sum::<f64>() / gammas.len() as f64;
            assert_close(rms[l], mean_square.sqrt(), 1e-12, "γ");
        }
    }
}

/// Leaves of a block its branch, up to the last batch norm.
fn alone(block: &mut Block) {
    block.shortcut = reslab_nn::network::Shortcut::None;
    block.post.clear();
    let branch = &mut block.branches[0];
    while !matches!(branch.last().map(|l| &l.op), Some(Op::BatchNorm(_))) {
        branch.pop();
    }
}

#[test]
fn plain_batch_norm_explodes_gradients_at_the_mean_field_rate() {
    let expected = (std::f64::consts::PI / (std::f64::consts::PI - 1.0)).sqrt();
    let dataset = noise(64, 512);
    let mut model = named("fc-plain12").expect("a name");
    (model.width, model.batch_norm) = (256, true);
    let network = build(&model, dataset.shape, dataset.outputs).expect("a network");
    let parameters = initialize(&network, &InitSettings::default(), 1);
    let table = gradients(&network, &dataset, &parameters, 512);
    let rate = column(&table, "fit", "log_rate")[0].exp();
    assert_close(rate, expected, 0.02, "growth a layer");
}

#[test]
fn plain_he_initialisation_keeps_the_squared_norm_on_average() {
    let dataset = noise(64, 16);
    let mut model = named("fc-plain6").expect("a name");
    model.width = 256;
    let network = build(&model, dataset.shape, dataset.outputs).expect("a network");
    let seeds = 12_u64;
    let ratio = |seed| {
        let parameters = initialize(&network, &InitSettings::default(), seed);
        let table = gradients(&network, &dataset, &parameters, 16);
        let last = column(&table, "block", "output_gradient_norm")[5];
        (column(&table, "stem", "output_gradient_norm")[0] / last).powi(2)
    };
    let mean = (0..seeds).map(ratio).sum::<f64>() / seeds as f64;
    // One seed's ratio spreads by about √(5 · 6 / 256) = 0.34.
    assert!((mean - 1.0).abs() < 0.25, "{mean}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits_and_a_stop_is_heard() {
    let dataset = digits();
    let network = network("resnet8", 6, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 5);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("a pool");
        pool.install(|| gradients(&network, &dataset, &parameters, SAMPLES))
    };
    let one = with(1);
    assert_eq!(one, with(3));
    assert_eq!(one.len(), 1 + 3 + 1);
    let state = network.layout.initial_state();
    let train = TrainSettings::default();
    let subject = Subject {
        run_id: "run",
        epoch: 0,
        network: &network,
        parameters: &parameters,
        state: &state,
        dataset: &dataset,
        train: &train,
        seed: 0,
        folder: None,
    };
    let mut asked = 0;
    let mut tell = |_| {
        asked += 1;
        if asked == 4 {
            Flow::Stop
        } else {
            Flow::Continue
        }
    };
    let mut watch = Watch::new("gradients", &mut tell);
    assert!(measure(&GradientSettings::default(), &subject, &mut watch).is_err());
    assert_eq!(asked, 4);
}

#[test]
fn settings_that_measure_nothing_are_refused() {
    let dataset = digits();
    let network = network("resnet8", 6, &dataset);
    let settings = GradientSettings {
        samples: 1,
        ..GradientSettings::default()
    };
    assert_eq!(settings.problems(&network)[0].field, "gradients.samples");
    assert!(GradientSettings::default().problems(&network).is_empty());
}
