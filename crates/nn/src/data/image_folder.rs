//! Images in folders: `ROOT/train/CLASS/*.png|jpg|jpeg` and `ROOT/test/CLASS/…`.
//!
//! Classes are the folders of `train`, sorted by name; images are sorted by name within their
//! class. Names that begin with a dot, and files that are no images, are passed over; image files
//! of other kinds are refused rather than silently left out. Grey or colour as `channels` says
//! (an alpha channel is dropped, 16-bit images are read at 8 bits, EXIF rotation is not applied).
//! With `resize`, each image becomes a square by area average, whatever its shape; without, all
//! must have one size. Headers are all read first; limits choose before anything is decoded.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::limits::{self, Part};
use super::raw::{Pixels, Raw, RawSplit};
use super::resize::{AreaAverage, check_side};
use super::{DataError, DataSettings, Targets};
use crate::network::Shape;

/// The images of one split: paths and labels.
struct Listing {
    paths: Vec<PathBuf>,
    labels: Vec<u32>,
}

/// What the folders hold, before anything is decoded.
pub(crate) struct Found {
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// Shape of the samples after resizing.
    pub shape: Shape,
    train: Listing,
    test: Listing,
}

impl Found {
    /// Samples of both splits.
    pub fn lens(&self) -> (usize, usize) {
        (self.train.paths.len(), self.test.paths.len())
    }
}

/// Lists the folders and reads the sizes of the images.
pub(crate) fn find(settings: &DataSettings, root: &Path) -> Result<Found, DataError> {
    let channels = settings.channels.unwrap_or(3);
    if channels != 1 && channels != 3 {
        return Err(DataError::setting(
            "channels",
            format!("must be 1 or 3, found {channels}."),
        ));
    }
    let class_names = classes(&root.join("train"))?;
    let train = list(&root.join("train"), &class_names, true)?;
    let test = list(&root.join("test"), &class_names, false)?;
    let paths = train.paths.iter().chain(&test.paths);
    let (height, width) = match settings.resize {
        Some(side) => {
            for path in paths {
                let (height, width) = size_of(path)?;
                check_side(side, height, width, &path.display().to_string())?;
            }
            (side, side)
        }
        None => common_size(paths)?,
    };
    Ok(Found {
        class_names,
        shape: Shape::new(channels, height, width),
        train,
        test,
    })
}

/// Decodes the images that the limits keep.
pub(crate) fn load(settings: &DataSettings, found: Found) -> Result<Raw, DataError> {
    let decode = |listing: Listing, limit, part| {
        let len = listing.paths.len();
        let targets = Targets::Classes(listing.labels.clone());
        let Listing {
            mut paths,
            mut labels,
        } = listing;
        if let Some(kept) = limits::choose(&targets, len, limit, settings.subset_seed, part)? {
            paths = kept.iter().map(|&i| paths[i].clone()).collect();
            labels = kept.iter().map(|&i| labels[i]).collect();
        }
        decode_all(&paths, labels, found.shape, settings.resize)
    };
    Ok(Raw {
        shape: found.shape,
        outputs: found.class_names.len(),
        class_names: found.class_names,
        white: 255,
        train: decode(found.train, settings.train_limit, Part::Train)?,
        test: decode(found.test, settings.test_limit, Part::Test)?,
    })
}

/// Sorted entries of a folder that are not hidden.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |error| DataError::read(folder, error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(OsStr::new(""))
        .to_string_lossy()
        .into_owned()
}

fn classes(folder: &Path) -> Result<Vec<String>, DataError> {
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    let names: Vec<String> = folders.map(|path| name_of(&path)).collect();
    if names.len() < 2 {
        let found = match names.first() {
            None => "no class folder".to_owned(),
            Some(only) => format!("one class folder only ({only})"),
        };
        return Err(DataError::damaged(
            folder.display().to_string(),
            found,
            "at least two, each with the images of a class",
        ));
    }
    Ok(names)
}

fn list(folder: &Path, class_names: &[String], train: bool) -> Result<Listing, DataError> {
    let mut listing = Listing {
        paths: Vec::new(),
        labels: Vec::new(),
    };
    for class in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let Ok(label) = class_names.binary_search(&name_of(&class)) else {
            return Err(DataError::damaged(
                class.display().to_string(),
                "a class that has no training images",
                format!("one of the classes of train ({})", class_names.join(", ")),
            ));
        };
        let mut images = Vec::new();
        for path in entries(&class)? {
            if is_image(&path)? {
                images.push(path);
            }
        }
        if images.is_empty() {
            return Err(DataError::damaged(
                class.display().to_string(),
                "no images",
                "at least one .png, .jpg or .jpeg file",
            ));
        }
        listing
            .labels
            .extend(std::iter::repeat_n(label as u32, images.len()));
        listing.paths.append(&mut images);
    }
    if listing.paths.is_empty() {
        let what = if train { "training" } else { "test" };
        let expected = format!("{what} images in a folder for each class");
        return Err(DataError::damaged(
            folder.display().to_string(),
            "no images",
            expected,
        ));
    }
    Ok(listing)
}

/// Whether to read a file; kinds of images that cannot be read are refused.
fn is_image(path: &Path) -> Result<bool, DataError> {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    match extension.as_str() {
        "png" | "jpg" | "jpeg" => Ok(!path.is_dir()),
        "gif" | "bmp" | "webp" | "tif" | "tiff" | "pgm" | "ppm" | "avif" => {
            Err(DataError::damaged(
                path.display().to_string(),
                format!("a .{extension} file"),
                ".png, .jpg or .jpeg",
            ))
        }
        _ => Ok(false),
    }
}

fn unreadable(path: &Path, error: &image::ImageError) -> DataError {
    DataError::damaged(
        path.display().to_string(),
        format!("\"{error}\""),
        "a readable image",
    )
}

/// Height and width of an image, from its header.
fn size_of(path: &Path) -> Result<(usize, usize), DataError> {
    let size = reader(path)?.into_dimensions();
    let (width, height) = size.map_err(|error| unreadable(path, &error))?;
    Ok((height as usize, width as usize))
}

/// Height and width that all images share.
fn common_size<'a>(
    mut paths: impl Iterator<Item = &'a PathBuf>,
) -> Result<(usize, usize), DataError> {
    let Some(first) = paths.next() else {
        return Ok((0, 0));
    };
    let expected = size_of(first)?;
    for path in paths {
        let size = size_of(path)?;
        if size != expected {
            let (height, width) = expected;
            return Err(DataError::damaged(
                path.display().to_string(),
                format!("an image of {}×{}", size.0, size.1),
                format!(
                    "{height}×{width} like {} (set data.resize to use images of different sizes)",
                    first.display()
                ),
            ));
        }
    }
    Ok(expected)
}

/// A reader that looks at the content, not at the name, to know the format.
fn reader(path: &Path) -> Result<image::ImageReader<std::io::BufReader<std::fs::File>>, DataError> {
    image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(|error| DataError::read(path, error))
}

fn decode_all(
    paths: &[PathBuf],
    labels: Vec<u32>,
    shape: Shape,
    resize: Option<usize>,
) -> Result<RawSplit, DataError> {
    let len = paths.len();
    let pixels = match resize {
        None => {
            let mut bytes = vec![0; len * shape.len()];
            bytes
                .par_chunks_exact_mut(shape.len())
                .zip(paths)
                .try_for_each(|(output, path)| {
                    let (_, _, image) = decode(path, shape.channels)?;
                    // The size cannot have changed unless the file did since it was listed.
                    if image.len() != output.len() {
                        return Err(DataError::damaged(
                            path.display().to_string(),
                            "another size",
                            "the size that it had",
                        ));
                    }
                    output.copy_from_slice(&image);
                    Ok(())
                })?;
            Pixels::Bytes(bytes)
        }
        Some(side) => {
            let mut values = vec![0.0; len * shape.len()];
            values
                .par_chunks_exact_mut(shape.len())
                .zip(paths)
                .try_for_each(|(output, path)| {
                    let (height, width, image) = decode(path, shape.channels)?;
                    check_side(side, height, width, &path.display().to_string())?;
                    AreaAverage::new(height, width, shape.channels, side, 255)
                        .apply(&image, output);
                    Ok(())
                })?;
            Pixels::Reals(values)
        }
    };
    Ok(RawSplit {
        pixels,
        targets: Targets::Classes(labels),
        len,
    })
}

/// Height, width and channels-last bytes of an image.
fn decode(path: &Path, channels: usize) -> Result<(usize, usize, Vec<u8>), DataError> {
    let image = reader(path)?
        .decode()
        .map_err(|error| unreadable(path, &error))?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let bytes = if channels == 1 {
        image.into_luma8().into_raw()
    } else {
        image.into_rgb8().into_raw()
    };
    Ok((height, width, bytes))
}
