//! Data sets: found, checked, limited, resized and normalised the same way whatever their source.
//!
//! [`load`] gives a [`Dataset`]; [`describe`] says what it would be, without reading everything;
//! [`catalogue`] lists and examines; [`download`] fetches. Each epoch, [`epoch_order`] and
//! [`fill_batch`] make batches. Inputs are `f32`, `(N, H, W, C)`. See `docs/data.md`.

mod augment;
mod batches;
pub mod catalogue;
mod checksum;
mod cifar;
mod cifar_records;
mod digits;
pub mod download;
mod embed;
mod error;
mod hosts;
mod idx;
mod image_folder;
mod limits;
mod normalise;
mod places;
mod raw;
mod resize;
mod settings;
pub mod synthetic;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use rayon::prelude::*;

pub use batches::{epoch_order, fill_batch};
pub use error::DataError;
pub use places::Places;
pub use settings::{
    AugmentSettings, ChannelStatistics, DataName, DataSettings, Normalize, SyntheticKind,
    SyntheticSettings,
};

use crate::network::Shape;
use limits::Part;
use raw::{Pixels, Raw, RawSplit};
use resize::AreaAverage;

/// A data set, ready to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its name, such as `cifar10`.
    pub name: String,
    /// Shape of one input.
    pub shape: Shape,
    /// Classes, or numbers in a regression target.
    pub outputs: usize,
    /// Names of the classes; empty for regression.
    pub class_names: Vec<String>,
    /// What is trained on.
    pub train: Split,
    /// What is only tested on.
    pub test: Split,
    /// What the inputs were freed of.
    pub normalization: Normalization,
    /// SHA-256 of the content in use, whatever file it came from: 64 hexadecimal digits.
    pub checksum: String,
}

/// Some samples and their targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Normalised inputs, `(N, H, W, C)`.
    pub inputs: Vec<f32>,
    /// One target a sample.
    pub targets: Targets,
    /// Samples.
    pub len: usize,
}

/// What the network should put out.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class a sample.
    Classes(Vec<u32>),
    /// `dimensions` numbers a sample.
    Values {
        /// Numbers in one target.
        dimensions: usize,
        /// `(N, dimensions)`.
        values: Vec<f32>,
    },
}

/// Mean and standard deviation of each channel, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Means, in the scale 0..1.
    pub mean: Vec<f64>,
    /// Standard deviations, in the scale 0..1.
    pub std: Vec<f64>,
    /// "computed from …", "imagenet", "cifar10", "given" or "none".
    pub origin: String,
}

/// What a data set will be: enough to build and check networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataShape {
    /// Shape of one input.
    pub shape: Shape,
    /// Classes, or numbers in a regression target.
    pub outputs: usize,
    /// Training samples, after the limit.
    pub train_len: usize,
    /// Test samples, after the limit.
    pub test_len: usize,
    /// Whether targets are numbers rather than classes.
    pub regression: bool,
}

/// Loads, checks and normalises the data that `settings` name. Looks at `RESLAB_DATA`.
pub fn load(settings: &DataSettings) -> Result<Dataset, DataError> {
    load_from(settings, &Places::from_environment())
}

/// Like [`load`], with the places to search given.
pub fn load_from(settings: &DataSettings, places: &Places) -> Result<Dataset, DataError> {
    describe_in(settings, places)?;
    let mut raw = read(settings, places)?;
    let sample = raw.shape.len();
    for (split, limit, part) in [
        (&mut raw.train, settings.train_limit, Part::Train),
        (&mut raw.test, settings.test_limit, Part::Test),
    ] {
        // An image folder has kept to its limits already: then nothing is left to choose.
        let seed = settings.subset_seed;
        if let Some(kept) = limits::choose(&split.targets, split.len, limit, seed, part)? {
            *split = split.select(&kept, sample);
        }
    }
    if let Some(side) = settings
        .resize
        .filter(|_| settings.name != DataName::ImageFolder)
    {
        shrink(&mut raw, side);
    }
    if settings.channels == Some(3) && raw.shape.channels == 1 {
        embed::colour(&mut raw);
    }
    if let Some(side) = settings.pad {
        embed::pad(&mut raw, side);
    }
    normalised(settings, raw)
}

/// What [`load`] would give. Finds missing data and wrong settings, reading next to nothing.
pub fn describe(settings: &DataSettings) -> Result<DataShape, DataError> {
    describe_in(settings, &Places::from_environment())
}

/// Like [`describe`], with the places to search given.
pub fn describe_in(settings: &DataSettings, places: &Places) -> Result<DataShape, DataError> {
    check_applicable(settings)?;
    let (mut shape, outputs, (train, test)) = match settings.name {
        DataName::Digits => (digits::SHAPE, 10, (digits::TRAIN, digits::TEST)),
        DataName::Cifar10 | DataName::Cifar100 => {
            let layout = cifar_layout(settings.name);
            cifar::glance(layout, &locate(settings, places)?)?;
            (cifar::SHAPE, layout.classes, layout.lens())
        }
        DataName::Mnist | DataName::FashionMnist => {
            let layout = idx_layout(settings.name);
            idx::glance(layout, &locate(settings, places)?)?;
            (idx::SHAPE, 10, (layout.lens[0], layout.lens[1]))
        }
        DataName::ImageFolder => {
            let found = image_folder::find(settings, &locate(settings, places)?)?;
            (found.shape, found.class_names.len(), found.lens())
        }
        DataName::Synthetic => {
            let made = synthetic_settings(settings);
            synthetic::check(&made)?;
            let shape = Shape::vector(made.dimensions);
            (shape, synthetic::outputs(&made), (made.train, made.test))
        }
    };
    if let Some(side) = settings
        .resize
        .filter(|_| settings.name != DataName::ImageFolder)
    {
        resize::check_side(
            side,
            shape.height,
            shape.width,
            &format!("{} images", settings.name),
        )?;
        shape = Shape::new(shape.channels, side, side);
    }
    if let Some(channels) = settings.channels {
        embed::check_channels(channels, shape.channels)?;
        shape.channels = channels;
    }
    if let Some(side) = settings.pad {
        embed::check_side(side, shape)?;
        shape = Shape::new(shape.channels, side, side);
    }
    normalise::check(&settings.normalize, shape.channels)?;
    let regression = settings.name == DataName::Synthetic
        && synthetic::is_regression(&synthetic_settings(settings));
    Ok(DataShape {
        shape,
        outputs,
        train_len: limits::kept(settings.train_limit, train, Part::Train)?,
        test_len: limits::kept(settings.test_limit, test, Part::Test)?,
        regression,
    })
}

/// Where the files of `settings` lie.
fn locate(settings: &DataSettings, places: &Places) -> Result<PathBuf, DataError> {
    let (name, root) = (settings.name, settings.root.as_deref());
    if name == DataName::ImageFolder {
        let advice =
            "Put images in train/CLASS/ and test/CLASS/ of the folder that data.root names.";
        return match root {
            None => Err(DataError::setting(
                "root",
                "an image folder needs the path of its folder.",
            )),
            Some(root) if root.join("train").is_dir() && root.join("test").is_dir() => {
                Ok(root.to_owned())
            }
            Some(root) => Err(DataError::Missing {
                name: name.to_string(),
                looked: vec![root.join("train"), root.join("test")],
                advice: advice.to_owned(),
            }),
        };
    }
    let candidates = places.candidates(name, root);
    let found = match name {
        DataName::Mnist | DataName::FashionMnist => idx::find(&candidates),
        _ => cifar::find(cifar_layout(name), &candidates),
    };
    found.ok_or_else(|| places.missing(name, root, candidates))
}

fn cifar_layout(name: DataName) -> &'static cifar::Layout {
    if name == DataName::Cifar100 {
        &cifar::CIFAR100
    } else {
        &cifar::CIFAR10
    }
}

fn idx_layout(name: DataName) -> &'static idx::Layout {
    if name == DataName::FashionMnist {
        &idx::FASHION_MNIST
    } else {
        &idx::MNIST
    }
}

fn synthetic_settings(settings: &DataSettings) -> SyntheticSettings {
    settings.synthetic.clone().unwrap_or_default()
}

/// Refuses settings that mean nothing for the data set, rather than passing them over.
fn check_applicable(settings: &DataSettings) -> Result<(), DataError> {
    let name = settings.name;
    let refuse = |key, owner: &str| {
        Err(DataError::setting(
            key,
            format!("is for {owner}; {name} has no use for it."),
        ))
    };
    let built_in = matches!(name, DataName::Digits | DataName::Synthetic);
    if settings.root.is_some() && built_in {
        return refuse("root", "data that lie in files");
    }
    if settings.channels.is_some() && name == DataName::Synthetic {
        return refuse("channels", "images");
    }
    if settings.pad.is_some() && name == DataName::Synthetic {
        return refuse("pad", "images");
    }
    if settings.synthetic.is_some() && name != DataName::Synthetic {
        return refuse("synthetic", "synthetic data");
    }
    if settings.resize.is_some() && name == DataName::Synthetic {
        return refuse("resize", "images");
    }
    Ok(())
}

/// Reads the source.
fn read(settings: &DataSettings, places: &Places) -> Result<Raw, DataError> {
    match settings.name {
        DataName::Digits => digits::load(),
        DataName::Cifar10 | DataName::Cifar100 => {
            cifar::load(cifar_layout(settings.name), &locate(settings, places)?)
        }
        DataName::Mnist | DataName::FashionMnist => {
            idx::load(idx_layout(settings.name), &locate(settings, places)?)
        }
        DataName::ImageFolder => {
            let found = image_folder::find(settings, &locate(settings, places)?)?;
            image_folder::load(settings, found)
        }
        DataName::Synthetic => synthetic::generate(&synthetic_settings(settings)),
    }
}

/// Makes all images `side` × `side`.
fn shrink(raw: &mut Raw, side: usize) {
    let shape = raw.shape;
    raw.shape = Shape::new(shape.channels, side, side);
    let average = AreaAverage::new(shape.height, shape.width, shape.channels, side, raw.white);
    for split in [&mut raw.train, &mut raw.test] {
        let Pixels::Bytes(bytes) = &split.pixels else {
            continue;
        };
        let mut values = vec![0.0; split.len * raw.shape.len()];
        values
            .par_chunks_exact_mut(raw.shape.len())
            .zip(bytes.par_chunks_exact(shape.len()))
            .with_min_len(64)
            .for_each(|(output, image)| average.apply(image, output));
        split.pixels = Pixels::Reals(values);
    }
}

fn normalised(settings: &DataSettings, raw: Raw) -> Result<Dataset, DataError> {
    let (channels, white) = (raw.shape.channels, raw.white);
    let normalization = normalise::statistics(&settings.normalize, &raw.train, channels, white)?;
    let checksum = checksum::of(&raw, &normalization);
    let identity = settings.name == DataName::Synthetic
        && synthetic_settings(settings).kind == SyntheticKind::Identity;
    let finish = |split: RawSplit| {
        let inputs = normalise::apply(split.pixels, channels, white, &normalization);
        let targets = match split.targets {
            // The identity map is learnt on the inputs as the network sees them.
            Targets::Values { dimensions, .. } if identity => Targets::Values {
                dimensions,
                values: inputs.clone(),
            },
            targets => targets,
        };
        Split {
            inputs,
            targets,
            len: split.len,
        }
    };
    Ok(Dataset {
        name: settings.name.to_string(),
        shape: raw.shape,
        outputs: raw.outputs,
        class_names: raw.class_names,
        train: finish(raw.train),
        test: finish(raw.test),
        normalization,
        checksum,
    })
}
