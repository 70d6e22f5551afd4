//! Each source of data, from files made here to a normalised data set.

mod data_support;

use data_support::*;
use reslab_nn::data::{
    self, ChannelStatistics, DataName, DataSettings, Normalize, Places, Split, Targets, catalogue,
};

fn classes(targets: &Targets) -> &[u32] {
    match targets {
        Targets::Classes(labels) => labels,
        Targets::Values { .. } => panic!("expected classes"),
    }
}

fn raw(name: DataName) -> DataSettings {
    DataSettings {
        name,
        normalize: Normalize::None,
        ..DataSettings::default()
    }
}

#[test]
fn digits_have_their_golden_checksum() {
    let dataset = load(&DataSettings::default()).unwrap();
    assert_eq!(
        (dataset.train.len, dataset.test.len, dataset.outputs),
        (1437, 360, 10)
    );
    assert_eq!(
        dataset.checksum,
        "7eb34ee6306fb97623ace565180259690948ee31054085fdb651ccc8c3b2a1b0"
    );
    // The file's first image, a zero, is in one of the splits, in the scale 0..1.
    let pixels = load(&raw(DataName::Digits)).unwrap();
    let first = [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0].map(|v| v as f32 / 16.0);
    let is_first = |split: &Split| {
        let mut samples = split.inputs.chunks(64).zip(classes(&split.targets));
        samples.any(|(image, label)| image.starts_with(&first) && *label == 0)
    };
    assert!(is_first(&pixels.train) != is_first(&pixels.test));
}

#[test]
fn the_checksum_tells_every_change_of_content_and_no_other() {
    let base = DataSettings::default();
    let sum = |settings: &DataSettings| load(settings).unwrap().checksum;
    let sums = [
        sum(&base),
        sum(&DataSettings {
            resize: Some(4),
            ..base.clone()
        }),
        sum(&DataSettings {
            train_limit: Some(100),
            ..base.clone()
        }),
        sum(&DataSettings {
            train_limit: Some(100),
            subset_seed: 1,
            ..base.clone()
        }),
        sum(&DataSettings {
            test_limit: Some(100),
            ..base.clone()
        }),
        sum(&raw(DataName::Digits)),
    ];
    for (i, left) in sums.iter().enumerate() {
        assert!(sums[i + 1..].iter().all(|right| left != right), "{sums:?}");
    }
    // A limit that keeps everything, and a seed that chooses nothing, change nothing.
    let all = DataSettings {
        train_limit: Some(1437),
        subset_seed: 5,
        ..base.clone()
    };
    assert_eq!(sum(&all), sums[0]);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(pool.install(|| sum(&base)), sums[0]);
}

#[test]
fn limits_and_resizing_show_in_the_description_too() {
    let settings = DataSettings {
        train_limit: Some(50),
        test_limit: Some(20),
        resize: Some(4),
        ..DataSettings::default()
    };
    let dataset = load(&settings).unwrap();
    let shape = data::describe(&settings).unwrap();
    assert_eq!(
        (shape.train_len, shape.test_len, shape.outputs),
        (50, 20, 10)
    );
    assert_eq!((shape.shape, shape.regression), (dataset.shape, false));
    let count = |class| {
        classes(&dataset.train.targets)
            .iter()
            .filter(|c| **c == class)
            .count()
    };
    assert!((0..10).all(|class| count(class) == 5));
    assert_eq!(dataset.train.inputs.len(), 50 * 16);
}

#[test]
fn cifar100_is_the_same_from_folder_and_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = (cifar100_bytes(50_000), cifar100_bytes(10_000));
    let below = folder.path().join("cifar-100-binary");
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("train.bin"), &train).unwrap();
    std::fs::write(below.join("test.bin"), &test).unwrap();
    let archive = folder.path().join("elsewhere.tar.gz");
    let members: [(&str, &[u8]); 3] = [
        ("cifar-100-binary/test.bin", &test),
        ("cifar-100-binary/fine_label_names.txt", b"apple\n"),
        ("cifar-100-binary/train.bin", &train),
    ];
    write_tar_gz(&archive, &members);
    let small = |root| DataSettings {
        train_limit: Some(1000),
        test_limit: Some(500),
        normalize: Normalize::None,
        ..at(DataName::Cifar100, root)
    };
    let from_root = load(&small(folder.path())).unwrap();
    let from_folder = load(&small(&below)).unwrap();
    let from_archive = load(&small(&archive)).unwrap();
    assert_eq!((from_root.outputs, from_root.class_names.len()), (100, 100));
    assert_eq!(from_root, from_folder);
    assert_eq!(from_root, from_archive);
    let count = |class| {
        classes(&from_root.test.targets)
            .iter()
            .filter(|c| **c == class)
            .count()
    };
    assert!((0..100).all(|class| count(class) == 5));
    // Green pixel (1, 1) is the one that is set: planes have become channels.
    let green = |i: usize| from_root.train.inputs[i * 3072 + (32 + 1) * 3 + 1];
    assert!((0..1000).all(|i| green(i) == 1.0));
    let report = catalogue::check_in(&small(&below), &Places::default()).unwrap();
    assert!(
        report
            .verdict
            .contains("train.bin is not the official file"),
        "{}",
        report.verdict
    );
    let report = catalogue::check_in(&small(&archive), &Places::default()).unwrap();
    assert!(
        report.verdict.contains("not the official file"),
        "{}",
        report.verdict
    );
}

#[test]
fn data_are_found_in_the_places_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places {
        reslab_data: Some(folder.path().to_owned()),
        ..Places::default()
    };
    let settings = DataSettings {
        name: DataName::Cifar10,
        ..DataSettings::default()
    };
    assert!(data::describe_in(&settings, &places).is_err());
    hollow_cifar10(&folder.path().join("cifar-10-batches-bin"));
    assert_eq!(
        data::describe_in(&settings, &places).unwrap().train_len,
        50_000
    );
    let user = Places {
        user: places.reslab_data.clone(),
        ..Places::default()
    };
    assert!(data::describe_in(&settings, &user).is_ok());
    let listed = catalogue::list_in(&places);
    assert_eq!(listed.len(), 7);
    let found = catalogue::Place::Found(folder.path().join("cifar-10-batches-bin"));
    assert_eq!(
        listed
            .iter()
            .find(|l| l.name == DataName::Cifar10)
            .unwrap()
            .place,
        found
    );
    let mnist = &listed
        .iter()
        .find(|l| l.name == DataName::Mnist)
        .unwrap()
        .place;
    assert!(
        matches!(mnist, catalogue::Place::Missing { .. }),
        "{mnist:?}"
    );
}

#[test]
fn fashion_mnist_is_loaded_where_it_is_installed() {
    let settings = DataSettings {
        name: DataName::FashionMnist,
        ..DataSettings::default()
    };
    if data::describe(&settings).is_err() {
        println!("skipped: fashion-mnist is neither installed nor under RESLAB_DATA");
        return;
    }
    let dataset = data::load(&settings).unwrap();
    assert_eq!(
        (dataset.train.len, dataset.test.len, dataset.shape.len()),
        (60_000, 10_000, 784)
    );
    let near = |found: f64, known: f64| assert!((found - known).abs() < 5e-5, "{found} {known}");
    near(dataset.normalization.mean[0], 0.2860);
    near(dataset.normalization.std[0], 0.3530);
}

#[test]
fn an_image_folder_is_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    image_folder(folder.path());
    std::fs::write(folder.path().join("train/cat/notes.txt"), "not an image").unwrap();
    std::fs::write(folder.path().join("train/cat/.hidden.png"), "not an image").unwrap();
    let settings = DataSettings {
        normalize: Normalize::None,
        ..at(DataName::ImageFolder, folder.path())
    };
    let dataset = load(&settings).unwrap();
    assert_eq!(dataset.class_names, ["cat", "dog"]);
    assert_eq!(
        (
            dataset.shape.channels,
            dataset.shape.height,
            dataset.shape.width
        ),
        (3, 4, 6)
    );
    assert_eq!(classes(&dataset.train.targets), [0, 0, 1, 1]);
    let firsts: Vec<f32> = dataset
        .train
        .inputs
        .chunks(72)
        .map(|x| (x[0] * 255.0).round())
        .collect();
    assert_eq!(firsts, [20.0, 10.0, 30.0, 40.0]);
    assert_eq!(dataset.test.inputs[1], 51.0 / 255.0);
    let limited = load(&DataSettings {
        train_limit: Some(2),
        ..settings
    })
    .unwrap();
    assert_eq!(classes(&limited.train.targets), [0, 1]);
}

#[test]
fn image_folders_of_all_sizes_become_one_with_resize() {
    let folder = tempfile::tempdir().unwrap();
    image_folder(folder.path());
    grey(&folder.path().join("train/cat/big.png"), 4, 8);
    colour(
        &folder.path().join("train/dog/photo.JPG"),
        9,
        7,
        [100, 100, 100],
    );
    let settings = DataSettings {
        resize: Some(2),
        channels: Some(1),
        normalize: Normalize::None,
        ..at(DataName::ImageFolder, folder.path())
    };
    let dataset = load(&settings).unwrap();
    assert_eq!(
        (
            dataset.shape.channels,
            dataset.shape.height,
            dataset.train.len
        ),
        (1, 2, 6)
    );
    // train/cat: a, b, big. Means of 10 · row + column over 4 × 2 pixels.
    let big: Vec<f32> = dataset.train.inputs[8..12]
        .iter()
        .map(|x| x * 255.0)
        .collect();
    for (found, expected) in big.iter().zip([15.5, 17.5, 55.5, 57.5]) {
        assert!((found - expected).abs() < 1e-4, "{big:?}");
    }
    let photo = &dataset.train.inputs[20..24];
    assert!(
        photo.iter().all(|x| (x * 255.0 - 100.0).abs() < 2.0),
        "{photo:?}"
    );
}

#[test]
fn settings_survive_a_round_trip_and_refuse_what_is_unknown() {
    let given = ChannelStatistics {
        mean: vec![0.5],
        std: vec![0.25],
    };
    for normalize in [
        Normalize::Computed,
        Normalize::Imagenet,
        Normalize::Given(given),
    ] {
        let settings = DataSettings {
            normalize,
            ..DataSettings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<DataSettings>(&text).unwrap(),
            settings
        );
    }
    for (text, part) in [
        (r#"{"name": "cifar11"}"#, "unknown variant `cifar11`"),
        (
            r#"{"normalize": "imagenett"}"#,
            "expected one of `computed`, `none`",
        ),
        (
            r#"{"normalize": {"mean": [0.5], "sd": [1]}}"#,
            "unknown field `sd`",
        ),
        (
            r#"{"normalize": 3}"#,
            "computed, none, imagenet, cifar10, or {mean",
        ),
        (r#"{"limit": 3}"#, "unknown field `limit`"),
    ] {
        let message = serde_json::from_str::<DataSettings>(text)
            .unwrap_err()
            .to_string();
        assert!(message.contains(part), "{message}");
    }
    let schema = serde_json::to_string(&schemars::schema_for!(DataSettings)).unwrap();
    assert!(
        schema.contains("fashion-mnist") && schema.contains("teacher-classes"),
        "{schema}"
    );
}
