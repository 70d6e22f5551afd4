//! `reslab export`: weights in a file that PyTorch reads.

use std::path::Path;

use reslab_nn::export;
use reslab_nn::families::{self, InitSettings, WrittenModel};
use reslab_nn::import::{Head, WeightsFile};
use reslab_results::RunPaths;

use super::models::build;
use super::stored;
use crate::arguments::ExportArguments;
use crate::message::{Ending, Failure};
use crate::output;

/// Writes the file and prints its path.
pub fn export(arguments: &ExportArguments) -> Result<Ending, Failure> {
    let bytes = match (&arguments.run, &arguments.model) {
        (Some(run), _) => of_run(run, &arguments.place.out)?,
        (None, Some(model)) => of_network(model, arguments)?,
        // The parser asks for one of them.
        (None, None) => return Err(Failure::Input("Give a run, or --model.".to_owned())),
    };
    let to = &arguments.to;
    std::fs::write(to, bytes).map_err(|error| {
        Failure::Input(format!("{} could not be written: {error}.", to.display()))
    })?;
    output::print(&format!("{}\n", to.display()))?;
    Ok(Ending::Well)
}

/// A finished run keeps its weights in this very form.
fn of_run(wanted: &str, out: &Path) -> Result<Vec<u8>, Failure> {
    let run = stored::find(wanted, out)?;
    if run.record.is_none() {
        return Err(Failure::Input(format!(
            "Run {} in {} is {}: only a finished run has weights to export.",
            run.id,
            run.folder.display(),
            run.state
        )));
    }
    let path = RunPaths::new(&run.folder).parameters(&run.id);
    let file = WeightsFile::read(&path).map_err(|error| Failure::from_error(&error))?;
    Ok(file.into_bytes())
}

/// Imported weights, or fresh ones.
fn of_network(name: &str, arguments: &ExportArguments) -> Result<Vec<u8>, Failure> {
    let written = WrittenModel {
        name: Some(name.to_owned()),
        width: arguments.width,
        ..WrittenModel::default()
    };
    let network = build(&written, arguments.input, arguments.classes)?;
    let mut parameters = families::initialize(&network, &InitSettings::default(), arguments.seed);
    let mut state = network.layout.initial_state();
    if let Some(path) = &arguments.weights {
        WeightsFile::read(path)
            .and_then(|file| file.assign(&network, Head::Keep, &mut parameters, &mut state))
            .map_err(|error| Failure::from_error(&error))?;
    }
    Ok(export::safetensors(&network, &parameters, &state, 0))
}
