//! Sixteen images side by side: `(N, H, W, C)` to and from `(N / 16, H, W, C, 16)`.

/// Images in a group.
pub const LANES: usize = 16;

/// Puts up to sixteen samples of `len` numbers each, one after the other in `samples`, side by
/// side in `group` (`len × 16`). Lanes without a sample become 0.
pub fn gather(samples: &[f32], len: usize, group: &mut [f32]) {
    assert!(
        len > 0 && samples.len().is_multiple_of(len),
        "samples of {len} numbers"
    );
    assert_eq!(group.len(), len * LANES, "a group of {len} × 16");
    let count = samples.len() / len;
    assert!(count <= LANES, "at most 16 samples in a group");
    for (at, lanes) in group.chunks_exact_mut(LANES).enumerate() {
        for (lane, to) in lanes.iter_mut().enumerate() {
            *to = if lane < count {
                samples[lane * len + at]
            } else {
                0.0
            };
        }
    }
}

/// The inverse of [`gather`]: writes the first `samples.len() / len` lanes of a group one after
/// the other.
pub fn scatter(group: &[f32], len: usize, samples: &mut [f32]) {
    assert!(
        len > 0 && samples.len().is_multiple_of(len),
        "samples of {len} numbers"
    );
    assert_eq!(group.len(), len * LANES, "a group of {len} × 16");
    assert!(
        samples.len() / len <= LANES,
        "at most 16 samples in a group"
    );
    for (lane, sample) in samples.chunks_exact_mut(len).enumerate() {
        for (at, to) in sample.iter_mut().enumerate() {
            *to = group[at * LANES + lane];
        }
    }
}

/// Zeroes the lanes from `live` on.
pub fn clear_dead(group: &mut [f32], live: usize) {
    for lanes in group.chunks_exact_mut(LANES) {
        lanes[live.min(LANES)..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_from_their_lanes_and_other_lanes_are_zero() {
        let samples: Vec<f32> = (0..5 * 7).map(|i| i as f32 + 1.0).collect();
        let mut group = vec![9.0; 7 * LANES];
        gather(&samples, 7, &mut group);
        assert_eq!(group[2 * LANES + 3], samples[3 * 7 + 2]);
        assert!(
            group
                .chunks(LANES)
                .all(|lanes| lanes[5..].iter().all(|&x| x == 0.0))
        );
        let mut back = vec![0.0; samples.len()];
        scatter(&group, 7, &mut back);
        assert_eq!(back, samples);
    }
}
