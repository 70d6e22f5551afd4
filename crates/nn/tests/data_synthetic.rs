//! The synthetic data sets have the distributions that they promise.

mod data_support;

use data_support::*;
use reslab_nn::data::{
    self, DataName, DataSettings, Dataset, Normalize, SyntheticKind, SyntheticSettings, Targets,
};

fn classes(targets: &Targets) -> &[u32] {
    match targets {
        Targets::Classes(labels) => labels,
        Targets::Values { .. } => panic!("expected classes"),
    }
}

fn values(targets: &Targets) -> &[f32] {
    match targets {
        Targets::Values { values, .. } => values,
        Targets::Classes(_) => panic!("expected numbers"),
    }
}

fn raw(name: DataName) -> DataSettings {
    DataSettings {
        name,
        normalize: Normalize::None,
        ..DataSettings::default()
    }
}

fn synthetic(kind: SyntheticKind, edit: impl Fn(&mut SyntheticSettings)) -> Dataset {
    let mut made = SyntheticSettings {
        kind,
        ..SyntheticSettings::default()
    };
    edit(&mut made);
    load(&DataSettings {
        synthetic: Some(made),
        ..raw(DataName::Synthetic)
    })
    .unwrap()
}

#[test]
fn clusters_lie_around_their_centres() {
    let far = synthetic(SyntheticKind::Clusters, |s| {
        (s.dimensions, s.classes, s.train, s.separation) = (8, 4, 4000, 20.0);
    });
    assert_eq!(
        (far.outputs, far.shape.len(), far.train.len, far.test.len),
        (4, 8, 4000, 256)
    );
    let labels = classes(&far.train.targets);
    for class in 0..4 {
        let members = || {
            far.train
                .inputs
                .chunks(8)
                .zip(labels)
                .filter(|(_, l)| **l == class)
        };
        assert_eq!(members().count(), 1000);
        let mut centre = [0.0_f64; 8];
        members().for_each(|(x, _)| {
            centre
                .iter_mut()
                .zip(x)
                .for_each(|(c, x)| *c += f64::from(*x) / 1000.0);
        });
        let length = centre.iter().map(|c| c * c).sum::<f64>().sqrt();
        assert!((length - 20.0).abs() < 0.5, "{length}");
        let spread: f64 = members()
            .flat_map(|(x, _)| {
                x.iter()
                    .zip(centre)
                    .map(|(x, c)| (f64::from(*x) - c).powi(2))
            })
            .sum::<f64>();
        assert!((spread / 8000.0 - 1.0).abs() < 0.1, "{spread}");
    }
}

#[test]
fn teachers_give_targets_of_about_unit_variance() {
    let taught = synthetic(SyntheticKind::Teacher, |s| {
        (s.outputs, s.train) = (64, 2000)
    });
    let targets = values(&taught.train.targets);
    assert_eq!(targets.len(), 2000 * 64);
    let square = targets.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / targets.len() as f64;
    assert!((0.5..2.0).contains(&square), "{square}");
    let noisy = synthetic(SyntheticKind::Teacher, |s| {
        (s.outputs, s.train, s.noise) = (64, 2000, Some(0.5));
    });
    let difference: Vec<f64> = targets
        .iter()
        .zip(values(&noisy.train.targets))
        .map(|(a, b)| f64::from(a - b))
        .collect();
    let variance = difference.iter().map(|d| d * d).sum::<f64>() / difference.len() as f64;
    assert!((variance - 0.25).abs() < 0.01, "{variance}");
    let labelled = synthetic(SyntheticKind::TeacherClasses, |s| s.classes = 3);
    assert!(classes(&labelled.train.targets).iter().all(|c| *c < 3));
    assert_eq!(labelled.class_names, ["0", "1", "2"]);
}

#[test]
fn the_identity_maps_inputs_as_the_network_sees_them() {
    let made = SyntheticSettings {
        kind: SyntheticKind::Identity,
        ..Default::default()
    };
    for normalize in [Normalize::None, Normalize::Computed] {
        let settings = DataSettings {
            normalize,
            synthetic: Some(made.clone()),
            ..raw(DataName::Synthetic)
        };
        let dataset = load(&settings).unwrap();
        assert_eq!(dataset.outputs, dataset.shape.len());
        assert_eq!(values(&dataset.train.targets), dataset.train.inputs);
        assert!(data::describe(&settings).unwrap().regression);
    }
}

#[test]
fn a_larger_synthetic_set_begins_with_the_smaller_and_a_seed_changes_all() {
    let small = synthetic(SyntheticKind::Clusters, |s| s.train = 10);
    let large = synthetic(SyntheticKind::Clusters, |s| s.train = 20);
    assert_eq!(small.train.inputs, large.train.inputs[..160]);
    assert_ne!(small.train.inputs, small.test.inputs[..160]);
    let other = synthetic(SyntheticKind::Clusters, |s| (s.train, s.seed) = (10, 1));
    assert_ne!(small.checksum, other.checksum);
}
