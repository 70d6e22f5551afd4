//! What is random inside a training step: dropout masks, and which blocks stochastic depth drops.
//!
//! Everything follows from (seed, step, stream, sample, place) by counter, see
//! [`reslab_kernels::noise`]: the same in the reference and the engine, for any number of threads.
//! A stream belongs to one layer or block of a network as it was built, and stays with it through
//! edits; a sample is its place in the batch; a place is the number's index within the sample's
//! activation, channels last.

use reslab_kernels::noise::Key;

/// Changes every stream if it changes.
const VERSION: u64 = u64::from_le_bytes(*b"noise\x00\x00\x01");

/// The key of one training step. Evaluation has no noise, and reads none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Noise {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the step.
    pub step: u64,
}

impl Noise {
    /// The key of a sample's mask in a stream.
    pub fn key(self, stream: u64, sample: usize) -> Key {
        let bits = self.bits(stream, sample as u64);
        Key([bits as u32, (bits >> 32) as u32])
    }

    /// Whether something that survives with this probability does so in this step.
    pub fn survives(self, stream: u64, probability: f64) -> bool {
        let uniform = (self.bits(stream, u64::MAX) >> 11) as f64 / (1_u64 << 53) as f64;
        uniform < probability
    }

    fn bits(self, stream: u64, index: u64) -> u64 {
        [self.seed, self.step, stream, index]
            .into_iter()
            .fold(VERSION, |key, word| mix(key ^ mix(word)))
    }
}

/// A step of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(word: u64) -> u64 {
    let mut x = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_is_splitmix64() {
        // The first outputs of SplitMix64 with seed 0, as published with xoshiro.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn every_part_of_the_key_matters() {
        let base = Noise { seed: 1, step: 2 };
        let keys = [
            base.key(3, 4),
            base.key(4, 3),
            base.key(3, 5),
            Noise { seed: 2, step: 1 }.key(3, 4),
            Noise { step: 3, ..base }.key(3, 4),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
        assert_eq!(base.key(3, 4), keys[0]);
    }

    #[test]
    fn survival_has_its_probability() {
        for probability in [0.0, 0.2, 0.8, 1.0] {
            let steps = 20_000;
            let survived = (0..steps)
                .filter(|&step| Noise { seed: 7, step }.survives(1, probability))
                .count();
            let share = survived as f64 / steps as f64;
            let error = (probability * (1.0 - probability) / steps as f64).sqrt();
            assert!(
                (share - probability).abs() <= 5.0 * error,
                "{probability}: {share}"
            );
        }
    }
}
