//! The figures of the papers, each drawn from the tables alone.

pub mod degradation;
pub mod lesion;
pub mod transfer;
