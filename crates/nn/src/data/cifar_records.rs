//! The records of CIFAR: checked, made channels-last, and summed up.

use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::cifar::{IMAGE, Layout};
use super::raw::{Pixels, RawSplit};
use super::{DataError, Targets, checksum};

/// Pixels of one colour plane.
const PLANE: usize = 1024;

/// Gathers the records of one split.
pub(crate) struct SplitReader {
    part: usize,
    /// Channels-last images of each file, by its place in the list of files.
    pixels: Vec<(usize, Vec<u8>, Vec<u32>)>,
    sum: [u64; 4],
}

impl SplitReader {
    /// Nothing yet of split `part` (0 training, 1 test).
    pub fn new(layout: &Layout, part: usize) -> Self {
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
    pub fn add(
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
    pub fn finish(mut self, layout: &Layout, place: &Path) -> Result<RawSplit, DataError> {
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
