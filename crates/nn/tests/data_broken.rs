//! Broken files of CIFAR and MNIST: every one is refused with a message that names the place.

mod data_support;

use std::path::Path;

use data_support::*;
use reslab_nn::data::DataName;

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
