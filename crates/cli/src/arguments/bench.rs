//! The arguments of `reslab bench`.

use clap::{Args, Subcommand};

use super::commands::positive;

pub(super) const EXAMPLES: &str = "\
Examples:
  reslab bench train --model resnet20 --batch 128 --threads 2
  reslab bench eval --model resnet56 --steps 20 --json
  reslab bench memory --model resnet110
  reslab bench kernels --model resnet20";

/// The commands of `reslab bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time whole training steps: forward, backward, update.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "\
Examples:
  reslab bench train --model resnet20 --batch 128 --threads 2 --json
  reslab bench train --model fc-resnet32 --width 64 --input 64 --batch 64
  reslab bench train --model resnet20 --runs 2"
    )]
    Train(StepArguments),
    /// Time evaluation: forward with running statistics, loss and error.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "Examples:\n  reslab bench eval --model plain20 --batch 256 --json"
    )]
    Eval(StepArguments),
    /// Measure the most memory of training steps, and say what it is for.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "\
Examples:
  reslab bench memory --model resnet56 --batch 128
  reslab bench memory --model resnet56 --eval --json"
    )]
    Memory(MemoryArguments),
    /// Time each kernel at the shapes of a network, against the machine's measured peak.
    #[command(
        help_template = super::TEMPLATE,
        before_help = "Examples:\n  reslab bench kernels --model resnet20 --input 3,32,32 --json"
    )]
    Kernels(KernelArguments),
}

/// Which network.
#[derive(Debug, Args)]
pub struct NetworkArguments {
    /// The network, by its name.
    #[arg(long, value_name = "NAME", default_value = "resnet20")]
    pub model: String,
    /// Channels of the first stage (or features of a fully connected network).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub width: Option<usize>,
    /// Size of an image, or length of a vector (that of the family's papers: 3,32,32 for resnet20).
    #[arg(long, value_name = "C,H,W|N", value_parser = input_size)]
    pub input: Option<InputSize>,
    /// Number of classes (that of the family's papers).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub classes: Option<usize>,
}

/// Arguments of `reslab bench train` and `reslab bench eval`.
#[derive(Debug, Args)]
pub struct StepArguments {
    #[command(flatten)]
    pub network: NetworkArguments,
    /// Images of a step.
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive)]
    pub batch: usize,
    /// Threads (all cores).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    /// So many runs of one thread each side by side, against one alone.
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "threads")]
    pub runs: Option<usize>,
    /// Steps that are timed, after two that are not.
    #[arg(long, value_name = "N", default_value = "10", value_parser = positive)]
    pub steps: usize,
    /// Print one JSON object instead of a sentence.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `reslab bench memory`.
#[derive(Debug, Args)]
pub struct MemoryArguments {
    #[command(flatten)]
    pub network: NetworkArguments,
    /// Images of a step.
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive)]
    pub batch: usize,
    /// Threads (all cores).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    /// Of evaluation instead of training.
    #[arg(long)]
    pub eval: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `reslab bench kernels`.
#[derive(Debug, Args)]
pub struct KernelArguments {
    #[command(flatten)]
    pub network: NetworkArguments,
    /// Images each kernel is called for, rounded up to whole groups of sixteen.
    #[arg(long, value_name = "N", default_value = "16", value_parser = positive)]
    pub batch: usize,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Channels, height and width of an image; a vector has one row and one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputSize {
    /// Channels, or the length of a vector.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// `C,H,W` or `N`, each at least one.
pub(super) fn input_size(text: &str) -> Result<InputSize, String> {
    let numbers: Result<Vec<usize>, String> =
        text.split(',').map(|part| positive(part.trim())).collect();
    let (channels, height, width) = match numbers.as_deref() {
        Ok(&[channels, height, width]) => (channels, height, width),
        Ok(&[length]) => (length, 1, 1),
        _ => {
            let wanted = "channels,height,width of an image, such as 3,32,32, or the length of a \
                          vector, such as 64, is wanted";
            return Err(wanted.to_owned());
        }
    };
    Ok(InputSize {
        channels,
        height,
        width,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_images_or_vectors() {
        let size = |text| input_size(text).map(|s| (s.channels, s.height, s.width));
        assert_eq!(size("3, 16,8"), Ok((3, 16, 8)));
        assert_eq!(size("64"), Ok((64, 1, 1)));
        for bad in ["", "0", "3,32", "3,32,32,1", "0,32,32", "a,b,c"] {
            assert!(input_size(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
