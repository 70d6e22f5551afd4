//! Batch normalisation, `y = γ (x − μ)/√(σ² + ε) + β` over everything but channels: from sums to
//! coefficients, forward and backward (Ioffe, Szegedy 2015).
//!
//! What runs over pixels is elsewhere: sums are gathered while a convolution writes
//! ([`conv2d::row`](mod@crate::conv2d::row)), coefficients are applied where the next one reads
//! ([`pointwise`](crate::pointwise)).

use crate::conv2d::row::Sums;
use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// Adds the first `live` of each 16 `lanes`, `(channels, 16)`, to `totals`, `(channels)`, in f64 and
/// in order. 1 FLOP, 4 bytes a lane.
pub fn fold_lanes(lanes: &[f32], live: usize, totals: &mut [f64]) {
    assert_eq!(lanes.len(), totals.len() * LANES, "16 lanes a channel");
    for (lanes, total) in lanes.chunks_exact(LANES).zip(totals) {
        *total += lanes[..live.min(LANES)]
            .iter()
            .map(|&x| f64::from(x))
            .sum::<f64>();
    }
}

/// Gathers the sums of values that no convolution wrote, `(pixels, channels, 16)`, lane by lane
/// over pixels in order. 4 FLOPs, 4 bytes a number.
pub fn gather(isa: Isa, values: &[f32], sums: Sums<'_>) {
    let channels = sums.shift.len();
    assert!(
        channels > 0 && values.len().is_multiple_of(channels * LANES),
        "whole pixels"
    );
    assert_eq!(sums.sum.len(), channels * LANES, "sums of every channel");
    assert_eq!(
        sums.square.len(),
        channels * LANES,
        "squares of every channel"
    );
    dispatch!(isa, gather_all(values: &[f32], sums: Sums<'_>));
}

#[inline(always)]
unsafe fn gather_all<V: Vector>(values: &[f32], sums: Sums<'_>) {
    let pixel = sums.shift.len() * LANES;
    for lane in (0..pixel).step_by(V::LANES) {
        let shift = V::splat(*sums.shift.as_ptr().add(lane / LANES));
        let mut sum = V::load(sums.sum.as_ptr().add(lane));
        let mut square = V::load(sums.square.as_ptr().add(lane));
        for at in (lane..values.len()).step_by(pixel) {
            let x = V::load(values.as_ptr().add(at)).sub(shift);
            sum = sum.add(x);
            square = x.mul_add(x, square);
        }
        sum.store(sums.sum.as_mut_ptr().add(lane));
        square.store(sums.square.as_mut_ptr().add(lane));
    }
}

/// Mean and (biased) variance of a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// μ.
    pub mean: f64,
    /// σ², divided by the count.
    pub variance: f64,
}

impl Moments {
    /// From the sums over `count` values of `x − shift` and of its square.
    pub fn from_sums(sum: f64, square: f64, count: f64, shift: f32) -> Self {
        let offset = sum / count;
        // `max` would turn what is not a number into 0.
        let variance = square / count - offset * offset;
        let variance = if variance < 0.0 { 0.0 } else { variance };
        Self {
            mean: f64::from(shift) + offset,
            variance,
        }
    }

    /// `scale` and `shift` of `γ (x − μ)/√(σ² + ε) + β = scale · x + shift`.
    pub fn affine(&self, weight: f32, bias: f32, epsilon: f64) -> (f32, f32) {
        let scale = f64::from(weight) / (self.variance + epsilon).sqrt();
        (scale as f32, (f64::from(bias) - self.mean * scale) as f32)
    }
}

/// Gradients of a channel's γ and β, and the coefficients of the gradient before the norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backward {
    /// d/dγ.
    pub grad_weight: f32,
    /// d/dβ.
    pub grad_bias: f32,
    /// Factor of the gradient after the norm.
    pub of_gradient: f32,
    /// Factor of the norm's input, less its mean.
    pub of_input: f32,
    /// Summand.
    pub constant: f32,
}

/// With `g` the gradient after the norm, `x̂ = (x − μ)/√(σ² + ε)` and means over the batch,
/// `dx = γ/√(σ² + ε) · (g − mean(g) − x̂ · mean(g x̂))`, written as coefficients of `g` and `x − μ`.
/// `sum` is Σ g and `dot` is Σ g (x − μ) over `count` values (Ioffe, Szegedy 2015, section 3, with
/// the chain rule written out). A dozen FLOPs a channel.
pub fn backward(
    moments: Moments,
    weight: f32,
    epsilon: f64,
    sum: f64,
    dot: f64,
    count: f64,
) -> Backward {
    let inverse = 1.0 / (moments.variance + epsilon).sqrt();
    let scale = f64::from(weight) * inverse;
    let of_input = -scale * inverse * inverse * dot / count;
    Backward {
        grad_weight: (dot * inverse) as f32,
        grad_bias: sum as f32,
        of_gradient: scale as f32,
        of_input: of_input as f32,
        constant: (-scale * sum / count) as f32,
    }
}

#[cfg(test)]
mod tests;
