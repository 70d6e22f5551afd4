//! Human names of runs: only what varies.

use std::collections::HashMap;

use crate::file::{Node, Path, Value, scalar};

/// The settings of one run that a sweep assigned, flattened to leaves.
pub type Leaves = Vec<(String, String)>;

/// The assigned values as (path, text); a mapping gives one leaf a key.
pub fn leaves(values: &[(Path, Node)]) -> Leaves {
    let mut found = Vec::new();
    for (path, node) in values {
        descend(&path.to_string(), node, &mut found);
    }
    found
}

fn descend(path: &str, node: &Node, found: &mut Leaves) {
    match &node.value {
        Value::Scalar { text, .. } => found.push((path.to_owned(), word(text))),
        Value::Sequence(items) => {
            let texts: Vec<String> = items
                .iter()
                .map(|item| word(item.text().unwrap_or("…")))
                .collect();
            found.push((path.to_owned(), texts.join("+")));
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                descend(&format!("{path}.{}", key.text), value, found);
            }
        }
    }
}

/// A value that can stand in a name: `1e-1` and `0.1` are the same one, blanks and commas go.
fn word(text: &str) -> String {
    match scalar::number(text) {
        Some(number) => number.to_string(),
        None => text.replace([',', ' ', '=', '/', '\n'], "-"),
    }
}

/// One name a run, all different. `leaves` are those of the runs in plan order, `ids` tell apart
/// what would be equal.
pub fn names(runs: &[(Leaves, u64)], ids: &[String]) -> Vec<String> {
    let labels = labels(runs);
    let seeds_vary = runs.iter().any(|(_, seed)| *seed != runs[0].1);
    let mut names: Vec<String> = runs
        .iter()
        .map(|(leaves, seed)| {
            let mut parts: Vec<String> = leaves
                .iter()
                .filter_map(|(path, value)| Some(format!("{}={value}", labels.get(path)?)))
                .collect();
            if seeds_vary || parts.is_empty() {
                parts.push(format!("seed={seed}"));
            }
            parts.join(",")
        })
        .collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for name in &names {
        *uses.entry(name.clone()).or_default() += 1;
    }
    for (name, id) in names.iter_mut().zip(ids) {
        if uses.get(name).is_some_and(|&n| n > 1) {
            *name = format!("{name},id={}", id.get(..8).unwrap_or(id));
        }
    }
    names
}

/// The short word for each path that varies: its last part, or all of it where that would be
/// ambiguous.
fn labels(runs: &[(Leaves, u64)]) -> HashMap<String, String> {
    let mut values: HashMap<&str, (usize, &str, bool)> = HashMap::new();
    for (path, value) in runs.iter().flat_map(|(leaves, _)| leaves) {
        let entry = values.entry(path).or_insert((0, value, false));
        entry.0 += 1;
        entry.2 |= entry.1 != value;
    }
    let varying: Vec<&str> = values
        .iter()
        .filter(|(_, (count, _, differs))| *differs || *count < runs.len())
        .map(|(path, _)| *path)
        .collect();
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    varying
        .iter()
        .map(|path| {
            let short = last(path);
            let clash = short == "seed" || varying.iter().any(|p| p != path && last(p) == short);
            (
                path.to_string(),
                if clash { path.to_string() } else { short },
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(pairs: &[(&str, &str)]) -> Leaves {
        pairs
            .iter()
            .map(|(p, v)| (p.to_string(), v.to_string()))
            .collect()
    }

    #[test]
    fn only_what_varies_is_named() {
        let runs = [
            (leaf(&[("model.depth", "8"), ("train.lr", "0.1")]), 0),
            (leaf(&[("model.depth", "20"), ("train.lr", "0.1")]), 0),
        ];
        let ids = ["a".repeat(16), "b".repeat(16)];
        assert_eq!(names(&runs, &ids), ["depth=8", "depth=20"]);
    }

    #[test]
    fn ambiguous_words_are_told_in_full_and_equal_names_apart() {
        let runs = [
            (leaf(&[("model.name", "a"), ("data.name", "x")]), 0),
            (leaf(&[("model.name", "b"), ("data.name", "y")]), 1),
        ];
        let ids = ["a".repeat(16), "b".repeat(16)];
        assert_eq!(
            names(&runs, &ids),
            [
                "model.name=a,data.name=x,seed=0",
                "model.name=b,data.name=y,seed=1"
            ]
        );
        let same = [(leaf(&[]), 3), (leaf(&[]), 3)];
        assert_eq!(
            names(&same, &ids),
            ["seed=3,id=aaaaaaaa", "seed=3,id=bbbbbbbb"]
        );
    }
}
