//! A run's identity: the hash of its resolved settings.
//!
//! The settings are written as canonical JSON (keys sorted, no space, numbers in one spelling) and
//! hashed with the version of the format; nothing else enters: no path, time, host or thread
//! count. Raise [`FORMAT`] when equal settings no longer mean equal results.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::error::ResultsError;
use crate::table::shortest;

/// Version of what a run's settings mean and of what its record holds.
pub const FORMAT: u32 = 1;

/// First 16 hexadecimal digits of the hash of a run's settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// The identity of a run with these resolved settings.
    pub fn of<T: Serialize + ?Sized>(settings: &T) -> Result<RunId, ResultsError> {
        let value =
            serde_json::to_value(settings).map_err(|e| ResultsError::Settings(e.to_string()))?;
        let text = format!("reslab run {FORMAT}\n{}", canonical(&value));
        let digest = Sha256::digest(text.as_bytes());
        Ok(RunId(
            digest
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        ))
    }

    /// The id of this spelling: 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<RunId> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == 16 && text.chars().all(hex)).then(|| RunId(text.into()))
    }

    /// The 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = String;

    fn try_from(text: String) -> Result<RunId, String> {
        RunId::parse(&text).ok_or_else(|| format!("'{text}' is no run id (16 hexadecimal digits)"))
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0
    }
}

/// JSON in its one canonical spelling: keys sorted by bytes, no space, whole numbers without a
/// fraction (1.0 and 1 are one), other numbers in the shortest form that reads back.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

/// The same value with the keys of every object sorted.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(
                entries
                    .into_iter()
                    .map(|(k, v)| (k.clone(), sorted(v)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, value) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(value, text);
            }
            text.push(']');
        }
        Value::Number(number) => text.push_str(&canonical_number(number)),
        other => text.push_str(&other.to_string()),
    }
}

fn canonical_number(number: &Number) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    match number.as_f64() {
        Some(real) if number.is_f64() => {
            if real.fract() == 0.0 && real.abs() < EXACT {
                format!("{}", real as i64)
            } else {
                shortest(real)
            }
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn id(value: &Value) -> RunId {
        RunId::of(value).expect("settings")
    }

    #[test]
    fn the_spelling_is_canonical() {
        let value = json!({"b": [1.0, 0.1, 1e-7, -0.0, 1e300], "a": {"z": null, "y": "é\"\n"}});
        assert_eq!(
            canonical(&value),
            r#"{"a":{"y":"é\"\n","z":null},"b":[1,0.1,1e-7,0,1e300]}"#
        );
    }

    #[test]
    fn key_order_and_spelling_of_numbers_do_not_matter() {
        let a = json!({"train": {"lr": 1.0, "epochs": 3}, "seed": 0});
        let b: Value =
            serde_json::from_str(r#"{"seed":0,"train":{"epochs":3,"lr":1}}"#).expect("JSON");
        assert_eq!(id(&a), id(&b));
        assert_eq!(
            sorted(&a).to_string(),
            r#"{"seed":0,"train":{"epochs":3,"lr":1.0}}"#
        );
    }

    #[test]
    fn values_names_and_places_do_matter() {
        let ids = [
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"b": 1}),
            json!({"a": "1"}),
            json!({"a": [1]}),
            json!({"a": {"a": 1}}),
            json!({"a": null}),
            json!({"a": true}),
            json!({"a": 0.1}),
            json!({"a": 0.1f32}),
        ]
        .map(|value| id(&value));
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    /// Pinned: a change here orphans every stored run, and needs a new [`FORMAT`].
    #[test]
    fn the_hash_is_the_same_for_ever() {
        let text = "reslab run 1\n{\"lr\":0.1,\"seed\":7}";
        let expected: String = Sha256::digest(text.as_bytes())
            .iter()
            .take(8)
            .map(|b| format!("{b:02x}"))
            .collect();
        let found = id(&json!({"seed": 7, "lr": 0.1}));
        assert_eq!(found.as_str(), expected);
        assert_eq!(found.as_str(), "c88dbf27c1f673b7");
    }

    #[test]
    fn only_sixteen_hexadecimal_digits_are_an_id() {
        assert!(RunId::parse("0123456789abcdef").is_some());
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeg",
            "0123456789ABCDEF",
            "../../etc/passwd",
        ] {
            assert!(RunId::parse(wrong).is_none(), "{wrong}");
            assert!(serde_json::from_value::<RunId>(json!(wrong)).is_err());
        }
    }

    proptest! {
        #[test]
        fn reals_are_spelt_so_that_they_read_back(bits in any::<u64>()) {
            let real = f64::from_bits(bits);
            prop_assume!(real.is_finite());
            let back: f64 = canonical(&json!(real)).parse().expect("a number");
            prop_assert_eq!(back, real);
        }
    }
}
