//! One or several rows of output pixels: the register kernel.
//!
//! A tile of `P` pixels × `K` channels × 16 images is kept in registers while taps and input
//! channels run: `P` loads of images and `K` broadcast weights feed `P K` fused multiply-adds.

use super::Tap;
use super::pack::tile_width;
use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// Sizes of a row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Channels that are read at each tap.
    pub in_channels: usize,
    /// Channels that are written.
    pub out_channels: usize,
    /// Places of the kernel for which weights are packed.
    pub places: usize,
    /// Pixels that are written.
    pub pixels: usize,
    /// Floats from one output pixel's input to the next one's.
    pub in_step: usize,
    /// Floats from one output pixel to the next.
    pub out_step: usize,
}

/// One of several rows that are written together: its taps among all, and its first output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First of its taps.
    pub first_tap: usize,
    /// How many there are.
    pub taps: usize,
    /// Offset of its first output pixel, in floats.
    pub output: usize,
}

/// Sums over pixels of what is written, lane by lane: for each channel 16 sums of `y − shift` and
/// of `(y − shift)²`. The shift keeps the second from drowning the variance.
#[derive(Debug)]
pub struct Sums<'a> {
    /// Near the mean, for each channel.
    pub shift: &'a [f32],
    /// `channels × 16`, added to.
    pub sum: &'a mut [f32],
    /// `channels × 16`, added to.
    pub square: &'a mut [f32],
}

/// Pointers of a row whose sizes have been checked.
#[derive(Clone, Copy)]
struct Raw {
    row: Row,
    input: *const f32,
    taps: *const Tap,
    tap_count: usize,
    weights: *const f32,
    bias: *const f32,
    output: *mut f32,
    shift: *const f32,
    sum: *mut f32,
    square: *mut f32,
}

/// Writes one row of a convolution.
///
/// `input` holds, at each tap's offset plus `x · in_step`, `in_channels × 16` floats. `weights` are
/// those of [`super::pack`] for one group. `output` gets `out_channels × 16` floats at `x · out_step`.
pub fn row(
    isa: Isa,
    row: Row,
    input: &[f32],
    taps: &[Tap],
    weights: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    sums: Option<Sums<'_>>,
) {
    let span = Span {
        first_tap: 0,
        taps: taps.len(),
        output: 0,
    };
    rows(isa, row, input, taps, &[span], weights, bias, output, sums);
}

/// Writes several rows, of one or of several groups of images, for each tile of channels: weights
/// that no near cache holds are read once for all of them.
pub fn rows(
    isa: Isa,
    row: Row,
    input: &[f32],
    taps: &[Tap],
    spans: &[Span],
    weights: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    sums: Option<Sums<'_>>,
) {
    if row.pixels == 0 {
        return;
    }
    let reach = (row.pixels - 1) * row.in_step + row.in_channels * LANES;
    for tap in taps {
        assert!(tap.place < row.places, "a tap outside of the kernel");
        assert!(
            tap.input + reach <= input.len(),
            "a tap reaches past the input"
        );
    }
    assert_eq!(
        weights.len(),
        row.places * row.in_channels * row.out_channels,
        "packed weights"
    );
    let end = (row.pixels - 1) * row.out_step + row.out_channels * LANES;
    for span in spans {
        assert!(
            span.first_tap + span.taps <= taps.len(),
            "a row past the taps"
        );
        assert!(
            span.output + end <= output.len(),
            "a row longer than its output"
        );
    }
    assert!(
        bias.is_none_or(|b| b.len() == row.out_channels),
        "one bias a channel"
    );
    let mut raw = Raw {
        row,
        input: input.as_ptr(),
        taps: taps.as_ptr(),
        tap_count: 0,
        weights: weights.as_ptr(),
        bias: bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
        output: output.as_mut_ptr(),
        shift: std::ptr::null(),
        sum: std::ptr::null_mut(),
        square: std::ptr::null_mut(),
    };
    if let Some(sums) = sums {
        assert_eq!(sums.shift.len(), row.out_channels, "one shift a channel");
        assert_eq!(
            sums.sum.len(),
            row.out_channels * LANES,
            "sums of every channel"
        );
        assert_eq!(
            sums.square.len(),
            row.out_channels * LANES,
            "squares of every channel"
        );
        raw.shift = sums.shift.as_ptr();
        raw.sum = sums.sum.as_mut_ptr();
        raw.square = sums.square.as_mut_ptr();
    }
    dispatch!(isa, all_tiles(raw: Raw, spans: &[Span]));
}

#[inline(always)]
unsafe fn all_tiles<V: Vector>(raw: Raw, spans: &[Span]) {
    let mut channel = 0;
    while channel < raw.row.out_channels {
        let width = tile_width(raw.row.out_channels - channel, V::TILE);
        for span in spans {
            let raw = Raw {
                taps: raw.taps.add(span.first_tap),
                tap_count: span.taps,
                output: raw.output.add(span.output),
                ..raw
            };
            for lane in (0..LANES).step_by(V::LANES) {
                let at = Place { channel, lane };
                match (width, V::LANES) {
                    (8, _) => pixels::<V, 8, 3>(&raw, at),
                    (4, 16) => pixels::<V, 4, 6>(&raw, at),
                    (4, _) => pixels::<V, 4, 2>(&raw, at),
                    (2, 16) => pixels::<V, 2, 6>(&raw, at),
                    (2, _) => pixels::<V, 2, 4>(&raw, at),
                    _ => pixels::<V, 1, 6>(&raw, at),
                }
            }
        }
        channel += width;
    }
}

/// First channel of a tile, and first lane of a part of the group.
#[derive(Clone, Copy)]
struct Place {
    channel: usize,
    lane: usize,
}

/// All pixels of one tile of channels: `P` at a time, then fewer.
#[inline(always)]
unsafe fn pixels<V: Vector, const K: usize, const P: usize>(raw: &Raw, at: Place) {
    let end = raw.row.pixels;
    let mut x = 0;
    while x + P <= end {
        tile::<V, K, P>(raw, at, x);
        x += P;
    }
    match end - x {
        0 => {}
        1 => tile::<V, K, 1>(raw, at, x),
        2 => tile::<V, K, 2>(raw, at, x),
        3 => tile::<V, K, 3>(raw, at, x),
        4 => tile::<V, K, 4>(raw, at, x),
        _ => {
            tile::<V, K, 4>(raw, at, x);
            tile::<V, K, 1>(raw, at, x + 4);
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Vector, const K: usize, const P: usize>(raw: &Raw, at: Place, x: usize) {
    let row = raw.row;
    let mut sums = [[V::zero(); K]; P];
    if !raw.bias.is_null() {
        for k in 0..K {
            let bias = V::splat(*raw.bias.add(at.channel + k));
            for sums in &mut sums {
                sums[k] = bias;
            }
        }
    }
    let weights = raw.weights.add(row.places * row.in_channels * at.channel);
    let input = raw.input.add(x * row.in_step + at.lane);
    for tap in 0..raw.tap_count {
        let tap = *raw.taps.add(tap);
        let mut weight = weights.add(tap.place * row.in_channels * K);
        let mut from = input.add(tap.input);
        for _ in 0..row.in_channels {
            let mut images = [V::zero(); P];
            for (p, images) in images.iter_mut().enumerate() {
                *images = V::load(from.add(p * row.in_step));
            }
            for k in 0..K {
                let w = V::splat(*weight.add(k));
                for p in 0..P {
                    sums[p][k] = images[p].mul_add(w, sums[p][k]);
                }
            }
            weight = weight.add(K);
            from = from.add(LANES);
        }
    }
    let output = raw
        .output
        .add(x * row.out_step + at.channel * LANES + at.lane);
    for (p, sums) in sums.iter().enumerate() {
        for (k, sum) in sums.iter().enumerate() {
            sum.store(output.add(p * row.out_step + k * LANES));
        }
    }
    if !raw.sum.is_null() {
        add_sums(raw, at, &sums);
    }
}

#[inline(always)]
unsafe fn add_sums<V: Vector, const K: usize, const P: usize>(
    raw: &Raw,
    at: Place,
    outputs: &[[V; K]; P],
) {
    for k in 0..K {
        let shift = V::splat(*raw.shift.add(at.channel + k));
        let to = (at.channel + k) * LANES + at.lane;
        let mut sum = V::load(raw.sum.add(to));
        let mut square = V::load(raw.square.add(to));
        for outputs in outputs {
            let y = outputs[k].sub(shift);
            sum = sum.add(y);
            square = y.mul_add(y, square);
        }
        sum.store(raw.sum.add(to));
        square.store(raw.square.add(to));
    }
}
