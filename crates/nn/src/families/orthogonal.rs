//! Random matrices with orthonormal rows or columns (Saxe, McClelland, Ganguli 2014).

use crate::random::{ChaCha8Rng, normal};

/// A `rows × columns` matrix, row by row: orthonormal rows, or columns where these are fewer, in a
/// uniformly random direction (Haar measure).
///
/// Gram–Schmidt on normal vectors, each freed twice of what lies along the earlier ones: after the
/// second time they are orthogonal to rounding.
pub(super) fn orthogonal(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| normal(rng)).collect();
        for _ in 0..2 {
            for earlier in &vectors {
                let along = dot(earlier, &vector);
                for (v, e) in vector.iter_mut().zip(earlier) {
                    *v -= along * e;
                }
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
        vectors.push(vector);
    }
    if rows <= columns {
        return vectors.concat();
    }
    let entry = |row: usize| vectors.iter().map(move |vector| vector[row]);
    (0..rows).flat_map(entry).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn the_shorter_side_is_orthonormal() {
        for (rows, columns) in [(1, 1), (5, 5), (3, 8), (8, 3)] {
            let mut rng = stream(0, Purpose::Test, 7, 0);
            let m = orthogonal(rows, columns, &mut rng);
            let (count, wide) = (rows.min(columns), rows <= columns);
            let entry = |vector: usize, at: usize| {
                if wide {
                    m[vector * columns + at]
                } else {
                    m[at * columns + vector]
                }
            };
            for i in 0..count {
                for j in 0..count {
                    let product: f64 = (0..rows.max(columns))
                        .map(|at| entry(i, at) * entry(j, at))
                        .sum();
                    let expected = f64::from(u8::from(i == j));
                    assert!((product - expected).abs() < 1e-14, "{rows}×{columns}");
                }
            }
        }
    }

    /// Haar measure has no direction: over draws of 2 × 2 the first entry is cos of a uniform angle.
    #[test]
    fn directions_are_uniform() {
        let mut rng = stream(0, Purpose::Test, 7, 1);
        let draws: Vec<f64> = (0..4000).map(|_| orthogonal(2, 2, &mut rng)[0]).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / 4000.0;
        // Mean 0, mean square 1/2, fourth 3/8; five standard errors.
        assert!(moment(1).abs() < 0.056);
        assert!((moment(2) - 0.5).abs() < 0.028);
        assert!((moment(4) - 0.375).abs() < 0.029);
    }
}
