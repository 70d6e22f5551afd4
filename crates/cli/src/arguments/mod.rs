//! The arguments of `reslab`: what may be typed, and the help that says so.
//!
//! Help opens with examples. Every command's own arguments stand in one struct; the doc comments
//! are the help texts, so that the two cannot differ.

mod bench;
mod commands;
mod weights;

use clap::{ColorChoice, Parser, Subcommand};

pub use bench::*;
pub use commands::*;
pub use weights::*;

/// Help opens with the examples, then usage and arguments.
const TEMPLATE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

const EXAMPLES: &str = "\
Examples:
  reslab run experiments/quickstart.yaml         train every run, write tables, draw figures
  reslab plan experiments/quickstart.yaml        the runs and their cost; trains nothing
  reslab run FILE --set train.lr=0.05 --jobs 2   change a setting, run two at a time
  reslab results results/quickstart              mean, sd and interval of what was measured";

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 all well; 1 some runs failed; 2 bad input; 130 interrupted (the same command continues).
Data go to standard output, messages and progress to standard error.";

/// A laboratory for the theory of residual networks: experiment files in, tables and figures out.
#[derive(Debug, Parser)]
#[command(
    name = "reslab",
    version,
    max_term_width = 100,
    help_template = TEMPLATE,
    before_help = EXAMPLES,
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// Colours: where the output is a terminal, always, or never (NO_COLOR is respected).
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorChoice,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One variant a command, in the order of a working day.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run experiments: only what is not yet in the results folder is trained.
    #[command(help_template = TEMPLATE, before_help = commands::RUN_EXAMPLES)]
    Run(RunArguments),
    /// Show the runs of an experiment, how many are done, and the time they will take.
    #[command(help_template = TEMPLATE, before_help = commands::PLAN_EXAMPLES)]
    Plan(PlanArguments),
    /// Check experiment files, and say line by line what is wrong.
    #[command(help_template = TEMPLATE, before_help = commands::VALIDATE_EXAMPLES)]
    Validate(ValidateArguments),
    /// Print the JSON Schema of experiment files (draft-07), for editors.
    #[command(help_template = TEMPLATE, before_help = commands::SCHEMA_EXAMPLES)]
    Schema,
    /// Say how far an experiment is: finished, diverged, failed, in progress, waiting.
    #[command(help_template = TEMPLATE, before_help = commands::STATUS_EXAMPLES)]
    Status(StatusArguments),
    /// Print the results: the settings that vary, with n, mean, sd and 95 % interval over seeds.
    #[command(help_template = TEMPLATE, before_help = commands::RESULTS_EXAMPLES)]
    Results(ResultsArguments),
    /// Say why a run is, or is not, taken from the results folder.
    #[command(help_template = TEMPLATE, before_help = commands::EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Draw the figures of a results folder again, from its tables alone.
    #[command(help_template = TEMPLATE, before_help = commands::FIGURES_EXAMPLES)]
    Figures(FiguresArguments),
    /// Evaluate weights on a data set: loss, wrong of total, and class by class.
    #[command(help_template = TEMPLATE, before_help = weights::EVAL_EXAMPLES)]
    Eval(EvalArguments),
    /// Write weights to a file that PyTorch's load_state_dict accepts.
    #[command(help_template = TEMPLATE, before_help = weights::EXPORT_EXAMPLES)]
    Export(ExportArguments),
    /// List, check and download data sets.
    #[command(help_template = TEMPLATE, before_help = commands::DATA_EXAMPLES, subcommand_required = true)]
    Data {
        /// What to do with them.
        #[command(subcommand)]
        command: DataCommand,
    },
    /// List the networks there are.
    #[command(help_template = TEMPLATE, before_help = commands::MODELS_EXAMPLES)]
    Models(ModelsArguments),
    /// Show a network layer by layer: shapes, parameters, multiply-adds.
    #[command(help_template = TEMPLATE, before_help = commands::DESCRIBE_EXAMPLES)]
    Describe(DescribeArguments),
    /// Measure speed and memory of training, evaluation and each kernel.
    #[command(help_template = TEMPLATE, before_help = bench::EXAMPLES, subcommand_required = true)]
    Bench {
        /// What to measure.
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Print the completion script of a shell.
    #[command(help_template = TEMPLATE, before_help = commands::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArguments),
    /// Print the manual page.
    #[command(help_template = TEMPLATE, before_help = commands::MAN_EXAMPLES)]
    Man,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_help_opens_with_examples() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            let examples = help.find("Examples:");
            let usage = help.find("Usage:");
            assert!(
                examples.is_some() && examples < usage,
                "{} shows no examples before its usage",
                command.get_name()
            );
            for sub in command.get_subcommands_mut() {
                check(sub);
            }
        }
        let mut command = Arguments::command();
        command.build();
        check(&mut command);
    }

    #[test]
    fn the_examples_parse() {
        fn collect(command: &clap::Command, lines: &mut Vec<String>) {
            let text = command.get_before_help().map(ToString::to_string);
            for line in text.unwrap_or_default().lines() {
                if let Some(rest) = line.strip_prefix("  reslab ") {
                    let words = rest.split("   ").next().unwrap_or(rest);
                    let words = words.split(" > ").next().unwrap_or(words);
                    lines.push(words.split(" | ").next().unwrap_or(words).trim().to_owned());
                }
            }
            for sub in command.get_subcommands() {
                collect(sub, lines);
            }
        }
        let mut lines = Vec::new();
        collect(&Arguments::command(), &mut lines);
        assert!(lines.len() > 20, "only {} examples were found", lines.len());
        for line in lines {
            let words = std::iter::once("reslab").chain(line.split_whitespace());
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("the example `reslab {line}` does not parse: {error}");
            }
        }
    }
}
