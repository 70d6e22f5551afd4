//! Random crop and flip of training images (He et al. 2015, §4.2), on normalised inputs.
//!
//! The image is padded with `crop_padding` zeros on each side (zero is the mean colour once inputs
//! are normalised), a window of the original size is cut at a random place, and every second
//! image, on average, is mirrored. What is drawn depends on (seed, epoch, index of the sample)
//! alone: never on the batch, its order or the threads.

use super::AugmentSettings;
use crate::network::Shape;
use crate::random::{Purpose, below, stream};
use rand::Rng;

/// What happens to one sample in one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// First row of the window in the padded image.
    row: usize,
    /// First column of the window in the padded image.
    column: usize,
    /// Zeros on each side.
    padding: usize,
    /// Whether it is mirrored.
    flip: bool,
}

impl Change {
    /// Draws the change of sample `index` in `epoch`.
    pub fn draw(settings: &AugmentSettings, seed: u64, epoch: usize, index: u32) -> Self {
        let mut rng = stream(seed, Purpose::Augment, epoch as u64, u64::from(index));
        let places = settings.crop_padding.saturating_mul(2).saturating_add(1);
        let (row, column) = (below(&mut rng, places), below(&mut rng, places));
        let flip = settings.flip && rng.next_u64() & 1 == 1;
        Self {
            row,
            column,
            padding: settings.crop_padding,
            flip,
        }
    }

    /// Writes the changed `image` to `output`, both `(H, W, C)`.
    pub fn apply(self, image: &[f32], shape: Shape, output: &mut [f32]) {
        let row_len = shape.width * shape.channels;
        for (row, out) in output.chunks_exact_mut(row_len).enumerate() {
            match row
                .saturating_add(self.row)
                .checked_sub(self.padding)
                .filter(|r| *r < shape.height)
            {
                Some(source) => self.apply_row(&image[source * row_len..][..row_len], shape, out),
                None => out.fill(0.0),
            }
        }
    }

    fn apply_row(self, row: &[f32], shape: Shape, out: &mut [f32]) {
        let channels = shape.channels;
        for (column, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let column = if self.flip {
                shape.width - 1 - column
            } else {
                column
            };
            match column
                .saturating_add(self.column)
                .checked_sub(self.padding)
                .filter(|c| *c < shape.width)
            {
                Some(source) => pixel.copy_from_slice(&row[source * channels..][..channels]),
                None => pixel.fill(0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape::new(2, 3, 4);

    fn image() -> Vec<f32> {
        (1..=24).map(|v| v as f32).collect()
    }

    fn changed(change: Change) -> Vec<f32> {
        let mut output = vec![f32::NAN; 24];
        change.apply(&image(), SHAPE, &mut output);
        output
    }

    #[test]
    fn the_middle_window_is_the_image_itself() {
        assert_eq!(
            changed(Change {
                row: 2,
                column: 2,
                padding: 2,
                flip: false
            }),
            image()
        );
    }

    #[test]
    fn a_flip_mirrors_columns_and_keeps_channels() {
        let output = changed(Change {
            row: 0,
            column: 0,
            padding: 0,
            flip: true,
        });
        assert_eq!(output[..8], [7.0, 8.0, 5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
    }

    #[test]
    fn a_window_at_the_corner_brings_zeros_in() {
        let output = changed(Change {
            row: 0,
            column: 0,
            padding: 1,
            flip: false,
        });
        assert_eq!(output[..8], [0.0; 8]);
        assert_eq!(output[8..16], [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn every_place_and_both_sides_come_up_equally_often() {
        let settings = AugmentSettings {
            crop_padding: 1,
            flip: true,
        };
        let mut counts = std::collections::HashMap::new();
        for index in 0..18_000 {
            let change = Change::draw(&settings, 5, 3, index);
            *counts
                .entry((change.row, change.column, change.flip))
                .or_insert(0_usize) += 1;
        }
        assert_eq!(counts.len(), 18);
        assert!(
            counts.values().all(|c| c.abs_diff(1000) < 160),
            "{counts:?}"
        );
    }
}
