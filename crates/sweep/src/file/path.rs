//! Dotted paths to settings, such as `train.schedule.kind`: read, followed, assigned.

use std::fmt;

use super::node::{Key, Location, Mistake, Node, Value};

/// A path; every word of it knows its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The words.
    pub keys: Vec<Key>,
    /// The place of the whole.
    pub at: Location,
}

/// Sections that may be written as one word, the name: `model: resnet20`.
const NAMED_SECTIONS: [&str; 2] = ["model", "data"];

impl Path {
    /// Reads `a.b.c`, which stands at `at`.
    pub fn read(text: &str, at: Location) -> Result<Self, Mistake> {
        let mut keys = Vec::new();
        let mut skip = 0;
        for word in text.split('.') {
            let length = word.chars().count();
            let place = at.part(skip, length.max(1));
            if word.is_empty() || word.contains(char::is_whitespace) {
                let message = format!("`{text}` is no path to a setting");
                return Err(Mistake::new(place, message).advise("write it like `train.lr`"));
            }
            keys.push(Key {
                text: word.to_owned(),
                at: place,
            });
            skip += length + 1;
        }
        Ok(Self {
            keys,
            at: at.part(0, text.chars().count().max(1)),
        })
    }

    /// Whether this is `other`, or leads to a part of it.
    pub fn contains(&self, other: &Path) -> bool {
        let same = |(a, b): (&Key, &Key)| a.text == b.text;
        self.keys.len() <= other.keys.len() && self.keys.iter().zip(&other.keys).all(same)
    }

    /// The last word.
    pub fn last(&self) -> &str {
        self.keys.last().map_or("", |key| &key.text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.keys.iter().map(|key| key.text.as_str()).collect();
        f.write_str(&words.join("."))
    }
}

impl Node {
    /// Puts `value` at `path`, making mappings on the way. What was there is replaced.
    pub fn assign(&mut self, path: &[Key], value: Node) -> Result<(), Mistake> {
        self.assign_below("", path, value)
    }

    fn assign_below(&mut self, here: &str, path: &[Key], value: Node) -> Result<(), Mistake> {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return Ok(());
        };
        self.open(here, first)?;
        let Value::Mapping(entries) = &mut self.value else {
            return Err(self.unexpected("a mapping"));
        };
        let place = match entries.iter().position(|(key, _)| key.text == first.text) {
            Some(place) => place,
            None => {
                entries.push((first.clone(), Node::empty(first.at)));
                entries.len() - 1
            }
        };
        entries[place].1.assign_below(&first.text, rest, value)
    }

    /// Makes a mapping of nothing, or of the one-word form of a section.
    fn open(&mut self, here: &str, wanted: &Key) -> Result<(), Mistake> {
        match &self.value {
            Value::Mapping(_) => {}
            _ if self.is_null() => self.value = Value::Mapping(Vec::new()),
            Value::Scalar { .. } if NAMED_SECTIONS.contains(&here) => {
                let name = self.clone();
                let key = Key {
                    text: "name".to_owned(),
                    at: self.at,
                };
                self.value = Value::Mapping(vec![(key, name)]);
            }
            _ => {
                let message = format!(
                    "`{here}` is {}, so it has no `{}`",
                    self.describe(),
                    wanted.text
                );
                return Err(Mistake::new(wanted.at, message));
            }
        }
        Ok(())
    }

    /// The place of a setting, or of what is nearest above it. A whole section is marked at its
    /// key only when nothing below is written.
    pub fn locate(&self, path: &str) -> Location {
        let mut node = self;
        let mut at = self.at.part(0, 1);
        for word in path.split('.') {
            let Some((key, value)) = node.entry(word) else {
                break;
            };
            at = if matches!(value.value, Value::Scalar { .. }) {
                value.at
            } else {
                key.at
            };
            node = value;
        }
        at
    }
}
