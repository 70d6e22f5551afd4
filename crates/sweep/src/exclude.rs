//! `exclude`: which runs are left out.

use serde_json::Value as Json;

use crate::expand::{Assignment, Exclusion};
use crate::file::{Key, Mistake, Node, Path, Value, scalar};
use crate::resolve::RunConfig;

/// The exclusions that a run falls under. Settings are compared as written, and where nothing
/// is written, as resolved.
pub fn matches(
    assignment: &Assignment<'_>,
    tree: &Node,
    config: &RunConfig,
) -> Result<Vec<*const Exclusion>, Mistake> {
    let resolved = serde_json::to_value(config).unwrap_or(Json::Null);
    let mut hits = Vec::new();
    for &exclusion in &assignment.exclusions {
        let mut all = true;
        for (path, wanted) in &exclusion.values {
            let equal = match tree.at_path(&path.keys) {
                Some(found) => same(found, wanted),
                None => same_as_json(&resolved, path, wanted)?,
            };
            all &= equal;
        }
        if all {
            hits.push(std::ptr::from_ref(exclusion));
        }
    }
    Ok(hits)
}

fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar { text: a, .. }, Value::Scalar { text: b, .. }) => same_text(a, b),
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(a), Value::Mapping(b)) => {
            let found = |(key, value): &(Key, Node)| {
                b.iter().any(|(k, v)| k.text == key.text && same(value, v))
            };
            a.len() == b.len() && a.iter().all(found)
        }
        _ => a.is_null() && b.is_null(),
    }
}

fn same_text(a: &str, b: &str) -> bool {
    match (scalar::number(a), scalar::number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Compares with a resolved setting. Also finds misspelt paths: every setting is resolved.
fn same_as_json(resolved: &Json, path: &Path, wanted: &Node) -> Result<bool, Mistake> {
    let mut json = resolved;
    let mut place = "the settings of a run".to_owned();
    for key in &path.keys {
        let Some(object) = json.as_object() else {
            return Ok(false);
        };
        let Some(below) = object.get(&key.text) else {
            // The one setting that resolving takes away.
            if path.to_string() == "model.name" {
                return Ok(false);
            }
            let mistake = Mistake::new(key.at, format!("unknown key `{}` in {place}", key.text));
            return Err(mistake.accept(&key.text, object.keys().cloned()));
        };
        place = format!("`{}`", key.text);
        json = below;
    }
    Ok(match json {
        Json::Null => wanted.is_null(),
        Json::String(text) => wanted.text().is_some_and(|wanted| wanted == text),
        Json::Bool(_) | Json::Number(_) => wanted
            .text()
            .is_some_and(|wanted| same_text(wanted, &json.to_string())),
        Json::Array(_) | Json::Object(_) => false,
    })
}
