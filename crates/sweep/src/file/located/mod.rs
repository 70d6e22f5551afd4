//! A serde deserialiser over the located tree: any settings struct reads from it, and what is
//! wrong is told at the key or value at fault.
//!
//! Numbers, truth values and words are decided here by what the struct wants, so a number may be
//! spelt in any usual way and a word needs no quotes. A misspelt key or variant gets the list of
//! accepted ones and the nearest.

mod access;
mod error;

use serde::de::{self, Deserializer, Visitor};

use super::node::{Mistake, Node, Value};
use super::scalar;
use access::{Choice, Entries, Items};
pub use error::LocatedError;

/// Reads a `T`; `what` names it in messages, such as `train`.
pub fn from_node<T: de::DeserializeOwned>(node: &Node, what: &str) -> Result<T, Mistake> {
    T::deserialize(Located { node, what }).map_err(|error| error.into_mistake(node.at))
}

#[derive(Clone, Copy)]
struct Located<'n> {
    node: &'n Node,
    what: &'n str,
}

impl<'n> Located<'n> {
    fn fail<T>(&self, wanted: &str) -> Result<T, LocatedError> {
        let mistake = self.node.unexpected(wanted);
        Err(LocatedError {
            at: Some(mistake.at),
            message: format!("`{}`: {}", self.what, mistake.message),
            found: String::new(),
            accepted: Vec::new(),
        })
    }

    /// A scalar read by `read`; quoted text is text and nothing else.
    fn scalar<T>(&self, wanted: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, LocatedError> {
        match &self.node.value {
            Value::Scalar { text, plain: true } => read(text).map_or_else(|| self.fail(wanted), Ok),
            _ => self.fail(wanted),
        }
    }

    fn integer(&self, least: i128, most: i128) -> Result<i128, LocatedError> {
        let value = self.scalar("a whole number", scalar::integer)?;
        if value < least && least == 0 {
            return self.fail("a whole number, 0 or more");
        }
        if value < least || value > most {
            return self.fail(&format!("a whole number from {least} to {most}"));
        }
        Ok(value)
    }

    fn mapping<V: Visitor<'n>>(&self, visitor: V) -> Result<V::Value, LocatedError> {
        let entries = match &self.node.value {
            Value::Mapping(entries) => entries.as_slice(),
            _ if self.node.is_null() => &[],
            _ => return self.fail("a mapping of settings"),
        };
        let access = Entries {
            entries: entries.iter(),
            value: None,
        };
        visitor
            .visit_map(access)
            .map_err(|error| self.complete(self.of_what(error)))
    }

    /// A complaint about a key says whose key it is.
    fn of_what(&self, mut error: LocatedError) -> LocatedError {
        let key = ["unknown key", "the key"]
            .iter()
            .any(|words| error.message.starts_with(words));
        if key && !self.what.is_empty() && !error.message.contains(" in `") {
            error.message.push_str(&format!(" in `{}`", self.what));
        }
        error
    }

    /// Errors that arose inside are placed here if they know no better.
    fn complete(&self, error: LocatedError) -> LocatedError {
        error.or_at(self.node.at)
    }
}

macro_rules! integers {
    ($($deserialize:ident $visit:ident $type:ty;)*) => {$(
        fn $deserialize<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
            let value = self.integer(<$type>::MIN.into(), <$type>::MAX.into())?;
            visitor.$visit(value as $type).map_err(|error| self.complete(error))
        }
    )*};
}

impl<'n> Deserializer<'n> for Located<'n> {
    type Error = LocatedError;

    integers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        match &self.node.value {
            Value::Mapping(_) => self.mapping(visitor),
            Value::Sequence(_) => self.deserialize_seq(visitor),
            Value::Scalar { .. } if self.node.is_null() => visitor.visit_unit(),
            Value::Scalar { text, plain: true } => {
                if let Some(value) = scalar::boolean(text) {
                    visitor.visit_bool(value)
                } else if let Some(value) = scalar::integer(text).and_then(|v| v.try_into().ok()) {
                    visitor.visit_i64(value)
                } else if let Some(value) = scalar::number(text) {
                    visitor.visit_f64(value)
                } else {
                    visitor.visit_borrowed_str(text)
                }
            }
            Value::Scalar { text, .. } => visitor.visit_borrowed_str(text),
        }
        .map_err(|error| self.complete(error))
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        let value = self.scalar("true or false", scalar::boolean)?;
        visitor
            .visit_bool(value)
            .map_err(|error| self.complete(error))
    }

    fn deserialize_f32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        let value = self.scalar("a number", scalar::number)?;
        visitor
            .visit_f64(value)
            .map_err(|error| self.complete(error))
    }

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => visitor
                .visit_borrowed_str(text)
                .map_err(|error| self.complete(error)),
            _ => self.fail("a word"),
        }
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        if self.node.is_null() {
            visitor.visit_unit()
        } else {
            self.fail("nothing")
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, LocatedError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        match &self.node.value {
            Value::Sequence(items) => {
                let access = Items {
                    items: items.iter(),
                    what: self.what,
                };
                visitor
                    .visit_seq(access)
                    .map_err(|error| self.complete(error))
            }
            _ => self.fail("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'n>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, LocatedError> {
        match &self.node.value {
            Value::Sequence(items) if items.len() == length => self.deserialize_seq(visitor),
            Value::Sequence(items) => {
                let message = format!(
                    "`{}`: expected a list of {length}, found one of {}",
                    self.what,
                    items.len()
                );
                Err(self.complete(de::Error::custom(message)))
            }
            _ => self.fail(&format!("a list of {length}")),
        }
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        self.mapping(visitor)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, LocatedError> {
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, LocatedError> {
        let choice = match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => Choice {
                name: text,
                at: self.node.at,
                content: None,
            },
            Value::Mapping(entries) if entries.len() == 1 => {
                let (key, content) = &entries[0];
                Choice {
                    name: &key.text,
                    at: key.at,
                    content: Some(content),
                }
            }
            _ => {
                let error = self.fail::<()>("one word").err();
                let accepted = variants.iter().map(|v| (*v).to_owned()).collect();
                return Err(error.map_or_else(
                    || de::Error::custom("expected one word"),
                    |error| LocatedError { accepted, ..error },
                ));
            }
        };
        visitor.visit_enum(choice).map_err(|mut error| {
            if error.message.starts_with("unknown value") && !self.what.is_empty() {
                error.message = format!("`{}`: {}", self.what, error.message);
            }
            self.complete(error)
        })
    }

    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, LocatedError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { <V: Visitor<'n>> i128 u128 bytes byte_buf unit_struct tuple_struct }
}
