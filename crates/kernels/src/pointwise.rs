//! Elementwise passes over pixels: normalise, activate, add, and their backward.
//!
//! All slices are `(pixels, channels, 16)`. Where a pass takes [`Affine`], a value is first
//! `scale[c] · x + shift[c]`: batch norm, applied where its output is read. Masks of an activation
//! are found again from what it was applied to, never stored.
//!
//! Cost: one read or write of each slice; the few FLOPs hide behind that. For each of `n` numbers
//! the passes say their FLOPs and bytes.

use crate::vector::{Vector, dispatch, tanh};
use crate::{Isa, LANES};

/// An elementwise nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonlinearity {
    /// `max(x, 0)`, derivative 0 at 0.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `x`.
    Identity,
}

/// `scale[c] · x + shift[c]` for each channel.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// One factor a channel.
    pub scale: &'a [f32],
    /// One summand a channel.
    pub shift: &'a [f32],
}

impl Affine<'_> {
    fn check(self, channels: usize) {
        assert_eq!(self.scale.len(), channels, "one scale a channel");
        assert_eq!(self.shift.len(), channels, "one shift a channel");
    }
}

fn check(channels: usize, len: usize) {
    assert!(
        channels > 0 && len.is_multiple_of(channels * LANES),
        "whole pixels of {channels}"
    );
}

const RELU: u8 = 0;
const TANH: u8 = 1;
const IDENTITY: u8 = 2;

#[inline(always)]
unsafe fn activate<V: Vector, const F: u8>(x: V) -> V {
    match F {
        RELU => x.relu(),
        TANH => tanh(x),
        _ => x,
    }
}

/// `gradient · f′(x)`.
#[inline(always)]
unsafe fn masked<V: Vector, const F: u8>(gradient: V, x: V) -> V {
    match F {
        RELU => gradient.where_positive(x),
        TANH => {
            let y = tanh(x);
            gradient.mul(V::splat(1.0).sub(y.mul(y)))
        }
        _ => gradient,
    }
}

/// Calls a pass with the nonlinearity as a constant.
macro_rules! with_nonlinearity {
    ($f:expr, $isa:expr, $kernel:ident ( $($arg:ident : $ty:ty),* $(,)? )) => {{
        #[inline(always)]
        unsafe fn relu<V: Vector>($($arg: $ty),*) { $kernel::<V, RELU>($($arg),*) }
        #[inline(always)]
        unsafe fn tanh<V: Vector>($($arg: $ty),*) { $kernel::<V, TANH>($($arg),*) }
        #[inline(always)]
        unsafe fn identity<V: Vector>($($arg: $ty),*) { $kernel::<V, IDENTITY>($($arg),*) }
        match $f {
            Nonlinearity::Relu => dispatch!($isa, relu($($arg: $ty),*)),
            Nonlinearity::Tanh => dispatch!($isa, tanh($($arg: $ty),*)),
            Nonlinearity::Identity => dispatch!($isa, identity($($arg: $ty),*)),
        }
    }};
}

mod sum;
pub use sum::sum_backward;

/// Runs `body(offset, channel)` for each vector of `len` numbers.
macro_rules! for_each_vector {
    ($v:ident, $len:expr, $channels:expr, |$at:ident, $channel:ident| $body:block) => {
        for pixel in (0..$len).step_by($channels * LANES) {
            for $channel in 0..$channels {
                for part in 0..$v::PARTS {
                    let $at = pixel + $channel * LANES + part * $v::LANES;
                    $body
                }
            }
        }
    };
}

/// `output = f(affine(input))`. 2 FLOPs and `f`, 8 bytes a number.
pub fn apply(
    isa: Isa,
    channels: usize,
    input: &[f32],
    affine: Option<Affine<'_>>,
    f: Nonlinearity,
    output: &mut [f32],
) {
    check(channels, input.len());
    assert_eq!(input.len(), output.len(), "as many numbers out as in");
    match affine {
        None if f == Nonlinearity::Identity => output.copy_from_slice(input),
        None => with_nonlinearity!(f, isa, activated(input: &[f32], output: &mut [f32])),
        Some(a) => {
            a.check(channels);
            with_nonlinearity!(f, isa, normalised(
                channels: usize, input: &[f32], a: Affine<'_>, output: &mut [f32]));
        }
    }
}

#[inline(always)]
unsafe fn activated<V: Vector, const F: u8>(input: &[f32], output: &mut [f32]) {
    for at in (0..input.len()).step_by(V::LANES) {
        activate::<V, F>(V::load(input.as_ptr().add(at))).store(output.as_mut_ptr().add(at));
    }
}

#[inline(always)]
unsafe fn normalised<V: Vector, const F: u8>(
    channels: usize,
    input: &[f32],
    a: Affine<'_>,
    output: &mut [f32],
) {
    for_each_vector!(V, input.len(), channels, |at, c| {
        let (scale, shift) = (
            V::splat(*a.scale.as_ptr().add(c)),
            V::splat(*a.shift.as_ptr().add(c)),
        );
        let x = V::load(input.as_ptr().add(at)).mul_add(scale, shift);
        activate::<V, F>(x).store(output.as_mut_ptr().add(at));
    });
}

/// `output = f(affine(input) + other)`. 3 FLOPs and `f`, 12 bytes a number.
pub fn apply_add(
    isa: Isa,
    channels: usize,
    input: &[f32],
    affine: Option<Affine<'_>>,
    other: &[f32],
    f: Nonlinearity,
    output: &mut [f32],
) {
    check(channels, input.len());
    assert_eq!(input.len(), output.len(), "as many numbers out as in");
    assert_eq!(input.len(), other.len(), "as many numbers to add");
    match affine {
        None => with_nonlinearity!(f, isa, added(
            input: &[f32], other: &[f32], output: &mut [f32])),
        Some(a) => {
            a.check(channels);
            with_nonlinearity!(f, isa, normalised_added(
                channels: usize, input: &[f32], a: Affine<'_>, other: &[f32], output: &mut [f32]));
        }
    }
}

#[inline(always)]
unsafe fn added<V: Vector, const F: u8>(input: &[f32], other: &[f32], output: &mut [f32]) {
    for at in (0..input.len()).step_by(V::LANES) {
        let x = V::load(input.as_ptr().add(at)).add(V::load(other.as_ptr().add(at)));
        activate::<V, F>(x).store(output.as_mut_ptr().add(at));
    }
}

#[inline(always)]
unsafe fn normalised_added<V: Vector, const F: u8>(
    channels: usize,
    input: &[f32],
    a: Affine<'_>,
    other: &[f32],
    output: &mut [f32],
) {
    for_each_vector!(V, input.len(), channels, |at, c| {
        let (scale, shift) = (
            V::splat(*a.scale.as_ptr().add(c)),
            V::splat(*a.shift.as_ptr().add(c)),
        );
        let x = V::load(input.as_ptr().add(at)).mul_add(scale, shift);
        let x = x.add(V::load(other.as_ptr().add(at)));
        activate::<V, F>(x).store(output.as_mut_ptr().add(at));
    });
}

/// `values += other`. 1 FLOP, 12 bytes a number.
pub fn add_assign(isa: Isa, values: &mut [f32], other: &[f32]) {
    assert_eq!(values.len(), other.len(), "as many numbers to add");
    check(1, values.len());
    dispatch!(isa, add_assign_all(values: &mut [f32], other: &[f32]));
}

#[inline(always)]
unsafe fn add_assign_all<V: Vector>(values: &mut [f32], other: &[f32]) {
    for at in (0..values.len()).step_by(V::LANES) {
        let to = values.as_mut_ptr().add(at);
        V::load(to).add(V::load(other.as_ptr().add(at))).store(to);
    }
}

/// `values = f(values)`, in place, over whole vectors of sixteen. `f`, 8 bytes a number.
pub fn activate_in_place(isa: Isa, f: Nonlinearity, values: &mut [f32]) {
    check(1, values.len());
    with_nonlinearity!(f, isa, activated_in_place(values: &mut [f32]));
}

#[inline(always)]
unsafe fn activated_in_place<V: Vector, const F: u8>(values: &mut [f32]) {
    for at in (0..values.len()).step_by(V::LANES) {
        let to = values.as_mut_ptr().add(at);
        activate::<V, F>(V::load(to)).store(to);
    }
}

/// `gradient *= f′`, found from the output `y = f(x)`. At most 3 FLOPs, 12 bytes a number.
pub fn mask_by_output(isa: Isa, f: Nonlinearity, output: &[f32], gradient: &mut [f32]) {
    assert_eq!(output.len(), gradient.len(), "one gradient an output");
    check(1, output.len());
    with_nonlinearity!(f, isa, masked_by_output(output: &[f32], gradient: &mut [f32]));
}

#[inline(always)]
unsafe fn masked_by_output<V: Vector, const F: u8>(output: &[f32], gradient: &mut [f32]) {
    for at in (0..output.len()).step_by(V::LANES) {
        let y = V::load(output.as_ptr().add(at));
        let to = gradient.as_mut_ptr().add(at);
        masked_output::<V, F>(V::load(to), y).store(to);
    }
}

/// `gradient · f′`, found from the output.
#[inline(always)]
unsafe fn masked_output<V: Vector, const F: u8>(gradient: V, output: V) -> V {
    match F {
        RELU => gradient.where_positive(output),
        TANH => gradient.mul(V::splat(1.0).sub(output.mul(output))),
        _ => gradient,
    }
}

/// Sums lane by lane for the backward pass of a batch norm: for each channel 16 sums of
/// `g` and of `g · (x − mean)`.
#[derive(Debug)]
pub struct GradientSums<'a> {
    /// Mean of each channel over the batch.
    pub mean: &'a [f32],
    /// `channels × 16`, added to.
    pub sum: &'a mut [f32],
    /// `channels × 16`, added to.
    pub dot: &'a mut [f32],
}

/// Backward of [`apply`] as far as the batch norm's output: `output = gradient · f′(affine(input))`,
/// with the batch norm's sums gathered on the way. 6 FLOPs and `f′`, 12 bytes a number.
pub fn apply_backward(
    isa: Isa,
    channels: usize,
    gradient: &[f32],
    input: &[f32],
    affine: Affine<'_>,
    f: Nonlinearity,
    sums: GradientSums<'_>,
    output: &mut [f32],
) {
    check(channels, input.len());
    assert_eq!(input.len(), output.len(), "as many numbers out as in");
    assert_eq!(input.len(), gradient.len(), "one gradient an input");
    affine.check(channels);
    assert_eq!(sums.mean.len(), channels, "one mean a channel");
    assert_eq!(sums.sum.len(), channels * LANES, "sums of every channel");
    assert_eq!(
        sums.dot.len(),
        channels * LANES,
        "dot products of every channel"
    );
    with_nonlinearity!(f, isa, backward(channels: usize, gradient: &[f32], input: &[f32],
        affine: Affine<'_>, sums: GradientSums<'_>, output: &mut [f32]));
}

#[inline(always)]
unsafe fn backward<V: Vector, const F: u8>(
    channels: usize,
    gradient: &[f32],
    input: &[f32],
    affine: Affine<'_>,
    sums: GradientSums<'_>,
    output: &mut [f32],
) {
    let pixel = channels * LANES;
    for c in 0..channels {
        let scale = V::splat(*affine.scale.as_ptr().add(c));
        let shift = V::splat(*affine.shift.as_ptr().add(c));
        let mean = V::splat(*sums.mean.as_ptr().add(c));
        for part in 0..V::PARTS {
            let lane = c * LANES + part * V::LANES;
            let mut sum = V::load(sums.sum.as_ptr().add(lane));
            let mut dot = V::load(sums.dot.as_ptr().add(lane));
            for at in (lane..input.len()).step_by(pixel) {
                let x = V::load(input.as_ptr().add(at));
                let g = V::load(gradient.as_ptr().add(at));
                let g = masked::<V, F>(g, x.mul_add(scale, shift));
                g.store(output.as_mut_ptr().add(at));
                sum = sum.add(g);
                dot = x.sub(mean).mul_add(g, dot);
            }
            sum.store(sums.sum.as_mut_ptr().add(lane));
            dot.store(sums.dot.as_mut_ptr().add(lane));
        }
    }
}

/// `gradient *= f′(input)`: backward of an activation, found from its input. `f′` and 1 FLOP,
/// 12 bytes a number.
pub fn mask_by_input(isa: Isa, f: Nonlinearity, input: &[f32], gradient: &mut [f32]) {
    assert_eq!(input.len(), gradient.len(), "one gradient an input");
    check(1, input.len());
    with_nonlinearity!(f, isa, masked_by_input(input: &[f32], gradient: &mut [f32]));
}

#[inline(always)]
unsafe fn masked_by_input<V: Vector, const F: u8>(input: &[f32], gradient: &mut [f32]) {
    for at in (0..input.len()).step_by(V::LANES) {
        let to = gradient.as_mut_ptr().add(at);
        masked::<V, F>(V::load(to), V::load(input.as_ptr().add(at))).store(to);
    }
}

/// Coefficients of [`combine`], one of each a channel; see
/// [`batch_norm::backward`](crate::batch_norm::backward).
#[derive(Debug, Clone, Copy)]
pub struct Combination<'a> {
    /// Subtracted from the input.
    pub mean: &'a [f32],
    /// Factor of the gradient.
    pub of_gradient: &'a [f32],
    /// Factor of the input's distance from the mean.
    pub of_input: &'a [f32],
    /// Summand.
    pub constant: &'a [f32],
}

/// `output = of_gradient[c] · gradient + of_input[c] · (input − mean[c]) + constant[c]`: the
/// gradient before a batch norm from the one after it. 5 FLOPs, 12 bytes a number.
pub fn combine(
    isa: Isa,
    channels: usize,
    gradient: &[f32],
    input: &[f32],
    by: Combination<'_>,
    output: &mut [f32],
) {
    check(channels, input.len());
    assert_eq!(input.len(), output.len(), "as many numbers out as in");
    assert_eq!(input.len(), gradient.len(), "one gradient an input");
    for coefficients in [by.mean, by.of_gradient, by.of_input, by.constant] {
        assert_eq!(coefficients.len(), channels, "one coefficient a channel");
    }
    dispatch!(isa, combined(channels: usize, gradient: &[f32], input: &[f32], by: Combination<'_>,
        output: &mut [f32]));
}

#[inline(always)]
unsafe fn combined<V: Vector>(
    channels: usize,
    gradient: &[f32],
    input: &[f32],
    by: Combination<'_>,
    output: &mut [f32],
) {
    for_each_vector!(V, input.len(), channels, |at, c| {
        let of = |coefficients: &[f32]| V::splat(*coefficients.as_ptr().add(c));
        let x = V::load(input.as_ptr().add(at)).sub(of(by.mean));
        let y = x.mul_add(of(by.of_input), of(by.constant));
        let g = V::load(gradient.as_ptr().add(at));
        g.mul_add(of(by.of_gradient), y)
            .store(output.as_mut_ptr().add(at));
    });
}

#[cfg(test)]
mod tests;
