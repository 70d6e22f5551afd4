//! A sweep's events shown to a person: bars on a terminal, a line a run elsewhere, or nothing.
//!
//! Progress goes to standard error. Where JSON is asked for, the end of every run goes to standard
//! output as well, one object a line.

mod bars;
mod lines;
mod words;

use std::io::IsTerminal;
use std::sync::Mutex;

use reslab_sweep::Event;
use serde_json::Value;

use crate::message::Failure;
use crate::output;
use bars::Bars;
use lines::Lines;
pub use words::percent;

/// Where events go. Runs on several threads report at once, hence the lock.
pub struct Progress {
    inner: Mutex<Inner>,
}

struct Inner {
    view: View,
    json: bool,
    experiment: String,
    /// The first failure to write to standard output; nothing more is written after it.
    broken: Option<Failure>,
}

enum View {
    Quiet,
    Lines(Lines),
    // Boxed: many times larger than its siblings.
    Bars(Box<Bars>),
}

impl Progress {
    /// Chooses the view: `quiet` shows nothing, a terminal gets bars, anything else lines.
    pub fn new(experiment: &str, quiet: bool, json: bool) -> Progress {
        let view = if quiet {
            View::Quiet
        } else if std::io::stderr().is_terminal() {
            View::Bars(Box::new(Bars::new()))
        } else {
            View::Lines(Lines::default())
        };
        let inner = Inner {
            view,
            json,
            experiment: experiment.to_owned(),
            broken: None,
        };
        Progress {
            inner: Mutex::new(inner),
        }
    }

    /// Shows one event.
    pub fn show(&self, event: &Event) {
        // A panic elsewhere while showing leaves nothing that could mislead.
        let mut inner = self
            .inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.show(event);
    }

    /// Removes the bars, and tells whether standard output could be written all along.
    pub fn finish(self) -> Result<(), Failure> {
        let inner = self
            .inner
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let View::Bars(bars) = &inner.view {
            bars.clear();
        }
        inner.broken.map_or(Ok(()), Err)
    }
}

impl Inner {
    fn show(&mut self, event: &Event) {
        match &mut self.view {
            View::Quiet => lines::show_failure(event),
            View::Lines(lines) => lines.show(event),
            View::Bars(bars) => bars.show(event),
        }
        if self.json && self.broken.is_none() && ends_a_run(event) {
            self.broken = print_json(&self.experiment, event).err();
        }
    }
}

/// Whether a run is over with this event.
fn ends_a_run(event: &Event) -> bool {
    matches!(
        event,
        Event::RunFinished { .. }
            | Event::RunDiverged { .. }
            | Event::RunFailed { .. }
            | Event::RunReused { .. }
    )
}

fn print_json(experiment: &str, event: &Event) -> Result<(), Failure> {
    let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
    if let Value::Object(object) = &mut value {
        object.insert("experiment".to_owned(), experiment.into());
    }
    output::print_json_line(&value)
}
