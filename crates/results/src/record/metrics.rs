//! The final metrics of a run, read off its `epochs`.

use serde::{Deserialize, Serialize};

use super::encode::maybe_real;
use crate::table::{Cell, Table, TableError};

/// What `runs` says of a run beside its settings. `None`: not measured, or regression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Clean training loss after the last epoch done.
    #[serde(with = "maybe_real")]
    pub final_train_loss: Option<f64>,
    /// Clean training error after the last epoch done.
    #[serde(with = "maybe_real")]
    pub final_train_error: Option<f64>,
    /// Test loss after the last epoch done.
    #[serde(with = "maybe_real")]
    pub final_test_loss: Option<f64>,
    /// Test error after the last epoch done.
    #[serde(with = "maybe_real")]
    pub final_test_error: Option<f64>,
    /// Training error over the batches of the last epoch, as trained on.
    #[serde(with = "maybe_real")]
    pub final_running_train_error: Option<f64>,
    /// Smallest test error of any epoch.
    #[serde(with = "maybe_real")]
    pub best_test_error: Option<f64>,
    /// Epochs completed.
    pub epochs_done: i64,
    /// Trainable parameters.
    pub parameters: usize,
    /// SHA-256 of the data.
    pub dataset_checksum: String,
}

impl Metrics {
    /// The metrics of a run whose `epochs` are these, in order.
    pub fn from_epochs(
        epochs: &Table,
        parameters: usize,
        dataset_checksum: &str,
    ) -> Result<Metrics, TableError> {
        let last = |column: &str| -> Result<Option<f64>, TableError> {
            Ok(epochs.f64s(column)?.last().copied().flatten())
        };
        let test_errors = epochs.f64s("test_error")?;
        Ok(Metrics {
            final_train_loss: last("train_loss")?,
            final_train_error: last("train_error")?,
            final_test_loss: last("test_loss")?,
            final_test_error: last("test_error")?,
            final_running_train_error: last("running_train_error")?,
            best_test_error: test_errors.into_iter().flatten().reduce(f64::min),
            epochs_done: epochs
                .integer(epochs.len().saturating_sub(1), "epoch")
                .unwrap_or(0),
            parameters,
            dataset_checksum: dataset_checksum.into(),
        })
    }

    /// The metrics as cells of `runs`, by column.
    pub fn cells(&self) -> [(&'static str, Cell); 9] {
        [
            ("final_train_loss", self.final_train_loss.into()),
            ("final_train_error", self.final_train_error.into()),
            ("final_test_loss", self.final_test_loss.into()),
            ("final_test_error", self.final_test_error.into()),
            (
                "final_running_train_error",
                self.final_running_train_error.into(),
            ),
            ("best_test_error", self.best_test_error.into()),
            ("epochs_done", self.epochs_done.into()),
            ("parameters", self.parameters.into()),
            ("dataset_checksum", self.dataset_checksum.as_str().into()),
        ]
    }
}
