//! Backward of a convolution of one group of images: one sweep over strips of rows makes the input's
//! gradient and the weight's, from one cotangent or from two.

use reslab_kernels::conv2d::backward_weight::{Strip as DirectStrip, add_strip};
use reslab_kernels::conv2d::row::row;
use reslab_kernels::conv2d::winograd::strip::{Strip, strip};
use reslab_kernels::conv2d::winograd::weight::{self, WeightStrip};
use reslab_kernels::conv2d::winograd::{POINTS, TILE};
use reslab_kernels::pointwise::add_assign;
use reslab_kernels::{Ahead, Isa, LANES};

use super::convolution::{ConvPlan, Rows, Scratch, fill_input};
use crate::engine::geometry::{Geometry, Ring};

/// What a backward pass reads. Tensors are `(H, W, C, 16)`.
pub(super) struct Backward<'a> {
    /// Gradients at the output: one for each packed weight.
    pub sources: &'a [&'a [f32]],
    /// Their weights, packed; needed for the input's gradient.
    pub packed: &'a [f32],
    /// Products that the weight's gradient is the sum of: an input, and which source it meets.
    pub pairs: &'a [(&'a [f32], usize)],
}

/// Makes row `y` of the gradient at the output, where it is not stored.
pub(super) type MakeRow<'a> = dyn FnMut(usize, &mut [f32]) + 'a;

/// What a backward pass writes.
pub(super) struct Found<'a> {
    /// The input's gradient, and whether it is added to what is there.
    pub input: Option<(&'a mut [f32], bool)>,
    /// `(group, place, out, in)`, added to.
    pub weight: &'a mut [f32],
}

/// One convolution's sweep.
struct Sweep<'a, 'b> {
    isa: Isa,
    geometry: &'a Geometry,
    from: &'a Backward<'a>,
    gradients: Ring,
    inputs: Ring,
    /// Output channels of a group, of one source.
    group_out: usize,
    scratch: &'b mut Scratch,
}

/// A sweep's way to the rows of the gradient.
type Made<'a, 'b> = Option<&'a mut MakeRow<'b>>;

impl ConvPlan {
    /// The gradients of input and weight.
    ///
    /// With `made`, there is one source, and its rows are made when they are read.
    pub fn backward(
        &self,
        isa: Isa,
        from: &Backward<'_>,
        mut made: Made<'_, '_>,
        mut found: Found<'_>,
        scratch: &mut Scratch,
    ) {
        let geometry = &self.backward[from.sources.len() - 1];
        let inputs = geometry.weight_ring(geometry.strip_rows());
        let gradients = geometry.gradient_ring();
        let row = geometry.shape.width * geometry.pixel;
        for pair in 0..from.pairs.len() {
            inputs.clear_margins(&mut scratch.inputs[pair * inputs.len()..], row);
        }
        let out_row = geometry.out_width * geometry.out_pixel;
        gradients.clear_margins(&mut scratch.gradients, out_row);
        let mut sweep = Sweep {
            isa,
            geometry,
            from,
            gradients,
            inputs,
            group_out: self.shape.group_out(),
            scratch,
        };
        if geometry.tiled {
            sweep.tiled(&mut made, &mut found);
        } else {
            sweep.rows(&mut made, &mut found);
        }
    }
}

impl Sweep<'_, '_> {
    fn sources(&self) -> Rows<'_> {
        let sources = self.from.sources;
        Rows {
            sources,
            len: self.geometry.out_width * self.geometry.out_pixel / sources.len(),
            group: self.group_out * LANES,
        }
    }

    fn fill_gradient(&mut self, y: usize, made: &mut Made<'_, '_>) {
        let at = self.gradients.row(y) + self.gradients.margin;
        let mut gradients = std::mem::take(&mut self.scratch.gradients);
        match made {
            Some(make) => {
                let row = self.geometry.out_width * self.geometry.out_pixel;
                make(y, &mut gradients[at..at + row]);
            }
            None => self.sources().fill(y, &mut gradients[at..]),
        }
        self.scratch.gradients = gradients;
    }

    fn fill_inputs(&mut self, y: usize) {
        for (pair, (input, _)) in self.from.pairs.iter().enumerate() {
            let to = &mut self.scratch.inputs[pair * self.inputs.len()..];
            fill_input(self.isa, self.geometry, self.inputs, input, y, to);
        }
    }

    /// Where a source's gradients of a group of channels begin in a ring.
    fn gradient_group(&self, group: usize, source: usize) -> usize {
        (group * self.from.sources.len() + source) * self.group_out * LANES
    }

    fn rows(&mut self, made: &mut Made<'_, '_>, found: &mut Found<'_>) {
        let geometry = self.geometry;
        let height = geometry.shape.out_height();
        let (mut filled, mut written) = (0, 0);
        for first in (0..height).step_by(geometry.strip_rows()) {
            let rows = first..(first + geometry.strip_rows()).min(height);
            rows.clone().for_each(|y| self.fill_gradient(y, made));
            while filled < geometry.rows_needed(rows.end - 1) {
                self.fill_inputs(filled);
                filled += 1;
            }
            self.add_weights(rows.clone(), found.weight);
            if let Some((input, adds)) = &mut found.input {
                while written < geometry.rows_complete(rows.end) {
                    self.input_row(written, input, *adds);
                    written += 1;
                }
            }
        }
    }

    /// The direct kernel for the weight's gradient, over some rows.
    fn add_weights(&mut self, rows: std::ops::Range<usize>, weight: &mut [f32]) {
        if self.from.pairs.is_empty() {
            return;
        }
        let geometry = self.geometry;
        let mut pairs = std::mem::take(&mut self.scratch.pairs);
        geometry.pairs(rows, self.inputs, self.gradients, 1, &mut pairs);
        let len = weight.len() / geometry.shape.groups;
        let sizes = DirectStrip {
            out_channels: self.group_out,
            ..geometry.strip(self.inputs)
        };
        for (pair, &(_, source)) in self.from.pairs.iter().enumerate() {
            let ring = pair * self.inputs.len();
            for group in 0..geometry.shape.groups {
                let input = ring + geometry.weight_group(self.inputs, group);
                let end = ring + self.inputs.len();
                add_strip(
                    self.isa,
                    sizes,
                    &self.scratch.inputs[input..end],
                    &self.scratch.gradients[self.gradient_group(group, source)..],
                    &pairs,
                    &mut weight[group * len..][..len],
                );
            }
        }
        self.scratch.pairs = pairs;
    }

    /// Row `y` of the input's gradient, directly.
    fn input_row(&mut self, y: usize, input: &mut [f32], adds: bool) {
        let (geometry, shape) = (self.geometry, &self.geometry.shape);
        let len = shape.width * geometry.pixel;
        let to = &mut input[y * len..][..len];
        let weights = self.from.packed.len() / shape.groups;
        let mut scratch_row = std::mem::take(&mut self.scratch.row);
        let out = if adds {
            &mut scratch_row[..len]
        } else {
            &mut *to
        };
        for first in 0..shape.stride.min(shape.width) {
            geometry.gradient_taps(y, first, self.gradients, &mut self.scratch.taps);
            for group in 0..shape.groups {
                let at = first * geometry.pixel + group * shape.group_in() * LANES;
                row(
                    self.isa,
                    geometry.gradient_row(first),
                    &self.scratch.gradients[self.gradient_group(group, 0)..],
                    &self.scratch.taps,
                    &self.from.packed[group * weights..][..weights],
                    None,
                    &mut out[at..],
                    None,
                );
            }
        }
        if adds {
            add_assign(self.isa, to, &scratch_row[..len]);
        }
        self.scratch.row = scratch_row;
    }

    fn tiled(&mut self, made: &mut Made<'_, '_>, found: &mut Found<'_>) {
        let geometry = self.geometry;
        let height = geometry.shape.height;
        let accumulated = geometry.transposed() && !self.from.pairs.is_empty();
        let pairs = found.weight.len() / 9;
        if accumulated {
            self.scratch.accumulators[..POINTS * pairs].fill(0.0);
        }
        let (mut filled, mut there) = (0, 0);
        for first in (0..height).step_by(TILE) {
            let rows = first..(first + TILE).min(height);
            while filled < (first + TILE + 1).min(height) {
                self.fill_gradient(filled, made);
                filled += 1;
            }
            while there < (first + TILE + 1).min(height) {
                self.fill_inputs(there);
                there += 1;
            }
            if accumulated {
                self.accumulate(&rows);
            } else {
                self.add_weights(rows.clone(), found.weight);
            }
            if let Some((input, adds)) = &mut found.input {
                self.input_strip(&rows, input, *adds);
            }
        }
        if accumulated {
            self.finish_weights(found.weight);
        }
    }

    fn accumulate(&mut self, rows: &std::ops::Range<usize>) {
        let (geometry, shape) = (self.geometry, &self.geometry.shape);
        let sizes = WeightStrip {
            in_channels: shape.group_in(),
            out_channels: self.group_out,
            block: self.inputs.block(),
            tiles: geometry.tiles(rows.len()),
            out_step: geometry.out_pixel,
        };
        let places = geometry.strip_inputs(self.inputs, rows.start);
        let gradient_places = geometry.strip_gradients(self.gradients, rows.start);
        let len = sizes.accumulators_len();
        for (pair, &(_, source)) in self.from.pairs.iter().enumerate() {
            let ring = pair * self.inputs.len();
            for group in 0..shape.groups {
                let input = ring + geometry.weight_group(self.inputs, group);
                let gradient = self.gradient_group(group, source);
                weight::add_strip(
                    self.isa,
                    sizes,
                    &self.scratch.inputs[input..ring + self.inputs.len()],
                    &places,
                    &self.scratch.gradients[gradient..],
                    &gradient_places,
                    &mut self.scratch.accumulators[group * len..][..len],
                    Ahead::default(),
                    &mut self.scratch.transformed,
                );
            }
        }
    }

    fn finish_weights(&mut self, weight: &mut [f32]) {
        let shape = &self.geometry.shape;
        let (ins, outs) = (shape.group_in(), self.group_out);
        for group in 0..shape.groups {
            weight::finish(
                self.isa,
                ins,
                outs,
                &self.scratch.accumulators[group * POINTS * ins * outs..][..POINTS * ins * outs],
                &mut weight[group * 9 * ins * outs..][..9 * ins * outs],
            );
        }
    }

    /// Four rows of the input's gradient.
    fn input_strip(&mut self, rows: &std::ops::Range<usize>, input: &mut [f32], adds: bool) {
        let (geometry, shape) = (self.geometry, &self.geometry.shape);
        let row = shape.width * geometry.pixel;
        let to = &mut input[rows.start * row..rows.end * row];
        let mut scratch_rows = std::mem::take(&mut self.scratch.strip);
        let out = match adds {
            true => &mut scratch_rows[..rows.len() * row],
            false => &mut *to,
        };
        let places = geometry.strip_inputs(self.gradients, rows.start);
        let weights = self.from.packed.len() / shape.groups;
        let sizes = Strip {
            in_channels: shape.group_out(),
            out_channels: shape.group_in(),
            tiles: geometry.tiles(rows.len()),
            in_step: geometry.out_pixel,
            out_step: geometry.pixel,
            out_row: row,
        };
        for group in 0..shape.groups {
            strip(
                self.isa,
                sizes,
                &self.scratch.gradients[self.gradient_group(group, 0)..],
                &places,
                &self.from.packed[group * weights..][..weights],
                None,
                &mut out[group * shape.group_in() * LANES..],
                None,
                Ahead::default(),
                &mut self.scratch.transformed,
            );
        }
        if adds {
            add_assign(self.isa, to, &scratch_rows[..rows.len() * row]);
        }
        self.scratch.strip = scratch_rows;
    }
}
