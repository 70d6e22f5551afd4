//! What reslab says on standard error, and the exit code that goes with it.

use std::fmt::{self, Display};
use std::io::ErrorKind;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// How a command ended when nothing stood in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All that was asked for is done.
    Well,
    /// Some runs failed; the others are done.
    SomeRunsFailed,
    /// The user stopped it; the same command continues.
    Interrupted,
}

impl Ending {
    /// The exit code of the process.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Ending::Well => 0,
            Ending::SomeRunsFailed => 1,
            Ending::Interrupted => INTERRUPTED,
        })
    }

    /// The graver of two endings: several experiments end as the worst of them.
    pub fn and(self, other: Ending) -> Ending {
        match (self, other) {
            (Ending::Interrupted, _) | (_, Ending::Interrupted) => Ending::Interrupted,
            (Ending::SomeRunsFailed, _) | (_, Ending::SomeRunsFailed) => Ending::SomeRunsFailed,
            _ => Ending::Well,
        }
    }
}

/// The exit code after Ctrl-C: 128 and the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Why a command could not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The input is wrong. The text says where and what is accepted; it may span lines.
    Input(String),
    /// Standard output could not be written.
    Output(std::io::Error),
}

impl Failure {
    /// A failure told by an error and all its causes.
    pub fn from_error(error: &dyn std::error::Error) -> Failure {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Many errors already quote their cause.
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = error.source();
        }
        Failure::Input(text)
    }

    /// Says the failure, and gives the exit code. A reader that closed the pipe wants no more:
    /// that is success.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Failure::Output(error) => self::error(&format!("standard output: {error}")),
            Failure::Input(text) => self::error(text),
        }
        ExitCode::from(2)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(text) => f.write_str(text),
            Failure::Output(error) => write!(f, "standard output: {error}"),
        }
    }
}

/// Style of the word `error`.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of the word `warning`.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Style of good news.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Style of what stands out.
pub const BOLD: Style = Style::new().bold();

/// Text in a style. `anstream` removes the codes where colours are not wanted.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// An error on standard error. A text that already opens with `error` keeps its form.
pub fn error(text: &str) {
    let body = text.strip_prefix("error: ").unwrap_or(text);
    say(&format!("{}: {body}", styled(ERROR, "error")));
}

/// A warning on standard error.
pub fn warning(text: &str) {
    say(&format!("{}: {text}", styled(WARNING, "warning")));
}

/// A line on standard error. Nobody listening is no reason to fail.
pub fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_ending_wins() {
        use Ending::{Interrupted, SomeRunsFailed, Well};
        assert_eq!(Well.and(Well), Well);
        assert_eq!(Well.and(SomeRunsFailed), SomeRunsFailed);
        assert_eq!(SomeRunsFailed.and(Interrupted), Interrupted);
        assert_eq!(Interrupted.and(Well), Interrupted);
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug)]
        struct Outer(std::io::Error, &'static str);
        impl Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.1)
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let cause = || std::io::Error::other("disk full");
        let told = Failure::from_error(&Outer(cause(), "cannot write a.parquet"));
        assert_eq!(told.to_string(), "cannot write a.parquet: disk full");
        let told = Failure::from_error(&Outer(cause(), "cannot write: disk full"));
        assert_eq!(told.to_string(), "cannot write: disk full");
    }
}
