//! `reslab explain`: why a run is, or is not, taken from the results folder.

use reslab_sweep::MissingData;

use super::plan;
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
        None => stored(arguments)?,
    };
    output::print(&format!("{}\n", text.trim_end()))?;
    Ok(Ending::Well)
}
