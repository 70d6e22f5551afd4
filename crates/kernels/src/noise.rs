//! Random bits by counter: a number's mask is a function of (key, place), so that it can be found
//! again anywhere, in any order, and is never stored.
//!
//! The bits of a place are two rounds of a 32-bit mixer (Wellons' `lowbias32`), one for each half
//! of the key. 32 bits, because every instruction set multiplies those lane by lane.

use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// The key of one sample's stream of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Key(pub [u32; 2]);

/// A dropout: what is kept, and by how much it grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mask {
    /// Numbers whose bits are below this are zeroed.
    pub threshold: u32,
    /// What the others are multiplied by, `1 / (1 − rate)`.
    pub scale: f32,
}

impl Mask {
    /// The mask that zeroes a share `rate`, from 0 to below 1.
    pub fn of_rate(rate: f64) -> Self {
        // 2³² − 1 at most: the cast saturates.
        let threshold = (rate * 4_294_967_296.0).round() as u32;
        let scale = (1.0 / (1.0 - rate)) as f32;
        Self { threshold, scale }
    }

    /// Whether the number at a place is kept.
    pub fn keeps(&self, key: Key, place: u32) -> bool {
        bits(key, place) >= self.threshold
    }
}

/// The 32 bits of a place in a stream.
#[inline(always)]
pub fn bits(key: Key, place: u32) -> u32 {
    lowbias32(lowbias32(place ^ key.0[0]).wrapping_add(key.0[1]))
}

#[inline(always)]
fn lowbias32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Applies a mask in place to `(places, 16)` numbers; lane `i` has key `keys[i]`, and the first
/// place is `first`. Forward and backward are the same.
pub fn mask(isa: Isa, by: Mask, keys: &[Key; LANES], first: u32, values: &mut [f32]) {
    assert!(values.len().is_multiple_of(LANES), "whole vectors");
    dispatch!(isa, mask_all(by: Mask, keys: &[Key; LANES], first: u32, values: &mut [f32]));
}

// Plain arrays: compiled inside a function with the set's features, the loops become vectors.
#[inline(always)]
unsafe fn mask_all<V: Vector>(by: Mask, keys: &[Key; LANES], first: u32, values: &mut [f32]) {
    for (values, place) in values.chunks_exact_mut(LANES).zip(first..) {
        for (value, &key) in values.iter_mut().zip(keys) {
            let kept = bits(key, place) >= by.threshold;
            *value = if kept { *value * by.scale } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_their_golden_values() {
        // `lowbias32` of its author's page, applied twice by hand: lowbias32(0) = 0.
        assert_eq!(lowbias32(0), 0);
        assert_eq!(bits(Key([0, 0]), 0), 0);
        assert_eq!(bits(Key([5, 0]), 5), 0);
        assert_eq!(bits(Key([7, 9]), 3), lowbias32(lowbias32(4) + 9));
    }

    #[test]
    fn every_set_makes_the_scalar_mask() {
        let keys: [Key; LANES] = std::array::from_fn(|i| Key([i as u32 * 77, !(i as u32)]));
        let by = Mask::of_rate(0.3);
        for isa in Isa::available() {
            let mut values: Vec<f32> = (0..7 * LANES).map(|i| i as f32 + 1.0).collect();
            mask(*isa, by, &keys, u32::MAX - 10, &mut values);
            for (at, value) in values.iter().enumerate() {
                let (place, lane) = ((at / LANES) as u32, at % LANES);
                let kept = by.keeps(keys[lane], u32::MAX - 10 + place);
                let want = if kept {
                    (at as f32 + 1.0) * by.scale
                } else {
                    0.0
                };
                assert_eq!(*value, want, "{isa}");
            }
        }
    }

    #[test]
    fn the_share_kept_is_right_and_neighbours_are_independent() {
        for rate in [0.1, 0.5, 0.9] {
            let by = Mask::of_rate(rate);
            let kept = |key, place| by.keeps(Key([key, key ^ 0x55]), place);
            let (mut single, mut pairs, mut across) = (0, 0, 0);
            let (keys, places) = (200, 1000);
            for key in 0..keys {
                for place in 0..places {
                    single += u32::from(kept(key, place));
                    pairs += u32::from(kept(key, place) && kept(key, place + 1));
                    across += u32::from(kept(key, place) && kept(key + 1, place));
                }
            }
            let count = f64::from(keys * places);
            let keep = 1.0 - rate;
            // Five standard errors, neighbouring pairs counted as half as many.
            let near = |found: u32, p: f64| {
                let error = (f64::from(found) / count - p).abs();
                error < 5.0 * (2.0 * p * (1.0 - p) / count).sqrt()
            };
            assert!(near(single, keep), "{rate}: {single}");
            assert!(near(pairs, keep * keep), "{rate}: {pairs}");
            assert!(near(across, keep * keep), "{rate}: {across}");
        }
    }
}
