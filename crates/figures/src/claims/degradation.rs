//! The claims on degradation (He et al. 2015, section 1 and Fig. 6), judged from `runs` alone.
//!
//! Two depths are compared: the deepest plain network and the one nearest to 20/56 of its depth
//! (on a logarithmic scale), the paper's own pair. The choice looks at depths, never at errors.
//! Differences are deep minus shallow, paired by seed.

use reslab_results::statistics::{self, Summary};

use super::pairs::{certainty, signed, undecided};
use super::{Status, Verdict, is_higher, is_not_higher};
use crate::study::{self, Group, Run};
use crate::tables::Tables;

type ErrorOf = fn(&Run) -> Option<f64>;

const TRAIN: ErrorOf = |run| run.train_error;
const TEST: ErrorOf = |run| run.test_error;
const GENERALISATION: ErrorOf = |run| Some(run.test_error? - run.train_error?);

/// Two depths of one kind of network compared.
struct Comparison {
    deep: i64,
    shallow: i64,
    estimate: Option<Summary>,
    /// Seeds with both runs of which one or both diverged.
    diverged: usize,
}

/// The verdicts on `degradation`, `residual-cures` and `not-overfitting`, for each combination of
/// the other varying settings.
pub fn judge(tables: &Tables) -> Vec<Verdict> {
    match study::groups(&tables.runs) {
        Ok(groups) => groups.iter().flat_map(judge_group).collect(),
        Err(reason) => CLAIMS
            .iter()
            .map(|claim| undecided(claim, "", &format!("Cannot be judged: {reason}.")))
            .collect(),
    }
}

/// Name and wording of each claim.
const CLAIMS: [(&str, &str); 3] = [
    (
        "degradation",
        "A deeper plain network has higher clean training error than a shallower one.",
    ),
    (
        "residual-cures",
        "Residual networks of the same depths do not degrade.",
    ),
    (
        "not-overfitting",
        "The deeper plain network has higher test error too: it does not overfit.",
    ),
];

fn judge_group(group: &Group) -> Vec<Verdict> {
    let Some((deep, shallow)) = pair(&group.depths_of(false)) else {
        return CLAIMS
            .iter()
            .map(|claim| undecided(claim, &group.label, "Needs plain networks of two depths."))
            .collect();
    };
    let plain = compare(group, false, deep, shallow, TRAIN);
    let degradation = is_higher(plain.estimate);
    vec![
        verdict(
            CLAIMS[0],
            group,
            &plain,
            degradation,
            sentence(group, &plain, "plain", "clean training error"),
        ),
        residual_cures(group, (deep, shallow), degradation),
        not_overfitting(group, (deep, shallow), degradation),
    ]
}

fn residual_cures(group: &Group, (deep, shallow): (i64, i64), degradation: Status) -> Verdict {
    let depths = group.depths_of(true);
    if !depths.contains(&deep) || !depths.contains(&shallow) {
        let why = format!(
            "Needs residual networks of {shallow} and {deep} {}.",
            group.unit
        );
        return undecided(&CLAIMS[1], &group.label, &why);
    }
    let residual = compare(group, true, deep, shallow, TRAIN);
    let mut words = sentence(group, &residual, "residual", "clean training error");
    let status = match degradation {
        Status::Supported => is_not_higher(residual.estimate),
        _ => {
            words.push_str(" The plain networks show no clear degradation to cure.");
            Status::Undecided
        }
    };
    verdict(CLAIMS[1], group, &residual, status, words)
}

fn not_overfitting(group: &Group, (deep, shallow): (i64, i64), degradation: Status) -> Verdict {
    let test = compare(group, false, deep, shallow, TEST);
    let mut words = sentence(group, &test, "plain", "test error");
    if let Some(gap) = compare(group, false, deep, shallow, GENERALISATION).estimate {
        words.push_str(&format!(
            " The generalisation gap changes by {} points.",
            signed(gap.mean)
        ));
    }
    let higher = is_higher(test.estimate);
    let status = match (degradation, higher) {
        (Status::Supported, higher) => higher,
        // Higher test error without higher training error is what overfitting looks like.
        (Status::NotSupported, Status::Supported) => Status::NotSupported,
        _ => {
            words.push_str(" The training error shows no clear degradation to explain.");
            Status::Undecided
        }
    };
    verdict(CLAIMS[2], group, &test, status, words)
}

/// The deepest, and the one nearest to 20/56 of it among the others.
fn pair(depths: &[i64]) -> Option<(i64, i64)> {
    let (&deep, others) = depths.split_last()?;
    let wanted = (deep as f64 * 20.0 / 56.0).max(f64::MIN_POSITIVE).ln();
    let distance = |depth: i64| ((depth.max(1) as f64).ln() - wanted).abs();
    let shallow = others
        .iter()
        .copied()
        .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))?;
    Some((deep, shallow))
}

fn compare(group: &Group, residual: bool, deep: i64, shallow: i64, error: ErrorOf) -> Comparison {
    let mut pairs = Vec::new();
    let mut diverged = 0;
    for one in group.runs_of(deep, residual) {
        for other in group
            .runs_of(shallow, residual)
            .filter(|r| r.seed == one.seed)
        {
            if one.diverged || other.diverged {
                diverged += 1;
            } else if let (Some(a), Some(b)) = (error(one), error(other)) {
                pairs.push((a, b));
            }
        }
    }
    Comparison {
        deep,
        shallow,
        estimate: statistics::paired_difference(&pairs),
        diverged,
    }
}

/// What was compared and found, in words.
fn sentence(group: &Group, comparison: &Comparison, kind: &str, error: &str) -> String {
    let Comparison { deep, shallow, .. } = comparison;
    let mut words = match comparison.estimate {
        None => format!("No seed has both a {kind} {shallow} and a {kind} {deep} with {error}."),
        Some(estimate) => {
            let certainty = certainty(&estimate);
            format!(
                "{error} of {kind} {deep} minus {kind} {shallow}: {} points ({certainty}).",
                signed(estimate.mean)
            )
        }
    };
    if let Some(first) = words.get(..1).map(str::to_uppercase) {
        words.replace_range(..1, &first);
    }
    match comparison.diverged {
        0 => {}
        1 => words.push_str(" One pair is left out: a run diverged."),
        n => words.push_str(&format!(" {n} pairs are left out: runs diverged.")),
    }
    for caveat in &group.caveats {
        words.push_str(&format!(" Note: {caveat}"));
    }
    words
}

fn verdict(
    (claim, title): (&str, &str),
    group: &Group,
    comparison: &Comparison,
    status: Status,
    sentence: String,
) -> Verdict {
    let interval = comparison.estimate.and_then(|e| e.interval);
    Verdict {
        claim: claim.into(),
        title: title.into(),
        setting: group.label.clone(),
        status,
        effect: comparison.estimate.map(|e| e.mean),
        low: interval.map(|i| i.0),
        high: interval.map(|i| i.1),
        n: comparison.estimate.map_or(0, |e| e.n),
        sentence,
    }
}

#[cfg(test)]
mod tests;
