//! What the tests of several instruments share.

#![allow(dead_code)]

use reslab_nn::data::{
    DataName, DataSettings, Dataset, SyntheticKind, SyntheticSettings, Targets, load,
};
use reslab_nn::families::{build, named};
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::Network;
use reslab_nn::reference::{self, Gradients, Mode, Pass, Tensor};
use reslab_nn::train::{Flow, TrainSettings};
use reslab_probes::{Subject, Watch};

/// A hundred handwritten digits.
pub fn digits() -> Dataset {
    let settings = DataSettings {
        name: DataName::Digits,
        train_limit: Some(100),
        test_limit: Some(20),
        ..DataSettings::default()
    };
    load(&settings).expect("digits are built in")
}

/// Independent normal inputs.
pub fn noise(dimensions: usize, samples: usize) -> Dataset {
    let settings = DataSettings {
        name: DataName::Synthetic,
        synthetic: Some(SyntheticSettings {
            kind: SyntheticKind::Clusters,
            separation: 0.0,
            classes: 10,
            dimensions,
            train: samples,
            test: 1,
            ..SyntheticSettings::default()
        }),
        ..DataSettings::default()
    };
    load(&settings).expect("synthetic data")
}

/// A network by name, of another width.
pub fn network(name: &str, width: usize, dataset: &Dataset) -> Network {
    let mut model = named(name).expect("a network's name");
    model.width = width;
    build(&model, dataset.shape, dataset.outputs).expect("a small network")
}

/// Calls an instrument on a network with these parameters and running statistics.
pub fn with_subject<T>(
    network: &Network,
    dataset: &Dataset,
    (parameters, state): (&[f32], &[f32]),
    measure: impl FnOnce(&Subject<'_>, &mut Watch<'_>) -> T,
) -> T {
    let train = TrainSettings::default();
    let subject = Subject {
        run_id: "run",
        epoch: 0,
        network,
        parameters,
        state,
        dataset,
        train: &train,
        seed: 7,
        folder: None,
    };
    let mut tell = |_| Flow::Continue;
    measure(&subject, &mut Watch::new("test", &mut tell))
}

/// The first samples of the training set.
pub fn batch(network: &Network, dataset: &Dataset, samples: usize) -> Tensor<f64> {
    let inputs = &dataset.train.inputs[..samples * dataset.shape.len()];
    reference::tensor(inputs, network.input).expect("whole samples")
}

/// One pass through all of a network, and its gradients.
pub fn whole(
    network: &Network,
    dataset: &Dataset,
    parameters: &[f32],
    samples: usize,
) -> (Pass<f64>, Gradients<f64>) {
    let parameters: Vec<f64> = reference::lift(parameters);
    let (pass, grad, _) = pass_and_loss(network, dataset, &parameters, samples);
    let gradients = pass.backward(network, &parameters, &grad);
    (pass, gradients)
}

/// The mean loss.
pub fn loss_at(network: &Network, dataset: &Dataset, parameters: &[f64], samples: usize) -> f64 {
    pass_and_loss(network, dataset, parameters, samples).2
}

fn pass_and_loss(
    network: &Network,
    dataset: &Dataset,
    parameters: &[f64],
    samples: usize,
) -> (Pass<f64>, Tensor<f64>, f64) {
    let state: Vec<f64> = reference::lift(&network.layout.initial_state());
    let input = batch(network, dataset, samples);
    let pass = reference::forward(network, parameters, &state, Mode::Training, &input)
        .expect("a checked network");
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("these data are classes")
    };
    let targets = TargetsRef::Classes(&classes[..samples]);
    let loss = reference::loss(&Loss::default(), &pass.output, targets).expect("classes");
    (pass, loss.grad_outputs, loss.mean)
}

/// Euclidean length.
pub fn length<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}
