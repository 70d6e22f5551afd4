//! Perturbations of the weights. Biases, γ and β stay as they are (Li et al. 2018, section 4).

use reslab_nn::network::{Network, Role};
use reslab_nn::random::{self, Purpose};
use std::ops::Range;

/// Streams of [`Purpose::Probe`] that belong to this instrument; the index is the draw.
const DIRECTIONS: u64 = 0x5348_4152_0000;

/// The ranges of the arena that are one filter each: the weights that make one output map or number.
pub(super) fn filters(network: &Network) -> Vec<Range<usize>> {
    let entries = network.layout.parameters.iter();
    let weights = entries.filter(|e| matches!(e.role, Role::ConvWeight | Role::LinearWeight));
    weights
        .flat_map(|entry| {
            let rows = entry.shape.first().copied().unwrap_or(1).max(1);
            let len = entry.slot.len / rows;
            let first = entry.slot.offset;
            (0..rows).map(move |row| first + row * len..first + (row + 1) * len)
        })
        .collect()
}

/// Normal numbers on all filters, 0 elsewhere; the same for every network of one layout.
pub(super) fn normal(filters: &[Range<usize>], len: usize, seed: u64, draw: usize) -> Vec<f64> {
    let mut rng = random::stream(seed, Purpose::Probe, DIRECTIONS, draw as u64);
    let mut direction = vec![0.0; len];
    for value in filters.iter().cloned().flatten() {
        direction[value] = random::normal(&mut rng);
    }
    direction
}

/// Length of the part of a vector that lies on the filters.
pub(super) fn weight_norm(filters: &[Range<usize>], vector: &[f64]) -> f64 {
    let squares = filters.iter().map(|filter| square(&vector[filter.clone()]));
    squares.sum::<f64>().sqrt()
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

/// The direction on the filters alone, as long as all weights together.
pub(super) fn as_long_as_all(
    filters: &[Range<usize>],
    weights: &[f64],
    direction: &[f64],
) -> Vec<f64> {
    let length = weight_norm(filters, direction);
    let factor = quotient(weight_norm(filters, weights), length);
    multiplied(filters, direction, |_| factor)
}

/// The direction, in each filter as long as the filter (Li et al. 2018, section 4).
pub(super) fn as_long_as_filters(
    filters: &[Range<usize>],
    weights: &[f64],
    direction: &[f64],
) -> Vec<f64> {
    multiplied(filters, direction, |filter| {
        let length = square(&direction[filter.clone()]).sqrt();
        quotient(square(&weights[filter]).sqrt(), length)
    })
}

/// The steepest ascent where lengths are measured in units of the filters' (Kwon et al. 2021,
/// eq. 6, filter-wise): T² g / ‖T g‖, T the filters' lengths, times the root of their number, so that
/// the sum over filters of squared relative lengths is that of [`as_long_as_filters`].
pub(super) fn steepest_in_filters(
    filters: &[Range<usize>],
    weights: &[f64],
    gradient: &[f64],
) -> Vec<f64> {
    let relative = filters
        .iter()
        .map(|filter| square(&weights[filter.clone()]) * square(&gradient[filter.clone()]));
    let length = relative.sum::<f64>().sqrt();
    let factor = quotient((filters.len() as f64).sqrt(), length);
    multiplied(filters, gradient, |filter| {
        factor * square(&weights[filter])
    })
}

/// A vector with each filter multiplied by a factor, and 0 elsewhere.
fn multiplied(
    filters: &[Range<usize>],
    vector: &[f64],
    factor: impl Fn(Range<usize>) -> f64,
) -> Vec<f64> {
    let mut product = vec![0.0; vector.len()];
    for filter in filters {
        let factor = factor(filter.clone());
        for place in filter.clone() {
            product[place] = factor * vector[place];
        }
    }
    product
}

/// 0 where there is nothing to divide by: what has no direction does not move.
fn quotient(above: f64, below: f64) -> f64 {
    if below > 0.0 { above / below } else { 0.0 }
}
