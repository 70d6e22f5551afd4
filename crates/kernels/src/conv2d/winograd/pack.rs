//! Weights at the 36 points, in the order in which they are read:
//! `(points)(tiles of output channels)(inputs)(tile)` for each group of channels.
//!
//! Computed in `f64` and rounded once. Cost: about 330 FLOPs a pair of channels.

use super::super::Conv2dShape;
use super::super::pack::{tile, tile_width};
use super::transform::filter;
use super::{PATCH, POINTS};
use crate::Isa;

/// Floats of the packed weights of all groups.
pub const fn packed_len(shape: &Conv2dShape) -> usize {
    shape.out_channels * shape.group_in() * POINTS
}

/// Packs a weight `(out, in / groups, 3, 3)` for the forward pass. With `scale`, output channel `o`
/// is multiplied by `scale[o]` (batch norm folded into the convolution).
pub fn forward(
    isa: Isa,
    shape: &Conv2dShape,
    weight: &[f32],
    scale: Option<&[f32]>,
    packed: &mut [f32],
) {
    check(shape, weight, packed);
    assert!(
        scale.is_none_or(|s| s.len() == shape.out_channels),
        "scale of {shape:?}"
    );
    let (inputs, outputs) = (shape.group_in(), shape.group_out());
    for (group, packed) in packed
        .chunks_exact_mut(outputs * inputs * POINTS)
        .enumerate()
    {
        pack(tile(isa), outputs, inputs, packed, |o, i| {
            let output = group * outputs + o;
            let taps = &weight[(output * inputs + i) * 9..][..9];
            let scale = scale.map_or(1.0, |s| f64::from(s[output]));
            std::array::from_fn(|place| scale * f64::from(taps[place]))
        });
    }
}

/// Packs a weight for the gradient with respect to the input: inputs and outputs change their
/// parts, and the kernel is turned around.
pub fn backward(isa: Isa, shape: &Conv2dShape, weight: &[f32], packed: &mut [f32]) {
    check(shape, weight, packed);
    let (inputs, outputs) = (shape.group_in(), shape.group_out());
    for (group, packed) in packed
        .chunks_exact_mut(outputs * inputs * POINTS)
        .enumerate()
    {
        pack(tile(isa), inputs, outputs, packed, |i, o| {
            let taps = &weight[((group * outputs + o) * inputs + i) * 9..][..9];
            std::array::from_fn(|place| f64::from(taps[8 - place]))
        });
    }
}

fn check(shape: &Conv2dShape, weight: &[f32], packed: &[f32]) {
    assert!(super::fits(shape), "a 3×3 convolution, not {shape:?}");
    assert_eq!(weight.len(), shape.weight_len(), "weight of {shape:?}");
    assert_eq!(
        packed.len(),
        packed_len(shape),
        "packed weight of {shape:?}"
    );
}

fn pack(
    tile: usize,
    outputs: usize,
    inputs: usize,
    packed: &mut [f32],
    taps: impl Fn(usize, usize) -> [f64; 9],
) {
    let mut first = 0;
    while first < outputs {
        let width = tile_width(outputs - first, tile);
        for k in 0..width {
            for input in 0..inputs {
                let points = at_points(taps(first + k, input));
                let to = first * inputs + input * width + k;
                for (point, value) in points.into_iter().flatten().enumerate() {
                    packed[point * outputs * inputs + to] = value as f32;
                }
            }
        }
        first += width;
    }
}

/// `G g Gᵀ`.
fn at_points(taps: [f64; 9]) -> [[f64; PATCH]; PATCH] {
    let rows: [[f64; PATCH]; 3] =
        std::array::from_fn(|row| filter([taps[3 * row], taps[3 * row + 1], taps[3 * row + 2]]));
    let mut points = [[0.0; PATCH]; PATCH];
    for column in 0..PATCH {
        let down = filter([rows[0][column], rows[1][column], rows[2][column]]);
        for (row, value) in points.iter_mut().zip(down) {
            row[column] = value;
        }
    }
    points
}
