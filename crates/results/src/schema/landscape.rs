//! The tables `landscape`, `landscape_curvature` and `trajectory`: the loss surface around a
//! network (Li et al. 2018).

use crate::table::{ColumnSpec, Kind, Schema};

/// Which point of which surface.
fn place() -> Vec<ColumnSpec> {
    let column = ColumnSpec::new;
    vec![
        column("run_id", Kind::Text, "", "The run, as in `runs`."),
        column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
        column(
            "surface",
            Kind::Text,
            "",
            "What it is cut along: `line` or `plane` of random directions, `trajectory` of the optimiser, `interpolation` to another network.",
        ),
        column(
            "draw",
            Kind::Integer,
            "",
            "Number of the draw of random directions; 0 elsewhere.",
        ),
        column(
            "directions",
            Kind::Text,
            "",
            "Start of the SHA-256 of the directions: equal where they are.",
        ),
        column(
            "normalisation",
            Kind::Text,
            "",
            "Scale of random directions: that of each `filter`, of each `layer`, or `none`; null elsewhere.",
        ),
        column(
            "one_dimensional",
            Kind::Boolean,
            "",
            "Whether biases and batch norms move as well.",
        ),
        column(
            "statistics",
            Kind::Text,
            "",
            "Batch norms' running statistics: `kept` from the centre, `recomputed` at each point, or `interpolated` with the parameters.",
        ),
        column("set", Kind::Text, "", "`train` or `test`."),
        column(
            "samples",
            Kind::Integer,
            "samples",
            "How many of its samples, from the first on.",
        ),
        column(
            "x",
            Kind::Real,
            "",
            "Place along the first direction; 0 is the network itself.",
        ),
        column(
            "y",
            Kind::Real,
            "",
            "Place along the second direction; null on a line.",
        ),
    ]
}

/// One row a point, kind of statistics and set.
pub fn landscape() -> Schema {
    let mut columns = place();
    columns.extend([
        ColumnSpec::new("loss", Kind::Real, "", "Mean loss."),
        ColumnSpec::new(
            "error",
            Kind::Real,
            "",
            "Share of samples not classified right; null for regression.",
        ),
    ]);
    Schema::new("landscape", columns)
}

/// One row a point at which curvature was measured.
pub fn landscape_curvature() -> Schema {
    let mut columns = place();
    columns.extend([
        ColumnSpec::new(
            "lambda_max",
            Kind::Real,
            "",
            "Largest eigenvalue of the Hessian of the mean loss over the weights (parameters with more than one dimension).",
        ),
        ColumnSpec::new("lambda_min", Kind::Real, "", "Smallest eigenvalue."),
        ColumnSpec::new("ratio", Kind::Real, "", "|λ_min / λ_max|: near 0 where the surface is convex (Li et al. 2018, Fig. 7)."),
        ColumnSpec::new("residual_max", Kind::Real, "", "‖H v − λ v‖ of the largest: the error of the eigenvalue is at most this."),
        ColumnSpec::new("residual_min", Kind::Real, "", "‖H v − λ v‖ of the smallest."),
        ColumnSpec::new("products", Kind::Integer, "", "Hessian–vector products that were used."),
    ]);
    Schema::new("landscape_curvature", columns)
}

/// One row a snapshot of the training.
pub fn trajectory() -> Schema {
    let real = |name, meaning| ColumnSpec::new(name, Kind::Real, "", meaning);
    Schema::new(
        "trajectory",
        vec![
            ColumnSpec::new("run_id", Kind::Text, "", "The run, as in `runs`."),
            ColumnSpec::new(
                "epoch",
                Kind::Integer,
                "epochs",
                "Epochs of training done at the centre of the surface.",
            ),
            ColumnSpec::new(
                "directions",
                Kind::Text,
                "",
                "Start of the SHA-256 of the directions, as in `landscape`.",
            ),
            ColumnSpec::new(
                "at_epoch",
                Kind::Integer,
                "epochs",
                "Epochs of training done at this place of the trajectory.",
            ),
            real(
                "x",
                "Projection of θ_t − θ_n on the first principal component.",
            ),
            real("y", "Projection on the second."),
            real(
                "share_x",
                "Share of the variance of the trajectory along the first component.",
            ),
            real("share_y", "Share along the second."),
            real("distance", "‖θ_t − θ_n‖."),
            real(
                "captured",
                "Share of ‖θ_t − θ_n‖² that lies in the plane; null at the centre.",
            ),
            real(
                "lr",
                "Learning rate in force at the end of that epoch; null before training.",
            ),
        ],
    )
}
