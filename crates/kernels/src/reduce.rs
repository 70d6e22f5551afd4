//! Sums in a stated order.

/// Σ x² in f64: eight interleaved sums, added pairwise. The same bits on every machine. 2 FLOPs,
/// 4 bytes a number.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    let rest: f64 = rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    (((a + b) + (c + d)) + ((e + f) + (g + h))) + rest
}

/// Σ x² over the first `live` of each 16 lanes, in f64. Cost as [`sum_of_squares`].
pub fn sum_of_squares_of_lanes(values: &[f32], live: usize) -> f64 {
    if live >= crate::LANES {
        return sum_of_squares(values);
    }
    values
        .chunks(crate::LANES)
        .map(|lanes| sum_of_squares(&lanes[..live.min(lanes.len())]))
        .sum()
}

#[cfg(test)]
mod tests;
