//! `reslab schema`, `completions` and `man`: what editors, shells and `man` want to know.

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments};
use crate::message::{Ending, Failure};
use crate::output;

/// Prints the JSON Schema of experiment files.
pub fn schema() -> Result<Ending, Failure> {
    output::print(&format!("{:#}\n", reslab_sweep::schema()))?;
    Ok(Ending::Well)
}

/// Prints a completion script.
pub fn completions(arguments: &CompletionsArguments) -> Result<Ending, Failure> {
    // Into memory first: clap_complete panics where its writer fails, as a closed pipe does.
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "reslab", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Well)
}

/// Prints the manual: one page for all commands, in roff.
pub fn man() -> Result<Ending, Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands() {
        append(sub, &mut page)?;
        for nested in sub.get_subcommands() {
            append(nested, &mut page)?;
        }
    }
    output::print(&String::from_utf8_lossy(&page))?;
    Ok(Ending::Well)
}

/// A command's part of the page: its synopsis and options under its own heading.
fn append(command: &clap::Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
    let about = command.get_about().map(ToString::to_string);
    page.extend(format!("{}\n.PP\n", about.unwrap_or_default()).bytes());
    let man = clap_mangen::Man::new(command.clone());
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    // Its heading would end the command's own section.
    page.extend(
        String::from_utf8_lossy(&options)
            .replace(".SH OPTIONS", ".SS Options")
            .bytes(),
    );
    Ok(())
}
