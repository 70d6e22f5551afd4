//! A mistake in an experiment file or an override: where it is, what it is, what is accepted.

use std::fmt;

/// One mistake, with all that is needed to mend it.
///
/// Rendered by `Display` in the manner of compilers:
///
/// ```text
/// error: unknown key `detph` in `model`
///   --> experiments/quickstart.yaml:5:9
///    |
///  5 | model: {detph: 20}
///    |         ^^^^^ did you mean `depth`?
///    |
///    = accepted: family, depth, residual
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Path of the file, or `--set` for an override.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line itself.
    pub source_line: String,
    /// Characters to mark, at least 1.
    pub mark_len: usize,
    /// What is wrong.
    pub message: String,
    /// What would be accepted, if that can be listed.
    pub accepted: Vec<String>,
    /// The nearest accepted word, or other advice of a few words.
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let margin = self.line.to_string().len();
        writeln!(f, "{}", self.message)?;
        writeln!(
            f,
            "{:margin$}--> {}:{}:{}",
            "", self.file, self.line, self.column
        )?;
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{} | {}", self.line, self.source_line)?;
        write!(
            f,
            "{:margin$} | {}{}",
            "",
            self.indent(),
            "^".repeat(self.mark_len.max(1))
        )?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " {suggestion}")?;
        }
        if !self.accepted.is_empty() {
            write!(
                f,
                "\n{:margin$} |\n{:margin$} = accepted: {}",
                "",
                "",
                self.accepted.join(", ")
            )?;
        }
        Ok(())
    }
}

impl Diagnostic {
    /// White space as wide as what stands before the mark; tabs stay tabs.
    fn indent(&self) -> String {
        let before = self.column.saturating_sub(1);
        self.source_line
            .chars()
            .take(before)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect()
    }
}
