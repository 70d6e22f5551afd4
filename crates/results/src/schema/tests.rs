//! Settings columns, and the documentation page against the schemas.

use serde_json::json;

use super::*;
use crate::table::{Cell, Kind};

#[test]
fn settings_are_named_by_their_path_and_keep_their_kind() {
    let a = json!({"train": {"lr": 0.1, "milestones": [1.5, 2.0], "clip_norm": null}, "seed": 0});
    let b = json!({"seed": 1, "train": {"milestones": [], "lr": 1, "clip_norm": null}, "model": {"residual": true}});
    let settings = Settings::of([&a, &b]);
    let names: Vec<_> = settings
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind))
        .collect();
    assert_eq!(
        names,
        vec![
            ("model_residual", Kind::Boolean),
            ("seed", Kind::Integer),
            ("train_clip_norm", Kind::Text),
            ("train_lr", Kind::Real),
            ("train_milestones", Kind::Text),
        ]
    );
    assert_eq!(
        settings.rows[1],
        vec![
            true.into(),
            Cell::Integer(1),
            Cell::Null,
            Cell::Real(1.0),
            "[]".into()
        ]
    );
    assert_eq!(settings.rows[0][0], Cell::Null);
    let swapped = Settings::of([&b, &a]);
    assert_eq!(settings.columns, swapped.columns);
}

#[test]
fn mixed_kinds_become_text_and_taken_names_are_avoided() {
    let a = json!({"data": {"normalize": "computed"}, "status": 3, "a": {"b_c": 1}});
    let b = json!({"data": {"normalize": 2}, "a_b": {"c": 1}});
    let settings = Settings::of([&a, &b]);
    let names: Vec<_> = settings.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, vec!["a_b_c", "a_b_c_", "data_normalize", "status_"]);
    assert_eq!(settings.rows[1][2], "2".into());
}

#[test]
fn the_schema_of_runs_has_settings_between_status_and_metrics() {
    let settings = Settings::of([&json!({"seed": 1})]);
    let schema = runs(&settings.columns);
    let names: Vec<_> = schema
        .columns
        .iter()
        .take(5)
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(
        names,
        vec!["run_id", "experiment", "status", "seed", "final_train_loss"]
    );
}

#[test]
fn every_column_is_documented_and_named_once() {
    for schema in all() {
        for (index, column) in schema.columns.iter().enumerate() {
            assert!(
                column.meaning.ends_with('.'),
                "{}: {}",
                schema.name,
                column.name
            );
            assert_eq!(
                schema.index(&column.name),
                Some(index),
                "{} twice",
                column.name
            );
        }
    }
}

#[test]
fn the_page_in_docs_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tables.md");
    let page = std::fs::read_to_string(path).expect("docs/tables.md is there");
    assert!(
        page == markdown(),
        "docs/tables.md is out of date; print it anew with\n  \
         cargo run --release -p reslab-results --example tables_page > docs/tables.md"
    );
}
