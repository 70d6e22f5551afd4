//! Broken data: every one is refused with a message that names the place; none panics.

mod data_support;

use std::path::Path;

use data_support::*;
use reslab_nn::data::{
    self, ChannelStatistics, DataName, DataSettings, Normalize, Places, SyntheticKind,
    SyntheticSettings,
};

/// A way to break an otherwise sound folder, and what the message must contain.
type Case = (&'static str, fn(&Path), &'static [&'static str]);

/// Makes each case in a folder of its own and compares the message.
fn refused(
    name: DataName,
    sound: fn(&Path),
    settings: fn(DataSettings) -> DataSettings,
    cases: &[Case],
) {
    for (what, spoil, parts) in cases {
        let folder = tempfile::tempdir().unwrap();
        sound(folder.path());
        spoil(folder.path());
        let message = refusal(&settings(at(name, folder.path())));
        for part in *parts {
            assert!(
                message.contains(part),
                "{what}: \"{part}\" is not in\n{message}"
            );
        }
    }
}

#[test]
fn broken_cifar10_folders_are_refused() {
    refused(
        DataName::Cifar10,
        hollow_cifar10,
        |s| s,
        &[
            (
                "truncated",
                |root| cut(&root.join("data_batch_3.bin"), 30_000_000),
                &[
                    "data_batch_3.bin",
                    "found 30000000 bytes (9762 records",
                    "expected 30730000 bytes",
                ],
            ),
            (
                "too long",
                |root| hollow(&root.join("test_batch.bin"), 30_733_073, &[]),
                &["test_batch.bin", "10001 records", "(10000 records)"],
            ),
            (
                "one file missing",
                |root| std::fs::remove_file(root.join("data_batch_5.bin")).unwrap(),
                &["data_batch_5.bin", "could not be read"],
            ),
            (
                "label 10",
                |root| {
                    hollow(
                        &root.join("data_batch_2.bin"),
                        30_730_000,
                        &[(3073 * 6, 10)],
                    )
                },
                &[
                    "data_batch_2.bin, record 6 (byte 18438)",
                    "found label 10",
                    "a label of 0 to 9",
                ],
            ),
            (
                "labels all 0",
                |_| (),
                &[
                    "50000 training images of class 0",
                    "exactly 5000 of every class",
                ],
            ),
        ],
    );
}

#[test]
fn cifar10_with_other_images_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ] {
        let mut bytes = vec![0; 30_730_000];
        bytes
            .chunks_exact_mut(3073)
            .enumerate()
            .for_each(|(i, r)| r[0] = (i % 10) as u8);
        std::fs::write(folder.path().join(format!("{file}.bin")), bytes).unwrap();
    }
    let message = refusal(&at(DataName::Cifar10, folder.path()));
    assert!(
        message.contains("training images: found images that are not cifar10's"),
        "{message}"
    );
}

#[test]
fn broken_cifar_archives_are_refused() {
    const TEST: &str = "cifar-100-binary/test.bin";
    let archive = |root: &Path| root.join("cifar-100-binary.tar.gz");
    let whole = tempfile::tempdir().unwrap();
    let test = cifar100_bytes(10_000);
    write_tar_gz(&archive(whole.path()), &[(TEST, &test)]);
    let settings = at(DataName::Cifar100, whole.path());
    let message = refusal(&settings);
    assert!(
        message.contains("member train.bin: found an archive without it"),
        "{message}"
    );

    let len = archive(whole.path()).metadata().unwrap().len();
    cut(&archive(whole.path()), len / 2);
    let message = refusal(&settings);
    assert!(
        message.contains("cifar-100-binary.tar.gz: found \""),
        "{message}"
    );
    assert!(
        message.contains("expected a whole .tar.gz archive"),
        "{message}"
    );

    write_tar_gz(&archive(whole.path()), &[(TEST, &test[..3074 * 100])]);
    let message = refusal(&settings);
    assert!(
        message.contains("member cifar-100-binary/test.bin: found 307400 bytes"),
        "{message}"
    );

    write_tar_gz(
        &archive(whole.path()),
        &[(TEST, &test), ("again/test.bin", &test)],
    );
    let message = refusal(&settings);
    assert!(message.contains("this member twice"), "{message}");

    std::fs::write(archive(whole.path()), "<html>404</html>").unwrap();
    let message = refusal(&settings);
    assert!(
        message.contains("expected a whole .tar.gz archive"),
        "{message}"
    );

    let mut fine = test;
    fine[3074 * 5 + 1] = 100;
    write_tar_gz(&archive(whole.path()), &[(TEST, &fine)]);
    let message = refusal(&settings);
    assert!(
        message.contains("record 5 (byte 15370): found fine label 100"),
        "{message}"
    );
    fine[3074 * 5 + 1] = 5;
    fine[3074 * 7] = 20;
    write_tar_gz(&archive(whole.path()), &[(TEST, &fine)]);
    let message = refusal(&settings);
    assert!(
        message.contains("found coarse label 20, expected a coarse label of 0 to 19"),
        "{message}"
    );
}

#[test]
fn broken_mnist_files_are_refused() {
    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "train-labels-idx1-ubyte";
    refused(
        DataName::Mnist,
        hollow_mnist,
        |s| s,
        &[
            (
                "bad magic",
                |root| std::fs::write(root.join(IMAGES), idx(0x1234, &[1])).unwrap(),
                &[IMAGES, "magic number 0x00001234", "expected 0x00000803"],
            ),
            (
                "exchanged",
                |root| {
                    std::fs::copy(root.join(IMAGES), root.join(LABELS))
                        .map(drop)
                        .unwrap()
                },
                &[LABELS, "(images and labels exchanged)"],
            ),
            (
                "count mismatch",
                |root| std::fs::write(root.join(LABELS), idx(0x801, &[59_999])).unwrap(),
                &[
                    LABELS,
                    "found 59999 labels",
                    "as many as the 60000 images in",
                    IMAGES,
                ],
            ),
            (
                "training and test files exchanged",
                |root| {
                    for kind in ["images-idx3-ubyte", "labels-idx1-ubyte"] {
                        std::fs::copy(
                            root.join(format!("t10k-{kind}")),
                            root.join(format!("train-{kind}")),
                        )
                        .unwrap();
                    }
                },
                &[IMAGES, "found 10000 images", "expected 60000"],
            ),
            (
                "wrong size of images",
                |root| std::fs::write(root.join(IMAGES), idx(0x803, &[60_000, 8, 8])).unwrap(),
                &[IMAGES, "images of 8×8", "28×28"],
            ),
            (
                "truncated",
                |root| cut(&root.join(IMAGES), 1_000_000),
                &[IMAGES, "only 1000000 bytes", "expected 47040016 bytes"],
            ),
            (
                "empty",
                |root| cut(&root.join(LABELS), 0),
                &[LABELS, "in its header"],
            ),
            (
                "too long",
                |root| {
                    let path = root.join(IMAGES);
                    let longer = [std::fs::read(&path).unwrap(), vec![0]].concat();
                    std::fs::write(&path, longer).unwrap();
                },
                &[IMAGES, "more than 47040016 bytes"],
            ),
            (
                "gzip cut short",
                |root| {
                    let packed = root.join(format!("{IMAGES}.gz"));
                    write_gz(&packed, &std::fs::read(root.join(IMAGES)).unwrap());
                    std::fs::remove_file(root.join(IMAGES)).unwrap();
                    cut(&packed, packed.metadata().unwrap().len() / 2);
                },
                &["train-images-idx3-ubyte.gz", "a whole gzip file"],
            ),
            (
                "other content",
                |_| (),
                &[
                    IMAGES,
                    "other content (SHA-256 ",
                    "mnist's (SHA-256 ba891046",
                ],
            ),
            (
                "one file missing",
                |root| std::fs::remove_file(root.join(LABELS)).unwrap(),
                &[
                    "no train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz",
                    "all four files",
                ],
            ),
        ],
    );
}

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
                channels: Some(3),
                ..digits()
            },
            "data.channels: is for image-folder",
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
