//! The tables of the instrument `jacobian`: spectra of Jacobians of blocks and of their products.

use crate::table::{ColumnSpec, Kind, Schema};

/// What every table of the instrument begins with.
fn object() -> Vec<ColumnSpec> {
    let column = ColumnSpec::new;
    vec![
        column("run_id", Kind::Text, "", "The run, as in `runs`."),
        column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
        column(
            "sample",
            Kind::Integer,
            "",
            "Index in its set of the sample that the network is linearised at; null where that is a whole batch.",
        ),
        column(
            "kind",
            Kind::Text,
            "",
            "Which map: `branch` (∂F/∂h of a block), `sum` (shortcut and branches, I + ∂F/∂h), `block` (the same with the nonlinearity after the addition), `product` (of whole blocks).",
        ),
        column(
            "grow",
            Kind::Text,
            "",
            "Of a product: the end that it grows from, `input` or `output`.",
        ),
        column(
            "first",
            Kind::Integer,
            "",
            "Index of the first block in it, from 0.",
        ),
        column("last", Kind::Integer, "", "Index of the last block in it."),
        column("blocks", Kind::Integer, "blocks", "Blocks in it."),
    ]
}

/// One row a run, epoch, sample and map.
pub fn jacobian() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, meaning| column(name, Kind::Real, "", meaning);
    let log = |name, meaning| column(name, Kind::Real, "nats", meaning);
    let mut columns = object();
    columns.extend([
        column(
            "method",
            Kind::Text,
            "",
            "`dense`: the Jacobian was written down. `lanczos`: it was multiplied with vectors; then the largest and smallest are those of Lanczos, everything else is from quadratures.",
        ),
        column("name", Kind::Text, "", "Name of the block; null for products."),
        column("stage", Kind::Integer, "", "Stage of the block; null for products."),
        column("inputs", Kind::Integer, "", "Numbers that go in."),
        column("outputs", Kind::Integer, "", "Numbers that come out."),
        column(
            "count",
            Kind::Integer,
            "",
            "Singular values σ: the smaller of these two numbers.",
        ),
        column(
            "rank",
            Kind::Integer,
            "",
            "Those that are not 0 (of a block: above its width times 2.2·10⁻¹⁶ of the largest; of a product: not lost to rounding in any factor). With Lanczos an estimate: the share of the density above its own residuals, times `count`.",
        ),
        log("log_max", "Natural logarithm of the largest σ."),
        log(
            "log_min",
            "Of the smallest that is not 0; with Lanczos of the smallest Ritz value above its residual, which a smaller σ may lie below.",
        ),
        log("log_mean", "Mean of ln σ over those that are not 0, as the next four."),
        log("log_deviation", "Standard deviation of ln σ."),
        log("log_q05", "5 % quantile of ln σ."),
        log("log_q50", "Median of ln σ."),
        log("log_q95", "95 % quantile of ln σ."),
        log(
            "log_rms",
            "Natural logarithm of the root mean square of all σ, zeros among them.",
        ),
        log(
            "log_condition",
            "Natural logarithm of the condition number: log_max − log_min.",
        ),
        real(
            "effective_rank",
            "Exponential of the entropy of σ/Σσ (Roy, Vetterli 2007).",
        ),
        real("share_near_one", "Share of all σ within [1/2, 2]."),
        real(
            "branch_square",
            "Of a branch: ‖∂F/∂h‖² (Frobenius) divided by `inputs`, the mean square of its σ where it is square. Of a product: the sum over its blocks, the c of Tarnowski et al. 2018. Null with Lanczos, with gates, and for `sum` and `block`.",
        ),
        log(
            "log_mean_se",
            "Lanczos: standard error of `log_mean` over the random starts. Null otherwise, as the next four.",
        ),
        real(
            "residual_max",
            "Residual ‖Jᵀu − σv‖/σ of the largest σ.",
        ),
        real("residual_min", "The same of the smallest."),
        column("steps", Kind::Integer, "", "Lanczos steps from each start."),
        column("starts", Kind::Integer, "", "Random starts."),
        real(
            "gradient_out",
            "Product: ‖g‖, g the gradient of the sample's loss at its output. Null for blocks, as the rest.",
        ),
        real(
            "gradient_through",
            "‖gP‖, the norm of the loss's gradient at its input.",
        ),
        real(
            "identity_norm",
            "Norm of the part of gP that takes every shortcut (order 0), divided by ‖gP‖; null where a block is plain or gated, as the rest.",
        ),
        real(
            "first_order_norm",
            "The same of the sum of the paths through one branch.",
        ),
        real(
            "higher_order_norm",
            "The same of the paths through two branches or more.",
        ),
        real(
            "identity_share",
            "Product of the part of order 0 with gP, divided by ‖gP‖²: the three shares sum to 1.",
        ),
        real("first_order_share", "The same of order 1."),
        real("higher_order_share", "The same of higher orders."),
    ]);
    Schema::new("jacobian", columns)
}

/// One row a singular value or eigenvalue.
pub fn jacobian_values() -> Schema {
    let column = ColumnSpec::new;
    let real = |name, meaning| column(name, Kind::Real, "", meaning);
    let mut columns = object();
    columns.extend([
        column(
            "what",
            Kind::Text,
            "",
            "`singular` or `eigen`. Eigenvalues are those of square maps: of `sum` and `block`, and of `branch` where the block is plain.",
        ),
        column(
            "rank",
            Kind::Integer,
            "",
            "Its rank among all, from 0 for the largest (of eigenvalues by real part); at most `probes.jacobian.values` are kept, evenly by rank, conjugate pairs together.",
        ),
        column("count", Kind::Integer, "", "How many there are."),
        column(
            "log_sigma",
            Kind::Real,
            "nats",
            "Natural logarithm of the singular value; those of 0 have no row. With Lanczos a quantile of the mean density.",
        ),
        column(
            "log_sigma_se",
            Kind::Real,
            "nats",
            "Lanczos: standard error of that quantile over the random starts, if there are several.",
        ),
        real("re", "Real part of the eigenvalue."),
        real("im", "Imaginary part of the eigenvalue."),
    ]);
    Schema::new("jacobian_values", columns)
}

/// One row a Lyapunov exponent of a product.
pub fn jacobian_exponents() -> Schema {
    let column = ColumnSpec::new;
    let mut columns = object();
    columns.retain(|column| column.name != "kind");
    columns.extend([
        column(
            "rank",
            Kind::Integer,
            "",
            "Its rank, from 0 for the largest; kept evenly by rank as in `jacobian_values`.",
        ),
        column(
            "count",
            Kind::Integer,
            "",
            "Singular values of the product, zeros among them, which have no row.",
        ),
        column(
            "exponent_qr",
            Kind::Real,
            "nats per block",
            "Sum of ln |R_ii| over the factors by QR re-orthogonalisation, divided by the number of blocks.",
        ),
        column(
            "exponent_sigma",
            Kind::Real,
            "nats per block",
            "ln σ of the product divided by the number of blocks; the limit of many blocks is the same.",
        ),
    ]);
    Schema::new("jacobian_exponents", columns)
}
