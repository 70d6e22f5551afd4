//! Choosing and arranging rows: filter, distinct values, groups, sorting, joining settings on.

use std::collections::{HashMap, HashSet};

use super::{Cell, Table, TableError};

/// One row of a table, by column name.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    /// Index of the row in its table.
    pub index: usize,
}

impl<'a> Row<'a> {
    /// The cell of a column; `None` where there is no such column.
    pub fn get(&self, column: &str) -> Option<&'a Cell> {
        self.table.get(self.index, column)
    }

    /// A number; `None` where null or absent.
    pub fn real(&self, column: &str) -> Option<f64> {
        self.table.real(self.index, column)
    }

    /// An integer; `None` where null, absent or of another kind.
    pub fn integer(&self, column: &str) -> Option<i64> {
        self.table.integer(self.index, column)
    }

    /// A text; `None` where null, absent or of another kind.
    pub fn text(&self, column: &str) -> Option<&'a str> {
        self.table.text(self.index, column)
    }

    /// A truth value; `None` where null, absent or of another kind.
    pub fn boolean(&self, column: &str) -> Option<bool> {
        self.table.boolean(self.index, column)
    }
}

/// Rows that agree in some columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The common values, in the order the columns were asked for.
    pub key: Vec<Cell>,
    /// Indices of the rows, ascending.
    pub rows: Vec<usize>,
}

impl Table {
    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows.len()).map(|index| Row { table: self, index })
    }

    /// The rows for which `keep` holds, in order.
    pub fn filter(&self, keep: impl Fn(Row<'_>) -> bool) -> Table {
        let rows: Vec<usize> = self
            .iter()
            .filter(|row| keep(*row))
            .map(|row| row.index)
            .collect();
        self.select(&rows)
    }

    /// The rows whose `column` equals `value`, in order.
    pub fn filter_equal(&self, column: &str, value: &Cell) -> Result<Table, TableError> {
        let index = self.index(column)?;
        Ok(Table {
            schema: self.schema.clone(),
            rows: self
                .rows
                .iter()
                .filter(|row| row[index] == *value)
                .cloned()
                .collect(),
        })
    }

    /// The rows at these indices, in the order given; indices beyond the end are left out.
    pub fn select(&self, rows: &[usize]) -> Table {
        Table {
            schema: self.schema.clone(),
            rows: rows
                .iter()
                .filter_map(|&row| self.rows.get(row))
                .cloned()
                .collect(),
        }
    }

    /// The distinct values of a column in first-seen order, null included.
    pub fn distinct(&self, column: &str) -> Result<Vec<Cell>, TableError> {
        let index = self.index(column)?;
        let mut seen = HashSet::new();
        Ok(self
            .rows
            .iter()
            .map(|row| &row[index])
            .filter(|cell| seen.insert(*cell))
            .cloned()
            .collect())
    }

    /// Rows grouped by the values of several columns, groups in first-seen order.
    pub fn groups(&self, columns: &[&str]) -> Result<Vec<Group>, TableError> {
        let indices: Vec<usize> = columns
            .iter()
            .map(|column| self.index(column))
            .collect::<Result<_, _>>()?;
        let mut places: HashMap<Vec<&Cell>, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let key: Vec<&Cell> = indices.iter().map(|&index| &row[index]).collect();
            let place = *places.entry(key).or_insert_with_key(|key| {
                groups.push(Group {
                    key: key.iter().map(|&c| c.clone()).collect(),
                    rows: Vec::new(),
                });
                groups.len() - 1
            });
            groups[place].rows.push(number);
        }
        Ok(groups)
    }

    /// Sort rows by several columns, ascending, null first; equal rows keep their order.
    pub fn sort(&mut self, columns: &[&str]) -> Result<(), TableError> {
        let indices: Vec<usize> = columns
            .iter()
            .map(|column| self.index(column))
            .collect::<Result<_, _>>()?;
        self.rows.sort_by(|a, b| {
            indices
                .iter()
                .map(|&i| a[i].cmp(&b[i]))
                .find(|o| o.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        Ok(())
    }

    /// This table with `columns` of `other` added to every row, matched by the column `key`.
    ///
    /// The first matching row of `other` counts; where none matches the cells are null. Meant for
    /// putting settings of `runs` beside the rows of `epochs` and `layers`, by `run_id`.
    pub fn with_columns_of(
        &self,
        other: &Table,
        key: &str,
        columns: &[&str],
    ) -> Result<Table, TableError> {
        let own_key = self.index(key)?;
        let other_key = other.index(key)?;
        let indices: Vec<usize> = columns
            .iter()
            .map(|column| other.index(column))
            .collect::<Result<_, _>>()?;
        let mut places: HashMap<&Cell, usize> = HashMap::new();
        for (number, row) in other.rows.iter().enumerate() {
            places.entry(&row[other_key]).or_insert(number);
        }
        let mut joined = self.clone();
        joined
            .schema
            .columns
            .extend(indices.iter().map(|&i| other.schema.columns[i].clone()));
        for row in &mut joined.rows {
            let place = places.get(&row[own_key]).copied();
            row.extend(
                indices
                    .iter()
                    .map(|&i| place.map_or(Cell::Null, |p| other.rows[p][i].clone())),
            );
        }
        Ok(joined)
    }
}
