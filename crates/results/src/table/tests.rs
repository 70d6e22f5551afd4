//! Tables: fitting of cells, selection, grouping, joining.

use super::*;

fn schema() -> Schema {
    Schema::new(
        "points",
        vec![
            ColumnSpec::new("run_id", Kind::Text, "", "run"),
            ColumnSpec::new("epoch", Kind::Integer, "epochs", "epoch"),
            ColumnSpec::new("loss", Kind::Real, "nats", "loss"),
            ColumnSpec::new("good", Kind::Boolean, "", "flag"),
        ],
    )
}

fn table() -> Table {
    let mut table = Table::new(schema());
    for (run, epoch, loss) in [
        ("b", 0, 2.0),
        ("b", 1, 1.0),
        ("a", 0, f64::NAN),
        ("a", 1, 3.0),
    ] {
        table
            .push(vec![
                run.into(),
                Cell::Integer(epoch),
                loss.into(),
                Cell::Null,
            ])
            .expect("the row fits");
    }
    table
}

#[test]
fn cells_are_found_by_row_and_name() {
    let table = table();
    assert_eq!(table.real(1, "loss"), Some(1.0));
    assert_eq!(table.real(1, "epoch"), Some(1.0));
    assert_eq!(table.integer(1, "epoch"), Some(1));
    assert_eq!(table.text(2, "run_id"), Some("a"));
    assert_eq!(table.boolean(0, "good"), None);
    assert_eq!(table.get(0, "nothing"), None);
    assert_eq!(table.get(9, "loss"), None);
}

#[test]
fn misfits_are_refused_by_name() {
    let mut table = table();
    let short = table.push(vec![Cell::Null]).expect_err("too short");
    assert!(short.to_string().contains("1 cells"), "{short}");
    let wrong = table
        .push_named([("epoch", "three".into())])
        .expect_err("text is no integer");
    assert_eq!(
        wrong.to_string(),
        "The column 'epoch' of the table 'points' holds integer values; three does not fit."
    );
    let real = table
        .push_named([("epoch", 0.5.into())])
        .expect_err("a real is no integer");
    assert!(real.to_string().contains("0.5"));
    let missing = table
        .push_named([("los", 0.5.into())])
        .expect_err("no such column");
    assert!(
        missing.to_string().contains("run_id, epoch, loss, good"),
        "{missing}"
    );
    assert_eq!(table.len(), 4);
}

#[test]
fn integers_fit_real_columns() {
    let mut table = table();
    table
        .push_named([("loss", Cell::Integer(7))])
        .expect("fits");
    assert_eq!(table.get(4, "loss"), Some(&Cell::Real(7.0)));
    assert_eq!(table.get(4, "run_id"), Some(&Cell::Null));
}

#[test]
fn groups_and_distinct_values_keep_first_seen_order() {
    let table = table();
    let runs = table.groups(&["run_id"]).expect("column");
    assert_eq!(
        runs[0],
        Group {
            key: vec!["b".into()],
            rows: vec![0, 1]
        }
    );
    assert_eq!(
        runs[1],
        Group {
            key: vec!["a".into()],
            rows: vec![2, 3]
        }
    );
    assert_eq!(
        table.groups(&["run_id", "epoch"]).expect("columns").len(),
        4
    );
    assert_eq!(
        table.distinct("run_id").expect("column"),
        vec!["b".into(), "a".into()]
    );
    let everything = table.groups(&[]).expect("no column");
    assert_eq!(everything[0].rows, vec![0, 1, 2, 3]);
}

#[test]
fn nan_equals_itself_as_a_key() {
    let nan = Cell::Real(f64::NAN);
    assert_eq!(table().filter_equal("loss", &nan).expect("column").len(), 1);
    assert_ne!(Cell::Real(0.0), Cell::Real(-0.0));
    assert_ne!(Cell::Integer(1), Cell::Real(1.0));
}

#[test]
fn sorting_is_stable_with_null_first() {
    let mut table = table();
    table
        .push_named([("epoch", Cell::Integer(5))])
        .expect("fits");
    table.sort(&["run_id"]).expect("column");
    let epochs: Vec<_> = table.iter().map(|row| row.integer("epoch")).collect();
    assert_eq!(epochs, vec![Some(5), Some(0), Some(1), Some(0), Some(1)]);
}

#[test]
fn settings_are_joined_on_by_key() {
    let mut runs = Table::new(Schema::new(
        "runs",
        vec![
            ColumnSpec::new("run_id", Kind::Text, "", ""),
            ColumnSpec::new("depth", Kind::Integer, "", ""),
        ],
    ));
    runs.push(vec!["a".into(), Cell::Integer(20)])
        .expect("fits");
    let joined = table()
        .with_columns_of(&runs, "run_id", &["depth"])
        .expect("columns");
    assert_eq!(joined.integer(0, "depth"), None);
    assert_eq!(joined.integer(3, "depth"), Some(20));
    assert_eq!(
        joined.filter(|row| row.integer("depth") == Some(20)).len(),
        2
    );
}

#[test]
fn tables_of_one_schema_are_laid_end_to_end() {
    let two = Table::concat(&[table(), table()])
        .expect("same columns")
        .expect("two tables");
    assert_eq!(two.len(), 8);
    assert_eq!(Table::concat(&[]).expect("nothing"), None);
    let mut other = table();
    other.schema.columns[0].kind = Kind::Integer;
    assert!(Table::concat(&[table(), other]).is_err());
}

#[test]
fn reals_are_printed_in_the_shortest_form_that_reads_back() {
    for value in [
        0.1,
        1.0 / 3.0,
        1e-300,
        6.02e23,
        -0.0,
        5e-324,
        f64::MAX,
        1e16,
    ] {
        let text = Cell::Real(value).to_string();
        let back: f64 = text.parse().expect("a number");
        assert_eq!(back.to_bits(), value.to_bits(), "{text}");
        assert!(text.len() < 26, "{text}");
    }
    assert_eq!(Cell::Real(f64::NAN).to_string(), "NaN");
    assert_eq!(Cell::Real(f64::NEG_INFINITY).to_string(), "-inf");
}
