//! Convolutions by tiles of an evaluation: sums and ReLU are done as outputs are written, and an image
//! that is stored as it is read is read where it lies.

use std::ops::Range;

use reslab_kernels::conv2d::winograd::input::{Input, OUTSIDE};
use reslab_kernels::conv2d::winograd::strip::{Finish, strip_finished};
use reslab_kernels::conv2d::winograd::{PATCH, TILE};
use reslab_kernels::{Ahead, LANES};

use super::forward::convolution_bias;
use super::geometry::Geometry;
use super::ir::Conv;
use super::shard::{Context, Frame, Worker};
use super::tiled::{fill_for, sizes, strip_ahead};

/// All rows of a frame.
pub(super) fn convolve(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    frame: Frame,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let height = conv.shape.height;
    let row_len = geometry.shape.width * geometry.pixel;
    let in_place = conv.reads_in_place();
    let mut filled = 0;
    for first in (0..height).step_by(TILE) {
        let places: [usize; PATCH] = if in_place {
            std::array::from_fn(|i| {
                let row = (first + i).checked_sub(1).filter(|&y| y < height);
                row.map_or(OUTSIDE, |y| y * row_len)
            })
        } else {
            fill_for(cx, conv, geometry, frame, first, &mut filled, arena, worker);
            geometry.strip_inputs(geometry.input_ring(TILE), first)
        };
        let rows = first..(first + TILE).min(height);
        let strip = Strip {
            ahead: strip_ahead(cx, conv, frame, rows.clone(), arena, worker),
            rows,
            places: &places[..],
        };
        run(cx, conv, geometry, frame, strip, arena, worker);
    }
}

/// Rows of the output, where the rows that they need lie, and what to ask for meanwhile.
struct Strip<'a> {
    rows: Range<usize>,
    places: &'a [usize],
    ahead: Ahead,
}

fn run(
    cx: Context<'_>,
    conv: &Conv,
    geometry: &Geometry,
    frame: Frame,
    strip: Strip<'_>,
    arena: &mut [f32],
    worker: &mut Worker,
) {
    let plan = cx.plan;
    let (group_in, group_out) = (conv.shape.group_in(), conv.shape.group_out());
    let in_place = conv.reads_in_place();
    let ring = geometry.input_ring(TILE);
    let outside = ring.row_or_zeros(None, 0);
    let nothing = 0..0;
    let input = match in_place {
        true => plan.rows(conv.input.tensor, frame, 0..conv.shape.height),
        false => nothing.clone(),
    };
    let other = conv.finish.add;
    let added = other.map_or(nothing, |other| plan.rows(other, frame, strip.rows.clone()));
    let output = plan.rows(conv.output, frame, strip.rows.clone());
    let [output, image, added] = arena
        .get_disjoint_mut([output, input, added])
        .expect("the memory plan keeps them apart");
    let bias = convolution_bias(cx, conv);
    let tiles = geometry.tiles(strip.rows.len());
    for group in 0..conv.shape.groups {
        let (from, to) = (group * group_in * LANES, group * group_out * LANES);
        let input = Input {
            values: match in_place {
                true => &image[from..],
                false => &worker.inputs[from..],
            },
            rows: strip.places,
            zeros: in_place.then(|| &worker.inputs[outside + from..]),
        };
        let finish = Finish {
            other: other.is_some().then(|| &added[to..]),
            relu: conv.finish.relu,
        };
        strip_finished(
            plan.isa,
            sizes(conv, geometry, tiles),
            input,
            &cx.numbers.forward[conv.packed_group(group)],
            bias.map(|bias| &bias[group * group_out..][..group_out]),
            &mut output[to..],
            finish,
            strip.ahead.unless(group > 0),
            &mut worker.transformed,
        );
    }
}
