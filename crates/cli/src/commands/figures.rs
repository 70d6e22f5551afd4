//! `reslab figures`: from tables to figures.

use std::path::Path;

use reslab_figures::Drawing;

use crate::arguments::FiguresArguments;
use crate::message::{self, Ending, Failure};
use crate::output;

/// Draws every figure the tables allow and prints the paths; says what could not be drawn.
pub fn figures(arguments: &FiguresArguments) -> Result<Ending, Failure> {
    let drawing = draw(&arguments.folder)?;
    for skipped in &drawing.skipped {
        message::say(&format!(
            "not drawn: {}: {}",
            skipped.figure, skipped.reason
        ));
    }
    let mut text = String::new();
    for path in &drawing.files {
        text.push_str(&format!("{}\n", path.display()));
    }
    output::print(&text)?;
    Ok(Ending::Well)
}

/// Draws the figures of a folder.
pub fn draw(folder: &Path) -> Result<Drawing, Failure> {
    if !folder.join("runs.parquet").is_file() {
        return Err(Failure::Input(format!(
            "{} holds no tables: it has no runs.parquet. Give the results folder of an \
             experiment, such as results/quickstart.",
            folder.display()
        )));
    }
    reslab_figures::draw(folder).map_err(|error| Failure::from_error(&error))
}
