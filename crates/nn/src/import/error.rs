//! Why weights could not be read, or do not fit.

use std::path::PathBuf;

/// Why a file of weights is no use. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file system said no.
    #[error("The weights {} could not be read: {source}.", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// More bytes than any network of this program has.
    #[error("The weights {} have {bytes} bytes; at most {limit} are read.", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The greatest size.
        limit: u64,
    },
    /// None of the formats.
    #[error(
        "{} is not a file of weights: accepted are PyTorch's (torch.save of a state_dict, in both \
         its forms) and safetensors.",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file breaks off, or contradicts itself.
    #[error("The weights {} cannot be used: {reason}.", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, a clause.
        reason: String,
    },
    /// A pickle that asks for more than tensors.
    #[error(
        "The weights {} ask for `{global}`, which is not part of a tensor. Nothing in a file of \
         weights is executed; save the state_dict alone, as torch.save(model.state_dict(), FILE).",
        path.display()
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// Module and name of what it asks for.
        global: String,
    },
    /// Another file than the one that was meant.
    #[error("The weights {} have SHA-256 {found}, not {expected}.", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The checksum it should have.
        expected: String,
        /// The checksum it has.
        found: String,
    },
    /// Tensors that are not those of the network.
    #[error(transparent)]
    Mismatch(Box<Mismatch>),
}

/// Everything in which a file differs from a network. Displayed one tensor a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// The file.
    pub path: PathBuf,
    /// The network's name.
    pub network: String,
    /// Tensors of the network that the file lacks, with their shapes.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Tensors of the file that the network has no place for, with their shapes.
    pub left_over: Vec<(String, Vec<usize>)>,
    /// Tensors of another shape: name in the file, shape there, shape in the network.
    pub reshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of the file that stand for the same tensor of the network: both names, its name.
    pub twice: Vec<(String, String, String)>,
}

impl Mismatch {
    /// Whether the file fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.left_over.is_empty()
            && self.reshaped.is_empty()
            && self.twice.is_empty()
    }
}

impl std::error::Error for Mismatch {}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, network) = (self.path.display(), &self.network);
        write!(f, "The weights {path} do not fit `{network}`:")?;
        for (name, shape) in &self.missing {
            write!(f, "\n  missing    {name} {shape:?}")?;
        }
        for (name, shape) in &self.left_over {
            write!(f, "\n  left over  {name} {shape:?}")?;
        }
        for (name, found, expected) in &self.reshaped {
            write!(
                f,
                "\n  shape      {name} is {found:?}, the network's is {expected:?}"
            )?;
        }
        for (first, second, entry) in &self.twice {
            write!(
                f,
                "\n  twice      {first} and {second} both stand for {entry}"
            )?;
        }
        Ok(())
    }
}
