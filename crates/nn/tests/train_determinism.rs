//! The same bits with any number of threads, and after any interruption; how runs end early.

mod train_support;

use reslab_nn::data::{AugmentSettings, Dataset, SyntheticKind};
use reslab_nn::families::InitSettings;
use reslab_nn::network::Network;
use reslab_nn::train::{
    Checkpoint, LossKind, LossSettings, Optimizer, Outcome, TrainError, TrainSettings, train,
};
use train_support::{Notes, bits, digits, network, run, synthetic};

/// A network with batch norm, images that are augmented, a last batch that is smaller.
fn subject() -> (Network, Dataset, TrainSettings) {
    let dataset = digits(150, 50);
    let settings = TrainSettings {
        epochs: 4,
        batch_size: 32,
        augment: AugmentSettings {
            crop_padding: 1,
            flip: false,
        },
        ..TrainSettings::default()
    };
    (network("resnet8", 4, true, &dataset), dataset, settings)
}

#[test]
fn a_resumed_run_ends_in_the_same_bits() {
    let (network, dataset, sgd) = subject();
    let adam = TrainSettings {
        optimizer: Optimizer::Adam,
        lr: 0.003,
        ..sgd.clone()
    };
    let plain = TrainSettings {
        momentum: 0.0,
        ..sgd.clone()
    };
    for settings in [sgd, adam, plain] {
        let (whole, notes) = run(&network, &dataset, &settings, None, Notes::default());
        assert_eq!(notes.checkpoints.len(), 5);
        for stop_at_epoch in [0, 2, 3] {
            let stopping = Notes {
                stop_at_epoch: Some(stop_at_epoch),
                ..Notes::default()
            };
            let (part, before) = run(&network, &dataset, &settings, None, stopping);
            assert_eq!(part.outcome, Outcome::Interrupted);
            assert_ne!(bits(&part.parameters), bits(&whole.parameters));
            let saved = before
                .checkpoints
                .last()
                .expect("epoch 0 gives one")
                .to_bytes();
            let read = Checkpoint::from_bytes(&saved).expect("just written");

            let (resumed, after) = run(&network, &dataset, &settings, Some(read), Notes::default());
            assert_eq!(resumed.outcome, Outcome::Finished);
            assert_eq!(bits(&resumed.parameters), bits(&whole.parameters));
            assert_eq!(bits(&resumed.state), bits(&whole.state));
            let reports = [before.epochs, after.epochs].concat();
            assert_eq!(reports, notes.epochs, "stopped after epoch {stop_at_epoch}");
            assert_eq!(after.checkpoints.last(), notes.checkpoints.last());
        }
    }
}

#[test]
fn a_finished_run_has_nothing_left_to_resume() {
    let (network, dataset, settings) = subject();
    let (whole, notes) = run(&network, &dataset, &settings, None, Notes::default());
    let last = notes.checkpoints.last().cloned();
    let (resumed, notes) = run(&network, &dataset, &settings, last, Notes::default());
    assert_eq!(resumed, whole);
    assert_eq!(notes.epochs, []);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (network, dataset, settings) = subject();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        pool.install(|| run(&network, &dataset, &settings, None, Notes::default()))
    };
    let (one, notes_of_one) = with_threads(1);
    for threads in [2, 5] {
        let (more, notes) = with_threads(threads);
        assert_eq!(
            bits(&more.parameters),
            bits(&one.parameters),
            "{threads} threads"
        );
        assert_eq!(bits(&more.state), bits(&one.state), "{threads} threads");
        assert_eq!(notes.epochs, notes_of_one.epochs, "{threads} threads");
    }
}

#[test]
fn seeds_differ() {
    let (network, dataset, settings) = subject();
    let ends = [1, 2].map(|seed| {
        let init = InitSettings::default();
        train(
            &network,
            &dataset,
            &settings,
            &init,
            seed,
            None,
            &mut Notes::default(),
        )
        .expect("settings that fit")
        .parameters
    });
    assert_ne!(ends[0], ends[1]);
}

#[test]
fn an_absurd_rate_diverges_and_keeps_the_steps_before() {
    let dataset = synthetic(SyntheticKind::Identity);
    let network = network("fc-plain4", 8, false, &dataset);
    let loss = LossSettings {
        kind: LossKind::SquaredError,
        label_smoothing: 0.0,
    };
    // The first step is finite; what it leads to is not.
    let settings = TrainSettings {
        lr: 1e4,
        batch_size: 32,
        loss,
        ..TrainSettings::default()
    };
    let (trained, notes) = run(&network, &dataset, &settings, None, Notes::default());
    let Outcome::Diverged { step, epoch } = trained.outcome else {
        panic!("{:?}", trained.outcome);
    };
    assert_eq!((epoch, step), (1, notes.steps.len() + 1));
    let partial = notes.epochs.last().expect("one step was made");
    assert!(!partial.complete && notes.refused, "{partial:?}");
    assert_eq!((partial.epoch, partial.steps), (1, step - 1));
    assert!(
        partial.train_loss_running.is_some_and(f64::is_finite),
        "{partial:?}"
    );
    assert_eq!((partial.train_loss, partial.test_loss), (None, None));
}

#[test]
fn a_last_step_to_infinity_is_a_divergence() {
    let dataset = synthetic(SyntheticKind::Clusters);
    let network = network("fc-plain2", 8, false, &dataset);
    let one_step = TrainSettings {
        epochs: 1,
        batch_size: 200,
        ..TrainSettings::default()
    };
    let settings = TrainSettings {
        lr: 1e300,
        ..one_step
    };
    let (trained, notes) = run(&network, &dataset, &settings, None, Notes::default());
    assert_eq!(trained.outcome, Outcome::Diverged { step: 1, epoch: 1 });
    assert!(!notes.epochs[1].complete);
}

#[test]
fn a_run_stops_at_a_step_and_amid_a_measurement() {
    // More than one batch of 256 to evaluate, so that there is a moment to ask.
    let dataset = digits(300, 50);
    let network = network("fc-plain2", 4, false, &dataset);
    let settings = TrainSettings {
        epochs: 2,
        batch_size: 32,
        ..TrainSettings::default()
    };
    let at_step = Notes {
        stop_at_step: Some(3),
        ..Notes::default()
    };
    let (trained, notes) = run(&network, &dataset, &settings, None, at_step);
    assert_eq!(
        (trained.outcome, notes.steps.len()),
        (Outcome::Interrupted, 3)
    );
    let at_poll = Notes {
        stop_at_poll: Some(2),
        ..Notes::default()
    };
    let (trained, notes) = run(&network, &dataset, &settings, None, at_poll);
    assert_eq!(
        (trained.outcome, notes.polls, notes.epochs.len()),
        (Outcome::Interrupted, 2, 1)
    );
    // Stopping after the last epoch stops nothing.
    let at_end = Notes {
        stop_at_epoch: Some(2),
        ..Notes::default()
    };
    let (trained, _) = run(&network, &dataset, &settings, None, at_end);
    assert_eq!(trained.outcome, Outcome::Finished);
}

#[test]
fn epochs_between_evaluations_have_no_clean_numbers() {
    let dataset = synthetic(SyntheticKind::Clusters);
    let network = network("fc-plain2", 8, true, &dataset);
    // 130 samples: two whole batches, and two samples left out.
    let rare = TrainSettings {
        epochs: 5,
        batch_size: 64,
        drop_last: true,
        evaluate_every: 3,
        ..TrainSettings::default()
    };
    let (often_trained, _) = run(
        &network,
        &dataset,
        &TrainSettings {
            evaluate_every: 1,
            ..rare.clone()
        },
        None,
        Notes::default(),
    );
    let (trained, notes) = run(&network, &dataset, &rare, None, Notes::default());
    let measured: Vec<bool> = notes
        .epochs
        .iter()
        .map(|r| r.train_loss.is_some())
        .collect();
    assert_eq!(measured, [true, false, false, true, false, true]);
    assert!(notes.epochs[1].train_loss_running.is_some());
    assert_eq!(notes.epochs[1].samples, 128);
    assert_eq!(bits(&trained.parameters), bits(&often_trained.parameters));
}

#[test]
fn a_foreign_checkpoint_is_refused() {
    let (network, dataset, settings) = subject();
    let (_, notes) = run(&network, &dataset, &settings, None, Notes::default());
    let own = &notes.checkpoints[2];
    let refusal = |checkpoint, settings: &TrainSettings| {
        let init = InitSettings::default();
        let mut notes = Notes::default();
        let result = train(
            &network,
            &dataset,
            settings,
            &init,
            1,
            Some(checkpoint),
            &mut notes,
        );
        let error = result.expect_err("refused");
        assert!(matches!(error, TrainError::ForeignCheckpoint(_)), "{error}");
        error.to_string()
    };
    let mut smaller = own.clone();
    smaller.parameters.pop();
    assert!(refusal(smaller, &settings).contains("another size"));
    let other_batches = TrainSettings {
        batch_size: 16,
        ..settings.clone()
    };
    assert!(refusal(own.clone(), &other_batches).contains("epochs"));
    let shorter = TrainSettings {
        epochs: 1,
        ..settings.clone()
    };
    assert!(refusal(own.clone(), &shorter).contains("epochs"));
    let adam = TrainSettings {
        optimizer: Optimizer::Adam,
        ..settings
    };
    assert!(refusal(own.clone(), &adam).contains("optimiser"));
}
