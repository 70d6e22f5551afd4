//! Ctrl-C: the first asks the sweep to stop, the second ends the process at once.
//!
//! Runs are stored by renaming complete folders, so that a process may end at any instant without
//! losing a finished run. That is why a stop that takes too long may simply be cut short.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::message::{self, Failure, INTERRUPTED};

/// Set by the first Ctrl-C; the sweep looks at it after every step.
static STOP: AtomicBool = AtomicBool::new(false);
/// Set when everything is stored and only words remain to be said.
static OVER: AtomicBool = AtomicBool::new(false);

/// A step of a large network may take long: after this time the process ends in the middle of it.
const PATIENCE: Duration = Duration::from_millis(900);

/// What is said to somebody who stopped a sweep.
pub const HOW_TO_CONTINUE: &str =
    "interrupted: finished runs are kept, and the same command continues where this one stopped";

/// Starts to listen, and gives the flag that the sweep must watch.
pub fn listen() -> Result<&'static AtomicBool, Failure> {
    ctrlc::set_handler(on_signal)
        .map_err(|error| Failure::Input(format!("cannot listen for Ctrl-C: {error}")))?;
    Ok(&STOP)
}

/// From here on a late signal changes nothing any more.
pub fn nothing_left_to_stop() {
    OVER.store(true, Ordering::SeqCst);
}

fn on_signal() {
    if STOP.swap(true, Ordering::SeqCst) {
        std::process::exit(INTERRUPTED.into());
    }
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE);
        if !OVER.load(Ordering::SeqCst) {
            message::say(HOW_TO_CONTINUE);
            std::process::exit(INTERRUPTED.into());
        }
    });
}
