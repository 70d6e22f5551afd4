//! The table `expressivity`: networks built to equal a trained plain one (He et al. 2015, section 1).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and network.
pub fn expressivity() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "expressivity",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "kind",
                Kind::Text,
                "",
                "`given` (the trained network), `deeper` (plain, with identity blocks added) or `residual` (F = H − x in every block that keeps its shape).",
            ),
            column(
                "added",
                Kind::Integer,
                "blocks",
                "Identity blocks added to each stage; null unless deeper.",
            ),
            column("blocks", Kind::Integer, "", "Blocks of the network."),
            column(
                "layers",
                Kind::Integer,
                "",
                "Convolutions and linear layers from input to output.",
            ),
            column(
                "parameters",
                Kind::Integer,
                "",
                "Parameters of the network.",
            ),
            column(
                "largest_difference",
                Kind::Real,
                "",
                "Largest difference between an output and that of the given network, against the largest output, in single precision.",
            ),
            column(
                "set",
                Kind::Text,
                "",
                "The set it was evaluated on, `train` or `test`.",
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
                "`wrong` / `total`; null for regression.",
            ),
        ],
    )
}
