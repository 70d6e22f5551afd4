//! The real CIFAR-10, where `RESLAB_DATA` names a folder that holds it; skipped elsewhere.

use std::path::PathBuf;
use std::time::Instant;

use reslab_nn::data::{self, DataName, DataSettings, Places, Targets, catalogue};

/// The folder of the real files, or `None` after saying so.
fn real() -> Option<PathBuf> {
    let root = Places::from_environment().reslab_data;
    let folder = root
        .map(|root| root.join("cifar-10-batches-bin"))
        .filter(|path| path.is_dir());
    if folder.is_none() {
        println!("skipped: RESLAB_DATA names no folder with cifar-10-batches-bin");
    }
    folder
}

fn settings() -> DataSettings {
    DataSettings {
        name: DataName::Cifar10,
        ..DataSettings::default()
    }
}

#[test]
fn real_cifar10_has_its_published_statistics() {
    if real().is_none() {
        return;
    }
    let start = Instant::now();
    let dataset = data::load(&settings()).unwrap();
    println!("loaded in {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!(
        (dataset.train.len, dataset.test.len, dataset.outputs),
        (50_000, 10_000, 10)
    );
    assert_eq!(dataset.train.inputs.len(), 50_000 * 3072);
    // The constants that are widely used, to their eight digits.
    let near = |found: &[f64], known: [f64; 3]| {
        found
            .iter()
            .zip(known)
            .for_each(|(f, k)| assert!((f - k).abs() < 1e-8, "{f} {k}"));
    };
    near(
        &dataset.normalization.mean,
        [0.49139968, 0.48215841, 0.44653091],
    );
    near(
        &dataset.normalization.std,
        [0.24703223, 0.24348513, 0.26158784],
    );
    let Targets::Classes(labels) = &dataset.test.targets else {
        panic!("CIFAR-10 has classes")
    };
    assert!((0..10).all(|class| labels.iter().filter(|&&label| label == class).count() == 1000));
}

#[test]
fn real_cifar10_is_limited_and_shrunk() {
    let Some(folder) = real() else { return };
    let small = DataSettings {
        root: Some(folder.clone()),
        train_limit: Some(500),
        test_limit: Some(100),
        resize: Some(16),
        ..settings()
    };
    let dataset = data::load(&small).unwrap();
    assert_eq!(
        (dataset.shape.height, dataset.train.len, dataset.test.len),
        (16, 500, 100)
    );
    let by_variable = DataSettings {
        root: None,
        ..small.clone()
    };
    assert_eq!(data::load(&by_variable).unwrap().checksum, dataset.checksum);
    let other = DataSettings {
        subset_seed: 1,
        ..small
    };
    assert_ne!(data::load(&other).unwrap().checksum, dataset.checksum);
}

#[test]
fn one_altered_pixel_of_real_cifar10_is_refused() {
    let Some(folder) = real() else { return };
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let file = copy.path().join("data_batch_4.bin");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3073 * 77 + 1234] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let settings = DataSettings {
        root: Some(copy.path().to_owned()),
        ..settings()
    };
    let message = data::load(&settings).unwrap_err().to_string();
    assert!(
        message.contains("training images: found images that are not cifar10's"),
        "{message}"
    );
}

#[test]
fn real_cifar10_is_the_same_from_an_archive() {
    let Some(folder) = real() else { return };
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("cifar-10-binary.tar.gz");
    let file = std::fs::File::create(&archive).unwrap();
    let packed = flate2::write::GzEncoder::new(file, flate2::Compression::none());
    let mut builder = tar::Builder::new(packed);
    builder
        .append_dir_all("cifar-10-batches-bin", &folder)
        .unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    let small = |root: PathBuf| DataSettings {
        root: Some(root),
        train_limit: Some(100),
        test_limit: Some(100),
        ..settings()
    };
    let report = catalogue::check(&small(place.path().to_owned())).unwrap();
    assert_eq!(
        report.checksum,
        data::load(&small(folder)).unwrap().checksum
    );
    assert!(
        report
            .verdict
            .contains("but the images are the official ones"),
        "{}",
        report.verdict
    );
    assert_eq!(report.path, Some(archive));
}
