//! Recomputed statistics, interpolations and trajectories.

use reslab_nn::families::{InitSettings, initialize};
use reslab_nn::network::Role;
use reslab_nn::reference::{Mode, forward, lift, tensor};
use reslab_probes::landscape::{
    Course, InterpolationSettings, LandscapeSettings, LineSettings, Normalisation, PlaneSettings,
    Point, Statistics, TrajectorySettings, Way,
};
use reslab_probes::{ProbeError, Set, snapshots};

use crate::support::{Case, close, plane, point};

/// Statistics of the first `samples` training samples, batch by batch, in `f64`.
fn by_hand(case: &Case, parameters: &[f32], batches: &[std::ops::Range<usize>]) -> Vec<f32> {
    let network = case.network.with_batch_statistics();
    let (parameters, state): (Vec<f64>, Vec<f64>) = (lift(parameters), lift(&case.state));
    let features = case.dataset.shape.len();
    let samples = batches.last().expect("a batch").end;
    let mut means = vec![0.0; state.len()];
    for batch in batches {
        let inputs = &case.dataset.train.inputs[batch.start * features..batch.end * features];
        let inputs = tensor::<f64>(inputs, case.dataset.shape).expect("whole samples");
        let pass = forward(&network, &parameters, &state, Mode::Training, &inputs);
        for (mean, value) in means.iter_mut().zip(pass.expect("it fits").state) {
            *mean += value * batch.len() as f64 / samples as f64;
        }
    }
    means.into_iter().map(|mean| mean as f32).collect()
}

#[test]
fn recomputed_statistics_are_those_set_by_hand() {
    for (name, count) in [("resnet20", 1), ("plain20", 3)] {
        let batches: Vec<_> = (0..count).map(|b| b * 100..(b + 1) * 100).collect();
        let case = Case::digits(name).keeping(&format!("recomputed-{name}"));
        let settings = LandscapeSettings {
            statistics: vec![Statistics::Kept, Statistics::Recomputed],
            statistics_samples: batches.last().expect("a batch").end,
            ..plane(3, 2)
        };
        let table = case.table(&settings);
        assert_eq!(table.len(), 12);
        let course = case.course(&table, 0);
        let mut unlike = 0;
        for row in 6..12 {
            assert_eq!(table.text(row, "statistics"), Some("recomputed"));
            assert_eq!(table.text(row - 6, "statistics"), Some("kept"));
            let parameters = course.parameters(&case.parameters, point(&table, row));
            let state = by_hand(&case, &parameters, &batches);
            let expected = case.loss(&parameters, &state, Set::Train, 300);
            let found = table.real(row, "loss").expect("a number");
            assert!(
                close(found, expected, 1e-4),
                "{name}: {found}, not {expected}"
            );
            let kept = table.real(row - 6, "loss").expect("a number");
            unlike += usize::from(!close(kept, expected, 1e-2));
        }
        assert!(unlike > 3, "{unlike}");
    }
}

#[test]
fn an_interpolation_has_both_networks_at_its_ends() {
    let mut case = Case::digits("resnet20").keeping("interpolation");
    let other = initialize(&case.network, &InitSettings::default(), 9);
    let mut state = case.state.clone();
    for entry in &case.network.layout.state {
        for value in entry.slot.of_mut(&mut state) {
            *value *= if entry.role == Role::RunningVar {
                0.4
            } else {
                -2.0
            };
        }
    }
    snapshots::write(case.folder(), 2, &case.network, (&other, &state)).expect("it is writable");
    (case.epoch, case.train.epochs) = (4, 4);
    let settings = |file| LandscapeSettings {
        statistics: vec![Statistics::Recomputed],
        interpolation: Some(InterpolationSettings {
            weights: file,
            to_epoch: Some(2),
            points: 5,
            ..InterpolationSettings::default()
        }),
        ..LandscapeSettings::default()
    };
    assert!(settings(None).keeps(2, 4) && !settings(None).keeps(3, 4));
    let table = case.table(&settings(None));
    assert_eq!(table.len(), 10);
    for row in 0..10 {
        let kind = if row < 5 {
            "interpolated"
        } else {
            "recomputed"
        };
        assert_eq!(table.text(row, "statistics"), Some(kind));
        assert_eq!(table.real(row, "x"), Some(-0.5 + 0.5 * (row % 5) as f64));
        assert!(table.real(row, "loss").is_some_and(f64::is_finite));
    }
    assert_eq!(
        table.real(1, "loss"),
        Some(case.loss(&case.parameters, &case.state, Set::Train, 300))
    );
    assert_eq!(
        table.real(3, "loss"),
        Some(case.loss(&other, &state, Set::Train, 300))
    );
    let half = |a: &[f32], b: &[f32]| -> Vec<f32> {
        a.iter().zip(b).map(|(a, b)| 0.5 * a + 0.5 * b).collect()
    };
    let middle = case.loss(
        &half(&case.parameters, &other),
        &half(&case.state, &state),
        Set::Train,
        300,
    );
    let found = table.real(2, "loss").expect("a number");
    assert!(close(found, middle, 1e-5), "{found}, not {middle}");
    // The same network from a file of weights.
    let mut with_file = settings(Some(snapshots::path(case.folder(), 2)));
    with_file
        .interpolation
        .as_mut()
        .expect("it is there")
        .to_epoch = None;
    assert_eq!(case.table(&with_file), table);
}

#[test]
fn beyond_the_other_network_no_variance_is_below_0() {
    let case = Case::digits("resnet20");
    let towards = Course::new(Way::Towards {
        parameters: case.parameters.clone(),
        state: case.state.iter().map(|value| 0.25 * value).collect(),
    });
    let beyond = Point { x: 1.5, y: None };
    let found = towards.state(&case.network, &case.state, beyond);
    for entry in &case.network.layout.state {
        let values = entry.slot.of(&found).iter().zip(entry.slot.of(&case.state));
        for (&value, &own) in values {
            let expected = match entry.role {
                Role::RunningVar => 0.0,
                _ => -0.125 * own,
            };
            assert!(
                (value - expected).abs() <= 1e-6 * own.abs(),
                "{}",
                entry.name
            );
        }
    }
}

/// A training whose networks lie on a plane through the last one, but for a small third direction.
fn trained() -> Case {
    let mut case = Case::digits("resnet20").keeping("trajectory");
    (case.epoch, case.train.epochs) = (6, 6);
    let one = initialize(&case.network, &InitSettings::default(), 20);
    let two = initialize(&case.network, &InitSettings::default(), 21);
    for epoch in 0..6 {
        let t = (6 - epoch) as f32 / 6.0;
        let moved = |at: usize| case.parameters[at] + t * one[at] + 0.3 * t * (1.0 - t) * two[at];
        let parameters: Vec<f32> = (0..case.parameters.len()).map(moved).collect();
        snapshots::write(
            case.folder(),
            epoch,
            &case.network,
            (&parameters, &case.state),
        )
        .expect("it is writable");
    }
    case
}

#[test]
fn a_trajectory_is_drawn_where_its_networks_are() {
    let case = trained();
    let settings = LandscapeSettings {
        samples: Some(64),
        trajectory: Some(TrajectorySettings {
            every: 2,
            x_points: 4,
            y_points: 3,
            margin: 0.1,
        }),
        ..LandscapeSettings::default()
    };
    assert!((0..=6).all(|epoch| settings.keeps(epoch, 6) == (epoch % 2 == 0)));
    let tables = case.look(&settings).tables.expect("not stopped");
    let [surface, trajectory] = &tables[..] else {
        panic!("two tables")
    };
    assert_eq!((surface.len(), trajectory.len()), (12, 4));
    let course = case.course(surface, 0);
    assert_eq!(trajectory.text(0, "directions"), Some(course.short()));
    let value = |row, column| trajectory.real(row, column).expect("a number");
    for row in 0..4 {
        let epoch = [0, 2, 4, 6][row];
        assert_eq!(trajectory.integer(row, "at_epoch"), Some(epoch));
        assert_eq!(trajectory.real(row, "lr").is_some(), epoch > 0);
        let Way::Along(axes) = &course.way else {
            panic!("directions")
        };
        let there = match epoch {
            6 => case.parameters.clone(),
            _ => {
                snapshots::read(case.folder(), epoch as usize, &case.network)
                    .expect("kept")
                    .parameters
            }
        };
        let moved: Vec<f64> = there
            .iter()
            .zip(&case.parameters)
            .map(|(a, b)| f64::from(*a) - f64::from(*b))
            .collect();
        let onto = |axis: &[f32]| {
            moved
                .iter()
                .zip(axis)
                .map(|(a, &b)| a * f64::from(b))
                .sum::<f64>()
        };
        assert!((onto(&axes[0]) - value(row, "x")).abs() < 1e-6);
        assert!((onto(&axes[1]) - value(row, "y")).abs() < 1e-6);
        let length = moved.iter().map(|a| a * a).sum::<f64>().sqrt();
        assert!((length - value(row, "distance")).abs() < 1e-9);
        // Two directions make all of it up.
        assert!(epoch == 6 || (value(row, "captured") - 1.0).abs() < 1e-4);
        // The network itself is a point of the plane.
        let here = course.parameters(
            &case.parameters,
            Point {
                x: value(row, "x"),
                y: Some(value(row, "y")),
            },
        );
        let (found, expected) = (
            case.loss(&here, &case.state, Set::Train, 64),
            case.loss(&there, &case.state, Set::Train, 64),
        );
        assert!(close(found, expected, 1e-3), "{found}, not {expected}");
    }
    assert!(value(0, "share_x") > value(0, "share_y") && value(0, "share_y") > 0.0);
    assert!((value(0, "share_x") + value(0, "share_y") - 1.0).abs() < 1e-6);
    for axis in ["x", "y"] {
        let of = |table: &reslab_results::Table| -> Vec<f64> {
            (0..table.len())
                .filter_map(|row| table.real(row, axis))
                .collect()
        };
        let least = |values: Vec<f64>| values.into_iter().fold(f64::MAX, f64::min);
        let most = |values: Vec<f64>| values.into_iter().fold(f64::MIN, f64::max);
        let extent = most(of(trajectory)) - least(of(trajectory));
        assert!((least(of(trajectory)) - least(of(surface)) - 0.1 * extent).abs() < 1e-9);
        assert!((most(of(surface)) - most(of(trajectory)) - 0.1 * extent).abs() < 1e-9);
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    let case = Case::digits("resnet20");
    let fields = |settings: LandscapeSettings| -> Vec<&'static str> {
        let own = settings.problems(&case.network);
        let training = settings.problems_of_training(&case.train);
        own.into_iter()
            .chain(training)
            .map(|problem| problem.field)
            .collect()
    };
    let base = LandscapeSettings::default;
    assert!(fields(base()).is_empty());
    assert_eq!(
        fields(LandscapeSettings {
            samples: Some(0),
            ..base()
        }),
        ["landscape.samples"]
    );
    assert_eq!(
        fields(LandscapeSettings {
            statistics: vec![],
            ..base()
        }),
        ["landscape.statistics"]
    );
    let line = LineSettings {
        from: 1.0,
        to: -1.0,
        draws: 0,
        ..LineSettings::default()
    };
    assert_eq!(
        fields(LandscapeSettings {
            line: Some(line),
            ..base()
        }),
        ["landscape.line", "landscape.line.draws"]
    );
    let many = PlaneSettings::default();
    let wide = |points| reslab_probes::landscape::AxisSettings { points, ..many.x };
    let many = PlaneSettings {
        x: wide(1001),
        y: wide(1001),
        ..many
    };
    assert_eq!(
        fields(LandscapeSettings {
            plane: Some(many),
            ..base()
        }),
        ["landscape.plane"]
    );
    let trajectory = Some(TrajectorySettings::default());
    assert_eq!(
        fields(LandscapeSettings {
            trajectory,
            ..base()
        }),
        ["landscape.trajectory"]
    );
    let interpolation = Some(InterpolationSettings::default());
    assert_eq!(
        fields(LandscapeSettings {
            interpolation,
            ..base()
        }),
        ["landscape.interpolation"]
    );
    let linear = Case::linear(
        reslab_nn::data::SyntheticKind::Clusters,
        reslab_nn::train::LossKind::CrossEntropy,
    );
    let recomputed = LandscapeSettings {
        statistics: vec![Statistics::Recomputed],
        ..base()
    };
    assert_eq!(
        recomputed.problems(&linear.network)[0].field,
        "landscape.statistics"
    );
    let none = LandscapeSettings {
        normalisation: Normalisation::None,
        ..base()
    };
    assert_eq!(
        (
            none.remarks(&case.network).len(),
            none.remarks(&linear.network).len()
        ),
        (1, 0)
    );
    assert!(base().remarks(&case.network).is_empty());
    // A trajectory of which nothing was kept.
    let trajectory = LandscapeSettings {
        trajectory: Some(TrajectorySettings::default()),
        ..base()
    };
    assert!(matches!(
        case.look(&trajectory).tables,
        Err(ProbeError::Unusable(_))
    ));
}
