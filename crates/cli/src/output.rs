//! Data on standard output: tables as aligned text, CSV, JSON or Markdown.

use std::io::Write;

use comfy_table::{CellAlignment, Table as TextTable, TableStyle, presets};
use reslab_results::{Cell, Kind, Table};
use serde_json::{Map, Value};

use crate::arguments::Format;
use crate::message::Failure;

/// Writes text to standard output, with colours where they are wanted.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes one JSON value as a line.
pub fn print_json_line(value: &Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// A table in the form asked for.
pub fn render(table: &Table, format: Format) -> String {
    match format {
        Format::Table => aligned(table, presets::NOTHING),
        Format::Md => aligned(table, presets::ASCII_MARKDOWN),
        Format::Csv => csv(table),
        Format::Json => format!("{:#}\n", json(table)),
    }
}

/// Columns aligned for reading: numbers to the right, rounded; one row a line.
pub fn aligned(table: &Table, style: TableStyle) -> String {
    let mut text = TextTable::new();
    text.load_style(style);
    text.set_header(table.schema.columns.iter().map(|column| &column.name));
    for row in &table.rows {
        text.add_row(row.iter().map(short));
    }
    for (index, column) in table.schema.columns.iter().enumerate() {
        if matches!(column.kind, Kind::Integer | Kind::Real)
            && let Some(column) = text.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut lines = String::new();
    for line in text.lines() {
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// A cell for reading.
pub fn short(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => rounded(*number),
        Cell::Boolean(truth) => truth.to_string(),
        Cell::Null => "–".to_owned(),
    }
}

/// A number with four significant digits, without needless zeros.
pub fn rounded(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let magnitude = number.abs().log10().floor();
    if !(-4.0..6.0).contains(&magnitude) {
        return format!("{number:.3e}");
    }
    // In range by the test above.
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Comma-separated values with a header (RFC 4180), every digit kept.
fn csv(table: &Table) -> String {
    let header = table.schema.columns.iter().map(|c| quoted(&c.name));
    let mut text = header.collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in &table.rows {
        let cells = row.iter().map(|cell| match cell {
            Cell::Null => String::new(),
            Cell::Text(words) => quoted(words),
            Cell::Integer(number) => number.to_string(),
            Cell::Real(number) => number.to_string(),
            Cell::Boolean(truth) => truth.to_string(),
        });
        text.push_str(&cells.collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// An array with one object a row.
pub fn json(table: &Table) -> Value {
    let object = |row: &Vec<Cell>| {
        let names = table.schema.columns.iter().map(|c| c.name.clone());
        Value::Object(names.zip(row.iter().map(json_cell)).collect::<Map<_, _>>())
    };
    Value::Array(table.rows.iter().map(object).collect())
}

/// A cell as JSON; numbers that are not finite have no JSON and become null.
pub fn json_cell(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) => text.as_str().into(),
        Cell::Integer(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        Cell::Boolean(truth) => (*truth).into(),
        Cell::Null => Value::Null,
    }
}

/// A duration for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    // Saturates; nobody waits that long.
    let whole = seconds.round() as u64;
    match whole {
        0..=59 => format!("{whole} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A number of things: `1 run`, `3 runs`.
pub fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        let cases = [
            (0.0, "0"),
            (0.123_456, "0.1235"),
            (12.0, "12"),
            (123_456.0, "123456"),
            (-0.5, "-0.5"),
            (1.0e-7, "1.000e-7"),
            (2.5e9, "2.500e9"),
            (f64::NAN, "NaN"),
        ];
        for (number, text) in cases {
            assert_eq!(rounded(number), text);
        }
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (0.42, "0.4 s"),
            (12.4, "12 s"),
            (59.9, "1 min 0 s"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\""), "\"say \"\"no\"\"\"");
    }
}
