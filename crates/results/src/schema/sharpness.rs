//! The table `sharpness`: rise of the loss under perturbations of the weights.

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch, rescaling, kind of perturbation, radius and draw.
pub fn sharpness() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, unit, meaning| column(name, Kind::Real, unit, meaning);
    Schema::new(
        "sharpness",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            real(
                "rescale",
                "",
                "α: the first layer of every branch is multiplied by it, and what follows is changed so that the function stays the same; 1 is the network as trained.",
            ),
            column(
                "kind",
                Kind::Text,
                "",
                "The perturbation: `gaussian` (normal numbers, their length a share of that of all weights), `filter` (of each filter a share of its own length), `gradient` (along the gradient, as long as `gaussian`) or `gradient-filter` (along the gradient in units of the filters' lengths, as long as `filter` in these units); `curvature`: none, the largest eigenvalue of the Hessian instead.",
            ),
            real(
                "radius",
                "",
                "Length of the perturbation as a share of that of the weights (or filters); null of `curvature`.",
            ),
            column(
                "draw",
                Kind::Integer,
                "",
                "Number of the random direction, from 0; null along the gradient and of `curvature`.",
            ),
            column(
                "samples",
                Kind::Integer,
                "samples",
                "Samples of the training set whose mean loss is looked at.",
            ),
            real("weight_norm", "", "Euclidean norm of all weights."),
            real("loss", "nats", "Mean loss at the weights, evaluation mode."),
            real(
                "loss_after",
                "nats",
                "Mean loss at the perturbed weights; null of `curvature`.",
            ),
            real(
                "rise",
                "nats",
                "`loss_after` minus `loss`; null of `curvature`.",
            ),
            real(
                "eigenvalue",
                "",
                "Of `curvature`: largest eigenvalue of the Hessian of the mean loss by the weights of convolutions and linear layers.",
            ),
            real(
                "eigenvalue_error",
                "",
                "Its residual `‖H x − λ x‖`, x of length 1: an eigenvalue is within this distance.",
            ),
        ],
    )
}
