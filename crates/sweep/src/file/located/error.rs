//! The error of the located deserialiser: serde's complaints, in a user's words.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use crate::file::node::{Location, Mistake};

/// A mistake that may not know its place yet.
#[derive(Debug)]
pub struct LocatedError {
    pub(super) at: Option<Location>,
    pub(super) message: String,
    pub(super) found: String,
    pub(super) accepted: Vec<String>,
}

impl LocatedError {
    pub(super) fn into_mistake(self, fallback: Location) -> Mistake {
        Mistake::new(self.at.unwrap_or(fallback), self.message).accept(&self.found, self.accepted)
    }

    pub(super) fn or_at(mut self, at: Location) -> Self {
        self.at.get_or_insert(at);
        self
    }

    pub(super) fn words(message: String, found: &str, accepted: &[&str]) -> Self {
        let accepted = accepted.iter().map(|word| (*word).to_owned()).collect();
        Self {
            at: None,
            message,
            found: found.to_owned(),
            accepted,
        }
    }
}

impl Display for LocatedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LocatedError {}

impl de::Error for LocatedError {
    fn custom<T: Display>(message: T) -> Self {
        Self::words(message.to_string(), "", &[])
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::words(format!("unknown key `{field}`"), field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::words(format!("unknown value `{variant}`"), variant, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("the key `{field}` is missing"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::custom(format!("expected {expected}, found {length} items"))
    }

    fn invalid_type(found: Unexpected, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(text) => format!("`{text}`"),
            Unexpected::Map => "a mapping".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("`{value}`"),
            Unexpected::Signed(value) => format!("`{value}`"),
            Unexpected::Float(value) => format!("`{value}`"),
            other => other.to_string(),
        };
        Self::custom(format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}
