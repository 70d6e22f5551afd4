//! The runs of one experiment's folder.
//!
//! A finished run is a folder that appears by one rename and never changes; the first rename wins,
//! and a second result of the same run must be equal byte for byte. Nothing is appended to, and
//! nothing is locked: claims (see [`Claim`]) only save double work. Any number of processes may
//! use one folder.

mod claim;
#[cfg(test)]
mod tests;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

pub use claim::Claim;
pub use writer::{Committed, RunWriter};

use crate::error::ResultsError;
use crate::files;
use crate::provenance::now_utc;
use crate::record::{Failure, RunRecord};
use crate::run_id::RunId;
use crate::run_paths::{RunPaths, TEMPORARY};

/// Unfinished folders older than this are left-overs of a killed process.
const LEFT_OVER: Duration = Duration::from_secs(24 * 3600);

/// The run store of one experiment.
#[derive(Clone, Debug)]
pub struct Store {
    paths: RunPaths,
}

/// What the store has of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// Nothing.
    Absent,
    /// Its record.
    Finished(Box<RunRecord>),
    /// It failed when last tried.
    Failed(Failure),
    /// A record that could not be read, now moved aside: as good as absent. The message says what
    /// was wrong and where it is now.
    Damaged(String),
}

/// Where a run stands, without reading its record.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// Its record is there.
    Finished,
    /// It failed when last tried.
    Failed(Failure),
    /// A process is at it.
    Running,
    /// It was begun and stopped; the next execution goes on from its checkpoint.
    Interrupted,
    /// Nothing was done.
    Missing,
}

impl Store {
    /// The store in the folder of an experiment, created where it is missing. Left-overs of killed
    /// processes are removed.
    pub fn open(root: impl Into<PathBuf>) -> Result<Store, ResultsError> {
        let store = Store {
            paths: RunPaths::new(root),
        };
        files::create_folder(&store.paths.work())?;
        store.remove_left_overs()?;
        Ok(store)
    }

    /// The store in a folder that is only looked at: nothing is created or removed.
    pub fn existing(root: impl Into<PathBuf>) -> Store {
        Store {
            paths: RunPaths::new(root),
        }
    }

    /// Where everything lies.
    pub fn paths(&self) -> &RunPaths {
        &self.paths
    }

    /// What is known of a run. A damaged record is moved aside.
    pub fn lookup(&self, id: &RunId) -> Result<Lookup, ResultsError> {
        let path = self.paths.record(id);
        match read_record(&path, id) {
            Ok(Some(record)) => Ok(Lookup::Finished(Box::new(record))),
            Ok(None) => Ok(self.failure(id)?.map_or(Lookup::Absent, Lookup::Failed)),
            Err(damaged @ ResultsError::Damaged { .. }) => {
                let place = self.move_aside(&self.paths.run(id))?;
                Ok(Lookup::Damaged(format!(
                    "{damaged} It was moved to '{}' and the run counts as not done.",
                    place.display()
                )))
            }
            Err(other) => Err(other),
        }
    }

    /// Whether a run has a record, without reading it.
    pub fn is_finished(&self, id: &RunId) -> bool {
        self.paths.record(id).is_file()
    }

    /// Where a run stands, without reading its record.
    pub fn state(&self, id: &RunId) -> Result<RunState, ResultsError> {
        if self.is_finished(id) {
            return Ok(RunState::Finished);
        }
        if claim::is_held(&self.paths.claim(id))? {
            return Ok(RunState::Running);
        }
        if let Some(failure) = self.failure(id)? {
            return Ok(RunState::Failed(failure));
        }
        let begun = self.paths.checkpoint(id).is_file();
        Ok(if begun {
            RunState::Interrupted
        } else {
            RunState::Missing
        })
    }

    /// Why a run failed when last tried; `None` where it did not, or the note cannot be read.
    pub fn failure(&self, id: &RunId) -> Result<Option<Failure>, ResultsError> {
        let bytes = files::read_if_there(&self.paths.failure(id))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Keep the failure of a run; returns it with the number of attempts so far.
    pub fn fail<T: Serialize + ?Sized>(
        &self,
        id: &RunId,
        config: &T,
        message: &str,
    ) -> Result<Failure, ResultsError> {
        let json = |e: serde_json::Error| ResultsError::Settings(e.to_string());
        let failure = Failure {
            message: message.into(),
            attempts: self
                .failure(id)?
                .map_or(0, |before| before.attempts)
                .saturating_add(1),
            when: now_utc(),
            config: serde_json::to_value(config).map_err(json)?,
        };
        files::create_folder(&self.paths.failures())?;
        let text = serde_json::to_string_pretty(&failure).map_err(json)?;
        files::write_atomic(&self.paths.failure(id), text.as_bytes())?;
        Ok(failure)
    }

    /// A run with instruments whose training is that of run `training`, if one was noted.
    pub fn trained_as(&self, training: &RunId) -> Option<RunId> {
        let path = self.paths.trained().join(training.as_str());
        RunId::parse(fs::read_to_string(path).ok()?.trim())
    }

    /// Note that the finished run `id` is, without its instruments, the run `training`. The last
    /// note counts; any of them would do.
    pub fn note_trained(&self, training: &RunId, id: &RunId) -> Result<(), ResultsError> {
        files::create_folder(&self.paths.trained())?;
        let path = self.paths.trained().join(training.as_str());
        files::write_atomic(&path, format!("{id}\n").as_bytes())
    }

    /// Claim a run for this process; `None` where a living process has it.
    pub fn claim(&self, id: &RunId) -> Result<Option<Claim>, ResultsError> {
        Claim::take(&self.paths.claim(id))
    }

    /// Begin to write the folder of a run whose training is over.
    pub fn begin(&self, id: &RunId) -> Result<RunWriter<'_>, ResultsError> {
        RunWriter::new(self, id)
    }

    /// Move a file or folder into `.aside/`, under a name not taken; returns where.
    fn move_aside(&self, path: &Path) -> Result<PathBuf, ResultsError> {
        let aside = self.paths.aside();
        files::create_folder(&aside)?;
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let name = name.trim_start_matches(TEMPORARY);
        let place = aside.join(format!("{name}-{}", files::token()));
        match fs::rename(path, &place) {
            // Another process was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(place),
            other => other
                .map(|()| place)
                .map_err(ResultsError::io("move aside", path)),
        }
    }

    fn remove_left_overs(&self) -> Result<(), ResultsError> {
        let folder = self.paths.runs();
        let now = SystemTime::now();
        for entry in fs::read_dir(&folder)
            .map_err(ResultsError::io("read", &folder))?
            .flatten()
        {
            let unfinished = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|time| now.duration_since(time).ok());
            if unfinished && age.is_some_and(|age| age > LEFT_OVER) {
                // Another process may be removing it too; what stays does no harm.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }
}

/// The record at `path`, which must be that of `id`; `None` where there is none.
fn read_record(path: &Path, id: &RunId) -> Result<Option<RunRecord>, ResultsError> {
    let Some(bytes) = files::read_if_there(path)? else {
        return Ok(None);
    };
    let record = RunRecord::from_json(path, &bytes)?;
    let found = record.id()?;
    if found != *id {
        let message = format!("its settings are those of run {found}");
        return Err(ResultsError::damaged(path)(message));
    }
    Ok(Some(record))
}
