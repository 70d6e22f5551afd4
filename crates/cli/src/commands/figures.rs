//! `reslab figures`: from tables to figures.

use std::path::{Path, PathBuf};

use crate::arguments::FiguresArguments;
use crate::message::{Ending, Failure};
use crate::output;

/// Draws every figure the tables allow and prints their paths.
pub fn figures(arguments: &FiguresArguments) -> Result<Ending, Failure> {
    let mut text = String::new();
    for path in draw(&arguments.folder)? {
        text.push_str(&format!("{}\n", path.display()));
    }
    output::print(&text)?;
    Ok(Ending::Well)
}

/// Draws the figures of a folder.
pub fn draw(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.join("runs.parquet").is_file() {
        return Err(Failure::Input(format!(
            "{} holds no tables: it has no runs.parquet. Give the results folder of an \
             experiment, such as results/quickstart.",
            folder.display()
        )));
    }
    reslab_figures::draw(folder).map_err(|error| Failure::from_error(&error))
}
