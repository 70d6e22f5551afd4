//! Smaller data sets: which samples a limit keeps.
//!
//! The choice is balanced over the classes and seeded. Each class's samples are put in a random
//! order, and so are the classes; then the classes take turns giving their next sample until the
//! limit is reached, a class that has run out being passed over. So every class gives
//! ⌊limit / classes⌋ samples, those left over come from the classes first in the random order, and
//! a smaller limit keeps a subset of what a larger one keeps. Regression has no classes: the
//! samples kept are the first of one random order. The kept samples stay in their old order.

use super::{DataError, Targets};
use crate::random::{Purpose, shuffle, stream};

/// Which split is limited: the key of the setting, and the index of the random stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Training samples.
    Train,
    /// Test samples.
    Test,
}

impl Part {
    const fn key(self) -> &'static str {
        match self {
            Self::Train => "train_limit",
            Self::Test => "test_limit",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Test => "test",
        }
    }
}

/// How many of `available` samples a limit keeps.
pub(crate) fn kept(limit: Option<usize>, available: usize, part: Part) -> Result<usize, DataError> {
    match limit {
        None => Ok(available),
        Some(0) => Err(DataError::setting(
            part.key(),
            "must be at least 1, found 0.",
        )),
        Some(limit) if limit > available => Err(DataError::setting(
            part.key(),
            format!(
                "found {limit}, but there are only {available} {} samples.",
                part.name()
            ),
        )),
        Some(limit) => Ok(limit),
    }
}

/// Indices of the samples that are kept, ascending; `None` if all are.
pub(crate) fn choose(
    targets: &Targets,
    available: usize,
    limit: Option<usize>,
    seed: u64,
    part: Part,
) -> Result<Option<Vec<usize>>, DataError> {
    let keep = kept(limit, available, part)?;
    if keep == available {
        return Ok(None);
    }
    let mut indices = match targets {
        Targets::Classes(labels) => balanced(labels, keep, seed, part as u64),
        Targets::Values { .. } => {
            let mut all: Vec<usize> = (0..available).collect();
            shuffle(&mut stream(seed, Purpose::Subset, 0, part as u64), &mut all);
            all.truncate(keep);
            all
        }
    };
    indices.sort_unstable();
    Ok(Some(indices))
}

/// `keep` samples, the classes taking turns.
fn balanced(labels: &[u32], keep: usize, seed: u64, part: u64) -> Vec<usize> {
    let mut classes = by_class(labels);
    let mut rng = stream(seed, Purpose::Subset, 0, part);
    for members in &mut classes {
        shuffle(&mut rng, members);
    }
    shuffle(&mut rng, &mut classes);
    let longest = classes.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| {
        classes
            .iter()
            .filter_map(move |members| members.get(turn).copied())
    });
    turns.take(keep).collect()
}

/// The indices of each class's samples.
pub(crate) fn by_class(labels: &[u32]) -> Vec<Vec<usize>> {
    let count = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut classes = vec![Vec::new(); count];
    for (index, &label) in labels.iter().enumerate() {
        classes[label as usize].push(index);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(labels: &[u32], indices: &[usize]) -> Vec<usize> {
        let chosen: Vec<u32> = indices.iter().map(|&i| labels[i]).collect();
        by_class(&chosen).iter().map(Vec::len).collect()
    }

    fn indices(labels: &[u32], limit: usize, seed: u64) -> Vec<usize> {
        let targets = Targets::Classes(labels.to_vec());
        choose(&targets, labels.len(), Some(limit), seed, Part::Train)
            .unwrap()
            .unwrap_or_else(|| (0..labels.len()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn limits_are_balanced_nested_and_seeded(
            labels in prop::collection::vec(0_u32..5, 20..200), part in 0.1_f64..1.0, seed in 0_u64..99,
        ) {
            let limit = ((labels.len() as f64 * part) as usize).max(1);
            let chosen = indices(&labels, limit, seed);
            prop_assert_eq!(chosen.len(), limit);
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(&chosen, &indices(&labels, limit, seed));
            // A class gives fewer than another by more than one only if it has run out.
            let (had, gave) = (by_class(&labels), counts(&labels, &chosen));
            let most = gave.iter().max().copied().unwrap_or(0);
            for (class, members) in had.iter().enumerate() {
                let given = gave.get(class).copied().unwrap_or(0);
                prop_assert!(given + 1 >= most || given == members.len());
            }
            if limit > 1 {
                let fewer = indices(&labels, limit - 1, seed);
                prop_assert!(fewer.iter().all(|i| chosen.contains(i)));
            }
        }
    }

    #[test]
    fn another_seed_keeps_other_samples() {
        let labels: Vec<u32> = (0..100).map(|i| i % 4).collect();
        assert_ne!(indices(&labels, 40, 0), indices(&labels, 40, 1));
        assert_eq!(counts(&labels, &indices(&labels, 40, 1)), [10; 4]);
        let mut uneven = counts(&labels, &indices(&labels, 42, 1));
        uneven.sort_unstable();
        assert_eq!(uneven, [10, 10, 11, 11]);
    }

    #[test]
    fn regression_limits_take_a_random_subset() {
        let targets = Targets::Values {
            dimensions: 1,
            values: vec![0.0; 50],
        };
        let chosen = choose(&targets, 50, Some(10), 0, Part::Test)
            .unwrap()
            .unwrap();
        assert_eq!(chosen.len(), 10);
        assert_ne!(chosen, (0..10).collect::<Vec<_>>());
    }
}
