//! Weights in the order in which the row kernel reads them.
//!
//! Packed, for each group of channels: `(tiles of output channels)(kernel places)(inputs)(tile)`,
//! with tiles as wide as the instruction set's kernel, then halves for what is left.

use super::Conv2dShape;
use crate::Isa;
use crate::vector::{Vector, dispatch};

#[inline(always)]
unsafe fn tile_of<V: Vector>() -> usize {
    V::TILE
}

/// Output channels the row kernel computes at once.
pub(super) fn tile(isa: Isa) -> usize {
    dispatch!(isa, tile_of() -> usize)
}

/// Width of the tile that starts where `left` channels remain.
#[inline(always)]
pub(super) fn tile_width(left: usize, tile: usize) -> usize {
    let mut width = tile;
    while width > left {
        width /= 2;
    }
    width
}

/// Packs `outputs × inputs × places` numbers, each found by `weight(output, input, place)`.
fn pack(
    tile: usize,
    (outputs, inputs, places): (usize, usize, usize),
    packed: &mut [f32],
    weight: impl Fn(usize, usize, usize) -> f32,
) {
    let mut first = 0;
    while first < outputs {
        let width = tile_width(outputs - first, tile);
        let packed = &mut packed[first * inputs * places..][..width * inputs * places];
        // Few inputs at a time, all places of them: so the weight, in which places lie side by
        // side, is read from the nearest cache.
        for first_in in (0..inputs).step_by(GATHERED) {
            let some = first_in..(first_in + GATHERED).min(inputs);
            for place in 0..places {
                let to = &mut packed[(place * inputs + first_in) * width..][..some.len() * width];
                for (input, to) in some.clone().zip(to.chunks_exact_mut(width)) {
                    for (output, to) in (first..first + width).zip(to) {
                        *to = weight(output, input, place);
                    }
                }
            }
        }
        first += width;
    }
}

/// Input channels whose weights are packed at a time.
const GATHERED: usize = 16;

/// Packs a weight `(out, in / groups, k, k)` for the forward pass. With `scale`, output channel `o`
/// is multiplied by `scale[o]` (batch norm folded into the convolution).
pub fn forward(
    isa: Isa,
    shape: &Conv2dShape,
    weight: &[f32],
    scale: Option<&[f32]>,
    packed: &mut [f32],
) {
    let (inputs, outputs, places) = (shape.group_in(), shape.group_out(), shape.places());
    assert_eq!(weight.len(), shape.weight_len(), "weight of {shape:?}");
    assert_eq!(
        packed.len(),
        shape.weight_len(),
        "packed weight of {shape:?}"
    );
    assert!(
        scale.is_none_or(|s| s.len() == shape.out_channels),
        "scale of {shape:?}"
    );
    let tile = tile(isa);
    for (group, packed) in packed
        .chunks_exact_mut(outputs * inputs * places)
        .enumerate()
    {
        let first = group * outputs;
        let value =
            |o: usize, i: usize, place: usize| weight[((first + o) * inputs + i) * places + place];
        match scale {
            None if places == 1 => {
                pack_columns(
                    tile,
                    inputs,
                    &weight[first * inputs..][..outputs * inputs],
                    packed,
                );
            }
            None => pack(tile, (outputs, inputs, places), packed, value),
            Some(scale) => pack(tile, (outputs, inputs, places), packed, |o, i, place| {
                value(o, i, place) * scale[first + o]
            }),
        }
    }
}

/// Packs a weight `(out, in / groups, k, k)` for the gradient with respect to the input: inputs
/// and outputs change their parts, places stay.
pub fn backward(isa: Isa, shape: &Conv2dShape, weight: &[f32], packed: &mut [f32]) {
    let (inputs, outputs, places) = (shape.group_in(), shape.group_out(), shape.places());
    assert_eq!(weight.len(), shape.weight_len(), "weight of {shape:?}");
    assert_eq!(
        packed.len(),
        shape.weight_len(),
        "packed weight of {shape:?}"
    );
    let tile = tile(isa);
    for (group, packed) in packed
        .chunks_exact_mut(outputs * inputs * places)
        .enumerate()
    {
        let weight = &weight[group * outputs * inputs * places..][..outputs * inputs * places];
        if places == 1 {
            pack_rows(tile, inputs, weight, packed);
            continue;
        }
        pack(tile, (inputs, outputs, places), packed, |i, o, place| {
            weight[(o * inputs + i) * places + place]
        });
    }
}

/// [`pack`] for kernels of one place, where a tile's channels lie side by side.
fn pack_rows(tile: usize, channels: usize, weight: &[f32], packed: &mut [f32]) {
    let rows = weight.len() / channels;
    let mut first = 0;
    while first < channels {
        let width = tile_width(channels - first, tile);
        let to = packed[first * rows..].chunks_exact_mut(width);
        for (to, row) in to.zip(weight.chunks_exact(channels)) {
            to.copy_from_slice(&row[first..first + width]);
        }
        first += width;
    }
}

/// [`pack`] for kernels of one place, where a tile's channels lie one below the other.
fn pack_columns(tile: usize, inputs: usize, weight: &[f32], packed: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let mut first = 0;
    while first < outputs {
        let width = tile_width(outputs - first, tile);
        let rows = &weight[first * inputs..][..width * inputs];
        let to = &mut packed[first * inputs..][..width * inputs];
        match width {
            8 => turn::<8>(inputs, rows, to),
            4 => turn::<4>(inputs, rows, to),
            2 => turn::<2>(inputs, rows, to),
            _ => to.copy_from_slice(rows),
        }
        first += width;
    }
}

/// Transposes `WIDTH × inputs` numbers.
fn turn<const WIDTH: usize>(inputs: usize, rows: &[f32], to: &mut [f32]) {
    let rows: [&[f32]; WIDTH] = std::array::from_fn(|k| &rows[k * inputs..][..inputs]);
    for (i, to) in to.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        for (to, row) in to.iter_mut().zip(rows) {
            *to = row[i];
        }
    }
}
