//! Networks as values, their two executors, data sets and training.
//!
//! Build a [`network::Network`] with [`families::build`], give it numbers with
//! [`families::init::initialize`], run it with the exact [`reference`] or the fast [`engine`],
//! or somebody else's with [`import`], train it with [`train::train`], change it with the edits of [`network::edit`],
//! and differentiate it along directions with [`tangent`].

// The generators of test cases are shared with the tests outside of the crate.
#[cfg(test)]
extern crate self as reslab_nn;

pub mod construct;
pub mod data;
pub mod engine;
pub mod error;
pub mod export;
pub mod families;
pub mod import;
pub mod loss;
pub mod network;
pub mod noise;
pub mod random;
pub mod reference;
pub mod speed;
pub mod tangent;
pub mod train;
