//! The binary `reslab`: arguments in, one call, an exit code out.
//!
//! Nothing is computed here. Experiments are read and run by `reslab-sweep`, tables are read by
//! `reslab-results`, figures are drawn by `reslab-figures`; this crate speaks with the person.

mod arguments;
mod commands;
mod fault;
mod interrupt;
mod message;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    fault::install_hook();
    let arguments = Arguments::parse();
    choose_colors(arguments.color);
    if let Err(error) = reslab_nn::engine::check_instruction_set() {
        return message::Failure::from_error(&error).report();
    }
    match dispatch(&arguments.command) {
        Ok(ending) => ending.code(),
        Err(failure) => failure.report(),
    }
}

/// `--color` wins over the environment (NO_COLOR, CLICOLOR_FORCE, TERM=dumb), which wins over
/// whether the output is a terminal.
fn choose_colors(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

fn dispatch(command: &Command) -> Result<message::Ending, message::Failure> {
    match command {
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Plan(arguments) => commands::plan::plan(arguments),
        Command::Validate(arguments) => commands::plan::validate(arguments),
        Command::Schema => commands::shell::schema(),
        Command::Status(arguments) => commands::status::status(arguments),
        Command::Results(arguments) => commands::results::results(arguments),
        Command::Explain(arguments) => commands::explain::explain(arguments),
        Command::Figures(arguments) => commands::figures::figures(arguments),
        Command::Eval(arguments) => commands::eval::eval(arguments),
        Command::Export(arguments) => commands::export::export(arguments),
        Command::Data { command } => commands::data::data(command),
        Command::Models(arguments) => commands::models::models(arguments),
        Command::Describe(arguments) => commands::models::describe(arguments),
        Command::Bench { command } => commands::bench::bench(command),
        Command::Completions(arguments) => commands::shell::completions(arguments),
        Command::Man => commands::shell::man(),
    }
}
