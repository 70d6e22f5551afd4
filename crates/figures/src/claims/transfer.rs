//! The claims on transfer (Yosinski et al. 2014), judged from `runs` alone.
//!
//! Compared are ways to start at the same number of examples, paired by seed. The number is the
//! smallest that was run, where transfer should help most; the choice looks at no error.

use std::collections::BTreeMap;

use super::pairs::{Difference, Side, difference, undecided};
use super::{Verdict, is_higher};
use crate::papers::transfer::{EXAMPLES, Start, one_question, start};
use crate::tables::Tables;

/// Name and wording of each claim.
const CLAIMS: [(&str, &str); 3] = [
    (
        "transfer",
        "On few examples given weights reach lower test error than training from scratch.",
    ),
    (
        "transfer-fades",
        "The more examples, the less given weights gain.",
    ),
    (
        "freezing-costs",
        "Tuning what was given reaches lower test error than keeping it frozen.",
    ),
];

/// The runs by start and number of examples.
type Sides = BTreeMap<(Start, i64), Side>;

/// The verdicts: `transfer` for each way to start from the weights, then the other two.
pub fn judge(tables: &Tables) -> Vec<Verdict> {
    let nothing = |reason: &str| {
        let all = CLAIMS.iter();
        all.map(|claim| undecided(claim, "", reason)).collect()
    };
    if let Err(reason) = one_question(tables) {
        return nothing(&format!("Cannot be judged: {reason}."));
    }
    let sides = sides(tables);
    let mut starts: Vec<Start> = sides.keys().map(|(start, _)| *start).collect();
    starts.dedup();
    starts.retain(|start| *start != Start::Scratch);
    let examples = sides.keys().map(|(_, examples)| *examples);
    let (few, many) = (examples.clone().min(), examples.max());
    let (Some(&least), Some(&most), Some(few), Some(many)) =
        (starts.first(), starts.last(), few, many)
    else {
        return nothing("Needs runs from weights, and from scratch.");
    };
    let side = |start, examples| sides.get(&(start, examples)).cloned().unwrap_or_default();
    let scratch_minus = |start, examples| {
        let what = format!("Test error from scratch minus {}", name(start));
        difference(
            what,
            &side(Start::Scratch, examples),
            &side(start, examples),
        )
    };
    let on = |examples: i64| format!("{examples} examples");
    let mut verdicts: Vec<Verdict> = starts
        .iter()
        .map(|&start| {
            let setting = format!("{}, {}", name(start), on(few));
            scratch_minus(start, few).verdict(&CLAIMS[0], &setting, is_higher)
        })
        .collect();
    verdicts.push(if few == many {
        undecided(&CLAIMS[1], "", "Needs two numbers of examples.")
    } else {
        let what = format!(
            "Gain with {} on {few} examples minus that on {many}",
            name(least)
        );
        let gain = |examples| gains(&side(Start::Scratch, examples), &side(least, examples));
        difference(what, &gain(few), &gain(many)).verdict(&CLAIMS[1], &name(least), is_higher)
    });
    verdicts.push(if least == most {
        undecided(&CLAIMS[2], "", "Needs two numbers of frozen blocks.")
    } else {
        let what = format!("Test error with {} minus {}", name(most), name(least));
        let cost: Difference = difference(what, &side(most, few), &side(least, few));
        cost.verdict(&CLAIMS[2], &on(few), is_higher)
    });
    verdicts
}

fn sides(tables: &Tables) -> Sides {
    let mut sides = Sides::new();
    let ended = tables
        .runs
        .iter()
        .filter(|row| row.text("status") != Some("failed"));
    for row in ended {
        let finished = row.text("status") == Some("finished");
        let error = row
            .real("final_test_error")
            .filter(|error| finished && error.is_finite());
        if let Some(examples) = row.integer(EXAMPLES) {
            let seed = row.integer("seed").unwrap_or(0);
            let side = sides.entry((start(row), examples)).or_default();
            side.push((seed, error));
        }
    }
    sides
}

/// What one side has over the other, seed by seed.
fn gains(scratch: &Side, given: &Side) -> Side {
    let pairs = scratch.iter().flat_map(|(seed, a)| {
        let same = given.iter().filter(move |(other, _)| other == seed);
        same.map(move |(_, b)| (*seed, a.zip(*b).map(|(a, b)| a - b)))
    });
    pairs.collect()
}

fn name(start: Start) -> String {
    match start {
        Start::Scratch => "from scratch".into(),
        Start::Tuned => "nothing frozen".into(),
        Start::Frozen(0) => "the stem frozen".into(),
        Start::Frozen(1) => "the stem and 1 block frozen".into(),
        Start::Frozen(blocks) => format!("the stem and {blocks} blocks frozen"),
    }
}

#[cfg(test)]
mod tests;
