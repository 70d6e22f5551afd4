//! Checkpoints: all that a killed run needs to end in the same bits.
//!
//! Every random stream is keyed by (seed, purpose, epoch, index), so no generator has a state to
//! save: the arenas, the optimiser's buffers and where the run stands are enough. The file is
//! safetensors with the vectors `parameters`, `state`, `optimizer.0`, `optimizer.1`; its one
//! metadata entry `reslab` is a JSON object with the position, the caller's own entries and a
//! SHA-256 of everything, so that a file damaged anywhere is known for one. It is written beside
//! its place, synced and renamed; equal checkpoints are equal files, byte for byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Where a run stands at the end of an epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// The parameter arena.
    pub parameters: Vec<f32>,
    /// The state arena.
    pub state: Vec<f32>,
    /// The optimiser's buffers, vectors of the parameter arena.
    pub optimizer: Vec<Vec<f32>>,
    /// The epoch to do next, counted from 1.
    pub next_epoch: usize,
    /// Steps made so far.
    pub total_steps: usize,
    /// Whatever the caller wants back.
    pub metadata: BTreeMap<String, String>,
}

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system said no.
    #[error("The checkpoint {} could not be {verb}: {source}.", path.display())]
    File {
        /// The checkpoint.
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file is no checkpoint, or not the one that was written.
    #[error("The checkpoint {} is damaged: {reason}.", path.display())]
    Damaged {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

const FORMAT: u32 = 1;
const METADATA_KEY: &str = "reslab";

/// The metadata entry. Field order is file order.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    next_epoch: usize,
    total_steps: usize,
    metadata: BTreeMap<String, String>,
    sha256: String,
}

impl Checkpoint {
    /// Writes it atomically; the folder must exist. After an error the file of an earlier
    /// checkpoint is still there.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        write_atomically(path, &self.to_bytes()).map_err(|source| CheckpointError::File {
            path: path.to_owned(),
            verb: "written",
            source,
        })
    }

    /// Reads it; `None` if there is no file. A damaged file is an error, which a caller may
    /// report and then start the run anew.
    pub fn load(path: &Path) -> Result<Option<Self>, CheckpointError> {
        let path = path.to_owned();
        match fs::read(&path) {
            Ok(bytes) => match Self::from_bytes(&bytes) {
                Ok(checkpoint) => Ok(Some(checkpoint)),
                Err(reason) => Err(CheckpointError::Damaged { path, reason }),
            },
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CheckpointError::File {
                path,
                verb: "read",
                source,
            }),
        }
    }

    /// The file as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            format: FORMAT,
            next_epoch: self.next_epoch,
            total_steps: self.total_steps,
            metadata: self.metadata.clone(),
            sha256: self.digest(),
        };
        let header = serde_json::json!(header).to_string();
        let tensors: Vec<_> = self
            .vectors()
            .into_iter()
            .map(|(name, vector)| (name, vec![vector.len()], vector))
            .collect();
        write_tensors(&tensors, Some([(METADATA_KEY.to_owned(), header)].into()))
    }

    /// Reads the bytes of a file; the error is a clause that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("it cannot be read ({error})");
        let (_, file) = SafeTensors::read_metadata(bytes).map_err(|e| unreadable(&e))?;
        let header = file.metadata().as_ref().and_then(|m| m.get(METADATA_KEY));
        let header = header.ok_or("it is not a checkpoint of reslab")?;
        let header: Header = serde_json::from_str(header).map_err(|e| unreadable(&e))?;
        if header.format != FORMAT {
            let found = header.format;
            return Err(format!(
                "its format is {found}, this program reads {FORMAT}"
            ));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| unreadable(&e))?;
        let vector = |name: &str| match tensors.tensor(name) {
            Ok(view) if view.dtype() == Dtype::F32 => Ok(Some(floats(view.data()))),
            Ok(_) => Err(format!("its tensor `{name}` is not of 32-bit floats")),
            Err(_) => Ok(None),
        };
        let needed = |name: &str| vector(name)?.ok_or(format!("its tensor `{name}` is missing"));
        let mut optimizer = Vec::new();
        while let Some(buffer) = vector(&format!("optimizer.{}", optimizer.len()))? {
            optimizer.push(buffer);
        }
        let checkpoint = Self {
            parameters: needed("parameters")?,
            state: needed("state")?,
            optimizer,
            next_epoch: header.next_epoch,
            total_steps: header.total_steps,
            metadata: header.metadata,
        };
        if checkpoint.digest() != header.sha256 {
            return Err("its contents do not have the checksum written with them".to_owned());
        }
        Ok(checkpoint)
    }

    /// Every vector with its name in the file.
    fn vectors(&self) -> Vec<(String, &[f32])> {
        let optimizer = self.optimizer.iter().enumerate();
        let buffers = optimizer.map(|(i, b)| (format!("optimizer.{i}"), b.as_slice()));
        let arenas: [(String, &[f32]); 2] = [
            ("parameters".to_owned(), &self.parameters),
            ("state".to_owned(), &self.state),
        ];
        arenas.into_iter().chain(buffers).collect()
    }

    /// SHA-256 of everything, each part preceded by its length.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for number in [self.next_epoch, self.total_steps, self.metadata.len()] {
            part(&(number as u64).to_le_bytes());
        }
        for (key, value) in &self.metadata {
            part(key.as_bytes());
            part(value.as_bytes());
        }
        for (name, vector) in self.vectors() {
            part(name.as_bytes());
            part(&bytes(vector));
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Tensors in safetensors' own order, which depends on their names alone.
fn write_tensors(
    tensors: &[(String, Vec<usize>, &[f32])],
    metadata: Option<std::collections::HashMap<String, String>>,
) -> Vec<u8> {
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, _, values)| bytes(values)).collect();
    let views = tensors.iter().zip(&data).map(|((name, shape, _), data)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), data);
        (
            name,
            view.expect("each shape has as many numbers as its values"),
        )
    });
    serialize(views, metadata).expect("names and shapes are plain text and numbers")
}

/// Writes a file beside its place, syncs it and renames it there.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}-{write}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // The first error is the one to report; a leftover would only take space.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            parameters: vec![1.5, -0.0, f32::MIN_POSITIVE, 3e38],
            state: vec![],
            optimizer: vec![vec![0.1; 4], vec![0.2; 4]],
            next_epoch: 7,
            total_steps: 4321,
            metadata: [
                ("b".to_owned(), "{\"x\": 1}".to_owned()),
                ("a".to_owned(), String::new()),
            ]
            .into(),
        }
    }

    #[test]
    fn a_checkpoint_comes_back_with_the_same_bits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.safetensors");
        assert_eq!(Checkpoint::load(&path).expect("no file is no error"), None);
        checkpoint().save(&path).expect("writable");
        let later = Checkpoint {
            next_epoch: 8,
            ..checkpoint()
        };
        later
            .save(&path)
            .expect("an earlier checkpoint is replaced");
        let read = Checkpoint::load(&path).expect("readable").expect("there");
        assert_eq!(read, later);
        assert_eq!(read.parameters[1].to_bits(), (-0.0f32).to_bits());
        assert_eq!(read.to_bytes(), later.to_bytes());
        let files = fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(files, 1, "nothing is left beside it");
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let whole = checkpoint().to_bytes();
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x04;
            // Spaces pad the header: changing one may leave the contents as they were.
            if let Ok(read) = Checkpoint::from_bytes(&damaged) {
                assert_eq!(read, checkpoint(), "a changed byte {position}");
            }
            assert!(
                Checkpoint::from_bytes(&whole[..position]).is_err(),
                "cut at {position}"
            );
        }
        let data = whole.len() - 1;
        let mut damaged = whole;
        damaged[data] ^= 0x04;
        let reason = Checkpoint::from_bytes(&damaged).expect_err("the last byte is data");
        assert!(reason.contains("checksum"), "{reason}");
    }

    #[test]
    fn a_damaged_file_is_told_with_its_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.safetensors");
        fs::write(&path, b"not a checkpoint").expect("writable");
        let error = Checkpoint::load(&path).expect_err("damaged").to_string();
        assert!(error.contains("run.safetensors is damaged"), "{error}");
        let nowhere = folder.path().join("missing").join("run.safetensors");
        let error = checkpoint()
            .save(&nowhere)
            .expect_err("no folder")
            .to_string();
        assert!(error.contains("could not be written"), "{error}");
    }
}
