//! Records survive writing and reading, bit by bit; damaged ones are errors.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema;
use crate::table::Cell;

/// A record with `epochs` rows of epochs.
pub(crate) fn example(seed: u64, epochs: usize) -> RunRecord {
    let config =
        json!({"train": {"lr": 0.1, "epochs": epochs}, "seed": seed, "model": {"depth": 20}});
    let id = RunId::of(&config).expect("settings");
    let mut table = Table::new(schema::epochs());
    for epoch in 0..epochs {
        let error = 1.0 / (epoch as f64 + 3.0 + seed as f64);
        table
            .push_named([
                ("run_id", id.as_str().into()),
                ("epoch", epoch.into()),
                (
                    "train_loss",
                    if epoch == 1 {
                        f64::NAN.into()
                    } else {
                        error.into()
                    },
                ),
                ("test_error", error.into()),
            ])
            .expect("fits");
    }
    let metrics = Metrics::from_epochs(&table, 270_000, "abc").expect("columns");
    RunRecord::new(&config, Outcome::Finished, metrics, vec![table]).expect("settings")
}

fn read(text: &str) -> Result<RunRecord, ResultsError> {
    RunRecord::from_json(Path::new("record.json"), text.as_bytes())
}

#[test]
fn what_was_written_is_read() {
    let record = example(3, 5);
    let text = record.to_json().expect("JSON");
    let back = read(&text).expect("read");
    assert_eq!(back.to_json().expect("JSON"), text);
    assert_eq!(back.tables, record.tables);
    assert_eq!(back.metrics, record.metrics);
    assert_eq!(back.id().expect("id"), record.id().expect("id"));
    assert!(text.contains(r#""train_error":{"all":null}"#), "{text}");
    assert!(text.contains("\"NaN\""), "{text}");
}

#[test]
fn metrics_are_those_of_the_last_epoch() {
    let metrics = example(0, 5).metrics;
    assert_eq!(metrics.final_test_error, Some(1.0 / 7.0));
    assert_eq!(metrics.best_test_error, Some(1.0 / 7.0));
    assert_eq!(metrics.final_train_error, None);
    assert_eq!(metrics.epochs_done, 4);
    let none = Metrics::from_epochs(&Table::new(schema::epochs()), 1, "").expect("columns");
    assert_eq!((none.epochs_done, none.best_test_error), (0, None));
    let last_is_nan = example(0, 2).metrics;
    let loss = last_is_nan.final_train_loss.expect("a loss");
    assert!(loss.is_nan());
    let runs = schema::runs_fixed();
    assert!(
        metrics
            .cells()
            .iter()
            .all(|(name, _)| runs.index(name).is_some())
    );
}

#[test]
fn the_end_of_a_diverged_run_is_kept() {
    let mut record = example(1, 2);
    record.outcome = Outcome::Diverged { step: 17, epoch: 2 };
    let text = record.to_json().expect("JSON");
    assert!(
        text.contains(r#"{"status":"diverged","step":17,"epoch":2}"#),
        "{text}"
    );
    assert_eq!(read(&text).expect("read").outcome, record.outcome);
}

#[test]
fn damaged_records_are_told() {
    let text = example(1, 3).to_json().expect("JSON");
    for (from, to, told) in [
        ("\"format\":1", "\"format\":2", "format is 2"),
        ("\"rows\":3", "\"rows\":4", "3 values for 4 rows"),
        ("\"rows\":3", "\"rows\":99999999999", "99999999999 rows"),
        (
            "\"epoch\":[0,1,2]",
            "\"epoch\":[0,1,2.5]",
            "2.5, which is not integer",
        ),
        ("\"name\":\"epochs\"", "\"name\":\"epoch\"", "no table"),
        ("\"lr\":{", "\"rate\":{", "no column 'rate'"),
        ("\"outcome\"", "\"outcom\"", "no outcome"),
        ("\"finished\"", "\"done\"", "outcome"),
    ] {
        assert!(text.contains(from), "{from} is not in {text}");
        let error = read(&text.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(
            error.contains(told) && error.contains("record.json"),
            "{error}"
        );
    }
    for length in 0..text.len() - 1 {
        assert!(read(text.get(..length).unwrap_or("{")).is_err());
    }
}

proptest! {
    #[test]
    fn every_real_keeps_its_bits(bits in any::<u64>()) {
        let real = f64::from_bits(bits);
        let mut record = example(0, 2);
        record.tables[0].rows[0][5] = Cell::Real(real);
        let back = read(&record.to_json().expect("JSON")).expect("read");
        let found = back.tables[0].rows[0][5].as_real().expect("a real");
        prop_assert!(found.to_bits() == bits || (real.is_nan() && found.is_nan()));
    }
}
