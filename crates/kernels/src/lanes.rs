//! Sixteen images side by side: `(N, H, W, C)` to and from `(N / 16, H, W, C, 16)`.

/// Images in a group.
pub const LANES: usize = 16;

/// Puts up to sixteen samples of `len` numbers each, one after the other in `samples`, side by
/// side in `group` (`len × 16`). Lanes without a sample become 0. 8 bytes a number of the group.
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
/// the other. 8 bytes a number of the samples.
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

/// Zeroes the lanes from `live` on of a group, `(n, 16)`. 4 bytes a lane it clears.
pub fn clear_dead(group: &mut [f32], live: usize) {
    for lanes in group.chunks_exact_mut(LANES) {
        lanes[live.min(LANES)..].fill(0.0);
    }
}

#[cfg(test)]
mod tests;
