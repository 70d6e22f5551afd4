//! Grouping by all but the seed, and the four forms of text.

use serde_json::json;

use super::*;
use crate::schema::{Settings, runs};

fn sweep() -> Table {
    let mut configs = Vec::new();
    for residual in [true, false] {
        for depth in [56, 8] {
            for seed in [0, 1, 2] {
                configs.push(json!({
                    "model": {"depth": depth, "residual": residual},
                    "train": {"lr": 0.1},
                    "seed": seed,
                }));
            }
        }
    }
    let settings = Settings::of(&configs);
    let mut table = Table::new(runs(&settings.columns));
    for (number, row) in settings.rows.into_iter().enumerate() {
        let mut cells: Vec<Cell> = vec![
            format!("{number:016x}").into(),
            "x".into(),
            "finished".into(),
        ];
        cells.extend(row);
        cells.resize(table.schema.columns.len(), Cell::Null);
        let error = table.index("final_train_error").expect("column");
        cells[error] = (0.1 * (number / 3) as f64 + 0.01 * (number % 3) as f64).into();
        table.push(cells).expect("fits");
    }
    table
}

fn options() -> SummaryOptions {
    SummaryOptions {
        metrics: vec!["final_train_error".into()],
        ..SummaryOptions::default()
    }
}

#[test]
fn settings_of_instruments_keep_runs_apart_unseen() {
    let mut table = sweep();
    let column = ColumnSpec::new("probes_lesion_samples", Kind::Integer, "", "A setting.");
    table.schema.columns.push(column);
    for (number, row) in table.rows.iter_mut().enumerate() {
        row.push(Cell::Integer(if number < 3 { 100 } else { 200 }));
    }
    let half: Vec<usize> = (0..3).chain(0..3).collect();
    let mut twice = table.select(&half);
    for row in &mut twice.rows[3..] {
        *row.last_mut().expect("a cell") = Cell::Integer(200);
    }
    let summary = summarise(&twice, &options()).expect("columns");
    assert!(!summary.has("probes_lesion_samples"));
    // One training of three seeds, measured in two ways: not one of six.
    assert_eq!(summary.len(), 2);
    assert_eq!(summary.integer(0, "n"), Some(3));
}

#[test]
fn only_what_varies_is_shown_grouped_over_seeds() {
    let summary = summarise(&sweep(), &options()).expect("columns");
    let names: Vec<_> = summary
        .schema
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "model_depth",
            "model_residual",
            "n",
            "final_train_error_mean",
            "final_train_error_sd",
            "final_train_error_low",
            "final_train_error_high"
        ]
    );
    assert_eq!(summary.len(), 4);
    // Sorted by depth, then false before true: plain-8 is the last group of the sweep.
    assert_eq!(summary.integer(0, "model_depth"), Some(8));
    assert_eq!(summary.boolean(0, "model_residual"), Some(false));
    let mean = summary.real(0, "final_train_error_mean").expect("a mean");
    let sd = summary.real(0, "final_train_error_sd").expect("an sd");
    let high = summary.real(0, "final_train_error_high").expect("an end");
    assert!((mean - 0.31).abs() < 1e-12 && (sd - 0.01).abs() < 1e-12);
    assert!((high - mean - 4.302_652_73 * 0.01 / 3f64.sqrt()).abs() < 1e-9);
}

#[test]
fn diverged_failed_and_unmeasured_runs_are_counted() {
    let mut runs = sweep();
    let status = runs.index("status").expect("column");
    let error = runs.index("final_train_error").expect("column");
    runs.rows[0][status] = "failed".into();
    runs.rows[0][error] = Cell::Null;
    runs.rows[1][status] = "diverged".into();
    runs.rows[1][error] = Cell::Null;
    let by_mean = SummaryOptions {
        sort: Some("final_train_error".into()),
        ..options()
    };
    let summary = summarise(&runs, &by_mean).expect("columns");
    assert_eq!(summary.integer(0, "n"), Some(2));
    assert_eq!(summary.integer(0, "diverged"), Some(1));
    assert_eq!(summary.integer(0, "failed"), Some(1));
    assert_eq!(summary.integer(0, "final_train_error_n"), Some(1));
    assert_eq!(summary.real(0, "final_train_error_mean"), Some(0.02));
    assert_eq!(summary.real(0, "final_train_error_sd"), None);
}

#[test]
fn columns_and_order_can_be_chosen() {
    let chosen = SummaryOptions {
        settings: Some(vec!["train_lr".into()]),
        sort: Some("final_train_error_mean".into()),
        descending: true,
        ..options()
    };
    let summary = summarise(&sweep(), &chosen).expect("columns");
    assert_eq!(summary.schema.columns[0].name, "train_lr");
    let means = summary.f64s("final_train_error_mean").expect("column");
    assert!(means.windows(2).all(|pair| pair[0] >= pair[1]), "{means:?}");
    for wrong in [
        SummaryOptions {
            metrics: vec!["error".into()],
            ..options()
        },
        SummaryOptions {
            settings: Some(vec!["depth".into()]),
            ..options()
        },
        SummaryOptions {
            sort: Some("nothing".into()),
            ..options()
        },
    ] {
        let error = summarise(&sweep(), &wrong)
            .expect_err("no such column")
            .to_string();
        assert!(error.contains("it has"), "{error}");
    }
}

#[test]
fn one_run_and_no_run_have_summaries_too() {
    let runs = sweep();
    let one = summarise(&runs.select(&[0]), &options()).expect("columns");
    assert_eq!((one.len(), one.schema.columns[0].name.as_str()), (1, "n"));
    let none = summarise(&runs.select(&[]), &options()).expect("columns");
    assert!(none.is_empty());
    assert_eq!(render(&none, Format::Json), "[]\n");
}

fn small() -> Table {
    let mut table = Table::new(Schema::new(
        "small",
        vec![
            ColumnSpec::new("name", Kind::Text, "", ""),
            ColumnSpec::new("loss", Kind::Real, "", ""),
        ],
    ));
    table
        .push(vec!["a|b, \"c\"".into(), (1.0 / 3.0).into()])
        .expect("fits");
    table.push(vec![Cell::Null, f64::NAN.into()]).expect("fits");
    table
}

#[test]
fn the_forms_of_text() {
    let table = small();
    assert_eq!(
        render(&table, Format::Csv),
        "name,loss\n\"a|b, \"\"c\"\"\",0.3333333333333333\n,NaN\n"
    );
    assert_eq!(
        render(&table, Format::Json),
        "[\n  {\"name\":\"a|b, \\\"c\\\"\",\"loss\":0.3333333333333333},\n  {\"name\":null,\"loss\":\"NaN\"}\n]\n"
    );
    assert_eq!(
        render(&table, Format::Markdown),
        "| name | loss |\n| --- | ---: |\n| a\\|b, \"c\" | 0.3333 |\n|  | NaN |\n"
    );
    assert_eq!(
        render(&table, Format::Table),
        "name        loss\na|b, \"c\"  0.3333\n             NaN\n"
    );
}

#[test]
fn reals_are_shortened_to_four_digits() {
    for (value, text) in [
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.123_456, "0.1235"),
        (12.345_6, "12.35"),
        (0.999_96, "1"),
        (9.999_6, "10"),
        (123_456.7, "123500"),
        (0.000_012_345, "1.234e-5"),
        (1.5e9, "1.500e9"),
        (-0.25, "-0.25"),
        (100.0, "100"),
        (0.001_234_5, "0.001234"),
    ] {
        assert_eq!(render::short(&Cell::Real(value)), text, "{value}");
    }
}
