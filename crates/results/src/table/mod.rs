//! A tidy table in memory: one row an observation, every column with its kind, unit and meaning.
//!
//! Row-major, because rows are what runs produce and what figures filter. A missing value is
//! [`Cell::Null`], never a sentinel; NaN and the infinities are values of a `Real` column.

mod cell;
mod select;
#[cfg(test)]
mod tests;

pub use cell::{Cell, Kind, shortest};
pub use select::{Group, Row};

use serde::{Deserialize, Serialize};

/// What one column holds: name, kind, unit (empty: none) and meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Name in snake case.
    pub name: String,
    /// Kind of every non-null value.
    pub kind: Kind,
    /// Unit as printed on an axis; empty for pure numbers and text.
    pub unit: String,
    /// One sentence on what is measured and how.
    pub meaning: String,
}

impl ColumnSpec {
    /// A column from its four parts.
    pub fn new(name: &str, kind: Kind, unit: &str, meaning: &str) -> ColumnSpec {
        ColumnSpec {
            name: name.into(),
            kind,
            unit: unit.into(),
            meaning: meaning.into(),
        }
    }
}

/// The name of a table and its columns in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Name of the table, which is also the stem of its file.
    pub name: String,
    /// The columns in order.
    pub columns: Vec<ColumnSpec>,
}

impl Schema {
    /// A schema from its name and columns.
    pub fn new(name: &str, columns: Vec<ColumnSpec>) -> Schema {
        Schema {
            name: name.into(),
            columns,
        }
    }

    /// Index of the column called `name`.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Rows under a schema. Every row has as many cells as the schema has columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name and columns.
    pub schema: Schema,
    /// The rows; change them through [`Table::push`], which checks lengths and kinds.
    pub rows: Vec<Vec<Cell>>,
}

/// A table was asked for something it does not have, or given something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// No such column.
    #[error("The table '{table}' has no column '{column}'; it has {}.", available.join(", "))]
    NoColumn {
        /// Table asked.
        table: String,
        /// Column asked for.
        column: String,
        /// Columns there are.
        available: Vec<String>,
    },
    /// A row of the wrong length.
    #[error("A row of {found} cells does not fit the table '{table}' of {expected} columns.")]
    RowLength {
        /// Table written to.
        table: String,
        /// Columns of the table.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// A cell of the wrong kind.
    #[error(
        "The column '{column}' of the table '{table}' holds {expected} values; {found} does not fit."
    )]
    CellKind {
        /// Table written to.
        table: String,
        /// Column written to.
        column: String,
        /// Kind of the column.
        expected: Kind,
        /// The value, as text.
        found: String,
    },
    /// Two tables with different columns.
    #[error("The tables '{left}' and '{right}' cannot be joined end to end: their columns differ.")]
    SchemasDiffer {
        /// First table.
        left: String,
        /// Second table.
        right: String,
    },
}

impl Table {
    /// An empty table.
    pub fn new(schema: Schema) -> Table {
        Table {
            schema,
            rows: Vec::new(),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Index of a column, or an error that lists the columns there are.
    pub fn index(&self, column: &str) -> Result<usize, TableError> {
        self.schema
            .index(column)
            .ok_or_else(|| TableError::NoColumn {
                table: self.schema.name.clone(),
                column: column.into(),
                available: self.schema.columns.iter().map(|c| c.name.clone()).collect(),
            })
    }

    /// Whether there is a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.schema.index(column).is_some()
    }

    /// Append a row given in the order of the columns. Integers fit `Real` columns.
    pub fn push(&mut self, mut row: Vec<Cell>) -> Result<(), TableError> {
        if row.len() != self.schema.columns.len() {
            return Err(TableError::RowLength {
                table: self.schema.name.clone(),
                expected: self.schema.columns.len(),
                found: row.len(),
            });
        }
        for (cell, column) in row.iter_mut().zip(&self.schema.columns) {
            let taken = std::mem::replace(cell, Cell::Null);
            *cell = taken
                .fit(column.kind)
                .map_err(|found| TableError::CellKind {
                    table: self.schema.name.clone(),
                    column: column.name.clone(),
                    expected: column.kind,
                    found: found.to_string(),
                })?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Append a row given as (column, value); columns not named are null.
    pub fn push_named<const N: usize>(
        &mut self,
        cells: [(&str, Cell); N],
    ) -> Result<(), TableError> {
        let mut row = vec![Cell::Null; self.schema.columns.len()];
        for (name, cell) in cells {
            row[self.index(name)?] = cell;
        }
        self.push(row)
    }

    /// The rows of several tables of one schema, end to end.
    pub fn concat(tables: &[Table]) -> Result<Option<Table>, TableError> {
        let Some(first) = tables.first() else {
            return Ok(None);
        };
        let mut all = Table::new(first.schema.clone());
        for table in tables {
            if table.schema != first.schema {
                return Err(TableError::SchemasDiffer {
                    left: first.schema.name.clone(),
                    right: table.schema.name.clone(),
                });
            }
            all.rows.extend(table.rows.iter().cloned());
        }
        Ok(Some(all))
    }

    /// The cell at `row` and `column`; `None` where there is no such row or column.
    pub fn get(&self, row: usize, column: &str) -> Option<&Cell> {
        self.rows.get(row)?.get(self.schema.index(column)?)
    }

    /// A number at `row` and `column` (integers are converted); `None` where null or absent.
    pub fn real(&self, row: usize, column: &str) -> Option<f64> {
        self.get(row, column)?.as_real()
    }

    /// An integer at `row` and `column`; `None` where null, absent or of another kind.
    pub fn integer(&self, row: usize, column: &str) -> Option<i64> {
        self.get(row, column)?.as_integer()
    }

    /// A text at `row` and `column`; `None` where null, absent or of another kind.
    pub fn text(&self, row: usize, column: &str) -> Option<&str> {
        self.get(row, column)?.as_text()
    }

    /// A truth value at `row` and `column`; `None` where null, absent or of another kind.
    pub fn boolean(&self, row: usize, column: &str) -> Option<bool> {
        self.get(row, column)?.as_boolean()
    }

    /// A whole column as numbers (integers are converted), null as `None`.
    pub fn f64s(&self, column: &str) -> Result<Vec<Option<f64>>, TableError> {
        let index = self.index(column)?;
        Ok(self.rows.iter().map(|row| row[index].as_real()).collect())
    }

    /// A whole column as texts, null as `None`.
    pub fn texts(&self, column: &str) -> Result<Vec<Option<&str>>, TableError> {
        let index = self.index(column)?;
        Ok(self.rows.iter().map(|row| row[index].as_text()).collect())
    }
}
