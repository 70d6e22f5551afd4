//! The tables `jacobian_theory` and `jacobian_density`: spectra of products of blocks beside what
//! free probability says of them.

use crate::table::{ColumnSpec, Kind, Schema};

/// What both tables begin with.
fn object() -> Vec<ColumnSpec> {
    let column = ColumnSpec::new;
    vec![
        column("run_id", Kind::Text, "", "The run, as in `runs`."),
        column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
        column(
            "sample",
            Kind::Integer,
            "",
            "The sample that the network is linearised at, as in `jacobian`.",
        ),
        column(
            "grow",
            Kind::Text,
            "",
            "The end that the product grows from.",
        ),
        column(
            "first",
            Kind::Integer,
            "",
            "Index of the first block in it, from 0.",
        ),
        column("last", Kind::Integer, "", "Index of the last block in it."),
        column("blocks", Kind::Integer, "blocks", "Blocks in it."),
        column(
            "law",
            Kind::Text,
            "",
            "`many-blocks`: residual blocks of variances of order 1/L, of which only the sum c matters (Tarnowski et al. 2018). `blocks`: residual blocks I + X with Gaussian X, any number. `plain`: products of weights and gates (Pennington et al. 2017).",
        ),
    ]
}

/// One row a run, epoch, sample, product and law; or one with the reason, where there is no law.
pub fn jacobian_theory() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, meaning| column(name, Kind::Real, "", meaning);
    let log = |name: &str, meaning: &str| column(name, Kind::Real, "nats", meaning);
    let mut columns = object();
    columns.extend([
        column(
            "note",
            Kind::Text,
            "",
            "Why there is no law, or what is known to deviate from it; null where nothing is.",
        ),
        real(
            "c",
            "Residual: sum over blocks of the predicted mean square singular value of ∂F/∂h. Null without a law, as all that follows.",
        ),
        real("c_measured", "The same of the branches' Jacobians as they are."),
        column("count", Kind::Integer, "", "Singular values σ of the product."),
        real(
            "distance",
            "Kolmogorov–Smirnov distance between law and sample of σ, zeros included.",
        ),
        log(
            "edge_low_predicted",
            "ln of the smallest σ of the law; −∞ where it reaches down to 0.",
        ),
        log("edge_low_measured", "ln of the smallest σ measured; −∞ where it is 0."),
        log("edge_high_predicted", "ln of the largest σ of the law."),
        log("edge_high_measured", "ln of the largest σ measured."),
        column(
            "outliers_low",
            Kind::Integer,
            "",
            "σ below the lower edge by more than 2 N^(−2/3) of the width of the law in ln σ.",
        ),
        column(
            "outliers_high",
            Kind::Integer,
            "",
            "σ above the upper edge by more than that.",
        ),
        real("square_predicted", "E σ² of the law: e^c for `many-blocks`."),
        real("square_measured", "Mean of σ²."),
        real("square_trimmed", "Mean of σ² without the outliers above."),
        real("zeros_predicted", "Share of σ that are 0."),
        real("zeros_measured", "Share of σ that are 0."),
    ]);
    for (predicted, measured, share) in [
        ("q05_predicted", "q05_measured", "5 %"),
        ("q25_predicted", "q25_measured", "25 %"),
        ("q50_predicted", "q50_measured", "50 %"),
        ("q75_predicted", "q75_measured", "75 %"),
        ("q95_predicted", "q95_measured", "95 %"),
    ] {
        let meaning = format!("{share} quantile of ln σ over the predicted share that is not 0.");
        columns.push(log(predicted, &meaning));
        columns.push(log(measured, "The same of the sample."));
    }
    columns.push(real(
        "deviation",
        "Largest difference of these quantiles, in units of half the predicted range from 5 % to 95 %.",
    ));
    Schema::new("jacobian_theory", columns)
}

/// One row a run, epoch, sample, product, law and bin of ln σ, or outlier.
pub fn jacobian_density() -> Schema {
    let column = ColumnSpec::new;
    let mut columns = object();
    columns.extend([
        column(
            "kind",
            Kind::Text,
            "",
            "`bin`; or `outlier`, a singular value outside all bins.",
        ),
        column(
            "log_sigma",
            Kind::Real,
            "nats",
            "Middle of the bin, or ln σ of the outlier.",
        ),
        column(
            "width",
            Kind::Real,
            "nats",
            "Width of the bin; null for outliers, as the next two.",
        ),
        column(
            "measured",
            Kind::Real,
            "per nat",
            "Share of σ in the bin (of all, zeros among them) divided by its width.",
        ),
        column(
            "predicted",
            Kind::Real,
            "per nat",
            "The law's density at its middle.",
        ),
    ]);
    Schema::new("jacobian_density", columns)
}
