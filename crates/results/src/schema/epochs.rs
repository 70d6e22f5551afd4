//! The table `epochs`: losses and errors of a run, epoch by epoch.

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run and epoch; epoch 0 is the network before training.
pub fn epochs() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "epochs",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column(
                "epoch",
                Kind::Integer,
                "epochs",
                "Epochs of training done; 0 before the first.",
            ),
            column("step", Kind::Integer, "steps", "Optimiser steps done."),
            column(
                "lr",
                Kind::Real,
                "",
                "Learning rate of the last step of the epoch; null at epoch 0.",
            ),
            column(
                "train_loss",
                Kind::Real,
                "nats",
                "Clean mean loss over the training set: evaluation mode, no augmentation (for squared error in squared units of the target).",
            ),
            column(
                "train_error",
                Kind::Real,
                "fraction",
                "Clean share of training samples misclassified; null for regression.",
            ),
            column(
                "test_loss",
                Kind::Real,
                "nats",
                "Mean loss over the test set, evaluation mode.",
            ),
            column(
                "test_error",
                Kind::Real,
                "fraction",
                "Share of test samples misclassified; null for regression.",
            ),
            column(
                "running_train_loss",
                Kind::Real,
                "nats",
                "Mean loss over the batches of the epoch as they were trained on, augmented, with batch statistics; null at epoch 0.",
            ),
            column(
                "running_train_error",
                Kind::Real,
                "fraction",
                "Share misclassified over the batches of the epoch as they were trained on; null at epoch 0 and for regression.",
            ),
            column(
                "gradient_norm",
                Kind::Real,
                "",
                "Euclidean norm of the gradient of the mean loss, all parameters, before clipping, at the last step of the epoch; null at epoch 0.",
            ),
        ],
    )
}
