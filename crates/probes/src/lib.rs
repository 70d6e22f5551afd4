//! Instruments: a network in, a table of measurements out.
//!
//! | instrument | what it measures | source | cost |
//! |------------|------------------|--------|------|
//! | [`layers`] | norms, gradients and responses through depth | He et al. 2015, Fig. 7 | one training step |
//! | [`lesion`] | what deleting and reordering blocks does to loss and error | Veit et al. 2016, section 4 | half an evaluation a block, a whole one a random lesion |
//! | [`paths`] | the gradient by length of path, sampled and exact | Veit et al. 2016, section 5 | n²/2 backward passes of a block, for each sample |
//! | [`identity`] | norm of each branch against its input | He et al. 2015, section 3.1 | two forward passes in `f64` |
//! | [`expressivity`] | networks built to equal a plain one | He et al. 2015, section 1 | an evaluation a network |
//! | [`gradients`] | norms of gradients through depth, and by which road they come | He et al. 2016, section 2; Yang et al. 2019 | five passes in `f64` |
//! | [`shattering`] | how alike gradients at different inputs are | Balduzzi et al. 2017 | passes in `f64` through twice the depth, a draw |
//! | [`jacobian`] | singular values of blocks and of their products, beside theory | Pennington et al. 2017; Tarnowski et al. 2018 | as many backward passes as numbers, and a decomposition, a block |
//! | [`landscape`] | the loss along lines and planes of the parameters | Li et al. 2018 | an evaluation a point |
//! | [`hessian`] | eigenvalues, trace and spectral density of the Hessian | Ghorbani et al. 2019; Yao et al. 2020 | 20 to 100 Hessian–vector products for the eigenvalues, as many as draws for the trace, draws · steps for the density |
//! | [`smoothness`] | loss and gradient along the gradient of mini-batches | Santurkar et al. 2018, section 3 | five training steps a mini-batch |
//! | [`sharpness`] | rise of the loss under perturbations of the weights | Li et al. 2018, section 4; Foret et al. 2021; Dinh et al. 2017 | an evaluation a draw |
//!
//! [`ProbeSettings`] names the instruments of a run; each takes a [`Subject`] and its own settings.

pub mod expressivity;
pub mod gradients;
pub mod hessian;
pub mod identity;
pub mod jacobian;
pub mod lanczos;
pub mod landscape;
pub mod layers;
pub mod lesion;
pub mod paths;
mod settings;
pub mod sharpness;
pub mod shattering;
pub mod smoothness;
pub mod snapshots;
mod subject;

pub use settings::ProbeSettings;
pub use subject::{ProbeError, Progress, Set, Subject, Watch, is_due};
