//! Mean and standard deviation of each channel, and freeing inputs of them: `(x − μ_c) / σ_c`.
//!
//! `x` is in the scale 0..1 (a pixel's byte over 255, or over 16 for the digits). Computed
//! statistics are those of the training samples in use, after limits and resizing; σ is the
//! population's (divided by n). A channel that never varies is only centred.

use rayon::prelude::*;

use super::raw::{Pixels, RawSplit};
use super::{DataError, Normalization, Normalize};

/// The constants that most ImageNet code uses (and akamaster's CIFAR networks).
const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// Mean and deviation of CIFAR-10's 50,000 training images, to four digits.
const CIFAR10: ([f64; 3], [f64; 3]) = ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]);

/// Samples in a piece of work: never depends on the number of threads.
const PIECE: usize = 512;

/// Refuses constants that do not fit `channels`, before any data are read.
pub(crate) fn check(normalize: &Normalize, channels: usize) -> Result<(), DataError> {
    match normalize {
        Normalize::Computed | Normalize::None => Ok(()),
        Normalize::Imagenet => three_channels("imagenet", channels),
        Normalize::Cifar10 => three_channels("cifar10", channels),
        Normalize::Given(given) => {
            for (key, values) in [
                ("normalize.mean", &given.mean),
                ("normalize.std", &given.std),
            ] {
                if values.len() != channels {
                    let message = format!(
                        "has {} numbers, but the data have {channels} channels.",
                        values.len()
                    );
                    return Err(DataError::setting(key, message));
                }
            }
            if let Some(bad) = given.mean.iter().find(|mean| !mean.is_finite()) {
                return Err(DataError::setting(
                    "normalize.mean",
                    format!("{bad} is not finite."),
                ));
            }
            match given
                .std
                .iter()
                .find(|std| !(std.is_finite() && **std > 0.0))
            {
                Some(bad) => Err(DataError::setting(
                    "normalize.std",
                    format!("must be above zero, found {bad}."),
                )),
                None => Ok(()),
            }
        }
    }
}

fn three_channels(name: &str, channels: usize) -> Result<(), DataError> {
    if channels == 3 {
        return Ok(());
    }
    let message = format!("{name} is for 3 channels, but the data have {channels}.");
    Err(DataError::setting("normalize", message))
}

/// The statistics that `normalize` stands for. `train` is what "computed" computes on.
pub(crate) fn statistics(
    normalize: &Normalize,
    train: &RawSplit,
    channels: usize,
    white: u8,
) -> Result<Normalization, DataError> {
    check(normalize, channels)?;
    let fixed = |(mean, std): ([f64; 3], [f64; 3]), origin: &str| Normalization {
        mean: mean.to_vec(),
        std: std.to_vec(),
        origin: origin.to_owned(),
    };
    Ok(match normalize {
        Normalize::Imagenet => fixed(IMAGENET, "imagenet"),
        Normalize::Cifar10 => fixed(CIFAR10, "cifar10"),
        Normalize::None => Normalization {
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
            origin: "none".to_owned(),
        },
        Normalize::Given(given) => Normalization {
            mean: given.mean.clone(),
            std: given.std.clone(),
            origin: "given".to_owned(),
        },
        Normalize::Computed => {
            let moments = match &train.pixels {
                Pixels::Bytes(values) => byte_moments(values, channels, white),
                Pixels::Reals(values) => real_moments(values, channels),
            };
            let (mean, std) = moments.into_iter().unzip();
            let origin = format!("computed from the {} training samples", train.len);
            Normalization { mean, std, origin }
        }
    })
}

/// Mean and deviation of each channel, from exact integer sums.
fn byte_moments(values: &[u8], channels: usize, white: u8) -> Vec<(f64, f64)> {
    let piece_sums = |piece: &[u8]| {
        let mut sums = vec![(0_u64, 0_u64); channels];
        for pixel in piece.chunks_exact(channels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                sum.0 += u64::from(value);
                sum.1 += u64::from(value) * u64::from(value);
            }
        }
        sums
    };
    let add = |mut left: Vec<(u64, u64)>, right: Vec<(u64, u64)>| {
        for (l, r) in left.iter_mut().zip(right) {
            *l = (l.0 + r.0, l.1 + r.1);
        }
        left
    };
    let sums = values
        .par_chunks(PIECE * 1024 * channels)
        .map(piece_sums)
        .reduce(|| vec![(0, 0); channels], add);
    let count = (values.len() / channels) as f64;
    let white = f64::from(white);
    let moments = |(sum, squares): (u64, u64)| {
        let mean = sum as f64 / count;
        let variance = (squares as f64 / count - mean * mean).max(0.0);
        (mean / white, positive(variance.sqrt() / white))
    };
    sums.into_iter().map(moments).collect()
}

/// Mean and deviation of each channel in two passes, always in the same order.
fn real_moments(values: &[f32], channels: usize) -> Vec<(f64, f64)> {
    let count = (values.len() / channels) as f64;
    let mut mean = vec![0.0_f64; channels];
    for pixel in values.chunks_exact(channels) {
        mean.iter_mut()
            .zip(pixel)
            .for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= count);
    let mut squares = vec![0.0_f64; channels];
    for pixel in values.chunks_exact(channels) {
        for ((sum, mean), &value) in squares.iter_mut().zip(&mean).zip(pixel) {
            *sum += (f64::from(value) - mean).powi(2);
        }
    }
    let std = squares
        .into_iter()
        .map(|sum| positive((sum / count).sqrt()));
    mean.iter().copied().zip(std).collect()
}

/// A channel that never varies (up to rounding) is not divided by anything.
fn positive(std: f64) -> f64 {
    if std > 1e-12 { std } else { 1.0 }
}

/// Normalised inputs, `(N, H, W, C)`.
pub(crate) fn apply(
    pixels: Pixels,
    channels: usize,
    white: u8,
    normalization: &Normalization,
) -> Vec<f32> {
    let constants = || normalization.mean.iter().zip(&normalization.std);
    match pixels {
        Pixels::Bytes(bytes) => {
            let row = |byte: u8| {
                let x = f64::from(byte) / f64::from(white);
                constants().map(move |(mean, std)| ((x - mean) / std) as f32)
            };
            let table: Vec<f32> = (0..=255).flat_map(row).collect();
            let mut output = vec![0.0; bytes.len()];
            let piece = PIECE * 64 * channels;
            let look_up = |(output, bytes): (&mut [f32], &[u8])| {
                let pixels = bytes.chunks_exact(channels);
                for (out, pixel) in output.chunks_exact_mut(channels).zip(pixels) {
                    for (channel, (value, &byte)) in out.iter_mut().zip(pixel).enumerate() {
                        *value = table[usize::from(byte) * channels + channel];
                    }
                }
            };
            output
                .par_chunks_mut(piece)
                .zip(bytes.par_chunks(piece))
                .for_each(look_up);
            output
        }
        Pixels::Reals(mut values) => {
            for pixel in values.chunks_exact_mut(channels) {
                for (value, (mean, std)) in pixel.iter_mut().zip(constants()) {
                    *value = ((f64::from(*value) - mean) / std) as f32;
                }
            }
            values
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ChannelStatistics, Targets};

    fn split(pixels: Pixels, len: usize) -> RawSplit {
        RawSplit {
            pixels,
            targets: Targets::Classes(vec![0; len]),
            len,
        }
    }

    #[test]
    fn computed_statistics_leave_mean_zero_and_deviation_one() {
        let bytes: Vec<u8> = (0..3000_u32).map(|i| (i * i % 251) as u8).collect();
        let reals: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
        for pixels in [Pixels::Bytes(bytes), Pixels::Reals(reals)] {
            let train = split(pixels, 10);
            let found = statistics(&Normalize::Computed, &train, 3, 255).unwrap();
            let output = apply(train.pixels, 3, 255, &found);
            for (mean, std) in real_moments(&output, 3) {
                assert!(
                    mean.abs() < 1e-6 && (std - 1.0).abs() < 1e-6,
                    "{mean} {std}"
                );
            }
        }
    }

    #[test]
    fn a_constant_channel_is_only_centred() {
        let train = split(Pixels::Bytes(vec![7, 0, 7, 255]), 2);
        let found = statistics(&Normalize::Computed, &train, 2, 255).unwrap();
        assert_eq!(found.std, [1.0, 0.5]);
        assert_eq!(apply(train.pixels, 2, 255, &found), [0.0, -1.0, 0.0, 1.0]);
    }

    #[test]
    fn constants_that_do_not_fit_are_refused() {
        let given = |mean: &[f64], std: &[f64]| {
            Normalize::Given(ChannelStatistics {
                mean: mean.to_vec(),
                std: std.to_vec(),
            })
        };
        assert!(check(&given(&[0.5], &[0.5]), 1).is_ok());
        for (normalize, key) in [
            (given(&[0.5; 3], &[0.5]), "data.normalize.mean"),
            (given(&[0.5], &[0.5; 2]), "data.normalize.std"),
            (given(&[0.5], &[0.0]), "data.normalize.std"),
            (given(&[f64::NAN], &[1.0]), "data.normalize.mean"),
            (Normalize::Imagenet, "data.normalize"),
            (Normalize::Cifar10, "data.normalize"),
        ] {
            let message = check(&normalize, 1).unwrap_err().to_string();
            assert!(message.starts_with(key), "{message}");
        }
    }
}
