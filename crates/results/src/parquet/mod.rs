//! Tables to Parquet and back, with Polars.
//!
//! A file carries its documentation: `reslab.schema` (name of the table), `reslab.schema_version`
//! and `reslab.columns`, a JSON list of name, kind, unit and meaning of every column, and
//! `reslab.sha256`, by which damage is found. Equal tables give equal bytes. Text is UTF-8, integers are 64-bit signed, reals are doubles; null is null.

mod checksum;
mod columns;
#[cfg(test)]
mod tests;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polars::prelude::{
    DataFrame, KeyValueMetadata, ParquetCompression, ParquetReader, ParquetWriter, SerReader,
};

pub(crate) use columns::Columns;

use crate::error::ResultsError;
use crate::files;
use crate::schema;
use crate::table::{ColumnSpec, Schema, Table};

const KEY_SCHEMA: &str = "reslab.schema";
const KEY_VERSION: &str = "reslab.schema_version";
const KEY_COLUMNS: &str = "reslab.columns";
const DAMAGED: &str = "the file is damaged inside";

/// Write a table; the file is complete or not there.
pub fn write(table: &Table, path: &Path) -> Result<(), ResultsError> {
    let mut columns = Columns::new(table.schema.clone());
    columns.append(table)?;
    write_columns(columns, path)
}

/// Write columns that were gathered piece by piece.
pub(crate) fn write_columns(columns: Columns, path: &Path) -> Result<(), ResultsError> {
    let table = columns.schema().name.clone();
    let bytes = encode(columns).map_err(|message| ResultsError::Encode {
        table,
        path: path.to_path_buf(),
        message,
    })?;
    files::write_atomic(path, &bytes)
}

/// Read a table that [`write()`] wrote.
pub fn read(path: &Path) -> Result<Table, ResultsError> {
    decode(path, None)
}

/// Read some columns of a table, in the order given: the rest is not decoded.
pub fn read_columns(path: &Path, columns: &[&str]) -> Result<Table, ResultsError> {
    decode(path, Some(columns))
}

fn encode(columns: Columns) -> Result<Vec<u8>, String> {
    let schema = columns.schema().clone();
    let described = serde_json::to_string(&schema.columns).map_err(|e| e.to_string())?;
    let metadata = KeyValueMetadata::from_static(vec![
        (KEY_SCHEMA.into(), schema.name),
        (KEY_VERSION.into(), schema::VERSION.to_string()),
        (KEY_COLUMNS.into(), described),
        (checksum::KEY.into(), checksum::ZEROS.into()),
    ]);
    let mut frame = columns.into_frame().map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .with_key_value_metadata(Some(metadata))
        .finish(&mut frame)
        .map_err(|e| e.to_string())?;
    checksum::seal(&mut bytes);
    Ok(bytes)
}

fn decode(path: &Path, only: Option<&[&str]>) -> Result<Table, ResultsError> {
    // Read whole rather than mapped: a mapped file that shrinks kills the process.
    let bytes = std::fs::read(path).map_err(ResultsError::io("read", path))?;
    let broken = |message: String| ResultsError::Parquet {
        path: path.to_path_buf(),
        message,
    };
    let foreign = |message: String| ResultsError::Foreign {
        path: path.to_path_buf(),
        message,
    };

    if !checksum::holds(&bytes) {
        return Err(broken(DAMAGED.into()));
    }
    let described = guarded(|| described_schema(&bytes))
        .map_err(broken)?
        .map_err(foreign)?;
    let schema = match only {
        None => described,
        Some(names) => choose(described, names)?,
    };
    let frame = guarded(|| read_frame(&bytes, &schema)).map_err(broken)?;
    columns::table_of(&frame, schema).map_err(foreign)
}

/// The schema in the metadata. Outer error: no Parquet; inner error: Parquet, but not ours.
fn described_schema(bytes: &[u8]) -> Result<Result<Schema, String>, String> {
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let metadata = reader.get_metadata().map_err(|e| e.to_string())?;
    let pairs = metadata.key_value_metadata().clone().unwrap_or_default();
    let value = |key: &str| {
        pairs
            .iter()
            .find(|pair| pair.key == key)
            .and_then(|pair| pair.value.clone())
    };
    let (Some(name), Some(version), Some(columns)) =
        (value(KEY_SCHEMA), value(KEY_VERSION), value(KEY_COLUMNS))
    else {
        return Ok(Err(format!(
            "its metadata lacks '{KEY_SCHEMA}', '{KEY_VERSION}' or '{KEY_COLUMNS}'"
        )));
    };
    if version != schema::VERSION.to_string() {
        return Ok(Err(format!(
            "its schema has version {version}, this reslab reads version {}",
            schema::VERSION
        )));
    }
    Ok(serde_json::from_str::<Vec<ColumnSpec>>(&columns)
        .map(|columns| Schema { name, columns })
        .map_err(|e| format!("its '{KEY_COLUMNS}' cannot be read: {e}")))
}

fn choose(described: Schema, names: &[&str]) -> Result<Schema, ResultsError> {
    let whole = Table::new(described);
    let columns = names
        .iter()
        .map(|name| {
            whole
                .index(name)
                .map(|index| whole.schema.columns[index].clone())
        })
        .collect::<Result<_, _>>()?;
    Ok(Schema {
        name: whole.schema.name,
        columns,
    })
}

fn read_frame(bytes: &[u8], schema: &Schema) -> Result<DataFrame, String> {
    let names = schema
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    ParquetReader::new(Cursor::new(bytes))
        .with_columns(Some(names))
        .finish()
        .map_err(|e| e.to_string())
}

/// Polars panics on some damaged files; here that is an error like any other.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(DAMAGED.into()))
}
