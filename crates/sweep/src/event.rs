//! What a sweep tells while it works. The command line turns events into bars, lines or JSON.

use serde::Serialize;

/// Something that happened. `run` is the place of the run in the plan, from 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Told once, before anything runs.
    Planned {
        /// Name of the experiment.
        experiment: String,
        /// Runs of the plan that were asked for.
        runs: usize,
        /// Runs found complete in the store.
        reused: usize,
        /// Runs that failed before and are not retried.
        failed_before: usize,
        /// Runs still to do.
        to_do: usize,
        /// Runs at one time.
        jobs: usize,
        /// Threads inside each run.
        threads_per_run: usize,
        /// Estimated seconds until the end.
        estimated_seconds: f64,
        /// Where the estimate comes from.
        estimated_from: String,
    },
    /// A run begins, or goes on from its last checkpoint.
    RunStarted {
        /// Place in the plan.
        run: usize,
        /// Name of the run.
        name: String,
        /// Epochs in all.
        epochs: usize,
        /// Epochs already done by an earlier, interrupted attempt.
        epochs_done: usize,
    },
    /// A training step; told a few times a second at most.
    Step {
        /// Place in the plan.
        run: usize,
        /// Epoch, from 1.
        epoch: usize,
        /// Steps done in this epoch.
        step: usize,
        /// Steps of an epoch.
        steps: usize,
        /// Training throughput.
        images_per_s: f64,
        /// Error of the epoch so far, a fraction.
        train_error: Option<f64>,
    },
    /// An epoch ended and was measured.
    Epoch {
        /// Place in the plan.
        run: usize,
        /// Epoch, from 0 (before training).
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Clean loss over the training set.
        train_loss: f64,
        /// Clean error over the training set, a fraction.
        train_error: Option<f64>,
        /// Clean loss over the test set.
        test_loss: f64,
        /// Clean error over the test set, a fraction.
        test_error: Option<f64>,
        /// Training throughput of the epoch.
        images_per_s: f64,
    },
    /// An instrument is at work on the network of a run.
    Probe {
        /// Place in the plan.
        run: usize,
        /// Name of the instrument.
        instrument: String,
        /// Epochs of training done.
        epoch: usize,
        /// Pieces of work done.
        done: usize,
        /// Pieces of work in all.
        total: usize,
    },
    /// A run ended and is in the store.
    RunFinished {
        /// Place in the plan.
        run: usize,
        /// Name of the run.
        name: String,
        /// Final clean training loss.
        train_loss: f64,
        /// Final clean training error, a fraction.
        train_error: Option<f64>,
        /// Final test loss.
        test_loss: f64,
        /// Final test error, a fraction.
        test_error: Option<f64>,
        /// Seconds this attempt took.
        seconds: f64,
    },
    /// The loss stopped being finite; what came before is in the store.
    RunDiverged {
        /// Place in the plan.
        run: usize,
        /// Name of the run.
        name: String,
        /// Epoch of the step, from 1.
        epoch: usize,
        /// Step, counted over all epochs.
        step: usize,
        /// Seconds this attempt took.
        seconds: f64,
    },
    /// The run could not be completed.
    RunFailed {
        /// Place in the plan.
        run: usize,
        /// Name of the run.
        name: String,
        /// Why.
        message: String,
        /// Whether this happened in an earlier session and was not retried.
        earlier: bool,
    },
    /// The run was complete already.
    RunReused {
        /// Place in the plan.
        run: usize,
        /// Name of the run.
        name: String,
        /// Its status in the store: `finished` or `diverged`.
        status: String,
    },
    /// Another process works on the run.
    RunElsewhere {
        /// Place in the plan.
        run: usize,
        /// Name of the run.
        name: String,
    },
    /// The sweep was told to stop.
    Interrupted {
        /// Runs complete.
        complete: usize,
        /// Runs left.
        left: usize,
    },
    /// The sweep ended and its tables are written.
    Done {
        /// Runs finished, now or before.
        finished: usize,
        /// Runs diverged, now or before.
        diverged: usize,
        /// Runs failed, now or before.
        failed: usize,
        /// Seconds of this session.
        seconds: f64,
    },
}
