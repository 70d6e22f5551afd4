//! How a network does on a set, class by class: what `reslab eval` prints.

use super::evaluate::targets;
use crate::data::{Split, Targets};
use crate::engine::{Batch, Engine};
use crate::loss::Loss;
use crate::noise::Noise;

/// Among how many of the most likely classes the second share is counted.
pub const TOP: usize = 5;

/// What a network does on a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Samples.
    pub total: usize,
    /// Mean loss.
    pub loss: f64,
    /// What only classes have; `None` for regression.
    pub classification: Option<Classification>,
}

/// Right and wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classification {
    /// Samples whose class is not the most likely one; of equal outputs the first counts as the
    /// more likely, and a sample whose outputs are not numbers is wrong.
    pub wrong: usize,
    /// Samples whose class is not among the [`TOP`] most likely ones; `None` where there are not
    /// more classes than that.
    pub wrong_top: Option<usize>,
    /// For each class its samples that are wrong, and all of them.
    pub classes: Vec<(usize, usize)>,
}

/// Evaluates a set in batches of `batch`, with running statistics.
///
/// # Panics
///
/// If the arrays do not have the lengths that the engine's network says, or `batch` is 0.
pub fn score(
    engine: &mut Engine,
    parameters: &[f32],
    state: &[f32],
    split: &Split,
    outputs: usize,
    loss: &Loss,
    batch: usize,
) -> Scores {
    let features = split.inputs.len() / split.len.max(1);
    let mut loss_sum = 0.0;
    let mut classes = vec![(0, 0); outputs];
    let mut wrong_top = 0;
    for start in (0..split.len).step_by(batch) {
        let end = split.len.min(start + batch);
        let part = Batch {
            inputs: &split.inputs[start * features..end * features],
            targets: targets(&split.targets, start, end),
            len: end - start,
            noise: Noise::default(),
        };
        loss_sum += engine.evaluate(parameters, state, &part, loss).loss_sum;
        if let Targets::Classes(all) = &split.targets {
            for (logits, &class) in engine.logits().chunks_exact(outputs).zip(&all[start..end]) {
                let rank = rank(logits, class as usize);
                let (wrong, total) = &mut classes[class as usize];
                *wrong += usize::from(rank > 0);
                *total += 1;
                wrong_top += usize::from(rank >= TOP);
            }
        }
    }
    let classification = matches!(split.targets, Targets::Classes(_)).then(|| Classification {
        wrong: classes.iter().map(|(wrong, _)| wrong).sum(),
        wrong_top: (outputs > TOP).then_some(wrong_top),
        classes,
    });
    Scores {
        total: split.len,
        loss: loss_sum / split.len as f64,
        classification,
    }
}

/// Classes more likely than this one.
fn rank(logits: &[f32], class: usize) -> usize {
    let own = logits[class];
    if !own.is_finite() && own != f32::INFINITY {
        return logits.len();
    }
    let ahead = |&(index, &other): &(usize, &f32)| other > own || (other == own && index < class);
    logits.iter().enumerate().filter(ahead).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{self, DataSettings};
    use crate::families::{InitSettings, ModelSettings, build, initialize};
    use crate::train::evaluate::evaluate;
    use crate::train::{EVALUATION_BATCH, Flow};

    #[test]
    fn ranks_count_what_is_ahead() {
        assert_eq!(rank(&[1.0, 3.0, 2.0], 1), 0);
        assert_eq!(rank(&[1.0, 3.0, 2.0], 0), 2);
        assert_eq!(rank(&[2.0, 2.0, 2.0], 0), 0);
        assert_eq!(rank(&[2.0, 2.0, 2.0], 2), 2);
        assert_eq!(rank(&[f32::NAN, 0.0, 0.0], 0), 3);
    }

    #[test]
    fn scores_agree_with_the_evaluation_of_training() {
        let settings = DataSettings {
            test_limit: Some(300),
            ..DataSettings::default()
        };
        let dataset = data::load(&settings).expect("the digits are built in");
        let model = ModelSettings {
            depth: 8,
            width: 4,
            ..ModelSettings::default()
        };
        let network = build(&model, dataset.shape, dataset.outputs).expect("it fits");
        let parameters = initialize(&network, &InitSettings::default(), 3);
        let state = network.layout.initial_state();
        let mut engine = Engine::for_evaluation(&network, EVALUATION_BATCH).expect("it fits");
        let (test, loss) = (&dataset.test, Loss::default());
        let mut go_on = || Flow::Continue;
        let known = evaluate(&mut engine, &parameters, &state, test, &loss, &mut go_on);
        let known = known.expect("not interrupted");
        for batch in [7, EVALUATION_BATCH] {
            let found = score(&mut engine, &parameters, &state, test, 10, &loss, batch);
            assert!((found.loss - known.loss).abs() < 1e-6 * known.loss);
            let found = found.classification.expect("digits are classes");
            assert_eq!(Some(found.wrong as f64 / 300.0), known.error);
            assert_eq!(
                found.classes.iter().map(|(_, total)| total).sum::<usize>(),
                300
            );
            let top = found.wrong_top.expect("ten classes are more than five");
            assert!(top > 0 && top < found.wrong, "{top}");
        }
    }
}
