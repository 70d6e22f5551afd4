//! A strip of outputs: forward, or the gradient with respect to the input.
//!
//! Two tiles at a time, and of those two rows of points at a time, so that what is transformed is
//! multiplied while it is in the nearest cache: twelve points of the inputs, their products for a
//! tile of channels, and four columns of what each row gives. Six rows of columns then give the
//! outputs.

use super::super::pack::tile_width;
use super::super::row::Sums;
use super::input::{Input, OUTSIDE};
use super::outputs::{ADD, ADD_RELU, RELU, STORE, SUM_UP, transform_outputs};
use super::transform::{LEFT, PAIRS, RIGHT};
use super::{PAIR_POINTS, PATCH, POINTS, TILE, Tiles, pair_len, point_len, transform};
use crate::ahead::{Ahead, Feeder, fetch};
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

/// Widest tile of channels of any instruction set.
const WIDEST: usize = 8;
/// Vectors of columns that an output channel of a tile has: four in each row of points.
pub(super) const COLUMNS: usize = PATCH * TILE;

/// Tiles that are worked on together.
const BLOCK: usize = 2;

/// Floats of scratch for inputs, products and columns.
const fn parts(ins: usize, outs: usize) -> [usize; 3] {
    [
        BLOCK * pair_len(ins),
        BLOCK * PAIR_POINTS * WIDEST * LANES,
        BLOCK * outs * COLUMNS * LANES,
    ]
}

/// Floats of scratch for a strip of those tiles, `ins` channels in and `outs` out.
pub(super) const fn scratch_len(_: Tiles, ins: usize, outs: usize) -> usize {
    let [inputs, products, columns] = parts(ins, outs);
    inputs + products + columns
}

impl Strip {
    /// Floats of scratch.
    pub const fn scratch_len(&self) -> usize {
        scratch_len(self.tiles, self.in_channels, self.out_channels)
    }

    /// Floats of output up to the end of its last pixel.
    fn reach(&self) -> usize {
        let (rows, width) = (self.tiles.rows - 1, self.tiles.width - 1);
        rows * self.out_row + width * self.out_step + self.out_channels * LANES
    }
}

#[derive(Clone, Copy)]
pub(super) struct Raw {
    pub strip: Strip,
    pub input: *const f32,
    pub rows: *const usize,
    pub weights: *const f32,
    pub bias: *const f32,
    pub output: *mut f32,
    pub shift: *const f32,
    pub sum: *mut f32,
    pub square: *mut f32,
    pub added: *const f32,
    pub relu: bool,
    /// A row outside of the image; null where rows have margins.
    pub zeros: *const f32,
    pub ahead: Ahead,
    /// Points of the inputs, `(tile, point, channel)`.
    pub inputs: *mut f32,
    /// Their products, `(tile, point, channel of the tile)`.
    pub products: *mut f32,
    /// `(tile, channel, row of points, column)`.
    pub columns: *mut f32,
}

/// What is done to the outputs of a convolution before they are stored: a residual block's end.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a> {
    /// What is added, with the places of the output.
    pub other: Option<&'a [f32]>,
    /// Whether ReLU follows.
    pub relu: bool,
}

/// Writes a strip of a convolution.
///
/// `rows` says where, in `input`, the pixel left of the first output pixel lies in each of
/// [`Tiles::input_rows`] rows, of which [`Tiles::input_pixels`] pixels are read. `weights` are those
/// of [`super::pack`] for one group. `output` gets `out_channels × 16` floats at each pixel. What
/// lies `ahead` is asked for meanwhile.
///
/// Cost: 72 FLOPs a tile, image and pair of channels (4.5 a pixel, a direct convolution has 18),
/// about 340 a tile, image and input channel, and 240 a tile, image and output channel.
pub fn strip(
    isa: Isa,
    strip: Strip,
    input: &[f32],
    rows: &[usize],
    weights: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    sums: Option<Sums<'_>>,
    ahead: Ahead,
    scratch: &mut [f32],
) {
    if strip.tiles.count() == 0 || strip.out_channels == 0 {
        return;
    }
    let input = Input {
        values: input,
        rows,
        zeros: None,
    };
    let mut raw = prepare(strip, input, weights, bias, output, ahead, scratch);
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

/// Writes a strip of a convolution, plus something else, and what ReLU makes of it; otherwise like
/// [`strip`]. The input may be an image as it is stored.
pub fn strip_finished(
    isa: Isa,
    strip: Strip,
    input: Input<'_>,
    weights: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    finish: Finish<'_>,
    ahead: Ahead,
    scratch: &mut [f32],
) {
    if strip.tiles.count() == 0 || strip.out_channels == 0 {
        return;
    }
    let mut raw = prepare(strip, input, weights, bias, output, ahead, scratch);
    if let Some(other) = finish.other {
        assert!(
            other.len() >= strip.reach(),
            "what is added is shorter than the strip"
        );
        raw.added = other.as_ptr();
    }
    raw.relu = finish.relu;
    dispatch!(isa, whole(raw: Raw));
}

/// Checks all sizes.
fn prepare(
    strip: Strip,
    input: Input<'_>,
    weights: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    ahead: Ahead,
    scratch: &mut [f32],
) -> Raw {
    input.check(&strip);
    let pairs = strip.in_channels * strip.out_channels;
    assert_eq!(weights.len(), POINTS * pairs, "packed weights");
    assert!(
        strip.reach() <= output.len(),
        "a strip longer than its output"
    );
    assert!(
        bias.is_none_or(|b| b.len() == strip.out_channels),
        "one bias a channel"
    );
    assert!(scratch.len() >= strip.scratch_len(), "scratch of a strip");
    let [inputs_len, products_len, _] = parts(strip.in_channels, strip.out_channels);
    let (inputs, rest) = scratch.split_at_mut(inputs_len);
    let (products, columns) = rest.split_at_mut(products_len);
    Raw {
        strip,
        input: input.values.as_ptr(),
        rows: input.rows.as_ptr(),
        weights: weights.as_ptr(),
        bias: bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
        output: output.as_mut_ptr(),
        shift: std::ptr::null(),
        sum: std::ptr::null_mut(),
        square: std::ptr::null_mut(),
        added: std::ptr::null(),
        relu: false,
        zeros: input.zeros.map_or(std::ptr::null(), <[f32]>::as_ptr),
        ahead,
        inputs: inputs.as_mut_ptr(),
        products: products.as_mut_ptr(),
        columns: columns.as_mut_ptr(),
    }
}

#[inline(always)]
unsafe fn whole<V: Vector>(raw: Raw) {
    let strip = raw.strip;
    let across = strip.tiles.across();
    let pairs = strip.in_channels * strip.out_channels.div_ceil(V::TILE);
    let iterations = POINTS * V::PARTS * pairs * strip.tiles.count().div_ceil(BLOCK);
    let mut feeder = Feeder::new(raw.ahead, iterations, raw.weights);
    for down in 0..strip.tiles.down() {
        for right in (0..across).step_by(BLOCK) {
            let count = BLOCK.min(across - right);
            for pair in 0..PAIRS.len() {
                transform_inputs::<V>(&raw, (down, right), count, pair);
                multiply::<V>(&raw, count, pair, &mut feeder);
            }
            for tile in 0..count {
                let place = (down, right + tile);
                match (raw.sum.is_null(), raw.added.is_null(), raw.relu) {
                    (false, _, _) => transform_outputs::<V, SUM_UP>(&raw, place, tile),
                    (_, false, true) => transform_outputs::<V, ADD_RELU>(&raw, place, tile),
                    (_, false, false) => transform_outputs::<V, ADD>(&raw, place, tile),
                    (_, _, true) => transform_outputs::<V, RELU>(&raw, place, tile),
                    (_, _, false) => transform_outputs::<V, STORE>(&raw, place, tile),
                }
            }
        }
    }
}

/// Two rows of points of one or two tiles, of which the first is `tile`.
#[inline(always)]
unsafe fn transform_inputs<V: Vector>(raw: &Raw, tile: (usize, usize), count: usize, pair: usize) {
    let right = tile.1 + count == raw.strip.tiles.across();
    match (raw.zeros.is_null(), tile.1 == 0, right) {
        (false, true, true) => transform_at::<V, { LEFT | RIGHT }>(raw, tile, count, pair),
        (false, true, false) => transform_at::<V, LEFT>(raw, tile, count, pair),
        (false, false, true) => transform_at::<V, RIGHT>(raw, tile, count, pair),
        _ => transform_at::<V, 0>(raw, tile, count, pair),
    }
}

#[inline(always)]
unsafe fn transform_at<V: Vector, const EDGE: u8>(
    raw: &Raw,
    tile: (usize, usize),
    count: usize,
    pair: usize,
) {
    match (pair, count) {
        (0, 1) => transform_pair::<V, 0, 6, EDGE>(raw, tile),
        (1, 1) => transform_pair::<V, 1, 6, EDGE>(raw, tile),
        (_, 1) => transform_pair::<V, 2, 6, EDGE>(raw, tile),
        (0, _) => transform_pair::<V, 0, 10, EDGE>(raw, tile),
        (1, _) => transform_pair::<V, 1, 10, EDGE>(raw, tile),
        (_, _) => transform_pair::<V, 2, 10, EDGE>(raw, tile),
    }
}

#[inline(always)]
unsafe fn transform_pair<V: Vector, const PAIR: usize, const COLUMNS: usize, const EDGE: u8>(
    raw: &Raw,
    (down, right): (usize, usize),
) {
    let strip = raw.strip;
    let point = point_len(strip.in_channels);
    let first = right * TILE * strip.in_step;
    let mut rows = [std::ptr::null(); PATCH];
    for (i, row) in rows.iter_mut().enumerate() {
        let place = *raw.rows.add(down * TILE + i);
        *row = if raw.zeros.is_null() {
            raw.input.add(place + first)
        } else {
            // Without a margin the column before the first tile's lies outside: it is not read.
            let start = match place {
                OUTSIDE => raw.zeros,
                place => raw.input.add(place),
            };
            start.wrapping_add(first).wrapping_sub(strip.in_step)
        };
    }
    for at in (0..strip.in_channels * LANES).step_by(V::LANES) {
        let rows = rows.map(|row| row.wrapping_add(at));
        let to = raw.inputs.add(at);
        transform::patch_pair::<V, PAIR, COLUMNS, EDGE>(rows, strip.in_step, to, point);
    }
}

/// Mixes the channels of `count` tiles at the points of two rows, and makes columns of them.
#[inline(always)]
unsafe fn multiply<V: Vector>(raw: &Raw, count: usize, pair: usize, feeder: &mut Feeder) {
    let strip = raw.strip;
    for lane in (0..LANES).step_by(V::LANES) {
        let mut channel = 0;
        while channel < strip.out_channels {
            let width = tile_width(strip.out_channels - channel, V::TILE);
            let at = At {
                count,
                pair,
                channel,
                lane,
            };
            match width {
                8 => points::<V, 8>(raw, at, feeder),
                4 => points::<V, 4>(raw, at, feeder),
                2 => points::<V, 2>(raw, at, feeder),
                _ => points::<V, 1>(raw, at, feeder),
            }
            channel += width;
        }
    }
}

/// Tiles of a block, pair of rows of points, first channel of a tile of channels, first lane.
#[derive(Clone, Copy)]
struct At {
    count: usize,
    pair: usize,
    channel: usize,
    lane: usize,
}

/// `K` output channels at the points of two rows.
#[inline(always)]
unsafe fn points<V: Vector, const K: usize>(raw: &Raw, at: At, feeder: &mut Feeder) {
    let strip = raw.strip;
    for (half, row) in PAIRS[at.pair].into_iter().enumerate() {
        for j in 0..PATCH {
            let matrix = (row * PATCH + j) * strip.in_channels * strip.out_channels;
            let weights = raw.weights.add(matrix + at.channel * strip.in_channels);
            let place = half * PATCH + j;
            let from = raw
                .inputs
                .add(place * point_len(strip.in_channels) + at.lane);
            let to = raw.products.add(place * K * LANES + at.lane);
            if at.count == BLOCK {
                product::<V, K, BLOCK>(strip, from, weights, to, feeder);
            } else {
                product::<V, K, 1>(strip, from, weights, to, feeder);
            }
        }
    }
    for tile in 0..at.count {
        for k in 0..K {
            let channel = (tile * strip.out_channels + at.channel + k) * COLUMNS;
            for (half, row) in PAIRS[at.pair].into_iter().enumerate() {
                let mut m = [V::zero(); PATCH];
                for (j, m) in m.iter_mut().enumerate() {
                    let place = (tile * 2 + half) * PATCH + j;
                    *m = V::load(raw.products.add((place * K + k) * LANES + at.lane));
                }
                let to = raw.columns.add((channel + row * TILE) * LANES + at.lane);
                for (column, y) in transform::output(m).into_iter().enumerate() {
                    y.store(to.add(column * LANES));
                }
            }
        }
    }
}

/// `K` output channels of `P` tiles at one point.
#[inline(always)]
unsafe fn product<V: Vector, const K: usize, const P: usize>(
    strip: Strip,
    mut from: *const f32,
    mut weights: *const f32,
    to: *mut f32,
    feeder: &mut Feeder,
) {
    let step = pair_len(strip.in_channels);
    let rate = feeder.rate;
    let (mut wanted, wanted_step) = feeder.take(strip.in_channels);
    let mut sums = [[V::zero(); K]; P];
    for _ in 0..strip.in_channels {
        fetch::<V>(wanted, rate);
        wanted = wanted.wrapping_add(wanted_step);
        let mut images = [V::zero(); P];
        for (p, images) in images.iter_mut().enumerate() {
            *images = V::load(from.add(p * step));
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
            sum.store(to.add((p * PAIR_POINTS * K + k) * LANES));
        }
    }
}
