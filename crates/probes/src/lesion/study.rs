//! Evaluating many lesions of one network, sharing what comes before each.
//!
//! A batch of samples goes through the network once, block by block where some lesion begins; from
//! there each lesion runs only the part of its edited network that follows. A deletion of one block
//! costs half an evaluation on average instead of a whole one. Memory holds the activations of one
//! batch at one place, whatever the number of samples and lesions.
//!
//! What a part computes does not depend on where the network was cut, so that the results are those
//! of evaluating each edited network on its own.

use reslab_nn::data::Split;
use reslab_nn::engine::{Batch, BatchResult, Engine, Noise};
use reslab_nn::network::Network;
use reslab_nn::train::{EVALUATION_BATCH, targets};

use super::edits::Lesion;
use crate::subject::{ProbeError, Subject};

/// Whoever waits: told after every piece of work, and asked whether to go on.
pub type Poll<'p> = dyn FnMut() -> Result<(), ProbeError> + 'p;

/// The lesions of a network in the order in which a batch comes by them.
struct Walk<'a> {
    network: &'a Network,
    /// First block touched, and index of the lesion; ascending.
    stops: Vec<(usize, usize)>,
}

impl<'a> Walk<'a> {
    fn new(network: &'a Network, lesions: &[Lesion]) -> Self {
        let blocks = network.blocks.len();
        let first = |(index, lesion): (usize, &Lesion)| (lesion.edit.first(blocks), index);
        let mut stops: Vec<(usize, usize)> = lesions.iter().enumerate().map(first).collect();
        stops.sort_unstable();
        Self { network, stops }
    }

    /// The lesions that begin at one block, all blocks in order.
    fn groups(&self) -> impl Iterator<Item = &[(usize, usize)]> {
        self.stops.chunk_by(|a, b| a.0 == b.0)
    }
}

/// The samples of `split` from the first to `total`, in batches: their inputs and their places.
fn batches(split: &Split, total: usize) -> impl Iterator<Item = (&[f32], std::ops::Range<usize>)> {
    let features = split.inputs.len() / split.len.max(1);
    (0..total).step_by(EVALUATION_BATCH).map(move |start| {
        let end = total.min(start + EVALUATION_BATCH);
        (&split.inputs[start * features..end * features], start..end)
    })
}

/// Sums over the first `total` samples of `split`, for each lesion, with the running statistics
/// `state_of(lesion)`. Lesions that begin at the same block or later must agree in the statistics of
/// all that comes before it.
pub fn evaluate<'s>(
    subject: &Subject<'_>,
    lesions: &[Lesion],
    state_of: &dyn Fn(usize) -> &'s [f32],
    (split, total): (&Split, usize),
    poll: &mut Poll<'_>,
) -> Result<Vec<BatchResult>, ProbeError> {
    let walk = Walk::new(subject.network, lesions);
    let loss = subject.train.loss.loss();
    let mut sums = vec![BatchResult::default(); lesions.len()];
    for (inputs, range) in batches(split, total) {
        let mut at = None;
        let mut activations = inputs.to_vec();
        for group in walk.groups() {
            let (block, first) = group[0];
            let between = walk.network.part(at, Some(block))?;
            let mut engine = Engine::for_evaluation(&between, range.len())?;
            let found = engine.outputs(subject.parameters, state_of(first), &activations);
            activations.clear();
            activations.extend_from_slice(found);
            at = Some(block);
            drop(engine);
            for &(_, index) in group {
                let edited = lesions[index].edit.apply(walk.network)?;
                let tail = edited.part(at, None)?;
                let mut engine = Engine::for_evaluation(&tail, range.len())?;
                let batch = Batch {
                    inputs: &activations,
                    targets: targets(&split.targets, range.start, range.end),
                    len: range.len(),
                    noise: Noise::default(),
                };
                let state = state_of(index);
                let found = engine.evaluate(subject.parameters, state, &batch, &loss);
                sums[index].loss_sum += found.loss_sum;
                sums[index].wrong += found.wrong;
                poll()?;
            }
        }
    }
    Ok(sums)
}

/// For each lesion, running statistics estimated anew on the first `total` samples of `split`: the
/// mean over batches of the mean and the (unbiased) variance of the batch, each batch normalised by
/// its own, without dropout (PyTorch's `momentum=None`). Of batches of unequal size each sample counts
/// the same.
pub fn statistics(
    subject: &Subject<'_>,
    lesions: &[Lesion],
    (split, total): (&Split, usize),
    poll: &mut Poll<'_>,
) -> Result<Vec<Vec<f32>>, ProbeError> {
    let network = subject.network.with_batch_statistics();
    let walk = Walk::new(&network, lesions);
    let mut means = vec![vec![0.0_f32; subject.state.len()]; lesions.len()];
    for (inputs, range) in batches(split, total) {
        let share = range.len() as f64 / total as f64;
        let mut at = None;
        let mut activations = inputs.to_vec();
        let mut before = subject.state.to_vec();
        for group in walk.groups() {
            let block = group[0].0;
            let between = walk.network.part(at, Some(block))?;
            let mut engine = Engine::for_statistics(&between, range.len())?;
            let found = engine.pass_statistics(subject.parameters, &mut before, &activations);
            activations.clear();
            activations.extend_from_slice(found);
            at = Some(block);
            drop(engine);
            for &(_, index) in group {
                let edited = lesions[index].edit.apply(walk.network)?;
                let tail = edited.part(at, None)?;
                let mut engine = Engine::for_statistics(&tail, range.len())?;
                let mut state = before.clone();
                engine.pass_statistics(subject.parameters, &mut state, &activations);
                for (mean, value) in means[index].iter_mut().zip(state) {
                    *mean += (share * f64::from(value)) as f32;
                }
                poll()?;
            }
        }
    }
    Ok(means)
}

/// Pieces of work for `lesions` lesions on `samples` samples: how often `poll` is called.
pub fn pieces(lesions: usize, samples: usize) -> usize {
    lesions * samples.div_ceil(EVALUATION_BATCH)
}
