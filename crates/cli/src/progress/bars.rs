//! Progress on a terminal: a bar for every run at work, and one for the sweep below them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reslab_sweep::Event;

use super::words;
use crate::message::say;
use crate::output::{count, duration};

/// Parts of a bar for each epoch, so that it moves within an epoch too.
const PARTS: u64 = 1000;

const RUN_TEMPLATE: &str = "{prefix} {bar:20} {msg}";
const SWEEP_TEMPLATE: &str = "{prefix} {bar:30} {msg}";

/// The bars and what they need to know.
pub struct Bars {
    all: MultiProgress,
    sweep: ProgressBar,
    runs: HashMap<usize, RunBar>,
    /// Runs that another process has: they end here when they end there.
    elsewhere: HashSet<usize>,
    to_do: usize,
    ended: usize,
    failed: usize,
    estimated: f64,
    began: Instant,
}

/// One run at work.
struct RunBar {
    bar: ProgressBar,
    epochs: usize,
    /// Epochs done before this session: they took no time now.
    epochs_before: usize,
    began: Instant,
    images_per_s: f64,
    /// The last measured errors, in words.
    errors: String,
}

impl Bars {
    /// No bar yet: they come with the events.
    pub fn new() -> Bars {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Bars {
            all,
            sweep: ProgressBar::hidden(),
            runs: HashMap::new(),
            elsewhere: HashSet::new(),
            to_do: 0,
            ended: 0,
            failed: 0,
            estimated: 0.0,
            began: Instant::now(),
        }
    }

    /// Moves the bars.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Planned {
                to_do,
                estimated_seconds,
                ..
            } => self.planned(event, *to_do, *estimated_seconds),
            Event::RunStarted {
                run,
                name,
                epochs,
                epochs_done,
            } => self.started(*run, name, *epochs, *epochs_done),
            Event::Step {
                run,
                epoch,
                step,
                steps,
                images_per_s,
                train_error,
            } => {
                let part = *step as f64 / (*steps).max(1) as f64;
                let done = epoch.saturating_sub(1) as f64 + part;
                if let Some(bar) = self.runs.get_mut(run) {
                    if bar.errors.is_empty()
                        && let Some(error) = train_error
                    {
                        bar.errors = format!("training error {}", words::percent(*error));
                    }
                    bar.moved(done, *images_per_s);
                }
            }
            Event::Epoch {
                run,
                epoch,
                train_loss,
                train_error,
                test_loss,
                test_error,
                images_per_s,
                ..
            } => {
                if let Some(bar) = self.runs.get_mut(run) {
                    bar.errors = format!(
                        "{}, {}",
                        words::quality("training", *train_error, *train_loss),
                        words::quality("test", *test_error, *test_loss)
                    );
                    bar.moved(*epoch as f64, *images_per_s);
                }
            }
            Event::Probe {
                run,
                instrument,
                done,
                total,
                ..
            } => {
                if let Some(bar) = self.runs.get_mut(run) {
                    bar.bar.set_message(format!("{instrument} {done}/{total}"));
                }
            }
            Event::RunFinished { run, .. }
            | Event::RunDiverged { run, .. }
            | Event::RunFailed {
                run,
                earlier: false,
                ..
            } => self.ended(*run, event),
            Event::RunElsewhere { run, .. } => {
                self.elsewhere.insert(*run);
            }
            // Without this remark they were done before this session, and have no bar.
            Event::RunReused { run, .. } | Event::RunFailed { run, .. }
                if self.elsewhere.remove(run) =>
            {
                self.ended(*run, event);
            }
            Event::RunFailed { .. } => self.tell(event),
            Event::RunReused { .. } | Event::Interrupted { .. } | Event::Done { .. } => {}
        }
        self.refresh();
    }

    /// Removes every bar from the screen.
    pub fn clear(&self) {
        // A terminal that went away cannot be cleared, nor does it matter.
        let _ = self.all.clear();
    }

    fn planned(&mut self, event: &Event, to_do: usize, estimated: f64) {
        if let Some(text) = words::planned(event) {
            say(&text);
        }
        self.to_do = to_do;
        self.estimated = estimated;
        self.began = Instant::now();
        if to_do > 0 {
            self.sweep = self.all.add(bar(SWEEP_TEMPLATE, to_do as u64 * PARTS));
            self.sweep.set_prefix("all runs");
        }
    }

    fn started(&mut self, run: usize, name: &str, epochs: usize, epochs_done: usize) {
        let bar = bar(RUN_TEMPLATE, epochs.max(1) as u64 * PARTS);
        let bar = self.all.insert_before(&self.sweep, bar);
        bar.set_prefix(name.to_owned());
        let mut run_bar = RunBar {
            bar,
            epochs,
            epochs_before: epochs_done,
            began: Instant::now(),
            images_per_s: 0.0,
            errors: String::new(),
        };
        run_bar.moved(epochs_done as f64, 0.0);
        self.runs.insert(run, run_bar);
    }

    fn ended(&mut self, run: usize, event: &Event) {
        if let Some(run) = self.runs.remove(&run) {
            run.bar.finish_and_clear();
            self.all.remove(&run.bar);
        }
        self.ended += 1;
        self.tell(event);
    }

    /// A line above the bars for a run that ended.
    fn tell(&mut self, event: &Event) {
        if matches!(event, Event::RunFailed { .. }) {
            self.failed += 1;
        }
        if let Some((name, ending)) = words::ending(event) {
            self.all.suspend(|| say(&format!("{name} {ending}")));
        }
    }

    /// The sweep's bar: runs done, images a second over all runs, time left.
    fn refresh(&self) {
        if self.to_do == 0 {
            return;
        }
        let working: f64 = self.runs.values().map(RunBar::fraction).sum();
        let done = self.ended as f64 + working;
        let speed: f64 = self.runs.values().map(|run| run.images_per_s).sum();
        let elapsed = self.began.elapsed().as_secs_f64();
        let left = time_left(elapsed, done / self.to_do as f64, self.estimated);
        let mut text = format!("{}/{} runs", self.ended, self.to_do);
        if self.failed > 0 {
            text.push_str(&format!(", {}", count(self.failed, "failure")));
        }
        if speed > 0.0 {
            text.push_str(&format!(", {speed:.0} images/s"));
        }
        text.push_str(&format!(", {} left", duration(left)));
        self.sweep.set_message(text);
        self.sweep.set_position((done * PARTS as f64) as u64);
    }
}

impl RunBar {
    /// Epochs done, of which the last may be a part.
    fn moved(&mut self, epochs_done: f64, images_per_s: f64) {
        if images_per_s > 0.0 {
            self.images_per_s = images_per_s;
        }
        self.bar.set_position((epochs_done * PARTS as f64) as u64);
        let epoch = (epochs_done.floor() as usize + 1).min(self.epochs.max(1));
        let mut text = format!("epoch {epoch}/{}", self.epochs);
        if self.images_per_s > 0.0 {
            text.push_str(&format!(", {:.0} images/s", self.images_per_s));
        }
        if !self.errors.is_empty() {
            text.push_str(&format!(", {}", self.errors));
        }
        let before = self.epochs_before as f64;
        let now = (epochs_done - before) / (self.epochs as f64 - before).max(1.0);
        if now > 0.0 {
            let elapsed = self.began.elapsed().as_secs_f64();
            text.push_str(&format!(
                ", {} left",
                duration(time_left(elapsed, now, 0.0))
            ));
        }
        self.bar.set_message(text);
    }

    fn fraction(&self) -> f64 {
        self.bar.position() as f64 / (self.epochs.max(1) as u64 * PARTS) as f64
    }
}

/// Seconds left: by the estimate at first, by what was done once that says more.
fn time_left(elapsed: f64, fraction: f64, estimated: f64) -> f64 {
    if fraction >= 0.05 || (estimated <= 0.0 && fraction > 0.0) {
        elapsed * (1.0 - fraction.min(1.0)) / fraction
    } else {
        (estimated - elapsed).max(0.0)
    }
}

fn bar(template: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // The templates are constants that parse; the default style would do as well.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_parse() {
        for template in [RUN_TEMPLATE, SWEEP_TEMPLATE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn time_left_leaves_the_estimate_when_it_knows_better() {
        assert_eq!(time_left(1.0, 0.01, 10.0), 9.0);
        assert_eq!(time_left(10.0, 0.5, 100.0), 10.0);
        assert_eq!(time_left(10.0, 1.0, 100.0), 0.0);
        assert_eq!(time_left(20.0, 0.0, 10.0), 0.0);
    }
}
