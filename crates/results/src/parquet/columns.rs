//! Columns as Polars builds them: rows in, a data frame out, and back.
//!
//! Tables of many runs are gathered here piece by piece, so that millions of rows are never held
//! as rows of cells.

use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Column, DataFrame, Float64Type, Int64Type, IntoColumn,
    PlSmallStr, PolarsResult, PrimitiveChunkedBuilder, StringChunkedBuilder,
};

use crate::table::{Cell, ColumnSpec, Kind, Schema, Table, TableError};

/// The columns of a growing table.
pub(crate) struct Columns {
    schema: Schema,
    builders: Vec<Builder>,
    len: usize,
}

enum Builder {
    Text(StringChunkedBuilder),
    Integer(PrimitiveChunkedBuilder<Int64Type>),
    Real(PrimitiveChunkedBuilder<Float64Type>),
    Boolean(BooleanChunkedBuilder),
}

impl Builder {
    fn new(column: &ColumnSpec) -> Builder {
        let name = PlSmallStr::from_str(&column.name);
        match column.kind {
            Kind::Text => Builder::Text(StringChunkedBuilder::new(name, 0)),
            Kind::Integer => Builder::Integer(PrimitiveChunkedBuilder::new(name, 0)),
            Kind::Real => Builder::Real(PrimitiveChunkedBuilder::new(name, 0)),
            Kind::Boolean => Builder::Boolean(BooleanChunkedBuilder::new(name, 0)),
        }
    }

    fn push(&mut self, cell: &Cell) {
        match self {
            Builder::Text(builder) => builder.append_option(cell.as_text()),
            Builder::Integer(builder) => builder.append_option(cell.as_integer()),
            Builder::Real(builder) => builder.append_option(cell.as_real()),
            Builder::Boolean(builder) => builder.append_option(cell.as_boolean()),
        }
    }

    fn finish(self) -> Column {
        match self {
            Builder::Text(builder) => builder.finish().into_column(),
            Builder::Integer(builder) => builder.finish().into_column(),
            Builder::Real(builder) => builder.finish().into_column(),
            Builder::Boolean(builder) => builder.finish().into_column(),
        }
    }
}

impl Columns {
    /// No rows yet.
    pub(crate) fn new(schema: Schema) -> Columns {
        let builders = schema.columns.iter().map(Builder::new).collect();
        Columns {
            schema,
            builders,
            len: 0,
        }
    }

    /// Name and columns.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Add the rows of a table of the same columns.
    pub(crate) fn append(&mut self, table: &Table) -> Result<(), TableError> {
        if table.schema != self.schema {
            return Err(TableError::SchemasDiffer {
                left: self.schema.name.clone(),
                right: table.schema.name.clone(),
            });
        }
        for row in &table.rows {
            check(row, &self.schema)?;
            for (builder, cell) in self.builders.iter_mut().zip(row) {
                builder.push(cell);
            }
        }
        self.len += table.rows.len();
        Ok(())
    }

    pub(crate) fn into_frame(self) -> PolarsResult<DataFrame> {
        DataFrame::new(
            self.len,
            self.builders.into_iter().map(Builder::finish).collect(),
        )
    }
}

/// `Table::rows` is public: a row pushed behind the table's back must not shift or lose values.
fn check(row: &[Cell], schema: &Schema) -> Result<(), TableError> {
    if row.len() != schema.columns.len() {
        return Err(TableError::RowLength {
            table: schema.name.clone(),
            expected: schema.columns.len(),
            found: row.len(),
        });
    }
    let misfit = row.iter().zip(&schema.columns).find(|(cell, column)| {
        !matches!(
            (cell.kind(), column.kind),
            (None, _) | (Some(Kind::Integer), Kind::Real)
        ) && cell.kind() != Some(column.kind)
    });
    misfit.map_or(Ok(()), |(cell, column)| {
        Err(TableError::CellKind {
            table: schema.name.clone(),
            column: column.name.clone(),
            expected: column.kind,
            found: cell.to_string(),
        })
    })
}

/// The rows of a data frame whose columns are those of `schema`.
pub(super) fn table_of(frame: &DataFrame, schema: Schema) -> Result<Table, String> {
    let columns: Vec<Vec<Cell>> = schema
        .columns
        .iter()
        .map(|column| cells(frame, column))
        .collect::<Result<_, _>>()?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let rows = (0..frame.height())
        .map(|_| {
            columns
                .iter_mut()
                .map(|c| c.next().unwrap_or(Cell::Null))
                .collect()
        })
        .collect();
    Ok(Table { schema, rows })
}

fn cells(frame: &DataFrame, column: &ColumnSpec) -> Result<Vec<Cell>, String> {
    let values = frame.column(&column.name).map_err(|e| e.to_string())?;
    let misfit = |e| format!("the column '{}' is not {}: {e}", column.name, column.kind);
    Ok(match column.kind {
        Kind::Text => values
            .str()
            .map_err(misfit)?
            .iter()
            .map(Cell::from)
            .collect(),
        Kind::Integer => values
            .i64()
            .map_err(misfit)?
            .iter()
            .map(Cell::from)
            .collect(),
        Kind::Real => values
            .f64()
            .map_err(misfit)?
            .iter()
            .map(Cell::from)
            .collect(),
        Kind::Boolean => values
            .bool()
            .map_err(misfit)?
            .iter()
            .map(Cell::from)
            .collect(),
    })
}
