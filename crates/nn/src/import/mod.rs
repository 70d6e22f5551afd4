//! Weights in: files that PyTorch and others wrote, read to the arenas of a network.
//!
//! [`WeightsFile::read`] takes PyTorch's zip and older stream, and safetensors; see the module
//! `formats`. Nothing in a file is executed: a pickle that asks for anything but a tensor is
//! refused by that thing's name. [`WeightsFile::assign`] matches tensors with a network's layout
//! name by name, see the module `names`; all that is missing, left over or of another shape is
//! listed, and is an error.

mod archive;
mod error;
mod formats;
mod machine;
mod names;
mod pickle;
mod tensor;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use error::{ImportError, Mismatch};
pub use tensor::{Dtype, Tensor};

use crate::families::MAX_PARAMETERS;
use crate::network::{Entry, Network, Op, Role};
use pickle::Fault;

/// Largest file: the largest network in double precision, and as much again.
const MAX_BYTES: u64 = 2 * 8 * MAX_PARAMETERS as u64;

/// What becomes of the last linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// The file's.
    #[default]
    Keep,
    /// A fresh one: where the classes are others.
    Replace,
}

/// A file of weights, in memory; its tensors are converted when they are assigned.
#[derive(Debug, Clone)]
pub struct WeightsFile {
    path: PathBuf,
    bytes: Vec<u8>,
    tensors: Vec<(String, Tensor)>,
}

impl WeightsFile {
    /// Reads a file in any of the formats.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the file itself; whether it fits a network is not yet asked.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |source| ImportError::File {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_BYTES {
            let (path, bytes, limit) = (path.to_owned(), size, MAX_BYTES);
            return Err(ImportError::TooLarge { path, bytes, limit });
        }
        Self::from_bytes(path, std::fs::read(path).map_err(unreadable)?)
    }

    /// Reads the bytes of a file; `path` is named in messages.
    ///
    /// # Errors
    ///
    /// As [`WeightsFile::read`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ImportError> {
        let path = path.to_owned();
        let tensors = match formats::read(&bytes) {
            Ok(Some(tensors)) => tensors,
            Ok(None) => return Err(ImportError::UnknownFormat { path }),
            Err(Fault::Global(global)) => return Err(ImportError::Refused { path, global }),
            Err(Fault::Damaged(reason)) => return Err(ImportError::Damaged { path, reason }),
        };
        Ok(Self {
            path,
            bytes,
            tensors,
        })
    }

    /// Every tensor with its name in the file.
    pub fn tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// The file's own bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// SHA-256 of the file, 64 hexadecimal digits.
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Refuses the file if it is not the one that was meant.
    ///
    /// # Errors
    ///
    /// [`ImportError::Changed`].
    pub fn verify(&self, expected: &str) -> Result<(), ImportError> {
        let found = self.sha256();
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        let (path, expected) = (self.path.clone(), expected.to_owned());
        Err(ImportError::Changed {
            path,
            expected,
            found,
        })
    }

    /// Writes the file's numbers to a network's arenas. With [`Head::Replace`] the last linear
    /// layer stays as it is in `parameters`, whatever the file holds for it.
    ///
    /// # Errors
    ///
    /// [`ImportError::Mismatch`] with everything that does not fit, and [`ImportError::Damaged`]
    /// where a number is not finite or a running variance is below 0. The arenas then are partly
    /// written.
    ///
    /// # Panics
    ///
    /// If the vectors are not arenas of the network.
    pub fn assign(
        &self,
        network: &Network,
        head: Head,
        parameters: &mut [f32],
        state: &mut [f32],
    ) -> Result<(), ImportError> {
        let layout = &network.layout;
        assert_eq!(
            parameters.len(),
            layout.parameter_count(),
            "the parameter arena"
        );
        assert_eq!(state.len(), layout.state_count(), "the state arena");
        for (entry, tensor) in self.matched(network, head)? {
            let is_state = matches!(entry.role, Role::RunningMean | Role::RunningVar);
            let arena = if is_state {
                &mut *state
            } else {
                &mut *parameters
            };
            let values = entry.slot.of_mut(arena);
            tensor.copy_to(&self.bytes, values);
            let least = if entry.role == Role::RunningVar {
                0.0
            } else {
                f32::MIN
            };
            if let Some(value) = values.iter().find(|v| !(v.is_finite() && **v >= least)) {
                let reason = format!("`{}` holds {value}", entry.name);
                return Err(ImportError::Damaged {
                    path: self.path.clone(),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// Whether [`WeightsFile::assign`] would find a place for everything.
    ///
    /// # Errors
    ///
    /// [`ImportError::Mismatch`].
    pub fn check(&self, network: &Network, head: Head) -> Result<(), ImportError> {
        self.matched(network, head).map(drop)
    }

    /// The vector of the parameter arena that [`export::vectors`](crate::export::vectors) wrote with
    /// this prefix; `None` if the file has not all of it, in the network's shapes.
    pub fn vector(&self, prefix: &str, network: &Network) -> Option<Vec<f32>> {
        let layout = &network.layout;
        let mut vector = vec![0.0; layout.parameter_count()];
        for entry in &layout.parameters {
            let name = format!("{prefix}.{}", entry.name);
            let (_, tensor) = self.tensors.iter().find(|(own, _)| *own == name)?;
            if tensor.shape() != entry.shape {
                return None;
            }
            tensor.copy_to(&self.bytes, entry.slot.of_mut(&mut vector));
        }
        Some(vector)
    }

    /// Each entry of the layout with its tensor.
    fn matched<'a>(
        &'a self,
        network: &'a Network,
        head: Head,
    ) -> Result<Vec<(&'a Entry, &'a Tensor)>, ImportError> {
        let last = last_linear(network);
        let entries: Vec<&Entry> = network
            .layout
            .parameters
            .iter()
            .chain(&network.layout.state)
            .collect();
        let forms: HashMap<String, usize> = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| (names::canonical(&entry.name, last), index))
            .collect();
        let replaced = |entry: &Entry| {
            let layer = entry.name.rsplit_once('.').map(|(layer, _)| layer);
            head == Head::Replace && layer == last
        };
        let mut mismatch = Mismatch {
            path: self.path.clone(),
            network: network.name.clone(),
            ..Mismatch::default()
        };
        let mut found: Vec<Option<(&str, &Tensor)>> = vec![None; entries.len()];
        for (name, tensor) in &self.tensors {
            if names::is_counter(name) {
                continue;
            }
            let place =
                names::unwrapped(name).find_map(|name| forms.get(&names::canonical(name, last)));
            let Some(&place) = place else {
                mismatch
                    .left_over
                    .push((name.clone(), tensor.shape().to_vec()));
                continue;
            };
            let entry = entries[place];
            if replaced(entry) {
                continue;
            }
            if let Some((first, _)) = found[place].replace((name, tensor)) {
                let names = (first.to_owned(), name.clone(), entry.name.clone());
                mismatch.twice.push(names);
            }
            if tensor.shape() != entry.shape {
                let (found, expected) = (tensor.shape().to_vec(), entry.shape.clone());
                mismatch.reshaped.push((name.clone(), found, expected));
            }
        }
        let mut pairs = Vec::new();
        for (entry, found) in entries.into_iter().zip(found) {
            match found {
                Some((_, tensor)) => pairs.push((entry, tensor)),
                None if replaced(entry) => {}
                None => mismatch
                    .missing
                    .push((entry.name.clone(), entry.shape.clone())),
            }
        }
        if mismatch.is_empty() {
            Ok(pairs)
        } else {
            Err(ImportError::Mismatch(Box::new(mismatch)))
        }
    }
}

/// The name of the network's last linear layer, if it ends in one: what transfer replaces.
pub fn last_linear(network: &Network) -> Option<&str> {
    let last = network
        .head
        .iter()
        .rfind(|layer| matches!(layer.op, Op::Linear(_)))?;
    Some(&last.name)
}
