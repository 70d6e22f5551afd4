//! One number for the data a run really saw.
//!
//! SHA-256 over: a version tag; shape, outputs and class names; mean and standard deviation as
//! `f64` bits; then for each split its length and, for every piece of 1,024 samples, the SHA-256 of
//! their inputs *before* normalisation (bytes, or little-endian `f32` once resized) followed by
//! their targets. So it depends on the content used (after limits and resizing, and how it is
//! normalised) and on nothing else: no path, no file format, no number of threads.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::raw::{Pixels, Raw, RawSplit};
use super::{Normalization, Targets};

/// Samples in a piece.
const PIECE: usize = 1024;

/// The checksum of a data set, 64 hexadecimal digits.
pub(crate) fn of(raw: &Raw, normalization: &Normalization) -> String {
    let mut sha = Sha256::new();
    sha.update(b"reslab data 1\n");
    for number in [
        raw.shape.channels,
        raw.shape.height,
        raw.shape.width,
        raw.outputs,
    ] {
        sha.update((number as u64).to_le_bytes());
    }
    sha.update([raw.white]);
    for name in &raw.class_names {
        sha.update((name.len() as u64).to_le_bytes());
        sha.update(name);
    }
    for value in normalization.mean.iter().chain(&normalization.std) {
        sha.update(value.to_bits().to_le_bytes());
    }
    for split in [&raw.train, &raw.test] {
        sha.update((split.len as u64).to_le_bytes());
        let pieces: Vec<[u8; 32]> = (0..split.len.div_ceil(PIECE))
            .into_par_iter()
            .map(|piece| digest_piece(split, piece, raw.shape.len()))
            .collect();
        pieces.iter().for_each(|digest| sha.update(digest));
    }
    hex(&sha.finalize())
}

fn digest_piece(split: &RawSplit, piece: usize, sample: usize) -> [u8; 32] {
    let samples = piece * PIECE..((piece + 1) * PIECE).min(split.len);
    let of = |size: usize| samples.start * size..samples.end * size;
    let mut sha = Sha256::new();
    match &split.pixels {
        Pixels::Bytes(values) => sha.update(&values[of(sample)]),
        Pixels::Reals(values) => update_reals(&mut sha, &values[of(sample)]),
    }
    match &split.targets {
        Targets::Classes(labels) => {
            labels[of(1)]
                .iter()
                .for_each(|label| sha.update(label.to_le_bytes()));
        }
        Targets::Values { dimensions, values } => update_reals(&mut sha, &values[of(*dimensions)]),
    }
    sha.finalize().into()
}

fn update_reals(sha: &mut Sha256, values: &[f32]) {
    let mut bytes = Vec::with_capacity(4096);
    for part in values.chunks(1024) {
        bytes.clear();
        part.iter()
            .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        sha.update(&bytes);
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// SHA-256 of some bytes, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of all that a reader gives, in hexadecimal digits.
pub(crate) fn sha256_of(mut reader: impl std::io::Read) -> std::io::Result<String> {
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex(&sha.finalize())),
            Ok(count) => sha.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
