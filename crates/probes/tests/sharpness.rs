//! Sharpness against single evaluations, and what a change of parameters does to it.

mod support;

use reslab_nn::data::{Dataset, Targets};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::Network;
use reslab_nn::reference::{self, Mode, Problem, derivatives};
use reslab_nn::train::{Silent, TrainSettings, train};
use reslab_probes::hessian::{
    Coordinates, ExtremeSettings, LossHessian, MeanLoss, Precision, extremes,
};
use reslab_probes::sharpness::{CurvatureSettings, SharpnessSettings, measure};
use reslab_results::Table;
use support::*;

/// A network that was trained a little, so that its running statistics fit.
fn trained(network: &Network, dataset: &Dataset) -> (Vec<f32>, Vec<f32>) {
    let settings = TrainSettings {
        epochs: 12,
        batch_size: 20,
        lr: 0.05,
        ..TrainSettings::default()
    };
    let init = InitSettings::default();
    let found = train(network, dataset, &settings, &init, 1, None, &mut Silent).expect("trained");
    (found.parameters, found.state)
}

fn sharpness(
    settings: &SharpnessSettings,
    network: &Network,
    dataset: &Dataset,
    numbers: (&[f32], &[f32]),
) -> Table {
    with_subject(network, dataset, numbers, |subject, watch| {
        measure(settings, subject, watch).expect("a table")
    })
}

fn rises(table: &Table, rescale: f64, kind: &str) -> Vec<f64> {
    let rows = table
        .iter()
        .filter(|row| row.real("rescale") == Some(rescale) && row.text("kind") == Some(kind));
    rows.filter_map(|row| row.real("rise")).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn rises_for_small_radii_are_those_of_the_gradient_in_the_reference() {
    let dataset = digits();
    let network = network("resnet8", 4, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 5);
    // Statistics other than the initial ones: those of a batch.
    let (_, state) = trained(&network, &dataset);
    let radius = 1e-3;
    let settings = SharpnessSettings {
        samples: 100,
        radii: vec![radius],
        draws: 2,
        ..SharpnessSettings::default()
    };
    let table = sharpness(&settings, &network, &dataset, (&parameters, &state));
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("these data are classes")
    };
    let inputs = batch(&network, &dataset, 100);
    let state: Vec<f64> = reference::lift(&state);
    let problem = Problem {
        network: &network,
        state: &state,
        mode: Mode::Evaluation,
        noise: reslab_nn::noise::Noise::default(),
        inputs: &inputs,
        targets: TargetsRef::Classes(classes),
        loss: Loss::default(),
    };
    let theta: Vec<f64> = reference::lift(&parameters);
    let found = derivatives::gradient(&problem, &theta).expect("it fits");
    let g = &found.gradients.parameters;
    // Filters by hand: rows of tensors with more than one dimension.
    let entries = network.layout.parameters.iter();
    let filters: Vec<std::ops::Range<usize>> = entries
        .filter(|entry| entry.shape.len() > 1)
        .flat_map(|entry| {
            let len = entry.slot.len / entry.shape[0];
            let first = entry.slot.offset;
            (0..entry.shape[0]).map(move |row| first + row * len..first + (row + 1) * len)
        })
        .collect();
    let square =
        |v: &[f64], f: &std::ops::Range<usize>| -> f64 { v[f.clone()].iter().map(|x| x * x).sum() };
    let weights: f64 = filters.iter().map(|f| square(&theta, f)).sum();
    let gradient: f64 = filters.iter().map(|f| square(g, f)).sum();
    let products = filters.iter().map(|f| square(&theta, f) * square(g, f));
    let count = filters.len() as f64;
    for (kind, slope) in [
        ("gradient", (weights * gradient).sqrt()),
        ("gradient-filter", (count * products.sum::<f64>()).sqrt()),
    ] {
        let rise = rises(&table, 1.0, kind)[0];
        let linear = radius * slope;
        assert!(
            (rise - linear).abs() < 0.05 * linear,
            "{kind}: {rise}, not about {linear}"
        );
    }
    // Along random directions the first order mostly cancels.
    let random = rises(&table, 1.0, "gaussian");
    assert_eq!(random.len(), 2);
    assert!(
        random
            .iter()
            .all(|r| r.abs() < 0.3 * rises(&table, 1.0, "gradient")[0])
    );
    assert!(random[0] != random[1], "draws differ");
}

/// Dinh et al. 2017: the same function, other sharpness, unless measured in units of the filters.
fn rescaling_changes_plain_sharpness_only(network: &Network, dataset: &Dataset, tolerance: f64) {
    let (parameters, state) = trained(network, dataset);
    let settings = SharpnessSettings {
        samples: 100,
        radii: vec![0.1],
        draws: 4,
        rescale: vec![8.0],
        ..SharpnessSettings::default()
    };
    let table = sharpness(&settings, network, dataset, (&parameters, &state));
    let losses: Vec<f64> = table.iter().filter_map(|row| row.real("loss")).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(
        (first - last).abs() <= tolerance * first,
        "the function changed: {first}, {last}"
    );
    for kind in ["filter", "gradient-filter"] {
        let (before, after) = (
            mean(&rises(&table, 1.0, kind)),
            mean(&rises(&table, 8.0, kind)),
        );
        assert!(before > 0.0, "{kind}: {before}");
        assert!(
            (after - before).abs() <= 10.0 * tolerance * before,
            "{kind}: {before}, then {after}"
        );
    }
    for kind in ["gaussian", "gradient"] {
        let (before, after) = (
            mean(&rises(&table, 1.0, kind)),
            mean(&rises(&table, 8.0, kind)),
        );
        assert!(
            (after / before).ln().abs() > 0.4,
            "{kind}: {before}, then {after}"
        );
    }
}

#[test]
fn with_batch_norm_only_plain_sharpness_changes_under_rescaling() {
    let dataset = digits();
    let network = network("resnet8", 4, &dataset);
    rescaling_changes_plain_sharpness_only(&network, &dataset, 2e-3);
}

#[test]
fn between_two_layers_with_a_relu_only_plain_sharpness_changes_under_rescaling() {
    let dataset = noise(16, 100);
    let mut model = named("fc-resnet3").expect("a name");
    (model.width, model.branch_layers) = (16, 2);
    let network = build(&model, dataset.shape, dataset.outputs).expect("a network");
    rescaling_changes_plain_sharpness_only(&network, &dataset, 1e-4);
}

/// With L′(w) = L(w/α) in the first layer of each branch, H′ = D H D, D being 1/α there and 1 elsewhere: by
/// the reference in `f64`.
#[test]
fn curvature_of_the_rescaled_network_is_that_of_the_rescaled_hessian() {
    let dataset = digits();
    let network = network("resnet8", 4, &dataset);
    let (parameters, state) = trained(&network, &dataset);
    let (samples, alpha) = (50, 0.5);
    let settings = SharpnessSettings {
        samples,
        radii: vec![0.1],
        draws: 1,
        rescale: vec![alpha],
        curvature: Some(CurvatureSettings {
            samples,
            tolerance: 1e-5,
            max_steps: 200,
        }),
        ..SharpnessSettings::default()
    };
    let table = sharpness(&settings, &network, &dataset, (&parameters, &state));
    let found = |alpha: f64| -> f64 {
        let mut rows = table.iter().filter(|row| {
            row.text("kind") == Some("curvature") && row.real("rescale") == Some(alpha)
        });
        rows.next()
            .and_then(|row| row.real("eigenvalue"))
            .expect("a row")
    };
    let mut hessian = LossHessian::new(MeanLoss {
        network: &network,
        parameters: &parameters,
        state: &state,
        split: &dataset.train,
        samples,
        loss: Loss::default(),
        mode: Mode::Evaluation,
        batch_size: samples,
        coordinates: Coordinates::Weights,
        precision: Precision::F64,
    });
    let entries = network.layout.parameters.iter();
    let weights = entries.filter(|entry| entry.shape.len() > 1);
    let scale: Vec<(usize, bool)> = weights
        .map(|entry| {
            let first = entry.name.starts_with("layer") && entry.name.ends_with("conv1.weight");
            (entry.slot.len, first)
        })
        .collect();
    assert_eq!(scale.iter().filter(|(_, first)| *first).count(), 3);
    for (alpha, tolerance) in [(1.0, 1e-4), (alpha, 5e-3)] {
        let d: Vec<f64> = scale
            .iter()
            .flat_map(|(len, first)| {
                let factor = if *first { 1.0 / alpha } else { 1.0 };
                std::iter::repeat_n(factor, *len)
            })
            .collect();
        let times = |v: &[f64]| -> Vec<f64> { v.iter().zip(&d).map(|(v, d)| v * d).collect() };
        let mut operator = |vector: &[f64], product: &mut [f64]| {
            let mut inner = vec![0.0; product.len()];
            hessian.product(&times(vector), &mut inner, &mut || Ok(()))?;
            product.copy_from_slice(&times(&inner));
            Ok(())
        };
        let wanted = ExtremeSettings {
            bottom: 0,
            tolerance: 1e-5,
            ..ExtremeSettings::default()
        };
        let ends = extremes(&mut operator, d.len(), None, &wanted, 3).expect("found");
        let expected = ends.top[0].value;
        let error = (found(alpha) - expected).abs() / expected;
        // The running variance is rescaled, the ε beside it is not.
        assert!(
            error < tolerance,
            "{alpha}: {}, not {expected}",
            found(alpha)
        );
    }
    assert!(found(alpha) > 1.2 * found(1.0), "the function is the same");
}

#[test]
fn rescaling_is_refused_where_nothing_follows() {
    let dataset = noise(16, 100);
    let settings = SharpnessSettings {
        samples: 0,
        rescale: vec![2.0],
        curvature: Some(CurvatureSettings {
            tolerance: 0.0,
            ..CurvatureSettings::default()
        }),
        ..SharpnessSettings::default()
    };
    let mut model = named("fc-resnet3").expect("a name");
    (model.width, model.branch_layers) = (16, 1);
    let network = build(&model, dataset.shape, dataset.outputs).expect("a network");
    let fields: Vec<&str> = settings
        .problems(&network)
        .iter()
        .map(|p| p.field)
        .collect();
    let expected = [
        "sharpness.samples",
        "sharpness.rescale",
        "sharpness.curvature.tolerance",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn threads_change_no_bit() {
    let dataset = digits();
    let network = network("resnet8", 4, &dataset);
    let numbers = trained(&network, &dataset);
    let settings = SharpnessSettings {
        samples: 100,
        draws: 2,
        curvature: Some(CurvatureSettings::default()),
        ..SharpnessSettings::default()
    };
    let rows = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("a pool");
        pool.install(|| sharpness(&settings, &network, &dataset, (&numbers.0, &numbers.1)).rows)
    };
    assert_eq!(rows(1), rows(2));
}
