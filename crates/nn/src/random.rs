//! Random numbers that depend on what they are for, never on who draws them or when.
//!
//! Every consumer opens its own stream, keyed by (seed, purpose, epoch, index). ChaCha8 is counter
//! based: its 256-bit key holds seed, purpose, epoch and a version tag, 64 bits each, and its
//! 64-bit stream number (nonce) is the index. Two different keys can therefore never share a
//! stretch of numbers, whatever the number of threads or the order of work.
//!
//! The same bits on every platform: integers come from ChaCha8, uniforms are exact multiples of
//! 2⁻⁵³, and [`normal`] is Marsaglia's polar method on `sqrt` (exact by IEEE 754) and on the `log`
//! of the pure-Rust crate `libm`, instead of the platform's mathematical library (which is what
//! the ziggurat of `rand_distr` calls in its tail).

use rand::{Rng, SeedableRng};
pub use rand_chacha::ChaCha8Rng;

/// Changes every stream if it changes: bump it only with the format of results.
const VERSION: u64 = u64::from_le_bytes(*b"reslab\x00\x01");

/// What numbers are drawn for. The value is part of the key, so entries are never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; the index is that of the tensor.
    Init = 1,
    /// Order of the training samples in an epoch.
    Order = 2,
    /// Crop and flip of one sample; the index is that of the sample.
    Augment = 3,
    /// Which samples a limit keeps.
    Subset = 4,
    /// Samples of the synthetic data sets.
    Synthetic = 5,
    /// Points of a random sweep.
    Sweep = 6,
    /// Directions of a landscape, probing vectors, and other choices of an instrument.
    Probe = 7,
    /// Anything a test draws.
    Test = 8,
    /// Blocks that a training step trains; the index is the step.
    Blocks = 9,
}

/// Opens the stream of (seed, purpose, epoch, index).
pub fn stream(seed: u64, purpose: Purpose, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    for (bytes, word) in key
        .chunks_exact_mut(8)
        .zip([seed, purpose as u64, epoch, VERSION])
    {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    rng
}

/// Uniform in [0, 1), one of the 2⁵³ multiples of 2⁻⁵³.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Uniform among 0, 1, …, n − 1, every value exactly as likely (Lemire 2019, with rejection).
/// For `n` of 0 or 1 the answer is 0.
pub fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    let n = n as u64;
    if n <= 1 {
        return 0;
    }
    let rejected = n.wrapping_neg() % n;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= rejected {
            return (product >> 64) as usize;
        }
    }
}

/// One draw of the standard normal distribution (Marsaglia's polar method).
pub fn normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let u = 2.0 * uniform(rng) - 1.0;
        let v = 2.0 * uniform(rng) - 1.0;
        let s = u * u + v * v;
        if s > 0.0 && s < 1.0 {
            return u * (-2.0 * libm::log(s) / s).sqrt();
        }
    }
}

/// Puts `items` in a uniformly random order (Fisher–Yates).
pub fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with an independent ChaCha8 from the definition in the file's header.
    #[test]
    fn streams_have_their_golden_values() {
        let mut rng = stream(1, Purpose::Init, 2, 3);
        let words: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            words,
            [
                1_231_963_044_131_709_749,
                16_009_822_740_425_015_353,
                11_169_552_352_236_220_353
            ]
        );
        let mut rng = stream(42, Purpose::Order, 0, 0);
        let below: Vec<usize> = (0..8).map(|_| below(&mut rng, 10)).collect();
        assert_eq!(below, [6, 7, 5, 9, 2, 0, 7, 4]);
        let mut rng = stream(42, Purpose::Synthetic, 0, 7);
        let normals: Vec<u64> = (0..3).map(|_| normal(&mut rng).to_bits()).collect();
        assert_eq!(
            normals,
            [
                0x3fdd_0deb_0dcb_e630,
                0xbfc0_4a2c_d8b9_7513,
                0x3ff7_d06b_73b6_de40
            ]
        );
        let mut order: Vec<u32> = (0..8).collect();
        shuffle(&mut stream(7, Purpose::Order, 1, 0), &mut order);
        assert_eq!(order, [0, 6, 4, 7, 5, 2, 1, 3]);
    }

    #[test]
    fn every_part_of_the_key_changes_the_stream() {
        let first = |s, p, e, i| stream(s, p, e, i).next_u64();
        let base = first(1, Purpose::Init, 1, 1);
        assert_eq!(base, first(1, Purpose::Init, 1, 1));
        for other in [
            first(2, Purpose::Init, 1, 1),
            first(1, Purpose::Order, 1, 1),
            first(1, Purpose::Init, 2, 1),
            first(1, Purpose::Init, 1, 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn normal_has_the_moments_of_a_standard_normal() {
        let mut rng = stream(0, Purpose::Test, 0, 0);
        let draws: Vec<f64> = (0..200_000).map(|_| normal(&mut rng)).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / draws.len() as f64;
        // Five standard errors each.
        assert!(moment(1).abs() < 0.0112, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.0158, "variance {}", moment(2));
        assert!(moment(3).abs() < 0.0434, "third moment {}", moment(3));
        assert!(
            (moment(4) - 3.0).abs() < 0.11,
            "fourth moment {}",
            moment(4)
        );
    }

    #[test]
    fn below_is_even_and_stays_below() {
        let mut rng = stream(0, Purpose::Test, 0, 1);
        let mut counts = [0_usize; 6];
        for _ in 0..60_000 {
            counts[below(&mut rng, 6)] += 1;
        }
        assert!(
            counts.iter().all(|c| c.abs_diff(10_000) < 460),
            "{counts:?}"
        );
        assert_eq!((below(&mut rng, 0), below(&mut rng, 1)), (0, 0));
    }

    #[test]
    fn uniform_stays_in_the_half_open_interval() {
        let mut rng = stream(0, Purpose::Test, 0, 2);
        let draws: Vec<f64> = (0..100_000).map(|_| uniform(&mut rng)).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.0046, "mean {mean}");
    }

    #[test]
    fn shuffle_reaches_every_order_equally() {
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..12_000 {
            let mut items = [0, 1, 2];
            shuffle(&mut stream(3, Purpose::Test, 0, index), &mut items);
            *counts.entry(items).or_insert(0_usize) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|c| c.abs_diff(2_000) < 205),
            "{counts:?}"
        );
    }
}
