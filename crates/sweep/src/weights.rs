//! Weights that runs start from: found before the first run starts, read once, held against the
//! network, and part of a run's identity by their content.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use reslab_nn::data::Places;
use reslab_nn::families::InitSettings;
use reslab_nn::import::WeightsFile;
use reslab_nn::network::Network;

use crate::file::{Mistake, Node};
use crate::options::MissingData;

/// The setting that names a file.
const SETTING: &str = "init.weights";

/// The files of weights of an experiment.
pub struct Weights {
    missing_data: MissingData,
    /// Folders that relative paths begin at: that of the experiment file, then `RESLAB_DATA`.
    folders: Vec<PathBuf>,
    /// Files read, with their SHA-256, by where they lie.
    files: HashMap<PathBuf, (WeightsFile, String)>,
}

impl Weights {
    /// No file yet; `folder` is that of the experiment file.
    pub fn new(folder: &Path, missing_data: MissingData) -> Self {
        let data = Places::from_environment().reslab_data;
        let folders = [folder.to_owned()].into_iter().chain(data).collect();
        Self {
            missing_data,
            folders,
            files: HashMap::new(),
        }
    }

    /// Finds the file that the settings name, if they name one, and fills in where it lies and its
    /// checksum. A file that is not there is a mistake, or a remark that is returned.
    pub fn find(
        &mut self,
        init: &mut InitSettings,
        tree: &Node,
    ) -> Result<Option<String>, Mistake> {
        let Some(written) = &init.weights else {
            return Ok(None);
        };
        let looked: Vec<PathBuf> = self
            .folders
            .iter()
            .map(|folder| folder.join(written))
            .collect();
        let Some(path) = looked.iter().find(|path| path.is_file()).cloned() else {
            // An absolute path is the same below every folder.
            let mut places: Vec<String> = looked.iter().map(|p| p.display().to_string()).collect();
            places.dedup();
            let message = format!("the weights are not there. Looked at {}", places.join(", "));
            return match self.missing_data {
                MissingData::Refuse => {
                    let advice = "a file that torch.save wrote, or safetensors; relative paths \
                                  begin at this file, then at RESLAB_DATA";
                    Err(Mistake::new(tree.locate(SETTING), message).advise(advice))
                }
                MissingData::Note => Ok(Some(format!(
                    "{message}. They are not checked, and the runs will have other ids."
                ))),
            };
        };
        if !self.files.contains_key(&path) {
            let file = WeightsFile::read(&path)
                .map_err(|error| Mistake::new(tree.locate(SETTING), error.to_string()))?;
            let sha256 = file.sha256();
            self.files.insert(path.clone(), (file, sha256));
        }
        let (file, sha256) = &self.files[&path];
        if let Some(pinned) = &init.weights_sha256 {
            let at = tree.locate("init.weights_sha256");
            file.verify(pinned)
                .map_err(|error| Mistake::new(at, error.to_string()))?;
        }
        init.weights_sha256 = Some(sha256.clone());
        init.weights = Some(path);
        Ok(None)
    }

    /// Whether the file that was found fits the network.
    pub fn check(
        &self,
        init: &InitSettings,
        network: &Network,
        tree: &Node,
    ) -> Result<(), Mistake> {
        let found = init.weights.as_ref().and_then(|path| self.files.get(path));
        let Some((file, _)) = found else {
            return Ok(());
        };
        let head = init.head.unwrap_or_default();
        file.check(network, head)
            .map_err(|error| Mistake::new(tree.locate(SETTING), error.to_string()))
    }
}
