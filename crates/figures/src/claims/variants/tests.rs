//! Every branch of the verdicts, from synthetic tables.

use reslab_results::Cell;

use super::super::Status::{NotSupported, Supported, Undecided};
use super::*;
use crate::synthetic::{Synthetic, settings};

/// One network: depth, parameters, other settings, test errors by seed.
type Made<'a> = (i64, i64, &'a [(&'a str, Cell)], &'a [f64]);

fn tables(networks: &[Made]) -> Tables {
    let mut made = Synthetic::default();
    for (depth, parameters, others, errors) in networks {
        for (seed, error) in errors.iter().enumerate() {
            let mut set = settings(*depth, true, seed as i64).with("model_family", "cifar");
            for (name, value) in *others {
                set = set.with(name, value.clone());
            }
            let set = set.with("parameters", *parameters);
            made.run(set, "finished", 0.0, *error);
        }
    }
    made.tables()
}

fn of<'a>(verdicts: &'a [Verdict], claim: &str) -> Vec<&'a Verdict> {
    verdicts.iter().filter(|v| v.claim == claim).collect()
}

fn set(name: &'static str, value: impl Into<Cell>) -> (&'static str, Cell) {
    (name, value.into())
}

#[test]
fn pre_activation_is_judged_in_the_deepest_network() {
    let before = [set("model_placement", "pre-activation")];
    let verdicts = judge(&tables(&[
        (20, 1, &[], &[0.30, 0.31, 0.32]),
        (20, 1, &before, &[0.50, 0.51, 0.52]),
        (110, 1, &[], &[0.40, 0.41, 0.42]),
        (110, 1, &before, &[0.30, 0.32, 0.31]),
    ]));
    let found = of(&verdicts, "pre-activation");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].status, Supported);
    // 0.10, 0.09, 0.11.
    assert!((found[0].effect.unwrap() - 0.1).abs() < 1e-12);
    assert!(
        found[0]
            .sentence
            .starts_with("Test error of original minus pre-activation, 110")
    );
    assert_eq!(of(&verdicts, "more-paths")[0].status, Undecided);
}

#[test]
fn wide_is_judged_at_equal_parameters_only() {
    let width = |value: i64| [set("model_width", value)];
    let verdict = |wide: &[f64], parameters| {
        let verdicts = judge(&tables(&[
            (56, 100_000, &width(8), &[0.40, 0.41, 0.42]),
            (32, 99_000, &width(11), &[0.90, 0.90, 0.90]),
            (20, parameters, &width(14), wide),
        ]));
        of(&verdicts, "wider-as-good")[0].clone()
    };
    assert_eq!(verdict(&[0.30, 0.32, 0.31], 104_000).status, Supported);
    assert_eq!(verdict(&[0.50, 0.52, 0.51], 104_000).status, NotSupported);
    // Not equal: the next pair, 32 layers, is far worse.
    let other = verdict(&[0.30, 0.32, 0.31], 120_000);
    assert_eq!(other.status, NotSupported);
    assert!(
        other
            .sentence
            .contains("depth 32, width 11 minus depth 56, width 8")
    );
}

#[test]
fn most_paths_against_fewest() {
    let paths = |count: i64, width: i64| {
        [
            set("model_cardinality", count),
            set("model_group_width", width),
        ]
    };
    let verdicts = judge(&tables(&[
        (29, 1000, &paths(1, 64), &[0.30, 0.31, 0.32]),
        (29, 1000, &paths(2, 40), &[0.10, 0.10, 0.10]),
        (29, 1010, &paths(8, 14), &[0.33, 0.35, 0.36]),
    ]));
    let found = of(&verdicts, "more-paths")[0];
    assert_eq!(found.status, NotSupported);
    assert!((found.effect.unwrap() + 0.11 / 3.0).abs() < 1e-12);
}

#[test]
fn every_shortcut_that_is_not_clean_is_held_against_a_clean_one() {
    let shortcut = |value: &str| vec![set("model_shortcut", value)];
    let mut scaled = shortcut("constant");
    scaled.push(set("model_branch_factor", 0.5));
    let verdicts = judge(&tables(&[
        (20, 1, &[], &[0.30, 0.31, 0.32]),
        (20, 1, &shortcut("B"), &[0.10, 0.10, 0.10]),
        (20, 1, &shortcut("C"), &[0.10, 0.10, 0.10]),
        (20, 1, &scaled, &[0.40, 0.42, 0.41]),
        (20, 1, &shortcut("shortcut-gate"), &[0.29, 0.30, 0.32]),
    ]));
    let found = of(&verdicts, "clean-shortcuts");
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].status, Supported);
    assert_eq!(found[0].setting, "constant, branch factor 0.5");
    assert!(
        found[0]
            .sentence
            .contains("constant, branch factor 0.5 minus A")
    );
    assert_eq!(found[1].status, NotSupported);
}

#[test]
fn what_was_not_run_is_undecided() {
    let verdicts = judge(&tables(&[(20, 1, &[], &[0.3, 0.3])]));
    assert_eq!(verdicts.len(), 4);
    assert!(
        verdicts
            .iter()
            .all(|v| v.status == Undecided && v.effect.is_none())
    );
}
