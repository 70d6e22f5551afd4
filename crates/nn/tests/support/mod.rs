//! What the tests of the executors share: random networks with numbers, and the fixtures that
//! PyTorch made.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

pub mod cases;
pub mod fixture;
pub mod models;
