//! Jacobians of blocks and of products of blocks.

pub mod free_probability;
pub mod theory;
