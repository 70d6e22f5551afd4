//! The one-dimensional transforms of F(4, 3) and F(3, 4), on vectors.
//!
//! The interpolation points are 0, ±a, ±b and ∞ with a = 11/16 and b = 11/8: near ±1/√2 and ±√2,
//! which keeps rounding errors within about 2.5 times those of a direct convolution (±1 and ±2, the
//! usual choice, gives 5 to 8 times), and with squares that `f32` holds exactly.

use super::PATCH;
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

/// Points 0, a, −a of `Bᵀ d`.
#[inline(always)]
pub unsafe fn data_low<V: Vector>(d: [V; PATCH]) -> [V; 3] {
    let zero = d[2].mul_add(V::splat(-(AA + BB)), d[4]);
    let even = d[2].mul_add(V::splat(-BB), d[4]);
    let odd = d[1].mul_add(V::splat(-BB), d[3]);
    [
        d[0].mul_add(V::splat(AA * BB), zero),
        odd.mul_add(V::splat(A), even),
        odd.mul_add(V::splat(-A), even),
    ]
}

/// Points b, −b, ∞ of `Bᵀ d`.
#[inline(always)]
pub unsafe fn data_high<V: Vector>(d: [V; PATCH]) -> [V; 3] {
    let even = d[2].mul_add(V::splat(-AA), d[4]);
    let odd = d[1].mul_add(V::splat(-AA), d[3]);
    let infinity = d[3].mul_add(V::splat(-(AA + BB)), d[5]);
    [
        odd.mul_add(V::splat(B), even),
        odd.mul_add(V::splat(-B), even),
        d[1].mul_add(V::splat(AA * BB), infinity),
    ]
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

/// `G g`: three taps at the six points, in `f64`.
pub fn filter(g: [f64; 3]) -> [f64; PATCH] {
    let mut at = [0.0; PATCH];
    for (i, (to, p)) in at.iter_mut().zip(POINTS_AT).enumerate() {
        *to = (g[0] + p * (g[1] + p * g[2])) / SCALES[i.div_ceil(2)];
    }
    at[PATCH - 1] = g[2];
    at
}

/// Transforms a patch of 6 × 6 vectors: `Bᵀ d B`. `rows` point at the first column, columns are
/// `step` floats apart, and point `p` goes to `to + p · point`.
#[inline(always)]
pub unsafe fn patch<V: Vector>(rows: [*const f32; PATCH], step: usize, to: *mut f32, point: usize) {
    half_patch::<V, false>(rows, step, to, point);
    half_patch::<V, true>(rows, step, to, point);
}

/// Three of the six rows of points: all that registers hold at once.
#[inline(always)]
unsafe fn half_patch<V: Vector, const HIGH: bool>(
    rows: [*const f32; PATCH],
    step: usize,
    to: *mut f32,
    point: usize,
) {
    let mut down = [[V::zero(); PATCH]; 3];
    for column in 0..PATCH {
        let mut d = [V::zero(); PATCH];
        for (d, row) in d.iter_mut().zip(rows) {
            *d = V::load(row.add(column * step));
        }
        let half = if HIGH { data_high(d) } else { data_low(d) };
        for (down, half) in down.iter_mut().zip(half) {
            down[column] = half;
        }
    }
    let first = if HIGH { 3 } else { 0 };
    for (i, down) in down.into_iter().enumerate() {
        let low = data_low(down);
        let high = data_high(down);
        for (j, value) in low.into_iter().chain(high).enumerate() {
            value.store(to.add(((first + i) * PATCH + j) * point));
        }
    }
}
