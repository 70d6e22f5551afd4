//! The claims on variants of residual networks, judged from `runs` alone: He et al. (2016) on
//! pre-activation and clean shortcuts, Zagoruyko and Komodakis (2016) on width, Xie et al. (2017)
//! on cardinality.
//!
//! Two networks are compared that differ in the settings in question and nothing else, paired by
//! seed. Where several pairs would do, depth, width and cardinality choose, never an error.

use super::pairs::{Side, difference, undecided};
use super::{Verdict, is_higher, is_not_higher};
use crate::networks::{self, Network, Networks, differing};
use crate::tables::Tables;

/// Name and wording of each claim.
const CLAIMS: [(&str, &str); 4] = [
    (
        "pre-activation",
        "In a deep network pre-activation reaches lower test error than the original order.",
    ),
    (
        "wider-as-good",
        "At equal parameters a wider, shallower network is as good as a deeper one.",
    ),
    (
        "more-paths",
        "At equal parameters more paths reach lower test error than wider ones.",
    ),
    (
        "clean-shortcuts",
        "A shortcut that is scaled, gated or dropped reaches higher test error than a clean one.",
    ),
];

/// Parameters this near to each other count as equal.
const EQUAL: f64 = 0.05;

/// The verdicts for each combination of the other settings that vary.
pub fn judge(tables: &Tables) -> Vec<Verdict> {
    let nothing = |reason: &str| -> Vec<Verdict> {
        let all = CLAIMS.iter();
        all.map(|claim| undecided(claim, "", reason)).collect()
    };
    match networks::sets(&tables.runs) {
        Ok(sets) if sets.is_empty() => nothing("No run has ended."),
        Ok(sets) => sets.iter().flat_map(judge_set).collect(),
        Err(reason) => nothing(&format!("Cannot be judged: {reason}.")),
    }
}

fn judge_set(set: &Networks) -> Vec<Verdict> {
    let mut verdicts = vec![pre_activation(set), wider(set), more_paths(set)];
    verdicts.extend(shortcuts(set));
    verdicts
}

fn pre_activation(set: &Networks) -> Verdict {
    let is = |network: &Network, wanted: &str| {
        let place = set.column("model_placement");
        place.and_then(|c| set.value(network, c)).as_deref() == Some(wanted)
    };
    let pairs = pairs(set, &["model_placement"]);
    let pairs = pairs
        .into_iter()
        .filter(|(a, b)| is(a, "original") && is(b, "pre-activation"));
    // The deepest; of these the one whose other settings come last.
    let Some((original, before)) = pairs.max_by_key(|(a, _)| a.depth) else {
        let why = "Needs a network in the original order and with pre-activation.";
        return undecided(&CLAIMS[0], &set.label, why);
    };
    let depth = original
        .depth
        .map_or_else(String::new, |d| format!(", {d} layers"));
    let what = format!("Test error of original minus pre-activation{depth}");
    compared(set, 0, what, original, before)
}

fn wider(set: &Networks) -> Verdict {
    let pairs = pairs(set, &["model_depth", "model_width"]);
    let both_differ = |(a, b): &(&Network, &Network)| differing(a, b).len() == 2;
    let shallower = |(a, b): &(&Network, &Network)| a.depth < b.depth;
    let pairs = pairs.into_iter().filter(both_differ).filter(shallower);
    let pairs = pairs.filter(|(a, b)| equal_parameters(a, b));
    let depths = |(a, b): &(&Network, &Network)| {
        b.depth.unwrap_or(1) as f64 / a.depth.unwrap_or(1).max(1) as f64
    };
    let widest = pairs.max_by(|a, b| depths(a).total_cmp(&depths(b)));
    let Some((wide, deep)) = widest else {
        let why =
            "Needs networks of equal parameters (within 5 %) and different depths and widths.";
        return undecided(&CLAIMS[1], &set.label, why);
    };
    let columns: Vec<usize> = differing(wide, deep);
    let what = format!(
        "Test error of {} minus {}",
        set.describe(wide, &columns),
        set.describe(deep, &columns)
    );
    let sides = (side(wide), side(deep));
    difference(what, &sides.0, &sides.1).verdict(&CLAIMS[1], &set.label, is_not_higher)
}

fn more_paths(set: &Networks) -> Verdict {
    let cardinality = |network: &Network| {
        let value = set.value(network, set.column("model_cardinality")?)?;
        value.parse::<i64>().ok()
    };
    let pairs = pairs(
        set,
        &["model_cardinality", "model_group_width", "model_width"],
    );
    let pairs = pairs.into_iter().filter(|(a, b)| {
        equal_parameters(a, b) && differing(a, b).len() > 1 && cardinality(a) < cardinality(b)
    });
    let ratio = |(a, b): &(&Network, &Network)| {
        let count = |network| cardinality(network).unwrap_or(1).max(1) as f64;
        count(b) / count(a)
    };
    let Some((few, many)) = pairs.max_by(|a, b| ratio(a).total_cmp(&ratio(b))) else {
        let why = "Needs networks of equal parameters (within 5 %) and different cardinality.";
        return undecided(&CLAIMS[2], &set.label, why);
    };
    let columns = differing(few, many);
    let what = format!(
        "Test error of {} minus {}",
        set.describe(few, &columns),
        set.describe(many, &columns)
    );
    compared(set, 2, what, few, many)
}

/// One verdict for each kind of shortcut that is not clean.
fn shortcuts(set: &Networks) -> Vec<Verdict> {
    let own = [
        "model_shortcut",
        "model_shortcut_factor",
        "model_branch_factor",
        "model_gate_bias",
        "model_shortcut_dropout",
    ];
    let column = set.column("model_shortcut");
    let kind = |network: &Network| column.and_then(|c| set.value(network, c));
    let clean = |network: &Network| matches!(kind(network).as_deref(), Some("A" | "B"));
    let changed = |network: &Network| {
        let changed = ["constant", "exclusive-gate", "shortcut-gate", "dropout"];
        kind(network).is_some_and(|kind| changed.contains(&kind.as_str()))
    };
    let columns: Vec<usize> = own.iter().filter_map(|name| set.column(name)).collect();
    let pairs = pairs(set, &own);
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut last: Option<&Network> = None;
    // Pairs come in the order of the changed network, and of clean ones A before B.
    for (other, one) in pairs {
        if !changed(other) || !clean(one) || last.is_some_and(|last| std::ptr::eq(last, other)) {
            continue;
        }
        last = Some(other);
        let name = set.describe(other, &columns);
        let what = format!(
            "Test error of shortcut {name} minus {}",
            set.describe(one, &columns)
        );
        let setting = joined(&name, &set.label);
        let found = difference(what, &side(other), &side(one));
        verdicts.push(found.verdict(&CLAIMS[3], &setting, is_higher));
    }
    if verdicts.is_empty() {
        let why = "Needs networks with a clean shortcut and with another.";
        verdicts.push(undecided(&CLAIMS[3], &set.label, why));
    }
    verdicts
}

/// Ordered pairs of networks that differ in some of these settings and in no other.
fn pairs<'a>(set: &'a Networks, columns: &[&str]) -> Vec<(&'a Network, &'a Network)> {
    let allowed: Vec<usize> = columns.iter().filter_map(|name| set.column(name)).collect();
    let all = set.networks.iter();
    all.flat_map(|a| set.networks.iter().map(move |b| (a, b)))
        .filter(|(a, b)| {
            let found = differing(a, b);
            !found.is_empty() && found.iter().all(|column| allowed.contains(column))
        })
        .collect()
}

fn equal_parameters(a: &Network, b: &Network) -> bool {
    match (a.parameters, b.parameters) {
        (Some(a), Some(b)) => (a - b).abs() as f64 <= EQUAL * a.max(b) as f64,
        _ => false,
    }
}

fn compared(set: &Networks, claim: usize, what: String, a: &Network, b: &Network) -> Verdict {
    difference(what, &side(a), &side(b)).verdict(&CLAIMS[claim], &set.label, is_higher)
}

fn side(network: &Network) -> Side {
    let runs = network.runs.iter();
    runs.map(|run| (run.seed, run.test_error.filter(|_| !run.diverged)))
        .collect()
}

fn joined(one: &str, other: &str) -> String {
    if other.is_empty() {
        one.into()
    } else {
        format!("{one}, {other}")
    }
}

#[cfg(test)]
mod tests;
