//! A resolved configuration as a flat list of settings, to compare runs key by key.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// Dotted path → value as written in JSON.
pub fn flatten(config: &Json) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    descend("", config, &mut found);
    found
}

fn descend(path: &str, json: &Json, found: &mut BTreeMap<String, String>) {
    let Json::Object(entries) = json else {
        let text = json
            .as_str()
            .map_or_else(|| json.to_string(), str::to_owned);
        found.insert(path.to_owned(), text);
        return;
    };
    for (key, value) in entries {
        let below = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        descend(&below, value, found);
    }
}

/// A setting in which two configurations differ; `None` where one does not have it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Dotted path.
    pub setting: String,
    /// Value here.
    pub here: Option<String>,
    /// Value there.
    pub there: Option<String>,
}

/// The settings in which two configurations differ, sorted by path.
pub fn differences(here: &Json, there: &Json) -> Vec<Difference> {
    let (here, there) = (flatten(here), flatten(there));
    let mut paths: Vec<&String> = here.keys().chain(there.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| here.get(*path) != there.get(*path))
        .map(|path| Difference {
            setting: path.clone(),
            here: here.get(path).cloned(),
            there: there.get(path).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_listed() {
        let here = json!({"train": {"lr": 0.1, "epochs": 3}, "seed": 0});
        let there = json!({"train": {"lr": 0.2, "epochs": 3, "clip_norm": 1.0}, "seed": 0});
        let found = differences(&here, &there);
        let text = |t: &str| Some(t.to_owned());
        assert_eq!(
            found,
            [
                Difference {
                    setting: "train.clip_norm".into(),
                    here: None,
                    there: text("1.0")
                },
                Difference {
                    setting: "train.lr".into(),
                    here: text("0.1"),
                    there: text("0.2")
                },
            ]
        );
        assert_eq!(differences(&here, &here), []);
    }
}
