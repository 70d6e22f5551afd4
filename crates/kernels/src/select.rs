//! Max pooling, gates and constant factors, on `(pixels, channels, 16)`.
//!
//! Cost: one read or write of each slice. Plain loops over arrays: compiled inside a function with
//! the set's features they become vectors.

use crate::vector::{Vector, dispatch, sigmoid};
use crate::{Isa, LANES};

/// One place of a pooling window, for a row of windows.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Numbers of a pixel: channels × 16.
    pub pixel: usize,
    /// Step between windows in columns.
    pub stride: usize,
    /// Columns of the input that lie before the first window's column; negative for those after it.
    pub offset: isize,
    /// Number of the place within the window.
    pub place: u16,
}

impl Window {
    /// Pairs of output and input column that meet.
    fn pairs(self, outputs: usize, inputs: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..outputs).filter_map(move |x| {
            let column = (x * self.stride).checked_add_signed(-self.offset)?;
            (column < inputs).then_some((x, column))
        })
    }

    fn check(self, inputs: usize, outputs: usize, places: usize) {
        assert!(
            self.pixel > 0
                && inputs.is_multiple_of(self.pixel)
                && outputs.is_multiple_of(self.pixel),
            "whole pixels"
        );
        assert_eq!(outputs, places, "one place an output");
    }
}

/// `most = max(most, input)` at one place of each window, with the place noted where it is larger.
/// What is not a number counts as the largest.
pub fn take_larger(isa: Isa, by: Window, input: &[f32], most: &mut [f32], places: &mut [f32]) {
    by.check(input.len(), most.len(), places.len());
    dispatch!(isa, take_larger_all(by: Window, input: &[f32], most: &mut [f32], places: &mut [f32]));
}

#[inline(always)]
unsafe fn take_larger_all<V: Vector>(
    by: Window,
    input: &[f32],
    most: &mut [f32],
    places: &mut [f32],
) {
    let place = f32::from(by.place);
    for (x, column) in by.pairs(most.len() / by.pixel, input.len() / by.pixel) {
        let from = &input[column * by.pixel..][..by.pixel];
        let most = &mut most[x * by.pixel..][..by.pixel];
        let places = &mut places[x * by.pixel..][..by.pixel];
        for ((&value, most), noted) in from.iter().zip(most).zip(places) {
            let larger = value > *most || value.is_nan();
            *most = if larger { value } else { *most };
            *noted = if larger { place } else { *noted };
        }
    }
}

/// Backward of [`take_larger`]: adds to `input` the gradient of those windows that noted the place.
pub fn give_to_larger(isa: Isa, by: Window, gradient: &[f32], places: &[f32], input: &mut [f32]) {
    by.check(input.len(), gradient.len(), places.len());
    dispatch!(isa, give_to_larger_all(
        by: Window, gradient: &[f32], places: &[f32], input: &mut [f32]));
}

#[inline(always)]
unsafe fn give_to_larger_all<V: Vector>(
    by: Window,
    gradient: &[f32],
    places: &[f32],
    input: &mut [f32],
) {
    let place = f32::from(by.place);
    for (x, column) in by.pairs(gradient.len() / by.pixel, input.len() / by.pixel) {
        let to = &mut input[column * by.pixel..][..by.pixel];
        let gradient = &gradient[x * by.pixel..][..by.pixel];
        let places = &places[x * by.pixel..][..by.pixel];
        for ((to, &gradient), &noted) in to.iter_mut().zip(gradient).zip(places) {
            *to += if noted == place { gradient } else { 0.0 };
        }
    }
}

/// `values *= factor`; 0 gives zeros, whatever the values are.
pub fn scale(isa: Isa, factor: f32, values: &mut [f32]) {
    if factor == 0.0 {
        values.fill(0.0);
    } else {
        dispatch!(isa, scale_all(factor: f32, values: &mut [f32]));
    }
}

#[inline(always)]
unsafe fn scale_all<V: Vector>(factor: f32, values: &mut [f32]) {
    for value in values {
        *value *= factor;
    }
}

/// `values *= g` with `g = σ(logits)`, or `1 − g` if `complement`: a gate forward, and backward as
/// far as what it gates.
pub fn gate(isa: Isa, complement: bool, logits: &[f32], values: &mut [f32]) {
    check(logits, values);
    dispatch!(isa, gate_all(complement: bool, logits: &[f32], values: &mut [f32]));
}

#[inline(always)]
unsafe fn gate_all<V: Vector>(complement: bool, logits: &[f32], values: &mut [f32]) {
    for at in (0..values.len()).step_by(V::LANES) {
        let x = V::load(logits.as_ptr().add(at));
        let x = if complement { V::zero().sub(x) } else { x };
        let to = values.as_mut_ptr().add(at);
        V::load(to).mul(sigmoid(x)).store(to);
    }
}

/// Backward of [`gate`] as far as the logits: `values *= gradient · g (1 − g)`, with a minus if
/// `complement`. `values` are what the gate multiplied.
pub fn gate_backward(
    isa: Isa,
    complement: bool,
    logits: &[f32],
    gradient: &[f32],
    values: &mut [f32],
) {
    check(logits, values);
    check(gradient, values);
    dispatch!(isa, gate_backward_all(
        complement: bool, logits: &[f32], gradient: &[f32], values: &mut [f32]));
}

#[inline(always)]
unsafe fn gate_backward_all<V: Vector>(
    complement: bool,
    logits: &[f32],
    gradient: &[f32],
    values: &mut [f32],
) {
    let sign = V::splat(if complement { -1.0 } else { 1.0 });
    for at in (0..values.len()).step_by(V::LANES) {
        let x = V::load(logits.as_ptr().add(at));
        let slope = sigmoid(x).mul(sigmoid(V::zero().sub(x))).mul(sign);
        let to = values.as_mut_ptr().add(at);
        let gradient = V::load(gradient.as_ptr().add(at));
        V::load(to).mul(gradient.mul(slope)).store(to);
    }
}

fn check(numbers: &[f32], values: &[f32]) {
    assert_eq!(numbers.len(), values.len(), "as many numbers");
    assert!(values.len().is_multiple_of(LANES), "whole vectors");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_the_logistic_function() {
        let logits: Vec<f32> = (0..320).map(|i| (i as f32 - 160.0) * 0.2).collect();
        for isa in Isa::available() {
            for complement in [false, true] {
                let mut values = vec![3.0; logits.len()];
                gate(*isa, complement, &logits, &mut values);
                let mut slopes = vec![2.0; logits.len()];
                gate_backward(*isa, complement, &logits, &values, &mut slopes);
                for (at, &x) in logits.iter().enumerate() {
                    let sign = if complement { -1.0 } else { 1.0 };
                    let g = 1.0 / (1.0 + (-f64::from(x) * sign).exp());
                    let near = |found: f32, want: f64| {
                        (f64::from(found) - want).abs() <= 2e-6 * want.abs()
                    };
                    assert!(near(values[at], 3.0 * g), "{isa}: {x}");
                    let h = 1.0 / (1.0 + (f64::from(x) * sign).exp());
                    let slope = 2.0 * f64::from(values[at]) * g * h * sign;
                    assert!(near(slopes[at], slope), "{isa}: {x}");
                }
            }
            let mut values = [1.0; LANES];
            gate(*isa, false, &[f32::NAN; LANES], &mut values);
            assert!(values.iter().all(|v| v.is_nan()), "{isa}");
        }
    }

    #[test]
    fn the_first_of_equals_is_the_largest_and_gets_the_gradient() {
        // One channel, four columns, windows of three with stride 2 and one column of padding.
        let input: Vec<f32> = [5.0, 5.0, 1.0, 7.0]
            .into_iter()
            .flat_map(|v| [v; LANES])
            .collect();
        let window = |place: u16| Window {
            pixel: LANES,
            stride: 2,
            offset: 1 - place as isize,
            place,
        };
        for isa in Isa::available() {
            let mut most = vec![f32::NEG_INFINITY; 2 * LANES];
            let mut places = vec![0.0; 2 * LANES];
            for place in 0..3 {
                take_larger(*isa, window(place), &input, &mut most, &mut places);
            }
            assert_eq!((most[0], most[LANES]), (5.0, 7.0));
            assert_eq!((places[0], places[LANES]), (1.0, 2.0));
            let mut gradient = vec![0.0; 4 * LANES];
            for place in 0..3 {
                give_to_larger(*isa, window(place), &most, &places, &mut gradient);
            }
            let column = |x: usize| gradient[x * LANES];
            assert_eq!([0, 1, 2, 3].map(column), [5.0, 0.0, 0.0, 7.0]);
        }
    }
}
