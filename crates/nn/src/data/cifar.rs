//! CIFAR-10 and CIFAR-100 in their official binary layout, as a folder or as the `.tar.gz`.
//!
//! A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009. A record is one
//! label byte (CIFAR-100: the coarse, then the fine label) and 3,072 bytes: 32×32 in red, then
//! green, then blue. Here they become channels-last.
//!
//! Checked on every load: sizes, label ranges, exactly the same number of images in each class,
//! and for CIFAR-10 that the images are the official ones, in whatever order (see [`super::cifar_records`]).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::cifar_records::SplitReader;
use super::raw::Raw;
use super::{DataError, DataName};
use crate::network::Shape;

/// Shape of an image.
pub(crate) const SHAPE: Shape = Shape::new(3, 32, 32);

/// Bytes of an image.
pub(crate) const IMAGE: usize = 3072;

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
    /// Sums of the records of both splits, if they are known; see
    /// [`super::cifar_records`].
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
    /// Bytes of a record.
    pub const fn record(&self) -> usize {
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

/// Names of the classes, in the order of the labels.
pub(crate) fn class_names(name: DataName) -> Vec<String> {
    let names = match name {
        DataName::Cifar10 => include_str!("cifar10_classes.txt"),
        _ => include_str!("cifar100_classes.txt"),
    };
    names.split_whitespace().map(str::to_owned).collect()
}
