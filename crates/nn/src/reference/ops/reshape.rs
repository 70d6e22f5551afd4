//! Images to vectors, and the shortcut of option A.

use ndarray::{Axis, s};

use super::super::{Scalar, Tensor};
use crate::network::SubsamplePad;

/// Mean over rows and columns: `(N, H, W, C)` to `(N, 1, 1, C)`.
pub fn global_average<S: Scalar>(input: &Tensor<S>) -> Tensor<S> {
    let pixels = S::from_f64((input.dim().1 * input.dim().2) as f64);
    let sums = input.sum_axis(Axis(1)).sum_axis(Axis(1));
    sums.mapv(|sum| sum / pixels)
        .insert_axis(Axis(1))
        .insert_axis(Axis(1))
}

/// Every pixel gets its share.
pub fn global_average_backward<S: Scalar>(input: &Tensor<S>, grad_output: &Tensor<S>) -> Tensor<S> {
    let pixels = S::from_f64((input.dim().1 * input.dim().2) as f64);
    Tensor::from_shape_fn(input.dim(), |(n, _, _, c)| {
        grad_output[[n, 0, 0, c]] / pixels
    })
}

/// An image to a vector in PyTorch's order: channel, row, column.
pub fn flatten<S: Scalar>(input: &Tensor<S>) -> Tensor<S> {
    let (n, height, width, channels) = input.dim();
    Tensor::from_shape_fn(
        (n, 1, 1, channels * height * width),
        |(n, _, _, feature)| {
            let (channel, pixel) = (feature / (height * width), feature % (height * width));
            input[[n, pixel / width, pixel % width, channel]]
        },
    )
}

/// A vector back to an image.
pub fn flatten_backward<S: Scalar>(input: &Tensor<S>, grad_output: &Tensor<S>) -> Tensor<S> {
    let (_, height, width, _) = input.dim();
    Tensor::from_shape_fn(input.dim(), |(n, row, column, channel)| {
        grad_output[[n, 0, 0, (channel * height + row) * width + column]]
    })
}

/// Option A: every `stride`-th pixel, between `pad_before` and `pad_after` channels of zeros.
pub fn subsample_pad<S: Scalar>(option_a: &SubsamplePad, input: &Tensor<S>) -> Tensor<S> {
    let SubsamplePad {
        stride,
        pad_before,
        pad_after,
    } = *option_a;
    let (n, height, width, channels) = input.dim();
    let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
    let all = pad_before + channels + pad_after;
    let mut output = Tensor::from_elem((n, rows, columns, all), S::zero());
    output
        .slice_mut(s![.., .., .., pad_before..pad_before + channels])
        .assign(&input.slice(s![.., ..;stride, ..;stride, ..]));
    output
}

/// The gradient goes back to the pixels that were taken. `input` gives the input's dimensions.
pub fn subsample_pad_backward<S: Scalar>(
    option_a: &SubsamplePad,
    input: (usize, usize, usize, usize),
    grad_output: &Tensor<S>,
) -> Tensor<S> {
    let SubsamplePad {
        stride, pad_before, ..
    } = *option_a;
    let mut grad_input = Tensor::from_elem(input, S::zero());
    grad_input
        .slice_mut(s![.., ..;stride, ..;stride, ..])
        .assign(&grad_output.slice(s![.., .., .., pad_before..pad_before + input.3]));
    grad_input
}
