//! The located tree: what the user wrote, every scalar still text, every value with its place.

use crate::diagnostic::Diagnostic;

/// Where a piece of text stands. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Which text: an index into [`Sources`].
    pub source: usize,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Characters, on the first line.
    pub length: usize,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place.
    pub at: Location,
}

/// A value as YAML has it. Whether a scalar is a number is decided by who reads it, so that
/// `1e-4`, `1E-4`, `.1` and `1_000` are numbers wherever one is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text; `plain` if it was not quoted.
    Scalar {
        /// The text, escapes resolved.
        text: String,
        /// Whether it stood there without quotes.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order written, no key twice.
    Mapping(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Its place.
    pub at: Location,
}

/// A mistake at a place, before the text around it is looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The place.
    pub at: Location,
    /// What is wrong.
    pub message: String,
    /// What would be accepted, if that can be listed.
    pub accepted: Vec<String>,
    /// Advice of a few words.
    pub suggestion: Option<String>,
}

/// The texts that locations point into: the file, then the overrides.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    texts: Vec<(String, String)>,
}

impl Mistake {
    /// A mistake without a list of what is accepted.
    pub fn new(at: Location, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            accepted: Vec::new(),
            suggestion: None,
        }
    }

    /// With advice.
    pub fn advise(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// With the words accepted; the nearest to `found` becomes the advice.
    pub fn accept(mut self, found: &str, accepted: impl IntoIterator<Item = String>) -> Self {
        self.accepted = accepted.into_iter().collect();
        if self.suggestion.is_none() {
            let near = super::nearest::nearest(found, &self.accepted);
            self.suggestion = near.map(|word| format!("did you mean `{word}`?"));
        }
        self
    }
}

impl Sources {
    /// Adds a text and returns its index.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        self.texts.push((name.into(), text.into()));
        self.texts.len() - 1
    }

    /// The mistake with the text around it.
    pub fn diagnose(&self, mistake: Mistake) -> Diagnostic {
        let Mistake {
            at,
            message,
            accepted,
            suggestion,
        } = mistake;
        let (file, text) = self
            .texts
            .get(at.source)
            .map_or(("", ""), |(name, text)| (name, text.as_str()));
        let source_line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
        let source_line = source_line
            .trim_start_matches('\u{feff}')
            .trim_end()
            .to_owned();
        let room = (source_line.chars().count() + 1).saturating_sub(at.column.saturating_sub(1));
        Diagnostic {
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            mark_len: at.length.min(room.saturating_sub(1)).max(1),
            source_line,
            message,
            accepted,
            suggestion,
        }
    }
}

impl Location {
    /// The beginning of a text.
    pub const fn start(source: usize) -> Self {
        Self {
            source,
            line: 1,
            column: 1,
            length: 1,
        }
    }

    /// A part of this place: `length` characters, `skip` characters in.
    pub const fn part(self, skip: usize, length: usize) -> Self {
        Self {
            column: self.column + skip,
            length,
            ..self
        }
    }
}

impl Node {
    /// A scalar that nobody quoted.
    pub fn plain(text: impl Into<String>, at: Location) -> Self {
        Self {
            value: Value::Scalar {
                text: text.into(),
                plain: true,
            },
            at,
        }
    }

    /// A mapping with nothing in it.
    pub const fn empty(at: Location) -> Self {
        Self {
            value: Value::Mapping(Vec::new()),
            at,
        }
    }

    /// Nothing: `~`, `null` or no text at all.
    pub fn is_null(&self) -> bool {
        let Value::Scalar { text, plain: true } = &self.value else {
            return false;
        };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// Text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value at a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Key and value of a mapping.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|(k, _)| k.text == key),
            _ => None,
        }
    }

    /// The value at a dotted path.
    pub fn at_path(&self, path: &[Key]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(&key.text))
    }

    /// What it is, for messages: `a list`, `the text \`abc\``.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing".to_owned(),
            Value::Scalar { text, plain: true } => format!("`{}`", shorten(text)),
            Value::Scalar { text, .. } => format!("the text \"{}\"", shorten(text)),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// The entries of a mapping, or a mistake that says what was wanted. Nothing at all counts
    /// as an empty mapping.
    pub fn entries(&self, wanted: &str) -> Result<&[(Key, Node)], Mistake> {
        match &self.value {
            Value::Mapping(entries) => Ok(entries),
            _ if self.is_null() => Ok(&[]),
            _ => Err(self.unexpected(wanted)),
        }
    }

    /// The items of a list, or a mistake that says what was wanted.
    pub fn items(&self, wanted: &str) -> Result<&[Node], Mistake> {
        match &self.value {
            Value::Sequence(items) => Ok(items),
            _ => Err(self.unexpected(wanted)),
        }
    }

    /// The mistake of finding this where something else was wanted.
    pub fn unexpected(&self, wanted: &str) -> Mistake {
        Mistake::new(
            self.at,
            format!("expected {wanted}, found {}", self.describe()),
        )
    }
}

/// A text short enough for a message.
fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(40)
        .map(|c| if c == '\n' { ' ' } else { c })
        .collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
