//! The figures of the papers, each drawn from the tables alone.

pub mod blocks_per_step;
pub mod degradation;
pub mod paths;
pub mod transfer;
