//! The claim that residual networks tolerate a wider range of learning rates, judged from `runs`
//! alone: octaves of the usable band ([`band`](crate::papers::learning_rate::band)), each around the
//! network's own best rate, residual minus plain of equal depth, paired by seed.

use std::collections::BTreeMap;

use reslab_results::statistics::{Summary, mean, paired_difference};

use super::pairs::undecided;
use super::{Status, Verdict};
use crate::axes::number;
use crate::papers::learning_rate::band::Band;
use crate::papers::learning_rate::{Network, Sweep, sweeps};
use crate::tables::Tables;

const CLAIM: (&str, &str) = (
    "learning-rate",
    "Residual networks tolerate a wider range of learning rates than plain ones of equal depth.",
);

/// A difference of widths below half an octave counts as none.
pub const OCTAVES: f64 = 0.5;

/// One verdict for each depth with both kinds.
pub fn judge(tables: &Tables) -> Vec<Verdict> {
    let sweeps = match sweeps(&tables.runs) {
        Ok(sweeps) => sweeps,
        Err(reason) => {
            return vec![undecided(
                &CLAIM,
                "",
                &format!("Cannot be judged: {reason}."),
            )];
        }
    };
    let mut verdicts: Vec<Verdict> = sweeps.iter().flat_map(judge_sweep).collect();
    if verdicts.is_empty() {
        let why = "Needs plain and residual networks of equal depth at several learning rates.";
        verdicts.push(undecided(&CLAIM, "", why));
    }
    verdicts
}

fn judge_sweep(sweep: &Sweep) -> Vec<Verdict> {
    let there = |depth: i64, residual| sweep.networks.contains_key(&Network { depth, residual });
    let depths = sweep.depths().into_iter();
    let depths = depths.filter(|depth| there(*depth, false) && there(*depth, true));
    depths.map(|depth| judge_depth(sweep, depth)).collect()
}

/// Widths of both kinds, paired by seed.
struct Widths {
    pairs: Vec<(f64, f64)>,
    /// Seeds whose plain band is censored, or that have one band only.
    left_out: usize,
    /// Whether some residual band is at least as wide only.
    at_least: bool,
}

fn widths(plain: &BTreeMap<i64, Band>, residual: &BTreeMap<i64, Band>) -> Widths {
    let mut widths = Widths {
        pairs: Vec::new(),
        left_out: 0,
        at_least: false,
    };
    for (seed, residual) in residual {
        match plain.get(seed) {
            // What is subtracted must not be too small.
            Some(plain) if !plain.censored() => {
                widths.pairs.push((residual.octaves(), plain.octaves()));
                widths.at_least |= residual.censored();
            }
            _ => widths.left_out += 1,
        }
    }
    widths
}

fn judge_depth(sweep: &Sweep, depth: i64) -> Verdict {
    let network = |residual| Network { depth, residual };
    let bands = |residual| sweep.bands(network(residual));
    let found = widths(&bands(false), &bands(true));
    let estimate = paired_difference(&found.pairs);
    let interval = estimate.and_then(|e| e.interval);
    let depth = format!("{depth} layers");
    let setting = if sweep.label.is_empty() {
        depth.clone()
    } else {
        format!("{depth}, {}", sweep.label)
    };
    let words = sentence(&depth, &found, estimate) + &by_the_better_kind(sweep, network);
    Verdict {
        status: decide(estimate, found.at_least),
        effect: estimate.map(|e| e.mean),
        low: interval.map(|i| i.0),
        high: interval.map(|i| i.1),
        n: found.pairs.len(),
        ..undecided(&CLAIM, &setting, &words)
    }
}

/// Differences that are at least so large cannot speak against the claim.
fn decide(estimate: Option<Summary>, at_least: bool) -> Status {
    match estimate.and_then(|e| e.interval.map(|i| (e.mean, i))) {
        Some((mean, (low, _))) if low > 0.0 && mean >= OCTAVES => Status::Supported,
        Some((_, (_, high))) if high < OCTAVES && !at_least => Status::NotSupported,
        _ => Status::Undecided,
    }
}

/// The other standard, for readers: networks that are bad at every rate have wide bands around their
/// own best.
fn by_the_better_kind(sweep: &Sweep, network: impl Fn(bool) -> Network) -> String {
    let width = |residual| {
        let bands = sweep.bands_by_best(network(residual));
        let widths: Vec<f64> = bands.values().map(Band::octaves).collect();
        match mean(&widths) {
            Some(mean) => format!("{} octaves", number(mean, 1)),
            None => "no usable rate".to_owned(),
        }
    };
    format!(
        " By the standard of the better kind: residual {}, plain {}.",
        width(true),
        width(false)
    )
}

fn sentence(depth: &str, found: &Widths, estimate: Option<Summary>) -> String {
    let side = |of: fn(&(f64, f64)) -> f64| {
        let widths: Vec<f64> = found.pairs.iter().map(of).collect();
        number(mean(&widths).unwrap_or(0.0), 1)
    };
    let signed = |octaves: f64| {
        let text = number(octaves, 1);
        if octaves > 0.0 {
            format!("+{text}")
        } else {
            text
        }
    };
    let mut words = match estimate {
        None => format!("No seed has usable bands of both kinds of {depth} to compare."),
        Some(estimate) => {
            let certainty = match estimate.interval {
                Some((low, high)) => format!(
                    "95 % interval {} to {}, {} seeds",
                    signed(low),
                    signed(high),
                    estimate.n
                ),
                None => "one seed, no interval".into(),
            };
            format!(
                "Usable band of residual minus plain, {depth}: {} octaves ({certainty}); {} against {} octaves.",
                signed(estimate.mean),
                side(|pair| pair.0),
                side(|pair| pair.1)
            )
        }
    };
    if found.at_least {
        words
            .push_str(" Residual bands reach the end of the range that was run: at least so much.");
    }
    match found.left_out {
        0 => {}
        1 => words.push_str(" One pair is left out: the plain band reaches the end of the range."),
        n => words.push_str(&format!(
            " {n} pairs are left out: the plain bands reach the end of the range."
        )),
    }
    words
}
