//! A table as text: CSV and JSON in full precision, Markdown and plain columns for reading.

use serde_json::{Map, Value, json};

use crate::table::{Cell, Kind, Table};

/// The forms a table can be printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for a terminal, four significant digits.
    Table,
    /// RFC 4180 with a header line; null is empty.
    Csv,
    /// A list of objects, one a row; NaN and infinities as texts.
    Json,
    /// A GitHub table, four significant digits.
    Markdown,
}

/// The table as text, with a line break at the end.
pub fn render(table: &Table, format: Format) -> String {
    match format {
        Format::Table => plain(table),
        Format::Csv => csv(table),
        Format::Json => json_rows(table),
        Format::Markdown => markdown(table),
    }
}

fn csv(table: &Table) -> String {
    let field = |text: String| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let line =
        |fields: Vec<String>| fields.into_iter().map(field).collect::<Vec<_>>().join(",") + "\n";
    let header = line(
        table
            .schema
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect(),
    );
    let rows = table
        .rows
        .iter()
        .map(|row| line(row.iter().map(Cell::to_string).collect()));
    header + &rows.collect::<String>()
}

fn json_rows(table: &Table) -> String {
    let object = |row: &Vec<Cell>| {
        let names = table
            .schema
            .columns
            .iter()
            .map(|column| column.name.clone());
        Value::Object(names.zip(row.iter().map(json_value)).collect::<Map<_, _>>())
    };
    let rows: Vec<String> = table
        .rows
        .iter()
        .map(|row| format!("  {}", object(row)))
        .collect();
    if rows.is_empty() {
        "[]\n".into()
    } else {
        format!("[\n{}\n]\n", rows.join(",\n"))
    }
}

fn json_value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(value) => json!(value),
        Cell::Integer(value) => json!(value),
        Cell::Boolean(value) => json!(value),
        Cell::Real(value) if value.is_finite() => json!(value),
        Cell::Real(value) => json!(value.to_string()),
    }
}

fn markdown(table: &Table) -> String {
    let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
    let columns = &table.schema.columns;
    let mut text = line(columns.iter().map(|column| escape(&column.name)).collect());
    let rule = |kind| if is_number(kind) { "---:" } else { "---" };
    text += &line(
        columns
            .iter()
            .map(|column| rule(column.kind).to_string())
            .collect(),
    );
    for row in &table.rows {
        text += &line(row.iter().map(|cell| escape(&short(cell))).collect());
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn plain(table: &Table) -> String {
    let columns = &table.schema.columns;
    let header = columns
        .iter()
        .map(|column| column.name.clone())
        .collect::<Vec<_>>();
    let cells = table.rows.iter().map(|row| row.iter().map(short).collect());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(cells).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in &lines {
        let fields = line
            .iter()
            .zip(&widths)
            .zip(columns)
            .map(|((field, &width), column)| {
                if is_number(column.kind) {
                    format!("{field:>width$}")
                } else {
                    format!("{field:<width$}")
                }
            });
        text += fields.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Integer | Kind::Real)
}

/// A cell for reading: reals with four significant digits.
pub fn short(cell: &Cell) -> String {
    match cell {
        Cell::Real(value) => four_digits(*value),
        other => other.to_string(),
    }
}

fn four_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    // Rounded first, so that 0.99996 is one digit longer before the point, not after.
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if !(1e-4..1e6).contains(&size) {
        return format!("{rounded:.3e}");
    }
    let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{rounded:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}
