//! Round trips, equal bytes, and files that are none of ours.

use std::fs;

use polars::prelude::{Column, DataFrame, ParquetWriter};
use proptest::prelude::*;

use super::*;
use crate::table::{Cell, Kind};

fn all_kinds() -> Schema {
    Schema::new(
        "epochs",
        vec![
            ColumnSpec::new("run_id", Kind::Text, "", "The run; “quoted”, with ÿ."),
            ColumnSpec::new("epoch", Kind::Integer, "epochs", "Epoch."),
            ColumnSpec::new("loss", Kind::Real, "nats", "Loss."),
            ColumnSpec::new("good", Kind::Boolean, "", "Flag."),
        ],
    )
}

fn table(rows: Vec<Vec<Cell>>) -> Table {
    let mut table = Table::new(all_kinds());
    for row in rows {
        table.push(row).expect("the row fits");
    }
    table
}

fn mixed() -> Table {
    table(vec![
        vec![
            "a".into(),
            Cell::Integer(i64::MIN),
            f64::NAN.into(),
            true.into(),
        ],
        vec![Cell::Null, Cell::Null, Cell::Null, Cell::Null],
        vec![
            "".into(),
            Cell::Integer(i64::MAX),
            f64::INFINITY.into(),
            false.into(),
        ],
        vec![
            "naïve, \"x\"\n".into(),
            Cell::Integer(0),
            f64::NEG_INFINITY.into(),
            Cell::Null,
        ],
        vec!["b".into(), Cell::Integer(-1), (-0.0).into(), true.into()],
        vec!["b".into(), Cell::Integer(-1), 5e-324.into(), true.into()],
    ])
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn what_was_written_is_read() {
    let folder = folder();
    let path = folder.path().join("epochs.parquet");
    let nulls = table(vec![vec![Cell::Null; 4]; 3]);
    for written in [mixed(), nulls, table(vec![])] {
        write(&written, &path).expect("written");
        assert_eq!(read(&path).expect("read"), written);
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("listed").count(),
        1,
        "nothing is left beside"
    );
}

#[test]
fn equal_tables_are_equal_bytes_however_they_were_gathered() {
    let whole = encode_table(&mixed());
    assert_eq!(whole, encode_table(&mixed()));
    let mut pieces = Columns::new(all_kinds());
    for row in mixed().rows {
        pieces.append(&table(vec![row])).expect("fits");
    }
    assert_eq!(whole, encode(pieces).expect("encoded"));
    let mut other = mixed();
    other.rows[5][1] = Cell::Integer(-2);
    assert_ne!(whole, encode_table(&other));
}

fn encode_table(table: &Table) -> Vec<u8> {
    let mut columns = Columns::new(table.schema.clone());
    columns.append(table).expect("fits");
    encode(columns).expect("encoded")
}

#[test]
fn some_columns_are_read_in_the_order_asked_for() {
    let folder = folder();
    let path = folder.path().join("epochs.parquet");
    write(&mixed(), &path).expect("written");
    let some = read_columns(&path, &["good", "run_id"]).expect("read");
    assert_eq!(some.schema.columns[0].name, "good");
    assert_eq!(some.rows[0], vec![true.into(), "a".into()]);
    assert_eq!(some.len(), 6);
    let missing = read_columns(&path, &["bad"]).expect_err("no such column");
    assert!(
        missing.to_string().contains("run_id, epoch, loss, good"),
        "{missing}"
    );
}

#[test]
fn missing_foreign_and_broken_files_are_told_by_path() {
    let folder = folder();
    let path = folder.path().join("runs.parquet");
    let error = read(&path).expect_err("missing");
    assert!(matches!(error, ResultsError::Io { .. }));
    assert!(error.to_string().contains("runs.parquet"), "{error}");

    fs::write(&path, "run_id,epoch\n").expect("written");
    assert!(matches!(
        read(&path).expect_err("CSV"),
        ResultsError::Parquet { .. }
    ));
    fs::write(&path, "").expect("written");
    assert!(matches!(
        read(&path).expect_err("empty"),
        ResultsError::Parquet { .. }
    ));

    let mut frame = DataFrame::new(1, vec![Column::new("x".into(), [1.0])]).expect("a frame");
    let file = fs::File::create(&path).expect("created");
    ParquetWriter::new(file)
        .finish(&mut frame)
        .expect("written");
    let error = read(&path).expect_err("not ours");
    assert!(matches!(error, ResultsError::Foreign { .. }));
    assert!(error.to_string().contains("reslab.schema"), "{error}");

    let nowhere = path.join("below/a/file.parquet");
    assert!(matches!(
        write(&mixed(), &nowhere).expect_err("no folder"),
        ResultsError::Io { .. }
    ));
}

#[test]
fn a_row_that_does_not_fit_is_not_written() {
    let mut table = mixed();
    table.rows[2][1] = "three".into();
    let folder = folder();
    let path = folder.path().join("epochs.parquet");
    let error = write(&table, &path).expect_err("text among integers");
    assert!(error.to_string().contains("'epoch'"), "{error}");
    table.rows[2] = vec![];
    assert!(write(&table, &path).is_err());
    assert!(!path.exists());
}

fn any_cell(kind: Kind) -> BoxedStrategy<Cell> {
    let value = match kind {
        Kind::Text => ".{0,20}".prop_map(Cell::Text).boxed(),
        Kind::Integer => any::<i64>().prop_map(Cell::Integer).boxed(),
        Kind::Real => any::<u64>()
            .prop_map(|bits| Cell::Real(f64::from_bits(bits)))
            .boxed(),
        Kind::Boolean => any::<bool>().prop_map(Cell::Boolean).boxed(),
    };
    prop_oneof![1 => Just(Cell::Null), 3 => value].boxed()
}

fn any_row() -> impl Strategy<Value = Vec<Cell>> {
    [Kind::Text, Kind::Integer, Kind::Real, Kind::Boolean]
        .map(any_cell)
        .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_table_survives(rows in prop::collection::vec(any_row(), 0..40)) {
        let folder = folder();
        let path = folder.path().join("epochs.parquet");
        let written = table(rows);
        write(&written, &path).expect("written");
        prop_assert_eq!(read(&path).expect("read"), written);
    }

    #[test]
    fn a_damaged_file_is_an_error_or_a_table_but_never_a_panic(
        at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<bool>()
    ) {
        let mut bytes = encode_table(&mixed());
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
        let folder = folder();
        let path = folder.path().join("epochs.parquet");
        fs::write(&path, &bytes).expect("written");
        let outcome = read(&path);
        // Where the checksum's own name is damaged, the rest is read.
        let name = bytes.windows(13).any(|at| at == b"reslab.sha256");
        prop_assert!(!(cut || name) || outcome.is_err());
    }
}
