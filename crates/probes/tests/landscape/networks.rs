//! Directions on convolutional networks: their norms, what they leave invariant, and coming back to a point.

use reslab_nn::network::Role;
use reslab_probes::Set;
use reslab_probes::landscape::{LandscapeSettings, Normalisation, Way, directions_path};

use crate::support::{Case, close, plane, point};

fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|&v| f64::from(v).powi(2))
        .sum::<f64>()
        .sqrt()
}

#[test]
fn directions_have_the_norms_they_are_normalised_to() {
    let case = Case::digits("resnet20").keeping("norms");
    for normalisation in [
        Normalisation::Filter,
        Normalisation::Layer,
        Normalisation::None,
    ] {
        for one_dimensional in [false, true] {
            let settings = LandscapeSettings {
                normalisation,
                one_dimensional,
                samples: Some(16),
                ..plane(2, 2)
            };
            let table = case.table(&settings);
            let Way::Along(axes) = case.course(&table, 0).way else {
                panic!("directions")
            };
            for axis in &axes {
                for entry in &case.network.layout.parameters {
                    let (found, own) = (entry.slot.of(axis), entry.slot.of(&case.parameters));
                    let filter = entry.shape[1..].iter().product::<usize>();
                    if entry.shape.len() == 1 && !one_dimensional {
                        assert!(found.iter().all(|&v| v == 0.0), "{}", entry.name);
                        continue;
                    }
                    let size = match normalisation {
                        Normalisation::Filter => filter,
                        Normalisation::Layer => found.len(),
                        Normalisation::None => {
                            // Standard normal draws: the mean square is 1 ± five standard errors.
                            let mean = norm(found).powi(2) / found.len() as f64;
                            assert!(
                                (mean - 1.0).abs() < 5.0 * (2.0 / found.len() as f64).sqrt(),
                                "{}",
                                entry.name
                            );
                            continue;
                        }
                    };
                    for (found, own) in found.chunks(size).zip(own.chunks(size)) {
                        assert!(
                            (norm(found) - norm(own)).abs() <= 1e-6 * norm(own),
                            "{}",
                            entry.name
                        );
                    }
                }
            }
        }
    }
}

/// The same function with other numbers: each filter that a batch norm follows is multiplied by a number of
/// its own, and the running statistics with it.
fn rescaled(case: &Case) -> Case {
    let mut other = case.clone();
    let factor = |filter: usize| [0.25_f32, 2.0, 0.5, 4.0][filter % 4];
    let layout = &case.network.layout;
    for entry in layout
        .parameters
        .iter()
        .filter(|e| e.role == Role::ConvWeight)
    {
        let size = entry.shape[1..].iter().product();
        let weights = entry.slot.of_mut(&mut other.parameters);
        for (filter, weights) in weights.chunks_mut(size).enumerate() {
            weights.iter_mut().for_each(|w| *w *= factor(filter));
        }
    }
    for entry in &layout.state {
        let values = entry.slot.of_mut(&mut other.state);
        for (channel, value) in values.iter_mut().enumerate() {
            let factor = factor(channel);
            *value *= if entry.role == Role::RunningVar {
                factor * factor
            } else {
                factor
            };
        }
    }
    other
}

// What filter normalisation is for (Li et al. 2018, section 4). The norm's ε is not scaled with the variance, which
// here is at least 1: that is 1e-4 at most.
#[test]
fn rescaling_filters_before_batch_norms_changes_normalised_surfaces_not_at_all() {
    let case = Case::digits("resnet20");
    let other = rescaled(&case);
    let settings = |normalisation| LandscapeSettings {
        normalisation,
        samples: Some(100),
        ..plane(5, 3)
    };
    let apart = |normalisation| {
        let (one, two) = (
            case.table(&settings(normalisation)),
            other.table(&settings(normalisation)),
        );
        let of = |row| {
            let (a, b) = (one.real(row, "loss"), two.real(row, "loss"));
            let (a, b) = (a.expect("a number"), b.expect("a number"));
            (a - b).abs() / a.abs().max(b.abs())
        };
        let all: Vec<f64> = (0..one.len()).map(of).collect();
        // The centre is the same function in any case.
        all.into_iter().fold(0.0, f64::max)
    };
    assert!(
        apart(Normalisation::Filter) < 2e-3,
        "{}",
        apart(Normalisation::Filter)
    );
    assert!(
        apart(Normalisation::None) > 0.1,
        "{}",
        apart(Normalisation::None)
    );
    assert!(
        apart(Normalisation::Layer) > 0.05,
        "{}",
        apart(Normalisation::Layer)
    );
    let same = case.loss(&case.parameters, &case.state, Set::Train, 100);
    let of_other = other.loss(&other.parameters, &other.state, Set::Train, 100);
    assert!(close(of_other, same, 2e-3), "{of_other}, not {same}");
}

#[test]
fn any_point_can_be_visited_again_with_the_directions_that_were_kept() {
    let case = Case::digits("resnet20").keeping("revisit");
    let settings = LandscapeSettings {
        test_samples: 40,
        ..plane(4, 3)
    };
    let table = case.table(&settings);
    assert_eq!(table.len(), 2 * 12);
    let course = case.course(&table, 0);
    for row in (0..table.len()).step_by(5) {
        let parameters = course.parameters(&case.parameters, point(&table, row));
        let set = match table.text(row, "set") {
            Some("train") => Set::Train,
            _ => Set::Test,
        };
        let samples = table.integer(row, "samples").expect("a number") as usize;
        let again = case.loss(&parameters, &case.state, set, samples);
        assert_eq!(table.real(row, "loss"), Some(again));
    }
    // Damaged directions are not read.
    let path = directions_path(case.folder(), &course);
    let bytes = std::fs::read(&path).expect("it is there");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("it is writable");
    assert!(reslab_probes::landscape::read_directions(&path, &case.network).is_err());
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let case = Case::digits("plain20");
    let tables: Vec<_> = [1, 2, 5]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().expect("threads can be started");
            pool.install(|| case.table(&plane(5, 2)))
        })
        .collect();
    assert!(tables.iter().all(|table| *table == tables[0]));
}
