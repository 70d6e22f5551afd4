//! The table `layers`: norms, gradients and responses through depth (He et al. 2015, Fig. 7).

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run, epoch and block or layer.
pub fn layers() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "layers",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "block",
                Kind::Integer,
                "",
                "Index of the block from the input, from 0; null for layers of the stem and the head.",
            ),
            column(
                "name",
                Kind::Text,
                "",
                "Name of the block or layer, as in the parameters (`layer2.0`, `layer2.0.conv1`).",
            ),
            column(
                "stage",
                Kind::Integer,
                "",
                "Stage of the network (blocks of one width and resolution) the block is in; null for stem and head.",
            ),
            column("kind", Kind::Text, "", "`block` or `layer`."),
            column(
                "weight_norm",
                Kind::Real,
                "",
                "Euclidean norm of all parameters of the block or layer.",
            ),
            column(
                "gradient_norm",
                Kind::Real,
                "",
                "Euclidean norm of the gradient of the mean loss by those parameters.",
            ),
            column(
                "output_gradient_norm",
                Kind::Real,
                "",
                "Euclidean norm, over the whole batch, of the gradient of the mean loss by the output of the block; null for layers.",
            ),
            column(
                "response_std",
                Kind::Real,
                "",
                "Standard deviation, over samples, positions and channels, of the layer's output after its batch norm and before activation and addition (He et al. 2015, Fig. 7); null for blocks.",
            ),
        ],
    )
}
