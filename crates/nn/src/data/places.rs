//! Where data are looked for.
//!
//! With `root` in the settings: there and nowhere else, so that a wrong path is told rather than
//! papered over. Without: in the folder that `RESLAB_DATA` names, then in the user's own data
//! folder (`$XDG_DATA_HOME/reslab` or `~/.local/share/reslab`), then where Debian's packages put
//! data sets (`/usr/share/datasets`).

use std::path::{Path, PathBuf};

use super::{DataError, DataName};

/// The folders that are searched when the settings name none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The value of `RESLAB_DATA`.
    pub reslab_data: Option<PathBuf>,
    /// The user's own data folder.
    pub user: Option<PathBuf>,
    /// The system's data sets.
    pub system: Option<PathBuf>,
}

impl Places {
    /// The places of this process.
    pub fn from_environment() -> Self {
        let variable = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let home = variable("HOME").or_else(|| variable("USERPROFILE"));
        let shared = variable("XDG_DATA_HOME").or_else(|| Some(home?.join(".local/share")));
        Self {
            reslab_data: variable("RESLAB_DATA"),
            user: shared.map(|folder| folder.join("reslab")),
            system: Some(PathBuf::from("/usr/share/datasets")),
        }
    }

    /// Where `reslab data get` puts data: `RESLAB_DATA`, else the user's own data folder.
    pub fn destination(&self) -> Option<&Path> {
        self.reslab_data.as_deref().or(self.user.as_deref())
    }

    /// The folders to search for `name`, in order.
    pub(crate) fn candidates(&self, name: DataName, root: Option<&Path>) -> Vec<PathBuf> {
        let (folders, archive) = inside(name);
        let below = |base: &Path, itself: bool| {
            let mut found = Vec::new();
            if itself {
                found.push(base.to_owned());
            }
            found.extend(folders.iter().map(|folder| base.join(folder)));
            found.extend(archive.iter().map(|file| base.join(file)));
            found
        };
        match root {
            Some(root) => below(root, true),
            None => {
                let bases = [&self.reslab_data, &self.user, &self.system]
                    .into_iter()
                    .flatten();
                bases.flat_map(|base| below(base, false)).collect()
            }
        }
    }

    /// The error for data that are at none of `looked`.
    pub(crate) fn missing(
        &self,
        name: DataName,
        root: Option<&Path>,
        looked: Vec<PathBuf>,
    ) -> DataError {
        let mut advice = match (root, &self.reslab_data) {
            (None, None) => "RESLAB_DATA is not set. ".to_owned(),
            _ => String::new(),
        };
        advice += &self.advice(name, root);
        DataError::Missing {
            name: name.to_string(),
            looked,
            advice,
        }
    }

    /// What to put where, and the command that does it.
    pub(crate) fn advice(&self, name: DataName, root: Option<&Path>) -> String {
        let base = root.or(self.destination()).map_or_else(
            || "the folder that RESLAB_DATA names".to_owned(),
            |path| path.display().to_string(),
        );
        let hand = match name {
            DataName::Cifar10 => {
                format!("put cifar-10-binary.tar.gz (or the folder cifar-10-batches-bin) in {base}")
            }
            DataName::Cifar100 => {
                format!("put cifar-100-binary.tar.gz (or the folder cifar-100-binary) in {base}")
            }
            _ => format!(
                "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                 t10k-labels-idx1-ubyte (gzipped or not) in {base}/{name}"
            ),
        };
        let package = match name {
            DataName::FashionMnist => ", install Debian's package dataset-fashion-mnist",
            _ => "",
        };
        format!("Run `reslab data get {name}`{package}, or {hand}.")
    }
}

/// Folders below a base that may hold a data set, and the archive that may stand in for them.
fn inside(name: DataName) -> (&'static [&'static str], &'static [&'static str]) {
    match name {
        DataName::Cifar10 => (
            &[
                "cifar-10-batches-bin",
                "cifar10",
                "cifar10/cifar-10-batches-bin",
            ],
            &["cifar-10-binary.tar.gz", "cifar10/cifar-10-binary.tar.gz"],
        ),
        DataName::Cifar100 => (
            &["cifar-100-binary", "cifar100", "cifar100/cifar-100-binary"],
            &[
                "cifar-100-binary.tar.gz",
                "cifar100/cifar-100-binary.tar.gz",
            ],
        ),
        DataName::Mnist => (&["mnist", "MNIST/raw"], &[]),
        DataName::FashionMnist => (&["fashion-mnist", "FashionMNIST/raw"], &[]),
        DataName::Digits | DataName::ImageFolder | DataName::Synthetic => (&[], &[]),
    }
}
