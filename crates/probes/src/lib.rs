//! Instruments: a network in, a table of measurements out.
//!
//! | instrument | what it measures | source | cost |
//! |------------|------------------|--------|------|
//! | [`layers`] | norms, gradients and responses through depth | He et al. 2015, Fig. 7 | one training step |
//! | [`lesion`] | what deleting and reordering blocks does to loss and error | Veit et al. 2016, section 4 | half an evaluation a block, a whole one a random lesion |
//!
//! [`ProbeSettings`] names the instruments of a run; each takes a [`Subject`] and its own settings.

pub mod layers;
pub mod lesion;
mod settings;
mod subject;

pub use settings::ProbeSettings;
pub use subject::{ProbeError, Progress, Set, Subject, Watch, is_due};
