//! From a resolved configuration to columns of `runs`: dotted paths, kinds, one row a run.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::runs_fixed;
use crate::table::{Cell, ColumnSpec, Kind};

/// The settings of several runs as columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// One column a setting that any run has, sorted by path.
    pub columns: Vec<ColumnSpec>,
    /// One row a run, null where a run does not have the setting.
    pub rows: Vec<Vec<Cell>>,
}

/// The leaves of a configuration as (dotted path, value), sorted by path.
///
/// Lists are leaves, written as JSON text; an empty table has no leaf.
pub fn flatten(config: &Value) -> BTreeMap<String, Cell> {
    let mut leaves = BTreeMap::new();
    descend(config, String::new(), &mut leaves);
    leaves
}

fn descend(value: &Value, path: String, leaves: &mut BTreeMap<String, Cell>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                descend(value, below, leaves);
            }
        }
        leaf => {
            leaves.insert(path, cell(leaf));
        }
    }
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Boolean(*value),
        Value::String(value) => Cell::Text(value.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(real)) => Cell::Real(real),
            (None, None) => Cell::Text(number.to_string()),
        },
        Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    }
}

impl Settings {
    /// The columns and rows of these configurations. Columns and kinds depend on the set of
    /// configurations only, not on their order.
    pub fn of<'a>(configs: impl IntoIterator<Item = &'a Value>) -> Settings {
        let runs: Vec<BTreeMap<String, Cell>> = configs.into_iter().map(flatten).collect();
        let mut kinds: BTreeMap<&str, Option<Kind>> = BTreeMap::new();
        for (path, cell) in runs.iter().flatten() {
            let kind = kinds.entry(path).or_insert(None);
            *kind = common_kind(*kind, cell.kind());
        }
        let mut taken: HashSet<String> = runs_fixed().columns.into_iter().map(|c| c.name).collect();
        let columns: Vec<ColumnSpec> = kinds
            .iter()
            .map(|(path, kind)| ColumnSpec {
                name: column_name(path, &mut taken),
                kind: kind.unwrap_or(Kind::Text),
                unit: String::new(),
                meaning: format!("Setting `{path}` of the experiment file."),
            })
            .collect();
        let rows = runs
            .iter()
            .map(|run| {
                kinds
                    .keys()
                    .zip(&columns)
                    .map(|(path, column)| convert(run.get(*path), column.kind))
                    .collect()
            })
            .collect();
        Settings { columns, rows }
    }
}

/// Dots become `_`; a name that is taken already gets a `_` more.
fn column_name(path: &str, taken: &mut HashSet<String>) -> String {
    let mut name = path.replace(['.', '-'], "_");
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}

/// The narrowest kind that holds both; integers widen to reals, anything else to text.
fn common_kind(left: Option<Kind>, right: Option<Kind>) -> Option<Kind> {
    match (left, right) {
        (None, kind) | (kind, None) => kind,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(Kind::Integer), Some(Kind::Real)) | (Some(Kind::Real), Some(Kind::Integer)) => {
            Some(Kind::Real)
        }
        _ => Some(Kind::Text),
    }
}

fn convert(cell: Option<&Cell>, kind: Kind) -> Cell {
    match cell {
        None => Cell::Null,
        Some(cell) => cell
            .clone()
            .fit(kind)
            .unwrap_or_else(|other| Cell::Text(other.to_string())),
    }
}
