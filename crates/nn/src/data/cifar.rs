//! CIFAR-10 and CIFAR-100 in their official binary layout, as a folder or as the `.tar.gz`.
//!
//! A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009. A record is one
//! label byte (CIFAR-100: the coarse, then the fine label) and 3,072 bytes: 32×32 in red, then
//! green, then blue. Here they become channels-last.
//!
//! Checked on every load: sizes, label ranges, exactly the same number of images in each class,
//! and for CIFAR-10 that the images are the official ones, in whatever order (see [`fingerprint`]).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::raw::{Pixels, Raw, RawSplit};
use super::{DataError, DataName, Targets, checksum};
use crate::network::Shape;

/// Shape of an image.
pub(crate) const SHAPE: Shape = Shape::new(3, 32, 32);

/// Bytes of an image.
const IMAGE: usize = 3072;

/// Pixels of one colour plane.
const PLANE: usize = 1024;

/// What the files of one of the two data sets look like.
pub(crate) struct Layout {
    /// The data set.
    pub name: DataName,
    /// Classes.
    pub classes: usize,
    /// The label bytes of a record, each with the number of values it takes; the last one is used.
    pub labels: &'static [(&'static str, usize)],
    /// Training files.
    pub train_files: &'static [&'static str],
    /// The test file.
    pub test_files: &'static [&'static str],
    /// Records in a training file.
    pub train_records: usize,
    /// Records in the test file.
    pub test_records: usize,
    /// Sums of the records of both splits, if they are known; see [`fingerprint`].
    pub fingerprints: Option<[&'static str; 2]>,
    /// SHA-256 of the official `.tar.gz`.
    pub archive_sha256: &'static str,
}

/// CIFAR-10.
pub(crate) const CIFAR10: Layout = Layout {
    name: DataName::Cifar10,
    classes: 10,
    labels: &[("label", 10)],
    train_files: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test_files: &["test_batch.bin"],
    train_records: 10_000,
    test_records: 10_000,
    fingerprints: Some([
        "e5ff232bf34b19e4302005294542db3450c112d96f37cb37513c56bc49a6a07c",
        "cbedc5f1f3a8dd447b9413a1ccbc0ac2e57303417f00686e526ec15d31a65e2f",
    ]),
    archive_sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
};

/// CIFAR-100, with its fine labels.
pub(crate) const CIFAR100: Layout = Layout {
    name: DataName::Cifar100,
    classes: 100,
    labels: &[("coarse label", 20), ("fine label", 100)],
    train_files: &["train.bin"],
    test_files: &["test.bin"],
    train_records: 50_000,
    test_records: 10_000,
    fingerprints: None,
    archive_sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
};

/// SHA-256 of the official files of CIFAR-100.
pub(crate) const CIFAR100_MEMBERS: [(&str, &str); 2] = [
    (
        "train.bin",
        "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
    ),
    (
        "test.bin",
        "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    ),
];

impl Layout {
    const fn record(&self) -> usize {
        self.labels.len() + IMAGE
    }

    fn size(&self, file: &str) -> usize {
        let records = if self.test_files.contains(&file) {
            self.test_records
        } else {
            self.train_records
        };
        records * self.record()
    }

    fn files(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.train_files.iter().chain(self.test_files).copied()
    }

    /// Samples of both splits.
    pub fn lens(&self) -> (usize, usize) {
        let (train, test) = (self.train_files.len(), self.test_files.len());
        (train * self.train_records, test * self.test_records)
    }
}

/// The first candidate that is there: a folder with at least one of the files, or an archive.
pub(crate) fn find(layout: &Layout, candidates: &[PathBuf]) -> Option<PathBuf> {
    let there = |path: &&PathBuf| {
        if path.is_dir() {
            layout.files().any(|file| path.join(file).is_file())
        } else {
            path.is_file()
        }
    };
    candidates.iter().find(there).cloned()
}

/// Checks what can be checked without reading: that all files are there and have their size.
pub(crate) fn glance(layout: &Layout, place: &Path) -> Result<(), DataError> {
    if place.is_file() {
        return File::open(place)
            .map(drop)
            .map_err(|error| DataError::read(place, error));
    }
    for file in layout.files() {
        let path = place.join(file);
        let meta = path
            .metadata()
            .map_err(|error| DataError::read(&path, error))?;
        check_size(layout, &path.display().to_string(), file, meta.len())?;
    }
    Ok(())
}

/// Reads the folder or archive at `place`.
pub(crate) fn load(layout: &Layout, place: &Path) -> Result<Raw, DataError> {
    let mut contents: [Option<SplitReader>; 2] = [None, None];
    let mut take = |file: &str, index: usize, label: String, bytes: &[u8]| {
        check_size(layout, &label, file, bytes.len() as u64)?;
        let part = usize::from(layout.test_files.contains(&file));
        let reader = contents[part].get_or_insert_with(|| SplitReader::new(layout, part));
        reader.add(layout, index, &label, bytes)
    };
    if place.is_file() {
        read_archive(layout, place, &mut take)?;
    } else {
        for (index, file) in layout.files().enumerate() {
            let path = place.join(file);
            glance_one(layout, &path, file)?;
            let bytes = std::fs::read(&path).map_err(|error| DataError::read(&path, error))?;
            take(file, index, path.display().to_string(), &bytes)?;
        }
    }
    let mut splits = contents.into_iter().enumerate().map(|(part, reader)| {
        let reader = reader.unwrap_or_else(|| SplitReader::new(layout, part));
        reader.finish(layout, place)
    });
    let (Some(train), Some(test)) = (splits.next(), splits.next()) else {
        return Err(DataError::damaged(
            place.display().to_string(),
            "nothing",
            "two splits",
        ));
    };
    Ok(Raw {
        shape: SHAPE,
        outputs: layout.classes,
        class_names: class_names(layout.name),
        white: 255,
        train: train?,
        test: test?,
    })
}

fn glance_one(layout: &Layout, path: &Path, file: &str) -> Result<(), DataError> {
    let meta = path
        .metadata()
        .map_err(|error| DataError::read(path, error))?;
    check_size(layout, &path.display().to_string(), file, meta.len())
}

fn check_size(layout: &Layout, label: &str, file: &str, found: u64) -> Result<(), DataError> {
    let (expected, record) = (layout.size(file) as u64, layout.record() as u64);
    if found == expected {
        return Ok(());
    }
    let rest = match found % record {
        0 => String::new(),
        rest => format!(" and {rest} bytes"),
    };
    Err(DataError::damaged(
        label,
        format!(
            "{found} bytes ({} records of {record} bytes{rest})",
            found / record
        ),
        format!("{expected} bytes ({} records)", expected / record),
    ))
}

/// Takes one file: its name, its place in the list of files, where it lies, and its bytes.
type Take<'a> = dyn FnMut(&str, usize, String, &[u8]) -> Result<(), DataError> + 'a;

/// Hands every member of the archive that is one of the layout's files to `take`.
fn read_archive(layout: &Layout, place: &Path, take: &mut Take) -> Result<(), DataError> {
    let broken = |error: std::io::Error| {
        let expected = "a whole .tar.gz archive";
        DataError::damaged(
            place.display().to_string(),
            format!("\"{error}\""),
            expected,
        )
    };
    let file = File::open(place).map_err(|error| DataError::read(place, error))?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::with_capacity(1 << 18, file)));
    let mut seen = vec![false; layout.files().count()];
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let Some((index, file)) = layout
            .files()
            .enumerate()
            .find(|(_, file)| path.file_name().is_some_and(|name| name == *file))
        else {
            continue;
        };
        let label = format!("{}, member {}", place.display(), path.display());
        if std::mem::replace(&mut seen[index], true) {
            return Err(DataError::damaged(
                label,
                "this member twice",
                "every member once",
            ));
        }
        check_size(layout, &label, file, entry.size())?;
        let mut bytes = Vec::with_capacity(layout.size(file));
        entry.read_to_end(&mut bytes).map_err(broken)?;
        take(file, index, label, &bytes)?;
    }
    if let Some((_, file)) = seen.iter().zip(layout.files()).find(|(seen, _)| !**seen) {
        let found = "an archive without it";
        let label = format!("{}, member {file}", place.display());
        return Err(DataError::damaged(
            label,
            found,
            format!("{} bytes", layout.size(file)),
        ));
    }
    // The archive ends before the gzip stream does: read on, so that its checksum is compared.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
    Ok(())
}

/// Gathers the records of one split.
struct SplitReader {
    part: usize,
    /// Channels-last images of each file, by its place in the list of files.
    pixels: Vec<(usize, Vec<u8>, Vec<u32>)>,
    sum: [u64; 4],
}

impl SplitReader {
    fn new(layout: &Layout, part: usize) -> Self {
        let files = if part == 0 {
            layout.train_files
        } else {
            layout.test_files
        };
        Self {
            part,
            pixels: Vec::with_capacity(files.len()),
            sum: [0; 4],
        }
    }

    /// Checks and keeps one file.
    fn add(
        &mut self,
        layout: &Layout,
        index: usize,
        place: &str,
        bytes: &[u8],
    ) -> Result<(), DataError> {
        let record = layout.record();
        let mut labels = Vec::with_capacity(bytes.len() / record);
        for (number, bytes) in bytes.chunks_exact(record).enumerate() {
            for (&label, &(what, values)) in bytes.iter().zip(layout.labels) {
                if usize::from(label) >= values {
                    return Err(DataError::damaged(
                        format!("{place}, record {number} (byte {})", number * record),
                        format!("{what} {label}"),
                        format!("a {what} of 0 to {}", values - 1),
                    ));
                }
            }
            labels.push(u32::from(bytes[layout.labels.len() - 1]));
        }
        let mut pixels = vec![0; labels.len() * IMAGE];
        let interleave = |(output, record): (&mut [u8], &[u8])| {
            let image = &record[layout.labels.len()..];
            let (red, rest) = image.split_at(PLANE);
            let (green, blue) = rest.split_at(PLANE);
            let planes = red.iter().zip(green).zip(blue);
            for (pixel, ((&r, &g), &b)) in output.chunks_exact_mut(3).zip(planes) {
                pixel.copy_from_slice(&[r, g, b]);
            }
        };
        pixels
            .par_chunks_exact_mut(IMAGE)
            .zip(bytes.par_chunks_exact(record))
            .with_min_len(256)
            .for_each(interleave);
        if layout.fingerprints.is_some() {
            let sum = fingerprint(bytes, record);
            self.sum = add(self.sum, sum);
        }
        self.pixels.push((index, pixels, labels));
        Ok(())
    }

    /// Checks the split as a whole and joins its files.
    fn finish(mut self, layout: &Layout, place: &Path) -> Result<RawSplit, DataError> {
        // An archive may hold its members in any order.
        self.pixels.sort_by_key(|(index, ..)| *index);
        let (mut bytes, mut labels) = (Vec::new(), Vec::new());
        bytes.reserve_exact(self.pixels.iter().map(|(_, pixels, _)| pixels.len()).sum());
        for (_, pixels, file_labels) in self.pixels {
            bytes.extend_from_slice(&pixels);
            labels.extend(file_labels);
        }
        let split = if self.part == 0 { "training" } else { "test" };
        check_balance(layout, &labels, split, place)?;
        if let Some(known) = layout.fingerprints {
            let found = text(self.sum);
            if found != known[self.part] {
                return Err(DataError::damaged(
                    format!("{}, {split} images", place.display()),
                    format!(
                        "images that are not {}'s (sum of records {found})",
                        layout.name
                    ),
                    format!(
                        "the official images, in any order (sum {})",
                        known[self.part]
                    ),
                ));
            }
        }
        let len = labels.len();
        Ok(RawSplit {
            pixels: Pixels::Bytes(bytes),
            targets: Targets::Classes(labels),
            len,
        })
    }
}

fn check_balance(
    layout: &Layout,
    labels: &[u32],
    split: &str,
    place: &Path,
) -> Result<(), DataError> {
    let mut counts = vec![0_usize; layout.classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let expected = labels.len() / layout.classes;
    match counts.iter().position(|&count| count != expected) {
        None => Ok(()),
        Some(class) => Err(DataError::damaged(
            place.display().to_string(),
            format!("{} {split} images of class {class}", counts[class]),
            format!("exactly {expected} of every class"),
        )),
    }
}

/// A sum of records that does not depend on their order: the SHA-256 of each record, read as four
/// little-endian 64-bit words, added up word by word (wrapping).
///
/// It tells whether the images and labels are the official ones even where the order inside the
/// split is another. It guards against accidents, not against forgers.
fn fingerprint(bytes: &[u8], record: usize) -> [u64; 4] {
    let words = |record: &[u8]| {
        let digest: [u8; 32] = Sha256::digest(record).into();
        let word = |i: usize| {
            digest[8 * i..]
                .iter()
                .take(8)
                .rev()
                .fold(0, |w, &b| w << 8 | u64::from(b))
        };
        [word(0), word(1), word(2), word(3)]
    };
    bytes
        .par_chunks_exact(record)
        .with_min_len(256)
        .map(words)
        .reduce(|| [0; 4], add)
}

fn add(left: [u64; 4], right: [u64; 4]) -> [u64; 4] {
    std::array::from_fn(|i| left[i].wrapping_add(right[i]))
}

fn text(sum: [u64; 4]) -> String {
    checksum::hex(&sum.map(u64::to_be_bytes).concat())
}

/// Names of the classes, in the order of the labels.
pub(crate) fn class_names(name: DataName) -> Vec<String> {
    let names = match name {
        DataName::Cifar10 => include_str!("cifar10_classes.txt"),
        _ => include_str!("cifar100_classes.txt"),
    };
    names.split_whitespace().map(str::to_owned).collect()
}
