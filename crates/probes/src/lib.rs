//! Instruments: a network in, a table of measurements out.
//!
//! | instrument | what it measures | source | cost |
//! |------------|------------------|--------|------|
//! | [`layers`] | norms, gradients and responses through depth | He et al. 2015, Fig. 7 | one training step |

pub mod layers;
