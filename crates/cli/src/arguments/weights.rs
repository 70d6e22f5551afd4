//! The arguments of `reslab eval` and `reslab export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::bench::{InputSize, input_size};
use super::commands::{Place, positive};

pub(super) const EVAL_EXAMPLES: &str = "\
Examples:
  reslab eval --model resnet20 --weights resnet20.th --data cifar10 --normalize imagenet
  reslab eval --model resnet20 --weights net.safetensors --data cifar10 --json
  reslab eval --model resnet32 --weights net.pt --data cifar10 --limit 1000 --split train
  reslab eval --model resnet20 --weights net.th --data fashion-mnist --channels 3 --pad 32";

/// Arguments of `reslab eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// The network, by its name.
    #[arg(long, value_name = "NAME")]
    pub model: String,
    /// Channels of the first stage (or features of a fully connected network).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub width: Option<usize>,
    /// Its weights: a PyTorch file (.pt, .pth, .th) or safetensors.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub weights: PathBuf,
    /// The data set, as in an experiment file's data.name.
    #[arg(long, value_name = "NAME")]
    pub data: String,
    /// Folder or archive of the data (default: RESLAB_DATA and the usual places).
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub data_root: Option<PathBuf>,
    /// computed, none, imagenet, cifar10, or numbers: 0.49,0.48,0.45/0.25,0.24,0.26.
    #[arg(long, value_name = "HOW", default_value = "computed")]
    pub normalize: String,
    /// The samples: test or train.
    #[arg(
        long,
        value_name = "SPLIT",
        default_value = "test",
        hide_possible_values = true
    )]
    pub split: SplitName,
    /// Only so many samples, balanced over the classes.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub limit: Option<usize>,
    /// Side in pixels to resize to; an image folder needs one.
    #[arg(long, value_name = "PIXELS", value_parser = positive)]
    pub resize: Option<usize>,
    /// Side in pixels to put the images amid black to, after resizing.
    #[arg(long, value_name = "PIXELS", value_parser = positive)]
    pub pad: Option<usize>,
    /// Channels: 3 repeats those of grey images; an image folder is read with 1 or 3.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub channels: Option<usize>,
    /// Images of a batch. Never changes who is wrong.
    #[arg(long, value_name = "N", default_value = "256", value_parser = positive)]
    pub batch: usize,
    /// Threads (all cores). Never changes a result.
    #[arg(long, short, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// The two sets of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// What is only tested on.
    Test,
    /// What is trained on.
    Train,
}

pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  reslab export 3f2a91c0 --to trained.safetensors                         what a run ended with
  reslab export --model resnet20 --weights net.th --to net.safetensors    another file's weights
  reslab export --model resnet20 --seed 1 --to fresh.safetensors          a fresh initialisation

In PyTorch: model.load_state_dict(safetensors.torch.load_file(\"trained.safetensors\"))";

/// Arguments of `reslab export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The beginning of a finished run's id.
    #[arg(
        value_name = "RUN",
        conflicts_with_all = ["model", "weights", "seed", "width", "input", "classes"]
    )]
    pub run: Option<String>,
    /// The file to write: safetensors, with PyTorch's names and layouts.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub to: PathBuf,
    /// A network by its name, where no run is given.
    #[arg(long, value_name = "NAME", required_unless_present = "run")]
    pub model: Option<String>,
    /// Channels of the first stage (or features of a fully connected network).
    #[arg(long, value_name = "N", value_parser = positive, requires = "model")]
    pub width: Option<usize>,
    /// The network's weights: a PyTorch file or safetensors.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "model")]
    pub weights: Option<PathBuf>,
    /// Seed of a fresh initialisation, where no weights are given.
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        conflicts_with = "weights"
    )]
    pub seed: u64,
    /// Size of an image, or length of a vector (that of the family's papers: 3,32,32 for resnet20).
    #[arg(long, value_name = "C,H,W|N", value_parser = input_size)]
    pub input: Option<InputSize>,
    /// Number of classes (that of the family's papers).
    #[arg(long, value_name = "N", value_parser = positive)]
    pub classes: Option<usize>,
    #[command(flatten)]
    pub place: Place,
}
