//! Passes over pixels for exact derivatives: an affine map of each channel, a summand and an
//! activation, with the tangents of values and of gradients.
//!
//! The op is `y = f(scale[c] · z + shift[c] + other)`: a batch norm, a block's addition and its
//! activation, or any of them. All slices are `(pixels, channels, 16)`. A dot stands for the
//! derivative along a direction, `c = z − mean`, `g` is the gradient at `y`, and `h = g f′` the one
//! before the activation. Of the derivative of ReLU a bit is kept for each number ([`positive`]), a
//! thirty-second of what `y` takes; that of tanh is found from `y`. Per-channel coefficients come
//! from the caller, for whom batch statistics and running ones are the same thing:
//!
//! ```text
//! forward          ẏ = f′ · (a ż + b c + d + other˙)
//! backward         h = f′ g,                 z̄  = a h + b c + d
//! and its tangent  ḣ = f′ ġ + f″ … ẏ g,      z̄˙ = a₁ ḣ + a₂ h + a₃ c + a₄ ż + a₅
//! ```

mod slope;

pub use slope::{Slope, positive};

use crate::pointwise::Combination;
use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};
use slope::{RawSlope, TANH, with_slope};

/// One coefficient of a channel.
#[inline(always)]
unsafe fn of<V: Vector>(coefficients: *const f32, channel: usize) -> V {
    V::splat(*coefficients.add(channel))
}

fn check(channels: usize, len: usize, others: &[Option<usize>]) {
    assert!(
        channels > 0 && len.is_multiple_of(channels * LANES),
        "whole pixels of {channels}"
    );
    for other in others.iter().flatten() {
        assert_eq!(*other, len, "slices of one length");
    }
}

fn check_channels(channels: usize, coefficients: &[&[f32]]) {
    for coefficients in coefficients {
        assert_eq!(coefficients.len(), channels, "one coefficient a channel");
    }
}

fn start(values: Option<&[f32]>) -> *const f32 {
    values.map_or(std::ptr::null(), <[f32]>::as_ptr)
}

fn start_mut(values: Option<&mut [f32]>) -> *mut f32 {
    values.map_or(std::ptr::null_mut(), <[f32]>::as_mut_ptr)
}

/// Forward: writes `ẏ = f′ · (of_gradient · ż + of_input · (z − mean) + constant + other˙)`. Without
/// `input`, z, its term and the constant are 0. At most 7 FLOPs, 20 bytes a number.
pub fn forward(
    isa: Isa,
    slope: Slope<'_>,
    by: Combination<'_>,
    input: Option<&[f32]>,
    input_tangent: &[f32],
    other_tangent: Option<&[f32]>,
    output_tangent: &mut [f32],
) {
    let channels = by.mean.len();
    let len = output_tangent.len();
    let others = [
        input.map(<[f32]>::len),
        Some(input_tangent.len()),
        other_tangent.map(<[f32]>::len),
        slope.len(),
    ];
    check(channels, len, &others);
    check_channels(channels, &[by.of_gradient, by.of_input, by.constant]);
    let raw = Forward {
        channels,
        len,
        by,
        input: start(input),
        input_tangent: input_tangent.as_ptr(),
        other_tangent: start(other_tangent),
        slope: slope.raw(),
        output_tangent: output_tangent.as_mut_ptr(),
    };
    with_slope!(slope, isa, forward_all(raw: Forward<'_>));
}

#[derive(Clone, Copy)]
struct Forward<'a> {
    channels: usize,
    len: usize,
    by: Combination<'a>,
    input: *const f32,
    input_tangent: *const f32,
    other_tangent: *const f32,
    slope: RawSlope,
    output_tangent: *mut f32,
}

#[inline(always)]
unsafe fn forward_all<V: Vector, const F: u8>(raw: Forward<'_>) {
    for pixel in (0..raw.len).step_by(raw.channels * LANES) {
        for c in 0..raw.channels {
            let (mean, a) = (
                of::<V>(raw.by.mean.as_ptr(), c),
                of::<V>(raw.by.of_gradient.as_ptr(), c),
            );
            let (b, d) = (
                of::<V>(raw.by.of_input.as_ptr(), c),
                of::<V>(raw.by.constant.as_ptr(), c),
            );
            for part in 0..V::PARTS {
                let at = pixel + c * LANES + part * V::LANES;
                let mut tangent = V::load(raw.input_tangent.add(at));
                if raw.input.is_null() {
                    tangent = tangent.mul(a);
                } else {
                    let centred = V::load(raw.input.add(at)).sub(mean);
                    tangent = tangent.mul_add(a, centred.mul_add(b, d));
                }
                if !raw.other_tangent.is_null() {
                    tangent = tangent.add(V::load(raw.other_tangent.add(at)));
                }
                raw.slope
                    .times::<V, F>(tangent, pixel / LANES + c, part)
                    .store(raw.output_tangent.add(at));
            }
        }
    }
}

/// Sums over pixels, lane by lane, of `v` and of `v (z − mean)`.
#[derive(Debug)]
pub struct Sums<'a> {
    /// Mean of each channel.
    pub mean: &'a [f32],
    /// `channels × 16`, added to.
    pub sum: &'a mut [f32],
    /// `channels × 16`, added to.
    pub dot: &'a mut [f32],
}

impl Sums<'_> {
    fn check(&self, channels: usize) {
        assert_eq!(self.mean.len(), channels, "one mean a channel");
        assert_eq!(self.sum.len(), channels * LANES, "sums of every channel");
        assert_eq!(
            self.dot.len(),
            channels * LANES,
            "products of every channel"
        );
    }
}

/// The sums of a tangent ż: Σ ż and Σ ż (z − mean). 4 FLOPs, 8 bytes a number.
pub fn gather(isa: Isa, input: &[f32], input_tangent: &[f32], sums: Sums<'_>) {
    let channels = sums.mean.len();
    check(channels, input.len(), &[Some(input_tangent.len())]);
    sums.check(channels);
    dispatch!(isa, gather_all(input: &[f32], input_tangent: &[f32], sums: Sums<'_>));
}

#[inline(always)]
unsafe fn gather_all<V: Vector>(input: &[f32], input_tangent: &[f32], sums: Sums<'_>) {
    let channels = sums.mean.len();
    for pixel in (0..input.len()).step_by(channels * LANES) {
        for lane in (0..channels * LANES).step_by(V::LANES) {
            let mean = of::<V>(sums.mean.as_ptr(), lane / LANES);
            let centred = V::load(input.as_ptr().add(pixel + lane)).sub(mean);
            let tangent = V::load(input_tangent.as_ptr().add(pixel + lane));
            let (sum, dot) = (
                sums.sum.as_mut_ptr().add(lane),
                sums.dot.as_mut_ptr().add(lane),
            );
            V::load(sum).add(tangent).store(sum);
            centred.mul_add(tangent, V::load(dot)).store(dot);
        }
    }
}

/// What a backward pass reads: the gradient at the output `y`, the slope there, and the op's input.
#[derive(Debug, Clone, Copy)]
pub struct Backward<'a> {
    /// g.
    pub gradient: &'a [f32],
    /// f′.
    pub slope: Slope<'a>,
    /// z, where anything depends on it.
    pub input: Option<&'a [f32]>,
}

impl Backward<'_> {
    fn check(&self, channels: usize, others: &[Option<usize>], sums: bool) {
        let len = self.gradient.len();
        let input = self.input.map(<[f32]>::len);
        assert!(input.is_some() || !sums, "sums need the input");
        check(channels, len, &[self.slope.len(), input]);
        check(channels, len, others);
    }
}

/// Backward: gathers Σ h and Σ h (z − mean), and writes `a h + b (z − mean) + d` to `grad_input`
/// and `h` to `grad_other`, each where it is asked for. Without z it is `a h` alone. At most 9 FLOPs,
/// 20 bytes a number.
pub fn backward(
    isa: Isa,
    from: Backward<'_>,
    by: Combination<'_>,
    sums: Option<Sums<'_>>,
    grad_input: Option<&mut [f32]>,
    grad_other: Option<&mut [f32]>,
) {
    let channels = by.mean.len();
    let lens = [
        grad_input.as_deref().map(<[f32]>::len),
        grad_other.as_deref().map(<[f32]>::len),
    ];
    from.check(channels, &lens, sums.is_some());
    check_channels(channels, &[by.of_gradient, by.of_input, by.constant]);
    let (sum, dot) = sum_starts(channels, sums);
    let raw = RawBackward {
        channels,
        slope: from.slope.raw(),
        from,
        by,
        sum,
        dot,
        grad_input: start_mut(grad_input),
        grad_other: start_mut(grad_other),
    };
    with_slope!(from.slope, isa, backward_all(raw: RawBackward<'_>));
}

fn sum_starts(channels: usize, sums: Option<Sums<'_>>) -> (*mut f32, *mut f32) {
    match sums {
        None => (std::ptr::null_mut(), std::ptr::null_mut()),
        Some(sums) => {
            sums.check(channels);
            (sums.sum.as_mut_ptr(), sums.dot.as_mut_ptr())
        }
    }
}

#[derive(Clone, Copy)]
struct RawBackward<'a> {
    channels: usize,
    slope: RawSlope,
    from: Backward<'a>,
    by: Combination<'a>,
    sum: *mut f32,
    dot: *mut f32,
    grad_input: *mut f32,
    grad_other: *mut f32,
}

#[inline(always)]
unsafe fn backward_all<V: Vector, const F: u8>(raw: RawBackward<'_>) {
    for pixel in (0..raw.from.gradient.len()).step_by(raw.channels * LANES) {
        for c in 0..raw.channels {
            for part in 0..V::PARTS {
                let lane = c * LANES + part * V::LANES;
                let at = pixel + lane;
                let gradient = V::load(raw.from.gradient.as_ptr().add(at));
                let h = raw.slope.times::<V, F>(gradient, pixel / LANES + c, part);
                let scale = of::<V>(raw.by.of_gradient.as_ptr(), c);
                let Some(input) = raw.from.input else {
                    if !raw.grad_other.is_null() {
                        h.store(raw.grad_other.add(at));
                    }
                    if !raw.grad_input.is_null() {
                        h.mul(scale).store(raw.grad_input.add(at));
                    }
                    continue;
                };
                let centred = V::load(input.as_ptr().add(at)).sub(of::<V>(raw.by.mean.as_ptr(), c));
                if !raw.sum.is_null() {
                    let (sum, dot) = (raw.sum.add(lane), raw.dot.add(lane));
                    V::load(sum).add(h).store(sum);
                    centred.mul_add(h, V::load(dot)).store(dot);
                }
                if !raw.grad_other.is_null() {
                    h.store(raw.grad_other.add(at));
                }
                if !raw.grad_input.is_null() {
                    let rest = centred.mul_add(
                        of::<V>(raw.by.of_input.as_ptr(), c),
                        of::<V>(raw.by.constant.as_ptr(), c),
                    );
                    h.mul_add(scale, rest).store(raw.grad_input.add(at));
                }
            }
        }
    }
}

/// The tangents of what a backward pass reads.
#[derive(Debug, Clone, Copy)]
pub struct BackwardTangent<'a> {
    /// ġ.
    pub gradient: &'a [f32],
    /// ẏ.
    pub output: &'a [f32],
    /// ż.
    pub input: &'a [f32],
}

/// Coefficients of the tangent of the input's gradient,
/// `a₁ ḣ + a₂ h + a₃ (z − mean) + a₄ ż + a₅`, one of each a channel.
#[derive(Debug, Clone, Copy)]
pub struct Mixture<'a> {
    /// Subtracted from the input.
    pub mean: &'a [f32],
    /// a₁ … a₅.
    pub factors: [&'a [f32]; 5],
}

/// Tangent of [`backward`]: gathers Σ ḣ and Σ (ḣ (z − mean) + h ż), and writes `grad_input` and, with
/// ḣ, `grad_other`, each where it is asked for. At most 17 FLOPs, 32 bytes a number.
pub fn backward_tangent(
    isa: Isa,
    from: Backward<'_>,
    tangents: BackwardTangent<'_>,
    by: Mixture<'_>,
    sums: Option<Sums<'_>>,
    grad_input: Option<&mut [f32]>,
    grad_other: Option<&mut [f32]>,
) {
    let channels = by.mean.len();
    let lens = [
        Some(tangents.gradient.len()),
        Some(tangents.output.len()),
        Some(tangents.input.len()),
        grad_input.as_deref().map(<[f32]>::len),
        grad_other.as_deref().map(<[f32]>::len),
    ];
    from.check(channels, &lens, true);
    check_channels(channels, &by.factors);
    let (sum, dot) = sum_starts(channels, sums);
    let raw = RawTangent {
        channels,
        slope: from.slope.raw(),
        from,
        tangents,
        by,
        sum,
        dot,
        grad_input: start_mut(grad_input),
        grad_other: start_mut(grad_other),
    };
    with_slope!(from.slope, isa, backward_tangent_all(raw: RawTangent<'_>));
}

#[derive(Clone, Copy)]
struct RawTangent<'a> {
    channels: usize,
    slope: RawSlope,
    from: Backward<'a>,
    tangents: BackwardTangent<'a>,
    by: Mixture<'a>,
    sum: *mut f32,
    dot: *mut f32,
    grad_input: *mut f32,
    grad_other: *mut f32,
}

#[inline(always)]
unsafe fn backward_tangent_all<V: Vector, const F: u8>(raw: RawTangent<'_>) {
    let factors = raw.by.factors.map(<[f32]>::as_ptr);
    let input = start(raw.from.input);
    for pixel in (0..raw.from.gradient.len()).step_by(raw.channels * LANES) {
        for c in 0..raw.channels {
            for part in 0..V::PARTS {
                let lane = c * LANES + part * V::LANES;
                let at = pixel + lane;
                let group = pixel / LANES + c;
                let g = V::load(raw.from.gradient.as_ptr().add(at));
                let h = raw.slope.times::<V, F>(g, group, part);
                let moved = V::load(raw.tangents.gradient.as_ptr().add(at));
                let mut slope = raw.slope.times::<V, F>(moved, group, part);
                if F == TANH {
                    // The derivative of 1 − y² is −2 y ẏ.
                    let y = raw.slope.output::<V>(group, part);
                    let bend = V::load(raw.tangents.output.as_ptr().add(at)).mul(y.add(y));
                    slope = slope.sub(bend.mul(g));
                }
                let centred = V::load(input.add(at)).sub(of::<V>(raw.by.mean.as_ptr(), c));
                let tangent = V::load(raw.tangents.input.as_ptr().add(at));
                if !raw.sum.is_null() {
                    let (sum, dot) = (raw.sum.add(lane), raw.dot.add(lane));
                    V::load(sum).add(slope).store(sum);
                    let product = h.mul_add(tangent, V::load(dot));
                    centred.mul_add(slope, product).store(dot);
                }
                if !raw.grad_other.is_null() {
                    slope.store(raw.grad_other.add(at));
                }
                if !raw.grad_input.is_null() {
                    let mut out = centred.mul_add(of::<V>(factors[2], c), of::<V>(factors[4], c));
                    out = tangent.mul_add(of::<V>(factors[3], c), out);
                    out = h.mul_add(of::<V>(factors[1], c), out);
                    slope
                        .mul_add(of::<V>(factors[0], c), out)
                        .store(raw.grad_input.add(at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
