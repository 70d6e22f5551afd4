//! Training learns: every optimiser, both losses; what is reported is what the reference says.

mod train_support;

use reslab_nn::data::{Split, SyntheticKind, Targets};
use reslab_nn::families::InitSettings;
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::Network;
use reslab_nn::reference::{self, Mode};
use reslab_nn::train::{
    LossKind, LossSettings, Optimizer, Outcome, Schedule, ScheduleKind, TrainError, TrainSettings,
    train,
};
use train_support::{Notes, digits, network, run, synthetic};

fn settings() -> TrainSettings {
    TrainSettings {
        epochs: 3,
        batch_size: 32,
        ..TrainSettings::default()
    }
}

/// Mean loss and share of wrong samples by the reference executor in f64.
fn by_the_reference(
    network: &Network,
    parameters: &[f32],
    state: &[f32],
    split: &Split,
    loss: &Loss,
) -> (f64, f64) {
    let input = reference::tensor::<f64>(&split.inputs, network.input).expect("whole samples");
    let (parameters, state) = (reference::lift(parameters), reference::lift(state));
    let pass = reference::forward(network, &parameters, &state, Mode::Evaluation, &input)
        .expect("a checked network");
    let targets = match &split.targets {
        Targets::Classes(classes) => TargetsRef::Classes(classes),
        Targets::Values { values, .. } => TargetsRef::Values(values),
    };
    let value = reference::loss(loss, &pass.output, targets).expect("targets that fit");
    (value.mean, value.wrong as f64 / split.len as f64)
}

#[test]
fn a_residual_network_learns_digits() {
    let dataset = digits(300, 100);
    let network = network("resnet8", 8, true, &dataset);
    let settings = TrainSettings {
        epochs: 5,
        schedule: Schedule {
            kind: ScheduleKind::Linear,
            ..Schedule::default()
        },
        ..settings()
    };
    let (trained, notes) = run(&network, &dataset, &settings, None, Notes::default());
    assert_eq!(trained.outcome, Outcome::Finished);
    let epochs: Vec<usize> = notes.epochs.iter().map(|report| report.epoch).collect();
    assert_eq!(epochs, [0, 1, 2, 3, 4, 5]);

    let (start, end) = (&notes.epochs[0], &notes.epochs[5]);
    assert_eq!(
        (start.train_loss_running, start.lr, start.gradient_norm),
        (None, None, None)
    );
    assert_eq!(
        (start.steps, end.steps, end.total_steps, end.samples),
        (0, 10, 50, 300)
    );
    assert!(start.train_error > Some(0.7), "{start:?}");
    assert!(
        end.train_error < Some(0.1) && end.test_error < Some(0.3),
        "{end:?}"
    );
    assert!(
        end.train_loss < Some(0.5) && end.gradient_norm > Some(0.0),
        "{end:?}"
    );
    // The rate falls on a line from 0.1 before the first step to 0 after the last.
    assert!(
        end.lr.is_some_and(|lr| (lr - 0.1 / 50.0).abs() < 1e-12),
        "{end:?}"
    );
    // Each of the 10 steps of each epoch was reported, and the last says what the epoch says.
    assert_eq!(notes.steps.len(), 50);
    let last = notes.steps[49];
    assert_eq!((last.epoch, last.step, last.samples), (5, 10, 300));
    assert_eq!(last.train_error_running, end.train_error_running);
}

#[test]
fn clean_measurements_are_the_references() {
    let dataset = digits(300, 70);
    let network = network("plain8", 4, true, &dataset);
    let loss = LossSettings {
        kind: LossKind::CrossEntropy,
        label_smoothing: 0.1,
    };
    let settings = TrainSettings {
        epochs: 2,
        loss,
        ..settings()
    };
    let (trained, notes) = run(&network, &dataset, &settings, None, Notes::default());
    let report = &notes.epochs[2];
    let known = [
        (&dataset.train, report.train_loss, report.train_error),
        (&dataset.test, report.test_loss, report.test_error),
    ];
    for (split, loss, error) in known {
        let smoothed = settings.loss.loss();
        let (parameters, state) = (&trained.parameters, &trained.state);
        let expected = by_the_reference(&network, parameters, state, split, &smoothed);
        let (loss, error) = (loss.expect("measured"), error.expect("classes"));
        assert!(
            (loss - expected.0).abs() < 1e-4 * expected.0,
            "{loss} and {}",
            expected.0
        );
        assert!(
            (error - expected.1).abs() <= 1.0 / split.len as f64,
            "{error}, {}",
            expected.1
        );
    }
}

#[test]
fn every_optimiser_lowers_the_loss() {
    let dataset = synthetic(SyntheticKind::Clusters);
    let network = network("fc-resnet3", 8, false, &dataset);
    let adaptive = |optimizer| TrainSettings {
        optimizer,
        lr: 0.005,
        ..settings()
    };
    let sgd = TrainSettings {
        lr: 0.02,
        ..settings()
    };
    let plain = TrainSettings {
        momentum: 0.0,
        ..sgd.clone()
    };
    let nesterov = TrainSettings {
        nesterov: true,
        ..sgd.clone()
    };
    let clipped = TrainSettings {
        clip_norm: Some(0.5),
        ..sgd.clone()
    };
    let all = [
        sgd,
        plain,
        nesterov,
        clipped,
        adaptive(Optimizer::Adam),
        adaptive(Optimizer::AdamW),
    ];
    for settings in all {
        let (_, notes) = run(&network, &dataset, &settings, None, Notes::default());
        let losses = [0, 3].map(|epoch| notes.epochs[epoch].train_loss.expect("measured"));
        assert!(losses[1] < 0.7 * losses[0], "{losses:?} with {settings:?}");
    }
}

#[test]
fn clipping_shortens_steps_and_reports_the_whole_norm() {
    let dataset = synthetic(SyntheticKind::Clusters);
    let network = network("fc-plain2", 8, false, &dataset);
    let free = TrainSettings {
        epochs: 1,
        momentum: 0.0,
        weight_decay: 0.0,
        lr: 1e-3,
        ..settings()
    };
    let clipped = TrainSettings {
        clip_norm: Some(1e-3),
        ..free.clone()
    };
    let start = run(
        &network,
        &dataset,
        &TrainSettings {
            epochs: 0,
            ..free.clone()
        },
        None,
        Notes::default(),
    );
    let way = |settings: &TrainSettings| {
        let (trained, notes) = run(&network, &dataset, settings, None, Notes::default());
        let moves = trained.parameters.iter().zip(&start.0.parameters);
        let way = moves
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum::<f64>()
            .sqrt();
        (way, notes.epochs[1].gradient_norm.expect("trained"))
    };
    let ((far, norm), (near, same)) = (way(&free), way(&clipped));
    // Five steps of at most 1e-3 · 1e-3.
    assert!(far > 1e-4 && near < 5.1e-6, "{far} and {near}");
    assert!((norm - same).abs() < 0.05 * norm, "{norm} and {same}");
}

#[test]
fn squared_error_learns_the_identity() {
    let dataset = synthetic(SyntheticKind::Identity);
    let network = network("fc-resnet2", 8, false, &dataset);
    let loss = LossSettings {
        kind: LossKind::SquaredError,
        label_smoothing: 0.0,
    };
    let settings = TrainSettings {
        epochs: 30,
        lr: 0.02,
        loss,
        weight_decay: 0.0,
        ..settings()
    };
    let (_, notes) = run(&network, &dataset, &settings, None, Notes::default());
    let losses = [0, 30].map(|epoch| notes.epochs[epoch].test_loss.expect("measured"));
    assert!(losses[1] < 0.2 * losses[0], "{losses:?}");
    assert_eq!(
        (
            notes.epochs[30].train_error,
            notes.epochs[30].train_error_running
        ),
        (None, None)
    );
}

#[test]
fn smoothing_spreads_the_target_over_all_classes() {
    // (1 − s) · CE(target) + s · mean over classes k of CE(k), from two runs of no epochs.
    let dataset = synthetic(SyntheticKind::Clusters);
    let network = network("fc-plain2", 8, false, &dataset);
    let at_start = |label_smoothing, dataset: &reslab_nn::data::Dataset| {
        let loss = LossSettings {
            kind: LossKind::CrossEntropy,
            label_smoothing,
        };
        let settings = TrainSettings {
            epochs: 0,
            loss,
            ..settings()
        };
        let (_, notes) = run(&network, dataset, &settings, None, Notes::default());
        notes.epochs[0].train_loss.expect("measured")
    };
    let classes = dataset.outputs as u32;
    let of_all = (0..classes).map(|class| {
        let mut one_class = dataset.clone();
        one_class.train.targets = Targets::Classes(vec![class; dataset.train.len]);
        at_start(0.0, &one_class)
    });
    let mean = of_all.sum::<f64>() / f64::from(classes);
    let expected = 0.7 * at_start(0.0, &dataset) + 0.3 * mean;
    let smoothed = at_start(0.3, &dataset);
    assert!(
        (smoothed - expected).abs() < 1e-5 * expected,
        "{smoothed}, not {expected}"
    );
    assert!(
        (mean - at_start(0.0, &dataset)).abs() > 1e-3,
        "smoothing must matter here"
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let (digits, identity) = (digits(40, 20), synthetic(SyntheticKind::Identity));
    let of_digits = network("fc-plain2", 8, false, &digits);
    let of_identity = network("fc-plain2", 8, false, &identity);
    let refusal = |network, dataset, settings: &TrainSettings| {
        let init = InitSettings::default();
        let result = train(
            network,
            dataset,
            settings,
            &init,
            1,
            None,
            &mut Notes::default(),
        );
        result.expect_err("refused")
    };
    let error = refusal(
        &of_digits,
        &digits,
        &TrainSettings {
            lr: 0.0,
            ..settings()
        },
    );
    assert!(matches!(error, TrainError::Settings(_)), "{error}");
    assert!(
        error.to_string().contains("`lr` must be a number above 0"),
        "{error}"
    );
    let error = refusal(&of_digits, &identity, &settings());
    assert!(matches!(error, TrainError::Data { .. }), "{error}");
    let error = refusal(&of_identity, &identity, &settings());
    assert!(matches!(error, TrainError::NoClasses(_)), "{error}");
    let many = TrainSettings {
        batch_size: 64,
        drop_last: true,
        ..settings()
    };
    let error = refusal(&of_digits, &digits, &many);
    assert!(matches!(error, TrainError::TooFewSamples { .. }), "{error}");
}
