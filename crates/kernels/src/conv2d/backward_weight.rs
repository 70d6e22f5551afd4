//! The gradient with respect to the weight.
//!
//! `grad_weight[place, o, i] += Σ_{rows, x, images} grad_output[row, x, o] · input[row, x, place, i]`
//! over a strip of output rows. Lanes without an image must hold zeros in the gradient and numbers
//! in the input. Two kernels:
//!
//! - where the input channels of a group are a multiple of 16, its input is transposed in blocks of
//!   sixteen channels, `(block, pixel, image, channel)`, so that sixteen channels fill a register,
//!   images and pixels are what is summed over, and nothing is left to add up across lanes. A block's
//!   pixels lie side by side: those of many channels would fall on the same places of a cache;
//! - otherwise images stay in the lanes and are summed at the end of the strip.

use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// Channels of a transposed block.
pub const BLOCK_CHANNELS: usize = LANES;
/// Floats of a pixel of a transposed block.
pub const BLOCK_PIXEL: usize = BLOCK_CHANNELS * LANES;

/// Pixels that are summed over at once: those of two blocks stay in the nearest cache.
const CHUNK: usize = 16;

/// Sizes of a strip.
#[derive(Debug, Clone, Copy)]
pub struct Strip {
    /// Input channels of the group.
    pub in_channels: usize,
    /// Output channels of the group.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Output pixels in a row.
    pub pixels: usize,
    /// Floats from one output pixel's input to the next one's.
    pub in_step: usize,
    /// Floats from one column of the input to the next.
    pub column: usize,
    /// Floats from one block of channels to the next, in a transposed input.
    pub block: usize,
    /// Floats from one pixel of the output's gradient to the next.
    pub out_step: usize,
}

/// A kernel row at an output row: input and gradient that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Row of the kernel.
    pub kernel_row: usize,
    /// Offset of the input under the kernel's first column at the first output pixel, in floats.
    pub input: usize,
    /// Offset of the gradient of the first output pixel, in floats.
    pub gradient: usize,
}

/// Whether the kernel for this many input channels (of a group) reads a transposed input.
pub const fn reads_transposed(in_channels: usize) -> bool {
    in_channels.is_multiple_of(LANES)
}

/// Transposes `pixels × channels × 16` to blocks of sixteen channels, `pixels × 16 × channels`, of
/// which each begins `block` floats after the one before.
pub fn transpose(isa: Isa, channels: usize, input: &[f32], block: usize, output: &mut [f32]) {
    assert!(
        channels > 0 && channels.is_multiple_of(BLOCK_CHANNELS),
        "channels in sixteens"
    );
    assert!(input.len().is_multiple_of(channels * LANES), "whole pixels");
    let pixels = input.len() / (channels * LANES);
    assert!(pixels * BLOCK_PIXEL <= block, "blocks apart");
    let last = (channels / BLOCK_CHANNELS - 1) * block;
    assert!(
        last + pixels * BLOCK_PIXEL <= output.len(),
        "blocks longer than their output"
    );
    dispatch!(isa, transpose_all(channels: usize, input: &[f32], block: usize, output: &mut [f32]));
}

#[inline(always)]
unsafe fn transpose_all<V: Vector>(
    channels: usize,
    input: &[f32],
    block: usize,
    output: &mut [f32],
) {
    for (pixel, from) in input.chunks_exact(channels * LANES).enumerate() {
        for (at, from) in from.chunks_exact(BLOCK_PIXEL).enumerate() {
            let to = output.as_mut_ptr().add(at * block + pixel * BLOCK_PIXEL);
            V::transpose(from.as_ptr(), to, BLOCK_CHANNELS);
        }
    }
}

#[derive(Clone, Copy)]
struct Raw {
    strip: Strip,
    input: *const f32,
    gradient: *const f32,
    pairs: *const Pair,
    pair_count: usize,
    output: *mut f32,
}

/// Adds a strip's part to `grad_weight`, `(place, out, in)`.
///
/// `pairs` must be grouped by kernel row, and its offsets lie in `input` (transposed, where
/// [`reads_transposed`]) and `gradient` (`(pixel, out, 16)`).
pub fn add_strip(
    isa: Isa,
    strip: Strip,
    input: &[f32],
    gradient: &[f32],
    pairs: &[Pair],
    grad_weight: &mut [f32],
) {
    if strip.pixels == 0 || pairs.is_empty() {
        return;
    }
    let last = strip.pixels - 1;
    let reach = last * strip.in_step + (strip.kernel - 1) * strip.column;
    let places = strip.kernel * strip.kernel;
    let pixel = if reads_transposed(strip.in_channels) {
        (strip.in_channels / BLOCK_CHANNELS).saturating_sub(1) * strip.block + BLOCK_PIXEL
    } else {
        strip.in_channels * LANES
    };
    for pair in pairs {
        let end = pair.input + reach + pixel;
        assert!(end <= input.len(), "a strip reaches past its input");
        let end = pair.gradient + last * strip.out_step + strip.out_channels * LANES;
        assert!(end <= gradient.len(), "a strip reaches past its gradient");
        assert!(
            pair.kernel_row < strip.kernel,
            "a row outside of the kernel"
        );
    }
    assert_eq!(
        grad_weight.len(),
        places * strip.in_channels * strip.out_channels,
        "gradient"
    );
    if strip.in_channels == 0 {
        return;
    }
    for pairs in pairs.chunk_by(|a, b| a.kernel_row == b.kernel_row) {
        let raw = Raw {
            strip,
            input: input.as_ptr(),
            gradient: gradient.as_ptr(),
            pairs: pairs.as_ptr(),
            pair_count: pairs.len(),
            output: grad_weight.as_mut_ptr(),
        };
        if reads_transposed(strip.in_channels) {
            dispatch!(isa, transposed(raw: Raw));
        } else {
            dispatch!(isa, in_lanes(raw: Raw));
        }
    }
}

/// Cuts `count` into pieces of 8, 4, 2 and 1.
#[inline(always)]
fn piece(left: usize, most: usize) -> usize {
    super::pack::tile_width(left, most)
}

/// Sixteen pixels or so at a time, so that the input of a tile is read from the nearest cache.
#[inline(always)]
unsafe fn transposed<V: Vector>(raw: Raw) {
    let rows = (CHUNK / raw.strip.pixels).max(1);
    for first in (0..raw.pair_count).step_by(rows) {
        let count = rows.min(raw.pair_count - first);
        for x in (0..raw.strip.pixels).step_by(CHUNK) {
            let chunk = Chunk {
                pairs: raw.pairs.add(first),
                count,
                first: x,
                pixels: CHUNK.min(raw.strip.pixels - x),
            };
            chunk_tiles::<V>(&raw, chunk);
        }
    }
}

/// Some pixels of some pairs.
#[derive(Clone, Copy)]
struct Chunk {
    pairs: *const Pair,
    count: usize,
    first: usize,
    pixels: usize,
}

#[inline(always)]
unsafe fn chunk_tiles<V: Vector>(raw: &Raw, chunk: Chunk) {
    let strip = raw.strip;
    let matrix = strip.out_channels * strip.in_channels;
    // Vectors side by side share the broadcast gradients: of two blocks, or halves of one.
    let next = if V::PARTS == 1 { strip.block } else { V::LANES };
    let mut first_in = 0;
    while first_in < strip.in_channels {
        let mut column = 0;
        let wide = strip.kernel < 3 && strip.in_channels - first_in >= 2 * V::LANES;
        while column < strip.kernel {
            // Three columns at once share them too.
            let columns = if strip.kernel - column >= 3 { 3 } else { 1 };
            let block = first_in / BLOCK_CHANNELS * strip.block + first_in % BLOCK_CHANNELS;
            let place = (*chunk.pairs).kernel_row * strip.kernel + column;
            let mut at = Tile {
                input: block + column * strip.column,
                step: if wide { next } else { strip.column },
                output: place * matrix + first_in,
                output_step: if wide { V::LANES } else { matrix },
                out: 0,
            };
            let vectors = if wide { 2 } else { columns };
            while at.out < strip.out_channels {
                let most = match (vectors, V::LANES) {
                    (1, 16) => 16,
                    (_, 16) => 8,
                    _ => 4,
                };
                let width = piece(strip.out_channels - at.out, most);
                match (vectors, width) {
                    (3, 8) => tile::<V, 3, 8>(raw, chunk, at),
                    (3, 4) => tile::<V, 3, 4>(raw, chunk, at),
                    (3, 2) => tile::<V, 3, 2>(raw, chunk, at),
                    (3, _) => tile::<V, 3, 1>(raw, chunk, at),
                    (2, 8) => tile::<V, 2, 8>(raw, chunk, at),
                    (2, 4) => tile::<V, 2, 4>(raw, chunk, at),
                    (2, 2) => tile::<V, 2, 2>(raw, chunk, at),
                    (2, _) => tile::<V, 2, 1>(raw, chunk, at),
                    (_, 16) => tile::<V, 1, 16>(raw, chunk, at),
                    (_, 8) => tile::<V, 1, 8>(raw, chunk, at),
                    (_, 4) => tile::<V, 1, 4>(raw, chunk, at),
                    (_, 2) => tile::<V, 1, 2>(raw, chunk, at),
                    _ => tile::<V, 1, 1>(raw, chunk, at),
                }
                at.out += width;
            }
            column += columns;
        }
        first_in += if wide { 2 * V::LANES } else { V::LANES };
    }
}

/// Where the first vector of a tile is read and written, and the steps from one to the next.
#[derive(Clone, Copy)]
struct Tile {
    input: usize,
    step: usize,
    output: usize,
    output_step: usize,
    /// First output channel.
    out: usize,
}

/// `A` vectors of input channels (at one or several columns of the kernel) × `B` output channels.
#[inline(always)]
unsafe fn tile<V: Vector, const A: usize, const B: usize>(raw: &Raw, chunk: Chunk, at: Tile) {
    let strip = raw.strip;
    let mut sums = [[V::zero(); B]; A];
    for pair in 0..chunk.count {
        let pair = *chunk.pairs.add(pair);
        for x in chunk.first..chunk.first + chunk.pixels {
            let mut from = raw.input.add(pair.input + x * strip.in_step + at.input);
            let mut gradient = raw
                .gradient
                .add(pair.gradient + x * strip.out_step + at.out * LANES);
            for _ in 0..LANES {
                let mut inputs = [V::zero(); A];
                for (a, inputs) in inputs.iter_mut().enumerate() {
                    *inputs = V::load(from.add(a * at.step));
                }
                for b in 0..B {
                    let g = V::splat(*gradient.add(b * LANES));
                    for a in 0..A {
                        sums[a][b] = inputs[a].mul_add(g, sums[a][b]);
                    }
                }
                from = from.add(BLOCK_CHANNELS);
                gradient = gradient.add(1);
            }
        }
    }
    for (a, sums) in sums.iter().enumerate() {
        let to = raw.output.add(at.output + a * at.output_step);
        for (b, sum) in sums.iter().enumerate() {
            let to = to.add((at.out + b) * strip.in_channels);
            sum.add(V::load(to)).store(to);
        }
    }
}

#[inline(always)]
unsafe fn in_lanes<V: Vector>(raw: Raw) {
    let strip = raw.strip;
    // Without groups, channels of neighbouring columns lie side by side: one column of many.
    let all = strip.kernel * strip.in_channels;
    let (columns, channels) = match strip.column == strip.in_channels * LANES {
        true => (1, all),
        false => (strip.kernel, strip.in_channels),
    };
    for column in 0..columns {
        let mut first_in = 0;
        while first_in < channels {
            let ins = piece(channels - first_in, if V::LANES == 16 { 4 } else { 2 });
            let mut out = 0;
            while out < strip.out_channels {
                let outs = piece(strip.out_channels - out, if ins == 4 { 4 } else { 8 });
                let at = LanesTile {
                    first_in,
                    column,
                    out,
                };
                match (ins, outs) {
                    (4, 4) => lanes_tile::<V, 4, 4>(&raw, at),
                    (4, 2) => lanes_tile::<V, 4, 2>(&raw, at),
                    (4, _) => lanes_tile::<V, 4, 1>(&raw, at),
                    (2, 8) => lanes_tile::<V, 2, 8>(&raw, at),
                    (2, 4) => lanes_tile::<V, 2, 4>(&raw, at),
                    (2, 2) => lanes_tile::<V, 2, 2>(&raw, at),
                    (2, _) => lanes_tile::<V, 2, 1>(&raw, at),
                    (_, 8) => lanes_tile::<V, 1, 8>(&raw, at),
                    (_, 4) => lanes_tile::<V, 1, 4>(&raw, at),
                    (_, 2) => lanes_tile::<V, 1, 2>(&raw, at),
                    _ => lanes_tile::<V, 1, 1>(&raw, at),
                }
                out += outs;
            }
            first_in += ins;
        }
    }
}

#[derive(Clone, Copy)]
struct LanesTile {
    first_in: usize,
    column: usize,
    out: usize,
}

/// `A` input × `B` output channels in one row of the kernel; images in the lanes.
#[inline(always)]
unsafe fn lanes_tile<V: Vector, const A: usize, const B: usize>(raw: &Raw, at: LanesTile) {
    let strip = raw.strip;
    let mut sums = [[V::zero(); B]; A];
    for pair in 0..raw.pair_count {
        let pair = *raw.pairs.add(pair);
        let input = pair.input + at.column * strip.column + at.first_in * LANES;
        let gradient = pair.gradient + at.out * LANES;
        for x in 0..strip.pixels {
            for part in 0..V::PARTS {
                let from = raw.input.add(input + x * strip.in_step + part * V::LANES);
                let gradient = raw
                    .gradient
                    .add(gradient + x * strip.out_step + part * V::LANES);
                let mut gradients = [V::zero(); B];
                for (b, g) in gradients.iter_mut().enumerate() {
                    *g = V::load(gradient.add(b * LANES));
                }
                for (a, sums) in sums.iter_mut().enumerate() {
                    let input = V::load(from.add(a * LANES));
                    for b in 0..B {
                        sums[b] = input.mul_add(gradients[b], sums[b]);
                    }
                }
            }
        }
    }
    let mut rows = [V::zero(); 16];
    for (a, sums) in sums.iter().enumerate() {
        for (b, sum) in sums.iter().enumerate() {
            rows[a * B + b] = *sum;
        }
    }
    let mut totals = [0.0; 16];
    V::add_row_sums(&rows, totals.as_mut_ptr());
    for a in 0..A {
        let channel = at.column * strip.in_channels + at.first_in + a;
        let (column, channel) = (channel / strip.in_channels, channel % strip.in_channels);
        let place = (*raw.pairs).kernel_row * strip.kernel + column;
        for b in 0..B {
            let to = (place * strip.out_channels + at.out + b) * strip.in_channels + channel;
            *raw.output.add(to) += totals[a * B + b];
        }
    }
}
