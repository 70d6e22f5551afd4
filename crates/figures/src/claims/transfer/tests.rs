//! Every branch of the verdicts, from synthetic tables.

use super::super::Status::{self, NotSupported, Supported, Undecided};
use super::*;
use crate::synthetic::{Settings, Synthetic, settings};

/// Test errors by seed of `(frozen blocks or none, from weights, examples)`; NaN diverged.
fn tables(runs: &[(Option<i64>, bool, i64, &[f64])]) -> Tables {
    let mut made = Synthetic::default();
    for (blocks, given, examples, errors) in runs {
        for (seed, error) in errors.iter().enumerate() {
            let mut set: Settings =
                settings(20, true, seed as i64).with("data_train_limit", *examples);
            if *given {
                set = set.with("init_weights_sha256", "abc");
            }
            if let Some(blocks) = blocks {
                set = set.with("train_freeze_blocks", *blocks);
            }
            let status = if error.is_nan() {
                "diverged"
            } else {
                "finished"
            };
            made.run(set, status, 0.0, *error);
        }
    }
    made.tables()
}

fn statuses(verdicts: &[Verdict]) -> Vec<(&str, Status)> {
    let pairs = verdicts.iter().map(|v| (v.claim.as_str(), v.status));
    pairs.collect()
}

#[test]
fn each_start_is_held_against_scratch_on_the_fewest_examples() {
    let verdicts = judge(&tables(&[
        (None, false, 100, &[0.50, 0.51, 0.52]),
        (None, false, 900, &[0.20, 0.21, 0.20]),
        (None, true, 100, &[0.30, 0.32, 0.31]),
        (None, true, 900, &[0.20, 0.20, 0.20]),
        (Some(9), true, 100, &[0.60, 0.61, 0.62]),
        (Some(9), true, 900, &[0.10, 0.10, 0.10]),
    ]));
    assert_eq!(
        statuses(&verdicts),
        [
            ("transfer", Supported),
            ("transfer", NotSupported),
            ("transfer-fades", Supported),
            ("freezing-costs", Supported),
        ]
    );
    // 0.20, 0.19, 0.21: mean 0.20, sd 0.01, half width 4.302653·0.01/√3.
    let first = &verdicts[0];
    assert!((first.effect.unwrap() - 0.2).abs() < 1e-12);
    assert!((first.low.unwrap() - 0.175_16).abs() < 1e-4);
    assert_eq!(first.setting, "nothing frozen, 100 examples");
    assert_eq!(
        first.sentence,
        "Test error from scratch minus nothing frozen: +20.0 points (95 % interval +17.5 to +22.5, 3 seeds)."
    );
    // Gains 0.20, 0.19, 0.21 and 0, 0.01, 0.
    assert!((verdicts[2].effect.unwrap() - 0.59 / 3.0).abs() < 1e-12);
    assert!((verdicts[3].effect.unwrap() - 0.3).abs() < 1e-12);
}

#[test]
fn a_gain_that_stays_speaks_against_fading() {
    let verdicts = judge(&tables(&[
        (None, false, 100, &[0.50, 0.51, 0.50]),
        (None, false, 900, &[0.40, 0.41, 0.40]),
        (None, true, 100, &[0.40, 0.41, 0.40]),
        (None, true, 900, &[0.30, 0.31, 0.30]),
    ]));
    assert_eq!(
        statuses(&verdicts),
        [
            ("transfer", Supported),
            ("transfer-fades", NotSupported),
            ("freezing-costs", Undecided),
        ]
    );
}

#[test]
fn one_seed_diverged_runs_and_wide_intervals_decide_nothing() {
    let one = judge(&tables(&[
        (None, false, 100, &[0.5]),
        (None, true, 100, &[0.3]),
    ]));
    assert_eq!(one[0].status, Undecided);
    assert!(one[0].sentence.contains("one seed, no interval"));
    let wide = judge(&tables(&[
        (None, false, 100, &[0.5, 0.5, 0.9]),
        (None, true, 100, &[0.5, 0.5, 0.3]),
    ]));
    assert_eq!(wide[0].status, Undecided);
    let diverged = judge(&tables(&[
        (None, false, 100, &[f64::NAN, 0.5, 0.5]),
        (None, true, 100, &[0.3, 0.3, 0.3]),
    ]));
    assert_eq!(diverged[0].n, 2);
    assert!(
        diverged[0]
            .sentence
            .ends_with("One pair is left out: a run diverged.")
    );
}

#[test]
fn without_weights_nothing_can_be_said() {
    let verdicts = judge(&tables(&[(None, false, 100, &[0.5, 0.5])]));
    assert!(verdicts.iter().all(|v| v.status == Undecided));
    assert_eq!(verdicts.len(), 3);
}
