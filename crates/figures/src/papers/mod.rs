//! The figures of the papers, each drawn from the tables alone.

pub mod blocks_per_step;
pub mod degradation;
pub mod expressivity;
pub mod generalisation;
pub mod gradients;
pub mod hessian;
pub mod identity;
pub mod jacobian;
pub mod landscape;
pub mod learning_rate;
pub mod lesion;
pub mod paths;
pub mod shattering;
pub mod smoothness;
pub mod transfer;
pub mod variants;
