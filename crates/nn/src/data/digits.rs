//! UCI handwritten digits: 1,797 images of 8×8 in 17 shades, built into the library.
//!
//! E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
//! Repository, 1998, <https://doi.org/10.24432/C50P49>, CC BY 4.0. These are the 1,797 images of
//! the repository's own test set, the ones scikit-learn ships, in its order. `digits.bin.gz` holds
//! one record an image, gzipped: a label byte and 64 bytes of 0..16, row by row.
//!
//! The split is fixed and stratified: 360 test images, shared out over the classes in proportion
//! (largest remainders, lower digit first), each class's drawn by a seeded shuffle that no setting
//! changes; the other 1,437 are for training. Both keep the order of the file.

use std::io::Read;

use flate2::read::GzDecoder;

use super::raw::{Pixels, Raw, RawSplit};
use super::{DataError, Targets, checksum, limits};
use crate::network::Shape;
use crate::random::{Purpose, shuffle, stream};

const FILE: &[u8] = include_bytes!("digits.bin.gz");

/// SHA-256 of the unpacked file.
const SHA256: &str = "d8121ca7764eccfaef1df6bc4589c6527c58fcbab0cb1b079e79f97f8cb8219a";

/// Images in the file.
const IMAGES: usize = 1797;

/// Shape of an image.
pub(crate) const SHAPE: Shape = Shape::new(1, 8, 8);

/// Training images.
pub(crate) const TRAIN: usize = IMAGES - TEST;

/// Test images.
pub(crate) const TEST: usize = 360;

/// Bytes of a record.
const RECORD: usize = 65;

/// Reads the built-in images.
pub(crate) fn load() -> Result<Raw, DataError> {
    let mut records = Vec::with_capacity(IMAGES * RECORD);
    GzDecoder::new(FILE)
        .read_to_end(&mut records)
        .map_err(|error| DataError::read("the built-in digits", error))?;
    let found = checksum::sha256(&records);
    if found != SHA256 || records.len() != IMAGES * RECORD {
        return Err(DataError::damaged("the built-in digits", found, SHA256));
    }
    let labels: Vec<u32> = records
        .iter()
        .step_by(RECORD)
        .map(|&label| u32::from(label))
        .collect();
    let pixels = records
        .chunks_exact(RECORD)
        .flat_map(|record| &record[1..])
        .copied()
        .collect();
    let test = test_indices(&labels);
    let train: Vec<usize> = (0..IMAGES)
        .filter(|i| test.binary_search(i).is_err())
        .collect();
    let all = RawSplit {
        pixels: Pixels::Bytes(pixels),
        targets: Targets::Classes(labels),
        len: IMAGES,
    };
    Ok(Raw {
        shape: SHAPE,
        outputs: 10,
        class_names: class_names(),
        white: 16,
        train: all.select(&train, SHAPE.len()),
        test: all.select(&test, SHAPE.len()),
    })
}

/// "0" to "9".
pub(crate) fn class_names() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

/// The fixed stratified choice, ascending.
fn test_indices(labels: &[u32]) -> Vec<usize> {
    let mut classes = limits::by_class(labels);
    let mut quotas: Vec<usize> = classes.iter().map(|c| c.len() * TEST / IMAGES).collect();
    let mut by_remainder: Vec<usize> = (0..classes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(classes[class].len() * TEST % IMAGES));
    let left = TEST - quotas.iter().sum::<usize>();
    by_remainder[..left]
        .iter()
        .for_each(|&class| quotas[class] += 1);
    let mut chosen = Vec::with_capacity(TEST);
    for (class, (members, quota)) in classes.iter_mut().zip(quotas).enumerate() {
        shuffle(&mut stream(0, Purpose::Subset, 1, class as u64), members);
        chosen.extend_from_slice(&members[..quota]);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(split: &RawSplit) -> Vec<usize> {
        let Targets::Classes(labels) = &split.targets else {
            panic!("digits have classes")
        };
        limits::by_class(labels).iter().map(Vec::len).collect()
    }

    #[test]
    fn the_split_is_fixed_and_stratified() {
        let raw = load().unwrap();
        assert_eq!((raw.train.len, raw.test.len), (1437, 360));
        let (train, test) = (counts(&raw.train), counts(&raw.test));
        let total: Vec<usize> = train.iter().zip(&test).map(|(a, b)| a + b).collect();
        assert_eq!(total, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        for (&test, &total) in test.iter().zip(&total) {
            let share = total as f64 * 360.0 / 1797.0;
            assert!((test as f64 - share).abs() < 1.0, "{test} of {total}");
        }
    }

    #[test]
    fn no_image_is_in_both_splits_or_lost() {
        let raw = load().unwrap();
        let bytes = |split: &RawSplit| match &split.pixels {
            Pixels::Bytes(bytes) => bytes.chunks(64).map(<[u8]>::to_vec).collect::<Vec<_>>(),
            Pixels::Reals(_) => panic!("digits are bytes"),
        };
        let mut images = [bytes(&raw.train), bytes(&raw.test)].concat();
        assert!(images.iter().flatten().all(|&v| v <= 16));
        images.sort_unstable();
        images.dedup();
        assert_eq!(images.len(), IMAGES, "all 1,797 images differ");
    }
}
