//! The Hessian instrument against closed forms, dense Hessians, and itself in double precision.

/// Networks, dense Hessians and words to compare with.
mod cases;
/// Models whose Hessian is known.
mod closed_forms;
/// Small networks against their dense Hessian.
mod dense;
/// Batches, precision, stopping.
mod products;
#[path = "../support/mod.rs"]
mod support;
/// What the instrument writes, and what it refuses.
mod tables;
