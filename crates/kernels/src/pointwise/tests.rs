//! Every pass against its formula in `f64`, over random shapes, for every instruction set.

use proptest::prelude::*;

use super::*;
use crate::test_support::{always_the_same, assert_close, numbers};

/// What one operation of numbers of size 3 may be off by.
const TOLERANCE: f64 = 2e-6;

fn value(f: Nonlinearity, x: f64) -> f64 {
    match f {
        Nonlinearity::Relu => x.max(0.0),
        Nonlinearity::Tanh => x.tanh(),
        Nonlinearity::Identity => x,
    }
}

fn slope(f: Nonlinearity, x: f64) -> f64 {
    match f {
        Nonlinearity::Relu => f64::from(u8::from(x > 0.0)),
        Nonlinearity::Tanh => 1.0 - x.tanh().powi(2),
        Nonlinearity::Identity => 1.0,
    }
}

fn nonlinearities() -> impl Strategy<Value = Nonlinearity> {
    prop_oneof![
        Just(Nonlinearity::Relu),
        Just(Nonlinearity::Tanh),
        Just(Nonlinearity::Identity)
    ]
}

/// Random slices of `pixels` pixels with `channels` channels.
#[derive(Debug, Clone)]
struct Case {
    channels: usize,
    input: Vec<f32>,
    other: Vec<f32>,
    third: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Case {
    fn affine(&self) -> Affine<'_> {
        Affine {
            scale: &self.scale,
            shift: &self.shift,
        }
    }

    fn channel(&self, at: usize) -> usize {
        at / LANES % self.channels
    }

    /// `scale[c] · x + shift[c]` where `normalised`, else `x`.
    fn view(&self, normalised: bool, at: usize) -> f64 {
        let (x, c) = (f64::from(self.input[at]), self.channel(at));
        if !normalised {
            return x;
        }
        f64::from(self.scale[c]) * x + f64::from(self.shift[c])
    }

    /// What `of(index)` is at each number.
    fn all(&self, of: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..self.input.len()).map(of).collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (0usize..9, 1usize..20, any::<u32>()).prop_map(|(pixels, channels, seed)| {
        let len = pixels * channels * LANES;
        let mut input = numbers(len, seed);
        // Where f is not smooth, too: exact zeros.
        input.iter_mut().step_by(7).for_each(|x| *x = 0.0);
        Case {
            channels,
            input,
            other: numbers(len, seed ^ 1),
            third: numbers(len, seed ^ 4),
            scale: numbers(channels, seed ^ 2),
            shift: numbers(channels, seed ^ 3),
        }
    })
}

/// A value this close to 0 may fall on either side of ReLU's corner, by rounding.
fn is_at_corner(f: Nonlinearity, x: f64) -> bool {
    f == Nonlinearity::Relu && x.abs() < TOLERANCE
}

proptest! {
    #![proptest_config(always_the_same(48))]

    #[test]
    fn apply_is_f_of_the_normalised_input(case in cases(), f in nonlinearities(), normalised: bool) {
        let want = case.all(|at| value(f, case.view(normalised, at)));
        for &isa in Isa::available() {
            let mut output = vec![f32::NAN; case.input.len()];
            let affine = normalised.then(|| case.affine());
            apply(isa, case.channels, &case.input, affine, f, &mut output);
            assert_close(isa, "output", &output, &want, TOLERANCE);
        }
    }

    #[test]
    fn apply_add_is_f_of_the_sum(case in cases(), f in nonlinearities(), normalised: bool) {
        let want = case.all(|at| value(f, case.view(normalised, at) + f64::from(case.other[at])));
        for &isa in Isa::available() {
            let mut output = vec![f32::NAN; case.input.len()];
            let affine = normalised.then(|| case.affine());
            apply_add(isa, case.channels, &case.input, affine, &case.other, f, &mut output);
            assert_close(isa, "output", &output, &want, TOLERANCE);
        }
    }

    #[test]
    fn add_assign_is_a_sum(case in cases()) {
        let want = case.all(|at| f64::from(case.input[at]) + f64::from(case.other[at]));
        for &isa in Isa::available() {
            let mut values = case.input.clone();
            add_assign(isa, &mut values, &case.other);
            assert_close(isa, "sum", &values, &want, TOLERANCE);
        }
    }

    #[test]
    fn activate_in_place_is_f(case in cases(), f in nonlinearities()) {
        let want = case.all(|at| value(f, f64::from(case.input[at])));
        for &isa in Isa::available() {
            let mut values = case.input.clone();
            activate_in_place(isa, f, &mut values);
            assert_close(isa, "f", &values, &want, TOLERANCE);
        }
    }

    #[test]
    fn sum_backward_adds_squares_and_masks(case in cases(), f in nonlinearities(), with_base: bool) {
        let total = |at: usize| {
            f64::from(case.other[at]) + if with_base { f64::from(case.third[at]) } else { 0.0 }
        };
        let want = case.all(|at| total(at) * slope(f, f64::from(case.input[at])));
        let mut want_squares = vec![0.5; LANES];
        (0..case.input.len()).for_each(|at| want_squares[at % LANES] += total(at) * total(at));
        for &isa in Isa::available() {
            let mut output = case.input.clone();
            activate_in_place(isa, f, &mut output);
            let (mut gradient, mut squares) = (case.other.clone(), [0.5; LANES]);
            let base = with_base.then_some(&case.third[..]);
            sum_backward(isa, &mut gradient, base, f, &output, &mut squares);
            assert_close(isa, "gradient", &gradient, &want, 2.0 * TOLERANCE);
            assert_close(isa, "squares", &squares, &want_squares, 1e-3);
        }
    }

    #[test]
    fn both_masks_multiply_by_the_slope(case in cases(), f in nonlinearities()) {
        let want = case.all(|at| {
            f64::from(case.other[at]) * slope(f, f64::from(case.input[at]))
        });
        for &isa in Isa::available() {
            let mut by_input = case.other.clone();
            mask_by_input(isa, f, &case.input, &mut by_input);
            assert_close(isa, "by input", &by_input, &want, TOLERANCE);
            let mut output = case.input.clone();
            activate_in_place(isa, f, &mut output);
            let mut by_output = case.other.clone();
            mask_by_output(isa, f, &output, &mut by_output);
            assert_close(isa, "by output", &by_output, &want, TOLERANCE);
        }
    }

    #[test]
    fn apply_backward_masks_and_adds_to_the_sums(case in cases(), f in nonlinearities(), seed: u32) {
        let (input, gradient) = (&case.input, &case.other);
        let before = numbers(2 * case.channels * LANES, seed);
        let mean = numbers(case.channels, seed ^ 1);
        for &isa in Isa::available() {
            let mut output = vec![f32::NAN; input.len()];
            let mut lanes = before.clone();
            let (sum, dot) = lanes.split_at_mut(case.channels * LANES);
            let sums = GradientSums { mean: &mean, sum, dot };
            apply_backward(isa, case.channels, gradient, input, case.affine(), f, sums, &mut output);
            let mut want_lanes: Vec<f64> = before.iter().map(|&x| f64::from(x)).collect();
            for (at, &got) in output.iter().enumerate() {
                let x = case.view(true, at);
                let want = f64::from(gradient[at]) * slope(f, x);
                let error = (f64::from(got) - want).abs();
                prop_assert!(error < TOLERANCE || is_at_corner(f, x), "{isa}: {got}, not {want}");
                // Sums are those of what was written, on whichever side of a corner it fell.
                let lane = at % (case.channels * LANES);
                let distance = f64::from(input[at]) - f64::from(mean[case.channel(at)]);
                want_lanes[lane] += f64::from(got);
                want_lanes[case.channels * LANES + lane] += f64::from(got) * distance;
            }
            assert_close(isa, "sums", &lanes, &want_lanes, 10.0 * TOLERANCE);
        }
    }

    #[test]
    fn combine_is_its_formula(case in cases(), seed: u32) {
        let [mean, of_gradient, of_input, constant] =
            [0, 1, 2, 3].map(|i| numbers(case.channels, seed ^ i));
        let by = Combination {
            mean: &mean,
            of_gradient: &of_gradient,
            of_input: &of_input,
            constant: &constant,
        };
        let want = case.all(|at| {
            let of = |coefficients: &[f32]| f64::from(coefficients[case.channel(at)]);
            let distance = f64::from(case.input[at]) - of(&mean);
            of(&of_gradient) * f64::from(case.other[at]) + of(&of_input) * distance + of(&constant)
        });
        for &isa in Isa::available() {
            let mut output = vec![f32::NAN; case.input.len()];
            combine(isa, case.channels, &case.other, &case.input, by, &mut output);
            assert_close(isa, "combination", &output, &want, TOLERANCE);
        }
    }
}

#[test]
fn what_is_not_a_number_stays_so_through_every_nonlinearity() {
    for f in [
        Nonlinearity::Relu,
        Nonlinearity::Tanh,
        Nonlinearity::Identity,
    ] {
        for &isa in Isa::available() {
            let mut values = [f32::NAN; LANES];
            activate_in_place(isa, f, &mut values);
            assert!(values.iter().all(|x| x.is_nan()), "{isa}: {f:?}");
        }
    }
}

#[test]
#[should_panic(expected = "whole pixels of 3")]
fn pixels_cut_in_two_are_refused() {
    let mut output = vec![0.0; 4 * LANES];
    let input = output.clone();
    apply(
        Isa::current(),
        3,
        &input,
        None,
        Nonlinearity::Relu,
        &mut output,
    );
}
