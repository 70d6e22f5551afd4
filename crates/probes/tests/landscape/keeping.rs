//! What is kept, and when it is used again.

use reslab_nn::random::{Purpose, below, stream};
use reslab_probes::landscape::{AxisSettings, LandscapeSettings, Normalisation, Statistics};

use crate::support::{Case, plane};

fn small(x: usize, y: usize) -> LandscapeSettings {
    LandscapeSettings {
        samples: Some(32),
        ..plane(x, y)
    }
}

#[test]
fn a_measurement_stopped_anywhere_goes_on_and_ends_in_the_same_bits() {
    let whole = Case::digits("resnet20").table(&small(5, 4));
    let mut rng = stream(5, Purpose::Test, 0, 0);
    for trial in 0..4 {
        let case = Case::digits("resnet20").keeping(&format!("stop-{trial}"));
        let (mut finished, mut attempts) = (0, 0);
        let table = loop {
            let stop = finished + 1 + below(&mut rng, 8);
            let look = case.look_while(&small(5, 4), &mut |done| done < stop);
            // All that had been finished is there, so that only the rest is evaluated.
            assert!(look.kept >= finished, "{} of {finished}", look.kept);
            finished = look.done;
            attempts += 1;
            if let Ok(mut tables) = look.tables {
                break tables.swap_remove(0);
            }
        };
        assert!(attempts > 2);
        assert_eq!(table, whole);
        let again = case.look(&small(5, 4));
        assert_eq!((again.kept, again.done), (20, 20));
        assert_eq!(again.table(), whole);
    }
}

#[test]
fn a_finer_grid_takes_over_the_points_of_the_coarser_one() {
    let case = Case::digits("resnet20").keeping("finer");
    case.table(&small(4, 3));
    let finer = case.look(&small(7, 5));
    assert_eq!((finer.kept, finer.done), (12, 35));
    let fresh = Case::digits("resnet20").table(&small(7, 5));
    assert_eq!(finer.table(), fresh);
}

// The places of the finer grid are those of the coarser one to the bit, for ranges that are no binary fractions too.
#[test]
fn places_of_finer_axes_meet_those_of_coarser_ones() {
    let mut rng = stream(6, Purpose::Test, 0, 0);
    for _ in 0..500 {
        let number = |rng: &mut _| below(rng, 2_000) as f64 / 700.0;
        let from = -number(&mut rng);
        let to = number(&mut rng) + 0.01;
        let (points, times) = (2 + below(&mut rng, 60), 1 + below(&mut rng, 5));
        let axis = |points| AxisSettings { from, to, points }.places();
        let (coarse, fine) = (axis(points), axis((points - 1) * times + 1));
        let met: Vec<f64> = fine.into_iter().step_by(times).collect();
        assert_eq!(coarse, met);
        assert_eq!((coarse[0], coarse[points - 1]), (from, to));
    }
    let centred = AxisSettings {
        from: -0.7,
        to: 0.7,
        points: 43,
    };
    assert_eq!(centred.places()[21], 0.0);
}

#[test]
fn another_measurement_never_takes_over_points() {
    let case = Case::digits("resnet20").keeping("stale");
    let settings = small(3, 2);
    let first = case.look(&settings);
    assert_eq!(first.kept, 0);
    let first = first.table();
    let changed = |change: &dyn Fn(&mut Case)| {
        let mut other = case.clone();
        change(&mut other);
        let look = other.look(&settings);
        assert_eq!(look.kept, 0);
        assert_ne!(look.table(), first);
    };
    changed(&|case| case.seed += 1);
    changed(&|case| case.parameters[0] += 0.5);
    changed(&|case| case.state[0] += 0.5);
    changed(&|case| case.train.loss.label_smoothing = 0.1);
    changed(&|case| {
        case.dataset.checksum.push('0');
        case.dataset.train.inputs.iter_mut().for_each(|x| *x *= 1.5);
    });
    let other = |settings: LandscapeSettings| {
        let look = case.look(&settings);
        assert_eq!(look.kept, 0);
        assert_ne!(look.table(), first);
    };
    other(LandscapeSettings {
        samples: Some(33),
        ..settings.clone()
    });
    other(LandscapeSettings {
        normalisation: Normalisation::Layer,
        ..settings.clone()
    });
    other(LandscapeSettings {
        one_dimensional: true,
        ..settings.clone()
    });
    let recomputed = LandscapeSettings {
        statistics: vec![Statistics::Recomputed],
        statistics_samples: 40,
        ..settings.clone()
    };
    other(recomputed.clone());
    other(LandscapeSettings {
        statistics_samples: 50,
        ..recomputed
    });
    // And all the same it is there still.
    assert_eq!(case.look(&settings).kept, 6);
    // Another draw evaluates its own points, and finds those of the first.
    let mut draws = settings.clone();
    draws.plane.as_mut().expect("a plane").draws = 2;
    assert_eq!(case.look(&draws).kept, 6);
    // A further set is evaluated where it lacks.
    let tested = LandscapeSettings {
        test_samples: 20,
        ..settings
    };
    let look = case.look(&tested);
    assert_eq!(look.kept, 0);
    let train = look.table().filter(|row| row.text("set") == Some("train"));
    assert_eq!(train, first);
}
