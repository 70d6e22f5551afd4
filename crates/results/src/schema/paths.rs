//! The tables `paths` and `path_summary`: the gradient by length of path (Veit et al. 2016).

use crate::table::{ColumnSpec, Kind, Schema};

fn head() -> Vec<ColumnSpec> {
    let column = ColumnSpec::new;
    vec![
        column("run_id", Kind::Text, "", "The run, as in `runs`."),
        column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
    ]
}

/// One row a run, epoch and length of path.
pub fn paths() -> Schema {
    let real = |name, meaning| ColumnSpec::new(name, Kind::Real, "", meaning);
    let integer = |name, unit, meaning| ColumnSpec::new(name, Kind::Integer, unit, meaning);
    let mut columns = head();
    columns.extend([
        integer("blocks", "blocks", "Blocks of the network, n."),
        integer("samples", "samples", "Samples of the batch whose mean loss is differentiated."),
        integer(
            "k",
            "blocks",
            "Length of the paths: the blocks whose branches they go through.",
        ),
        real("log2_paths", "Binary logarithm of the number of paths of this length, C(n, k)."),
        real("path_share", "Their share of all 2ⁿ paths."),
        integer(
            "draws",
            "paths",
            "Random paths of this length that were sampled; 0 if it was left out.",
        ),
        real(
            "sampled_norm",
            "Mean over draws of the norm of the gradient at the first block's input that comes along one path.",
        ),
        real("sampled_norm_error", "Standard error of that mean over draws."),
        real(
            "sampled_contribution",
            "Number of paths times `sampled_norm`, as a share of its sum over lengths; lengths that were left out are interpolated.",
        ),
        real(
            "sampled_share",
            "Estimate of `order_share` from the draws: number of paths times mean projection.",
        ),
        real("sampled_share_error", "Standard error of that estimate over draws."),
        real("gradient_norm", "Norm of the whole gradient at the first block's input."),
        real(
            "order_norm",
            "Norm of the sum of all paths of this length: the term of order k, exact.",
        ),
        real("order_cosine", "Cosine between that term and the whole gradient."),
        real(
            "order_share",
            "Projection of that term on the whole gradient, over the gradient's norm: signed, and 1 in sum.",
        ),
        real("order_share_cumulative", "Sum of `order_share` up to this length."),
        real("order_contribution", "`order_norm` as a share of its sum over lengths."),
        real(
            "coherence",
            "`order_norm` over number of paths times `sampled_norm`: near 1 if paths of this length point the same way, near 0 if they cancel.",
        ),
    ]);
    Schema::new("paths", columns)
}

/// One row a run, epoch and way to measure.
pub fn path_summary() -> Schema {
    let real = |name, unit, meaning| ColumnSpec::new(name, Kind::Real, unit, meaning);
    let integer = |name, meaning| ColumnSpec::new(name, Kind::Integer, "blocks", meaning);
    let mut columns = head();
    columns.extend([
        ColumnSpec::new(
            "estimate",
            Kind::Text,
            "",
            "What contributes: `sampled`, number of paths times the norm of one (the paper's); `orders`, the norm of their sum.",
        ),
        integer("blocks", "Blocks of the network, n."),
        integer("low", "Shortest path of the effective range: the fewest lengths in a row that hold 95 % of the contributions."),
        integer("high", "Longest path of the effective range."),
        real("mass", "", "Share of the contributions in that range."),
        real("effective_paths", "", "Share of all 2ⁿ paths with a length in that range."),
        real("mean_length", "blocks", "Mean length, weighted by contribution."),
        real("length_deviation", "blocks", "Standard deviation of the length, weighted by contribution."),
        real("gain", "", "r of the line ln(magnitude of one path) = a + k ln r, by least squares over lengths; the magnitude of `orders` is the term's norm over the number of paths."),
        real("gain_error", "", "Standard error of r."),
        real("r_squared", "", "Share of the variance of the logarithms that the line explains."),
        real("total_variation", "", "Total variation distance between the contributions and Binomial(n, r/(1 + r))."),
        real("gain_of_mean", "", "r of the binomial whose mean is `mean_length`."),
        real("total_variation_of_mean", "", "Total variation distance between the contributions and that binomial."),
    ]);
    Schema::new("path_summary", columns)
}
