//! One forward and one backward pass, block by block.
//!
//! Activations between blocks are kept; what is inside a block is computed again on the way back,
//! so that deep networks fit into memory and the caller can be asked between blocks.

use reslab_nn::data::Targets;
use reslab_nn::error::ShapeError;
use reslab_nn::loss::TargetsRef;
use reslab_nn::network::{Block, Layer, Network, Op, Shortcut};
use reslab_nn::reference::{self, Mode, Part, Pass, Road, Tensor, forward_part};

use super::GradientSettings;
use crate::subject::{ProbeError, Subject, Watch};

/// What is found at the output of the stem or of a block.
pub struct Place {
    /// Index of the block; `None` for the stem.
    pub block: Option<usize>,
    /// `‖∂L/∂h_l‖₂` over the batch.
    pub output_gradient_norm: f64,
    /// `‖∂L/∂W_l‖₂` of the parameters of the stem or block.
    pub weight_gradient_norm: f64,
    /// Mean of h_l² over samples and numbers.
    pub mean_square: f64,
    /// `‖F(x)‖ / ‖shortcut(x)‖`; of a plain block `‖F(x)‖ / ‖x‖`.
    pub branch_ratio: Option<f64>,
    /// Root mean square of the γ that the branch ends with, or that comes last in it.
    pub gamma_rms: Option<f64>,
    /// Residual blocks only.
    pub roads: Option<Roads>,
}

/// The two terms of a residual block's `∂L/∂h_{l−1}`.
pub struct Roads {
    /// Norm of the shortcut's term, divided by that of the whole.
    pub shortcut_share: f64,
    /// Norm of the branches' term, divided by that of the whole.
    pub branch_share: f64,
    /// Cosine between them.
    pub cosine: f64,
}

/// The network's variants, and its numbers in `f64`.
struct Bench {
    network: Network,
    /// Nothing after the addition: a block puts out its sum.
    sums: Network,
    /// Nor branches: a residual block puts out its shortcut.
    shortcuts: Network,
    parameters: Vec<f64>,
    state: Vec<f64>,
}

/// Stem first; and how many samples the batch has.
pub fn walk(
    settings: &GradientSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<(Vec<Place>, usize), ProbeError> {
    let bench = Bench::new(subject);
    let split = settings.set.of(subject.dataset);
    let samples = settings.samples.min(split.len);
    let depth = bench.network.blocks.len();
    let steps = 2 * depth + 2;

    watch.at(0, steps)?;
    let inputs = &split.inputs[..samples * subject.dataset.shape.len()];
    let input = reference::tensor::<f64>(inputs, bench.network.input)?;
    let stem = bench.pass(&bench.network, Part::before(0), &input)?;
    // h_0 … h_L.
    let mut between = vec![stem.output.clone()];
    for block in 0..depth {
        watch.at(block + 1, steps)?;
        let output = bench.block(&bench.network, block, &between[block])?.output;
        between.push(output);
    }
    let head = Part::from(&bench.network, depth);
    let head = bench.pass(&bench.network, head, &between[depth])?;
    let targets = match &split.targets {
        Targets::Classes(classes) => TargetsRef::Classes(&classes[..samples]),
        Targets::Values { dimensions, values } => {
            TargetsRef::Values(&values[..samples * dimensions])
        }
    };
    let loss = reference::loss(&subject.train.loss.loss(), &head.output, targets)?;
    let network = &bench.network;
    let mut grad = head
        .backward(network, &bench.parameters, &loss.grad_outputs)
        .input;

    let mut places = Vec::with_capacity(depth + 1);
    for block in (0..depth).rev() {
        watch.at(2 * depth - block, steps)?;
        let (place, before) = bench.back(block, &between[block], &between[block + 1], &grad)?;
        places.push(place);
        grad = before;
    }
    let weights = stem.backward(network, &bench.parameters, &grad).parameters;
    places.push(Place {
        block: None,
        output_gradient_norm: norm(&grad),
        weight_gradient_norm: arena_norm(network.stem.iter(), &weights),
        mean_square: mean_square(&between[0]),
        branch_ratio: None,
        gamma_rms: None,
        roads: None,
    });
    places.reverse();
    Ok((places, samples))
}

impl Bench {
    fn new(subject: &Subject<'_>) -> Self {
        let network = without_noise(subject.network);
        let mut sums = network.clone();
        for block in &mut sums.blocks {
            block.post.clear();
        }
        let mut shortcuts = sums.clone();
        for block in &mut shortcuts.blocks {
            if block.shortcut != Shortcut::None {
                block.branches.clear();
            }
        }
        Self {
            network,
            sums,
            shortcuts,
            parameters: reference::lift(subject.parameters),
            state: reference::lift(subject.state),
        }
    }

    fn pass(
        &self,
        network: &Network,
        part: Part,
        input: &Tensor<f64>,
    ) -> Result<Pass<f64>, ShapeError> {
        let (parameters, state) = (&self.parameters, &self.state);
        forward_part(network, part, parameters, state, Mode::Training, input)
    }

    fn block(
        &self,
        network: &Network,
        block: usize,
        input: &Tensor<f64>,
    ) -> Result<Pass<f64>, ShapeError> {
        self.pass(network, Part::blocks(block..block + 1), input)
    }

    /// From the gradient at a block's output to what is found there and the gradient before it.
    fn back(
        &self,
        index: usize,
        input: &Tensor<f64>,
        output: &Tensor<f64>,
        grad: &Tensor<f64>,
    ) -> Result<(Place, Tensor<f64>), ShapeError> {
        let (network, block) = (&self.network, &self.network.blocks[index]);
        let residual = block.shortcut != Shortcut::None;
        let pass = self.block(network, index, input)?;
        let found = pass.backward(network, &self.parameters, grad);
        let shortcut = residual.then(|| {
            pass.backward_along(Road::Shortcut, network, &self.parameters, grad)
                .input
        });
        let sum = self.block(&self.sums, index, input)?.output;
        let branch_ratio = if residual {
            let shortcut = self.block(&self.shortcuts, index, input)?.output;
            norm(&(&sum - &shortcut)) / norm(&shortcut)
        } else {
            norm(&sum) / norm(input)
        };
        let place = Place {
            block: Some(index),
            output_gradient_norm: norm(grad),
            weight_gradient_norm: arena_norm(block.layers(), &found.parameters),
            mean_square: mean_square(output),
            branch_ratio: Some(branch_ratio),
            gamma_rms: gamma_rms(block, &self.parameters),
            roads: shortcut.map(|shortcut| roads(&shortcut, &found.input)),
        };
        Ok((place, found.input))
    }
}

fn roads(shortcut: &Tensor<f64>, whole: &Tensor<f64>) -> Roads {
    let branch = whole - shortcut;
    let (through, aside, all) = (norm(shortcut), norm(&branch), norm(whole));
    // Divided first: products of very small numbers would vanish.
    let products = shortcut
        .iter()
        .zip(branch.iter())
        .map(|(s, b)| (s / through) * (b / aside));
    Roads {
        shortcut_share: through / all,
        branch_share: aside / all,
        cosine: products.sum(),
    }
}

/// The network without dropout and stochastic depth.
pub(crate) fn without_noise(network: &Network) -> Network {
    let mut network = network.clone();
    for block in &mut network.blocks {
        block.survival = None;
        for layer in block.layers_mut() {
            if let Op::Dropout(dropout) = &mut layer.op {
                dropout.rate = 0.0;
            }
        }
    }
    network
}

/// Root mean square of γ over the channels of the last batch norm of the branches.
fn gamma_rms(block: &Block, parameters: &[f64]) -> Option<f64> {
    let last = block
        .branches
        .iter()
        .flatten()
        .rev()
        .find_map(|layer| match &layer.op {
            Op::BatchNorm(norm) => Some(norm.weight),
            _ => None,
        })?;
    let gammas = last.of(parameters);
    Some((gammas.iter().map(|g| g * g).sum::<f64>() / gammas.len() as f64).sqrt())
}

fn mean_square(tensor: &Tensor<f64>) -> f64 {
    tensor.iter().map(|x| x * x).sum::<f64>() / tensor.len() as f64
}

fn norm(tensor: &Tensor<f64>) -> f64 {
    euclidean(tensor.iter().copied())
}

/// Euclidean norm of the gradient by the parameters of some layers.
fn arena_norm<'l>(layers: impl Iterator<Item = &'l Layer>, gradient: &[f64]) -> f64 {
    let slots: Vec<_> = layers.flat_map(|layer| layer.op.parameters()).collect();
    euclidean(slots.iter().flat_map(|slot| slot.of(gradient)).copied())
}

/// Euclidean norm, scaled by the largest number so that squares neither vanish nor overflow.
fn euclidean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        // `max` passes over NaN: the sum does not.
        return values.map(f64::abs).sum();
    }
    largest * values.map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::euclidean;

    #[test]
    fn norms_of_tiny_and_huge_numbers() {
        let of = |values: [f64; 2]| euclidean(values.into_iter());
        assert!((of([3e-200, 4e-200]) / 5e-200 - 1.0).abs() < 1e-15);
        assert!((of([3e200, -4e200]) / 5e200 - 1.0).abs() < 1e-15);
        assert_eq!(of([0.0, 0.0]), 0.0);
        assert_eq!(of([f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(of([f64::NAN, 0.0]).is_nan());
        assert!(of([f64::NAN, 1.0]).is_nan());
    }
}
