//! The tables of keys in `docs/experiment-file.md`, printed from the schema so that they list
//! what is really read, with the real defaults.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

/// One Markdown table for each section of settings and each mapping inside one.
pub fn key_tables() -> String {
    let schema = crate::schema();
    let mut text = String::new();
    for section in crate::file::written::SECTIONS {
        let node = &schema["properties"][section]["allOf"][0];
        table(&mut text, section, settings(node), &schema);
    }
    text
}

/// The mapping form of a section that may also be one word.
fn settings(node: &Json) -> &Json {
    node["anyOf"]
        .as_array()
        .and_then(|forms| forms.last())
        .unwrap_or(node)
}

fn table(text: &mut String, path: &str, node: &Json, schema: &Json) {
    let node = resolve(node, schema);
    let empty = Map::new();
    let properties = node["properties"].as_object().unwrap_or(&empty);
    let _ = writeln!(
        text,
        "### `{path}`\n\n| key | default | accepts | meaning |"
    );
    let _ = writeln!(text, "|-----|---------|---------|---------|");
    let mut inner = Vec::new();
    for (key, property) in properties {
        let target = resolve(property, schema);
        let default = property.get("default").map_or_else(String::new, default);
        let meaning = words(property)
            .or_else(|| words(target))
            .unwrap_or_default();
        let below = format!("{path}.{key}");
        let accepts = if target["properties"].is_object() {
            inner.push((below.clone(), target));
            format!("a mapping, see `{below}`")
        } else {
            accepts(target, schema)
        };
        let _ = writeln!(text, "| `{key}` | {default} | {accepts} | {meaning} |");
    }
    text.push('\n');
    for (path, node) in inner {
        table(text, &path, node, schema);
    }
}

/// Follows references, single `allOf`s and optional values to what is really described.
fn resolve<'s>(node: &'s Json, schema: &'s Json) -> &'s Json {
    if let Some(name) = node["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        return resolve(&schema["definitions"][name], schema);
    }
    if let Some([only]) = node["allOf"].as_array().map(Vec::as_slice) {
        return resolve(only, schema);
    }
    let forms = node["anyOf"].as_array().map(Vec::as_slice);
    if let Some([form, null]) = forms
        && null["type"] == "null"
    {
        return resolve(form, schema);
    }
    node
}

/// Nothing for mappings, which have a table of their own.
fn default(value: &Json) -> String {
    match value {
        Json::Object(_) => String::new(),
        Json::Null => "absent".to_owned(),
        Json::String(word) => format!("`{word}`"),
        other => format!("`{other}`"),
    }
}

fn accepts(node: &Json, schema: &Json) -> String {
    let choices = node["oneOf"]
        .as_array()
        .or_else(|| node["anyOf"].as_array());
    if let Some(choices) = choices {
        let all: Vec<String> = choices
            .iter()
            .map(|choice| accepts(choice, schema))
            .collect();
        return all.join(", ");
    }
    if let Some(word) = node["const"].as_str() {
        return format!("`{word}`");
    }
    if let Some(words) = node["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .filter_map(Json::as_str)
            .map(|word| format!("`{word}`"))
            .collect();
        return words.join(", ");
    }
    let resolved = resolve(node, schema);
    if let Some(properties) = resolved["properties"].as_object() {
        let keys: Vec<String> = properties.keys().map(|key| format!("`{key}`")).collect();
        return format!("a mapping of {}", keys.join(", "));
    }
    let kind = match &node["type"] {
        Json::Array(kinds) => kinds.first().and_then(Json::as_str).unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    let kind = match kind {
        "integer" => "whole number",
        "string" => "text",
        "array" => "list",
        "boolean" => "`true`, `false`",
        other => other,
    };
    kind.to_owned()
}

/// The description on one line.
fn words(node: &Json) -> Option<String> {
    let text = node["description"].as_str()?;
    Some(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('|', "\\|"),
    )
}
