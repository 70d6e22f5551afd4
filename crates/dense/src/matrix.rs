//! A real matrix, column after column.

use faer::MatRef;

/// A dense matrix of `f64`, stored column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// From its entries, column after column.
    ///
    /// # Panics
    ///
    /// If there are not rows × columns of them.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), rows * columns, "entries of a matrix");
        Self {
            rows,
            columns,
            values,
        }
    }

    /// From `entry(row, column)`.
    pub fn from_fn(
        rows: usize,
        columns: usize,
        mut entry: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let mut values = Vec::with_capacity(rows * columns);
        for column in 0..columns {
            values.extend((0..rows).map(|row| entry(row, column)));
        }
        Self::new(rows, columns, values)
    }

    /// The identity.
    pub fn identity(n: usize) -> Self {
        Self::from_fn(n, n, |i, j| f64::from(u8::from(i == j)))
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// An entry.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[column * self.rows + row]
    }

    /// A column.
    pub fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.rows..(column + 1) * self.rows]
    }

    /// A column, to change it.
    pub fn column_mut(&mut self, column: usize) -> &mut [f64] {
        &mut self.values[column * self.rows..(column + 1) * self.rows]
    }

    /// Two different columns, to change them.
    ///
    /// # Panics
    ///
    /// If they are the same.
    pub fn two_columns_mut(&mut self, a: usize, b: usize) -> (&mut [f64], &mut [f64]) {
        assert_ne!(a, b, "two columns");
        let (first, second) = self.values.split_at_mut(a.max(b) * self.rows);
        let low = &mut first[a.min(b) * self.rows..(a.min(b) + 1) * self.rows];
        let high = &mut second[..self.rows];
        if a < b { (low, high) } else { (high, low) }
    }

    /// All entries, column after column.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The transpose.
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |i, j| self.at(j, i))
    }

    /// The product with a matrix on the right.
    ///
    /// # Panics
    ///
    /// If the other has not as many rows as this has columns.
    pub fn times(&self, other: &Self) -> Self {
        assert_eq!(self.columns, other.rows, "rows of the second factor");
        if self.columns == 0 {
            return Self::from_fn(self.rows, other.columns, |_, _| 0.0);
        }
        let product = self.view() * other.view();
        Self::from_fn(self.rows, other.columns, |i, j| product[(i, j)])
    }

    /// The matrix plus the identity.
    pub fn plus_identity(&self) -> Self {
        let mut sum = self.clone();
        for i in 0..self.rows.min(self.columns) {
            sum.column_mut(i)[i] += 1.0;
        }
        sum
    }

    /// Each row times its factor.
    pub fn with_rows_scaled(&self, factors: &[f64]) -> Self {
        Self::from_fn(self.rows, self.columns, |i, j| factors[i] * self.at(i, j))
    }

    /// The product with a vector on the right.
    pub fn apply(&self, vector: &[f64]) -> Vec<f64> {
        let mut found = vec![0.0; self.rows];
        for (column, factor) in vector.iter().enumerate() {
            for (sum, entry) in found.iter_mut().zip(self.column(column)) {
                *sum += factor * entry;
            }
        }
        found
    }

    /// The product of the transpose with a vector.
    pub fn apply_transposed(&self, vector: &[f64]) -> Vec<f64> {
        let columns = (0..self.columns).map(|column| self.column(column));
        columns
            .map(|column| column.iter().zip(vector).map(|(a, b)| a * b).sum())
            .collect()
    }

    /// The sum of the squares of all entries.
    pub fn square(&self) -> f64 {
        self.values.iter().map(|x| x * x).sum()
    }

    /// Whether every entry is finite.
    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|x| x.is_finite())
    }

    pub(super) fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.values, self.rows, self.columns)
    }
}
