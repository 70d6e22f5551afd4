//! Ops that are linear in their input, or next to: constant factors, gates, pools, reshapes. Of one
//! group of images, `(H, W, C, 16)`.
//!
//! A linear op's tangent is the op itself, and the gradient's tangent its transpose, so that one
//! pair of functions serves all four passes.

use reslab_kernels::LANES;

use crate::network::{MaxPool, Shape};

/// `to = from · factor`.
pub(super) fn scale(factor: f32, from: &[f32], to: &mut [f32]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from * factor;
    }
}

/// Mean over pixels, `(C, 16)`.
pub(super) fn average(shape: Shape, from: &[f32], to: &mut [f32]) {
    let pixel = shape.channels * LANES;
    let share = 1.0 / (shape.height * shape.width) as f32;
    to.fill(0.0);
    for from in from.chunks_exact(pixel) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
    to.iter_mut().for_each(|to| *to *= share);
}

/// Its transpose: every pixel gets its share.
pub(super) fn spread(shape: Shape, from: &[f32], to: &mut [f32]) {
    let share = 1.0 / (shape.height * shape.width) as f32;
    for to in to.chunks_exact_mut(shape.channels * LANES) {
        scale(share, from, to);
    }
}

/// An image to a vector in PyTorch's order: channel, row, column.
pub(super) fn flatten(shape: Shape, from: &[f32], to: &mut [f32]) {
    let pixels = shape.height * shape.width;
    for (at, from) in from.chunks_exact(LANES).enumerate() {
        let (pixel, channel) = (at / shape.channels, at % shape.channels);
        to[(channel * pixels + pixel) * LANES..][..LANES].copy_from_slice(from);
    }
}

/// Its transpose.
pub(super) fn unflatten(shape: Shape, from: &[f32], to: &mut [f32]) {
    let pixels = shape.height * shape.width;
    for (at, to) in to.chunks_exact_mut(LANES).enumerate() {
        let (pixel, channel) = (at / shape.channels, at % shape.channels);
        to.copy_from_slice(&from[(channel * pixels + pixel) * LANES..][..LANES]);
    }
}

/// Pairs of places, in floats, of pixels that option A copies: in the input, and in the output
/// after `before` channels of zeros.
fn kept(
    input: Shape,
    output: Shape,
    stride: usize,
    before: usize,
) -> impl Iterator<Item = (usize, usize)> {
    (0..output.height * output.width).map(move |pixel| {
        let (y, x) = (pixel / output.width, pixel % output.width);
        let from = (y * stride * input.width + x * stride) * input.channels * LANES;
        (from, (pixel * output.channels + before) * LANES)
    })
}

/// Option A of He et al. 2015: every `stride`-th pixel, among channels of zeros.
pub(super) fn subsample(
    (input, output): (Shape, Shape),
    (stride, before): (usize, usize),
    from: &[f32],
    to: &mut [f32],
) {
    to.fill(0.0);
    let len = input.channels * LANES;
    for (source, target) in kept(input, output, stride, before) {
        to[target..target + len].copy_from_slice(&from[source..source + len]);
    }
}

/// Its transpose.
pub(super) fn subsample_back(
    (input, output): (Shape, Shape),
    (stride, before): (usize, usize),
    from: &[f32],
    to: &mut [f32],
) {
    to.fill(0.0);
    let len = input.channels * LANES;
    for (target, source) in kept(input, output, stride, before) {
        to[target..target + len].copy_from_slice(&from[source..source + len]);
    }
}

/// Runs `body(place in the input, place in the output, number of the place)` for each pixel under
/// each window, in the order in which equals are decided; places in floats.
fn windows(
    pool: MaxPool,
    (input, output): (Shape, Shape),
    mut body: impl FnMut(usize, usize, f32),
) {
    let pixel = input.channels * LANES;
    let side = |at: usize, place: usize, length: usize| {
        (at * pool.stride + place)
            .checked_sub(pool.padding)
            .filter(|&at| at < length)
    };
    for y in 0..output.height {
        for x in 0..output.width {
            for place in 0..pool.kernel * pool.kernel {
                let row = side(y, place / pool.kernel, input.height);
                let column = side(x, place % pool.kernel, input.width);
                if let (Some(row), Some(column)) = (row, column) {
                    let from = (row * input.width + column) * pixel;
                    body(from, (y * output.width + x) * pixel, place as f32);
                }
            }
        }
    }
}

/// The largest number of each window, and where it was: the first of equals.
pub(super) fn max_pool(
    pool: MaxPool,
    shapes: (Shape, Shape),
    from: &[f32],
    to: &mut [f32],
    places: &mut [f32],
) {
    to.fill(f32::NEG_INFINITY);
    places.fill(0.0);
    let pixel = shapes.0.channels * LANES;
    windows(pool, shapes, |source, target, place| {
        let from = &from[source..source + pixel];
        let to = &mut to[target..target + pixel];
        let places = &mut places[target..target + pixel];
        for ((&value, most), noted) in from.iter().zip(to).zip(places) {
            let larger = value > *most || value.is_nan();
            *most = if larger { value } else { *most };
            *noted = if larger { place } else { *noted };
        }
    });
}

/// What lies where the largest numbers were.
pub(super) fn picked(
    pool: MaxPool,
    shapes: (Shape, Shape),
    places: &[f32],
    from: &[f32],
    to: &mut [f32],
) {
    to.fill(0.0);
    let pixel = shapes.0.channels * LANES;
    windows(pool, shapes, |source, target, place| {
        let from = &from[source..source + pixel];
        let to = &mut to[target..target + pixel];
        let places = &places[target..target + pixel];
        for ((&value, to), &noted) in from.iter().zip(to).zip(places) {
            *to = if noted == place { value } else { *to };
        }
    });
}

/// Its transpose.
pub(super) fn picked_back(
    pool: MaxPool,
    shapes: (Shape, Shape),
    places: &[f32],
    from: &[f32],
    to: &mut [f32],
) {
    to.fill(0.0);
    let pixel = shapes.0.channels * LANES;
    windows(pool, shapes, |target, source, place| {
        let from = &from[source..source + pixel];
        let to = &mut to[target..target + pixel];
        let places = &places[source..source + pixel];
        for ((&value, to), &noted) in from.iter().zip(to).zip(places) {
            *to += if noted == place { value } else { 0.0 };
        }
    });
}

/// What a gate `y = v s` is differentiated with: its factor `s = σ(± l)`, what it multiplies, and the
/// sign of its logits.
#[derive(Clone, Copy)]
pub(super) struct Gated<'a> {
    pub factor: &'a [f32],
    pub value: &'a [f32],
    pub sign: f32,
}

impl Gated<'_> {
    /// s, s′ and s″ with respect to the logit, and v.
    fn at(&self, at: usize) -> (f32, f32, f32, f32) {
        let s = self.factor[at];
        let slope = s * (1.0 - s);
        (
            s,
            self.sign * slope,
            slope * (1.0 - 2.0 * s),
            self.value[at],
        )
    }

    /// `ẏ = v̇ s + v s′ l̇`.
    pub fn tangent(&self, value: &[f32], logits: &[f32], to: &mut [f32]) {
        for (at, to) in to.iter_mut().enumerate() {
            let (s, slope, _, v) = self.at(at);
            *to = value[at] * s + v * slope * logits[at];
        }
    }

    /// `v̄ = ȳ s` and `l̄ = ȳ v s′`.
    pub fn backward(&self, gradient: &[f32], value: &mut [f32], logits: &mut [f32]) {
        for (at, &g) in gradient.iter().enumerate() {
            let (s, slope, _, v) = self.at(at);
            value[at] = g * s;
            logits[at] = g * v * slope;
        }
    }

    /// Their tangents, from those of ȳ, v and l.
    pub fn backward_tangent(
        &self,
        gradient: &[f32],
        [of_gradient, of_value, of_logits]: [&[f32]; 3],
        value: &mut [f32],
        logits: &mut [f32],
    ) {
        for (at, &g) in gradient.iter().enumerate() {
            let (s, slope, bend, v) = self.at(at);
            let (dg, dv, dl) = (of_gradient[at], of_value[at], of_logits[at]);
            value[at] = dg * s + g * slope * dl;
            logits[at] = (dg * v + g * dv) * slope + g * v * bend * dl;
        }
    }
}
