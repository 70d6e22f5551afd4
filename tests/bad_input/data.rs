//! Broken data. Each case is refused twice: by `data check` and by `run`, before any training.

use std::io::{Seek, SeekFrom, Write};

use crate::support::{Experiment, Lab};

const CIFAR10_BATCH: u64 = 10_000 * 3073;
const CIFAR10_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// Both commands refuse the data in `root` and say all the words.
fn refused(lab: &Lab, name: &str, root: &str, words: &[&str]) {
    let extra = if name == "image-folder" {
        ", resize: 8"
    } else {
        ""
    };
    lab.has(Experiment::tiny("broken").data(&format!("{{name: {name}, root: {root}{extra}}}")));
    let check = lab
        .reslab(&format!("data check {name} --root {root}"))
        .refuses();
    let run = lab.reslab("run broken.yaml").refuses();
    for word in words {
        assert!(check.err.contains(word), "{check}\nshould say {word:?}");
        assert!(run.err.contains(word), "{run}\nshould say {word:?}");
    }
    assert!(
        !lab.path("results/broken/runs.parquet").exists(),
        "results were written although the data are broken"
    );
}

/// A file of zeros that takes no room on the disk.
fn zeros(lab: &Lab, path: &str, length: u64) {
    lab.write(path, "");
    let file = std::fs::OpenOptions::new().write(true).open(lab.path(path));
    let file = file.expect("the file was just made");
    file.set_len(length).expect("a file can be lengthened");
}

fn overwrite(lab: &Lab, path: &str, at: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(lab.path(path));
    let mut file = file.expect("the file is there");
    file.seek(SeekFrom::Start(at))
        .expect("the file is long enough");
    file.write_all(bytes).expect("the file can be written");
}

/// The layout of CIFAR-10, all of it black images of class 0.
fn black_cifar10(lab: &Lab, root: &str) {
    for file in CIFAR10_FILES {
        zeros(lab, &format!("{root}/{file}"), CIFAR10_BATCH);
    }
}

#[test]
fn a_truncated_cifar_batch() {
    let lab = Lab::new();
    black_cifar10(&lab, "cut");
    zeros(&lab, "cut/data_batch_3.bin", CIFAR10_BATCH - 1000);
    refused(&lab, "cifar10", "cut", &["data_batch_3.bin", "30730000"]);
}

#[test]
fn a_missing_cifar_batch() {
    let lab = Lab::new();
    black_cifar10(&lab, "gone");
    std::fs::remove_file(lab.path("gone/data_batch_2.bin")).expect("the file is there");
    refused(&lab, "cifar10", "gone", &["data_batch_2.bin"]);
}

#[test]
fn a_label_that_no_class_has() {
    let lab = Lab::new();
    black_cifar10(&lab, "label");
    overwrite(&lab, "label/data_batch_1.bin", 7 * 3073, &[200]);
    refused(
        &lab,
        "cifar10",
        "label",
        &["data_batch_1.bin", "record 7", "label 200"],
    );
}

#[test]
fn labels_that_are_out_of_balance() {
    let lab = Lab::new();
    black_cifar10(&lab, "black");
    refused(&lab, "cifar10", "black", &["black", "class 0"]);
}

#[test]
fn a_fine_label_that_no_class_has() {
    let lab = Lab::new();
    zeros(&lab, "fine/train.bin", 50_000 * 3074);
    zeros(&lab, "fine/test.bin", 10_000 * 3074);
    overwrite(&lab, "fine/train.bin", 3 * 3074 + 1, &[100]);
    refused(
        &lab,
        "cifar100",
        "fine",
        &["train.bin", "record 3", "fine label 100"],
    );
}

#[test]
fn an_archive_that_is_none() {
    let lab = Lab::new();
    lab.write("text/cifar-10-binary.tar.gz", "an error page of the server");
    refused(&lab, "cifar10", "text", &["cifar-10-binary.tar.gz"]);
}

#[test]
fn an_archive_that_breaks_off() {
    let lab = Lab::new();
    // The beginning of a gzip stream, and then nothing.
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xbd];
    lab.write("short/cifar-10-binary.tar.gz", head);
    refused(&lab, "cifar10", "short", &["cifar-10-binary.tar.gz"]);
}

#[test]
fn data_that_are_not_there() {
    let lab = Lab::new();
    refused(
        &lab,
        "cifar10",
        "nowhere",
        &["nowhere", "cifar-10-binary.tar.gz"],
    );
    refused(&lab, "image-folder", "nowhere", &["nowhere", "train"]);
}

/// An IDX file of bytes: a magic number, the dimensions, and as many zeros as asked for.
fn idx(magic: u32, dimensions: &[u32], zeros: usize) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    for dimension in dimensions {
        bytes.extend(dimension.to_be_bytes());
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// The four files of MNIST, black images of class 0, one of them replaced.
fn mnist_with(lab: &Lab, root: &str, name: &str, bytes: Vec<u8>) {
    for (part, count) in [("train", 60_000), ("t10k", 10_000)] {
        let pixels = count as usize * 784;
        lab.write(
            &format!("{root}/{part}-images-idx3-ubyte"),
            idx(IMAGES, &[count, 28, 28], pixels),
        );
        lab.write(
            &format!("{root}/{part}-labels-idx1-ubyte"),
            idx(LABELS, &[count], count as usize),
        );
    }
    lab.write(&format!("{root}/{name}"), bytes);
}

#[test]
fn an_idx_file_with_a_wrong_magic_number() {
    let lab = Lab::new();
    let name = "train-images-idx3-ubyte";
    mnist_with(
        &lab,
        "magic",
        name,
        idx(0x0804, &[60_000, 28, 28], 60_000 * 784),
    );
    refused(&lab, "mnist", "magic", &[name]);
}

#[test]
fn an_idx_file_that_breaks_off() {
    let lab = Lab::new();
    let name = "train-images-idx3-ubyte";
    mnist_with(
        &lab,
        "cut",
        name,
        idx(IMAGES, &[60_000, 28, 28], 59_999 * 784),
    );
    refused(&lab, "mnist", "cut", &[name]);
}

#[test]
fn fewer_labels_than_images() {
    let lab = Lab::new();
    let name = "train-labels-idx1-ubyte";
    mnist_with(&lab, "few", name, idx(LABELS, &[59_999], 59_999));
    refused(&lab, "mnist", "few", &[name]);
}

#[test]
fn images_that_are_not_the_official_ones() {
    let lab = Lab::new();
    let name = "train-images-idx3-ubyte";
    mnist_with(
        &lab,
        "black",
        name,
        idx(IMAGES, &[60_000, 28, 28], 60_000 * 784),
    );
    refused(&lab, "mnist", "black", &[name, "other content", "SHA-256"]);
}

#[test]
fn a_gzipped_file_that_is_none() {
    let lab = Lab::new();
    let name = "train-images-idx3-ubyte";
    mnist_with(&lab, "gzip", name, Vec::new());
    std::fs::remove_file(lab.path(&format!("gzip/{name}"))).expect("the file is there");
    lab.write(&format!("gzip/{name}.gz"), "no gzip at all");
    refused(&lab, "mnist", "gzip", &["train-images-idx3-ubyte.gz"]);
}

#[test]
fn a_picture_that_is_none() {
    let lab = Lab::new();
    for class in ["cats", "dogs"] {
        for part in ["train", "test"] {
            lab.write(&format!("pets/{part}/{class}/one.png"), "no picture");
        }
    }
    refused(&lab, "image-folder", "pets", &["one.png"]);
}

#[test]
fn a_class_without_pictures() {
    let lab = Lab::new();
    lab.write("lonely/train/cats/one.png", "no picture");
    lab.write("lonely/test/cats/one.png", "no picture");
    std::fs::create_dir_all(lab.path("lonely/train/dogs")).expect("a folder can be made");
    refused(&lab, "image-folder", "lonely", &["dogs"]);
}
