//! The arithmetic of reslab: slices and shapes in, slices out. The only crate with `unsafe`.
//!
//! # Layout
//!
//! Sixteen images lie side by side in the lanes of a vector: an activation is
//! `(N / 16, H, W, C, 16)`, channels last and [`LANES`] images innermost. Every operation between
//! pixels and channels is then plain vector arithmetic, whatever the number of channels: one, three,
//! eight or sixty-four channels fill the registers alike, and nothing has to be shuffled.
//! [`lanes`] converts from and to `(N, H, W, C)`.
//!
//! # Promises
//!
//! - Safe functions check every size they rely on.
//! - The order of every sum is fixed: it depends on shapes and instruction set, never on threads.
//! - Nothing allocates, except where a `Vec` is returned.

// The kernels are `unsafe fn`s with one contract, stated in `vector`; a block around each of their
// lines would hide it, not add to it.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)]
// Register tiles are indexed, so that every loop is seen to be unrolled; kernels take their slices
// one by one, as BLAS does.
#![allow(clippy::needless_range_loop, clippy::too_many_arguments)]

pub mod ahead;
pub mod batch_norm;
pub mod buffer;
pub mod conv2d;
pub mod counting;
pub mod isa;
pub mod lanes;
pub mod loss;
pub mod noise;
pub mod peak;
pub mod pointwise;
pub mod reduce;
pub mod select;
pub mod tangent;
#[cfg(test)]
mod test_support;
pub mod update;
mod vector;

pub use ahead::{Ahead, Base};
pub use buffer::Buffer;
pub use isa::{Isa, IsaError};
pub use lanes::LANES;
