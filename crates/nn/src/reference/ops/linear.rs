//! `y = W x + b` on vectors `(N, 1, 1, F)`; `W` is `(out, in)`.

use ndarray::{ArrayView2, Axis};

use super::super::{Scalar, Tensor};
use crate::network::{Linear, Slot};

/// Y = X Wᵀ + b.
pub fn forward<S: Scalar>(linear: &Linear, parameters: &[S], input: &Tensor<S>) -> Tensor<S> {
    let weight = matrix(linear.weight.of(parameters), linear.out_features);
    let mut output = S::matmul(rows(input), weight.t());
    if let Some(bias) = linear.bias {
        output += &ndarray::aview1(bias.of(parameters));
    }
    output.insert_axis(Axis(1)).insert_axis(Axis(1))
}

/// With G = ∂L/∂Y: ∂L/∂X = G W, ∂L/∂W = Gᵀ X, ∂L/∂b = Σ_n G.
pub fn backward<S: Scalar>(
    linear: &Linear,
    parameters: &[S],
    input: &Tensor<S>,
    grad_output: &Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let weight = matrix(linear.weight.of(parameters), linear.out_features);
    let grad = rows(grad_output);
    add(
        gradient,
        linear.weight,
        S::matmul(grad.t(), rows(input)).iter(),
    );
    if let Some(bias) = linear.bias {
        add(gradient, bias, grad.sum_axis(Axis(0)).iter());
    }
    S::matmul(grad, weight)
        .insert_axis(Axis(1))
        .insert_axis(Axis(1))
}

/// ∂L/∂X alone.
pub fn backward_input<S: Scalar>(
    linear: &Linear,
    parameters: &[S],
    grad_output: &Tensor<S>,
) -> Tensor<S> {
    let weight = matrix(linear.weight.of(parameters), linear.out_features);
    S::matmul(rows(grad_output), weight)
        .insert_axis(Axis(1))
        .insert_axis(Axis(1))
}

/// A slice as a matrix of so many rows.
pub(super) fn matrix<S>(slice: &[S], rows: usize) -> ArrayView2<'_, S> {
    let columns = slice.len().checked_div(rows).unwrap_or(0);
    ndarray::ArrayView1::from(slice)
        .into_shape_with_order((rows, columns))
        .expect("a slot holds whole rows")
}

/// Adds values to a slot of the gradient.
pub(super) fn add<'a, S: Scalar>(
    gradient: &mut [S],
    slot: Slot,
    values: impl Iterator<Item = &'a S>,
) {
    for (sum, value) in slot.of_mut(gradient).iter_mut().zip(values) {
        *sum += *value;
    }
}

/// Vectors `(N, 1, 1, F)` as a matrix `(N, F)`.
fn rows<S>(vectors: &Tensor<S>) -> ArrayView2<'_, S> {
    vectors.view().remove_axis(Axis(1)).remove_axis(Axis(1))
}
