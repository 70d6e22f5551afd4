//! Broken image folders, missing data and settings that do not fit: refused by name and place.

mod data_support;

use data_support::*;
use reslab_nn::data::{
    self, ChannelStatistics, DataName, DataSettings, Normalize, Places, SyntheticKind,
    SyntheticSettings,
};

#[test]
fn broken_image_folders_are_refused() {
    refused(
        DataName::ImageFolder,
        image_folder,
        |s| s,
        &[
            (
                "an empty class",
                |root| std::fs::create_dir(root.join("train/emu")).unwrap(),
                &["train/emu: found no images"],
            ),
            (
                "a class only in test",
                |root| colour(&root.join("test/emu/1.png"), 6, 4, [0; 3]),
                &[
                    "test/emu: found a class that has no training images",
                    "cat, dog",
                ],
            ),
            (
                "an unreadable image",
                |root| std::fs::write(root.join("train/dog/3.png"), "no image").unwrap(),
                &["train/dog/3.png", "expected a readable image"],
            ),
            (
                "a truncated image",
                |root| {
                    grey(&root.join("train/dog/3.png"), 6, 4);
                    let len = root.join("train/dog/3.png").metadata().unwrap().len();
                    cut(&root.join("train/dog/3.png"), len - 20);
                },
                &["train/dog/3.png", "expected a readable image"],
            ),
            (
                "another size",
                |root| colour(&root.join("test/cat/z.png"), 5, 4, [0; 3]),
                &[
                    "test/cat/z.png: found an image of 4×5",
                    "4×6 like",
                    "set data.resize",
                ],
            ),
            (
                "a kind that is not read",
                |root| std::fs::write(root.join("train/cat/c.gif"), "GIF89a").unwrap(),
                &["train/cat/c.gif: found a .gif file"],
            ),
            (
                "one class",
                |root| std::fs::remove_dir_all(root.join("train/dog")).unwrap(),
                &["train: found one class folder only (cat)"],
            ),
            (
                "no test images",
                |root| {
                    std::fs::remove_dir_all(root.join("test")).unwrap();
                    std::fs::create_dir(root.join("test")).unwrap();
                },
                &["test: found no images"],
            ),
            (
                "no test folder",
                |root| std::fs::remove_dir_all(root.join("test")).unwrap(),
                &["image-folder was not found", "train/CLASS/"],
            ),
        ],
    );
    refused(
        DataName::ImageFolder,
        image_folder,
        |s| DataSettings {
            resize: Some(5),
            ..s
        },
        &[(
            "too small",
            |_| (),
            &["data.resize: 5 would enlarge", "train/cat/a.png of 4×6"],
        )],
    );
}

#[test]
fn missing_data_are_told_with_every_place_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let nowhere = folder.path().join("no/such/folder");
    for (name, parts) in [
        (
            DataName::Cifar10,
            ["cifar-10-batches-bin", "reslab data get cifar10"],
        ),
        (
            DataName::Cifar100,
            ["cifar-100-binary.tar.gz", "reslab data get cifar100"],
        ),
        (DataName::Mnist, ["MNIST/raw", "reslab data get mnist"]),
        (
            DataName::FashionMnist,
            ["FashionMNIST/raw", "Debian's package dataset-fashion-mnist"],
        ),
    ] {
        for message in [
            refusal(&at(name, folder.path())),
            refusal(&at(name, &nowhere)),
        ] {
            assert!(
                message.contains(&format!("{name} was not found. Looked at:\n")),
                "{message}"
            );
            assert!(message.contains(&root), "{message}");
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
        let places = Places {
            reslab_data: Some(nowhere.clone()),
            ..Places::default()
        };
        let settings = DataSettings {
            name,
            ..DataSettings::default()
        };
        let message = data::describe_in(&settings, &places)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(&nowhere.display().to_string()),
            "{message}"
        );
        let message = data::describe_in(&settings, &Places::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains("RESLAB_DATA is not set"), "{message}");
    }
}

#[test]
fn settings_that_do_not_fit_the_data_are_refused_by_their_key() {
    let digits = DataSettings::default;
    let given = |mean: Vec<f64>, std: Vec<f64>| Normalize::Given(ChannelStatistics { mean, std });
    let made = |edit: fn(&mut SyntheticSettings)| {
        let mut synthetic = SyntheticSettings::default();
        edit(&mut synthetic);
        DataSettings {
            name: DataName::Synthetic,
            synthetic: Some(synthetic),
            ..digits()
        }
    };
    for (settings, part) in [
        (
            DataSettings {
                train_limit: Some(1438),
                ..digits()
            },
            "data.train_limit: found 1438, but there are only 1437",
        ),
        (
            DataSettings {
                test_limit: Some(361),
                ..digits()
            },
            "data.test_limit: found 361, but there are only 360",
        ),
        (
            DataSettings {
                train_limit: Some(0),
                ..digits()
            },
            "data.train_limit: must be at least 1",
        ),
        (
            DataSettings {
                resize: Some(9),
                ..digits()
            },
            "data.resize: 9 would enlarge digits images of 8×8",
        ),
        (
            DataSettings {
                resize: Some(0),
                ..digits()
            },
            "data.resize: must be at least 1",
        ),
        (
            DataSettings {
                channels: Some(2),
                ..digits()
            },
            "data.channels: must be 1 or 3 for these images, found 2",
        ),
        (
            DataSettings {
                root: Some("x".into()),
                ..digits()
            },
            "data.root: is for data that lie in files",
        ),
        (
            DataSettings {
                synthetic: Some(SyntheticSettings::default()),
                ..digits()
            },
            "data.synthetic: is for synthetic",
        ),
        (
            DataSettings {
                normalize: Normalize::Imagenet,
                ..digits()
            },
            "data.normalize: imagenet is for 3 channels",
        ),
        (
            DataSettings {
                normalize: given(vec![0.5; 3], vec![1.0]),
                ..digits()
            },
            "data.normalize.mean: has 3 numbers",
        ),
        (
            DataSettings {
                normalize: given(vec![0.5], vec![-1.0]),
                ..digits()
            },
            "data.normalize.std: must be above zero",
        ),
        (
            DataSettings {
                name: DataName::ImageFolder,
                ..digits()
            },
            "data.root: an image folder needs",
        ),
        (
            DataSettings {
                resize: Some(2),
                ..made(|_| ())
            },
            "data.resize: is for images",
        ),
        (
            made(|s| s.classes = 1),
            "data.synthetic.classes: must be at least 2, found 1",
        ),
        (
            made(|s| s.dimensions = 0),
            "data.synthetic.dimensions: must be at least 1",
        ),
        (
            made(|s| s.noise = Some(-1.0)),
            "data.synthetic.noise: must be a finite number",
        ),
        (
            made(|s| s.separation = f64::NAN),
            "data.synthetic.separation",
        ),
        (made(|s| s.train = usize::MAX), "data.synthetic.train: "),
        (made(|s| s.classes = 1 << 40), "data.synthetic."),
        (
            made(|s| (s.kind, s.teacher_width) = (SyntheticKind::Teacher, 1 << 40)),
            "data.synthetic.teacher_width: 1099511627776 hidden units",
        ),
        (
            made(|s| (s.kind, s.noise) = (SyntheticKind::Identity, Some(1.0))),
            "data.synthetic.noise: the identity",
        ),
    ] {
        let message = refusal(&settings);
        assert!(
            message.starts_with(part),
            "\"{part}\" does not begin\n{message}"
        );
        let early = data::describe_in(&settings, &Places::default())
            .unwrap_err()
            .to_string();
        assert_eq!(early, message, "told before the data are read");
    }
}

#[test]
fn an_unknown_data_set_is_told_with_those_there_are() {
    let message = "cifar11".parse::<DataName>().unwrap_err().to_string();
    assert!(
        message.contains("no data set \"cifar11\"") && message.contains("cifar10, cifar100"),
        "{message}"
    );
}
