//! A [`Lab`] is a temporary folder in which `reslab` is run; an [`Answer`] is what came of it;
//! an [`Experiment`] writes YAML. Together they let a test read like a sentence:
//!
//! ```text
//! let lab = Lab::new();
//! lab.has(Experiment::tiny("depths").grid("model.depth", "[2, 4]"));
//! lab.reslab("run depths.yaml").succeeds().says("4 runs");
//! ```

mod answer;
mod experiment;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reslab_results::{Table, parquet};

pub use answer::Answer;
pub use experiment::Experiment;

/// The tables that must be equal to the byte; `timings` is the one that may differ.
pub const TABLES: [&str; 3] = ["runs", "epochs", "layers"];

/// A temporary folder with experiments and results, removed at the end of the test.
pub struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// An empty folder.
    pub fn new() -> Lab {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Lab { folder }
    }

    /// A file or folder of the lab.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("folders can be made in the lab");
        }
        std::fs::write(&path, content).expect("files can be written in the lab");
        path
    }

    /// Writes an experiment to `NAME.yaml`.
    pub fn has(&self, experiment: Experiment) -> &Lab {
        self.write(&format!("{}.yaml", experiment.name()), experiment.yaml());
        self
    }

    /// The command, with arguments separated by spaces, not yet started.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reslab"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("COLUMNS", "100")
            .env_remove("RESLAB_DATA")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        command
    }

    /// Runs `reslab` to its end.
    pub fn reslab(&self, arguments: &str) -> Answer {
        Answer::of(arguments, &mut self.command(arguments))
    }

    /// Starts `reslab` and leaves it running, silent.
    pub fn starts(&self, arguments: &str) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts")
    }

    /// Waits until an experiment has at least so many complete runs in its store.
    pub fn waits_for_runs(&self, experiment: &str, runs: usize) {
        let begin = Instant::now();
        while self.stored_runs(experiment) < runs {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{experiment} did not complete {runs} runs within a minute"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Complete runs in an experiment's store.
    pub fn stored_runs(&self, experiment: &str) -> usize {
        self.stored(experiment).len()
    }

    /// The folders of the complete runs, in the order of their ids.
    pub fn stored(&self, experiment: &str) -> Vec<PathBuf> {
        let folder = self.path(&format!("results/{experiment}/runs"));
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut runs: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| !name_of(path).starts_with('.'))
            .collect();
        runs.sort();
        runs
    }

    /// The bytes of the tables of an experiment, timings aside.
    pub fn tables_in(&self, folder: &str) -> BTreeMap<&'static str, Vec<u8>> {
        let read = |name| {
            let path = self.path(folder).join(format!("{name}.parquet"));
            let bytes = std::fs::read(&path);
            (
                name,
                bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        };
        TABLES.into_iter().map(read).collect()
    }

    /// One table of an experiment, read.
    pub fn table(&self, experiment: &str, name: &str) -> Table {
        let path = self.path(&format!("results/{experiment}/{name}.parquet"));
        parquet::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// The last part of a path, as text.
pub fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Sends a signal by name, such as `INT` or `KILL`.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status()
        .expect("kill can be called");
    assert!(status.success(), "the signal {name} could not be sent");
}

/// Fails with the name of the first table whose bytes differ.
pub fn assert_same_bytes(
    what: &str,
    one: &BTreeMap<&'static str, Vec<u8>>,
    other: &BTreeMap<&'static str, Vec<u8>>,
) {
    for name in TABLES {
        assert!(
            one[name] == other[name],
            "{what}: the bytes of {name}.parquet differ"
        );
    }
}
