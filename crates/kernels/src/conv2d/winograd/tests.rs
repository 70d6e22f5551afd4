//! Strips against sums written out, over random shapes, for every instruction set.

use proptest::prelude::*;

use super::super::backward_weight::transpose;
use super::super::row::Sums;
use super::super::tests::{assert_close, for_each_product, numbers};
use super::input::{Input, OUTSIDE};
use super::strip::{Finish, Strip, strip, strip_finished};
use super::weight::{WeightStrip, add_strip, finish};
use super::{PATCH, TILE, Tiles, pack};
use crate::conv2d::Conv2dShape;
use crate::{Ahead, Base, Isa, LANES};

/// An image in rows with a margin of one pixel on the left and as many on the right as tiles of 4
/// reach past it; last comes a row of zeros.
struct Padded {
    values: Vec<f32>,
    row_len: usize,
    pixel: usize,
    height: usize,
}

impl Padded {
    fn new(s: &Conv2dShape, channels: usize, image: &[f32]) -> Self {
        let pixel = channels * LANES;
        let row_len = (s.width.next_multiple_of(TILE) + 2) * pixel;
        let mut values = vec![0.0; (s.height + 1) * row_len];
        let len = s.width * pixel;
        for (y, row) in image.chunks_exact(len).enumerate() {
            values[y * row_len + pixel..][..len].copy_from_slice(row);
        }
        let height = s.height;
        Self {
            values,
            row_len,
            pixel,
            height,
        }
    }

    /// Places of rows `first − above, …`, each at the pixel `left` of the first.
    fn rows(&self, first: usize, above: usize, count: usize, left: usize) -> Vec<usize> {
        let place = |i: usize| {
            let row = (first + i).checked_sub(above).filter(|&y| y < self.height);
            row.unwrap_or(self.height) * self.row_len + (1 - left) * self.pixel
        };
        (0..count).map(place).collect()
    }
}

/// Something to ask for; it changes no number.
fn ahead_of(values: &[f32]) -> Ahead {
    let mut ahead = Ahead::default();
    ahead.add(Base::of(values), 0..values.len());
    ahead
}

fn strips(s: &Conv2dShape, most: usize) -> impl Iterator<Item = (usize, Tiles)> {
    let (width, height) = (s.width, s.height);
    (0..height).step_by(most * TILE).map(move |first| {
        let rows = (most * TILE).min(height - first);
        (first, Tiles { width, rows })
    })
}

/// Of one group of channels.
fn sizes(s: &Conv2dShape, tiles: Tiles) -> Strip {
    Strip {
        in_channels: s.group_in(),
        out_channels: s.group_out(),
        tiles,
        in_step: s.in_channels * LANES,
        out_step: s.out_channels * LANES,
        out_row: s.width * s.out_channels * LANES,
    }
}

struct Found {
    output: Vec<f32>,
    sum: Vec<f32>,
    square: Vec<f32>,
}

/// The convolution with weights that are packed already; `s` says what is read and written.
fn convolve(
    isa: Isa,
    s: &Conv2dShape,
    most: usize,
    input: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    shift: &[f32],
) -> Found {
    let padded = Padded::new(s, s.in_channels, input);
    let out_row = s.width * s.out_channels * LANES;
    let zeros = || vec![0.0; s.out_channels * LANES];
    let (mut sum, mut square) = (zeros(), zeros());
    let mut output = vec![f32::NAN; s.height * out_row];
    for (first, tiles) in strips(s, most) {
        for group in 0..s.groups {
            let out = group * s.group_out();
            let sizes = sizes(s, tiles);
            let lanes = out * LANES..(out + s.group_out()) * LANES;
            let sums = Sums {
                shift: &shift[out..out + s.group_out()],
                sum: &mut sum[lanes.clone()],
                square: &mut square[lanes],
            };
            strip(
                isa,
                sizes,
                &padded.values[group * s.group_in() * LANES..],
                &padded.rows(first, 1, tiles.input_rows(), 1),
                &packed[group * packed.len() / s.groups..][..packed.len() / s.groups],
                bias.map(|bias| &bias[out..out + s.group_out()]),
                &mut output[first * out_row + out * LANES..],
                Some(sums),
                ahead_of(input),
                &mut vec![f32::NAN; sizes.scratch_len()],
            );
        }
    }
    Found {
        output,
        sum,
        square,
    }
}

/// The same, with something added and ReLU behind it; from an image without margins if `bare`.
fn convolve_finished(
    isa: Isa,
    s: &Conv2dShape,
    most: usize,
    (input, packed, bare): (&[f32], &[f32], bool),
    (other, relu): (Option<&[f32]>, bool),
) -> Vec<f32> {
    let padded = Padded::new(s, s.in_channels, input);
    let out_row = s.width * s.out_channels * LANES;
    let in_row = s.width * s.in_channels * LANES;
    let zeros = vec![0.0; in_row];
    let mut output = vec![f32::NAN; s.height * out_row];
    for (first, tiles) in strips(s, most) {
        for group in 0..s.groups {
            let from = group * s.group_in() * LANES;
            let at = first * out_row + group * s.group_out() * LANES;
            let sizes = sizes(s, tiles);
            let place = |i: usize| {
                let row = (first + i).checked_sub(1).filter(|&y| y < s.height);
                row.map_or(OUTSIDE, |y| y * in_row)
            };
            let rows = match bare {
                true => (0..tiles.input_rows()).map(place).collect(),
                false => padded.rows(first, 1, tiles.input_rows(), 1),
            };
            strip_finished(
                isa,
                sizes,
                Input {
                    values: if bare {
                        &input[from..]
                    } else {
                        &padded.values[from..]
                    },
                    rows: &rows,
                    zeros: bare.then_some(&zeros[from..]),
                },
                &packed[group * packed.len() / s.groups..][..packed.len() / s.groups],
                None,
                &mut output[at..],
                Finish {
                    other: other.map(|other| &other[at..]),
                    relu,
                },
                ahead_of(input),
                &mut vec![f32::NAN; sizes.scratch_len()],
            );
        }
    }
    output
}

fn weight_gradient(
    isa: Isa,
    s: &Conv2dShape,
    most: usize,
    input: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let mut padded = Padded::new(s, s.in_channels, input);
    let straight = padded.values.clone();
    let block = padded.row_len / (s.in_channels / LANES);
    let rows = padded.values.chunks_exact_mut(padded.row_len);
    for (row, to) in straight.chunks_exact(padded.row_len).zip(rows) {
        transpose(isa, s.in_channels, row, block, to);
    }
    let gradients = Padded::new(s, s.out_channels, gradient);
    let (ins, outs) = (s.group_in(), s.group_out());
    let mut weight = vec![0.0; s.weight_len()];
    for group in 0..s.groups {
        let mut accumulators = vec![0.0; super::POINTS * ins * outs];
        for (first, tiles) in strips(s, most) {
            let sizes = WeightStrip {
                in_channels: ins,
                out_channels: outs,
                block,
                tiles,
                out_step: gradients.pixel,
            };
            add_strip(
                isa,
                sizes,
                &padded.values[group * ins / LANES * block..],
                &padded.rows(first, 1, tiles.input_rows(), 1),
                &gradients.values[group * outs * LANES..],
                &gradients.rows(first, 0, TILE * tiles.down(), 0),
                &mut accumulators,
                ahead_of(input),
                &mut vec![f32::NAN; sizes.scratch_len()],
            );
        }
        let mut part = vec![0.0; 9 * ins * outs];
        finish(isa, ins, outs, &accumulators, &mut part);
        // From (place, out, in) to (out, in, place).
        for (at, value) in part.into_iter().enumerate() {
            let (place, o, i) = (at / ins / outs, at / ins % outs, at % ins);
            weight[((group * outs + o) * ins + i) * 9 + place] = value;
        }
    }
    weight
}

fn shapes(unit: usize) -> impl Strategy<Value = Conv2dShape> {
    let channels = prop_oneof![1usize..10, Just(16), Just(24)];
    (
        channels.clone(),
        channels,
        1usize..14,
        1usize..14,
        1usize..3,
    )
        .prop_map(move |(i, o, height, width, groups)| Conv2dShape {
            in_channels: if unit > 1 { i.div_ceil(9) * unit } else { i } * groups,
            out_channels: o * groups,
            height,
            width,
            kernel: 3,
            stride: 1,
            padding: 1,
            groups,
        })
}

/// Σ weight · input, in f64, for each output.
fn expected(s: &Conv2dShape, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
    let mut want = vec![0f64; s.height * s.width * s.out_channels * LANES];
    for (at, want) in want.iter_mut().enumerate() {
        *want = f64::from(bias[at / LANES % s.out_channels]);
    }
    for_each_product(s, |pixel, o, w, i| {
        for lane in 0..LANES {
            want[(pixel * s.out_channels + o) * LANES + lane] +=
                f64::from(weight[w]) * f64::from(input[i * LANES + lane]);
        }
    });
    want
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn strips_match_the_definition(s in shapes(1), most in 1usize..3, seed in any::<u32>()) {
        let input = numbers(s.height * s.width * s.in_channels * LANES, seed);
        let weight = numbers(s.weight_len(), seed ^ 1);
        let bias = numbers(s.out_channels, seed ^ 2);
        let want = expected(&s, &input, &weight, &bias);
        for &isa in Isa::available() {
            let mut packed = vec![0.0; pack::packed_len(&s)];
            pack::forward(isa, &s, &weight, None, &mut packed);
            let found = convolve(isa, &s, most, &input, &packed, Some(&bias), &bias);
            assert_close(isa, "output", &found.output, &want, 16.0);
            let (mut sum, mut square) = (vec![0f64; found.sum.len()], vec![0f64; found.sum.len()]);
            for (at, y) in found.output.iter().enumerate() {
                let lane = at % sum.len();
                let y = f64::from(*y) - f64::from(bias[lane / LANES]);
                sum[lane] += y;
                square[lane] += y * y;
            }
            assert_close(isa, "sum", &found.sum, &sum, 400.0);
            assert_close(isa, "square", &found.square, &square, 4000.0);
        }
    }

    #[test]
    fn a_finish_on_the_way_has_the_bits_of_one_after(mut s in shapes(1), most in 1usize..3, add: bool,
        relu: bool, bare: bool, seed in any::<u32>())
    {
        if bare {
            s.width = s.width.next_multiple_of(TILE);
        }
        let input = numbers(s.height * s.width * s.in_channels * LANES, seed);
        let weight = numbers(s.weight_len(), seed ^ 1);
        let other = numbers(s.height * s.width * s.out_channels * LANES, seed ^ 2);
        let other = add.then_some(&other[..]);
        let shift = vec![0.0; s.out_channels];
        for &isa in Isa::available() {
            let mut packed = vec![0.0; pack::packed_len(&s)];
            pack::forward(isa, &s, &weight, None, &mut packed);
            let mut want = convolve(isa, &s, most, &input, &packed, None, &shift).output;
            if let Some(other) = other {
                want.iter_mut().zip(other).for_each(|(y, other)| *y += other);
            }
            if relu {
                want.iter_mut().for_each(|y| *y = y.max(0.0));
            }
            let found = convolve_finished(isa, &s, most, (&input, &packed, bare), (other, relu));
            prop_assert_eq!(&found, &want, "{}", isa.name());
        }
    }

    #[test]
    fn a_folded_scale_multiplies_its_channel(s in shapes(1), seed in any::<u32>()) {
        let input = numbers(s.height * s.width * s.in_channels * LANES, seed);
        let mut weight = numbers(s.weight_len(), seed ^ 1);
        let scale = numbers(s.out_channels, seed ^ 2);
        let isa = Isa::current();
        let mut packed = vec![0.0; pack::packed_len(&s)];
        pack::forward(isa, &s, &weight, Some(&scale), &mut packed);
        let found = convolve(isa, &s, 1, &input, &packed, None, &scale);
        for (row, scale) in weight.chunks_exact_mut(s.group_in() * 9).zip(&scale) {
            row.iter_mut().for_each(|w| *w *= scale);
        }
        let want = expected(&s, &input, &weight, &vec![0.0; s.out_channels]);
        assert_close(isa, "output", &found.output, &want, 16.0);
    }

    #[test]
    fn input_gradients_match_the_definition(s in shapes(1), most in 1usize..3, seed in any::<u32>()) {
        let gradient = numbers(s.height * s.width * s.out_channels * LANES, seed);
        let weight = numbers(s.weight_len(), seed ^ 1);
        let mut want = vec![0f64; s.height * s.width * s.in_channels * LANES];
        for_each_product(&s, |pixel, o, w, i| {
            for lane in 0..LANES {
                want[i * LANES + lane] += f64::from(weight[w])
                    * f64::from(gradient[(pixel * s.out_channels + o) * LANES + lane]);
            }
        });
        let turned = Conv2dShape { in_channels: s.out_channels, out_channels: s.in_channels, ..s };
        for &isa in Isa::available() {
            let mut packed = vec![0.0; pack::packed_len(&s)];
            pack::backward(isa, &s, &weight, &mut packed);
            let shift = vec![0.0; s.in_channels];
            let found = convolve(isa, &turned, most, &gradient, &packed, None, &shift);
            assert_close(isa, "input gradient", &found.output, &want, 16.0);
        }
    }

    #[test]
    fn weight_gradients_match_the_definition(s in shapes(16), most in 1usize..3, live in 1usize..=16,
        seed in any::<u32>())
    {
        let input = numbers(s.height * s.width * s.in_channels * LANES, seed);
        let mut gradient = numbers(s.height * s.width * s.out_channels * LANES, seed ^ 1);
        crate::lanes::clear_dead(&mut gradient, live);
        let mut want = vec![0f64; s.weight_len()];
        for_each_product(&s, |pixel, o, w, i| {
            for lane in 0..live {
                want[w] += f64::from(gradient[(pixel * s.out_channels + o) * LANES + lane])
                    * f64::from(input[i * LANES + lane]);
            }
        });
        for &isa in Isa::available() {
            let got = weight_gradient(isa, &s, most, &input, &gradient);
            assert_close(isa, "weight gradient", &got, &want, 128.0);
        }
    }
}

#[test]
fn tiles_cover_an_image_whose_sides_are_no_multiples_of_four() {
    let tiles = Tiles { width: 9, rows: 5 };
    assert_eq!((tiles.across(), tiles.down()), (3, 2));
    assert_eq!((tiles.input_pixels(), tiles.input_rows()), (14, 10));
    assert_eq!(PATCH, TILE + 2);
}
