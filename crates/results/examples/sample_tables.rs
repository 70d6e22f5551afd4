//! Writes Parquet files with every kind of value into the folder given, for `tests/other_readers.py`.

use std::path::Path;

use reslab_results::{Cell, ColumnSpec, Kind, Schema, Table, parquet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: sample_tables FOLDER")?;
    let folder = Path::new(&folder);
    let column = |name, kind, unit| ColumnSpec::new(name, kind, unit, "A sample column.");
    let mut table = Table::new(Schema::new(
        "sample",
        vec![
            column("run_id", Kind::Text, ""),
            column("epoch", Kind::Integer, "epochs"),
            column("loss", Kind::Real, "nats"),
            column("residual", Kind::Boolean, ""),
            column("nothing", Kind::Text, ""),
            column("no_number", Kind::Real, ""),
        ],
    ));
    parquet::write(&table, &folder.join("empty.parquet"))?;
    let nothing = || [Cell::Null, Cell::Null];
    for (id, epoch, loss, residual) in [
        (
            "0123456789abcdef",
            Cell::Integer(i64::MAX),
            Cell::Real(0.1),
            true.into(),
        ),
        (
            "naïve, \"quoted\"",
            Cell::Null,
            Cell::Real(f64::NAN),
            Cell::Null,
        ),
        (
            "",
            Cell::Integer(-1),
            Cell::Real(f64::NEG_INFINITY),
            false.into(),
        ),
        ("last", Cell::Integer(0), Cell::Null, true.into()),
    ] {
        table.push([vec![id.into(), epoch, loss, residual], nothing().to_vec()].concat())?;
    }
    parquet::write(&table, &folder.join("sample.parquet"))?;
    Ok(())
}
