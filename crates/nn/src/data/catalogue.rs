//! What data sets there are, where they lie, and whether they are in order: plain data for
//! `reslab data list` and `reslab data check`.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{
    DataError, DataName, DataSettings, Dataset, Places, Targets, checksum, cifar, cifar_layout,
    idx, load_from, locate,
};

/// One line of the list of data sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The data set.
    pub name: DataName,
    /// What it is, in a few words.
    pub about: &'static str,
    /// "3×32×32", or in words where the settings decide.
    pub shape: &'static str,
    /// Classes; `None` where files or settings decide.
    pub classes: Option<usize>,
    /// Training and test samples; `None` where files or settings decide.
    pub samples: Option<(usize, usize)>,
    /// Where it is.
    pub place: Place,
    /// Who made it, and under which licence it comes.
    pub attribution: &'static str,
}

/// Where a data set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the library itself, or generated.
    BuiltIn,
    /// Where the settings say (`root`).
    BySettings,
    /// In this folder or archive.
    Found(PathBuf),
    /// Nowhere; what to put where.
    Missing {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
        /// What to do.
        advice: String,
    },
}

/// Every data set. Looks at `RESLAB_DATA`.
pub fn list() -> Vec<Listing> {
    list_in(&Places::from_environment())
}

/// Like [`list`], with the places to search given.
pub fn list_in(places: &Places) -> Vec<Listing> {
    DataName::ALL
        .into_iter()
        .map(|name| listing(name, places))
        .collect()
}

fn listing(name: DataName, places: &Places) -> Listing {
    let (about, shape, classes, samples) = match name {
        DataName::Digits => (
            "handwritten digits, grey",
            "1×8×8",
            Some(10),
            Some((1437, 360)),
        ),
        DataName::Cifar10 => (
            "small colour photographs",
            "3×32×32",
            Some(10),
            Some((50_000, 10_000)),
        ),
        DataName::Cifar100 => (
            "small colour photographs, fine labels",
            "3×32×32",
            Some(100),
            Some((50_000, 10_000)),
        ),
        DataName::Mnist => (
            "handwritten digits, grey",
            "1×28×28",
            Some(10),
            Some((60_000, 10_000)),
        ),
        DataName::FashionMnist => (
            "pieces of clothing, grey",
            "1×28×28",
            Some(10),
            Some((60_000, 10_000)),
        ),
        DataName::ImageFolder => ("PNG and JPEG files of your own", "of the files", None, None),
        DataName::Synthetic => (
            "drawn from a seeded generator",
            "of the settings",
            None,
            None,
        ),
    };
    let place = match name {
        DataName::Digits | DataName::Synthetic => Place::BuiltIn,
        DataName::ImageFolder => Place::BySettings,
        _ => find(name, places),
    };
    Listing {
        name,
        about,
        shape,
        classes,
        samples,
        place,
        attribution: attribution(name),
    }
}

fn find(name: DataName, places: &Places) -> Place {
    let settings = DataSettings {
        name,
        ..DataSettings::default()
    };
    match locate(&settings, places) {
        Ok(path) => Place::Found(path),
        Err(_) => Place::Missing {
            looked: places.candidates(name, None),
            advice: places.advice(name, None),
        },
    }
}

/// Who made a data set, and under which licence it comes.
pub const fn attribution(name: DataName) -> &'static str {
    match name {
        DataName::Digits => {
            "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine \
             Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0"
        }
        DataName::Cifar10 | DataName::Cifar100 => {
            "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
        }
        DataName::Mnist => "Y. LeCun, C. Cortes, C. Burges, The MNIST database, 1998",
        DataName::FashionMnist => "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, MIT",
        DataName::ImageFolder => "whoever made the images",
        DataName::Synthetic => "nobody: the numbers are drawn",
    }
}

/// The result of reading and checking a data set completely.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The data set.
    pub name: DataName,
    /// The folder or archive; `None` if built in.
    pub path: Option<PathBuf>,
    /// Shape of one input, such as `3×32×32`.
    pub shape: String,
    /// Classes, or numbers in a regression target.
    pub outputs: usize,
    /// Training and test samples in use.
    pub samples: (usize, usize),
    /// Training and test samples of each class; empty for regression.
    pub classes: Vec<(String, usize, usize)>,
    /// Means that the inputs are freed of.
    pub mean: Vec<f64>,
    /// Standard deviations that the inputs are freed of.
    pub std: Vec<f64>,
    /// Where those come from.
    pub normalization: String,
    /// The checksum of the data set.
    pub checksum: String,
    /// How far this is known to be the official data; a sentence.
    pub verdict: String,
    /// Who made it, and under which licence it comes.
    pub attribution: &'static str,
}

/// Reads and checks everything. Looks at `RESLAB_DATA`. What is wrong is the error.
pub fn check(settings: &DataSettings) -> Result<Report, DataError> {
    check_in(settings, &Places::from_environment())
}

/// Like [`check`], with the places to search given.
pub fn check_in(settings: &DataSettings, places: &Places) -> Result<Report, DataError> {
    let dataset = load_from(settings, places)?;
    let path = match settings.name {
        DataName::Digits | DataName::Synthetic => None,
        _ => Some(locate(settings, places)?),
    };
    let verdict = verdict(settings.name, path.as_deref())?;
    Ok(report(settings.name, path, verdict, dataset))
}

fn report(name: DataName, path: Option<PathBuf>, verdict: String, dataset: Dataset) -> Report {
    let count = |targets: &Targets, class: usize| match targets {
        Targets::Classes(labels) => labels.iter().filter(|&&l| l as usize == class).count(),
        Targets::Values { .. } => 0,
    };
    let (train, test) = (&dataset.train.targets, &dataset.test.targets);
    let classes = dataset.class_names.into_iter().enumerate();
    let classes = classes
        .map(|(c, name)| (name, count(train, c), count(test, c)))
        .collect();
    Report {
        name,
        path,
        shape: dataset.shape.to_string(),
        outputs: dataset.outputs,
        samples: (dataset.train.len, dataset.test.len),
        classes,
        mean: dataset.normalization.mean,
        std: dataset.normalization.std,
        normalization: dataset.normalization.origin,
        checksum: dataset.checksum,
        verdict,
        attribution: attribution(name),
    }
}

/// What is known about the origin of data that have been loaded without complaint.
fn verdict(name: DataName, path: Option<&Path>) -> Result<String, DataError> {
    let archive = path.filter(|path| path.is_file());
    Ok(match (name, archive) {
        (DataName::Cifar10 | DataName::Cifar100, Some(path)) => {
            let sum = File::open(path)
                .and_then(checksum::sha256_of)
                .map_err(|error| DataError::read(path, error))?;
            let images = match name {
                DataName::Cifar10 => "but the images are the official ones",
                _ => "and whether the images are the official ones is not known",
            };
            if sum == cifar_layout(name).archive_sha256 {
                "This is the official archive (SHA-256).".to_owned()
            } else {
                format!("The archive is not the official file (SHA-256 {sum}), {images}.")
            }
        }
        (DataName::Cifar10, None) => {
            "All images and labels are the official ones (in whatever order).".to_owned()
        }
        (DataName::Cifar100, None) => cifar100_folder(path)?,
        (DataName::Mnist | DataName::FashionMnist, _) => {
            format!(
                "All {} files are the official ones (SHA-256).",
                idx::FILES.len()
            )
        }
        (DataName::Digits, _) => "Built in; its SHA-256 is right.".to_owned(),
        (DataName::ImageFolder, _) => "Every image in use could be read.".to_owned(),
        (DataName::Synthetic, _) => "Generated from the settings.".to_owned(),
    })
}

/// Compares the members of an unpacked CIFAR-100 with the official ones.
fn cifar100_folder(path: Option<&Path>) -> Result<String, DataError> {
    for (file, official) in cifar::CIFAR100_MEMBERS {
        let Some(file) = path.map(|folder| folder.join(file)) else {
            continue;
        };
        let sum = File::open(&file)
            .and_then(checksum::sha256_of)
            .map_err(|error| DataError::read(&file, error))?;
        if sum != official {
            return Ok(format!(
                "Sizes, labels and classes are in order, but {} is not the official file \
                 (SHA-256 {sum}): its images may have been reordered or altered.",
                file.display()
            ));
        }
    }
    Ok("Both files are the official ones (SHA-256).".to_owned())
}
