//! The table `identity`: how near each block is to the identity (He et al. 2015, section 3.1).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and block.
pub fn identity() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "identity",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "block",
                Kind::Integer,
                "",
                "Index of the block from the input, from 0.",
            ),
            column("name", Kind::Text, "", "Name of the block."),
            column("stage", Kind::Integer, "", "Stage of the block."),
            column(
                "downsampling",
                Kind::Boolean,
                "",
                "Whether input and output of the block differ in shape.",
            ),
            column(
                "input_norm",
                Kind::Real,
                "",
                "Euclidean norm of the block's input x over the whole batch.",
            ),
            column(
                "branch_norm",
                Kind::Real,
                "",
                "Euclidean norm of F(x), what the block's branch makes of it, before the addition.",
            ),
            column("ratio", Kind::Real, "", "`branch_norm` / `input_norm`."),
            column(
                "cosine",
                Kind::Real,
                "",
                "Cosine between F(x) and x over the whole batch; null where their shapes differ or F(x) is 0.",
            ),
            column(
                "drift",
                Kind::Real,
                "",
                "How far all blocks so far are from the identity: norm of the block's output minus the first block's input, against the norm of the latter; null where their shapes differ.",
            ),
        ],
    )
}
