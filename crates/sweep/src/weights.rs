//! Weights that runs start from, or are interpolated to: found before the first run starts, read
//! once, held against the network, and part of a run's identity by their content.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use reslab_nn::data::Places;
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::network::Network;

use crate::file::{Mistake, Node};
use crate::options::MissingData;
use crate::resolve::RunConfig;

/// Settings that name a file.
struct Named<'a> {
    /// The key of the file's path; that of its checksum ends in `_sha256`.
    setting: &'static str,
    path: &'a mut Option<PathBuf>,
    sha256: &'a mut Option<String>,
    /// What becomes of the last layer.
    head: Head,
}

/// All settings of a run that name a file.
fn named(config: &mut RunConfig) -> Vec<Named<'_>> {
    let init = &mut config.init;
    let mut all = vec![Named {
        setting: "init.weights",
        path: &mut init.weights,
        sha256: &mut init.weights_sha256,
        head: init.head.unwrap_or_default(),
    }];
    let landscape = config.probes.landscape.as_mut();
    if let Some(to) = landscape.and_then(|landscape| landscape.interpolation.as_mut()) {
        all.push(Named {
            setting: "probes.landscape.interpolation.weights",
            path: &mut to.weights,
            sha256: &mut to.weights_sha256,
            head: Head::Keep,
        });
    }
    all
}

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

    /// Finds the files that the settings name, and fills in where they lie and their checksums. A
    /// file that is not there is a mistake, or a remark that is returned.
    pub fn find(&mut self, config: &mut RunConfig, tree: &Node) -> Result<Vec<String>, Mistake> {
        let mut notes = Vec::new();
        for named in named(config) {
            notes.extend(self.find_one(named, tree)?);
        }
        Ok(notes)
    }

    fn find_one(&mut self, named: Named<'_>, tree: &Node) -> Result<Option<String>, Mistake> {
        let setting = named.setting;
        let Some(written) = &named.path else {
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
                    Err(Mistake::new(tree.locate(setting), message).advise(advice))
                }
                MissingData::Note => Ok(Some(format!(
                    "{message}. They are not checked, and the runs will have other ids."
                ))),
            };
        };
        if !self.files.contains_key(&path) {
            let file = WeightsFile::read(&path)
                .map_err(|error| Mistake::new(tree.locate(setting), error.to_string()))?;
            let sha256 = file.sha256();
            self.files.insert(path.clone(), (file, sha256));
        }
        let (file, sha256) = &self.files[&path];
        if let Some(pinned) = &named.sha256 {
            let at = tree.locate(&format!("{setting}_sha256"));
            file.verify(pinned)
                .map_err(|error| Mistake::new(at, error.to_string()))?;
        }
        *named.sha256 = Some(sha256.clone());
        *named.path = Some(path);
        Ok(None)
    }

    /// Whether the files that were found fit the network.
    pub fn check(&self, config: &RunConfig, network: &Network, tree: &Node) -> Result<(), Mistake> {
        for named in named(&mut config.clone()) {
            let found = named.path.as_ref().and_then(|path| self.files.get(path));
            if let Some((file, _)) = found {
                file.check(network, named.head)
                    .map_err(|error| Mistake::new(tree.locate(named.setting), error.to_string()))?;
            }
        }
        Ok(())
    }
}
