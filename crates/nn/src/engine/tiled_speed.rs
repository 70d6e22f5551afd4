//! The kernels by tiles, timed as [`kernel_speed`](super::kernel_speed) times the direct ones.

use std::hint::black_box;

use reslab_kernels::conv2d::Conv2dShape;
use reslab_kernels::conv2d::row::Sums;
use reslab_kernels::conv2d::winograd::strip::{Strip, strip};
use reslab_kernels::conv2d::winograd::weight::{WeightStrip, add_strip, finish};
use reslab_kernels::conv2d::winograd::{POINTS, TILE, Tiles, pack, scratch_len};
use reslab_kernels::{Ahead, Buffer, Isa, LANES};

use super::geometry::Geometry;
use super::kernel_speed::ConvolutionPass;

/// One convolution with buffers as a worker has them, and outputs of a whole batch.
pub(super) struct TiledBench {
    isa: Isa,
    geometry: Geometry,
    inputs: Buffer,
    gradients: Buffer,
    forward: Vec<f32>,
    backward: Vec<f32>,
    output: Buffer,
    strip: Buffer,
    shift: Vec<f32>,
    lanes: Buffer,
    accumulators: Buffer,
    grad_weight: Buffer,
    scratch: Buffer,
}

impl TiledBench {
    pub fn new(isa: Isa, shape: &Conv2dShape, groups: usize) -> Self {
        let geometry = Geometry::of_shape(shape, 1, true);
        let weight = vec![0.01; shape.weight_len()];
        let mut forward = vec![0.0; pack::packed_len(shape)];
        let mut backward = forward.clone();
        pack::forward(isa, shape, &weight, None, &mut forward);
        pack::backward(isa, shape, &weight, &mut backward);
        let filled = |len, value| {
            let mut buffer = Buffer::zeros(len);
            buffer.fill(value);
            buffer
        };
        let out_row = geometry.out_width * geometry.out_pixel;
        let pairs = shape.out_channels * shape.group_in();
        Self {
            isa,
            inputs: filled(geometry.input_ring(TILE).len(), 0.5),
            gradients: filled(geometry.gradient_ring().len(), 0.5),
            forward,
            backward,
            output: Buffer::zeros(groups * shape.height * out_row),
            strip: Buffer::zeros(TILE * shape.width * geometry.pixel),
            shift: vec![0.1; shape.out_channels],
            lanes: Buffer::zeros(2 * shape.out_channels * LANES),
            accumulators: Buffer::zeros(POINTS * pairs),
            grad_weight: Buffer::zeros(shape.weight_len()),
            scratch: Buffer::zeros(scratch_len(shape, TILE)),
            geometry,
        }
    }

    /// One pass over one group of images.
    pub fn run(&mut self, pass: ConvolutionPass, frame: usize) {
        let height = self.geometry.shape.height;
        self.lanes.fill(0.0);
        self.accumulators.fill(0.0);
        for first in (0..height).step_by(TILE) {
            let tiles = self.geometry.tiles(TILE.min(height - first));
            match pass {
                ConvolutionPass::Forward => self.forward(frame, first, tiles),
                ConvolutionPass::BackwardData => self.backward_data(first, tiles),
                ConvolutionPass::BackwardWeight => self.backward_weight(first, tiles),
            }
        }
        if pass == ConvolutionPass::BackwardWeight {
            let (ins, outs) = (
                self.geometry.shape.group_in(),
                self.geometry.shape.group_out(),
            );
            let parts = self.accumulators.chunks_exact(POINTS * ins * outs);
            for (part, to) in parts.zip(self.grad_weight.chunks_exact_mut(9 * ins * outs)) {
                finish(self.isa, ins, outs, part, to);
            }
        }
        black_box((&self.output, &self.strip, &self.grad_weight));
    }

    fn forward(&mut self, frame: usize, first: usize, tiles: Tiles) {
        let (geometry, shape) = (self.geometry, self.geometry.shape);
        let (ins, outs) = (shape.group_in(), shape.group_out());
        let out_row = geometry.out_width * geometry.out_pixel;
        let places = geometry.strip_inputs(geometry.input_ring(TILE), first);
        let output = &mut self.output[(frame * shape.height + first) * out_row..];
        let (sum, square) = self.lanes.split_at_mut(shape.out_channels * LANES);
        let sizes = Strip {
            in_channels: ins,
            out_channels: outs,
            tiles,
            in_step: geometry.pixel,
            out_step: geometry.out_pixel,
            out_row,
        };
        for group in 0..shape.groups {
            let lanes = group * outs * LANES..(group + 1) * outs * LANES;
            let sums = Sums {
                shift: &self.shift[group * outs..][..outs],
                sum: &mut sum[lanes.clone()],
                square: &mut square[lanes.clone()],
            };
            strip(
                self.isa,
                sizes,
                &self.inputs[group * ins * LANES..],
                &places,
                &self.forward[group * POINTS * ins * outs..][..POINTS * ins * outs],
                None,
                &mut output[lanes.start..],
                Some(sums),
                Ahead::default(),
                &mut self.scratch,
            );
        }
    }

    fn backward_data(&mut self, first: usize, tiles: Tiles) {
        let (geometry, shape) = (self.geometry, self.geometry.shape);
        let (ins, outs) = (shape.group_in(), shape.group_out());
        let places = geometry.strip_inputs(geometry.gradient_ring(), first);
        let sizes = Strip {
            in_channels: outs,
            out_channels: ins,
            tiles,
            in_step: geometry.out_pixel,
            out_step: geometry.pixel,
            out_row: shape.width * geometry.pixel,
        };
        for group in 0..shape.groups {
            strip(
                self.isa,
                sizes,
                &self.gradients[group * outs * LANES..],
                &places,
                &self.backward[group * POINTS * ins * outs..][..POINTS * ins * outs],
                None,
                &mut self.strip[group * ins * LANES..],
                None,
                Ahead::default(),
                &mut self.scratch,
            );
        }
    }

    fn backward_weight(&mut self, first: usize, tiles: Tiles) {
        let (geometry, shape) = (self.geometry, self.geometry.shape);
        let (ins, outs) = (shape.group_in(), shape.group_out());
        let ring = geometry.weight_ring(TILE);
        let places = geometry.strip_inputs(ring, first);
        let gradient_places = geometry.strip_gradients(geometry.gradient_ring(), first);
        let sizes = WeightStrip {
            in_channels: ins,
            out_channels: outs,
            block: ring.block(),
            tiles,
            out_step: geometry.out_pixel,
        };
        let len = sizes.accumulators_len();
        for group in 0..shape.groups {
            add_strip(
                self.isa,
                sizes,
                &self.inputs[geometry.weight_group(ring, group)..],
                &places,
                &self.gradients[group * outs * LANES..],
                &gradient_places,
                &mut self.accumulators[group * len..][..len],
                Ahead::default(),
                &mut self.scratch,
            );
        }
    }
}
