//! What random matrix theory says of the singular values of a network's Jacobian, in the limit of
//! infinite width.
//!
//! | module | law | source |
//! |--------|-----|--------|
//! | [`residual`] | many blocks `x + F(x)` of variance 1/L; any number of blocks `I + X` | Tarnowski, Warchoł, Jastrzębski, Tabor, Nowak 2018; Ling, Qiu 2018 |
//! | [`plain`] | products of D W: ReLU or linear, Gaussian or orthogonal weights | Pennington, Schoenholz, Ganguli 2017 |
//! | [`mean_field`] | lengths q, slopes χ, variances c of blocks; gradients' growth with batch norm | Poole et al. 2016; Yang et al. 2019 |
//! | [`prediction`] | which of them a network has, and why none | |
//! | [`comparison`] | a sample of ln σ beside its law | |
//!
//! **How densities are found.** For λ = σ², let `G(λ)` be the resolvent and `m = λ G − 1`. The
//! S-transform of a product of free matrices is the product of theirs, and gives `ln λ(m) =
//! ln((1 + m)/m) − ln S(m)` explicitly. The density lies on the curve in the lower half-plane of m
//! on which λ is real: there it is `−Im m / π` per unit of ln λ, that is `−2 Im m / π` per unit of
//! ln σ. With `H = ∫ m d ln λ`, `Im H / π` is the mass above a point, without quadrature. The laws
//! here differ only in `ln λ(m)` and H.

pub mod comparison;
pub mod mean_field;
pub mod plain;
pub mod prediction;
pub mod residual;
mod spectrum;
#[cfg(test)]
mod tests;
mod trace;

pub use comparison::Comparison;
pub use plain::{PlainLaw, Weights};
pub use prediction::{Prediction, predict};
pub use spectrum::{Point, Spectrum};

/// A law of the singular values of a product of blocks.
#[derive(Debug, Clone, PartialEq)]
pub enum Law {
    /// Infinitely many residual blocks whose branches have variances that sum to c.
    ManyBlocks {
        /// Sum over blocks of the mean square singular value of the branch's Jacobian.
        c: f64,
    },
    /// Residual blocks `I + X` with Gaussian X of these mean square singular values.
    Blocks {
        /// One a block.
        variances: Vec<f64>,
    },
    /// A plain network.
    Plain(PlainLaw),
}

impl Law {
    /// How it is called in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Law::ManyBlocks { .. } => "many-blocks",
            Law::Blocks { .. } => "blocks",
            Law::Plain(_) => "plain",
        }
    }

    /// Its density, distribution and edges.
    pub fn spectrum(&self) -> Spectrum {
        match self {
            Law::ManyBlocks { c } => residual::many_blocks(*c),
            Law::Blocks { variances } => residual::blocks(variances),
            Law::Plain(law) => law.spectrum(),
        }
    }

    /// Mean of λ = σ²: e^c, or ∏ (1 + variance), or that of [`PlainLaw::mean_square`].
    pub fn mean_square(&self) -> f64 {
        match self {
            Law::ManyBlocks { c } => c.exp(),
            Law::Blocks { variances } => variances.iter().map(|t| 1.0 + t).product(),
            Law::Plain(law) => law.mean_square(),
        }
    }
}
