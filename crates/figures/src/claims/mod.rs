//! What the tables support, claim by claim: effect, interval and a plain sentence.
//!
//! The rules, with their thresholds and why, are in `docs/figures.md`.

pub mod degradation;
pub mod learning_rate;
mod pairs;
pub mod transfer;
pub mod variants;

use std::fmt;

use reslab_results::statistics::Summary;
use serde::Serialize;

use crate::networks;
use crate::papers;
use crate::tables::Tables;

/// A difference of errors below one percentage point counts as none.
pub const MARGIN: f64 = 0.01;

/// Whether the tables support a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The whole interval agrees with it.
    Supported,
    /// The whole interval speaks against it.
    NotSupported,
    /// Too few runs, too wide an interval, or a condition of the claim is not met.
    Undecided,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Supported => "supported",
            Status::NotSupported => "not supported",
            Status::Undecided => "undecided",
        })
    }
}

/// What the tables say on one claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Name of the claim.
    pub claim: String,
    /// The claim in words.
    pub title: String,
    /// Values of the other settings that vary, empty if none does.
    pub setting: String,
    /// The verdict.
    pub status: Status,
    /// Mean paired difference of errors, as a fraction (`learning-rate`: of widths, in octaves); none
    /// without a pair.
    pub effect: Option<f64>,
    /// Lower end of its 95 % t interval.
    pub low: Option<f64>,
    /// Upper end of its 95 % t interval.
    pub high: Option<f64>,
    /// Number of pairs: seeds with both runs finished.
    pub n: usize,
    /// What was compared and found.
    pub sentence: String,
}

impl fmt::Display for Verdict {
    /// One line for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<13} {:<16} {}",
            self.status, self.claim, self.sentence
        )?;
        if !self.setting.is_empty() {
            write!(f, " ({})", self.setting)?;
        }
        Ok(())
    }
}

/// The verdicts on the claims an experiment names: `degradation` judges that claim and the two
/// that go with it. `None` if no such judge is known.
pub fn judge(name: &str, tables: &Tables) -> Option<Vec<Verdict>> {
    match name {
        "degradation" => Some(degradation::judge(tables)),
        "transfer" => Some(transfer::judge(tables)),
        "variants" => Some(variants::judge(tables)),
        "learning-rate" => Some(learning_rate::judge(tables)),
        _ => None,
    }
}

/// The names [`judge`] knows.
pub const JUDGES: [&str; 4] = ["degradation", "transfer", "variants", "learning-rate"];

/// The verdicts on the claims that fit what varies between the runs.
pub fn fitting(tables: &Tables) -> Vec<Verdict> {
    if papers::transfer::applies(tables) {
        transfer::judge(tables)
    } else if papers::learning_rate::applies(tables) {
        learning_rate::judge(tables)
    } else if networks::stand_alone(&tables.runs) {
        variants::judge(tables)
    } else {
        degradation::judge(tables)
    }
}

/// A claim that a difference is above zero.
fn is_higher(estimate: Option<Summary>) -> Status {
    match estimate.and_then(|e| e.interval.map(|i| (e.mean, i))) {
        Some((mean, (low, _))) if low > 0.0 && mean >= MARGIN => Status::Supported,
        Some((_, (_, high))) if high < MARGIN => Status::NotSupported,
        _ => Status::Undecided,
    }
}

/// A claim that a difference is not above zero by more than the margin.
fn is_not_higher(estimate: Option<Summary>) -> Status {
    match is_higher(estimate) {
        Status::Supported => Status::NotSupported,
        Status::NotSupported => Status::Supported,
        Status::Undecided => Status::Undecided,
    }
}
