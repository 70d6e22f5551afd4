//! What lies in a results folder, found without an experiment file: ids and where each run stands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reslab_results::{Outcome, RunId, RunPaths, RunRecord, RunState, Store};

use crate::message::Failure;

/// A run found in a folder.
pub struct StoredRun {
    /// Its id.
    pub id: RunId,
    /// The folder of its experiment.
    pub folder: PathBuf,
    /// Where it stands, in one word.
    pub state: &'static str,
    /// The message of a failure.
    pub detail: String,
    /// Its record, if it has one.
    pub record: Option<RunRecord>,
}

/// The folders of experiments below the folder of all results, in order of name.
pub fn experiments(out: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = entries(out)
        .into_iter()
        .filter(|path| RunPaths::new(path).runs().is_dir())
        .collect();
    folders.sort();
    folders
}

/// The ids of all runs that left a trace in an experiment's folder.
pub fn ids(folder: &Path) -> BTreeSet<RunId> {
    let paths = RunPaths::new(folder);
    let places = [paths.runs(), paths.failures(), paths.work()];
    let files = places.iter().flat_map(|place| entries(place));
    files
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            // `<id>`, `<id>.json`, `<id>.safetensors`, `<id>.claim`.
            RunId::parse(name.split('.').next()?)
        })
        .collect()
}

/// The one stored run, below the folder of all results, whose id begins as asked for.
pub fn find(wanted: &str, out: &Path) -> Result<StoredRun, Failure> {
    let mut found = Vec::new();
    for folder in experiments(out) {
        for id in ids(&folder) {
            if !wanted.is_empty() && id.as_str().starts_with(wanted) {
                found.push((folder.clone(), id));
            }
        }
    }
    match found.pop() {
        Some((folder, id)) if found.is_empty() => read(&folder, id),
        None => Err(Failure::Input(format!(
            "No run in {} has an id that begins with `{wanted}`. Name the experiment file after \
             the run to look it up by name: reslab explain {wanted} FILE.",
            out.display()
        ))),
        Some(last) => {
            found.push(last);
            let places = found
                .iter()
                .map(|(folder, id)| format!("\n  {id} in {}", folder.display()));
            Err(Failure::Input(format!(
                "Several runs have an id that begins with `{wanted}`:{}",
                places.collect::<String>()
            )))
        }
    }
}

/// Reads what is known of a run; changes nothing.
pub fn read(folder: &Path, id: RunId) -> Result<StoredRun, Failure> {
    let store = Store::existing(folder);
    let state = store
        .state(&id)
        .map_err(|error| Failure::from_error(&error))?;
    let mut run = StoredRun {
        id,
        folder: folder.to_owned(),
        state: "waiting",
        detail: String::new(),
        record: None,
    };
    match state {
        RunState::Finished => {
            let path = store.paths().record(&run.id);
            let bytes = std::fs::read(&path)
                .map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
            match RunRecord::from_json(&path, &bytes) {
                Ok(record) => {
                    run.state = match record.outcome {
                        Outcome::Finished => "finished",
                        Outcome::Diverged { .. } => "diverged",
                    };
                    run.record = Some(record);
                }
                Err(error) => {
                    run.state = "damaged";
                    run.detail = error.to_string();
                }
            }
        }
        RunState::Failed(failure) => {
            run.state = "failed";
            run.detail = failure.message;
        }
        RunState::Running => run.state = "running",
        RunState::Interrupted => run.state = "interrupted",
        RunState::Missing => {}
    }
    Ok(run)
}

/// The entries of a folder; none where it cannot be listed.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}
