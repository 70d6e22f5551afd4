//! `--set path=value`: the last word on a setting.
//!
//! An override holds for every run: it also replaces a sweep's axis at or below its path.

use crate::file::node::{Location, Mistake, Node, Sources, Value};
use crate::file::parse::parse;
use crate::file::path::Path;

/// One override.
#[derive(Debug, Clone)]
pub struct Override {
    /// What is set.
    pub path: Path,
    /// To what.
    pub value: Node,
}

/// Reads an override; messages about it name `--set` as their file.
pub fn read(text: &str, sources: &mut Sources) -> Result<Override, Mistake> {
    let source = sources.add("--set", text);
    let start = Location {
        length: text.chars().count().max(1),
        ..Location::start(source)
    };
    let Some((path, value)) = text.split_once('=') else {
        let mistake = Mistake::new(start, "an override is `path=value`");
        return Err(mistake.advise("such as `train.lr=0.05`"));
    };
    let path_length = path.chars().count();
    let path = Path::read(path.trim_end(), start)?;
    // Blanks in place of the path, so that places within the value are places in the override.
    let padded = format!("{}{value}", " ".repeat(path_length + 1));
    let place = start.part(path_length + 1, value.chars().count().max(1));
    let value = parse(&padded, source)?.unwrap_or_else(|| Node::plain("", place));
    Ok(Override { path, value })
}

impl Override {
    /// Sets it in the tree of a file or of a run.
    pub fn apply(&self, root: &mut Node) -> Result<(), Mistake> {
        if root.is_null() {
            root.value = Value::Mapping(Vec::new());
        }
        root.assign(&self.path.keys, self.value.clone())
    }
}
