//! Tables in, figures and verdicts out. Trains nothing and loads no network.
//!
//! [`draw`] reads an experiment's tables and redraws every figure they suffice for, as SVG and
//! PNG, the same bytes from the same tables. The way of a figure: [`study`] or [`networks`] groups the runs,
//! [`papers`] make a [`plots::Figure`] (panels as data), [`plots::lay_out`] turns it into a
//! [`scene::Scene`], [`render`] draws that. [`claims`] judges what the tables support.

pub mod axes;
pub mod claims;
pub mod contours;
mod error;
pub mod networks;
pub mod papers;
pub mod plots;
mod registry;
pub mod render;
pub mod scene;
pub mod study;
#[cfg(test)]
mod synthetic;
mod tables;
pub mod text;
pub mod theme;

pub use error::FigureError;
pub use registry::{Drawing, FIGURES, Skipped, Spec, draw, draw_tables};
pub use tables::Tables;
