//! 3×3 convolutions of stride 1 and padding 1 by Winograd's minimal filtering (Lavin, Gray 2015).
//!
//! F(4×4, 3×3): a tile of 4×4 outputs is made from a patch of 6×6 inputs, transformed to 36 points
//! at each of which channels are mixed by a small matrix product. That is 36 multiplications a pair
//! of channels where a direct convolution has 144. The gradient with respect to the input is the
//! same with the kernel turned around; the one with respect to the weight, F(3×3, 4×4), multiplies
//! patches of inputs and tiles of gradients at the same points.
//!
//! Everything works on a strip: some rows of tiles of one group of sixteen images, whose
//! transformed numbers stay in the second-level cache. Input rows are given one by one, so that
//! they may lie in a ring; a row in the padding is a row of zeros. Images (or, for the weight
//! gradient's input, channels) lie in the lanes, so that transforms need no shuffles.
//!
//! Legend: `T` tiles in a strip, `i` and `o` channels in and out of a group, `p` one of 36 points.

pub mod input;
mod outputs;
pub mod pack;
pub mod strip;
#[cfg(test)]
mod tests;
mod transform;
pub mod weight;

use super::Conv2dShape;
use crate::LANES;

/// Rows and columns of a tile of outputs.
pub const TILE: usize = 4;
/// Rows and columns of the patch of inputs under it.
pub const PATCH: usize = 6;
/// Points at which channels are mixed.
pub const POINTS: usize = PATCH * PATCH;

/// Whether a convolution can be done so.
pub const fn fits(shape: &Conv2dShape) -> bool {
    shape.kernel == 3 && shape.stride == 1 && shape.padding == 1
}

/// Whether it is also faster than a direct convolution: the transforms cost as much as about 17
/// multiplications for each input and 7 for each output channel of a pixel, and tiles that reach
/// past the image are computed whole. A lone tile reads its weights, four times as many numbers as
/// the kernel has, for itself alone: that takes longer where no near cache holds them.
pub const fn pays(shape: &Conv2dShape) -> bool {
    let (i, o) = (shape.group_in(), shape.group_out());
    let tiles = shape.height.div_ceil(TILE) * shape.width.div_ceil(TILE);
    let direct = 9 * i * o * shape.height * shape.width;
    let pixel = i * o * POINTS / (TILE * TILE) + 34 * i + 14 * o;
    let lone = tiles == 1 && POINTS * i * o > SECOND_LEVEL;
    fits(shape) && !lone && pixel * TILE * TILE * tiles < direct
}

/// Floats that a second-level cache can be expected to hold.
const SECOND_LEVEL: usize = 1 << 18;

/// The tiles of a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles {
    /// Output pixels of a row.
    pub width: usize,
    /// Output rows of the strip.
    pub rows: usize,
}

impl Tiles {
    /// Tiles side by side.
    pub const fn across(self) -> usize {
        self.width.div_ceil(TILE)
    }

    /// Tiles one below the other.
    pub const fn down(self) -> usize {
        self.rows.div_ceil(TILE)
    }

    /// All tiles.
    pub const fn count(self) -> usize {
        self.across() * self.down()
    }

    /// Input rows that the strip reads: from one above its first to one below its last tile.
    pub const fn input_rows(self) -> usize {
        TILE * self.down() + 2
    }

    /// Pixels that must be readable in an input row: one left of the first, and up to the end of
    /// the last patch.
    pub const fn input_pixels(self) -> usize {
        TILE * self.across() + 2
    }

    /// Pixels that must be readable in a row of gradients.
    pub const fn gradient_pixels(self) -> usize {
        TILE * self.across()
    }
}

/// Floats of scratch that is enough for strips of `rows` rows: forward and both gradients.
pub const fn scratch_len(shape: &Conv2dShape, rows: usize) -> usize {
    let tiles = Tiles {
        width: shape.width,
        rows,
    };
    let (ins, outs) = (shape.group_in(), shape.group_out());
    let forward = strip::scratch_len(tiles, ins, outs);
    let backward = strip::scratch_len(tiles, outs, ins);
    let weight = weight::scratch_len(tiles, ins, outs);
    let most = if forward > backward {
        forward
    } else {
        backward
    };
    if weight > most { weight } else { most }
}

/// Floats from one point to the next: all channels of a tile, and a line more, so that points do
/// not fall on the same place of a cache.
const fn point_len(channels: usize) -> usize {
    (channels + 1) * LANES
}

/// Points of two rows, which are worked on together.
const PAIR_POINTS: usize = 2 * PATCH;

/// Floats from one tile to the next, of the points of two rows.
const fn pair_len(channels: usize) -> usize {
    PAIR_POINTS * point_len(channels)
}
