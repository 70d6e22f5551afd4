//! The tables `hessian` and `hessian_density`: curvature of the loss (Ghorbani et al. 2019; Yao et
//! al. 2020).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and quantity.
pub fn hessian() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "hessian",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "quantity",
                Kind::Text,
                "",
                "`top`: one of the largest eigenvalues of the Hessian of the mean loss; `bottom`: one of the smallest; `trace`: its trace.",
            ),
            column(
                "rank",
                Kind::Integer,
                "",
                "1 for the largest or smallest eigenvalue, then inwards; null for the trace.",
            ),
            column("value", Kind::Real, "", "The eigenvalue or trace."),
            column(
                "error",
                Kind::Real,
                "",
                "Of an eigenvalue λ with vector x of length 1 the residual, the norm of Hx − λx, within which there is an eigenvalue of H; of the trace its standard error over random vectors.",
            ),
            column(
                "converged",
                Kind::Boolean,
                "",
                "Whether the residual is at most `tolerance` times |λ| (or times a thousandth of the largest |λ|); null for the trace.",
            ),
            column(
                "gradient_share",
                Kind::Real,
                "",
                "Squared cosine between x and the gradient of the mean loss; null for the trace.",
            ),
            column(
                "products",
                Kind::Integer,
                "",
                "Hessian–vector products done: for all eigenvalues together, or for the trace.",
            ),
            column(
                "loss",
                Kind::Real,
                "nats",
                "The mean loss over the samples.",
            ),
            column(
                "gradient_norm",
                Kind::Real,
                "",
                "Euclidean norm of its gradient by the parameters that are counted in `dimension`.",
            ),
            column(
                "dimension",
                Kind::Integer,
                "",
                "Parameters that the Hessian is taken by: its rows.",
            ),
            column(
                "samples",
                Kind::Integer,
                "samples",
                "Samples that the loss is a mean over.",
            ),
            column("set", Kind::Text, "", "`train` or `test`."),
            column(
                "mode",
                Kind::Text,
                "",
                "`evaluation`: batch norms use their running statistics; `training`: those of the batch.",
            ),
            column(
                "batch_size",
                Kind::Integer,
                "samples",
                "Samples of a batch: part of the definition in mode `training` only.",
            ),
            column(
                "tolerance",
                Kind::Real,
                "",
                "What `converged` is judged by.",
            ),
            column(
                "precision",
                Kind::Text,
                "",
                "Arithmetic of the products: `f32` or `f64`. Everything else is in `f64`.",
            ),
        ],
    )
}

/// One row a run, epoch and point of the grid.
pub fn hessian_density() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "hessian_density",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "eigenvalue",
                Kind::Real,
                "",
                "Point of an even grid over the Hessian's eigenvalues.",
            ),
            column(
                "density",
                Kind::Real,
                "",
                "Share of the eigenvalues for each unit of `eigenvalue`, smoothed by a normal kernel: a mean over random vectors. Its integral is 1.",
            ),
            column(
                "density_se",
                Kind::Real,
                "",
                "Its standard error over random vectors; null for a single one.",
            ),
            column(
                "kernel_width",
                Kind::Real,
                "",
                "Standard deviation of the kernel: what is narrower is not resolved.",
            ),
            column("draws", Kind::Integer, "", "Random vectors."),
            column(
                "steps",
                Kind::Integer,
                "",
                "Steps of Lanczos' method from each, at most.",
            ),
        ],
    )
}
