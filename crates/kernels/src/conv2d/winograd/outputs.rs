//! The end of a strip: from columns of products to outputs, and what is done to them before they are
//! stored.

use super::strip::{COLUMNS, Raw};
use super::{PATCH, TILE, transform};
use crate::LANES;
use crate::vector::Vector;

/// What is done with outputs besides storing them.
pub(super) const STORE: u8 = 0;
pub(super) const SUM_UP: u8 = 1;
pub(super) const ADD: u8 = 2;
pub(super) const RELU: u8 = 3;
pub(super) const ADD_RELU: u8 = 4;

/// The outputs of the tile in row `down` and column `right`, the `tile`-th of its block.
#[inline(always)]
pub(super) unsafe fn transform_outputs<V: Vector, const FINISH: u8>(
    raw: &Raw,
    (down, right): (usize, usize),
    tile: usize,
) {
    let strip = raw.strip;
    let (row, column) = (down * TILE, right * TILE);
    let rows = TILE.min(strip.tiles.rows - row);
    let columns = TILE.min(strip.tiles.width - column);
    let place = row * strip.out_row + column * strip.out_step;
    for channel in 0..strip.out_channels {
        let from = (tile * strip.out_channels + channel) * COLUMNS * LANES;
        for part in 0..V::PARTS {
            let lane = part * V::LANES;
            let y = output_tile::<V>(raw, channel, raw.columns.add(from + lane));
            let at = channel * LANES + lane;
            if rows == TILE && columns == TILE {
                put::<V, FINISH>(raw, channel, at, y, place, TILE, TILE);
            } else {
                put::<V, FINISH>(raw, channel, at, y, place, rows, columns);
            }
        }
    }
}

/// The outputs of a tile, `y[column][row]`: `Aᵀ` down the columns, and the bias.
#[inline(always)]
unsafe fn output_tile<V: Vector>(raw: &Raw, channel: usize, from: *const f32) -> [[V; TILE]; TILE] {
    let mut y = [[V::zero(); TILE]; TILE];
    for (column, y) in y.iter_mut().enumerate() {
        let mut m = [V::zero(); PATCH];
        for (row, m) in m.iter_mut().enumerate() {
            *m = V::load(from.add((row * TILE + column) * LANES));
        }
        *y = transform::output(m);
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
unsafe fn put<V: Vector, const FINISH: u8>(
    raw: &Raw,
    channel: usize,
    at: usize,
    y: [[V; TILE]; TILE],
    place: usize,
    rows: usize,
    columns: usize,
) {
    let strip = raw.strip;
    for (column, y) in y.iter().enumerate().take(columns) {
        for (row, &y) in y.iter().enumerate().take(rows) {
            let place = place + row * strip.out_row + column * strip.out_step + at;
            let y = match FINISH {
                ADD => y.add(V::load(raw.added.add(place))),
                RELU => y.relu(),
                ADD_RELU => y.add(V::load(raw.added.add(place))).relu(),
                _ => y,
            };
            y.store(raw.output.add(place));
        }
    }
    if FINISH == SUM_UP {
        let shift = V::splat(*raw.shift.add(channel));
        let mut sum = V::load(raw.sum.add(at));
        let mut square = V::load(raw.square.add(at));
        for y in y.iter().take(columns) {
            for y in y.iter().take(rows) {
                let y = y.sub(shift);
                sum = sum.add(y);
                square = y.mul_add(y, square);
            }
        }
        sum.store(raw.sum.add(at));
        square.store(raw.square.add(at));
    }
}
