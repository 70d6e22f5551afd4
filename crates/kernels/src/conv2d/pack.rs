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
    let mut to = packed.iter_mut();
    let mut first = 0;
    while first < outputs {
        let width = tile_width(outputs - first, tile);
        for place in 0..places {
            for input in 0..inputs {
                for (output, to) in (first..first + width).zip(&mut to) {
                    *to = weight(output, input, place);
                }
            }
        }
        first += width;
    }
}

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
        pack(tile, (inputs, outputs, places), packed, |i, o, place| {
            weight[((group * outputs + o) * inputs + i) * places + place]
        });
    }
}
