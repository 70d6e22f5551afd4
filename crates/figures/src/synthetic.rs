//! Tables for tests, with shapes like those of real experiments.

use std::collections::BTreeMap;

use reslab_results::schema::{epochs, layers, runs};
use reslab_results::{Cell, ColumnSpec, Kind, Table};

use crate::tables::Tables;

/// The settings of one run as columns.
#[derive(Clone, Debug)]
pub struct Settings(Vec<(String, Cell)>);

/// Depth, kind and seed.
pub fn settings(depth: i64, residual: bool, seed: i64) -> Settings {
    Settings(vec![
        ("model_depth".into(), depth.into()),
        ("model_residual".into(), residual.into()),
        ("seed".into(), seed.into()),
    ])
}

impl Settings {
    /// The same with one setting more.
    pub fn with(mut self, name: &str, value: impl Into<Cell>) -> Settings {
        self.0.push((name.into(), value.into()));
        self
    }
}

/// Tables in the making.
#[derive(Default)]
pub struct Synthetic {
    runs: Vec<(Settings, String, f64, f64)>,
    epochs: Vec<[Cell; 4]>,
    layers: Vec<[Cell; 4]>,
}

impl Synthetic {
    /// A run with its final errors (NaN: none); its `run_id` is `rN`.
    pub fn run(&mut self, settings: Settings, status: &str, train: f64, test: f64) -> String {
        let id = format!("r{}", self.runs.len());
        self.runs.push((settings, status.into(), train, test));
        id
    }

    /// A row of `epochs`; NaN errors are null.
    pub fn epoch(&mut self, id: &str, epoch: i64, train: f64, test: f64) {
        let row = [id.into(), epoch.into(), error(train), error(test)];
        self.epochs.push(row);
    }

    /// A row of `layers` of the kind `layer`.
    pub fn layer(&mut self, id: &str, epoch: i64, name: &str, std: f64) {
        let row = [id.into(), epoch.into(), name.into(), std.into()];
        self.layers.push(row);
    }

    /// The tables so far; `epochs` and `layers` only if they have rows.
    pub fn tables(&self) -> Tables {
        let mut columns: Vec<ColumnSpec> = Vec::new();
        for (name, cell) in self.runs.iter().flat_map(|(settings, ..)| &settings.0) {
            let known = runs(&[]).index(name).is_some();
            if !known && columns.iter().all(|column| column.name != *name) {
                let kind = cell.kind().unwrap_or(Kind::Text);
                columns.push(ColumnSpec::new(name, kind, "", "A setting."));
            }
        }
        let mut table = Table::new(runs(&columns));
        for (number, (settings, status, train, test)) in self.runs.iter().enumerate() {
            let mut row = vec![Cell::Null; table.schema.columns.len()];
            let mut set = |name: &str, cell: Cell| row[table.schema.index(name).unwrap()] = cell;
            set("run_id", format!("r{number}").into());
            set("status", status.as_str().into());
            set("final_train_error", error(*train));
            set("final_test_error", error(*test));
            for (name, cell) in &settings.0 {
                set(name, cell.clone());
            }
            table.push(row).unwrap();
        }
        Tables {
            instruments: BTreeMap::new(),
            runs: table,
            epochs: rows(
                Table::new(epochs()),
                &self.epochs,
                ["run_id", "epoch", "train_error", "test_error"],
            ),
            layers: rows(
                Table::new(layers()),
                &self.layers,
                ["run_id", "epoch", "name", "response_std"],
            ),
        }
    }
}

fn error(value: f64) -> Cell {
    Some(value).filter(|v| !v.is_nan()).into()
}

fn rows(mut table: Table, rows: &[[Cell; 4]], columns: [&str; 4]) -> Option<Table> {
    for row in rows {
        let mut cells = vec![Cell::Null; table.schema.columns.len()];
        for (name, cell) in columns.iter().zip(row) {
            cells[table.index(name).unwrap()] = cell.clone();
        }
        if let Some(kind) = table.schema.index("kind") {
            cells[kind] = "layer".into();
        }
        table.push(cells).unwrap();
    }
    (!table.is_empty()).then_some(table)
}
