//! Tables and run folders: what the columns are, where results lie, Parquet in and out.
//!
//! This crate knows rows and columns and nothing else: no network, no data set, no experiment
//! file. A run is a [`RunRecord`] kept by the [`Store`] under the [`RunId`] of its settings;
//! [`collect`] turns the records of a plan into the tidy tables `runs`, `epochs`, `layers` and
//! `timings`; figures and summaries read those tables alone.

pub mod schema;
pub mod table;

pub use table::{Cell, ColumnSpec, Group, Kind, Row, Schema, Table, TableError};
