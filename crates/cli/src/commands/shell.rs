//! `reslab schema`, `completions` and `man`: what editors, shells and `man` want to know.

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments, EXIT_CODES};
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
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    examples(&command, ".SH", &mut page);
    man.render_options_section(&mut page)?;
    for sub in command.get_subcommands() {
        append(sub, &mut page)?;
        for nested in sub.get_subcommands() {
            append(nested, &mut page)?;
        }
    }
    page.extend(format!(".SH \"EXIT STATUS\"\n{}\n", escaped(EXIT_CODES)).bytes());
    output::print(&String::from_utf8_lossy(&page))?;
    Ok(Ending::Well)
}

/// A command's part of the page: what it does, examples and options under its own heading.
fn append(command: &clap::Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
    let about = command.get_about().map(ToString::to_string);
    page.extend(format!("{}.\n", escaped(&about.unwrap_or_default())).bytes());
    examples(command, ".SS", page);
    let man = clap_mangen::Man::new(command.clone());
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    // Its heading would end the command's own section.
    let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS", ".SS Options");
    page.extend(options.bytes());
    Ok(())
}

/// The examples that the help opens with, line for line.
fn examples(command: &clap::Command, heading: &str, page: &mut Vec<u8>) {
    let Some(text) = command.get_before_help() else {
        return;
    };
    let text = text.to_string();
    let lines = text.strip_prefix("Examples:\n").unwrap_or(&text);
    page.extend(format!("{heading} Examples\n.nf\n{}\n.fi\n", escaped(lines)).bytes());
}

/// Text that roff prints as it stands.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let line = |line: &str| {
        if line.starts_with(['.', '\'']) {
            format!("\\&{line}")
        } else {
            line.to_owned()
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
