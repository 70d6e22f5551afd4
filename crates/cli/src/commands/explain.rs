//! `reslab explain`: why a run is, or is not, taken from the results folder.

use reslab_results::summary::short;
use reslab_sweep::MissingData;

use super::plan;
use super::stored::{self, StoredRun};
use crate::arguments::ExplainArguments;
use crate::message::{Ending, Failure};
use crate::output;

/// Explains one run of an experiment file, or one found in the store by its id.
pub fn explain(arguments: &ExplainArguments) -> Result<Ending, Failure> {
    let out = &arguments.place.out;
    let text = match &arguments.file {
        Some(file) => {
            let plan = plan::load(file, &arguments.overrides.set, MissingData::Note)?;
            reslab_sweep::explain(&plan, out, &arguments.run)
                .map_err(|error| Failure::from_error(&error))?
                .to_string()
        }
        None => in_words(&stored::find(&arguments.run, out)?),
    };
    output::print(&format!("{}\n", text.trim_end()))?;
    Ok(Ending::Well)
}

/// Where a stored run stands, what it measured, and its settings.
fn in_words(run: &StoredRun) -> String {
    let mut text = format!("{} in {}: {}", run.id, run.folder.display(), run.state);
    if !run.detail.is_empty() {
        text.push_str(&format!("\n{}", run.detail));
    }
    let Some(record) = &run.record else {
        text.push_str(match run.state {
            "failed" => "\n\nIt is tried again with `reslab run FILE --retry-failed`.",
            "running" => "\n\nA process is at it now.",
            "interrupted" => "\n\nThe next `reslab run` goes on from its checkpoint.",
            _ => "",
        });
        return text;
    };
    text.push_str("\n\nA run with exactly these settings is taken from here:\n");
    text.push_str(&format!("{:#}\n\nIt measured:\n", record.config));
    for (name, cell) in record.metrics.cells() {
        text.push_str(&format!("  {name:28}{}\n", short(&cell)));
    }
    text
}
