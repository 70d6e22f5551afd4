//! Ops beside convolutions and sums, one file each: forward and backward.

pub(super) mod elementwise;
pub(super) mod max_pool;
