//! Every branch of the verdicts, from synthetic tables.

use super::*;
use crate::synthetic::{Synthetic, settings};

/// Runs of plain and residual 20 and 56 with these training errors by seed; test = train + 0.05.
fn tables(plain_20: &[f64], plain_56: &[f64], residual_20: &[f64], residual_56: &[f64]) -> Tables {
    let mut made = Synthetic::default();
    for (depth, residual, errors) in [
        (20, false, plain_20),
        (56, false, plain_56),
        (20, true, residual_20),
        (56, true, residual_56),
    ] {
        for (seed, error) in errors.iter().enumerate() {
            let status = if error.is_nan() {
                "diverged"
            } else {
                "finished"
            };
            made.run(
                settings(depth, residual, seed as i64),
                status,
                *error,
                error + 0.05,
            );
        }
    }
    made.tables()
}

fn statuses(tables: &Tables) -> Vec<Status> {
    judge(tables).iter().map(|v| v.status).collect()
}

use Status::{NotSupported, Supported, Undecided};

#[test]
fn clear_degradation_and_its_cure() {
    let tables = tables(
        &[0.01, 0.02, 0.0],
        &[0.61, 0.66, 0.63],
        &[0.0, 0.01, 0.0],
        &[0.0, 0.006, 0.0],
    );
    let verdicts = judge(&tables);
    assert_eq!(statuses(&tables), [Supported, Supported, Supported]);
    let first = &verdicts[0];
    assert_eq!((first.claim.as_str(), first.n), ("degradation", 3));
    // Differences 0.60, 0.64, 0.63: mean 0.62333, sd 0.020817, half width 4.302653·sd/√3.
    assert!((first.effect.unwrap() - 0.623_333).abs() < 1e-5);
    assert!((first.low.unwrap() - 0.571_62).abs() < 1e-4, "{first:?}");
    assert!((first.high.unwrap() - 0.675_05).abs() < 1e-4);
    assert_eq!(
        first.sentence,
        "Clean training error of plain 56 minus plain 20: +62.3 points (95 % interval +57.2 to +67.5, 3 seeds)."
    );
    assert!(
        first
            .to_string()
            .starts_with("supported     degradation      Clean")
    );
}

#[test]
fn no_degradation_leaves_nothing_to_cure_or_explain() {
    let tables = tables(
        &[0.05, 0.05, 0.06],
        &[0.04, 0.05, 0.05],
        &[0.0; 3],
        &[0.0; 3],
    );
    assert_eq!(statuses(&tables), [NotSupported, Undecided, Undecided]);
}

#[test]
fn residual_networks_that_degrade_too_cure_nothing() {
    let tables = tables(
        &[0.0, 0.01, 0.0],
        &[0.3, 0.3, 0.32],
        &[0.0, 0.01, 0.0],
        &[0.2, 0.22, 0.21],
    );
    assert_eq!(statuses(&tables), [Supported, NotSupported, Supported]);
}

#[test]
fn a_wide_interval_decides_nothing() {
    let tables = tables(&[0.0, 0.0, 0.0], &[0.0, 0.0, 0.6], &[0.0; 3], &[0.0; 3]);
    assert_eq!(statuses(&tables)[0], Undecided);
}

#[test]
fn one_seed_has_an_effect_but_no_verdict() {
    let verdicts = judge(&tables(&[0.0], &[0.6], &[0.0], &[0.0]));
    assert_eq!(verdicts[0].status, Undecided);
    assert_eq!((verdicts[0].effect, verdicts[0].low), (Some(0.6), None));
    assert!(verdicts[0].sentence.contains("one seed, no interval"));
}

#[test]
fn pairs_with_a_diverged_run_are_left_out_and_told() {
    let verdicts = judge(&tables(
        &[0.0, 0.01, 0.0],
        &[f64::NAN, 0.62, 0.6],
        &[0.0; 3],
        &[0.0; 3],
    ));
    assert_eq!(verdicts[0].n, 2);
    assert!(
        verdicts[0]
            .sentence
            .ends_with("One pair is left out: a run diverged.")
    );
    let all = judge(&tables(&[0.0, 0.0], &[f64::NAN; 2], &[0.0; 2], &[0.0; 2]));
    assert_eq!((all[0].status, all[0].n), (Undecided, 0));
}

#[test]
fn pairs_are_by_seed_not_by_order() {
    let mut made = Synthetic::default();
    for seed in [0, 1, 2] {
        let own = 0.1 * seed as f64; // seeds differ much, the gap hardly
        made.run(settings(20, false, seed), "finished", own, own);
        made.run(
            settings(56, false, 2 - seed),
            "finished",
            0.1 * (2 - seed) as f64 + 0.05,
            0.5,
        );
    }
    let verdict = &judge(&made.tables())[0];
    assert_eq!(verdict.status, Supported);
    assert!((verdict.high.unwrap() - verdict.low.unwrap()).abs() < 1e-9);
}

#[test]
fn overfitting_is_told_from_degradation() {
    let mut made = Synthetic::default();
    for seed in 0..3 {
        let noise = 0.001 * seed as f64;
        made.run(settings(20, false, seed), "finished", 0.10 + noise, 0.2);
        made.run(settings(56, false, seed), "finished", 0.01, 0.3 + noise);
    }
    let verdicts = judge(&made.tables());
    assert_eq!(verdicts[0].status, NotSupported);
    assert_eq!(verdicts[2].status, NotSupported);
}

#[test]
fn the_pair_is_the_papers_and_ignores_errors() {
    assert_eq!(pair(&[8, 20, 32, 56]), Some((56, 20)));
    assert_eq!(pair(&[20, 32, 44, 56, 110]), Some((110, 44)));
    assert_eq!(pair(&[4, 32]), Some((32, 4)));
    assert_eq!(pair(&[20]), None);
    assert_eq!(pair(&[]), None);
}

#[test]
fn missing_networks_and_columns_are_undecided_with_a_reason() {
    let mut made = Synthetic::default();
    made.run(settings(20, true, 0), "finished", 0.0, 0.1);
    let verdicts = judge(&made.tables());
    assert!(
        verdicts
            .iter()
            .all(|v| v.status == Undecided && v.effect.is_none())
    );
    assert_eq!(verdicts[0].sentence, "Needs plain networks of two depths.");
    let plain_only = tables(&[0.0, 0.0], &[0.5, 0.51], &[], &[]);
    assert_eq!(
        judge(&plain_only)[1].sentence,
        "Needs residual networks of 20 and 56 layers."
    );
}
