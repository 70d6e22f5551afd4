//! The one-dimensional transforms of F(4, 3) and F(3, 4), on vectors.
//!
//! The interpolation points are 0, ±a, ±b and ∞ with a = 11/16 and b = 11/8: near ±1/√2 and ±√2,
//! which keeps rounding errors within about 2.5 times those of a direct convolution (±1 and ±2, the
//! usual choice, gives 5 to 8 times), and with squares that `f32` holds exactly.

use super::{PATCH, TILE};
use crate::vector::Vector;

/// The finite points, in order: 0, a, −a, b, −b.
pub const POINTS_AT: [f64; 5] = [0.0, A as f64, -A as f64, B as f64, -B as f64];

const A: f32 = 0.6875;
const B: f32 = 1.375;
const AA: f32 = A * A;
const BB: f32 = B * B;

/// `∏ (p − q)` over the other finite points `q`, for 0, ±a and ±b.
pub const SCALES: [f64; 3] = {
    let (aa, bb) = (AA as f64, BB as f64);
    [aa * bb, 2.0 * aa * (aa - bb), 2.0 * bb * (bb - aa)]
};

/// The rows of points that are transformed together: 0 and ∞, ±a, ±b.
pub const PAIRS: [[usize; 2]; 3] = [[0, 5], [1, 2], [3, 4]];

/// The rows [`PAIRS`]`[PAIR]` of `Bᵀ d`, of what `d` gives.
#[inline(always)]
pub unsafe fn data_pair<V: Vector, const PAIR: usize>(d: impl Fn(usize) -> V) -> [V; 2] {
    if PAIR == 0 {
        let zero = d(2).mul_add(V::splat(-(AA + BB)), d(4));
        let infinity = d(3).mul_add(V::splat(-(AA + BB)), d(5));
        return [
            d(0).mul_add(V::splat(AA * BB), zero),
            d(1).mul_add(V::splat(AA * BB), infinity),
        ];
    }
    let (square, point) = if PAIR == 1 { (BB, A) } else { (AA, B) };
    let even = d(2).mul_add(V::splat(-square), d(4));
    let odd = d(1).mul_add(V::splat(-square), d(3));
    [
        odd.mul_add(V::splat(point), even),
        odd.mul_add(V::splat(-point), even),
    ]
}

/// `Bᵀ d`.
#[inline(always)]
pub unsafe fn data<V: Vector>(d: [V; PATCH]) -> [V; PATCH] {
    let ends = data_pair::<V, 0>(|i| d[i]);
    let near = data_pair::<V, 1>(|i| d[i]);
    let far = data_pair::<V, 2>(|i| d[i]);
    [ends[0], near[0], near[1], far[0], far[1], ends[1]]
}

/// `Aᵀ m`: four outputs.
#[inline(always)]
pub unsafe fn output<V: Vector>(m: [V; PATCH]) -> [V; 4] {
    let (near_sum, near) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (far_sum, far) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(near_sum).add(far_sum),
        far.mul_add(V::splat(B), near.mul(V::splat(A))),
        far_sum.mul_add(V::splat(BB), near_sum.mul(V::splat(AA))),
        far.mul_add(V::splat(BB * B), near.mul_add(V::splat(AA * A), m[5])),
    ]
}

/// The transform of four gradients, `(1, p, p², p³)` at each point, without its scales.
#[inline(always)]
pub unsafe fn gradient<V: Vector>(g: [V; 4]) -> [V; PATCH] {
    let near = g[2].mul_add(V::splat(AA), g[0]);
    let near_odd = g[3].mul_add(V::splat(AA), g[1]);
    let far = g[2].mul_add(V::splat(BB), g[0]);
    let far_odd = g[3].mul_add(V::splat(BB), g[1]);
    [
        g[0],
        near_odd.mul_add(V::splat(A), near),
        near_odd.mul_add(V::splat(-A), near),
        far_odd.mul_add(V::splat(B), far),
        far_odd.mul_add(V::splat(-B), far),
        g[3],
    ]
}

/// Three taps from six points: the weight gradient, with the scales that [`gradient`] leaves out.
#[inline(always)]
pub unsafe fn taps<V: Vector>(m: [V; PATCH]) -> [V; 3] {
    let scale = |at: usize| V::splat((1.0 / SCALES[at]) as f32);
    let zero = m[0].mul(scale(0));
    let near_sum = m[1].add(m[2]).mul(scale(1));
    let near = m[1].sub(m[2]).mul(scale(1));
    let far_sum = m[3].add(m[4]).mul(scale(2));
    let far = m[3].sub(m[4]).mul(scale(2));
    [
        zero.add(near_sum).add(far_sum),
        far.mul_add(V::splat(B), near.mul(V::splat(A))),
        far_sum.mul_add(V::splat(BB), near_sum.mul_add(V::splat(AA), m[5])),
    ]
}

/// The rows [`PAIRS`]`[PAIR]` of the transform of four gradients, of what `g` gives.
#[inline(always)]
pub unsafe fn gradient_pair<V: Vector, const PAIR: usize>(g: impl Fn(usize) -> V) -> [V; 2] {
    if PAIR == 0 {
        return [g(0), g(3)];
    }
    let (square, point) = if PAIR == 1 { (AA, A) } else { (BB, B) };
    let even = g(2).mul_add(V::splat(square), g(0));
    let odd = g(3).mul_add(V::splat(square), g(1));
    [
        odd.mul_add(V::splat(point), even),
        odd.mul_add(V::splat(-point), even),
    ]
}

/// The tiles lie at the left edge of a row without margins, and at the right one.
pub const LEFT: u8 = 1;
pub const RIGHT: u8 = 2;

/// Transforms the patches of one or two (`COLUMNS` = 6 or 10) neighbouring tiles to the points in
/// two rows: `(Bᵀ d B)[i, ·]`. `rows` point at the first column, columns are `step` floats apart.
/// Point `j` of a tile's first row goes to `to + j · point`, of its second to `6 · point` more, and
/// the second tile to `12 · point` more. At an `EDGE` (see [`LEFT`] and [`RIGHT`]) the outermost
/// column is 0 and not read.
#[inline(always)]
pub unsafe fn patch_pair<V: Vector, const PAIR: usize, const COLUMNS: usize, const EDGE: u8>(
    rows: [*const f32; PATCH],
    step: usize,
    to: *mut f32,
    point: usize,
) {
    let mut down = [[V::zero(); COLUMNS]; 2];
    for column in 0..COLUMNS {
        let outside =
            (column == 0 && EDGE & LEFT != 0) || (column + 1 == COLUMNS && EDGE & RIGHT != 0);
        if outside {
            continue;
        }
        let at = column * step;
        let pair = data_pair::<V, PAIR>(|i| V::load(rows[i].wrapping_add(at)));
        down[0][column] = pair[0];
        down[1][column] = pair[1];
    }
    for tile in 0..(COLUMNS - 2) / TILE {
        for (i, down) in down.iter().enumerate() {
            let columns = std::array::from_fn(|j| down[tile * TILE + j]);
            for (j, value) in data(columns).into_iter().enumerate() {
                let place = (tile * 2 + i) * PATCH + j;
                value.store(to.add(place * point));
            }
        }
    }
}

/// Transforms a tile of 4 × 4 gradients to the points in two rows; see [`patch_pair`].
#[inline(always)]
pub unsafe fn gradient_tile_pair<V: Vector, const PAIR: usize>(
    rows: [*const f32; TILE],
    step: usize,
    to: *mut f32,
    point: usize,
) {
    let mut down = [[V::zero(); TILE]; 2];
    for column in 0..TILE {
        let pair = gradient_pair::<V, PAIR>(|i| V::load(rows[i].add(column * step)));
        down[0][column] = pair[0];
        down[1][column] = pair[1];
    }
    for (i, down) in down.into_iter().enumerate() {
        for (j, value) in gradient(down).into_iter().enumerate() {
            value.store(to.add((i * PATCH + j) * point));
        }
    }
}
