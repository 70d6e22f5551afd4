//! Dropout and stochastic depth: what a training step does at random, and what evaluation makes of
//! it.

use crate::support::cases::{draw, tensor};
use reslab_nn::families::{ModelSettings, build};
use reslab_nn::network::builder::layer;
use reslab_nn::network::{Layer, Network, Op, Shape};
use reslab_nn::noise::Noise;
use reslab_nn::reference::{Mode, Part, Pass, Tensor, forward_with_noise, lift};

fn network(settings: &str) -> Network {
    let settings: ModelSettings = serde_json::from_str(settings).unwrap();
    build(&settings, Shape::new(2, 6, 6), 3).unwrap()
}

fn run(network: &Network, mode: Mode, step: u64) -> Pass<f64> {
    let parameters = draw(1, 1, network.layout.parameter_count());
    let state: Vec<f64> = lift(&network.layout.initial_state());
    let inputs: Tensor<f64> = tensor(1, 0, (4, 6, 6, 2));
    let part = Part::whole(network);
    let noise = Noise { seed: 9, step };
    forward_with_noise(network, part, (&parameters, &state), (mode, noise), &inputs).unwrap()
}

/// The network without the branches that a step drops, and all others certain.
fn survivors(network: &Network, step: u64) -> (Network, usize) {
    let noise = Noise { seed: 9, step };
    let mut found = network.clone();
    let mut dropped = 0;
    for block in &mut found.blocks {
        let survival = block.survival.take().unwrap();
        if !noise.survives(survival.stream, survival.probability) {
            block.branches.clear();
            dropped += 1;
        }
    }
    (found, dropped)
}

#[test]
fn a_step_drops_the_branches_that_do_not_survive() {
    let network = network(r#"{"depth": 14, "width": 4, "stochastic_depth": 0.3}"#);
    let mut dropped = 0;
    for step in 0..12 {
        let (survivors, count) = survivors(&network, step);
        dropped += count;
        let (found, want) = (
            run(&network, Mode::Training, step),
            run(&survivors, Mode::Training, step),
        );
        assert_eq!(found.output, want.output);
        // A branch that is dropped sees no batch, so its running statistics stay.
        assert_eq!(found.state, want.state);
    }
    // 0.41 of 72 on average.
    assert!((12..50).contains(&dropped), "{dropped}");
}

#[test]
fn evaluation_multiplies_branches_by_their_survival() {
    let network = network(r#"{"depth": 14, "width": 4, "stochastic_depth": 0.3}"#);
    let mut scaled = network.clone();
    for block in &mut scaled.blocks {
        let survival = block.survival.take().unwrap();
        block.branches[0].push(layer("scale", Op::Scale(survival.probability)));
    }
    let (found, want) = (
        run(&network, Mode::Evaluation, 0),
        run(&scaled, Mode::Evaluation, 5),
    );
    assert_eq!(found.output, want.output);
}

#[test]
fn dropout_zeroes_its_share_and_keeps_the_mean() {
    // A network that is its dropout and a head that adds up.
    let mut only = network(r#"{"depth": 8, "width": 4, "dropout": 0.25}"#);
    let is_dropout = |layer: &&Layer| matches!(layer.op, Op::Dropout(_));
    let branch = &only.blocks[0].branches[0];
    let dropout = branch.iter().find(is_dropout).unwrap().clone();
    only.stem = vec![dropout, layer("flatten", Op::Flatten)];
    only.blocks.clear();
    only.head.clear();
    only.outputs = 72;
    let inputs = Tensor::from_elem((500, 6, 6, 2), 1.0);
    let parameters = vec![0.0; only.layout.parameter_count()];
    let state: Vec<f64> = lift(&only.layout.initial_state());
    let run = |mode, step| {
        let noise = Noise { seed: 9, step };
        let numbers = (parameters.as_slice(), state.as_slice());
        let part = Part::whole(&only);
        forward_with_noise(&only, part, numbers, (mode, noise), &inputs)
            .unwrap()
            .output
    };
    let first = run(Mode::Training, 0);
    let kept = first.iter().filter(|&&v| v != 0.0).count();
    assert!(first.iter().all(|&v| v == 0.0 || v == 4.0 / 3.0));
    let share = kept as f64 / 36_000.0;
    let error = (0.1875_f64 / 36_000.0).sqrt();
    assert!((share - 0.75).abs() < 5.0 * error, "{share}");
    assert_eq!(run(Mode::Training, 0), first);
    assert_ne!(run(Mode::Training, 1), first);
    assert!(run(Mode::Evaluation, 0).iter().all(|&v| v == 1.0));
}
