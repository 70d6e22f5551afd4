//! The table `smoothness`: loss and gradient along the gradient (Santurkar et al. 2018, section 3).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch, mini-batch and multiple of the learning rate.
pub fn smoothness() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, unit, meaning| column(name, Kind::Real, unit, meaning);
    Schema::new(
        "smoothness",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "batch",
                Kind::Integer,
                "",
                "Number of the mini-batch, from 0.",
            ),
            column(
                "samples",
                Kind::Integer,
                "samples",
                "Samples of the mini-batch.",
            ),
            real(
                "lr",
                "",
                "Learning rate in force: of the step that follows, after the last epoch of the last step.",
            ),
            real("multiple", "", "Length of the step as a multiple of `lr`."),
            real(
                "step_size",
                "",
                "η = `multiple` times `lr`; the step goes from θ to θ − η g.",
            ),
            real(
                "loss",
                "nats",
                "Mean loss of the mini-batch at θ, batch norms in training mode.",
            ),
            real("loss_after", "nats", "The same at θ − η g."),
            real(
                "gradient_norm",
                "",
                "Euclidean norm of g, the gradient of that loss by all parameters.",
            ),
            real("gradient_norm_after", "", "The same at θ − η g."),
            real(
                "step_norm",
                "",
                "Euclidean norm of the step η g as it was made in single precision.",
            ),
            real(
                "gradient_change",
                "",
                "‖∇L(θ − η g) − g‖: how far the gradient moves along the step (gradient predictiveness).",
            ),
            real(
                "smoothness",
                "",
                "`gradient_change` / `step_norm`: effective β-smoothness at this length; null if there was no step.",
            ),
            real(
                "cosine",
                "",
                "Cosine between ∇L(θ − η g) and g; null if one of them is 0.",
            ),
        ],
    )
}
