//! What a linearisation cannot do.

use crate::error::ShapeError;

/// Why a network cannot be linearised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TangentError {
    /// Shapes that do not fit.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Noise of training.
    #[error(
        "`{place}` drops at random in training, and derivatives are those of a function without noise: use evaluation mode, or a network without dropout and stochastic depth."
    )]
    Noise {
        /// The dropout layer, or the block with stochastic depth.
        place: String,
    },
}
