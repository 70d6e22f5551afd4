//! `reslab bench`: how many images a second, how much memory, and how fast each kernel.

mod kernels;
mod memory;
mod steps;

use reslab_nn::families::WrittenModel;
use reslab_nn::network::Network;

use super::models::build;
use crate::arguments::{BenchCommand, NetworkArguments};
use crate::message::{Ending, Failure};

/// Measures what is asked for.
pub fn bench(command: &BenchCommand) -> Result<Ending, Failure> {
    use reslab_nn::speed::Work;
    match command {
        BenchCommand::Train(arguments) => steps::steps(arguments, Work::Training),
        BenchCommand::Eval(arguments) => steps::steps(arguments, Work::Evaluation),
        BenchCommand::Memory(arguments) => memory::memory(arguments),
        BenchCommand::Kernels(arguments) => kernels::kernels(arguments),
    }?;
    Ok(Ending::Well)
}

fn network(arguments: &NetworkArguments) -> Result<Network, Failure> {
    let written = WrittenModel {
        name: Some(arguments.model.clone()),
        width: arguments.width,
        ..WrittenModel::default()
    };
    build(&written, arguments.input, arguments.classes)
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
