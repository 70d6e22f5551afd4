//! Experiment files: read, expanded into runs, checked, executed, resumed, looked up.
//!
//! ```text
//! file ─▶ located tree ─▶ overrides ─▶ expand ─▶ resolve ─▶ check ─▶ Plan ─▶ execute
//! ```
//!
//! [`load`] does everything before the first run; [`execute`] does the runs; [`status`],
//! [`explain`] and [`results`] read what a folder holds. Nothing here prints: progress is
//! pushed to a sink as [`Event`]s, mistakes are returned as [`Diagnostic`]s.

pub mod check;
pub mod cost;
pub mod diagnostic;
pub mod error;
pub mod estimate;
pub mod event;
pub mod exclude;
pub mod expand;
pub mod file;
pub mod json_schema;
pub mod load;
pub mod names;
pub mod options;
pub mod overrides;
pub mod plan;
pub mod resolve;
pub mod status;

pub use diagnostic::Diagnostic;
pub use error::SweepError;
pub use estimate::Estimate;
pub use event::Event;
pub use json_schema::schema;
pub use load::{load, load_text};
pub use options::{Failure, MissingData, PlanOptions, Report, RunOptions, folder};
pub use plan::{Experiment, Plan, Run};
pub use resolve::RunConfig;
pub use status::{Explanation, Query, RunState, RunStatus, Status, explain, results, status};

use std::sync::atomic::AtomicBool;

/// Executes a plan: see `RunOptions`. `stop` set to true ends it within a second.
pub fn execute(
    _plan: &Plan,
    _options: &RunOptions,
    _sink: &(dyn Fn(Event) + Sync),
    _stop: &AtomicBool,
) -> Result<Report, SweepError> {
    Err(SweepError::System {
        message: "Executing is not there yet.".into(),
    })
}
