//! Weights at the 36 points, in the order in which they are read:
//! `(points)(tiles of output channels)(inputs)(tile)` for each group of channels.
//!
//! Computed in `f64` and rounded once, eight pairs of channels at a time. Cost: about 330 FLOPs a
//! pair of channels.

use super::super::Conv2dShape;
use super::super::pack::tile_width;
use super::transform::{POINTS_AT, SCALES};
use super::{PATCH, POINTS};
use crate::Isa;
use crate::vector::{Vector, dispatch};

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
    let groups = packed.chunks_exact_mut(outputs * inputs * POINTS);
    for (group, packed) in groups.enumerate() {
        let first = group * outputs;
        let source = Source {
            weight: &weight[first * inputs * TAPS..][..outputs * inputs * TAPS],
            scale: scale.map(|scale| &scale[first..first + outputs]),
            outputs,
            inputs,
            output_step: inputs * TAPS,
            input_step: TAPS,
            turned: false,
        };
        dispatch!(isa, pack(source: Source<'_>, packed: &mut [f32]));
    }
}

/// Packs a weight for the gradient with respect to the input: inputs and outputs change their
/// parts, and the kernel is turned around.
pub fn backward(isa: Isa, shape: &Conv2dShape, weight: &[f32], packed: &mut [f32]) {
    check(shape, weight, packed);
    let (inputs, outputs) = (shape.group_in(), shape.group_out());
    let groups = packed.chunks_exact_mut(outputs * inputs * POINTS);
    for (group, packed) in groups.enumerate() {
        let first = group * outputs;
        let source = Source {
            weight: &weight[first * inputs * TAPS..][..outputs * inputs * TAPS],
            scale: None,
            outputs: inputs,
            inputs: outputs,
            output_step: TAPS,
            input_step: inputs * TAPS,
            turned: true,
        };
        dispatch!(isa, pack(source: Source<'_>, packed: &mut [f32]));
    }
}

/// Taps of a kernel.
const TAPS: usize = 9;
/// Output channels that are transformed together.
const WIDTH: usize = 8;

/// The weights of one group, as they are read.
#[derive(Clone, Copy)]
struct Source<'a> {
    weight: &'a [f32],
    scale: Option<&'a [f32]>,
    outputs: usize,
    inputs: usize,
    /// Floats from one output channel's taps to the next one's, and from one input channel's.
    output_step: usize,
    input_step: usize,
    /// Whether the taps are read from last to first.
    turned: bool,
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

/// Input channels whose points are gathered before they are written: pieces of whole cache lines,
/// where one at a time would write 36 places that push each other out of the cache.
const GATHERED: usize = 8;

#[inline(always)]
unsafe fn pack<V: Vector>(source: Source<'_>, packed: &mut [f32]) {
    let pairs = source.outputs * source.inputs;
    let mut gathered = [[0.0; GATHERED * WIDTH]; POINTS];
    let mut first = 0;
    while first < source.outputs {
        let width = tile_width(source.outputs - first, V::TILE);
        for first_in in (0..source.inputs).step_by(GATHERED) {
            let count = GATHERED.min(source.inputs - first_in);
            for input in 0..count {
                let points = at_points(source.taps(first, width, first_in + input));
                for (to, values) in gathered.iter_mut().zip(points.as_flattened()) {
                    let to = &mut to[input * width..][..width];
                    for (to, value) in to.iter_mut().zip(values) {
                        *to = *value as f32;
                    }
                }
            }
            let to = first * source.inputs + first_in * width;
            for (point, values) in gathered.iter().enumerate() {
                packed[point * pairs + to..][..count * width]
                    .copy_from_slice(&values[..count * width]);
            }
        }
        first += width;
    }
}

impl Source<'_> {
    /// The taps of up to eight output channels for one input channel, tap by tap.
    #[inline(always)]
    fn taps(&self, first: usize, width: usize, input: usize) -> [[f64; WIDTH]; TAPS] {
        let mut taps = [[0.0; WIDTH]; TAPS];
        for k in 0..width {
            let from = (first + k) * self.output_step + input * self.input_step;
            let scale = self.scale.map_or(1.0, |scale| f64::from(scale[first + k]));
            for (place, &w) in self.weight[from..][..TAPS].iter().enumerate() {
                let place = if self.turned { TAPS - 1 - place } else { place };
                taps[place][k] = scale * f64::from(w);
            }
        }
        taps
    }
}

/// `G g Gᵀ` of eight kernels.
#[inline(always)]
fn at_points(taps: [[f64; WIDTH]; TAPS]) -> [[[f64; WIDTH]; PATCH]; PATCH] {
    let mut rows = [[[0.0; WIDTH]; PATCH]; 3];
    for (row, points) in rows.iter_mut().enumerate() {
        *points = filter(taps[3 * row], taps[3 * row + 1], taps[3 * row + 2]);
    }
    let mut points = [[[0.0; WIDTH]; PATCH]; PATCH];
    for column in 0..PATCH {
        let down = filter(rows[0][column], rows[1][column], rows[2][column]);
        for (row, values) in points.iter_mut().zip(down) {
            row[column] = values;
        }
    }
    points
}

/// `G g`: three taps at the six points.
#[inline(always)]
fn filter(g0: [f64; WIDTH], g1: [f64; WIDTH], g2: [f64; WIDTH]) -> [[f64; WIDTH]; PATCH] {
    let mut at = [[0.0; WIDTH]; PATCH];
    for (i, p) in POINTS_AT.into_iter().enumerate() {
        let scale = 1.0 / SCALES[i.div_ceil(2)];
        for k in 0..WIDTH {
            at[i][k] = (g0[k] + p * (g1[k] + p * g2[k])) * scale;
        }
    }
    at[PATCH - 1] = g2;
    at
}
