//! Where a result came from: version, commit, compiler, machine, command, time.
//!
//! Kept in `provenance.json` of each run and in the table `timings`, never in a result.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What is recorded beside a run's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of reslab.
    pub version: String,
    /// Git commit it was built from.
    pub commit: Option<String>,
    /// Whether the source differed from that commit.
    pub dirty: Option<bool>,
    /// Version of the compiler.
    pub rustc: Option<String>,
    /// Target triple.
    pub target: Option<String>,
    /// Instruction set of the kernels.
    pub isa: String,
    /// Threads of the run.
    pub threads: usize,
    /// SHA-256 of the data.
    pub dataset_checksum: String,
    /// Name of the machine.
    pub host: Option<String>,
    /// Model of the processor.
    pub cpu: Option<String>,
    /// Command line.
    pub command: String,
    /// When the process began or resumed the run, UTC.
    pub started: String,
    /// When the run was complete, UTC.
    pub finished: String,
}

impl Provenance {
    /// The provenance of a run that begins now, on this machine, from this command line.
    pub fn start(isa: &str, threads: usize, dataset_checksum: &str) -> Provenance {
        let (commit, dirty) = source();
        Provenance {
            version: env!("CARGO_PKG_VERSION").into(),
            commit,
            dirty,
            rustc: option_env!("RESLAB_RUSTC").map(Into::into),
            target: option_env!("RESLAB_TARGET").map(Into::into),
            isa: isa.into(),
            threads,
            dataset_checksum: dataset_checksum.into(),
            host: host_name(),
            cpu: cpu_model(),
            command: command_line(),
            started: now_utc(),
            finished: String::new(),
        }
    }

    /// The same, complete now.
    pub fn finish(mut self) -> Provenance {
        self.finished = now_utc();
        self
    }
}

/// The commit of the source and whether the source differed from it.
///
/// Known from the build. Cargo does not rebuild this crate when another is edited, so where the
/// binary stands inside its own repository (as under `cargo run`), the tree is asked again, once a
/// process: dirty if it was then or is now.
pub fn source() -> (Option<String>, Option<bool>) {
    static SOURCE: OnceLock<(Option<String>, Option<bool>)> = OnceLock::new();
    SOURCE
        .get_or_init(|| {
            let built = option_env!("RESLAB_COMMIT").map(String::from);
            let was_dirty = option_env!("RESLAB_DIRTY").map(|text| text == "true");
            let is_dirty = std::env::current_exe()
                .ok()
                .and_then(|exe| tree_differs(&exe, built.as_deref()?));
            let dirty = match (was_dirty, is_dirty) {
                (Some(then), now) => Some(then || now.unwrap_or(false)),
                (None, now) => now,
            };
            (built, dirty)
        })
        .clone()
}

/// Whether the repository around `exe`, if it is reslab's, has changes or another commit.
fn tree_differs(exe: &Path, built: &str) -> Option<bool> {
    let root = exe
        .ancestors()
        .find(|folder| folder.join(".git").exists() && folder.join("crates/results").is_dir())?;
    let folder = root.to_str()?;
    let git = |arguments: &[&str]| said_by("git", &[&["-C", folder], arguments].concat());
    let changes = git(&["status", "--porcelain"])?;
    Some(!changes.is_empty() || git(&["rev-parse", "HEAD"])? != built)
}

/// The name of this machine; asked once a process.
pub(crate) fn host_name() -> Option<String> {
    static HOST: OnceLock<Option<String>> = OnceLock::new();
    HOST.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .or_else(|| said_by("hostname", &[]))
            .map(|name| name.trim().to_string())
            .filter(|name| !name.is_empty())
    })
    .clone()
}

/// The model of this machine's processor, where the system tells; asked once a process.
pub fn cpu_model() -> Option<String> {
    static MODEL: OnceLock<Option<String>> = OnceLock::new();
    MODEL
        .get_or_init(|| match fs::read_to_string("/proc/cpuinfo") {
            Ok(text) => text
                .lines()
                .find_map(|line| line.strip_prefix("model name"))
                .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_string()),
            Err(_) => said_by("sysctl", &["-n", "machdep.cpu.brand_string"]),
        })
        .clone()
}

fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The command line of this process: the program without its folder, then the arguments.
fn command_line() -> String {
    let mut words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some(program) = words.first_mut() {
        let name = Path::new(program.as_str()).file_name();
        *program = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    }
    words.join(" ")
}

/// The time now, as `2026-01-31T23:59:59Z`.
pub fn now_utc() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    utc(seconds)
}

/// Seconds since 1970 as a date and time; the civil calendar from a count of days, in years that
/// begin in March so that the leap day is the last.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let day = day - (153 * month + 2) / 5 + 1;
    let year = year + 400 * era + u64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_civil_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }

    #[test]
    fn a_run_knows_its_build_and_machine() {
        let provenance = Provenance::start("portable", 2, "abc").finish();
        assert_eq!(provenance.version, env!("CARGO_PKG_VERSION"));
        assert!(
            provenance
                .rustc
                .as_deref()
                .is_some_and(|text| text.starts_with("rustc "))
        );
        assert!(
            provenance
                .commit
                .as_deref()
                .is_none_or(|commit| commit.len() == 40)
        );
        assert!(!provenance.command.contains('/') || std::env::args().count() > 1);
        assert!(provenance.started <= provenance.finished);
        let json = serde_json::to_string(&provenance).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Provenance>(&json).expect("read"),
            provenance
        );
    }
}
