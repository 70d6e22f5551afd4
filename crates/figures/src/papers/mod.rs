//! The figures of the papers, each drawn from the tables alone.

pub mod degradation;
pub mod gradients;
pub mod shattering;
pub mod transfer;
