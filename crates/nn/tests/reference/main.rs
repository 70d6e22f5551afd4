//! The reference executor on whole networks.

/// Gradients, Jacobian–vector and Hessian–vector products against differences.
mod derivatives;
/// Networks without a block, or in another order.
mod edits;
/// Dropout and stochastic depth.
mod noise;
/// The three forms of a ResNeXt block.
mod resnext;
/// The roads back through a block, apart.
mod roads;
/// At the size instruments need.
mod size;
#[path = "../support/mod.rs"]
mod support;
