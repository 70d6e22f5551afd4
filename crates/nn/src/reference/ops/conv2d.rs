//! Two-dimensional cross-correlation with zero padding (what PyTorch calls a convolution).
//!
//! `y[n, i, j, o] = b[o] + Σ_{c, u, v} w[o, c, u, v] · x[n, i·s + u − p, j·s + v − p, c]`
//!
//! as one matrix product a sample and group: the patches `(pixels out, c·u·v)` times the weight
//! `(out, c·u·v)` transposed.

use ndarray::{Array2, ArrayView2, ArrayView3, ArrayViewMut3, Axis, s};

use super::super::{Scalar, Tensor};
use super::linear::{add, matrix};
use crate::network::{Conv2d, Slot};

/// The convolution; shapes have been checked.
pub fn forward<S: Scalar>(conv: &Conv2d, parameters: &[S], input: &Tensor<S>) -> Tensor<S> {
    let (n, height, width, _) = input.dim();
    let (rows, columns) = (side(conv, height), side(conv, width));
    let mut output = Tensor::from_elem((n, rows, columns, conv.out_channels), S::zero());
    for (image, mut result) in input.outer_iter().zip(output.outer_iter_mut()) {
        for group in 0..conv.groups {
            let patches = patches(conv, group, image);
            let product = S::matmul(patches.view(), group_weight(conv, group, parameters).t());
            for (position, values) in product.outer_iter().enumerate() {
                let (row, column) = (position / columns, position % columns);
                result
                    .slice_mut(s![row, column, outputs(conv, group)])
                    .assign(&values);
            }
        }
    }
    if let Some(bias) = conv.bias {
        output += &ndarray::aview1(bias.of(parameters));
    }
    output
}

/// With G = ∂L/∂Y as `(pixels, out)` and patches P: ∂L/∂W = Gᵀ P, ∂L/∂P = G W, and each number
/// of a patch goes back to the pixel it was copied from.
pub fn backward<S: Scalar>(
    conv: &Conv2d,
    parameters: &[S],
    input: &Tensor<S>,
    grad_output: &Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let mut grad_input = Tensor::from_elem(input.dim(), S::zero());
    let samples = input.outer_iter().zip(grad_output.outer_iter());
    for ((image, grad), mut grad_image) in samples.zip(grad_input.outer_iter_mut()) {
        for group in 0..conv.groups {
            let patches = patches(conv, group, image);
            let grad = pixels(grad.slice(s![.., .., outputs(conv, group)]));
            let grad_weight = S::matmul(grad.t(), patches.view());
            add(gradient, weight_slot(conv, group), grad_weight.iter());
            let grad_patches = S::matmul(grad.view(), group_weight(conv, group, parameters));
            add_patches(conv, group, &grad_patches, &mut grad_image);
        }
    }
    if let Some(bias) = conv.bias {
        let sums = grad_output
            .sum_axis(Axis(0))
            .sum_axis(Axis(0))
            .sum_axis(Axis(0));
        add(gradient, bias, sums.iter());
    }
    grad_input
}

/// ∂L/∂X alone, for whoever sends many gradients back through one pass. With the taps' channels
/// side by side in G W, each tap of a pixel is one stretch to add.
pub fn backward_input<S: Scalar>(
    conv: &Conv2d,
    parameters: &[S],
    input: (usize, usize, usize, usize),
    grad_output: &Tensor<S>,
) -> Tensor<S> {
    let (_, height, width, channels) = input;
    let mut grad_input = Tensor::from_elem(input, S::zero());
    let inputs = conv.in_channels / conv.groups;
    for group in 0..conv.groups {
        let weight = weight_by_tap(conv, group, parameters);
        for (grad, mut image) in grad_output.outer_iter().zip(grad_input.outer_iter_mut()) {
            let grad = pixels(grad.slice(s![.., .., outputs(conv, group)]));
            let patches = S::matmul(grad.view(), weight.view());
            let image = image.as_slice_mut().expect("made in rows");
            let first = group * inputs;
            for (place, row, column) in taps_inside(conv, (height, width)) {
                let to = (row * width + column) * channels + first;
                let from = patches.slice(s![place.0, place.1 * inputs..(place.1 + 1) * inputs]);
                for (sum, &value) in image[to..to + inputs].iter_mut().zip(from) {
                    *sum += value;
                }
            }
        }
    }
    grad_input
}

/// A group's weight as `(out, row·column·c)`.
fn weight_by_tap<S: Scalar>(conv: &Conv2d, group: usize, parameters: &[S]) -> Array2<S> {
    let weight = group_weight(conv, group, parameters);
    let (taps, inputs) = (conv.kernel * conv.kernel, conv.in_channels / conv.groups);
    Array2::from_shape_fn(weight.dim(), |(out, feature)| {
        weight[[out, feature % inputs * taps + feature / inputs]]
    })
}

/// `((pixel out, tap), row, column)` of all taps that lie on the image.
fn taps_inside(
    conv: &Conv2d,
    (height, width): (usize, usize),
) -> impl Iterator<Item = ((usize, usize), usize, usize)> {
    let (stride, padding, kernel) = (conv.stride, conv.padding, conv.kernel);
    let (rows, columns) = (side(conv, height), side(conv, width));
    let inside = move |out: usize, tap: usize, length: usize| {
        (out * stride + tap)
            .checked_sub(padding)
            .filter(|&place| place < length)
    };
    (0..rows * columns).flat_map(move |position| {
        (0..kernel * kernel).filter_map(move |tap| {
            let row = inside(position / columns, tap / kernel, height)?;
            let column = inside(position % columns, tap % kernel, width)?;
            Some(((position, tap), row, column))
        })
    })
}

/// Rows or columns out of so many in.
fn side(conv: &Conv2d, length: usize) -> usize {
    (length + 2 * conv.padding - conv.kernel) / conv.stride + 1
}

fn outputs(conv: &Conv2d, group: usize) -> std::ops::Range<usize> {
    let each = conv.out_channels / conv.groups;
    group * each..(group + 1) * each
}

fn weight_slot(conv: &Conv2d, group: usize) -> Slot {
    let len = conv.weight.len / conv.groups;
    Slot {
        offset: conv.weight.offset + group * len,
        len,
    }
}

fn group_weight<'a, S>(conv: &Conv2d, group: usize, parameters: &'a [S]) -> ArrayView2<'a, S> {
    matrix(
        weight_slot(conv, group).of(parameters),
        conv.out_channels / conv.groups,
    )
}

/// An image `(H, W, C)` as a matrix `(H·W, C)`.
fn pixels<S: Scalar>(image: ArrayView3<S>) -> Array2<S> {
    let (height, width, channels) = image.dim();
    Array2::from_shape_fn((height * width, channels), |(pixel, channel)| {
        image[[pixel / width, pixel % width, channel]]
    })
}

/// One row for each pixel out, the numbers its outputs see, in the weight's order
/// `(channel, row, column)`; zeros where the kernel hangs over the edge.
fn patches<S: Scalar>(conv: &Conv2d, group: usize, image: ArrayView3<S>) -> Array2<S> {
    let mut patches = Array2::from_elem(patches_dim(conv, image.dim()), S::zero());
    for_each_pair(conv, group, image.dim(), |patch, pixel| {
        patches[patch] = image[pixel]
    });
    patches
}

fn add_patches<S: Scalar>(
    conv: &Conv2d,
    group: usize,
    patches: &Array2<S>,
    image: &mut ArrayViewMut3<S>,
) {
    for_each_pair(conv, group, image.dim(), |patch, pixel| {
        image[pixel] += patches[patch]
    });
}

fn patches_dim(conv: &Conv2d, (height, width, _): (usize, usize, usize)) -> (usize, usize) {
    let inputs = conv.in_channels / conv.groups;
    (
        side(conv, height) * side(conv, width),
        inputs * conv.kernel * conv.kernel,
    )
}

/// Calls `visit(place in the patches, place in the image)` for all pairs that belong together.
fn for_each_pair(
    conv: &Conv2d,
    group: usize,
    (height, width, _): (usize, usize, usize),
    mut visit: impl FnMut([usize; 2], [usize; 3]),
) {
    let columns = side(conv, width);
    let inputs = conv.in_channels / conv.groups;
    let inside = |out: usize, tap: usize, length: usize| {
        (out * conv.stride + tap)
            .checked_sub(conv.padding)
            .filter(|&place| place < length)
    };
    for position in 0..side(conv, height) * columns {
        for tap in 0..conv.kernel * conv.kernel {
            let row = inside(position / columns, tap / conv.kernel, height);
            let column = inside(position % columns, tap % conv.kernel, width);
            let (Some(row), Some(column)) = (row, column) else {
                continue;
            };
            for channel in 0..inputs {
                let feature = channel * conv.kernel * conv.kernel + tap;
                visit([position, feature], [row, column, group * inputs + channel]);
            }
        }
    }
}
