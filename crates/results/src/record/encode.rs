//! Tables and reals as JSON, without loss.

use serde_json::{Map, Value, json};

use crate::schema;
use crate::table::{Cell, Kind, Table};

/// A table as `{"name", "rows", "columns": {name: [values] or {"all": value}}}`.
pub(super) fn table(table: &Table) -> Value {
    let columns: Map<String, Value> = table
        .schema
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| (column.name.clone(), column_values(table, index)))
        .collect();
    json!({"name": table.schema.name, "rows": table.len(), "columns": columns})
}

fn column_values(table: &Table, index: usize) -> Value {
    match table.rows.first() {
        Some(first) if table.rows.iter().all(|row| row[index] == first[index]) => {
            json!({"all": cell(&first[index])})
        }
        _ => table.rows.iter().map(|row| cell(&row[index])).collect(),
    }
}

/// The table of an encoded one, under the schema of its name. Columns the schema has gained since
/// are null.
pub(super) fn table_from(value: &Value) -> Result<Table, String> {
    let name = value["name"].as_str().ok_or("a table without a name")?;
    let schema = schema::by_name(name).ok_or_else(|| format!("'{name}' is no table"))?;
    let rows = value["rows"]
        .as_u64()
        .ok_or_else(|| format!("the table '{name}' without a number of rows"))?;
    let rows = usize::try_from(rows).map_err(|e| e.to_string())?;
    let columns = value["columns"]
        .as_object()
        .ok_or_else(|| format!("the table '{name}' without columns"))?;
    if let Some(unknown) = columns.keys().find(|key| schema.index(key).is_none()) {
        return Err(format!("the table '{name}' has no column '{unknown}'"));
    }
    let mut decoded = Table {
        schema,
        rows: Vec::new(),
    };
    let mut values = Vec::new();
    for column in &decoded.schema.columns {
        let cells = column_from(columns.get(&column.name), column.kind, rows)
            .map_err(|e| format!("the column '{}' of the table '{name}' {e}", column.name))?;
        values.push(cells.into_iter());
    }
    decoded.rows = (0..rows)
        .map(|_| {
            values
                .iter_mut()
                .map(|cells| cells.next().unwrap_or(Cell::Null))
                .collect()
        })
        .collect();
    Ok(decoded)
}

/// Rows a damaged count may ask for at most when nothing backs it: a column stored once.
const MOST_ROWS: usize = 1 << 28;

fn column_from(value: Option<&Value>, kind: Kind, rows: usize) -> Result<Vec<Cell>, String> {
    let misfit = |value: &Value| format!("holds {value}, which is not {kind}");
    if rows > MOST_ROWS {
        return Err(format!("is said to have {rows} rows"));
    }
    match value {
        None => Ok(vec![Cell::Null; rows]),
        Some(Value::Array(items)) if items.len() == rows => items
            .iter()
            .map(|item| cell_from(item, kind).ok_or_else(|| misfit(item)))
            .collect(),
        Some(Value::Array(items)) => Err(format!("has {} values for {rows} rows", items.len())),
        Some(Value::Object(object)) => {
            let all = object.get("all").ok_or("has no values")?;
            Ok(vec![cell_from(all, kind).ok_or_else(|| misfit(all))?; rows])
        }
        Some(other) => Err(misfit(other)),
    }
}

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(value) => json!(value),
        Cell::Integer(value) => json!(value),
        Cell::Boolean(value) => json!(value),
        Cell::Real(value) => real(*value),
    }
}

fn cell_from(value: &Value, kind: Kind) -> Option<Cell> {
    match (value, kind) {
        (Value::Null, _) => Some(Cell::Null),
        (value, Kind::Text) => value.as_str().map(Cell::from),
        (value, Kind::Integer) => value.as_i64().map(Cell::from),
        (value, Kind::Boolean) => value.as_bool().map(Cell::from),
        (value, Kind::Real) => real_from(value).map(Cell::from),
    }
}

/// A real as a number, or as a text where JSON has no number for it.
fn real(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else {
        json!(value.to_string())
    }
}

fn real_from(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => value.as_f64(),
    }
}

/// For serde: an optional real in the same form.
pub(super) mod maybe_real {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map_or(Value::Null, super::real).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(None);
        }
        super::real_from(&value)
            .map(Some)
            .ok_or_else(|| de::Error::custom(format!("{value} is no number")))
    }
}
