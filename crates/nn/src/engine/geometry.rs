//! Which rows of a convolution meet: rings of padded rows, taps and pairs.
//!
//! A convolution keeps only the rows it needs, in a ring: row `y` lies at `y mod rows`. Rows in the
//! padding are never stored; their taps are left out, or, where tiles want them, are the one row of
//! zeros that a tiled ring ends with.

use reslab_kernels::LANES;
use reslab_kernels::conv2d::backward_weight::{
    BLOCK_CHANNELS, BLOCK_PIXEL, Pair, Strip, reads_transposed,
};
use reslab_kernels::conv2d::row::Row;
use reslab_kernels::conv2d::winograd::{PATCH, TILE, Tiles};
use reslab_kernels::conv2d::{Conv2dShape, Tap};

use super::ir::Conv;

/// Pixels in a strip of the weight gradient: its inputs and gradients stay in the nearest cache.
const STRIP_PIXELS: usize = 64;

/// A ring of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ring {
    /// Rows it holds.
    pub rows: usize,
    /// Floats before the first pixel of a row (of a block of it).
    pub margin: usize,
    /// Floats of a row, both margins included.
    pub row_len: usize,
    /// Blocks of channels of a row, each with margins of its own: 1, unless it is transposed.
    pub blocks: usize,
    /// Whether a row of zeros follows.
    pub zero_row: bool,
}

impl Ring {
    /// Floats of the ring.
    pub const fn len(&self) -> usize {
        (self.rows + self.zero_row as usize) * self.row_len
    }

    /// Where a row lies, margins included.
    pub const fn row(&self, y: usize) -> usize {
        y % self.rows * self.row_len
    }

    /// Where row `y` of an image of `height` rows lies, or the row of zeros for one in the padding
    /// (`None`, or past the image).
    pub fn row_or_zeros(&self, y: Option<usize>, height: usize) -> usize {
        match y.filter(|&y| y < height) {
            Some(y) => self.row(y),
            None => self.rows * self.row_len,
        }
    }

    /// Floats of a block of a row.
    pub const fn block(&self) -> usize {
        self.row_len / self.blocks
    }

    /// Zeroes the margins of all rows (`pixels` floats of a row between them stay) and the row of
    /// zeros.
    pub fn clear_margins(&self, ring: &mut [f32], pixels: usize) {
        let (rows, zeros) = ring[..self.len()].split_at_mut(self.rows * self.row_len);
        for block in rows.chunks_exact_mut(self.block()) {
            block[..self.margin].fill(0.0);
            block[self.margin + pixels / self.blocks..].fill(0.0);
        }
        zeros.fill(0.0);
    }
}

/// A convolution of rows: of one group of images or, where all sides are 1, of several at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub shape: Conv2dShape,
    /// Pixels of an output row.
    pub out_width: usize,
    /// Floats of an input pixel, and of an output pixel.
    pub pixel: usize,
    pub out_pixel: usize,
    /// Whether it is done by tiles.
    pub tiled: bool,
    /// Whether rings hold all rows, of each group of images one ring.
    pub whole: bool,
}

impl Geometry {
    /// Of a convolution. `images` is the number of groups that lie side by side in a row: 1, unless
    /// flat.
    pub(super) fn new(conv: &Conv, images: usize) -> Self {
        Self {
            whole: conv.whole,
            ..Self::of_shape(&conv.shape, if conv.flat { images } else { 1 }, conv.tiled)
        }
    }

    /// Of a shape, done by tiles or not.
    pub fn of_shape(shape: &Conv2dShape, images: usize, tiled: bool) -> Self {
        let out_width = shape.out_width() * images;
        let shape = Conv2dShape {
            width: shape.width * images,
            ..*shape
        };
        let (pixel, out_pixel) = (shape.in_channels * LANES, shape.out_channels * LANES);
        Self {
            shape,
            out_width,
            pixel,
            out_pixel,
            tiled,
            whole: false,
        }
    }

    /// Output rows of a strip.
    pub fn strip_rows(&self) -> usize {
        if self.tiled {
            return TILE;
        }
        if self.whole {
            return self.shape.out_height();
        }
        (STRIP_PIXELS / self.out_width).clamp(1, self.shape.out_height())
    }

    /// The padded input rows under `out_rows` rows of the output.
    pub fn input_ring(&self, out_rows: usize) -> Ring {
        if self.tiled {
            return self.tiled_ring(self.pixel);
        }
        Ring {
            rows: match self.whole {
                true => self.shape.height,
                false => (out_rows - 1) * self.shape.stride + self.shape.kernel,
            },
            margin: self.shape.padding * self.pixel,
            row_len: (self.shape.width + 2 * self.shape.padding) * self.pixel,
            blocks: 1,
            zero_row: false,
        }
    }

    /// The same as the weight gradient reads them: transposed, where that is done.
    pub fn weight_ring(&self, out_rows: usize) -> Ring {
        let ring = self.input_ring(out_rows);
        if !self.transposed() {
            return ring;
        }
        let blocks = self.shape.in_channels / BLOCK_CHANNELS;
        Ring {
            margin: ring.margin / blocks,
            blocks,
            ..ring
        }
    }

    /// Where the channels of a group begin in a row of that ring.
    pub fn weight_group(&self, ring: Ring, group: usize) -> usize {
        let first = group * self.shape.group_in();
        match self.transposed() {
            true => first / BLOCK_CHANNELS * ring.block(),
            false => first * LANES,
        }
    }

    /// The rows under one row of tiles, for pixels of that many floats.
    fn tiled_ring(&self, pixel: usize) -> Ring {
        Ring {
            rows: PATCH,
            margin: pixel,
            row_len: self.tiles(TILE).input_pixels() * pixel,
            blocks: 1,
            zero_row: true,
        }
    }

    /// Where the input rows of a strip lie in a ring, from the one above row `first` on.
    pub fn strip_inputs(&self, ring: Ring, first: usize) -> [usize; PATCH] {
        std::array::from_fn(|i| ring.row_or_zeros((first + i).checked_sub(1), self.shape.height))
    }

    /// Where the rows of gradients of a strip lie in a ring: their first pixels.
    pub fn strip_gradients(&self, ring: Ring, first: usize) -> [usize; TILE] {
        std::array::from_fn(|i| ring.row_or_zeros(Some(first + i), self.shape.height) + ring.margin)
    }

    /// The tiles of a strip of some rows.
    pub fn tiles(&self, rows: usize) -> Tiles {
        Tiles {
            width: self.out_width,
            rows,
        }
    }

    /// The rows of the output's gradient over a strip and what the input's gradient reaches back.
    pub fn gradient_ring(&self) -> Ring {
        if self.tiled {
            return self.tiled_ring(self.out_pixel);
        }
        let (left, right) = self.shape.gradient_margins();
        Ring {
            rows: self.strip_rows() + self.shape.kernel,
            margin: left * self.out_pixel,
            row_len: (left + self.out_width + right) * self.out_pixel,
            blocks: 1,
            zero_row: false,
        }
    }

    /// Input rows that must be there before output row `y` can be computed.
    pub fn rows_needed(&self, y: usize) -> usize {
        let s = &self.shape;
        (y * s.stride + s.kernel)
            .saturating_sub(s.padding)
            .min(s.height)
    }

    /// Rows of the input's gradient that are complete once `done` rows of the output's are there.
    pub fn rows_complete(&self, done: usize) -> usize {
        let s = &self.shape;
        if done == s.out_height() {
            return s.height;
        }
        (done * s.stride).saturating_sub(s.padding).min(s.height)
    }

    /// Input row under kernel row `kernel_row` at output row `y`, unless it is padding.
    fn source(&self, y: usize, kernel_row: usize) -> Option<usize> {
        let row = (y * self.shape.stride + kernel_row).checked_sub(self.shape.padding)?;
        (row < self.shape.height).then_some(row)
    }

    /// Sizes of a forward row, of one group of channels.
    pub fn forward_row(&self) -> Row {
        Row {
            in_channels: self.shape.group_in(),
            out_channels: self.shape.group_out(),
            places: self.shape.places(),
            pixels: self.out_width,
            in_step: self.shape.stride * self.pixel,
            out_step: self.out_pixel,
        }
    }

    /// Taps of output row `y` in the ring of inputs.
    pub fn forward_taps(&self, y: usize, ring: Ring, taps: &mut Vec<Tap>) {
        taps.clear();
        let kernel = self.shape.kernel;
        for kernel_row in 0..kernel {
            if let Some(source) = self.source(y, kernel_row) {
                let row = ring.row(source);
                taps.extend((0..kernel).map(|column| Tap {
                    input: row + column * self.pixel,
                    place: kernel_row * kernel + column,
                }));
            }
        }
    }

    /// Sizes of the columns `first, first + stride, …` of a row of the input's gradient.
    pub fn gradient_row(&self, first: usize) -> Row {
        Row {
            in_channels: self.shape.group_out(),
            out_channels: self.shape.group_in(),
            places: self.shape.places(),
            pixels: (self.shape.width - first).div_ceil(self.shape.stride),
            in_step: self.out_pixel,
            out_step: self.shape.stride * self.pixel,
        }
    }

    /// Taps of those columns of row `y`, in the ring of gradients.
    pub fn gradient_taps(&self, y: usize, first: usize, ring: Ring, taps: &mut Vec<Tap>) {
        taps.clear();
        let s = &self.shape;
        for kernel_row in 0..s.kernel {
            let Some(row) = (y + s.padding).checked_sub(kernel_row) else {
                continue;
            };
            if !row.is_multiple_of(s.stride) || row / s.stride >= s.out_height() {
                continue;
            }
            let row = ring.row(row / s.stride) + ring.margin;
            for column in 0..s.kernel {
                let shifted = first as isize + s.padding as isize - column as isize;
                if shifted.rem_euclid(s.stride as isize) != 0 {
                    continue;
                }
                let pixels = shifted.div_euclid(s.stride as isize) * self.out_pixel as isize;
                taps.push(Tap {
                    input: row.wrapping_add_signed(pixels),
                    place: kernel_row * s.kernel + column,
                });
            }
        }
    }

    /// Sizes of a strip, of one group of channels, whose input rows are in `ring`.
    pub fn strip(&self, ring: Ring) -> Strip {
        let column = match self.transposed() {
            true => BLOCK_PIXEL,
            false => self.pixel,
        };
        Strip {
            in_channels: self.shape.group_in(),
            out_channels: self.shape.group_out(),
            kernel: self.shape.kernel,
            pixels: self.out_width,
            in_step: self.shape.stride * column,
            column,
            block: ring.block(),
            out_step: self.out_pixel,
        }
    }

    /// Whether the weight gradient reads its input transposed.
    pub fn transposed(&self) -> bool {
        reads_transposed(self.shape.group_in())
    }

    /// Pairs of input and gradient rows of a strip, in the rings of so many groups of images.
    pub fn pairs(
        &self,
        rows: std::ops::Range<usize>,
        inputs: Ring,
        gradients: Ring,
        rings: usize,
        pairs: &mut Vec<Pair>,
    ) {
        pairs.clear();
        for kernel_row in 0..self.shape.kernel {
            for ring in 0..rings {
                for y in rows.clone() {
                    if let Some(source) = self.source(y, kernel_row) {
                        pairs.push(Pair {
                            kernel_row,
                            input: ring * inputs.len() + inputs.row(source),
                            gradient: ring * gradients.len() + gradients.row(y) + gradients.margin,
                        });
                    }
                }
            }
        }
    }
}
