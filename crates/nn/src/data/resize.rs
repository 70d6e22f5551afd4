//! Smaller images by area average.
//!
//! Each new pixel is the mean of the rectangle of the old image that it covers, old pixels that
//! are covered in part counting by their covered share. Rows and columns are averaged one after
//! the other, in `f64`. Images are only ever made smaller: there is no honest way to make them
//! larger, so that is refused.

use super::DataError;

/// The old pixels that one new pixel covers along one axis, with weights that add up to 1.
struct Span {
    first: usize,
    weights: Vec<f64>,
}

/// Averages one channels-last image of bytes to `side` × `side`; the result is in the scale 0..1.
pub(crate) struct AreaAverage {
    rows: Vec<Span>,
    columns: Vec<Span>,
    width: usize,
    channels: usize,
    white: f64,
}

impl AreaAverage {
    /// Prepares for images of `height` × `width` × `channels` with bytes 0..`white`.
    pub fn new(height: usize, width: usize, channels: usize, side: usize, white: u8) -> Self {
        let (rows, columns) = (spans(height, side), spans(width, side));
        Self {
            rows,
            columns,
            width,
            channels,
            white: f64::from(white),
        }
    }

    /// Fills `output` (`side` × `side` × channels) from `image`.
    pub fn apply(&self, image: &[u8], output: &mut [f32]) {
        let row_len = self.width * self.channels;
        let mut averaged = vec![0.0_f64; row_len];
        let out_row = self.columns.len() * self.channels;
        for (span, out) in self.rows.iter().zip(output.chunks_exact_mut(out_row)) {
            averaged.fill(0.0);
            for (offset, weight) in span.weights.iter().enumerate() {
                let row = &image[(span.first + offset) * row_len..][..row_len];
                for (sum, &value) in averaged.iter_mut().zip(row) {
                    *sum += weight * f64::from(value);
                }
            }
            self.average_columns(&averaged, out);
        }
    }

    fn average_columns(&self, row: &[f64], out: &mut [f32]) {
        for (span, pixel) in self.columns.iter().zip(out.chunks_exact_mut(self.channels)) {
            for (channel, value) in pixel.iter_mut().enumerate() {
                let mut sum = 0.0;
                for (offset, weight) in span.weights.iter().enumerate() {
                    sum += weight * row[(span.first + offset) * self.channels + channel];
                }
                *value = (sum / self.white) as f32;
            }
        }
    }
}

fn spans(old: usize, new: usize) -> Vec<Span> {
    let ratio = old as f64 / new as f64;
    let span = |index: usize| {
        // Borders in exact integers where they can be: (index · old) / new.
        let first = index * old / new;
        let last = ((index + 1) * old).div_ceil(new);
        let (from, to) = (index as f64 * ratio, (index + 1) as f64 * ratio);
        let covered = |p: usize| (to.min((p + 1) as f64) - from.max(p as f64)).max(0.0) / ratio;
        Span {
            first,
            weights: (first..last).map(covered).collect(),
        }
    };
    (0..new).map(span).collect()
}

/// Refuses sizes that are none or would enlarge images of `height` × `width` (at `place`).
pub(crate) fn check_side(
    side: usize,
    height: usize,
    width: usize,
    place: &str,
) -> Result<(), DataError> {
    if side == 0 {
        return Err(DataError::setting("resize", "must be at least 1, found 0."));
    }
    if side > height || side > width {
        return Err(DataError::setting(
            "resize",
            format!(
                "{side} would enlarge {place} of {height}×{width}; images can only be made smaller."
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn average(image: &[u8], size: (usize, usize, usize), side: usize) -> Vec<f32> {
        let mut output = vec![0.0; side * side * size.2];
        AreaAverage::new(size.0, size.1, size.2, side, 255).apply(image, &mut output);
        output
    }

    #[test]
    fn halving_averages_two_by_two() {
        let image: Vec<u8> = (0..16).map(|v| v * 10).collect();
        let expected = [25.0, 45.0, 105.0, 125.0].map(|v: f32| v / 255.0);
        assert_eq!(average(&image, (4, 4, 1), 2), expected);
    }

    #[test]
    fn a_third_of_a_pixel_counts_a_third() {
        // Three columns to two: the middle one is shared.
        let image = [30, 60, 90, 30, 60, 90, 30, 60, 90];
        let output = average(&image, (3, 3, 1), 2);
        let expected = [40.0_f32 / 255.0, 80.0 / 255.0];
        for (found, expected) in output.iter().zip(expected.iter().cycle()) {
            assert!((found - expected).abs() < 1e-7);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_mean_of_each_channel_stays(
            height in 1_usize..12, width in 1_usize..12, channels in 1_usize..4, part in 0.0_f64..1.0,
            bytes in prop::collection::vec(any::<u8>(), 12 * 12 * 3),
        ) {
            let side = 1 + (part * (height.min(width) - 1) as f64).round() as usize;
            let image = &bytes[..height * width * channels];
            let output = average(image, (height, width, channels), side);
            for channel in 0..channels {
                let old: f64 = image.iter().skip(channel).step_by(channels).map(|&v| f64::from(v) / 255.0).sum();
                let new: f64 = output.iter().skip(channel).step_by(channels).map(|&v| f64::from(v)).sum();
                let (old, new) = (old / (height * width) as f64, new / (side * side) as f64);
                prop_assert!((old - new).abs() < 1e-6, "{} became {}", old, new);
            }
        }
    }
}
