//! Convolutions of one group of sixteen images, over one input or over two at once.
//!
//! `conv(ẋ, w) + conv(x, ẇ)` is one convolution of twice the channels: the inputs lie side by side
//! in the padded rows that a kernel reads, `(ẋ, x)` within each group of channels, and so do the
//! packed weights. The same holds for the gradient with respect to the input, with `(ġ, g)` in the
//! place of the output's channels. So tangents run on the engine's kernels, tiles included, and
//! nothing is written and read back between the two terms.

use reslab_kernels::conv2d::backward_weight::{Pair, transpose};
use reslab_kernels::conv2d::row::row;
use reslab_kernels::conv2d::winograd::strip::{Strip, strip};
use reslab_kernels::conv2d::winograd::{self, POINTS, TILE};
use reslab_kernels::conv2d::{Conv2dShape, Tap, pack};
use reslab_kernels::{Ahead, Buffer, Isa, LANES};

use crate::engine::geometry::{Geometry, Ring};

/// How a convolution is computed for one and for two sources.
#[derive(Debug)]
pub(super) struct ConvPlan {
    pub shape: Conv2dShape,
    forward: [Geometry; 2],
    pub(super) backward: [Geometry; 2],
}

/// Reads rows: given the place of some in the whole, and the rows.
pub(super) type Reader<'b> = dyn FnMut(usize, &[f32]) + 'b;

/// Where a convolution's rows go.
pub(super) struct Output<'a, 'b> {
    /// The whole of them, `(H, W, C, 16)`, where it is kept.
    pub kept: Option<&'a mut [f32]>,
    /// Who reads them while they are near.
    pub next: Option<&'a mut Reader<'b>>,
}

impl Output<'_, '_> {
    /// Has some rows written, from a place of the whole on.
    fn write(&mut self, at: usize, len: usize, scratch: &mut [f32], rows: impl FnOnce(&mut [f32])) {
        let to = match &mut self.kept {
            Some(kept) => &mut kept[at..at + len],
            None => &mut scratch[..len],
        };
        rows(to);
        if let Some(next) = &mut self.next {
            next(at, to);
        }
    }
}

/// Memory of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub inputs: Buffer,
    pub gradients: Buffer,
    pub row: Buffer,
    pub strip: Buffer,
    pub transformed: Buffer,
    pub accumulators: Buffer,
    pub taps: Vec<Tap>,
    pub pairs: Vec<Pair>,
}

impl Scratch {
    /// Enough for each of some convolutions.
    pub fn new<'a>(plans: impl Iterator<Item = &'a ConvPlan>) -> Self {
        let mut most = [0; 6];
        for plan in plans {
            for (most, len) in most.iter_mut().zip(plan.scratch()) {
                *most = len.max(*most);
            }
        }
        let [inputs, gradients, row, strip, transformed, accumulators] = most.map(Buffer::zeros);
        Self {
            inputs,
            gradients,
            row,
            strip,
            transformed,
            accumulators,
            taps: Vec::new(),
            pairs: Vec::new(),
        }
    }
}

impl ConvPlan {
    pub fn new(shape: Conv2dShape) -> Self {
        let geometry = |shape: Conv2dShape| Geometry::of_shape(&shape, 1, winograd::pays(&shape));
        Self {
            shape,
            forward: [1, 2].map(|sources| geometry(wide_in(shape, sources))),
            backward: [1, 2].map(|sources| geometry(wide_out(shape, sources))),
        }
    }

    fn scratch(&self) -> [usize; 6] {
        let mut most = [0; 6];
        let mut take = |found: [usize; 6]| {
            for (most, found) in most.iter_mut().zip(found) {
                *most = found.max(*most);
            }
        };
        let row = self.shape.width * self.shape.in_channels * LANES;
        for geometry in &self.forward {
            let transformed = winograd::scratch_len(&geometry.shape, TILE);
            let transformed = if geometry.tiled { transformed } else { 0 };
            let out_row = geometry.out_width * geometry.out_pixel;
            let strip = if geometry.tiled { TILE } else { 1 } * out_row;
            take([geometry.input_ring(1).len(), 0, row, strip, transformed, 0]);
        }
        for geometry in &self.backward {
            let inputs = 2 * geometry.weight_ring(geometry.strip_rows()).len();
            let gradients = geometry.gradient_ring().len();
            let pairs = self.shape.out_channels * self.shape.group_in();
            let [transformed, accumulators] = match geometry.tiled {
                true => [winograd::scratch_len(&geometry.shape, TILE), POINTS * pairs],
                false => [0; 2],
            };
            take([
                inputs,
                gradients,
                row,
                TILE * row,
                transformed,
                accumulators,
            ]);
        }
        most
    }

    /// Floats of the weights that the forward pass of so many sources reads.
    pub fn packed_forward_len(&self, sources: usize) -> usize {
        packed_len(&self.forward[sources - 1])
    }

    /// Floats of the weights that the gradient of the input reads.
    pub fn packed_backward_len(&self, sources: usize) -> usize {
        packed_len(&self.backward[sources - 1])
    }

    /// Packs a weight for each source, in their order.
    pub fn pack_forward(&self, isa: Isa, weights: &[&[f32]], packed: &mut [f32]) {
        let geometry = &self.forward[weights.len() - 1];
        let joint;
        let weight = match weights {
            [one] => one,
            _ => {
                joint = interleaved(weights, self.shape.group_in() * self.shape.places());
                &joint[..]
            }
        };
        if geometry.tiled {
            winograd::pack::forward(isa, &geometry.shape, weight, None, packed);
        } else {
            pack::forward(isa, &geometry.shape, weight, None, packed);
        }
    }

    /// Packs a weight for each source of gradients, in their order.
    pub fn pack_backward(&self, isa: Isa, weights: &[&[f32]], packed: &mut [f32]) {
        let geometry = &self.backward[weights.len() - 1];
        let joint;
        let weight = match weights {
            [one] => one,
            _ => {
                joint = interleaved(weights, self.shape.weight_len() / self.shape.groups);
                &joint[..]
            }
        };
        if geometry.tiled {
            winograd::pack::backward(isa, &geometry.shape, weight, packed);
        } else {
            pack::backward(isa, &geometry.shape, weight, packed);
        }
    }

    /// The convolution of the sources, each `(H, W, C, 16)`, summed.
    pub fn forward(
        &self,
        isa: Isa,
        sources: &[&[f32]],
        packed: &[f32],
        bias: Option<&[f32]>,
        output: Output<'_, '_>,
        scratch: &mut Scratch,
    ) {
        let geometry = &self.forward[sources.len() - 1];
        let input = Rows {
            sources,
            len: self.shape.width * self.shape.in_channels * LANES,
            group: self.shape.group_in() * LANES,
        };
        let ring = geometry.input_ring(1);
        ring.clear_margins(&mut scratch.inputs, sources.len() * input.len);
        if geometry.tiled {
            forward_tiled(isa, geometry, ring, input, packed, bias, output, scratch);
        } else {
            forward_rows(isa, geometry, ring, input, packed, bias, output, scratch);
        }
    }
}

/// A shape with the input channels of so many sources side by side.
fn wide_in(shape: Conv2dShape, sources: usize) -> Conv2dShape {
    Conv2dShape {
        in_channels: sources * shape.in_channels,
        ..shape
    }
}

/// The same of output channels.
fn wide_out(shape: Conv2dShape, sources: usize) -> Conv2dShape {
    Conv2dShape {
        out_channels: sources * shape.out_channels,
        ..shape
    }
}

fn packed_len(geometry: &Geometry) -> usize {
    match geometry.tiled {
        true => winograd::pack::packed_len(&geometry.shape),
        false => geometry.shape.weight_len(),
    }
}

/// Arrays of one length, in pieces that take turns.
fn interleaved(arrays: &[&[f32]], piece: usize) -> Vec<f32> {
    let count = arrays[0].len() / piece;
    (0..count)
        .flat_map(|at| arrays.iter().flat_map(move |a| &a[at * piece..][..piece]))
        .copied()
        .collect()
}

/// Rows of one or two tensors, as a kernel reads them: groups of channels side by side.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub sources: &'a [&'a [f32]],
    /// Floats of a row of one source, and of a group of channels of a pixel.
    pub len: usize,
    pub group: usize,
}

impl Rows<'_> {
    /// Row `y` of all sources.
    pub fn fill(&self, y: usize, to: &mut [f32]) {
        let row = |source: usize| &self.sources[source][y * self.len..][..self.len];
        if self.sources.len() == 1 {
            to[..self.len].copy_from_slice(row(0));
            return;
        }
        let pieces = to[..2 * self.len].chunks_exact_mut(2 * self.group);
        let (first, second) = (
            row(0).chunks_exact(self.group),
            row(1).chunks_exact(self.group),
        );
        for (to, (a, b)) in pieces.zip(first.zip(second)) {
            let (to_a, to_b) = to.split_at_mut(self.group);
            to_a.copy_from_slice(a);
            to_b.copy_from_slice(b);
        }
    }
}

fn forward_rows(
    isa: Isa,
    geometry: &Geometry,
    ring: Ring,
    input: Rows<'_>,
    packed: &[f32],
    bias: Option<&[f32]>,
    mut output: Output<'_, '_>,
    scratch: &mut Scratch,
) {
    let shape = &geometry.shape;
    let (group_in, group_out) = (shape.group_in(), shape.group_out());
    let out_row = geometry.out_width * geometry.out_pixel;
    let weights = packed.len() / shape.groups;
    let mut filled = 0;
    let mut strip = std::mem::take(&mut scratch.strip);
    for y in 0..shape.out_height() {
        while filled < geometry.rows_needed(y) {
            input.fill(
                filled,
                &mut scratch.inputs[ring.row(filled) + ring.margin..],
            );
            filled += 1;
        }
        geometry.forward_taps(y, ring, &mut scratch.taps);
        output.write(y * out_row, out_row, &mut strip, |to| {
            for group in 0..shape.groups {
                row(
                    isa,
                    geometry.forward_row(),
                    &scratch.inputs[group * group_in * LANES..],
                    &scratch.taps,
                    &packed[group * weights..][..weights],
                    bias.map(|bias| &bias[group * group_out..][..group_out]),
                    &mut to[group * group_out * LANES..],
                    None,
                );
            }
        });
    }
    scratch.strip = strip;
}

fn forward_tiled(
    isa: Isa,
    geometry: &Geometry,
    ring: Ring,
    input: Rows<'_>,
    packed: &[f32],
    bias: Option<&[f32]>,
    mut output: Output<'_, '_>,
    scratch: &mut Scratch,
) {
    let shape = &geometry.shape;
    let (group_in, group_out) = (shape.group_in(), shape.group_out());
    let out_row = geometry.out_width * geometry.out_pixel;
    let weights = packed.len() / shape.groups;
    let mut kept = std::mem::take(&mut scratch.strip);
    let mut filled = 0;
    for first in (0..shape.height).step_by(TILE) {
        while filled < (first + TILE + 1).min(shape.height) {
            input.fill(
                filled,
                &mut scratch.inputs[ring.row(filled) + ring.margin..],
            );
            filled += 1;
        }
        let rows = TILE.min(shape.height - first);
        let places = geometry.strip_inputs(ring, first);
        let sizes = Strip {
            in_channels: group_in,
            out_channels: group_out,
            tiles: geometry.tiles(rows),
            in_step: geometry.pixel,
            out_step: geometry.out_pixel,
            out_row,
        };
        output.write(first * out_row, rows * out_row, &mut kept, |to| {
            for group in 0..shape.groups {
                strip(
                    isa,
                    sizes,
                    &scratch.inputs[group * group_in * LANES..],
                    &places,
                    &packed[group * weights..][..weights],
                    bias.map(|bias| &bias[group * group_out..][..group_out]),
                    &mut to[group * group_out * LANES..],
                    None,
                    Ahead::default(),
                    &mut scratch.transformed,
                );
            }
        });
    }
    scratch.strip = kept;
}

/// Brings row `y` of a tensor `(H, W, C, 16)` into a ring as the weight gradient's kernel reads it.
pub(super) fn fill_input(
    isa: Isa,
    geometry: &Geometry,
    ring: Ring,
    input: &[f32],
    y: usize,
    to: &mut [f32],
) {
    let len = geometry.shape.width * geometry.pixel;
    let row = &input[y * len..][..len];
    let to = &mut to[ring.row(y) + ring.margin..];
    if geometry.transposed() {
        transpose(isa, geometry.shape.in_channels, row, ring.block(), to);
    } else {
        to[..len].copy_from_slice(row);
    }
}
