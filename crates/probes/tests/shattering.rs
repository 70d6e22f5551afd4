//! Shattering against dense Jacobians and the laws for wide networks.

mod support;

use reslab_nn::data::Dataset;
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::Network;
use reslab_nn::reference::{self, Mode, Part, Tensor};
use reslab_probes::shattering::{Inputs, ShatteringSettings, measure};
use reslab_results::Table;
use support::*;

fn shattering(
    settings: &ShatteringSettings,
    network: &Network,
    dataset: &Dataset,
    parameters: &[f32],
) -> Table {
    let state = network.layout.initial_state();
    with_subject(network, dataset, (parameters, &state), |subject, watch| {
        measure(settings, subject, watch).expect("a table")
    })
}

/// Mean over seeds of the correlation at each depth.
fn correlations(name: &str, batch_norm: bool, depths: &[usize], seeds: u64) -> Vec<f64> {
    let dataset = noise(200, 2);
    let mut model = named(name).expect("a name");
    (model.width, model.batch_norm) = (200, batch_norm);
    let network = build(&model, dataset.shape, dataset.outputs).expect("a network");
    let settings = ShatteringSettings {
        inputs: Inputs::Gaussian,
        samples: 256,
        draws: 4,
        depths: depths.to_vec(),
        ..ShatteringSettings::default()
    };
    let mut means = vec![0.0; depths.len()];
    for seed in 0..seeds {
        let mut parameters = initialize(&network, &InitSettings::default(), seed);
        // The theory begins with activations of variance 1.
        let stem = network.layout.parameters[0].slot.of_mut(&mut parameters);
        stem.iter_mut().for_each(|w| *w *= 0.5_f32.sqrt());
        let table = shattering(&settings, &network, &dataset, &parameters);
        for (mean, row) in means.iter_mut().zip(table.iter()) {
            *mean += row.real("correlation").expect("a number") / seeds as f64;
        }
    }
    means
}

/// `∏ (1 + 1/(2 s²)) / (1 + 1/s²)`, `s² = 1 + k (1 − 1/π)`, k = 0 … depth − 1.
fn product_formula(depth: usize) -> f64 {
    let factor = |k: usize| {
        let square = 1.0 + k as f64 * (1.0 - 1.0 / std::f64::consts::PI);
        (1.0 + 0.5 / square) / (1.0 + 1.0 / square)
    };
    (0..depth).map(factor).product()
}

#[test]
fn plain_networks_with_batch_norm_shatter_by_half_a_layer() {
    let depths = [1, 2, 4, 6];
    let found = correlations("fc-plain6", true, &depths, 3);
    // Simulated: .484, .245, .057, .019.
    for (depth, found) in depths.into_iter().zip(found) {
        let law = 0.5_f64.powi(depth as i32);
        assert!(
            (found / law).ln().abs() < 0.3,
            "{depth}: {found}, not {law}"
        );
    }
}

#[test]
fn without_centring_plain_networks_shatter_less() {
    // Simulated: .293, .147, .088 at 2, 4, 6 layers: inputs align with depth.
    let found = correlations("fc-plain6", false, &[2, 4, 6], 3);
    assert!(found[1] > 0.11 && found[2] > 0.06, "{found:?}");
}

#[test]
fn residual_networks_with_batch_norm_follow_the_product_formula() {
    let depths = [4, 8, 16, 32, 64];
    let found = correlations("preact-fc-resnet64", true, &depths, 2);
    let simulated = [0.434, 0.299, 0.195, 0.108, 0.072];
    for ((depth, found), simulated) in depths.into_iter().zip(found).zip(simulated) {
        let law = product_formula(depth);
        assert!((found - law).abs() < 0.03, "{depth}: {found}, not {law}");
        assert!(
            (found - simulated).abs() < 0.04,
            "{depth}: {found}, not {simulated}"
        );
    }
}

/// Averaged over projections, products of gradients are products of Jacobians: E (Jᵢᵀu)·(Jⱼᵀu) =
/// tr(Jᵢ Jⱼᵀ) for normal u.
#[test]
fn covariance_is_the_trace_of_a_product_of_jacobians() {
    let dataset = digits();
    let network = network("fc-plain2", 5, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 4);
    let settings = ShatteringSettings {
        samples: 4,
        draws: 4000,
        depths: vec![2],
        ..ShatteringSettings::default()
    };
    let table = shattering(&settings, &network, &dataset, &parameters);
    let (parameters, state) = (
        reference::lift::<f64>(&parameters),
        reference::lift::<f64>(&network.layout.initial_state()),
    );
    let input = batch(&network, &dataset, 4);
    let pass = |part: Part, x: &Tensor<f64>| {
        reference::forward_part(&network, part, &parameters, &state, Mode::Evaluation, x)
            .expect("parts that fit")
    };
    let stem = pass(Part::before(0), &input).output;
    let blocks = pass(Part::blocks(0..2), &stem);
    // Row k of every sample's Jacobian: (samples, inputs).
    let jacobian: Vec<Tensor<f64>> = (0..5)
        .map(|k| {
            let unit = Tensor::from_shape_fn((4, 1, 1, 5), |(_, _, _, c)| f64::from(c == k));
            blocks.backward(&network, &parameters, &unit).input
        })
        .collect();
    let trace = |i: usize, j: usize| -> f64 {
        let row = |rows: &Tensor<f64>| -> f64 {
            (0..5)
                .map(|c| rows[[i, 0, 0, c]] * rows[[j, 0, 0, c]])
                .sum()
        };
        jacobian.iter().map(row).sum::<f64>() / 5.0
    };
    let pairs: Vec<(usize, usize)> = (0..4).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let covariance = pairs.iter().map(|&(i, j)| trace(i, j)).sum::<f64>() / 6.0;
    let variance = (0..4).map(|i| trace(i, i)).sum::<f64>() / 4.0;
    let row = table.iter().next().expect("a row");
    for (name, expected) in [("covariance", covariance), ("variance", variance)] {
        let found = row.real(name).expect("a number");
        assert!(
            (found / expected - 1.0).abs() < 0.1,
            "{name}: {found}, not {expected}"
        );
    }
    assert_eq!(row.integer("pairs"), Some(6));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let dataset = digits();
    let network = network("preact-resnet8", 4, &dataset);
    let parameters = initialize(&network, &InitSettings::default(), 4);
    let settings = ShatteringSettings {
        samples: 10,
        ..ShatteringSettings::default()
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("a pool");
        pool.install(|| shattering(&settings, &network, &dataset, &parameters))
    };
    assert_eq!(with(1), with(3));
    assert_eq!(with(1).len(), 3);
}

#[test]
fn settings_that_measure_nothing_are_refused() {
    let dataset = digits();
    let network = network("fc-plain2", 5, &dataset);
    let settings = ShatteringSettings {
        samples: 2,
        draws: 0,
        depths: vec![1, 3],
        ..ShatteringSettings::default()
    };
    let fields: Vec<_> = settings
        .problems(&network)
        .into_iter()
        .map(|p| p.field)
        .collect();
    let all = [
        "shattering.samples",
        "shattering.draws",
        "shattering.depths",
    ];
    assert_eq!(fields, all);
}
