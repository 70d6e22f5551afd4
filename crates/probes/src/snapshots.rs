//! The network as it was after each epoch, kept for instruments that look back.

use std::path::{Path, PathBuf};

use reslab_nn::export;
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::network::Network;

/// Parameters and running statistics of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// In the layout of the network.
    pub parameters: Vec<f32>,
    /// Its running statistics.
    pub state: Vec<f32>,
}

/// Where the network after `epoch` lies in a folder of what is kept.
pub fn path(folder: &Path, epoch: usize) -> PathBuf {
    folder.join(format!("epoch-{epoch:04}.safetensors"))
}

/// Keeps the network after `epoch`. The error is a sentence.
pub fn write(
    folder: &Path,
    epoch: usize,
    network: &Network,
    (parameters, state): (&[f32], &[f32]),
) -> Result<(), String> {
    let path = path(folder, epoch);
    let failed = |error| format!("{} could not be written: {error}.", path.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    let bytes = export::safetensors(network, parameters, state, 0);
    // Renamed into its place, so that a snapshot that is there is whole.
    let beside = path.with_extension(format!("tmp-{}", std::process::id()));
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(failed)
}

/// The network as it was after `epoch`. The error is a sentence.
pub fn read(folder: &Path, epoch: usize, network: &Network) -> Result<Snapshot, String> {
    let layout = &network.layout;
    let mut parameters = vec![0.0; layout.parameter_count()];
    let mut state = layout.initial_state();
    WeightsFile::read(&path(folder, epoch))
        .and_then(|file| file.assign(network, Head::Keep, &mut parameters, &mut state))
        .map_err(|error| error.to_string())?;
    Ok(Snapshot { parameters, state })
}
