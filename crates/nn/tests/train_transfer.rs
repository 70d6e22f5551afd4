//! Transfer: starting from given weights, freezing, and two learning rates.

mod train_support;

use reslab_nn::data::Dataset;
use reslab_nn::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use reslab_nn::export;
use reslab_nn::families::{InitSettings, init, initialize};
use reslab_nn::import::{Head, ImportError};
use reslab_nn::network::{Network, Role};
use reslab_nn::train::{
    FreezeSettings, FrozenNorms, Optimizer, TrainError, TrainSettings, Trained, train,
};
use train_support::{Notes, bits, digits, network, run};

const MODES: [FrozenNorms; 2] = [FrozenNorms::Frozen, FrozenNorms::Training];

fn subject(freeze: Option<FreezeSettings>) -> (Network, Dataset, TrainSettings) {
    let dataset = digits(100, 40);
    let network = network("resnet8", 4, true, &dataset);
    let settings = TrainSettings {
        epochs: 3,
        batch_size: 32,
        lr: 0.05,
        weight_decay: 1e-2,
        freeze,
        ..TrainSettings::default()
    };
    (network, dataset, settings)
}

/// Names of the parameters whose bits are not those before training.
fn moved<'n>(network: &'n Network, trained: &Trained) -> Vec<&'n str> {
    let before = initialize(network, &InitSettings::default(), 1);
    let entries = network.layout.parameters.iter();
    entries
        .filter(|e| bits(e.slot.of(&before)) != bits(e.slot.of(&trained.parameters)))
        .map(|e| e.name.as_str())
        .collect()
}

/// Whether a name belongs to the stem or to the first blocks, of which each stage has one.
fn in_front(name: &str, blocks: usize) -> bool {
    let stage = name
        .strip_prefix("layer")
        .and_then(|rest| rest[..1].parse::<usize>().ok());
    stage.map_or(
        name.starts_with("conv1") || name.starts_with("bn1"),
        |stage| stage <= blocks,
    )
}

#[test]
fn frozen_parameters_keep_their_bits_and_all_others_move() {
    for optimizer in [Optimizer::Sgd, Optimizer::Adam, Optimizer::AdamW] {
        for batch_norm in MODES {
            for blocks in 0..=3 {
                let (network, dataset, settings) =
                    subject(Some(FreezeSettings { blocks, batch_norm }));
                let settings = TrainSettings {
                    optimizer,
                    lr: 0.01,
                    ..settings
                };
                let (trained, _) = run(&network, &dataset, &settings, None, Notes::default());
                let names = network.layout.parameters.iter().map(|e| e.name.as_str());
                let expected: Vec<&str> = names.filter(|name| !in_front(name, blocks)).collect();
                assert_eq!(
                    moved(&network, &trained),
                    expected,
                    "{optimizer:?} {blocks}"
                );
                let fresh = network.layout.initial_state();
                for entry in &network.layout.state {
                    let same = entry.slot.of(&trained.state) == entry.slot.of(&fresh);
                    let kept = in_front(&entry.name, blocks) && batch_norm == FrozenNorms::Frozen;
                    assert_eq!(
                        same, kept,
                        "{}, {blocks} blocks, {batch_norm:?}",
                        entry.name
                    );
                }
            }
        }
    }
}

#[test]
fn a_resumed_frozen_run_ends_in_the_same_bits() {
    for batch_norm in MODES {
        let (network, dataset, settings) = subject(Some(FreezeSettings {
            blocks: 1,
            batch_norm,
        }));
        let settings = TrainSettings {
            lr_backbone: Some(0.01),
            clip_norm: Some(1.0),
            ..settings
        };
        let (whole, notes) = run(&network, &dataset, &settings, None, Notes::default());
        let checkpoint = notes.checkpoints[1].clone();
        let (resumed, _) = run(
            &network,
            &dataset,
            &settings,
            Some(checkpoint),
            Notes::default(),
        );
        assert_eq!(bits(&resumed.parameters), bits(&whole.parameters));
        assert_eq!(bits(&resumed.state), bits(&whole.state));
    }
}

/// The first step of plain SGD is the gradient times each part's own rate.
#[test]
fn head_and_backbone_have_their_own_rates() {
    let (network, dataset, settings) = subject(None);
    let settings = TrainSettings {
        epochs: 1,
        batch_size: 100,
        momentum: 0.0,
        weight_decay: 0.0,
        lr: 0.5,
        lr_backbone: Some(0.125),
        ..settings
    };
    let (trained, _) = run(&network, &dataset, &settings, None, Notes::default());
    let before = initialize(&network, &InitSettings::default(), 1);
    let mut gradient = vec![0.0; before.len()];
    let reslab_nn::data::Targets::Classes(classes) = &dataset.train.targets else {
        panic!("digits are classes")
    };
    let batch = Batch {
        inputs: &dataset.train.inputs,
        targets: TargetsRef::Classes(classes),
        len: 100,
        noise: Noise::default(),
    };
    let mut engine = Engine::for_training(&network, 100).unwrap();
    let mut state = network.layout.initial_state();
    engine.step(&before, &mut state, &batch, &Loss::default(), &mut gradient);
    for entry in &network.layout.parameters {
        let rate = if entry.name.starts_with("linear.") {
            0.5
        } else {
            0.125
        };
        for at in entry.slot.range() {
            let expected = before[at] - rate * gradient[at];
            let error = (trained.parameters[at] - expected).abs();
            // The epoch's order is another than the set's: sums are rounded otherwise.
            assert!(error < 1e-5, "{}: {error}", entry.name);
        }
    }
}

#[test]
fn equal_rates_and_no_freezing_change_no_bit() {
    let (network, dataset, settings) = subject(None);
    let (plain, _) = run(&network, &dataset, &settings, None, Notes::default());
    let same = TrainSettings {
        lr_backbone: Some(settings.lr),
        ..settings
    };
    let (equal, _) = run(&network, &dataset, &same, None, Notes::default());
    assert_eq!(bits(&plain.parameters), bits(&equal.parameters));
}

#[test]
fn more_frozen_blocks_than_there_are_is_refused() {
    let freeze = FreezeSettings {
        blocks: 4,
        ..FreezeSettings::default()
    };
    let (network, dataset, settings) = subject(Some(freeze));
    let init = InitSettings::default();
    let found = train(
        &network,
        &dataset,
        &settings,
        &init,
        1,
        None,
        &mut Notes::default(),
    );
    let error = found.expect_err("three blocks");
    assert!(
        matches!(
            error,
            TrainError::FrozenBlocks {
                blocks: 4,
                available: 3,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn training_starts_from_given_weights() {
    let (network, dataset, settings) = subject(None);
    let settings = TrainSettings {
        epochs: 0,
        ..settings
    };
    let (trained, _) = run(
        &network,
        &dataset,
        &TrainSettings {
            epochs: 2,
            ..settings.clone()
        },
        None,
        Notes::default(),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let bytes = export::safetensors(&network, &trained.parameters, &trained.state, 0);
    std::fs::write(&path, bytes).unwrap();
    let from = |head, sha256: Option<String>| InitSettings {
        weights: Some(path.clone()),
        weights_sha256: sha256,
        head,
        ..InitSettings::default()
    };
    let start = |init: &InitSettings, seed| {
        train(
            &network,
            &dataset,
            &settings,
            init,
            seed,
            None,
            &mut Notes::default(),
        )
    };
    let kept = start(&from(None, None), 5).unwrap();
    assert_eq!(bits(&kept.parameters), bits(&trained.parameters));
    assert_eq!(bits(&kept.state), bits(&trained.state));

    let replaced = start(&from(Some(Head::Replace), None), 5).unwrap();
    let fresh = initialize(&network, &InitSettings::default(), 5);
    for entry in &network.layout.parameters {
        let source = if entry.name.starts_with("linear.") {
            &fresh
        } else {
            &trained.parameters
        };
        assert_eq!(
            entry.slot.of(&replaced.parameters),
            entry.slot.of(source),
            "{}",
            entry.name
        );
        assert!(
            entry.role != Role::LinearWeight
                || entry.slot.of(&fresh) != entry.slot.of(&trained.parameters)
        );
    }
    let error = start(&from(None, Some("0".repeat(64))), 5).unwrap_err();
    assert!(
        matches!(error, TrainError::Weights(ImportError::Changed { .. })),
        "{error}"
    );
    let error = init::start(&network, &from(None, Some("0".repeat(64))), 5).unwrap_err();
    assert!(
        error.to_string().contains("w.safetensors have SHA-256"),
        "{error}"
    );
}
