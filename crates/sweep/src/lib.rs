//! Experiment files: read, expanded into runs, checked, executed, resumed, looked up.
//!
//! ```text
//! file ─▶ located tree ─▶ overrides ─▶ expand ─▶ resolve ─▶ check ─▶ Plan ─▶ execute
//! ```
//!
//! [`load()`] does everything before the first run; [`execute()`] does the runs; [`status()`] and
//! [`explain()`] read what a folder holds. Nothing here prints: progress is
//! pushed to a sink as [`Event`]s, mistakes are returned as [`Diagnostic`]s.

pub mod check;
pub mod cost;
pub mod diagnostic;
pub mod error;
pub mod estimate;
pub mod event;
pub mod exclude;
pub mod execute;
pub mod expand;
pub mod explain;
pub mod file;
pub mod flatten;
pub mod json_schema;
pub mod key_docs;
pub mod load;
pub mod names;
pub mod options;
pub mod overrides;
pub mod plan;
pub mod resolve;
pub mod status;
mod weights;

pub use diagnostic::Diagnostic;
pub use error::SweepError;
pub use estimate::Estimate;
pub use event::Event;
pub use execute::execute;
pub use explain::{Explanation, explain};
pub use json_schema::schema;
pub use load::{load, load_text};
pub use options::{Failure, MissingData, PlanOptions, Report, RunOptions, folder};
pub use plan::{Experiment, Plan, Run};
pub use resolve::RunConfig;
pub use status::{RunState, RunStatus, Status, status};
