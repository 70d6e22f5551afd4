//! What a strip reads: rows with margins, or an image as it is stored.

use super::TILE;
use super::strip::Strip;
use crate::LANES;

/// What a strip reads.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Rows of pixels.
    pub values: &'a [f32],
    /// Where the rows start; see [`super::strip::strip`].
    pub rows: &'a [usize],
    /// Where rows have no margins: a row of zeros, which those at [`OUTSIDE`] are. `rows` are then
    /// the places of first pixels, and the width is a multiple of 4.
    pub zeros: Option<&'a [f32]>,
}

impl Input<'_> {
    pub(super) fn check(&self, strip: &Strip) {
        let tiles = strip.tiles;
        assert_eq!(
            self.rows.len(),
            tiles.input_rows(),
            "one place for each input row"
        );
        let pixels = match self.zeros {
            None => tiles.input_pixels(),
            Some(_) => tiles.width,
        };
        let reach = (pixels - 1) * strip.in_step + strip.in_channels * LANES;
        if let Some(zeros) = self.zeros {
            assert!(zeros.len() >= reach, "a row of zeros");
            assert!(tiles.width.is_multiple_of(TILE), "whole tiles");
        }
        for &row in self.rows {
            let outside = row == OUTSIDE && self.zeros.is_some();
            assert!(
                outside || row.saturating_add(reach) <= self.values.len(),
                "a row reaches past the input"
            );
        }
    }
}

/// The place of a row that lies outside of the image.
pub const OUTSIDE: usize = usize::MAX;
