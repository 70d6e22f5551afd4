//! The table `runs`: settings, outcome and final metrics of every run.

use crate::table::{ColumnSpec, Kind, Schema};

/// How many of the fixed columns stand before the settings.
const LEADING: usize = 3;

/// The columns of `runs` that do not depend on the experiment.
pub fn runs_fixed() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "runs",
        vec![
            column(
                "run_id",
                Kind::Text,
                "",
                "First 16 hexadecimal digits of the hash of the run's resolved settings.",
            ),
            column(
                "experiment",
                Kind::Text,
                "",
                "Name of the experiment the table belongs to.",
            ),
            column(
                "status",
                Kind::Text,
                "",
                "`finished`, `diverged` (the loss stopped being finite) or `failed` (an error; no metrics).",
            ),
            column(
                "final_train_loss",
                Kind::Real,
                "nats",
                "Clean training loss after the last epoch done.",
            ),
            column(
                "final_train_error",
                Kind::Real,
                "fraction",
                "Clean training error after the last epoch done; null for regression.",
            ),
            column(
                "final_test_loss",
                Kind::Real,
                "nats",
                "Test loss after the last epoch done.",
            ),
            column(
                "final_test_error",
                Kind::Real,
                "fraction",
                "Test error after the last epoch done; null for regression.",
            ),
            column(
                "final_running_train_error",
                Kind::Real,
                "fraction",
                "Training error over the batches of the last epoch done, as trained on.",
            ),
            column(
                "best_test_error",
                Kind::Real,
                "fraction",
                "Smallest test error of any epoch (chosen on the test set: not an estimate of generalisation).",
            ),
            column(
                "diverged_step",
                Kind::Integer,
                "steps",
                "Step at which the loss stopped being finite; null unless diverged.",
            ),
            column("epochs_done", Kind::Integer, "epochs", "Epochs completed."),
            column(
                "parameters",
                Kind::Integer,
                "",
                "Trainable parameters of the network.",
            ),
            column(
                "dataset_checksum",
                Kind::Text,
                "",
                "SHA-256 of the data as the run saw it.",
            ),
        ],
    )
}

/// The whole schema: fixed columns with the `settings` after `status`.
pub fn runs(settings: &[ColumnSpec]) -> Schema {
    let mut schema = runs_fixed();
    schema
        .columns
        .splice(LEADING..LEADING, settings.iter().cloned());
    schema
}

/// The metrics shown where none are asked for.
pub const DEFAULT_METRICS: [&str; 2] = ["final_train_error", "final_test_error"];

/// The metrics shown in their place for regression, which has no error.
pub const LOSS_METRICS: [&str; 2] = ["final_train_loss", "final_test_loss"];

/// Whether a column of `runs` is a setting of an instrument, which changes nothing in training.
pub fn is_instrument_setting(column: &str) -> bool {
    column.starts_with("probes_")
}

/// Whether a column of `runs` is a setting, and not one of the fixed columns.
pub fn is_setting(column: &str) -> bool {
    runs_fixed().index(column).is_none()
}
