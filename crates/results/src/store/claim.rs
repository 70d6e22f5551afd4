//! Claims: a file that says a living process is at a run.
//!
//! Created exclusively, rewritten every few seconds, taken over when it has not been for 30 s, or
//! at once when the process named in it is gone from this machine. A claim saves double work and
//! nothing else: should two processes do one run, both end in the same bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::ResultsError;
use crate::files;
use crate::provenance::host_name;

/// A claim not rewritten for this long is dead.
const STALE: Duration = Duration::from_secs(30);
/// A claim without its three lines was cut off between its creation and its writing: nobody beats
/// for it, and a living writer needs no longer than this.
const UNWRITTEN: Duration = Duration::from_secs(2);
/// How often a claim is rewritten.
const BEAT: Duration = Duration::from_secs(5);

/// A run claimed by this process until dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    content: String,
    stop: Arc<(Mutex<bool>, Condvar)>,
    lost: Arc<AtomicBool>,
    heart: Option<JoinHandle<()>>,
}

impl Claim {
    /// Claim `path`; `None` where a living process has it.
    pub(super) fn take(path: &Path) -> Result<Option<Claim>, ResultsError> {
        let content = own_content();
        if create(path, &content)? {
            return Ok(Some(Claim::keep(path, content)));
        }
        let Some(seen) = files::read_if_there(path)? else {
            // Given back just now; whoever asks next will see.
            return Ok(create(path, &content)?.then(|| Claim::keep(path, content)));
        };
        if is_alive(path, &seen)? || !remove_dead(path, &seen)? {
            return Ok(None);
        }
        Ok(create(path, &content)?.then(|| Claim::keep(path, content)))
    }

    /// Whether another process took the claim over, having thought this one dead.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    fn keep(path: &Path, content: String) -> Claim {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let lost = Arc::new(AtomicBool::new(false));
        let heart = {
            let (path, content) = (path.to_path_buf(), content.clone());
            let (stop, lost) = (stop.clone(), lost.clone());
            // Without a heart the claim is taken over after a while: no harm done.
            thread::Builder::new()
                .name("claim".into())
                .spawn(move || beat(&path, &content, &stop, &lost))
                .ok()
        };
        Claim {
            path: path.into(),
            content,
            stop,
            lost,
            heart,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(heart) = self.heart.take() {
            let _ = heart.join();
        }
        if is_ours(&self.path, &self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a living process holds the claim at `path`.
pub(super) fn is_held(path: &Path) -> Result<bool, ResultsError> {
    match files::read_if_there(path)? {
        Some(seen) => is_alive(path, &seen),
        None => Ok(false),
    }
}

fn beat(path: &Path, content: &str, stop: &(Mutex<bool>, Condvar), lost: &AtomicBool) {
    let mut stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped {
        (stopped, _) = stop
            .1
            .wait_timeout(stopped, BEAT)
            .unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return;
        }
        if !is_ours(path, content) {
            lost.store(true, Ordering::Relaxed);
            return;
        }
        // The same bytes in place: only the time of modification changes, set by the file system.
        if let Ok(mut file) = OpenOptions::new().write(true).open(path) {
            let _ = file.write_all(content.as_bytes());
        }
    }
}

/// Create the claim; `false` where there is one.
fn create(path: &Path, content: &str) -> Result<bool, ResultsError> {
    match File::create_new(path) {
        Ok(mut file) => {
            file.write_all(content.as_bytes())
                .map_err(ResultsError::io("write", path))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(ResultsError::io("create", path)(error)),
    }
}

fn is_ours(path: &Path, content: &str) -> bool {
    fs::read(path).is_ok_and(|found| found == content.as_bytes())
}

/// Machine, process, and a token that no other claim has; one line each.
fn own_content() -> String {
    format!(
        "{}\n{}\n{}\n",
        machine(),
        std::process::id(),
        files::token()
    )
}

/// Host and process namespace: process ids compare within one only.
fn machine() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").map(|n| n.display().to_string());
    format!(
        "{} {}",
        host_name().unwrap_or_default(),
        namespace.unwrap_or_default()
    )
}

fn is_alive(path: &Path, seen: &[u8]) -> Result<bool, ResultsError> {
    let written = seen.iter().filter(|byte| **byte == b'\n').count() == 3;
    let patience = if written { STALE } else { UNWRITTEN };
    Ok(!is_gone(seen) && age(path)?.is_some_and(|age| age < patience))
}

/// Whether the process named in a claim is known to be gone: only on this machine, under Linux.
fn is_gone(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    let mut lines = text.lines();
    let (Some(host), Some(process)) = (lines.next(), lines.next()) else {
        return false;
    };
    let number = process.parse::<u32>().is_ok();
    number
        && Path::new("/proc/self/stat").exists()
        && host == machine()
        && !Path::new("/proc").join(process).exists()
}

/// Time since a file was modified, by the clock of its file system: the machines that share a
/// folder need not agree on the time. `None` where it is gone.
fn age(path: &Path) -> Result<Option<Duration>, ResultsError> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let then = match modified(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(ResultsError::io("read", path))?,
    };
    let probe = path.with_extension(format!("now-{}", files::token()));
    let now = fs::write(&probe, b"")
        .and_then(|()| modified(&probe))
        // A folder that may only be read: this machine's clock has to do.
        .unwrap_or_else(|_| std::time::SystemTime::now());
    let _ = fs::remove_file(&probe);
    Ok(Some(now.duration_since(then).unwrap_or(Duration::ZERO)))
}

/// Remove a dead claim, unless another process has just taken it over.
fn remove_dead(path: &Path, seen: &[u8]) -> Result<bool, ResultsError> {
    let aside = path.with_extension(format!("dead-{}", files::token()));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(ResultsError::io("rename", path))?,
    }
    let same = fs::read(&aside).is_ok_and(|found| found == seen);
    if !same {
        // Not the one we saw: give it back, if its place is still free.
        let _ = fs::hard_link(&aside, path);
    }
    files::remove_if_there(&aside)?;
    Ok(same)
}
