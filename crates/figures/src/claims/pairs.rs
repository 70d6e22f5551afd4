//! What all judges share: differences paired by seed, and how they are told.

use reslab_results::statistics::{self, Summary};

use super::{Status, Verdict};
use crate::axes::number;

/// The runs of one side of a comparison: seed, and the error unless the run diverged.
pub(super) type Side = Vec<(i64, Option<f64>)>;

/// A comparison: what is judged is one error minus another.
pub(super) struct Difference {
    /// What is subtracted, `test error of A minus B`.
    pub what: String,
    /// Mean of the differences and its interval.
    pub estimate: Option<Summary>,
    /// Pairs without a difference: a run diverged.
    pub left_out: usize,
}

/// `one` minus `other`, paired by seed.
pub(super) fn difference(what: String, one: &Side, other: &Side) -> Difference {
    let mut pairs = Vec::new();
    let mut left_out = 0;
    for (seed, a) in one {
        for (_, b) in other.iter().filter(|(other_seed, _)| other_seed == seed) {
            match (a, b) {
                (Some(a), Some(b)) => pairs.push((*a, *b)),
                _ => left_out += 1,
            }
        }
    }
    Difference {
        what,
        estimate: statistics::paired_difference(&pairs),
        left_out,
    }
}

impl Difference {
    /// The verdict that `decide` comes to.
    pub(super) fn verdict(
        &self,
        (claim, title): &(&str, &str),
        setting: &str,
        decide: fn(Option<Summary>) -> Status,
    ) -> Verdict {
        let interval = self.estimate.and_then(|estimate| estimate.interval);
        Verdict {
            status: decide(self.estimate),
            effect: self.estimate.map(|estimate| estimate.mean),
            low: interval.map(|interval| interval.0),
            high: interval.map(|interval| interval.1),
            n: self.estimate.map_or(0, |estimate| estimate.n),
            ..undecided(&(*claim, *title), setting, &self.sentence())
        }
    }

    fn sentence(&self) -> String {
        let Difference { what, .. } = self;
        let mut words = match &self.estimate {
            None => format!("No seed has both sides of {what}."),
            Some(estimate) => {
                let (points, certainty) = (signed(estimate.mean), certainty(estimate));
                format!("{what}: {points} points ({certainty}).")
            }
        };
        match self.left_out {
            0 => {}
            1 => words.push_str(" One pair is left out: a run diverged."),
            n => words.push_str(&format!(" {n} pairs are left out: runs diverged.")),
        }
        words
    }
}

/// The interval and what it rests on.
pub(super) fn certainty(estimate: &Summary) -> String {
    match estimate.interval {
        Some((low, high)) => format!(
            "95 % interval {} to {}, {} seeds",
            signed(low),
            signed(high),
            estimate.n
        ),
        None => "one seed, no interval".into(),
    }
}

/// A fraction in percentage points, with its sign.
pub(super) fn signed(fraction: f64) -> String {
    let points = number(100.0 * fraction, 1);
    if points.starts_with('−') || points == "0.0" {
        points
    } else {
        format!("+{points}")
    }
}

/// A claim on which the tables say nothing.
pub(super) fn undecided((claim, title): &(&str, &str), setting: &str, sentence: &str) -> Verdict {
    Verdict {
        claim: (*claim).into(),
        title: (*title).into(),
        setting: setting.into(),
        status: Status::Undecided,
        effect: None,
        low: None,
        high: None,
        n: 0,
        sentence: sentence.into(),
    }
}
