//! Max pooling (`kernel × kernel` windows; padding counts as −∞).

use super::super::{Scalar, Tensor};
use crate::network::MaxPool;
use crate::network::shapes::window_count;

/// Largest value of each window; the first of equals, in PyTorch's order of rows and columns.
pub fn forward<S: Scalar>(pool: &MaxPool, input: &Tensor<S>) -> Tensor<S> {
    let (n, height, width, channels) = input.dim();
    let (rows, columns) = (outputs(pool, height), outputs(pool, width));
    Tensor::from_shape_fn((n, rows, columns, channels), |(n, row, column, channel)| {
        let (y, x) = largest(pool, input, (n, row, column, channel));
        input[[n, y, x, channel]]
    })
}

/// The gradient goes to the value that was the largest.
pub fn backward<S: Scalar>(
    pool: &MaxPool,
    input: &Tensor<S>,
    grad_output: &Tensor<S>,
) -> Tensor<S> {
    let mut grad_input = Tensor::from_elem(input.dim(), S::zero());
    for ((n, row, column, channel), &grad) in grad_output.indexed_iter() {
        let (y, x) = largest(pool, input, (n, row, column, channel));
        grad_input[[n, y, x, channel]] += grad;
    }
    grad_input
}

/// Windows along a side; shapes have been checked.
fn outputs(pool: &MaxPool, length: usize) -> usize {
    window_count(length, pool.kernel, pool.stride, pool.padding).unwrap_or(0)
}

/// Where a window's largest value is. What is not a number counts as the largest.
fn largest<S: Scalar>(
    pool: &MaxPool,
    input: &Tensor<S>,
    (n, row, column, channel): (usize, usize, usize, usize),
) -> (usize, usize) {
    let (_, height, width, _) = input.dim();
    let side = |out: usize, length: usize| {
        let start = out * pool.stride;
        start.saturating_sub(pool.padding)..(start + pool.kernel - pool.padding).min(length)
    };
    let (rows, columns) = (side(row, height), side(column, width));
    let mut best = (rows.start, columns.start);
    for y in rows {
        for x in columns.clone() {
            let (value, most) = (
                input[[n, y, x, channel]].to_f64(),
                input[[n, best.0, best.1, channel]].to_f64(),
            );
            if value > most || value.is_nan() {
                best = (y, x);
            }
        }
    }
    best
}
