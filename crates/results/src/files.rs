//! Files written beside their place, forced to disk, and renamed into it.
//!
//! A reader sees the old file, the new one, or none; a crash leaves at most a `.tmp-…` beside.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::Path;

use crate::error::ResultsError;

/// A name part that no other process or thread uses: process id and 64 random bits.
pub(crate) fn token() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{:x}-{random:016x}", std::process::id())
}

/// Write `bytes` to `path` so that the file is complete or not there.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), ResultsError> {
    let folder = parent(path);
    let beside = folder.join(format!(".tmp-{}", token()));
    let written = write_synced(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path).map_err(ResultsError::io("write", path)));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.and_then(|()| sync_folder(folder))
}

/// Write `bytes` to `path` and force them to disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), ResultsError> {
    let error = || ResultsError::io("write", path);
    let mut file = File::create(path).map_err(error())?;
    file.write_all(bytes).map_err(error())?;
    file.sync_all().map_err(error())
}

/// Force the entries of a folder to disk, so that a rename in it survives a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), ResultsError> {
    if cfg!(unix) {
        let opened = File::open(folder).map_err(ResultsError::io("open", folder))?;
        match opened.sync_all() {
            // Some network file systems have no fsync on folders; the rename stands anyway.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            other => other.map_err(ResultsError::io("write", folder))?,
        }
    }
    Ok(())
}

/// Create a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), ResultsError> {
    fs::create_dir_all(path).map_err(ResultsError::io("create", path))
}

/// Remove a file that may be gone already.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), ResultsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ResultsError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Read a file that may not be there.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ResultsError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ResultsError::io("read", path)(error)),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
