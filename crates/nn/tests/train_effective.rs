//! Training some of the blocks in each step: which ones, what a step does, and what is evaluated.

mod train_support;

use reslab_nn::engine::{Batch, Engine, Noise, TargetsRef};
use reslab_nn::families::{InitSettings, init};
use reslab_nn::loss::Loss;
use reslab_nn::network::{Network, Slot};
use reslab_nn::reference::{self, Mode, Tensor, lift};
use reslab_nn::train::effective::{evaluated, network_of_step, problem, trained_blocks};
use reslab_nn::train::{Checkpoint, EvaluationBranches, Outcome, TrainError, TrainSettings, train};
use reslab_nn::{data::Dataset, data::Targets};
use train_support::{Notes, bits, digits, network, run};

fn some_blocks(count: usize) -> TrainSettings {
    TrainSettings {
        epochs: 2,
        batch_size: 32,
        blocks_per_step: Some(count),
        ..TrainSettings::default()
    }
}

#[test]
fn every_step_trains_so_many_blocks_and_all_choices_are_as_likely() {
    let dataset = digits(40, 10);
    let network = network("resnet20", 4, true, &dataset);
    let (steps, count) = (4000_u64, 4);
    let mut times = vec![0_u32; 9];
    let mut both = 0;
    for step in 0..steps {
        let trained = trained_blocks(&network, count, 3, step);
        assert_eq!(trained.iter().filter(|&&t| t).count(), count);
        assert_eq!(trained, trained_blocks(&network, count, 3, step));
        trained
            .iter()
            .zip(&mut times)
            .for_each(|(&t, times)| *times += u32::from(t));
        both += u32::from(trained[0] && trained[8]);
    }
    let expect = |found: u32, probability: f64| {
        let deviation = (steps as f64 * probability * (1.0 - probability)).sqrt();
        let off = (f64::from(found) - steps as f64 * probability).abs();
        assert!(
            off < 5.0 * deviation,
            "{found} of {steps}, not {probability}"
        );
    };
    times.iter().for_each(|&times| expect(times, 4.0 / 9.0));
    expect(both, 4.0 * 3.0 / (9.0 * 8.0));
    let other_seed = (0..20).any(|step| {
        trained_blocks(&network, count, 4, step) != trained_blocks(&network, count, 3, step)
    });
    assert!(other_seed);
}

/// Loss gradient and state after it by the reference, and by the engine.
fn both_executors(network: &Network, dataset: &Dataset, seed: u64) -> [(Vec<f64>, Vec<f64>); 2] {
    let (parameters, state) = init::start(network, &InitSettings::default(), seed).unwrap();
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("digits are classes")
    };
    let inputs: Tensor<f64> = reference::tensor(&dataset.train.inputs, dataset.shape).unwrap();
    let (p, s) = (lift::<f64>(&parameters), lift::<f64>(&state));
    let pass = reference::forward(network, &p, &s, Mode::Training, &inputs).unwrap();
    let loss = reference::loss(&Loss::default(), &pass.output, TargetsRef::Classes(classes));
    let gradients = pass.backward(network, &p, &loss.unwrap().grad_outputs);
    let mut engine = Engine::for_training(network, dataset.train.len).unwrap();
    let (mut moved, mut gradient) = (state, vec![0.0; parameters.len()]);
    let batch = Batch {
        inputs: &dataset.train.inputs,
        targets: TargetsRef::Classes(classes),
        len: dataset.train.len,
        noise: Noise::default(),
    };
    engine.step(
        &parameters,
        &mut moved,
        &batch,
        &Loss::default(),
        &mut gradient,
    );
    [
        (gradients.parameters, pass.state),
        (lift(&gradient), lift(&moved)),
    ]
}

fn distance(found: &[f64], want: &[f64]) -> f64 {
    let size: f64 = want.iter().map(|x| x * x).sum();
    let off: f64 = found.iter().zip(want).map(|(a, b)| (a - b) * (a - b)).sum();
    (off / size).sqrt()
}

#[test]
fn both_executors_agree_where_blocks_are_skipped() {
    let dataset = digits(32, 10);
    for name in ["resnet20", "preact-resnet20", "resnet29", "fc-resnet8"] {
        let network = match name {
            "resnet29" => {
                let text = r#"{"depth": 29, "width": 3, "block": "bottleneck", "shortcut": "B"}"#;
                let settings = serde_json::from_str(text).unwrap();
                reslab_nn::families::build(&settings, dataset.shape, 10).unwrap()
            }
            _ => network(name, 4, true, &dataset),
        };
        for step in 0..3 {
            let trained = trained_blocks(&network, 3, 1, step);
            let edited = network_of_step(&network, &trained);
            let [(gradient, state), (by_engine, moved)] = both_executors(&edited, &dataset, 2);
            assert!(distance(&by_engine, &gradient) < 1e-4, "{name} {step}");
            assert!(distance(&moved, &state) < 1e-5, "{name} {step}");
            // What is skipped has no gradient.
            for (block, _) in network.blocks.iter().zip(trained).filter(|(_, t)| !t) {
                let slots = block
                    .branches
                    .iter()
                    .flatten()
                    .flat_map(|l| l.op.parameters());
                for slot in slots.collect::<Vec<Slot>>() {
                    assert!(
                        slot.of(&by_engine).iter().all(|&g| g == 0.0),
                        "{name} {step}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_first_step_is_that_of_the_edited_network() {
    let dataset = digits(32, 10);
    let network = network("preact-resnet20", 4, true, &dataset);
    let settings = TrainSettings {
        epochs: 1,
        weight_decay: 0.0,
        ..some_blocks(4)
    };
    let (trained, _) = run(&network, &dataset, &settings, None, Notes::default());
    let (start, state) = init::start(&network, &InitSettings::default(), 1).unwrap();
    let chosen = trained_blocks(&network, 4, 1, 0);
    let edited = network_of_step(&network, &chosen);
    let [(gradient, after), _] = both_executors(&edited, &dataset, 1);
    let step: Vec<f64> = start
        .iter()
        .zip(&trained.parameters)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)) / settings.lr)
        .collect();
    assert!(
        distance(&step, &gradient) < 1e-3,
        "{}",
        distance(&step, &gradient)
    );
    assert!(distance(&lift::<f64>(&trained.state), &after) < 1e-5);
    assert_ne!(trained.state, state);
}

#[test]
fn evaluation_scales_branches_or_leaves_them() {
    let dataset = digits(32, 10);
    let network = network("resnet20", 4, true, &dataset);
    let scaled = evaluated(&network, &some_blocks(3));
    for block in &scaled.blocks {
        assert_eq!(block.survival.unwrap().probability, 3.0 / 9.0);
    }
    assert_eq!(evaluated(&network, &some_blocks(9)), network);
    assert_eq!(evaluated(&network, &TrainSettings::default()), network);
    let whole = TrainSettings {
        evaluation_branches: Some(EvaluationBranches::Whole),
        ..some_blocks(3)
    };
    assert_eq!(evaluated(&network, &whole), network);
    // Steps are the same; what is measured differs.
    let (one, notes) = run(&network, &dataset, &some_blocks(3), None, Notes::default());
    let (other, told) = run(&network, &dataset, &whole, None, Notes::default());
    assert_eq!(bits(&one.parameters), bits(&other.parameters));
    assert_ne!(notes.epochs[2].test_loss, told.epochs[2].test_loss);
}

#[test]
fn threads_and_interruptions_change_no_bit() {
    let dataset = digits(100, 10);
    let network = network("resnet20", 4, true, &dataset);
    let settings = some_blocks(4);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(|| run(&network, &dataset, &settings, None, Notes::default()))
    };
    let (whole, notes) = on(1);
    assert_eq!(bits(&whole.parameters), bits(&on(3).0.parameters));
    let saved = Checkpoint::from_bytes(&notes.checkpoints[1].to_bytes()).unwrap();
    let (resumed, _) = run(&network, &dataset, &settings, Some(saved), Notes::default());
    assert_eq!(resumed.outcome, Outcome::Finished);
    assert_eq!(bits(&whole.parameters), bits(&resumed.parameters));
    assert_eq!(bits(&whole.state), bits(&resumed.state));
    let (all, _) = run(&network, &dataset, &some_blocks(9), None, Notes::default());
    let usual = TrainSettings {
        blocks_per_step: None,
        ..some_blocks(9)
    };
    let (usual, _) = run(&network, &dataset, &usual, None, Notes::default());
    assert_eq!(bits(&all.parameters), bits(&usual.parameters));
    assert_ne!(bits(&whole.parameters), bits(&usual.parameters));
}

#[test]
fn what_cannot_be_trained_so_is_refused() {
    let dataset = digits(32, 10);
    let told = |name: &str, count| {
        let network = network(name, 4, true, &dataset);
        problem(&network, &some_blocks(count)).map(|problem| problem.to_string())
    };
    assert_eq!(told("resnet20", 9), None);
    assert!(told("resnet20", 10).unwrap().contains("at most 9"));
    assert!(told("plain20", 3).unwrap().contains("no residual blocks"));
    let mut survival = network("resnet8", 4, true, &dataset);
    survival = evaluated(&survival, &some_blocks(2));
    let refused = train(
        &survival,
        &dataset,
        &some_blocks(2),
        &InitSettings::default(),
        1,
        None,
        &mut Notes::default(),
    );
    assert!(matches!(refused, Err(TrainError::Settings(_))));
}
