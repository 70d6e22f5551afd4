//! The table `lesion`: a trained network with blocks deleted or reordered (Veit et al. 2016).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and lesion.
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
                "What was done: `none` (the whole network) or `delete` (one block).",
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
                "Name of the block, such as `layer2.0`.",
            ),
            column(
                "downsampling",
                Kind::Boolean,
                "",
                "Whether input and output of the block differ in shape.",
            ),
            column("k", Kind::Integer, "", "How many blocks were touched."),
            column(
                "sample",
                Kind::Integer,
                "",
                "Number of the random draw, from 0; null where nothing is drawn.",
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
        ],
    )
}
