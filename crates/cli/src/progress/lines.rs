//! Plain progress for logs: one line where a run ends.

use std::collections::HashSet;

use reslab_sweep::Event;

use super::words;
use crate::message::say;

/// Counts the runs that ended, for the `[3/24]` before each line.
#[derive(Default)]
pub struct Lines {
    ended: usize,
    to_do: usize,
    /// Runs that another process has: they end here when they end there.
    elsewhere: HashSet<usize>,
}

impl Lines {
    /// Says what the event means, if it deserves a line.
    pub fn show(&mut self, event: &Event) {
        if let Event::Planned { to_do, .. } = event {
            self.to_do = *to_do;
            if let Some(text) = words::planned(event) {
                say(&text);
            }
        }
        if let Event::RunElsewhere { run, .. } = event {
            self.elsewhere.insert(*run);
            return;
        }
        if let Event::RunReused { run, .. } = event
            && !self.elsewhere.remove(run)
        {
            // Done before this session: the plan's line has counted it.
            return;
        }
        let Some((name, ending)) = words::ending(event) else {
            return;
        };
        if matches!(event, Event::RunFailed { run, earlier: true, .. } if !self.elsewhere.remove(run))
        {
            // Not among the runs to do: it has no number.
            say(&format!("{name} {ending}"));
            return;
        }
        self.ended += 1;
        let width = self.to_do.to_string().len();
        let (ended, to_do) = (self.ended, self.to_do.max(self.ended));
        say(&format!("[{ended:>width$}/{to_do}] {name} {ending}"));
    }
}

/// With `--quiet` a failure is still told: silence would look like success.
pub fn show_failure(event: &Event) {
    if let Event::RunFailed { name, message, .. } = event {
        crate::message::error(&format!("{name} failed: {message}"));
    }
}
