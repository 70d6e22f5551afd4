//! `reslab models` and `reslab describe`: which networks there are, and what each consists of.

use reslab_nn::families::{self, EXAMPLES, ModelSettings, WrittenModel};
use reslab_nn::network::census::{Census, census};
use reslab_nn::network::{Network, Shape};
use reslab_results::summary::{Format, render};
use reslab_results::{Cell, ColumnSpec, Kind, Schema, Table};
use serde_json::{Value, json};

use crate::arguments::{DescribeArguments, InputSize, ModelsArguments};
use crate::message::{Ending, Failure};
use crate::output;

/// Lists well-known networks, each on its family's usual data.
pub fn models(arguments: &ModelsArguments) -> Result<Ending, Failure> {
    let columns = ["name", "family", "input", "parameters", "multiply_adds"];
    let mut table = text_table("models", &columns);
    for name in EXAMPLES {
        let written = WrittenModel {
            name: Some(name.to_owned()),
            ..WrittenModel::default()
        };
        let settings = resolve(&written)?;
        let network = build(&written, None, None)?;
        let found = count(&network)?;
        if arguments.json {
            output::print_json_line(&json!({
                "name": name,
                "family": settings.family,
                "input": sides(network.input),
                "classes": network.outputs,
                "parameters": found.parameters,
                "multiply_adds": found.multiply_adds,
                "model": settings,
            }))?;
            continue;
        }
        table.rows.push(texts([
            name.to_owned(),
            settings.family.name().to_owned(),
            network.input.to_string(),
            grouped(found.parameters as u64),
            grouped(found.multiply_adds),
        ]));
    }
    if !arguments.json {
        let text = render(&table, Format::Table);
        let accepted = families::names().split(';').next().unwrap_or_default();
        output::print(&format!("{text}\nAccepted are {accepted}.\n"))?;
    }
    Ok(Ending::Well)
}

/// Shows one network layer by layer.
pub fn describe(arguments: &DescribeArguments) -> Result<Ending, Failure> {
    let written = written(&arguments.model, &arguments.set)?;
    let settings = resolve(&written)?;
    let network = build(&written, arguments.input, arguments.classes)?;
    let found = count(&network)?;
    if arguments.json {
        output::print_json_line(&json!({
            "name": network.name,
            "model": settings,
            "input": sides(network.input),
            "classes": network.outputs,
            "blocks": network.blocks.len(),
            "parameters": found.parameters,
            "multiply_adds": found.multiply_adds,
            "layers": found.rows,
        }))?;
        return Ok(Ending::Well);
    }
    let columns = ["layer", "kind", "output", "parameters", "multiply_adds"];
    let mut table = text_table("layers", &columns);
    table.rows.extend(found.rows.iter().map(|row| {
        texts([
            row.name.clone(),
            row.kind.clone(),
            row.output.to_string(),
            some(row.parameters as u64),
            some(row.multiply_adds),
        ])
    }));
    output::print(&format!(
        "{}\n{} on {}: {}, {} parameters, {} multiply-adds (convolutions and linear layers, one \
         image forward)\n",
        render(&table, Format::Table),
        network.name,
        network.input,
        output::count(network.blocks.len(), "block"),
        grouped(found.parameters as u64),
        grouped(found.multiply_adds),
    ))?;
    Ok(Ending::Well)
}

/// A network on inputs of a size and a number of classes, or on its family's usual data.
pub fn build(
    written: &WrittenModel,
    input: Option<InputSize>,
    classes: Option<usize>,
) -> Result<Network, Failure> {
    let settings = resolve(written)?;
    let (usual, usual_classes) = settings.family.usual_data();
    let input = input.map_or(usual, |size| {
        Shape::new(size.channels, size.height, size.width)
    });
    families::build(&settings, input, classes.unwrap_or(usual_classes))
        .map_err(|error| Failure::from_error(&error))
}

fn resolve(written: &WrittenModel) -> Result<ModelSettings, Failure> {
    written
        .resolve()
        .map_err(|error| Failure::from_error(&error))
}

/// A name with settings changed; values are written as in JSON, words without quotes.
fn written(model: &str, changes: &[String]) -> Result<WrittenModel, Failure> {
    let mut settings = serde_json::Map::new();
    settings.insert("name".to_owned(), json!(model));
    for change in changes {
        let Some((key, value)) = change.split_once('=') else {
            let text = format!("`--set {change}` has no `=`: write KEY=VALUE, such as shortcut=C.");
            return Err(Failure::Input(text));
        };
        let key = key.strip_prefix("model.").unwrap_or(key);
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        settings.insert(key.to_owned(), value);
    }
    serde_json::from_value(Value::Object(settings))
        .map_err(|error| Failure::Input(format!("`--set`: {error}")))
}

fn count(network: &Network) -> Result<Census, Failure> {
    census(network).map_err(|error| Failure::from_error(&error))
}

pub fn sides(shape: Shape) -> [usize; 3] {
    [shape.channels, shape.height, shape.width]
}

fn text_table(name: &str, columns: &[&str]) -> Table {
    let columns = columns
        .iter()
        .map(|name| ColumnSpec::new(name, Kind::Text, "", ""));
    Table::new(Schema::new(name, columns.collect()))
}

fn texts<const N: usize>(texts: [String; N]) -> Vec<Cell> {
    texts.map(Cell::Text).to_vec()
}

/// Nothing for 0.
fn some(number: u64) -> String {
    match number {
        0 => String::new(),
        number => grouped(number),
    }
}

/// `1,727,962`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_727_962, "1,727,962"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn settings_are_changed_as_in_a_file() {
        let changes = ["shortcut=C", "model.width=8", "residual=true"].map(str::to_owned);
        let settings = written("resnet20", &changes).ok().map(|w| w.resolve());
        let Some(Ok(settings)) = settings else {
            panic!("the settings are legal")
        };
        assert_eq!((settings.width, settings.depth), (8, 20));
        assert!(written("resnet20", &["width".to_owned()]).is_err());
        assert!(written("resnet20", &["widht=8".to_owned()]).is_err());
    }
}
