//! What a finished `reslab` left on its two outputs, and its exit code.

use std::process::Command;

/// The end of a command; its methods assert and hand it on.
pub struct Answer {
    arguments: String,
    code: Option<i32>,
    /// Standard output: data.
    pub out: String,
    /// Standard error: messages and progress.
    pub err: String,
}

impl Answer {
    /// Runs a command to its end.
    pub fn of(arguments: &str, command: &mut Command) -> Answer {
        let output = command.output().expect("the binary starts");
        Answer {
            arguments: arguments.to_owned(),
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Everything went well.
    pub fn succeeds(self) -> Answer {
        self.ends_with(0)
    }

    /// The input was refused, without a panic and with words.
    pub fn refuses(self) -> Answer {
        let answer = self.ends_with(2);
        answer.assert(!answer.err.trim().is_empty(), "is refused without a word");
        answer.assert(
            !answer.err.contains("fault in reslab") && !answer.err.contains("panicked"),
            "panics",
        );
        answer
    }

    /// The exit code is this one.
    pub fn ends_with(self, code: i32) -> Answer {
        let words = format!("should end with {code} and ends with {:?}", self.code);
        self.assert(self.code == Some(code), &words);
        self
    }

    /// Standard error holds these words.
    pub fn says(self, words: &str) -> Answer {
        let complaint = format!("should say {words:?}");
        self.assert(self.err.contains(words), &complaint);
        self
    }

    /// Standard error does not hold these words.
    pub fn does_not_say(self, words: &str) -> Answer {
        let complaint = format!("should not say {words:?}");
        self.assert(!self.err.contains(words), &complaint);
        self
    }

    /// Standard error is empty.
    pub fn says_nothing(self) -> Answer {
        self.assert(self.err.is_empty(), "should say nothing");
        self
    }

    /// Standard output holds these words.
    pub fn prints(self, words: &str) -> Answer {
        let complaint = format!("should print {words:?}");
        self.assert(self.out.contains(words), &complaint);
        self
    }

    /// Standard output is empty.
    pub fn prints_nothing(self) -> Answer {
        self.assert(self.out.is_empty(), "should print nothing");
        self
    }

    /// Standard output as one JSON value.
    pub fn json(&self) -> serde_json::Value {
        let value = serde_json::from_str(&self.out);
        value.unwrap_or_else(|error| panic!("{self}\nis not JSON: {error}"))
    }

    /// Standard output as JSON, one value a line.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{self}\nholds no JSON in {line:?}: {error}"))
        };
        self.out.lines().map(parse).collect()
    }

    fn assert(&self, truth: bool, complaint: &str) {
        assert!(truth, "{self}\n{complaint}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`reslab {}`\n--- standard output\n{}\n--- standard error\n{}\n---",
            self.arguments, self.out, self.err
        )
    }
}
