//! The figures of the papers, each drawn from the tables alone.

pub mod degradation;
pub mod expressivity;
pub mod identity;
pub mod transfer;
pub mod variants;
