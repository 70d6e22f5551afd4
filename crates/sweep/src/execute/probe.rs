//! Instruments at work on a run: they tell how far they are, and stop when the sweep does.

use std::time::{Duration, Instant};

use reslab_nn::train::Flow;
use reslab_probes::{ProbeError, Progress, Subject};
use reslab_results::Table;

use super::run::RunContext;
use crate::Event;

/// Between two events about progress.
const EVENTS: Duration = Duration::from_millis(100);

/// What the instruments that are due find; `None` if the sweep was told to stop meanwhile. The
/// error is a sentence.
pub fn measure(
    context: &RunContext<'_>,
    subject: &Subject<'_>,
) -> Result<Option<Vec<Table>>, String> {
    let mut told: Option<Instant> = None;
    let mut tell = |progress: Progress| {
        if told.is_none_or(|at| at.elapsed() >= EVENTS) {
            told = Some(Instant::now());
            (context.sink)(Event::Probe {
                run: context.index,
                instrument: progress.instrument.to_owned(),
                epoch: subject.epoch,
                done: progress.done,
                total: progress.total,
            });
        }
        if (context.stopped)() {
            Flow::Stop
        } else {
            Flow::Continue
        }
    };
    match context.run.config.probes.measure(subject, &mut tell) {
        Ok(tables) => Ok(Some(tables)),
        Err(ProbeError::Stopped) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
