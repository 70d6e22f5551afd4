//! Small IDX files, which only a layout without the official sums accepts.

use std::io::Write;
use std::path::Path;

use super::raw::Pixels;
use super::{DataError, DataName, Targets, idx};

const SMALL: idx::Layout = idx::Layout {
    name: DataName::Mnist,
    side: 2,
    lens: [3, 2],
    sha256: None,
};

fn image_file(count: u32) -> Vec<u8> {
    let head = [0x803, count, 2, 2].map(u32::to_be_bytes).concat();
    head.into_iter()
        .chain((0..4 * count).map(|v| v as u8))
        .collect()
}

fn label_file(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    if name.ends_with(".gz") {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap();
    } else {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Writes the four files under the given names and loads them.
fn loaded(names: [&str; 4], labels: &[u8]) -> Result<super::raw::Raw, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        image_file(3),
        label_file(labels),
        image_file(2),
        label_file(&[7, 8]),
    ];
    for (name, bytes) in names.iter().zip(&files) {
        write(folder.path(), name, bytes);
    }
    idx::load(&SMALL, folder.path())
}

#[test]
fn idx_files_are_read_gzipped_or_not_and_under_both_spellings() {
    for names in [
        idx::FILES,
        [
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        ],
        [
            "train-images.idx3-ubyte",
            "train-labels.idx1-ubyte.gz",
            "t10k-images-idx3-ubyte",
            "t10k-labels.idx1-ubyte",
        ],
    ] {
        let raw = loaded(names, &[1, 0, 9]).unwrap();
        let Pixels::Bytes(pixels) = &raw.train.pixels else {
            panic!("IDX files hold bytes")
        };
        assert_eq!(*pixels, (0..12).collect::<Vec<u8>>());
        assert_eq!(raw.train.targets, Targets::Classes(vec![1, 0, 9]));
        assert_eq!(
            (raw.test.len, raw.test.targets),
            (2, Targets::Classes(vec![7, 8]))
        );
    }
}

#[test]
fn a_label_above_nine_is_told_with_its_place() {
    let message = loaded(idx::FILES, &[1, 10, 9]).err().unwrap().to_string();
    assert!(
        message.contains("label 1 (byte 9): found label 10"),
        "{message}"
    );
}
