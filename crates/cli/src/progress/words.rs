//! Events in words: shared by lines and bars.

use reslab_results::Cell;
use reslab_results::summary::short;
use reslab_sweep::Event;

use crate::message::{ERROR, GOOD, WARNING, styled};
use crate::output::{count, duration};

/// A fraction as a percentage with one decimal: `3.4 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

/// The error where there are classes, else the loss: `training error 3.4 %`.
pub fn quality(set: &str, error: Option<f64>, loss: f64) -> String {
    match error {
        Some(error) => format!("{set} error {}", percent(error)),
        None => format!("{set} loss {}", short(&Cell::Real(loss))),
    }
}

/// What stands before the first run: how many runs, how many are done, how long it takes.
pub fn planned(event: &Event) -> Option<String> {
    let Event::Planned {
        experiment,
        runs,
        reused,
        failed_before,
        to_do,
        jobs,
        threads_per_run,
        estimated_seconds,
        estimated_from,
    } = event
    else {
        return None;
    };
    let mut text = format!("{experiment}: {}", count(*runs, "run"));
    if *reused > 0 {
        text.push_str(&format!(", {reused} already done"));
    }
    if *failed_before > 0 {
        text.push_str(&format!(
            ", {failed_before} failed before (--retry-failed tries again)"
        ));
    }
    if *to_do == 0 {
        text.push_str(", nothing left to do");
        return Some(text);
    }
    text.push_str(&format!(
        ", {to_do} to do: about {} ({estimated_from}), {} at a time with {} each",
        duration(*estimated_seconds),
        count(*jobs, "run"),
        count(*threads_per_run, "thread"),
    ));
    Some(text)
}

/// How a run ended, after its name; `None` where the event ends no run.
pub fn ending(event: &Event) -> Option<(&str, String)> {
    match event {
        Event::RunFinished {
            name,
            train_loss,
            train_error,
            test_loss,
            test_error,
            seconds,
            ..
        } => Some((
            name,
            format!(
                "{} in {}: {}, {}",
                styled(GOOD, "finished"),
                duration(*seconds),
                quality("training", *train_error, *train_loss),
                quality("test", *test_error, *test_loss),
            ),
        )),
        Event::RunDiverged {
            name, epoch, step, ..
        } => Some((
            name,
            format!(
                "{}: the loss stopped being finite at step {step} (epoch {epoch})",
                styled(WARNING, "diverged")
            ),
        )),
        Event::RunFailed {
            name,
            message,
            earlier,
            ..
        } => {
            let word = if *earlier { "failed before" } else { "failed" };
            Some((name, format!("{}: {message}", styled(ERROR, word))))
        }
        Event::RunReused { name, status, .. } => {
            Some((name, format!("{status} in another process")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_told_in_one_sentence() {
        let event = Event::Planned {
            experiment: "quickstart".into(),
            runs: 24,
            reused: 6,
            failed_before: 0,
            to_do: 18,
            jobs: 2,
            threads_per_run: 1,
            estimated_seconds: 42.0,
            estimated_from: "measured on 6 finished runs".into(),
        };
        assert_eq!(
            planned(&event).as_deref(),
            Some(
                "quickstart: 24 runs, 6 already done, 18 to do: about 42 s (measured on 6 \
                 finished runs), 2 runs at a time with 1 thread each"
            )
        );
    }

    #[test]
    fn regression_runs_speak_of_losses() {
        assert_eq!(quality("test", None, 0.123_45), "test loss 0.1235");
        assert_eq!(quality("test", Some(0.034), 1.0), "test error 3.4 %");
    }
}
