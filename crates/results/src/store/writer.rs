//! Writing the folder of a run beside its place, and renaming it into it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Store, read_record};
use crate::error::ResultsError;
use crate::files;
use crate::provenance::Provenance;
use crate::record::{EpochTiming, RunRecord};
use crate::run_id::RunId;
use crate::run_paths::{parameters_in, provenance_in, record_in, timings_in};

/// What became of a run that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is in its place.
    Stored,
    /// Another process had handed in the same bytes already; this copy was dropped.
    AlreadyThere,
}

/// A run's folder while it is written; dropped without [`RunWriter::commit`], it vanishes.
#[derive(Debug)]
pub struct RunWriter<'a> {
    store: &'a Store,
    id: RunId,
    folder: PathBuf,
}

impl<'a> RunWriter<'a> {
    pub(super) fn new(store: &'a Store, id: &RunId) -> Result<RunWriter<'a>, ResultsError> {
        let folder = store.paths.temporary(id, &files::token());
        fs::create_dir(&folder).map_err(ResultsError::io("create", &folder))?;
        Ok(RunWriter {
            store,
            id: id.clone(),
            folder,
        })
    }

    /// Where the caller writes the trained parameters before it commits.
    pub fn parameters_path(&self) -> PathBuf {
        parameters_in(&self.folder)
    }

    /// Write the rest, force all of it to disk and rename it into its place. The checkpoint and
    /// the note of an earlier failure are removed.
    pub fn commit(
        self,
        record: &RunRecord,
        timings: &[EpochTiming],
        provenance: &Provenance,
    ) -> Result<Committed, ResultsError> {
        let record_path = record_in(&self.folder);
        if record.id()? != self.id {
            let message = format!("its settings are not those of run {}", self.id);
            return Err(ResultsError::damaged(&record_path)(message));
        }
        let text = record.to_json()?;
        files::write_synced(&record_path, text.as_bytes())?;
        write_json(&timings_in(&self.folder), timings)?;
        write_json(&provenance_in(&self.folder), provenance)?;
        sync_if_there(&parameters_in(&self.folder))?;
        files::sync_folder(&self.folder)?;

        let committed = self.place(text.as_bytes())?;
        files::sync_folder(&self.store.paths.runs())?;
        files::remove_if_there(&self.store.paths.checkpoint(&self.id))?;
        files::remove_if_there(&self.store.paths.failure(&self.id))?;
        Ok(committed)
    }

    /// Rename into place; where the place is taken, ours must be equal.
    fn place(&self, record: &[u8]) -> Result<Committed, ResultsError> {
        let place = self.store.paths.run(&self.id);
        // A damaged record in the place is moved aside and ours tried again, against any number
        // of processes that do the same.
        loop {
            match fs::rename(&self.folder, &place) {
                Ok(()) => return Ok(Committed::Stored),
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(ResultsError::io("write", &place)(error)),
            }
            let path = self.store.paths.record(&self.id);
            if files::read_if_there(&path)?.as_deref() == Some(record) {
                return Ok(Committed::AlreadyThere);
            }
            match read_record(&path, &self.id) {
                Ok(Some(_)) => {
                    let aside = self.store.move_aside(&self.folder)?;
                    return Err(ResultsError::Conflict {
                        id: self.id.clone(),
                        kept: place,
                        aside,
                    });
                }
                Ok(None) | Err(ResultsError::Damaged { .. }) => self.store.move_aside(&place)?,
                Err(other) => return Err(other),
            };
        }
    }
}

impl Drop for RunWriter<'_> {
    fn drop(&mut self) {
        // Gone already where it was renamed into place; `Store::open` removes what stays.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
    )
}

fn write_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), ResultsError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|e| ResultsError::Settings(e.to_string()))?;
    files::write_synced(path, text.as_bytes())
}

fn sync_if_there(path: &Path) -> Result<(), ResultsError> {
    match File::open(path) {
        Ok(file) => file.sync_all().map_err(ResultsError::io("write", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ResultsError::io("open", path)(error)),
    }
}
