//! The table `gradients`: norms of gradients through depth, and by which road they come.

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and place, and one for the fit.
pub fn gradients() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, meaning| column(name, Kind::Real, "", meaning);
    Schema::new(
        "gradients",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "kind",
                Kind::Text,
                "",
                "`stem`, `block`, or `fit`: the line through the logarithms of `output_gradient_norm` of all others.",
            ),
            column(
                "block",
                Kind::Integer,
                "",
                "Index of the block from the input, from 0; null for stem and fit.",
            ),
            column(
                "depth",
                Kind::Integer,
                "blocks",
                "l: blocks up to here, 0 at the stem's output; null for the fit.",
            ),
            column("name", Kind::Text, "", "Name of the block."),
            column("stage", Kind::Integer, "", "Stage of the block."),
            real(
                "output_gradient_norm",
                "Euclidean norm, over the whole batch, of the gradient of the mean loss by h_l, the output of the stem or block.",
            ),
            real(
                "weight_gradient_norm",
                "Euclidean norm of the gradient of the mean loss by the parameters of the stem or block.",
            ),
            real(
                "mean_square",
                "Mean of the squares of h_l over samples, positions and channels.",
            ),
            real(
                "branch_ratio",
                "Norm of what the branches add, divided by the norm of what the shortcut brings; of a plain block norm of the branch's output divided by that of the block's input.",
            ),
            real(
                "gamma_rms",
                "Root mean square over channels of the weight γ of the last batch norm of the block's branch; null without batch norm.",
            ),
            real(
                "shortcut_share",
                "Norm of the part of the gradient at the block's input that comes through the shortcut alone, divided by the norm of the whole; null for plain blocks, as the next two.",
            ),
            real(
                "branch_share",
                "The same of the rest, which comes through the branches.",
            ),
            real(
                "shortcut_branch_cosine",
                "Cosine between these two parts: −1 where they cancel.",
            ),
            column(
                "log_rate",
                Kind::Real,
                "nats per block",
                "Fit: growth of the logarithm of `output_gradient_norm` for each block that it goes backward, by least squares; its exponential is the factor a block. Null but for the fit, as the next three.",
            ),
            column(
                "log_rate_se",
                Kind::Real,
                "nats per block",
                "Its standard error.",
            ),
            real(
                "r_squared",
                "Share of the variance of the logarithms that the line explains.",
            ),
            column(
                "points",
                Kind::Integer,
                "",
                "Points fitted: places whose norm is finite and not 0.",
            ),
            column("samples", Kind::Integer, "samples", "Samples of the batch."),
        ],
    )
}
