//! The arguments of each command, and the examples its help opens with.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  reslab run experiments/quickstart.yaml           run what is missing, then draw the figures
  reslab run a.yaml b.yaml --out /mnt/results      two experiments, another results folder
  reslab run a.yaml --set train.lr=0.05            the file with one setting changed
  reslab run a.yaml --set seeds=5 --dry-run        what would run, and how long it would take
  reslab run a.yaml --only depth=56                only the runs with this in their name
  reslab run a.yaml --retry-failed                 try again what failed
  reslab run a.yaml --json > finished.jsonl        one JSON object a finished run";

/// Arguments of `reslab run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Experiment files (YAML).
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Runs at a time (chosen by itself: many runs, one thread each; few runs, threads inside).
    #[arg(long, short, value_name = "N", value_parser = positive)]
    pub jobs: Option<usize>,
    /// Threads in all (all cores). Never changes a result.
    #[arg(long, short, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub place: Place,
    /// Show what would run, and run nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Only the runs of this name, id, or parts of a name, such as depth=56,seed=0.
    #[arg(long, value_name = "RUN")]
    pub only: Option<String>,
    /// Start no further run after the first failure.
    #[arg(long)]
    pub fail_fast: bool,
    /// Try again the runs that failed before.
    #[arg(long)]
    pub retry_failed: bool,
    /// No progress and no messages but errors.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print every run's result as one line of JSON on standard output.
    #[arg(long)]
    pub json: bool,
    /// Draw no figures at the end.
    #[arg(long)]
    pub no_figures: bool,
}

/// Settings changed from the command line.
#[derive(Debug, Args)]
pub struct Overrides {
    /// Change a setting of the file, such as train.lr=0.05 or model.depth=20; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Where results are.
#[derive(Debug, Args)]
pub struct Place {
    /// Folder of all results; an experiment's own are in DIR/NAME.
    #[arg(long, value_name = "DIR", default_value = "results", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
}

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  reslab plan experiments/quickstart.yaml                     the runs and the time they take
  reslab plan experiments/quickstart.yaml --set seeds=1       the same with a setting changed
  reslab plan experiments/quickstart.yaml --json              every setting of every run";

/// Arguments of `reslab plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Experiment file (YAML).
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub place: Place,
    /// Print the whole plan as JSON: every run with every setting.
    #[arg(long)]
    pub json: bool,
}

pub(super) const VALIDATE_EXAMPLES: &str = "\
Examples:
  reslab validate experiments/quickstart.yaml
  reslab validate a.yaml b.yaml --set data.name=cifar10";

/// Arguments of `reslab validate`.
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// Experiment files (YAML).
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub overrides: Overrides,
}

pub(super) const SCHEMA_EXAMPLES: &str = "\
Examples:
  reslab schema > experiments/schema.json

An editor with yaml-language-server completes and checks a file whose first line is
  # yaml-language-server: $schema=schema.json";

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  reslab status experiments/quickstart.yaml     the runs of the file: done and to do
  reslab status results/quickstart              the runs of a results folder";

/// Arguments of `reslab status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// An experiment file, or the results folder of an experiment.
    #[arg(value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub target: PathBuf,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub place: Place,
    /// Print the status as one JSON object.
    #[arg(long)]
    pub json: bool,
}

pub(super) const RESULTS_EXAMPLES: &str = "\
Examples:
  reslab results results/quickstart                                 what varies, and the outcome
  reslab results experiments/quickstart.yaml --sort final_train_error
  reslab results results/quickstart --format csv > summary.csv
  reslab results results/quickstart --columns final_train_loss,best_test_error
  reslab results results/quickstart --all                           every run, every column";

/// Arguments of `reslab results`.
#[derive(Debug, Args)]
pub struct ResultsArguments {
    /// The results folder of an experiment, or the experiment file.
    #[arg(value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub target: PathBuf,
    /// table, csv, json or md (Markdown); csv and json keep every digit.
    // Values with help of their own would turn the whole help into its long form.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_possible_values = true
    )]
    pub format: Format,
    /// Sort by this column; a leading minus sorts from the largest down.
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// The measured columns to show, separated by commas.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Every run as a row and every column, instead of groups over seeds.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub place: Place,
}

/// Formats of a printed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, numbers rounded for reading.
    Table,
    /// Comma-separated values with a header line, full precision.
    Csv,
    /// An array of objects, full precision.
    Json,
    /// A Markdown table, numbers rounded for reading.
    Md,
}

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  reslab explain 3f2a91c07be4d518                                  a stored run, by its id
  reslab explain 3f2a experiments/quickstart.yaml                  by the beginning of the id
  reslab explain depth=56 experiments/quickstart.yaml              by a part of its name
  reslab explain 3f2a experiments/quickstart.yaml --set train.lr=0.05";

/// Arguments of `reslab explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The beginning of a run's id, or a part of its name.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The experiment file the run belongs to (default: all results folders are searched).
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub place: Place,
}

pub(super) const FIGURES_EXAMPLES: &str = "\
Examples:
  reslab figures results/quickstart
  reslab figures results/reference/degradation-cifar10";

/// Arguments of `reslab figures`.
#[derive(Debug, Args)]
pub struct FiguresArguments {
    /// A folder with the tables runs.parquet, epochs.parquet and layers.parquet.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
}

pub(super) const DATA_EXAMPLES: &str = "\
Examples:
  reslab data list                                        the data sets, and which are found here
  reslab data check cifar10                               read it all and say what it is
  reslab data get cifar10 --to data                       download, verify, keep
  reslab data check image-folder --root pictures          a folder of one's own";

/// The commands of `reslab data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the data sets, and where each of them is.
    #[command(help_template = super::TEMPLATE, before_help = "Examples:\n  reslab data list")]
    List,
    /// Read a data set whole and say what it holds, or what is wrong with it.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "Examples:\n  reslab data check digits\n  reslab data check cifar10 --root data"
    )]
    Check {
        /// Name of the data set, as in an experiment file's data.name.
        name: String,
        /// Folder or archive to look in (default: RESLAB_DATA and the usual places).
        #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
        root: Option<PathBuf>,
        /// Side in pixels to resize to; an image folder needs one.
        #[arg(long, value_name = "PIXELS")]
        resize: Option<usize>,
    },
    /// Download a data set, verify its checksum, and put it where it is found.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "Examples:\n  reslab data get cifar10 --to data\n  \
                       reslab data get mnist --to data --from https://mirror.example/mnist"
    )]
    Get {
        /// Name of the data set.
        name: String,
        /// Folder to put it into (default: RESLAB_DATA, else ~/.local/share/reslab).
        #[arg(long, alias = "root", value_name = "DIR", value_hint = ValueHint::DirPath)]
        to: Option<PathBuf>,
        /// Folder of a mirror to download from, instead of the official address.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
}

pub(super) const BENCH_EXAMPLES: &str = "\
Examples:
  reslab bench train --model resnet20 --batch 128 --threads 2
  reslab bench eval --model resnet56 --steps 20 --json";

/// The commands of `reslab bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time whole training steps: forward, backward, update.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "Examples:\n  reslab bench train --model resnet20 --batch 128 --threads 2 --json"
    )]
    Train(BenchArguments),
    /// Time evaluation: forward with running statistics, loss and error.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "Examples:\n  reslab bench eval --model plain20 --batch 256 --json"
    )]
    Eval(BenchArguments),
}

/// Arguments of `reslab bench train` and `reslab bench eval`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// The network, by its name.
    #[arg(long, value_name = "NAME", default_value = "resnet20")]
    pub model: String,
    /// Channels of the first stage (or features of a fully connected network).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub width: Option<usize>,
    /// Images of a step.
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive)]
    pub batch: usize,
    /// Threads (all cores).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    /// Steps that are timed, after two that are not.
    #[arg(long, value_name = "N", default_value = "10", value_parser = positive)]
    pub steps: usize,
    /// Size of an image.
    #[arg(long, value_name = "C,H,W", default_value = "3,32,32", value_parser = image_size)]
    pub input: ImageSize,
    /// Number of classes.
    #[arg(long, value_name = "N", default_value = "10", value_parser = positive)]
    pub classes: usize,
    /// Print one JSON object instead of a sentence.
    #[arg(long)]
    pub json: bool,
}

/// Channels, height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  reslab completions bash > ~/.local/share/bash-completion/completions/reslab
  reslab completions zsh > ~/.zfunc/_reslab
  reslab completions fish > ~/.config/fish/completions/reslab.fish";

/// Arguments of `reslab completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  reslab man > ~/.local/share/man/man1/reslab.1";

/// A whole number of at least one.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) | Err(_) => Err("a whole number of at least 1 is wanted".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// `C,H,W`, each at least one.
pub(super) fn image_size(text: &str) -> Result<ImageSize, String> {
    let numbers: Result<Vec<usize>, String> =
        text.split(',').map(|part| positive(part.trim())).collect();
    match numbers.as_deref() {
        Ok(&[channels, height, width]) => Ok(ImageSize {
            channels,
            height,
            width,
        }),
        _ => Err("three whole numbers are wanted: channels,height,width, such as 3,32,32".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_sizes_are_three_positive_numbers() {
        let size = image_size("3, 16,8").map(|s| (s.channels, s.height, s.width));
        assert_eq!(size, Ok((3, 16, 8)));
        for bad in ["", "3", "3,32", "3,32,32,1", "0,32,32", "a,b,c"] {
            assert!(image_size(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
