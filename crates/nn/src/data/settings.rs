//! What a user says about data: the section `data` of an experiment file, resolved.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::DataError;

/// Which data set, how much of it, and what is done to it before training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// The data set.
    pub name: DataName,
    /// Folder (or archive) that holds it; relative paths start at the working directory. Without
    /// it, `RESLAB_DATA` and the usual places are searched.
    pub root: Option<PathBuf>,
    /// Keep only this many training samples, balanced over the classes.
    pub train_limit: Option<usize>,
    /// Keep only this many test samples, balanced over the classes.
    pub test_limit: Option<usize>,
    /// Shrink images to this many rows and columns by area average.
    pub resize: Option<usize>,
    /// Put images amid black, this many rows and columns in all.
    pub pad: Option<usize>,
    /// Channels: 3 repeats those of grey images; an image folder is read with 1 (grey) or 3
    /// (colour, the default).
    pub channels: Option<usize>,
    /// Mean and standard deviation that each channel is freed of.
    pub normalize: Normalize,
    /// What the synthetic data are made of; only with `name: synthetic`.
    pub synthetic: Option<SyntheticSettings>,
    /// Seed of the choice that the limits make.
    pub subset_seed: u64,
}

/// The data sets there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataName {
    /// UCI handwritten digits, 8×8 grey, built in.
    #[default]
    Digits,
    /// CIFAR-10, 32×32 colour, 10 classes.
    Cifar10,
    /// CIFAR-100 with its 100 fine labels.
    Cifar100,
    /// MNIST, 28×28 grey.
    Mnist,
    /// Fashion-MNIST, 28×28 grey.
    FashionMnist,
    /// PNG and JPEG files in `train/CLASS/` and `test/CLASS/`.
    ImageFolder,
    /// Samples drawn from a seeded generator.
    Synthetic,
}

impl DataName {
    /// All of them, in the order of listings.
    pub const ALL: [Self; 7] = [
        Self::Digits,
        Self::Cifar10,
        Self::Cifar100,
        Self::Mnist,
        Self::FashionMnist,
        Self::ImageFolder,
        Self::Synthetic,
    ];

    /// Its name in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::ImageFolder => "image-folder",
            Self::Synthetic => "synthetic",
        }
    }
}

impl fmt::Display for DataName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataName {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                DataError::UnknownName {
                    name: name.to_owned(),
                    known,
                }
            })
    }
}

/// How inputs are normalised, channel by channel: `(x − mean) / std` with `x` in 0..1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// With mean and standard deviation of the training samples that are used.
    #[default]
    Computed,
    /// Not at all: pixels stay in 0..1.
    None,
    /// With ImageNet's usual constants (three channels).
    Imagenet,
    /// With CIFAR-10's usual constants (three channels).
    Cifar10,
    /// With the numbers given.
    #[serde(untagged)]
    Given(ChannelStatistics),
}

/// One mean and one standard deviation a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelStatistics {
    /// Means, in the scale 0..1.
    pub mean: Vec<f64>,
    /// Standard deviations, in the scale 0..1; above zero.
    pub std: Vec<f64>,
}

const NORMALIZE_NAMES: &[&str] = &["computed", "none", "imagenet", "cifar10"];

impl<'de> Deserialize<'de> for Normalize {
    /// By hand rather than `untagged`, so that a mistake is told where it stands.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NormalizeVisitor)
    }
}

impl FromStr for Normalize {
    type Err = DataError;

    /// A name, or the numbers as `mean,mean,mean/std,std,std`.
    fn from_str(text: &str) -> Result<Self, DataError> {
        let numbers = |text: &str| text.split(',').map(|x| x.trim().parse().ok()).collect();
        let given = |(mean, std)| {
            let (mean, std): (Option<Vec<f64>>, _) = (numbers(mean), numbers(std));
            Some(Self::Given(ChannelStatistics {
                mean: mean?,
                std: std?,
            }))
        };
        let unknown = || {
            let known = NORMALIZE_NAMES.join(", ");
            let message = format!(
                "is one of {known}, or numbers such as 0.49,0.48,0.45/0.25,0.24,0.26 (means, then \
                 standard deviations); found {text}."
            );
            DataError::setting("normalize", message)
        };
        match text {
            "computed" => Ok(Self::Computed),
            "none" => Ok(Self::None),
            "imagenet" => Ok(Self::Imagenet),
            "cifar10" => Ok(Self::Cifar10),
            _ => text.split_once('/').and_then(given).ok_or_else(unknown),
        }
    }
}

struct NormalizeVisitor;

impl<'de> de::Visitor<'de> for NormalizeVisitor {
    type Value = Normalize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("computed, none, imagenet, cifar10, or {mean: [..], std: [..]}")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Normalize, E> {
        match name {
            "computed" => Ok(Normalize::Computed),
            "none" => Ok(Normalize::None),
            "imagenet" => Ok(Normalize::Imagenet),
            "cifar10" => Ok(Normalize::Cifar10),
            other => Err(E::unknown_variant(other, NORMALIZE_NAMES)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Normalize, A::Error> {
        ChannelStatistics::deserialize(MapAccessDeserializer::new(map)).map(Normalize::Given)
    }
}

/// What synthetic samples are drawn from; see [`super::synthetic`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticSettings {
    /// The generator.
    pub kind: SyntheticKind,
    /// Numbers in one input.
    pub dimensions: usize,
    /// Classes (`clusters`, `teacher-classes`).
    pub classes: usize,
    /// Numbers in one target (`teacher`).
    pub outputs: usize,
    /// Training samples.
    pub train: usize,
    /// Test samples.
    pub test: usize,
    /// Standard deviation of what is added: around a cluster's centre (1 if not given), or to a
    /// teacher's outputs (0 if not given).
    pub noise: Option<f64>,
    /// Distance of each cluster's centre from the origin.
    pub separation: f64,
    /// Hidden units of the teacher.
    pub teacher_width: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// The generators of synthetic data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyntheticKind {
    /// Classification: one Gaussian cloud a class.
    #[default]
    Clusters,
    /// Regression: the outputs of a random two-layer network.
    Teacher,
    /// Classification: the largest output of a random two-layer network.
    TeacherClasses,
    /// Regression: the input itself.
    Identity,
}

impl Default for SyntheticSettings {
    fn default() -> Self {
        Self {
            kind: SyntheticKind::Clusters,
            dimensions: 16,
            classes: 4,
            outputs: 1,
            train: 1024,
            test: 256,
            noise: None,
            separation: 4.0,
            teacher_width: 32,
            seed: 0,
        }
    }
}

/// Random changes of the training images, drawn afresh for every sample and epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentSettings {
    /// Pixels of padding on each side before a crop of the original size; 0 turns it off.
    pub crop_padding: usize,
    /// Mirror left and right every second time, on average.
    pub flip: bool,
}
