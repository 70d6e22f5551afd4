//! Clean loss and error over a set: no augmentation, running statistics, parameters fixed.
//!
//! Batches have one size whatever the training batch is, and their sums are added in the order of
//! the set, so the result depends on parameters and data alone.

use super::observer::Flow;
use crate::data::{Dataset, Split, Targets};
use crate::engine::{Batch, Engine, TargetsRef};
use crate::loss::{BatchResult, Loss};
use crate::noise::Noise;

/// Samples in one batch of an evaluation: what [`Engine::for_evaluation`] must be made for.
pub const EVALUATION_BATCH: usize = 256;

/// Means over a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Share of samples whose class is not the most likely one; `None` for regression.
    pub error: Option<f64>,
}

/// Both sets of a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanEvaluation {
    /// The training set.
    pub train: Evaluation,
    /// The test set; `None` if it is empty.
    pub test: Option<Evaluation>,
}

/// Evaluates both sets. `poll` is asked between batches; `None` if it said to stop.
pub fn evaluate_both(
    engine: &mut Engine,
    parameters: &[f32],
    state: &[f32],
    dataset: &Dataset,
    loss: &Loss,
    poll: &mut dyn FnMut() -> Flow,
) -> Option<CleanEvaluation> {
    let train = evaluate(engine, parameters, state, &dataset.train, loss, poll)?;
    if dataset.test.len == 0 {
        return Some(CleanEvaluation { train, test: None });
    }
    let test = evaluate(engine, parameters, state, &dataset.test, loss, poll)?;
    Some(CleanEvaluation {
        train,
        test: Some(test),
    })
}

/// Evaluates a set that is not empty. `poll` is asked between batches; `None` if it said to stop.
pub fn evaluate(
    engine: &mut Engine,
    parameters: &[f32],
    state: &[f32],
    split: &Split,
    loss: &Loss,
    poll: &mut dyn FnMut() -> Flow,
) -> Option<Evaluation> {
    let sums = evaluate_first(engine, parameters, state, split, split.len, loss, poll)?;
    let count = split.len as f64;
    let error = matches!(split.targets, Targets::Classes(_)).then(|| sums.wrong as f64 / count);
    Some(Evaluation {
        loss: sums.loss_sum / count,
        error,
    })
}

/// Sums over the first `samples` of a set. `poll` is asked between batches; `None` if it said to
/// stop.
pub fn evaluate_first(
    engine: &mut Engine,
    parameters: &[f32],
    state: &[f32],
    split: &Split,
    samples: usize,
    loss: &Loss,
    poll: &mut dyn FnMut() -> Flow,
) -> Option<BatchResult> {
    let features = split.inputs.len() / split.len.max(1);
    let mut sums = BatchResult::default();
    for start in (0..samples).step_by(EVALUATION_BATCH) {
        if start > 0 && poll() == Flow::Stop {
            return None;
        }
        let end = samples.min(start + EVALUATION_BATCH);
        let batch = Batch {
            inputs: &split.inputs[start * features..end * features],
            targets: targets(&split.targets, start, end),
            len: end - start,
            noise: Noise::default(),
        };
        let result = match start {
            0 => engine.evaluate(parameters, state, &batch, loss),
            _ => engine.evaluate_again(parameters, state, &batch, loss),
        };
        sums.loss_sum += result.loss_sum;
        sums.wrong += result.wrong;
    }
    Some(sums)
}

/// Targets of the samples from `start` to `end`.
pub fn targets(all: &Targets, start: usize, end: usize) -> TargetsRef<'_> {
    match all {
        Targets::Classes(classes) => TargetsRef::Classes(&classes[start..end]),
        Targets::Values { dimensions, values } => {
            TargetsRef::Values(&values[start * dimensions..end * dimensions])
        }
    }
}
