//! Rows and strips against sums written out, over random shapes, for every instruction set.

use proptest::prelude::*;

use super::backward_weight::{BLOCK_PIXEL, Pair, Strip, add_strip, reads_transposed, transpose};
use super::row::{Row, Span, Sums, row, rows};
use super::*;
use crate::{Isa, LANES};

/// Numbers that look random: a small linear congruential generator.
pub(in crate::conv2d) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut x = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Calls `visit(output pixel, output channel, weight index, input index)`, indices in units of
/// groups of lanes, for every product of the definition.
pub(in crate::conv2d) fn for_each_product(
    s: &Conv2dShape,
    mut visit: impl FnMut(usize, usize, usize, usize),
) {
    for (y, x) in (0..s.out_height()).flat_map(|y| (0..s.out_width()).map(move |x| (y, x))) {
        for (o, i) in (0..s.out_channels).flat_map(|o| (0..s.group_in()).map(move |i| (o, i))) {
            let channel = o / s.group_out() * s.group_in() + i;
            for place in 0..s.places() {
                let (kh, kw) = (place / s.kernel, place % s.kernel);
                let row = (y * s.stride + kh)
                    .checked_sub(s.padding)
                    .filter(|&r| r < s.height);
                let column = (x * s.stride + kw)
                    .checked_sub(s.padding)
                    .filter(|&c| c < s.width);
                if let (Some(row), Some(column)) = (row, column) {
                    let weight = (o * s.group_in() + i) * s.places() + place;
                    let input = (row * s.width + column) * s.in_channels + channel;
                    visit(y * s.out_width() + x, o, weight, input);
                }
            }
        }
    }
}

/// The image group with `margin` columns of zeros on each side.
fn with_margins(
    s: (usize, usize),
    channels: usize,
    margins: (usize, usize),
    x: &[f32],
) -> Vec<f32> {
    let (height, width) = s;
    let columns = margins.0 + width + margins.1;
    let mut out = vec![0.0; height * columns * channels * LANES];
    let len = width * channels * LANES;
    for y in 0..height {
        let to = (y * columns + margins.0) * channels * LANES;
        out[to..to + len].copy_from_slice(&x[y * len..(y + 1) * len]);
    }
    out
}

pub(in crate::conv2d) fn assert_close(isa: Isa, what: &str, got: &[f32], want: &[f64], scale: f64) {
    assert_eq!(got.len(), want.len());
    for (at, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(
            error < 1e-5 * scale,
            "{isa}: {what}[{at}] = {got}, not {want}"
        );
    }
}

fn forward(isa: Isa, s: &Conv2dShape, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let padded = with_margins(
        (s.height, s.width),
        s.in_channels,
        (s.padding, s.padding),
        input,
    );
    let pixel = s.in_channels * LANES;
    let row_len = (s.width + 2 * s.padding) * pixel;
    let mut packed = vec![0.0; s.weight_len()];
    pack::forward(isa, s, weight, None, &mut packed);
    let out_row = s.out_width() * s.out_channels * LANES;
    let mut output = vec![0.0; s.out_height() * out_row];
    for (y, output) in output.chunks_mut(out_row).enumerate() {
        for group in 0..s.groups {
            let mut taps = Vec::new();
            for place in 0..s.places() {
                let source = (y * s.stride + place / s.kernel).checked_sub(s.padding);
                if let Some(source) = source.filter(|&r| r < s.height) {
                    let first = group * s.group_in() * LANES + place % s.kernel * pixel;
                    taps.push(Tap {
                        input: source * row_len + first,
                        place,
                    });
                }
            }
            let sizes = Row {
                in_channels: s.group_in(),
                out_channels: s.group_out(),
                places: s.places(),
                pixels: s.out_width(),
                in_step: s.stride * pixel,
                out_step: s.out_channels * LANES,
            };
            let first = group * s.group_out();
            let packed = &packed[first * s.group_in() * s.places()..];
            let packed = &packed[..s.group_out() * s.group_in() * s.places()];
            let bias = &bias[first..first + s.group_out()];
            row(
                isa,
                sizes,
                &padded,
                &taps,
                packed,
                Some(bias),
                &mut output[first * LANES..],
                None,
            );
        }
    }
    output
}

fn weight_gradient(isa: Isa, s: &Conv2dShape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut padded = with_margins(
        (s.height, s.width),
        s.in_channels,
        (s.padding, s.padding),
        input,
    );
    let turned = reads_transposed(s.group_in());
    if turned {
        let from = padded.clone();
        let rows = from.chunks_exact(from.len() / s.height);
        for (row, to) in rows.zip(padded.chunks_exact_mut(from.len() / s.height)) {
            transpose(
                isa,
                s.in_channels,
                row,
                row.len() / (s.in_channels / LANES),
                to,
            );
        }
    }
    let pixel = s.in_channels * LANES;
    let row_len = (s.width + 2 * s.padding) * pixel;
    let column = if turned { BLOCK_PIXEL } else { pixel };
    let block = (s.width + 2 * s.padding) * BLOCK_PIXEL;
    let strip = Strip {
        in_channels: s.group_in(),
        out_channels: s.group_out(),
        kernel: s.kernel,
        pixels: s.out_width(),
        in_step: s.stride * column,
        column,
        block,
        out_step: s.out_channels * LANES,
    };
    let mut packed = vec![0.0; s.weight_len()];
    let per_group = s.weight_len() / s.groups;
    for (group, packed) in packed.chunks_mut(per_group).enumerate() {
        let mut pairs = Vec::new();
        for (kernel_row, y) in (0..s.kernel).flat_map(|k| (0..s.out_height()).map(move |y| (k, y)))
        {
            let source = (y * s.stride + kernel_row).checked_sub(s.padding);
            if let Some(source) = source.filter(|&r| r < s.height) {
                let first = group * s.group_in();
                let first = if turned {
                    first / LANES * block
                } else {
                    first * LANES
                };
                pairs.push(Pair {
                    kernel_row,
                    input: source * row_len + first,
                    gradient: (y * s.out_width() * s.out_channels + group * s.group_out()) * LANES,
                });
            }
        }
        add_strip(isa, strip, &padded, gradient, &pairs, packed);
    }
    // From (group)(place, out, in) to (out, in, place).
    let mut weight = vec![0.0; s.weight_len()];
    for o in 0..s.out_channels {
        for (i, place) in (0..s.group_in()).flat_map(|i| (0..s.places()).map(move |p| (i, p))) {
            let at = (place * s.group_out() + o % s.group_out()) * s.group_in() + i;
            weight[(o * s.group_in() + i) * s.places() + place] =
                packed[o / s.group_out() * per_group + at];
        }
    }
    weight
}

fn shapes() -> impl Strategy<Value = Conv2dShape> {
    let channels = prop_oneof![1usize..10, Just(16), Just(24), Just(32), Just(48)];
    (
        channels.clone(),
        channels,
        1usize..9,
        1usize..40,
        1usize..6,
        1usize..3,
        0usize..3,
        1usize..3,
    )
        .prop_filter_map(
            "the kernel fits",
            |(i, o, height, width, kernel, stride, padding, groups)| {
                let fits = height.min(width) + 2 * padding >= kernel;
                fits.then_some(Conv2dShape {
                    in_channels: i * groups,
                    out_channels: o * groups,
                    height,
                    width,
                    kernel,
                    stride,
                    padding,
                    groups,
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_match_the_definition(s in shapes(), seed in any::<u32>()) {
        let input = numbers(s.height * s.width * s.in_channels * LANES, seed);
        let weight = numbers(s.weight_len(), seed ^ 1);
        let bias = numbers(s.out_channels, seed ^ 2);
        let mut want = vec![0f64; s.out_height() * s.out_width() * s.out_channels * LANES];
        for (at, want) in want.iter_mut().enumerate() {
            *want = f64::from(bias[at / LANES % s.out_channels]);
        }
        for_each_product(&s, |pixel, o, w, i| {
            for lane in 0..LANES {
                want[(pixel * s.out_channels + o) * LANES + lane] +=
                    f64::from(weight[w]) * f64::from(input[i * LANES + lane]);
            }
        });
        for &isa in Isa::available() {
            assert_close(isa, "output", &forward(isa, &s, &input, &weight, &bias), &want, 16.0);
        }
    }

    #[test]
    fn rows_together_are_those_one_by_one(
        (inputs, outputs, pixels) in (1usize..20, 1usize..20, 1usize..8),
        taps in prop::collection::vec((0usize..9, 0usize..50), 0..30),
        cuts in prop::collection::vec(0usize..=30, 1..6),
        seed in any::<u32>(),
    ) {
        let s = Row { in_channels: inputs, out_channels: outputs, places: 9, pixels,
            in_step: inputs * LANES, out_step: outputs * LANES };
        let taps: Vec<Tap> = taps.into_iter()
            .map(|(place, at)| Tap { input: at * LANES, place })
            .collect();
        let (input, weight) =
            (numbers((50 + pixels * inputs) * LANES, seed), numbers(9 * inputs * outputs, seed ^ 1));
        let bias = numbers(outputs, seed ^ 2);
        let row_len = pixels * outputs * LANES;
        let spans: Vec<Span> = cuts.iter().enumerate().map(|(at, &cut)| {
            let first_tap = cut.min(taps.len());
            Span { first_tap, taps: (taps.len() - first_tap).min(at * 4), output: at * row_len }
        }).collect();
        for &isa in Isa::available() {
            let mut sums = [0, 1].map(|_| vec![0.0; 2 * outputs * LANES]);
            let mut found = [0, 1].map(|_| vec![f32::NAN; spans.len() * row_len]);
            let [together, one_by_one] = &mut found;
            let [sum, square] = sums[0].chunks_exact_mut(outputs * LANES).collect::<Vec<_>>()
                .try_into().unwrap();
            let gathered = Sums { shift: &bias, sum, square };
            rows(isa, s, &input, &taps, &spans, &weight, Some(&bias), together, Some(gathered));
            for span in &spans {
                let [sum, square] = sums[1].chunks_exact_mut(outputs * LANES).collect::<Vec<_>>()
                    .try_into().unwrap();
                let gathered = Sums { shift: &bias, sum, square };
                let taps = &taps[span.first_tap..][..span.taps];
                let to = &mut one_by_one[span.output..][..row_len];
                row(isa, s, &input, taps, &weight, Some(&bias), to, Some(gathered));
            }
            prop_assert_eq!(together, one_by_one, "{}", isa);
            prop_assert_eq!(&sums[0], &sums[1], "{}", isa);
        }
    }

    #[test]
    fn weight_gradients_match_the_definition(s in shapes(), live in 1usize..=16, seed in any::<u32>()) {
        let input = numbers(s.height * s.width * s.in_channels * LANES, seed);
        let mut gradient = numbers(s.out_height() * s.out_width() * s.out_channels * LANES, seed ^ 1);
        crate::lanes::clear_dead(&mut gradient, live);
        let mut want = vec![0f64; s.weight_len()];
        for_each_product(&s, |pixel, o, w, i| {
            for lane in 0..live {
                want[w] += f64::from(gradient[(pixel * s.out_channels + o) * LANES + lane])
                    * f64::from(input[i * LANES + lane]);
            }
        });
        for &isa in Isa::available() {
            let got = weight_gradient(isa, &s, &input, &gradient);
            assert_close(isa, "weight gradient", &got, &want, 64.0);
        }
    }

    #[test]
    fn sums_are_those_of_what_is_written(pixels in 1usize..20, outputs in 1usize..20, seed in any::<u32>()) {
        let s = Row { in_channels: 3, out_channels: outputs, places: 1, pixels, in_step: 48,
            out_step: outputs * LANES };
        let (input, weight) = (numbers(pixels * 48, seed), numbers(3 * outputs, seed ^ 1));
        let shift = numbers(outputs, seed ^ 2);
        for &isa in Isa::available() {
            let mut output = vec![0.0; pixels * outputs * LANES];
            let (mut sum, mut square) = (vec![0.0; outputs * LANES], vec![0.0; outputs * LANES]);
            let sums = Sums { shift: &shift, sum: &mut sum, square: &mut square };
            let tap = [Tap { input: 0, place: 0 }];
            row(isa, s, &input, &tap, &weight, None, &mut output, Some(sums));
            let (mut want, mut want_square) = (vec![0f64; sum.len()], vec![0f64; sum.len()]);
            for (at, y) in output.iter().enumerate() {
                let lane = at % want.len();
                let y = f64::from(*y) - f64::from(shift[lane / LANES]);
                want[lane] += y;
                want_square[lane] += y * y;
            }
            assert_close(isa, "sum", &sum, &want, 40.0);
            assert_close(isa, "square", &square, &want_square, 80.0);
        }
    }
}
