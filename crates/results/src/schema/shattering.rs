//! The table `shattering`: correlation of gradients between inputs (Balduzzi et al. 2017).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and number of blocks.
pub fn shattering() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, meaning| column(name, Kind::Real, "", meaning);
    Schema::new(
        "shattering",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "depth",
                Kind::Integer,
                "blocks",
                "Blocks between the gradient's two ends: random projections of the output of the first so many blocks, differentiated by the stem's output.",
            ),
            real(
                "correlation",
                "Mean over pairs of inputs and projections of the cosine between their gradients.",
            ),
            real(
                "correlation_se",
                "Its standard error over inputs, as of a U-statistic.",
            ),
            real(
                "covariance",
                "Mean over pairs and projections of the product of their gradients, for projections of length 1.",
            ),
            real(
                "variance",
                "Mean over inputs and projections of the squared norm of the gradient, for projections of length 1.",
            ),
            real(
                "activation_correlation",
                "Mean over pairs of the cosine between the outputs of the first so many blocks.",
            ),
            column("pairs", Kind::Integer, "", "Pairs of inputs."),
            column("samples", Kind::Integer, "", "Inputs."),
            column("draws", Kind::Integer, "", "Projections."),
        ],
    )
}
