//! Curvature: eigenvalues at both ends of the Hessian of the mean loss, its trace, and its spectral
//! density, from products with vectors alone.
//!
//! | quantity | method | source |
//! |----------|--------|--------|
//! | largest and smallest eigenvalues, each with its residual | Lanczos, full reorthogonalisation | [`extremes()`], [`crate::lanczos`] |
//! | trace, with its standard error | random probing | Hutchinson 1990; Yao et al. 2020, section 3 |
//! | spectral density, with its standard error | stochastic Lanczos quadrature | Ghorbani et al. 2019, section 2 |
//!
//! The definition of the function, and what its batches mean, is in [`LossHessian`]'s module.

mod density;
mod double;
mod extremes;
mod measure;
mod operator;
mod settings;
mod single;
mod start;
mod trace;

pub use density::{Density, Quadrature, quadrature};
pub use extremes::{Eigenvalue, ExtremeSettings, Extremes, extremes};
pub use measure::measure;
pub use operator::{Coordinates, LossHessian, MeanLoss, Poll, Precision, Slope};
pub use settings::{DensitySettings, HessianSettings, Mode, Samples, TraceSettings};
pub use trace::{Trace, trace};
