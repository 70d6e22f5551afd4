//! A strip of outputs: forward, or the gradient with respect to the input.

use super::super::pack::tile_width;
use super::super::row::Sums;
use super::{PATCH, POINTS, TILE, Tiles, point_len, tile_len, transform};
use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// Sizes of a strip, of one group of channels.
#[derive(Debug, Clone, Copy)]
pub struct Strip {
    /// Channels that are read.
    pub in_channels: usize,
    /// Channels that are written.
    pub out_channels: usize,
    /// The tiles.
    pub tiles: Tiles,
    /// Floats from one input pixel to the next.
    pub in_step: usize,
    /// Floats from one output pixel to the next.
    pub out_step: usize,
    /// Floats from one output row to the next.
    pub out_row: usize,
}

impl Strip {
    /// Floats of scratch.
    pub const fn scratch_len(&self) -> usize {
        self.tiles.transformed_len(self.in_channels) + self.tiles.transformed_len(self.out_channels)
    }
}

#[derive(Clone, Copy)]
struct Raw {
    strip: Strip,
    input: *const f32,
    rows: *const usize,
    weights: *const f32,
    bias: *const f32,
    output: *mut f32,
    shift: *const f32,
    sum: *mut f32,
    square: *mut f32,
    inputs: *mut f32,
    products: *mut f32,
}

/// Writes a strip of a convolution.
///
/// `rows` says where, in `input`, the pixel left of the first output pixel lies in each of
/// [`Tiles::input_rows`] rows, of which [`Tiles::input_pixels`] pixels are read. `weights` are those
/// of [`super::pack`] for one group. `output` gets `out_channels × 16` floats at each pixel.
///
/// Cost: 72 FLOPs a tile, image and pair of channels (4.5 a pixel, a direct convolution has 18),
/// about 290 a tile, image and input channel, and 240 a tile, image and output channel.
pub fn strip(
    isa: Isa,
    strip: Strip,
    input: &[f32],
    rows: &[usize],
    weights: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    sums: Option<Sums<'_>>,
    scratch: &mut [f32],
) {
    let tiles = strip.tiles;
    if tiles.count() == 0 || strip.out_channels == 0 {
        return;
    }
    assert_eq!(
        rows.len(),
        tiles.input_rows(),
        "one place for each input row"
    );
    let reach = (tiles.input_pixels() - 1) * strip.in_step + strip.in_channels * LANES;
    for row in rows {
        assert!(row + reach <= input.len(), "a row reaches past the input");
    }
    let pairs = strip.in_channels * strip.out_channels;
    assert_eq!(weights.len(), POINTS * pairs, "packed weights");
    let end = (tiles.rows - 1) * strip.out_row + (tiles.width - 1) * strip.out_step;
    assert!(
        end + strip.out_channels * LANES <= output.len(),
        "a strip longer than its output"
    );
    assert!(
        bias.is_none_or(|b| b.len() == strip.out_channels),
        "one bias a channel"
    );
    assert!(scratch.len() >= strip.scratch_len(), "scratch of a strip");
    let (inputs, products) = scratch.split_at_mut(tiles.transformed_len(strip.in_channels));
    let mut raw = Raw {
        strip,
        input: input.as_ptr(),
        rows: rows.as_ptr(),
        weights: weights.as_ptr(),
        bias: bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
        output: output.as_mut_ptr(),
        shift: std::ptr::null(),
        sum: std::ptr::null_mut(),
        square: std::ptr::null_mut(),
        inputs: inputs.as_mut_ptr(),
        products: products.as_mut_ptr(),
    };
    if let Some(sums) = sums {
        let lanes = strip.out_channels * LANES;
        assert_eq!(sums.shift.len(), strip.out_channels, "one shift a channel");
        assert_eq!(sums.sum.len(), lanes, "sums of every channel");
        assert_eq!(sums.square.len(), lanes, "squares of every channel");
        raw.shift = sums.shift.as_ptr();
        raw.sum = sums.sum.as_mut_ptr();
        raw.square = sums.square.as_mut_ptr();
    }
    dispatch!(isa, whole(raw: Raw));
}

#[inline(always)]
unsafe fn whole<V: Vector>(raw: Raw) {
    transform_inputs::<V>(&raw);
    multiply::<V>(&raw);
    if raw.sum.is_null() {
        transform_outputs::<V, false>(&raw);
    } else {
        transform_outputs::<V, true>(&raw);
    }
}

#[inline(always)]
unsafe fn transform_inputs<V: Vector>(raw: &Raw) {
    let strip = raw.strip;
    let across = strip.tiles.across();
    let point = point_len(strip.in_channels);
    for tile in 0..strip.tiles.count() {
        let (down, right) = (tile / across, tile % across);
        let first = right * TILE * strip.in_step;
        let mut rows = [std::ptr::null(); PATCH];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = raw.input.add(*raw.rows.add(down * TILE + i) + first);
        }
        let to = raw.inputs.add(tile * tile_len(strip.in_channels));
        for at in (0..strip.in_channels * LANES).step_by(V::LANES) {
            let rows = rows.map(|row| row.add(at));
            transform::patch::<V>(rows, strip.in_step, to.add(at), point);
        }
    }
}

/// At each point, mixes the channels of all tiles.
#[inline(always)]
unsafe fn multiply<V: Vector>(raw: &Raw) {
    let strip = raw.strip;
    for point in 0..POINTS {
        let weights = raw
            .weights
            .add(point * strip.in_channels * strip.out_channels);
        for lane in (0..LANES).step_by(V::LANES) {
            let mut channel = 0;
            while channel < strip.out_channels {
                let width = tile_width(strip.out_channels - channel, V::TILE);
                let from = raw.inputs.add(point * point_len(strip.in_channels) + lane);
                let to = raw
                    .products
                    .add(point * point_len(strip.out_channels) + channel * LANES + lane);
                let weights = weights.add(channel * strip.in_channels);
                match (width, V::LANES) {
                    (8, _) => tiles::<V, 8, 3>(strip, from, weights, to),
                    (4, 16) => tiles::<V, 4, 6>(strip, from, weights, to),
                    (4, _) => tiles::<V, 4, 2>(strip, from, weights, to),
                    (2, 16) => tiles::<V, 2, 6>(strip, from, weights, to),
                    (2, _) => tiles::<V, 2, 4>(strip, from, weights, to),
                    _ => tiles::<V, 1, 6>(strip, from, weights, to),
                }
                channel += width;
            }
        }
    }
}

/// `K` output channels of all tiles, at most `P` at a time and evenly.
#[inline(always)]
unsafe fn tiles<V: Vector, const K: usize, const P: usize>(
    strip: Strip,
    from: *const f32,
    weights: *const f32,
    to: *mut f32,
) {
    let count = strip.tiles.count();
    let (from_step, to_step) = (tile_len(strip.in_channels), tile_len(strip.out_channels));
    let mut tile = 0;
    while tile < count {
        let left = count - tile;
        let pieces = left.div_ceil(P);
        let now = left.div_ceil(pieces);
        let (from, to) = (from.add(tile * from_step), to.add(tile * to_step));
        match now {
            1 => product::<V, K, 1>(strip, from, weights, to),
            2 => product::<V, K, 2>(strip, from, weights, to),
            3 if P >= 3 => product::<V, K, 3>(strip, from, weights, to),
            4 if P >= 4 => product::<V, K, 4>(strip, from, weights, to),
            5 if P >= 6 => product::<V, K, 5>(strip, from, weights, to),
            _ if P >= 6 => product::<V, K, 6>(strip, from, weights, to),
            _ => product::<V, K, 1>(strip, from, weights, to),
        }
        tile += now;
    }
}

#[inline(always)]
unsafe fn product<V: Vector, const K: usize, const P: usize>(
    strip: Strip,
    mut from: *const f32,
    mut weights: *const f32,
    to: *mut f32,
) {
    let (from_step, to_step) = (tile_len(strip.in_channels), tile_len(strip.out_channels));
    let mut sums = [[V::zero(); K]; P];
    for _ in 0..strip.in_channels {
        let mut images = [V::zero(); P];
        for (p, images) in images.iter_mut().enumerate() {
            *images = V::load(from.add(p * from_step));
        }
        for k in 0..K {
            let w = V::splat(*weights.add(k));
            for p in 0..P {
                sums[p][k] = images[p].mul_add(w, sums[p][k]);
            }
        }
        weights = weights.add(K);
        from = from.add(LANES);
    }
    for (p, sums) in sums.iter().enumerate() {
        for (k, sum) in sums.iter().enumerate() {
            sum.store(to.add(p * to_step + k * LANES));
        }
    }
}

#[inline(always)]
unsafe fn transform_outputs<V: Vector, const SUMS: bool>(raw: &Raw) {
    let strip = raw.strip;
    let across = strip.tiles.across();
    for tile in 0..strip.tiles.count() {
        let (row, column) = (tile / across * TILE, tile % across * TILE);
        let rows = TILE.min(strip.tiles.rows - row);
        let columns = TILE.min(strip.tiles.width - column);
        let from = raw.products.add(tile * tile_len(strip.out_channels));
        let to = raw
            .output
            .add(row * strip.out_row + column * strip.out_step);
        for channel in 0..strip.out_channels {
            for part in 0..V::PARTS {
                let at = channel * LANES + part * V::LANES;
                let y = output_tile::<V>(raw, channel, from.add(at));
                if rows == TILE && columns == TILE {
                    put::<V, SUMS>(raw, channel, at, y, to, TILE, TILE);
                } else {
                    put::<V, SUMS>(raw, channel, at, y, to, rows, columns);
                }
            }
        }
    }
}

/// `Aᵀ m A + bias`.
#[inline(always)]
unsafe fn output_tile<V: Vector>(raw: &Raw, channel: usize, from: *const f32) -> [[V; TILE]; TILE] {
    let point = point_len(raw.strip.out_channels);
    let mut down = [[V::zero(); PATCH]; TILE];
    for column in 0..PATCH {
        let mut m = [V::zero(); PATCH];
        for (row, m) in m.iter_mut().enumerate() {
            *m = V::load(from.add((row * PATCH + column) * point));
        }
        for (down, y) in down.iter_mut().zip(transform::output(m)) {
            down[column] = y;
        }
    }
    let mut y = [[V::zero(); TILE]; TILE];
    for (y, down) in y.iter_mut().zip(down) {
        *y = transform::output(down);
    }
    if !raw.bias.is_null() {
        let bias = V::splat(*raw.bias.add(channel));
        for y in y.iter_mut().flatten() {
            *y = y.add(bias);
        }
    }
    y
}

/// Stores the part of a tile that lies in the image, and adds it to the sums.
#[inline(always)]
unsafe fn put<V: Vector, const SUMS: bool>(
    raw: &Raw,
    channel: usize,
    at: usize,
    y: [[V; TILE]; TILE],
    to: *mut f32,
    rows: usize,
    columns: usize,
) {
    let strip = raw.strip;
    for (row, y) in y.iter().enumerate().take(rows) {
        for (column, y) in y.iter().enumerate().take(columns) {
            y.store(to.add(row * strip.out_row + column * strip.out_step + at));
        }
    }
    if SUMS {
        let shift = V::splat(*raw.shift.add(channel));
        let mut sum = V::load(raw.sum.add(at));
        let mut square = V::load(raw.square.add(at));
        for y in y.iter().take(rows) {
            for y in y.iter().take(columns) {
                let y = y.sub(shift);
                sum = sum.add(y);
                square = y.mul_add(y, square);
            }
        }
        sum.store(raw.sum.add(at));
        square.store(raw.square.add(at));
    }
}
