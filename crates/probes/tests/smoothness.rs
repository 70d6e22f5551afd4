//! Smoothness along the gradient against closed forms and against the reference in `f64`.

mod support;

use reslab_nn::data::{Dataset, Targets};
use reslab_nn::families::{InitSettings, initialize};
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::builder::Builder;
use reslab_nn::network::{Network, Shape};
use reslab_nn::reference::{self, Mode, Problem, derivatives};
use reslab_nn::train::{Flow, LossKind, LossSettings, TrainSettings};
use reslab_probes::smoothness::{SmoothnessSettings, measure};
use reslab_probes::{Subject, Watch};
use reslab_results::Table;
use support::*;

fn smoothness(
    settings: &SmoothnessSettings,
    network: &Network,
    dataset: &Dataset,
    parameters: &[f32],
    train: &TrainSettings,
) -> Table {
    let subject = Subject {
        run_id: "run",
        epoch: 0,
        network,
        parameters,
        state: &network.layout.initial_state(),
        dataset,
        train,
        seed: 7,
        folder: None,
    };
    let mut tell = |_| Flow::Continue;
    measure(settings, &subject, &mut Watch::new("test", &mut tell)).expect("a table")
}

fn column(table: &Table, name: &str) -> Vec<f64> {
    table.iter().filter_map(|row| row.real(name)).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs(),
        "{what}: {found}, not {expected}"
    );
}

/// One linear layer: with squared error, the loss is a quadratic in W and b.
fn linear(dataset: &Dataset) -> Network {
    let features = dataset.shape.len();
    let mut builder = Builder::new();
    let head = vec![builder.linear("fc", features, dataset.outputs, true)];
    Network {
        name: "linear".into(),
        input: Shape::vector(features),
        outputs: dataset.outputs,
        stem: Vec::new(),
        blocks: Vec::new(),
        head,
        layout: builder.finish(),
    }
}

/// L(W, b) = mean over samples and outputs of (W x + b − t)²: gradient and Hessian–vector product by
/// hand. The Hessian is 2/K of the mean of x̃ x̃ᵀ for each output alone, x̃ = (x, 1).
struct Quadratic<'d> {
    dataset: &'d Dataset,
    classes: &'d [u32],
    features: usize,
    outputs: usize,
}

impl Quadratic<'_> {
    fn input(&self, sample: usize) -> Vec<f64> {
        let x = &self.dataset.train.inputs[sample * self.features..(sample + 1) * self.features];
        x.iter().map(|v| f64::from(*v)).chain([1.0]).collect()
    }

    /// Rows (w_k, b_k) of the arena: all weights first, then the biases.
    fn row(&self, arena: &[f64], k: usize) -> Vec<f64> {
        let weights = &arena[k * self.features..(k + 1) * self.features];
        let bias = arena[self.outputs * self.features + k];
        weights.iter().copied().chain([bias]).collect()
    }

    /// Σ over samples of 2/(K n) (row·x̃ − t) x̃; with `targets` off, the Hessian's product.
    fn gradient(&self, arena: &[f64], targets: bool) -> Vec<f64> {
        let n = self.classes.len();
        let mut gradient = vec![0.0; arena.len()];
        for k in 0..self.outputs {
            let row = self.row(arena, k);
            for (sample, class) in self.classes.iter().enumerate() {
                let x = self.input(sample);
                let output: f64 = row.iter().zip(&x).map(|(a, b)| a * b).sum();
                let target = if targets && *class as usize == k {
                    1.0
                } else {
                    0.0
                };
                let factor = 2.0 * (output - target) / (self.outputs * n) as f64;
                for (j, x) in x[..self.features].iter().enumerate() {
                    gradient[k * self.features + j] += factor * x;
                }
                gradient[self.outputs * self.features + k] += factor;
            }
        }
        gradient
    }
}

#[test]
fn on_a_quadratic_all_numbers_are_closed_forms() {
    let dataset = noise(12, 64);
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("these data are classes")
    };
    let network = linear(&dataset);
    let parameters = initialize(&network, &InitSettings::default(), 3);
    let train = TrainSettings {
        lr: 0.5,
        loss: LossSettings {
            kind: LossKind::SquaredError,
            ..LossSettings::default()
        },
        ..TrainSettings::default()
    };
    // The mini-batch is the whole set: its order does not matter.
    let settings = SmoothnessSettings {
        batches: 1,
        batch_size: Some(64),
        steps: vec![0.5, 1.0, 2.0, 4.0],
        ..SmoothnessSettings::default()
    };
    let table = smoothness(&settings, &network, &dataset, &parameters, &train);
    let quadratic = Quadratic {
        dataset: &dataset,
        classes,
        features: 12,
        outputs: dataset.outputs,
    };
    let theta: Vec<f64> = reference::lift(&parameters);
    let g = quadratic.gradient(&theta, true);
    let hg = quadratic.gradient(&g, false);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (gg, ghg, hghg) = (dot(&g, &g), dot(&g, &hg), dot(&hg, &hg));
    assert_eq!(table.len(), 4);
    let loss = column(&table, "loss")[0];
    for (row, multiple) in settings.steps.iter().enumerate() {
        let eta = 0.5 * multiple;
        let after = loss - eta * gg + 0.5 * eta * eta * ghg;
        let norm_after = (gg - 2.0 * eta * ghg + eta * eta * hghg).sqrt();
        for (name, expected) in [
            ("step_size", eta),
            ("loss_after", after),
            ("gradient_norm", gg.sqrt()),
            ("gradient_norm_after", norm_after),
            ("step_norm", eta * gg.sqrt()),
            ("gradient_change", eta * hghg.sqrt()),
            ("smoothness", (hghg / gg).sqrt()),
            ("cosine", (gg - eta * ghg) / (gg.sqrt() * norm_after)),
        ] {
            assert_close(column(&table, name)[row], expected, 1e-4, name);
        }
    }
}

#[test]
fn a_residual_network_with_batch_norm_is_as_in_the_reference() {
    let dataset = digits();
    let network = network("resnet8", 4, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 5);
    let train = TrainSettings {
        lr: 0.1,
        ..TrainSettings::default()
    };
    let settings = SmoothnessSettings {
        batches: 1,
        batch_size: Some(dataset.train.len),
        ..SmoothnessSettings::default()
    };
    let table = smoothness(&settings, &network, &dataset, &parameters, &train);
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("these data are classes")
    };
    let inputs = batch(&network, &dataset, dataset.train.len);
    let state: Vec<f64> = reference::lift(&network.layout.initial_state());
    let problem = Problem {
        network: &network,
        state: &state,
        mode: Mode::Training,
        noise: reslab_nn::noise::Noise::default(),
        inputs: &inputs,
        targets: TargetsRef::Classes(classes),
        loss: Loss::default(),
    };
    let at = |theta: &[f64]| derivatives::gradient(&problem, theta).expect("it fits");
    let theta: Vec<f64> = reference::lift(&parameters);
    let start = at(&theta);
    let g = &start.gradients.parameters;
    let mut least = f64::MAX;
    for (row, multiple) in settings.steps.iter().enumerate() {
        let eta = 0.1 * multiple;
        let moved: Vec<f64> = theta.iter().zip(g).map(|(t, g)| t - eta * g).collect();
        let after = at(&moved);
        let difference: Vec<f64> = after
            .gradients
            .parameters
            .iter()
            .zip(g)
            .map(|(a, b)| a - b)
            .collect();
        let change = length(difference.iter());
        let smoothness = change / (eta * length(g.iter()));
        least = least.min(smoothness);
        for (name, expected) in [
            ("loss", start.loss),
            ("loss_after", after.loss),
            ("gradient_norm", length(g.iter())),
            ("gradient_change", change),
            ("smoothness", smoothness),
        ] {
            assert_close(column(&table, name)[row], expected, 1e-3, name);
        }
    }
    // Something moved: the comparison is not one of zeros.
    assert!(least > 0.1, "{least}");
}

#[test]
fn mini_batches_are_those_of_seed_and_epoch_alone() {
    let dataset = digits();
    let train = TrainSettings::default();
    let settings = SmoothnessSettings {
        batches: 3,
        batch_size: Some(40),
        ..SmoothnessSettings::default()
    };
    let network = network("resnet8", 4, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 5);
    let whole = smoothness(&settings, &network, &dataset, &parameters, &train);
    let fewer = SmoothnessSettings {
        batches: 2,
        ..settings
    };
    let part = smoothness(&fewer, &network, &dataset, &parameters, &train);
    assert_eq!(whole.len(), 12);
    assert_eq!(part.rows, whole.rows[..8]);
    let losses = column(&whole, "loss");
    assert!(
        losses[0] != losses[4] && losses[4] != losses[8],
        "{losses:?}"
    );
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a pool");
    let alone = pool.install(|| smoothness(&fewer, &network, &dataset, &parameters, &train));
    assert_eq!(alone.rows, part.rows);
}
