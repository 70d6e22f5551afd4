//! Families of networks: settings in, a [`Network`] out.
//!
//! Every family is one builder that returns the one type [`Network`]; the plain twin of a
//! residual network is the same builder with `residual: false`, and has the same parameters but for
//! those of projections and gates.

mod check;
pub mod choices;
pub mod cifar;
pub mod fully_connected;
pub mod imagenet;
pub mod init;
pub mod names;
mod orthogonal;
pub mod settings;
#[cfg(test)]
mod tests;
pub(crate) mod units;

pub use choices::{BlockKind, Family, Placement, ShortcutKind, StrideOn};
pub use init::{BranchScale, InitScheme, InitSettings, initialize};
pub use names::{EXAMPLES, named, names};
pub use settings::{ModelSettings, WrittenModel};

use crate::error::{ModelError, ShapeError};
use crate::network::{Network, Shape};

/// The greatest number of parameters a network may have: 8 GiB of `f32`.
pub const MAX_PARAMETERS: usize = 1 << 31;

/// Builds the network that the settings describe, for samples of shape `input` and `outputs`
/// classes or target dimensions. Its shapes have been checked.
pub fn build(
    settings: &ModelSettings,
    input: Shape,
    outputs: usize,
) -> Result<Network, ModelError> {
    settings.check()?;
    if outputs == 0 {
        return Err(ModelError::NoOutputs);
    }
    if input.is_empty() {
        return Err(ShapeError::EmptyInput { input }.into());
    }
    let network = match settings.family {
        Family::Cifar | Family::Wide => cifar::build(settings, input, outputs),
        Family::Imagenet | Family::D2l => imagenet::build(settings, input, outputs),
        Family::FullyConnected => fully_connected::build(settings, input, outputs),
    };
    let last = network.layout.parameters.last();
    let count = last.map_or(0, |entry| entry.slot.offset.saturating_add(entry.slot.len));
    if count > MAX_PARAMETERS {
        let (name, width) = (network.name, settings.width);
        return Err(ModelError::TooLarge {
            name,
            width,
            input,
            limit: MAX_PARAMETERS,
        });
    }
    network.check()?;
    Ok(network)
}
