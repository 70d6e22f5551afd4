//! The passes against their formulas in f64, and those against differences of the op itself.

use super::*;
use crate::pointwise::Nonlinearity;
use crate::test_support::{assert_close, numbers};

const CHANNELS: usize = 3;
const LEN: usize = 5 * CHANNELS * LANES;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn channel(at: usize) -> usize {
    at / LANES % CHANNELS
}

/// f′ and f″/f′ · … as the passes find them: f′(y) and df′/dy.
fn slopes(f: Nonlinearity, y: f64) -> (f64, f64) {
    match f {
        Nonlinearity::Relu => (f64::from(u8::from(y > 0.0)), 0.0),
        Nonlinearity::Tanh => (1.0 - y * y, -2.0 * y),
        Nonlinearity::Identity => (1.0, 0.0),
    }
}

const ALL: [Nonlinearity; 3] = [
    Nonlinearity::Relu,
    Nonlinearity::Tanh,
    Nonlinearity::Identity,
];

#[test]
fn tangents_forward_and_backward_are_their_formulas() {
    let slice = |seed| numbers(LEN, seed);
    let [z, dz, dother, y, g, dg, dy] = [1, 2, 3, 4, 5, 6, 7].map(slice);
    let coefficient = |seed| numbers(CHANNELS, seed);
    let [mean, a1, a2, a3, a4, a5] = [11, 12, 13, 14, 15, 16].map(coefficient);
    let by = Combination {
        mean: &mean,
        of_gradient: &a1,
        of_input: &a2,
        constant: &a3,
    };
    let mixture = Mixture {
        mean: &mean,
        factors: [&a1, &a2, &a3, &a4, &a5],
    };
    let of = |values: &[f32], at: usize| f64::from(values[at]);
    for (isa, f) in Isa::available()
        .iter()
        .flat_map(|isa| ALL.map(|f| (*isa, f)))
    {
        let mut mask = vec![0; LEN / LANES];
        positive(isa, &y, &mut mask);
        let slope = match f {
            Nonlinearity::Relu => Slope::Mask(&mask),
            Nonlinearity::Tanh => Slope::Tanh(&y),
            Nonlinearity::Identity => Slope::One,
        };
        let mut got = vec![0.0; LEN];
        forward(isa, slope, by, Some(&z), &dz, Some(&dother), &mut got);
        let centred = |at: usize| of(&z, at) - of(&mean, channel(at));
        let want: Vec<f64> = (0..LEN)
            .map(|at| {
                let c = channel(at);
                let inner = of(&a1, c) * of(&dz, at) + of(&a2, c) * centred(at) + of(&a3, c);
                slopes(f, of(&y, at)).0 * (inner + of(&dother, at))
            })
            .collect();
        assert_close(isa, "forward", &got, &want, 2e-6);

        let from = Backward {
            gradient: &g,
            slope,
            input: Some(&z),
        };
        let h: Vec<f64> = (0..LEN)
            .map(|at| slopes(f, of(&y, at)).0 * of(&g, at))
            .collect();
        let dh: Vec<f64> = (0..LEN)
            .map(|at| {
                let (first, second) = slopes(f, of(&y, at));
                first * of(&dg, at) + second * of(&dy, at) * of(&g, at)
            })
            .collect();
        let (mut sum, mut dot) = (vec![0.5; CHANNELS * LANES], vec![0.0; CHANNELS * LANES]);
        let (mut input, mut other) = (vec![0.0; LEN], vec![0.0; LEN]);
        let sums = Sums {
            mean: &mean,
            sum: &mut sum,
            dot: &mut dot,
        };
        backward(
            isa,
            from,
            by,
            Some(sums),
            Some(&mut input),
            Some(&mut other),
        );
        assert_close(isa, "h", &other, &h, 1e-6);
        let want: Vec<f64> = (0..LEN)
            .map(|at| {
                let c = channel(at);
                of(&a1, c) * h[at] + of(&a2, c) * centred(at) + of(&a3, c)
            })
            .collect();
        assert_close(isa, "gradient of the input", &input, &want, 2e-6);
        let folded = |term: &dyn Fn(usize) -> f64, first: f64| -> Vec<f64> {
            let of_lane =
                |lane: usize| (lane..LEN).step_by(CHANNELS * LANES).map(term).sum::<f64>();
            (0..CHANNELS * LANES)
                .map(|lane| first + of_lane(lane))
                .collect()
        };
        assert_close(isa, "Σ h", &sum, &folded(&|at| h[at], 0.5), 4e-6);
        let dots = folded(&|at| h[at] * centred(at), 0.0);
        assert_close(isa, "Σ h c", &dot, &dots, 8e-6);

        let mut scaled = vec![0.0; LEN];
        let without = Backward {
            input: None,
            ..from
        };
        backward(isa, without, by, None, Some(&mut scaled), None);
        let want: Vec<f64> = (0..LEN).map(|at| of(&a1, channel(at)) * h[at]).collect();
        assert_close(isa, "gradient without z", &scaled, &want, 1e-6);
        forward(isa, slope, by, None, &dz, None, &mut scaled);
        let want: Vec<f64> = (0..LEN)
            .map(|at| slopes(f, of(&y, at)).0 * of(&a1, channel(at)) * of(&dz, at))
            .collect();
        assert_close(isa, "forward without z", &scaled, &want, 1e-6);

        let tangents = BackwardTangent {
            gradient: &dg,
            output: &dy,
            input: &dz,
        };
        sum.fill(0.0);
        dot.fill(0.0);
        let sums = Sums {
            mean: &mean,
            sum: &mut sum,
            dot: &mut dot,
        };
        let outs = (Some(&mut input[..]), Some(&mut other[..]));
        backward_tangent(isa, from, tangents, mixture, Some(sums), outs.0, outs.1);
        assert_close(isa, "ḣ", &other, &dh, 2e-6);
        let want: Vec<f64> = (0..LEN)
            .map(|at| {
                let c = channel(at);
                of(&a1, c) * dh[at]
                    + of(&a2, c) * h[at]
                    + of(&a3, c) * centred(at)
                    + of(&a4, c) * of(&dz, at)
                    + of(&a5, c)
            })
            .collect();
        assert_close(isa, "its tangent", &input, &want, 4e-6);
        assert_close(isa, "Σ ḣ", &sum, &folded(&|at| dh[at], 0.0), 8e-6);
        let dots = folded(&|at| dh[at] * centred(at) + h[at] * of(&dz, at), 0.0);
        assert_close(isa, "Σ ḣ c + h ż", &dot, &dots, 1.6e-5);

        sum.fill(0.0);
        dot.fill(0.0);
        let sums = Sums {
            mean: &mean,
            sum: &mut sum,
            dot: &mut dot,
        };
        gather(isa, &z, &dz, sums);
        let tangent = wide(&dz);
        assert_close(isa, "Σ ż", &sum, &folded(&|at| tangent[at], 0.0), 4e-6);
        let dots = folded(&|at| tangent[at] * centred(at), 0.0);
        assert_close(isa, "Σ ż c", &dot, &dots, 8e-6);
    }
}

#[test]
fn a_mask_has_a_bit_for_each_positive_number() {
    let mut values = numbers(LEN, 21);
    (values[3], values[17], values[40]) = (0.0, f32::NAN, -0.0);
    for &isa in Isa::available() {
        let mut mask = vec![u16::MAX; LEN / LANES];
        positive(isa, &values, &mut mask);
        for (at, &value) in values.iter().enumerate() {
            let bit = mask[at / LANES] >> (at % LANES) & 1;
            assert_eq!(bit == 1, value > 0.0, "{isa}: {value} at {at}");
        }
    }
}
