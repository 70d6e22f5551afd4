//! The layer measurements against closed forms and the reference executor, and inside a run.

use reslab_nn::data::{DataName, DataSettings, Dataset, load};
use reslab_nn::engine::Engine;
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::loss::TargetsRef;
use reslab_nn::network::{Activation, Network, Role};
use reslab_nn::reference::{self, Gradients, Mode, Pass};
use reslab_nn::train::{
    EpochReport, Flow, Observer, Silent, StepReport, TrainSettings, TrainerView, train,
};
use reslab_nn::{data::Targets, loss::Loss};
use reslab_probes::layers::{LayerProbe, LayerRow, MeasureSettings, RowKind};

const SAMPLES: usize = 48;

fn digits() -> Dataset {
    let settings = DataSettings {
        name: DataName::Digits,
        train_limit: Some(100),
        test_limit: Some(20),
        ..DataSettings::default()
    };
    load(&settings).expect("digits are built in")
}

fn network(name: &str, activation: Activation, dataset: &Dataset) -> Network {
    let mut model = named(name).expect("a network's name");
    model.width = 6;
    model.activation = activation;
    build(&model, dataset.shape, dataset.outputs).expect("a small network")
}

fn measured(network: &Network, dataset: &Dataset, parameters: &[f32]) -> Vec<LayerRow> {
    let settings = MeasureSettings {
        samples: SAMPLES,
        ..MeasureSettings::default()
    };
    let mut probe = LayerProbe::new(network, dataset, &settings, &TrainSettings::default());
    let mut engine = Engine::for_training(network, SAMPLES).expect("a checked network");
    probe.measure(&mut engine, parameters, &network.layout.initial_state())
}

/// The same batch by the reference in f64.
fn by_the_reference(
    network: &Network,
    dataset: &Dataset,
    parameters: &[f32],
) -> (Pass<f64>, Gradients<f64>) {
    let samples = &dataset.train.inputs[..SAMPLES * dataset.shape.len()];
    let input = reference::tensor::<f64>(samples, network.input).expect("whole samples");
    let parameters: Vec<f64> = reference::lift(parameters);
    let state: Vec<f64> = reference::lift(&network.layout.initial_state());
    let pass = reference::forward(network, &parameters, &state, Mode::Training, &input)
        .expect("a checked network");
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("digits are classes")
    };
    let targets = TargetsRef::Classes(&classes[..SAMPLES]);
    let loss = reference::loss(&Loss::default(), &pass.output, targets).expect("classes");
    let gradients = pass.backward(network, &parameters, &loss.grad_outputs);
    (pass, gradients)
}

fn assert_close(ours: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (ours - expected).abs() <= tolerance * expected,
        "{what}: {ours}, not {expected}"
    );
}

/// Root of the sum of squares of `arena` over the parameters for which `of` says so.
fn norm(network: &Network, arena: &[f64], of: impl Fn(&reslab_nn::network::Entry) -> bool) -> f64 {
    let entries = network.layout.parameters.iter().filter(|entry| of(entry));
    entries
        .flat_map(|entry| entry.slot.of(arena))
        .map(|x| x * x)
        .sum::<f64>()
        .sqrt()
}

#[test]
fn with_batch_norm_a_response_is_as_spread_as_gamma_and_beta_say() {
    // Pooled variance of γ_c x̂ + β_c over channels, x̂ of mean 0 and variance 1 (up to ε).
    let dataset = digits();
    for name in ["resnet8", "plain8"] {
        let network = network(name, Activation::Relu, &dataset);
        let mut parameters = initialize(&network, &InitSettings::default(), 3);
        let responses = |parameters: &[f32]| -> Vec<LayerRow> {
            let rows = measured(&network, &dataset, parameters);
            rows.into_iter()
                .filter(|row| row.kind == RowKind::Layer)
                .collect()
        };
        let at_start = responses(&parameters);
        assert_eq!(
            at_start.len(),
            7,
            "every convolution of {name}, and not the head"
        );
        for row in at_start {
            let std = row.response_std.expect("a layer");
            assert_close(std, 1.0, 1e-3, &row.name);
        }
        let mut expected = Vec::new();
        for pair in network.layout.parameters.windows(2) {
            let [gamma, beta] = pair else {
                unreachable!("windows of two")
            };
            if gamma.role != Role::NormWeight {
                continue;
            }
            let channels = gamma.slot.len;
            let at = |c: usize| 0.3 + 0.2 * c as f32 + 0.01 * expected.len() as f32;
            let gammas: Vec<f32> = (0..channels).map(at).collect();
            let betas: Vec<f32> = gammas.iter().map(|g| (9.0 * g).sin()).collect();
            gamma.slot.of_mut(&mut parameters).copy_from_slice(&gammas);
            beta.slot.of_mut(&mut parameters).copy_from_slice(&betas);
            let mean =
                |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / channels as f64;
            let center = mean(&mut betas.iter().map(|&b| f64::from(b)));
            let of_gamma = mean(&mut gammas.iter().map(|&g| f64::from(g).powi(2)));
            let of_beta = mean(&mut betas.iter().map(|&b| (f64::from(b) - center).powi(2)));
            expected.push((of_gamma + of_beta).sqrt());
        }
        for (row, expected) in responses(&parameters).iter().zip(expected) {
            let std = row.response_std.expect("a layer");
            assert_close(std, expected, 2e-3, &format!("{} of {name}", row.name));
        }
    }
}

#[test]
fn norms_are_those_of_the_reference() {
    let dataset = digits();
    for name in ["resnet8", "plain8", "fc-resnet4", "fc-plain4"] {
        let network = network(name, Activation::Relu, &dataset);
        let parameters = initialize(&network, &InitSettings::default(), 5);
        let (_, gradients) = by_the_reference(&network, &dataset, &parameters);
        let weights: Vec<f64> = reference::lift(&parameters);
        let rows = measured(&network, &dataset, &parameters);
        let blocks = rows.iter().filter(|row| row.kind == RowKind::Block);
        assert_eq!(blocks.clone().count(), network.blocks.len());
        for (index, row) in blocks.enumerate() {
            let block = &network.blocks[index];
            assert_eq!((row.block, row.stage), (Some(index), Some(block.stage)));
            assert_eq!((&row.name, row.response_std), (&block.name, None));
            let own = |entry: &reslab_nn::network::Entry| entry.block == Some(index);
            assert_close(
                row.weight_norm,
                norm(&network, &weights, own),
                1e-9,
                &row.name,
            );
            let gradient = norm(&network, &gradients.parameters, own);
            assert_close(row.gradient_norm, gradient, 1e-4, &row.name);
            let output = &gradients.block_outputs[index];
            let at_output = output.iter().map(|g| g * g).sum::<f64>().sqrt();
            let ours = row.output_gradient_norm.expect("a block");
            assert_close(
                ours,
                at_output,
                1e-4,
                &format!("output of {} of {name}", row.name),
            );
        }
        for row in rows.iter().filter(|row| row.kind == RowKind::Layer) {
            let prefix = format!("{}.", row.name);
            let own = |entry: &reslab_nn::network::Entry| entry.name.starts_with(&prefix);
            assert_close(
                row.weight_norm,
                norm(&network, &weights, own),
                1e-9,
                &row.name,
            );
            let gradient = norm(&network, &gradients.parameters, own);
            assert_close(row.gradient_norm, gradient, 1e-4, &row.name);
            assert_eq!(row.output_gradient_norm, None);
        }
    }
}

#[test]
fn without_batch_norm_a_response_is_the_layers_output() {
    // In a plain linear network of one layer a block, a block's output is its layer's response.
    let dataset = digits();
    let network = network("fc-plain4", Activation::Identity, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 7);
    let (pass, _) = by_the_reference(&network, &dataset, &parameters);
    let rows = measured(&network, &dataset, &parameters);
    let mut compared = 0;
    for row in &rows {
        let (Some(block), Some(std)) = (row.block, row.response_std) else {
            continue;
        };
        let output = &pass.block_outputs[block];
        let mean = output.mean().expect("not empty");
        let variance = output.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / output.len() as f64;
        assert_close(std, variance.sqrt(), 1e-4, &row.name);
        compared += 1;
    }
    assert_eq!(compared, 4);
}

/// Measures after every epoch with the engine that the loop lends.
struct Measuring<'a> {
    probe: LayerProbe<'a>,
    rows: Vec<Vec<LayerRow>>,
}

impl Observer for Measuring<'_> {
    fn step(&mut self, _: &StepReport) -> Flow {
        Flow::Continue
    }

    fn epoch(&mut self, _: &EpochReport, trainer: &mut TrainerView<'_>) -> Flow {
        let (parameters, state) = (trainer.parameters, trainer.state);
        self.rows
            .push(self.probe.measure(trainer.engine, parameters, state));
        Flow::Continue
    }
}

#[test]
fn measuring_does_not_change_the_run() {
    let dataset = digits();
    let network = network("resnet8", Activation::Relu, &dataset);
    let settings = TrainSettings {
        epochs: 2,
        batch_size: 32,
        ..TrainSettings::default()
    };
    let init = InitSettings::default();
    let probe = LayerProbe::new(&network, &dataset, &MeasureSettings::default(), &settings);
    let mut measuring = Measuring {
        probe,
        rows: Vec::new(),
    };
    let measured = train(
        &network,
        &dataset,
        &settings,
        &init,
        1,
        None,
        &mut measuring,
    );
    let unmeasured = train(&network, &dataset, &settings, &init, 1, None, &mut Silent);
    assert_eq!(
        measured.expect("settings that fit"),
        unmeasured.expect("settings that fit")
    );
    assert_eq!(measuring.rows.len(), 3);
    assert!(measuring.rows.iter().all(|rows| rows.len() == 3 + 7));
    assert_ne!(measuring.rows[0], measuring.rows[2]);
}
