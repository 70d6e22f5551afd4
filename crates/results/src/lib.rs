//! Tables and run folders: what the columns are, where results lie, Parquet in and out.
//!
//! This crate knows rows and columns and nothing else: no network, no data set, no experiment
//! file. A run is a [`RunRecord`] kept by the [`Store`] under the [`RunId`] of its settings;
//! [`collect()`] turns the records of a plan into the tidy tables `runs`, `epochs`, `layers` and
//! `timings`; figures and summaries read those tables alone.

pub mod collect;
mod error;
mod files;
pub mod parquet;
pub mod provenance;
pub mod ranks;
pub mod record;
pub mod run_id;
mod run_paths;
pub mod schema;
pub mod statistics;
pub mod store;
pub mod summary;
pub mod table;

pub use collect::{Collected, collect};
pub use error::ResultsError;
pub use provenance::Provenance;
pub use record::{EpochTiming, Failure, Metrics, Outcome, RunRecord};
pub use run_id::RunId;
pub use run_paths::RunPaths;
pub use store::{Claim, Committed, Lookup, RunState, Store};
pub use table::{Cell, ColumnSpec, Group, Kind, Row, Schema, Table, TableError};
