//! Where the search for the largest eigenvalues starts.
//!
//! Once a network has learned, few samples hold most of the curvature of the mean loss: with the
//! softmax p of a sample the second derivative of its cross-entropy by the outputs is
//! `diag p − p pᵀ`, of trace `1 − Σ p²`, and that is next to nothing where the network is sure. The
//! eigenvectors of the few are found for a fraction of the price of a product with all, and from
//! there the search among all takes two or three products. It is a start alone: what is found is of
//! all samples, with its residual, and the random part of the start sees what the few do not.

use reslab_nn::data::{Split, Targets};
use reslab_nn::loss::Loss;
use reslab_nn::reference::Mode;

use super::extremes::{ExtremeSettings, extremes};
use super::operator::{LossHessian, MeanLoss, Poll, Slope};
use crate::subject::ProbeError;

/// Samples that the executor works on side by side.
const GROUP: usize = 16;

/// Share of the curvature that the few must hold.
const HELD: f64 = 0.9;

/// At most one in so many samples is one of the few.
const ONE_IN: usize = 6;

/// A vector near the eigenvectors of the `top` largest eigenvalues: the sum of those of the few
/// samples that hold nearly all of the curvature, where there are such, else the gradient.
pub fn near_top(
    function: &MeanLoss<'_>,
    slope: &Slope,
    top: usize,
    seed: u64,
    poll: &mut Poll<'_>,
) -> Result<Vec<f64>, ProbeError> {
    let few = match (function.mode, function.loss, &function.split.targets) {
        (Mode::Evaluation, Loss::CrossEntropy { .. }, Targets::Classes(classes)) => {
            few(&slope.curvature).map(|few| (few, classes))
        }
        _ => None,
    };
    let Some((few, classes)) = few else {
        return Ok(slope.gradient.clone());
    };
    let features = function.network.input.len();
    let inputs = few
        .iter()
        .flat_map(|&at| &function.split.inputs[at * features..][..features]);
    let split = Split {
        inputs: inputs.copied().collect(),
        targets: Targets::Classes(few.iter().map(|&at| classes[at]).collect()),
        len: few.len(),
    };
    let mut hessian = LossHessian::new(MeanLoss {
        split: &split,
        samples: few.len(),
        ..*function
    });
    let slope_of_few = hessian.slope(poll)?;
    let mut operator = |v: &[f64], out: &mut [f64]| hessian.product(v, out, poll);
    let wanted = ExtremeSettings {
        top,
        bottom: 0,
        tolerance: 5e-2,
        max_products: 4 + 2 * top,
        vectors: true,
    };
    let (dimension, near) = (slope.gradient.len(), &slope_of_few.gradient);
    let found = extremes(&mut operator, dimension, Some(near), &wanted, seed)?;
    let mut sum = vec![0.0; dimension];
    for vector in found.top.iter().filter_map(|found| found.vector.as_ref()) {
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    Ok(sum)
}

/// As few samples as hold the share, in whole groups, if they are few enough.
fn few(curvature: &[f64]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..curvature.len()).collect();
    order.sort_by(|&a, &b| curvature[b].total_cmp(&curvature[a]));
    let all: f64 = curvature.iter().sum();
    let held = |count: usize| order[..count].iter().map(|&at| curvature[at]).sum::<f64>();
    let mut counts = (GROUP..=curvature.len() / ONE_IN).step_by(GROUP);
    let count = counts.find(|&count| held(count) >= HELD * all)?;
    order.truncate(count);
    order.sort_unstable();
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn the_few_hold_nearly_all_or_there_are_none() {
        let mut curvature = vec![1e-3; 200];
        curvature[150..160].fill(0.5);
        let found = few(&curvature).expect("ten of them hold it");
        assert_eq!(found.len(), 16);
        assert!((150..160).all(|at| found.contains(&at)));
        assert_eq!(few(&[0.5; 200]), None);
        assert_eq!(few(&[]), None);
        assert_eq!(few(&[f64::NAN; 200]), None);
    }
}
