//! The table `lesion`: a trained network with blocks deleted or reordered (Veit et al. 2016).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch, kind of statistics and lesion.
pub fn lesion() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "lesion",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "kind",
                Kind::Text,
                "",
                "What was done: `none` (the whole network), `delete` (one block), `delete-layer` (one layer of a branch, with its batch norm and nonlinearity), `delete-random` (k random blocks) or `reorder` (k swaps of two random blocks of a stage).",
            ),
            column(
                "statistics",
                Kind::Text,
                "",
                "Running statistics of the batch norms: `kept`, those of the whole network as trained, or `re-estimated` after the lesion on a part of the training set.",
            ),
            column(
                "stage",
                Kind::Integer,
                "",
                "Stage of the block; null where no single block is meant.",
            ),
            column(
                "block",
                Kind::Integer,
                "",
                "Index of the block from the input, from 0; null where no single block is meant.",
            ),
            column(
                "name",
                Kind::Text,
                "",
                "Name of the block, such as `layer2.0`, or of the layer; null where no single one is meant.",
            ),
            column(
                "downsampling",
                Kind::Boolean,
                "",
                "Whether input and output of the block differ in shape; null where no single block is meant.",
            ),
            column(
                "k",
                Kind::Integer,
                "",
                "How many blocks or layers were deleted, or how many swaps were made.",
            ),
            column(
                "sample",
                Kind::Integer,
                "",
                "Number of the random draw, from 0; null where nothing is drawn.",
            ),
            column(
                "blocks",
                Kind::Text,
                "",
                "Indices of the blocks deleted, or of all blocks in their new order, apart by spaces; null for the whole network.",
            ),
            column(
                "kendall_tau",
                Kind::Real,
                "",
                "Kendall's rank correlation of the new order of blocks with the old one; null unless reordered.",
            ),
            column(
                "wrong",
                Kind::Integer,
                "samples",
                "Samples whose largest output is not their class.",
            ),
            column("total", Kind::Integer, "samples", "Samples evaluated."),
            column("loss", Kind::Real, "nats", "Mean loss over them."),
            column(
                "error",
                Kind::Real,
                "fraction",
                "Share of them that is wrong; null for regression.",
            ),
            column(
                "error_increase",
                Kind::Real,
                "fraction",
                "Error minus that of the whole network with the same kind of statistics; null for regression.",
            ),
        ],
    )
}
