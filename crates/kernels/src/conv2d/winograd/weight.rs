//! The gradient with respect to the weight, F(3×3, 4×4).
//!
//! At each point, `accumulators[p, o, i] += Σ_{tiles, images} gradient[p, o] · input[p, i]`; at the end
//! 36 points become 9 taps. The input is read transposed in blocks of sixteen channels, `(block,
//! pixel, image, channel)`, so that channels fill a register and nothing has to be summed over lanes.

use super::super::backward_weight::{BLOCK_CHANNELS, BLOCK_PIXEL};
use super::transform::PAIRS;
use super::{PATCH, POINTS, TILE, Tiles, pair_len, point_len, transform};
use crate::ahead::{Ahead, Feeder, fetch};
use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// Sizes of a strip, of one group of channels.
#[derive(Debug, Clone, Copy)]
pub struct WeightStrip {
    /// Input channels of the group, in sixteens.
    pub in_channels: usize,
    /// Output channels of the group.
    pub out_channels: usize,
    /// Floats from one block of input channels to the next.
    pub block: usize,
    /// The tiles.
    pub tiles: Tiles,
    /// Floats from one pixel of the gradient to the next.
    pub out_step: usize,
}

/// Floats of scratch for a strip of those tiles.
pub(super) const fn scratch_len(_: Tiles, ins: usize, outs: usize) -> usize {
    pair_len(ins) + pair_len(outs)
}

impl WeightStrip {
    /// Floats of scratch.
    pub const fn scratch_len(&self) -> usize {
        scratch_len(self.tiles, self.in_channels, self.out_channels)
    }

    /// Floats of the accumulators.
    pub const fn accumulators_len(&self) -> usize {
        POINTS * self.in_channels * self.out_channels
    }
}

#[derive(Clone, Copy)]
struct Raw {
    strip: WeightStrip,
    input: *const f32,
    rows: *const usize,
    gradient: *const f32,
    gradient_rows: *const usize,
    accumulators: *mut f32,
    ahead: Ahead,
    /// Points of two rows of a tile's inputs, `(point, block, image, channel)`.
    inputs: *mut f32,
    /// Those of its gradients, `(point, channel, image)`.
    gradients: *mut f32,
}

/// Adds a strip's part to the accumulators.
///
/// `rows` says where, in the transposed `input`, the pixel left of the first output pixel lies in
/// each of [`Tiles::input_rows`] rows; `gradient_rows` where the first pixel lies in each row of
/// the gradient's tiles, of which [`Tiles::gradient_pixels`] pixels are read: those outside of the
/// image must be zeros, and so must lanes without an image. What lies `ahead` is asked for meanwhile.
///
/// Cost: 72 FLOPs a tile, image and pair of channels.
pub fn add_strip(
    isa: Isa,
    strip: WeightStrip,
    input: &[f32],
    rows: &[usize],
    gradient: &[f32],
    gradient_rows: &[usize],
    accumulators: &mut [f32],
    ahead: Ahead,
    scratch: &mut [f32],
) {
    let tiles = strip.tiles;
    if tiles.count() == 0 {
        return;
    }
    assert!(
        strip.in_channels.is_multiple_of(LANES),
        "input channels in sixteens"
    );
    assert_eq!(
        rows.len(),
        tiles.input_rows(),
        "one place for each input row"
    );
    assert_eq!(
        gradient_rows.len(),
        TILE * tiles.down(),
        "one place for each gradient row"
    );
    if strip.in_channels == 0 {
        return;
    }
    let last_block = (strip.in_channels / BLOCK_CHANNELS - 1) * strip.block;
    let reach = last_block + tiles.input_pixels() * BLOCK_PIXEL;
    for row in rows {
        assert!(row + reach <= input.len(), "a row reaches past the input");
    }
    let reach = (tiles.gradient_pixels() - 1) * strip.out_step + strip.out_channels * LANES;
    for row in gradient_rows {
        assert!(
            row + reach <= gradient.len(),
            "a row reaches past the gradient"
        );
    }
    assert_eq!(
        accumulators.len(),
        strip.accumulators_len(),
        "accumulators of a group"
    );
    assert!(scratch.len() >= strip.scratch_len(), "scratch of a strip");
    let (inputs, gradients) = scratch.split_at_mut(pair_len(strip.in_channels));
    let raw = Raw {
        strip,
        input: input.as_ptr(),
        rows: rows.as_ptr(),
        gradient: gradient.as_ptr(),
        gradient_rows: gradient_rows.as_ptr(),
        accumulators: accumulators.as_mut_ptr(),
        ahead,
        inputs: inputs.as_mut_ptr(),
        gradients: gradients.as_mut_ptr(),
    };
    dispatch!(isa, whole(raw: Raw));
}

#[inline(always)]
unsafe fn whole<V: Vector>(raw: Raw) {
    let strip = raw.strip;
    let across = strip.tiles.across();
    let pairs = (strip.in_channels / LANES) * strip.out_channels.div_ceil(16);
    let iterations = POINTS * strip.tiles.count() * pairs * LANES;
    let mut feeder = Feeder::new(raw.ahead, iterations, raw.gradient);
    for tile in 0..strip.tiles.count() {
        let at = (tile / across * TILE, tile % across * TILE);
        for pair in 0..PAIRS.len() {
            match pair {
                0 => transform_pair::<V, 0>(&raw, at),
                1 => transform_pair::<V, 1>(&raw, at),
                _ => transform_pair::<V, 2>(&raw, at),
            }
            multiply::<V>(&raw, pair, &mut feeder);
        }
    }
}

/// Two rows of the points of the tile whose first output is at row `down`, column `right`.
#[inline(always)]
unsafe fn transform_pair<V: Vector, const PAIR: usize>(raw: &Raw, (down, right): (usize, usize)) {
    let strip = raw.strip;
    let point = point_len(strip.in_channels);
    let mut rows = [std::ptr::null(); PATCH];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = raw.input.add(*raw.rows.add(down + i) + right * BLOCK_PIXEL);
    }
    for block in 0..strip.in_channels / BLOCK_CHANNELS {
        for at in (0..BLOCK_PIXEL).step_by(V::LANES) {
            let rows = rows.map(|row| row.add(block * strip.block + at));
            let to = raw.inputs.add(block * BLOCK_PIXEL + at);
            transform::patch_pair::<V, PAIR, PATCH, 0>(rows, BLOCK_PIXEL, to, point);
        }
    }
    let point = point_len(strip.out_channels);
    let mut rows = [std::ptr::null(); TILE];
    for (i, row) in rows.iter_mut().enumerate() {
        let first = *raw.gradient_rows.add(down + i);
        *row = raw.gradient.add(first + right * strip.out_step);
    }
    for at in (0..strip.out_channels * LANES).step_by(V::LANES) {
        let rows = rows.map(|row| row.add(at));
        let to = raw.gradients.add(at);
        transform::gradient_tile_pair::<V, PAIR>(rows, strip.out_step, to, point);
    }
}

#[inline(always)]
unsafe fn multiply<V: Vector>(raw: &Raw, pair: usize, feeder: &mut Feeder) {
    let strip = raw.strip;
    let vectors = strip.in_channels / V::LANES;
    for place in 0..2 * PATCH {
        let point = PAIRS[pair][place / PATCH] * PATCH + place % PATCH;
        let mut vector = 0;
        while vector < vectors {
            // Two vectors of inputs at once share the broadcast gradients.
            let wide = vectors - vector >= 2;
            let most = match (wide, V::LANES) {
                (false, 16) => 16,
                (true, 16) => 8,
                _ => 4,
            };
            let mut out = 0;
            while out < strip.out_channels {
                let at = At {
                    place,
                    point,
                    channel: vector * V::LANES,
                    out,
                };
                let width = super::super::pack::tile_width(strip.out_channels - out, most);
                match (wide, width) {
                    (true, 8) => product::<V, 2, 8>(raw, at, feeder),
                    (true, 4) => product::<V, 2, 4>(raw, at, feeder),
                    (true, 2) => product::<V, 2, 2>(raw, at, feeder),
                    (true, _) => product::<V, 2, 1>(raw, at, feeder),
                    (false, 16) => product::<V, 1, 16>(raw, at, feeder),
                    (false, 8) => product::<V, 1, 8>(raw, at, feeder),
                    (false, 4) => product::<V, 1, 4>(raw, at, feeder),
                    (false, 2) => product::<V, 1, 2>(raw, at, feeder),
                    (false, _) => product::<V, 1, 1>(raw, at, feeder),
                }
                out += width;
            }
            vector += if wide { 2 } else { 1 };
        }
    }
}

#[derive(Clone, Copy)]
struct At {
    /// Among the points of two rows, and among all.
    place: usize,
    point: usize,
    channel: usize,
    out: usize,
}

/// `A` vectors of input channels × `B` output channels.
#[inline(always)]
unsafe fn product<V: Vector, const A: usize, const B: usize>(
    raw: &Raw,
    at: At,
    feeder: &mut Feeder,
) {
    let strip = raw.strip;
    let first = (at.point * strip.out_channels + at.out) * strip.in_channels + at.channel;
    let to = raw.accumulators.add(first);
    let mut sums = [[V::zero(); B]; A];
    for a in 0..A {
        for b in 0..B {
            sums[a][b] = V::load(to.add(b * strip.in_channels + a * V::LANES));
        }
    }
    let mut input = raw
        .inputs
        .add(at.place * point_len(strip.in_channels))
        .add(at.channel / BLOCK_CHANNELS * BLOCK_PIXEL + at.channel % BLOCK_CHANNELS);
    // From one vector to the next: of two blocks, or halves of one.
    let step = if V::PARTS == 1 { BLOCK_PIXEL } else { V::LANES };
    let mut gradient = raw
        .gradients
        .add(at.place * point_len(strip.out_channels) + at.out * LANES);
    let rate = feeder.rate;
    let (mut wanted, wanted_step) = feeder.take(LANES);
    for _ in 0..LANES {
        fetch::<V>(wanted, rate);
        wanted = wanted.wrapping_add(wanted_step);
        let mut inputs = [V::zero(); A];
        for (a, inputs) in inputs.iter_mut().enumerate() {
            *inputs = V::load(input.add(a * step));
        }
        for b in 0..B {
            let g = V::splat(*gradient.add(b * LANES));
            for a in 0..A {
                sums[a][b] = inputs[a].mul_add(g, sums[a][b]);
            }
        }
        input = input.add(BLOCK_CHANNELS);
        gradient = gradient.add(1);
    }
    for a in 0..A {
        for b in 0..B {
            sums[a][b].store(to.add(b * strip.in_channels + a * V::LANES));
        }
    }
}

/// Adds what the accumulators of a group hold to `grad_weight`, `(place, out, in)`.
pub fn finish(
    isa: Isa,
    in_channels: usize,
    out_channels: usize,
    accumulators: &[f32],
    grad_weight: &mut [f32],
) {
    let pairs = in_channels * out_channels;
    assert!(pairs.is_multiple_of(LANES), "input channels in sixteens");
    assert_eq!(
        accumulators.len(),
        POINTS * pairs,
        "accumulators of a group"
    );
    assert_eq!(grad_weight.len(), 9 * pairs, "gradient of a group");
    dispatch!(isa, finish_all(pairs: usize, accumulators: &[f32], grad_weight: &mut [f32]));
}

#[inline(always)]
unsafe fn finish_all<V: Vector>(pairs: usize, accumulators: &[f32], grad_weight: &mut [f32]) {
    for at in (0..pairs).step_by(V::LANES) {
        let from = accumulators.as_ptr().add(at);
        let to = grad_weight.as_mut_ptr().add(at);
        let mut down = [[V::zero(); PATCH]; 3];
        for column in 0..PATCH {
            let mut m = [V::zero(); PATCH];
            for (row, m) in m.iter_mut().enumerate() {
                *m = V::load(from.add((row * PATCH + column) * pairs));
            }
            for (down, value) in down.iter_mut().zip(transform::taps(m)) {
                down[column] = value;
            }
        }
        for (row, down) in down.into_iter().enumerate() {
            for (column, value) in transform::taps(down).into_iter().enumerate() {
                let to = to.add((3 * row + column) * pairs);
                V::load(to).add(value).store(to);
            }
        }
    }
}
