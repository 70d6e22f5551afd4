//! MNIST and Fashion-MNIST: IDX files, gzipped or not.
//!
//! Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*; H. Xiao, K. Rasul,
//! R. Vollgraf, *Fashion-MNIST*, 2017 (MIT licence). An IDX file is a magic number (0x00000803 for
//! images, 0x00000801 for labels), one big-endian 32-bit size a dimension, and the bytes.
//!
//! Both data sets are fixed, so beyond magic numbers, counts, sizes and label range the SHA-256 of
//! each unpacked file is compared with the official one.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::raw::{Pixels, Raw, RawSplit};
use super::{DataError, DataName, Targets, checksum};
use crate::network::Shape;

/// Shape of an image.
pub(crate) const SHAPE: Shape = Shape::new(1, 28, 28);

const IMAGE_MAGIC: u32 = 0x0000_0803;
const LABEL_MAGIC: u32 = 0x0000_0801;

/// The four files, without `.gz`: images and labels for training, images and labels for testing.
pub(crate) const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// What the files of one of the two data sets hold.
pub(crate) struct Layout {
    /// The data set.
    pub name: DataName,
    /// Rows and columns of an image.
    pub side: usize,
    /// Training and test images.
    pub lens: [usize; 2],
    /// SHA-256 of each of [`FILES`], unpacked; `None` in tests of other parts.
    pub sha256: Option<[&'static str; 4]>,
}

/// MNIST.
pub(crate) const MNIST: Layout = Layout {
    name: DataName::Mnist,
    side: 28,
    lens: [60_000, 10_000],
    sha256: Some([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
};

/// Fashion-MNIST.
pub(crate) const FASHION_MNIST: Layout = Layout {
    name: DataName::FashionMnist,
    side: 28,
    lens: [60_000, 10_000],
    sha256: Some([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
};

/// The file in `folder`, unpacked or gzipped, with `-` or `.` before `idx`.
fn file_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    [
        name.to_owned(),
        format!("{name}.gz"),
        dotted.clone(),
        format!("{dotted}.gz"),
    ]
    .into_iter()
    .map(|name| folder.join(name))
    .find(|path| path.is_file())
}

/// The first candidate folder that holds any of the files.
pub(crate) fn find(candidates: &[PathBuf]) -> Option<PathBuf> {
    let there = |folder: &&PathBuf| FILES.iter().any(|name| file_in(folder, name).is_some());
    candidates.iter().find(there).cloned()
}

/// Checks what can be checked without reading everything: the four files and their headers.
pub(crate) fn glance(layout: &Layout, folder: &Path) -> Result<(), DataError> {
    let mut headers = Vec::with_capacity(4);
    for (index, name) in FILES.iter().enumerate() {
        let (path, mut reader) = open(folder, name)?;
        headers.push((path.clone(), header(layout, index, &path, &mut reader)?));
    }
    check_counts(layout, &headers)
}

/// Reads the four files in `folder`.
pub(crate) fn load(layout: &Layout, folder: &Path) -> Result<Raw, DataError> {
    glance(layout, folder)?;
    let mut files = Vec::with_capacity(4);
    for (index, name) in FILES.iter().enumerate() {
        files.push(body(layout, index, folder, name)?);
    }
    let mut files = files.into_iter();
    let mut split = |len: usize| {
        let pixels = Pixels::Bytes(files.next().unwrap_or_default());
        let labels = files.next().unwrap_or_default();
        let targets = Targets::Classes(labels.into_iter().map(u32::from).collect());
        RawSplit {
            pixels,
            targets,
            len,
        }
    };
    Ok(Raw {
        shape: Shape::new(1, layout.side, layout.side),
        outputs: 10,
        class_names: class_names(layout.name),
        white: 255,
        train: split(layout.lens[0]),
        test: split(layout.lens[1]),
    })
}

type Reader = Box<dyn Read>;

/// Opens a file, unpacking it if it begins like gzip.
fn open(folder: &Path, name: &str) -> Result<(PathBuf, Reader), DataError> {
    let path = file_in(folder, name).ok_or_else(|| {
        let place = folder.display().to_string();
        DataError::damaged(place, format!("no {name} or {name}.gz"), "all four files")
    })?;
    let failed = |error| DataError::read(&path, error);
    let mut file = File::open(&path).map_err(failed)?;
    let mut start = Vec::with_capacity(2);
    file.by_ref()
        .take(2)
        .read_to_end(&mut start)
        .map_err(failed)?;
    let gzipped = start == [0x1f, 0x8b];
    let whole = std::io::Cursor::new(start).chain(BufReader::with_capacity(1 << 16, file));
    let reader: Reader = if gzipped {
        Box::new(MultiGzDecoder::new(whole))
    } else {
        Box::new(whole)
    };
    Ok((path, reader))
}

/// Reads and checks magic number and dimensions; gives the number of samples.
fn header(
    layout: &Layout,
    index: usize,
    path: &Path,
    reader: &mut Reader,
) -> Result<usize, DataError> {
    let place = path.display().to_string();
    let mut word = |what: &str| {
        let mut bytes = [0; 4];
        reader
            .read_exact(&mut bytes)
            .map(|()| u32::from_be_bytes(bytes))
            .map_err(|error| {
                DataError::damaged(
                    &place,
                    format!("\"{error}\" in its header"),
                    what.to_owned(),
                )
            })
    };
    let (wanted, other) = if index.is_multiple_of(2) {
        (IMAGE_MAGIC, LABEL_MAGIC)
    } else {
        (LABEL_MAGIC, IMAGE_MAGIC)
    };
    let magic = word("a magic number")?;
    if magic != wanted {
        let hint = if magic == other {
            " (images and labels exchanged)"
        } else {
            ""
        };
        return Err(DataError::damaged(
            place,
            format!("magic number {magic:#010x}{hint}"),
            format!("{wanted:#010x}"),
        ));
    }
    let count = word("the number of samples")? as usize;
    if index.is_multiple_of(2) {
        let (rows, columns) = (word("the number of rows")?, word("the number of columns")?);
        if (rows as usize, columns as usize) != (layout.side, layout.side) {
            let side = layout.side;
            return Err(DataError::damaged(
                place,
                format!("images of {rows}×{columns}"),
                format!("{side}×{side}"),
            ));
        }
    }
    Ok(count)
}

fn check_counts(layout: &Layout, headers: &[(PathBuf, usize)]) -> Result<(), DataError> {
    for (pair, expected) in headers.chunks_exact(2).zip(layout.lens) {
        let [(images, image_count), (labels, label_count)] = pair else {
            continue;
        };
        if image_count != label_count {
            return Err(DataError::damaged(
                labels.display().to_string(),
                format!("{label_count} labels"),
                format!(
                    "as many as the {image_count} images in {}",
                    images.display()
                ),
            ));
        }
        if *image_count != expected {
            return Err(DataError::damaged(
                images.display().to_string(),
                format!("{image_count} images"),
                format!("{expected}"),
            ));
        }
    }
    Ok(())
}

/// Reads and checks all of one file; gives what follows the header.
fn body(layout: &Layout, index: usize, folder: &Path, name: &str) -> Result<Vec<u8>, DataError> {
    let (path, mut reader) = open(folder, name)?;
    let place = path.display().to_string();
    let images = index.is_multiple_of(2);
    let (header, sample) = if images {
        (16, layout.side * layout.side)
    } else {
        (8, 1)
    };
    let expected = header + layout.lens[index / 2] * sample;
    let mut bytes = Vec::with_capacity(expected + 1);
    // One byte more than there should be is enough to know.
    reader
        .by_ref()
        .take(expected as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| DataError::damaged(&place, format!("\"{error}\""), "a whole gzip file"))?;
    if bytes.len() != expected {
        let found = if bytes.len() > expected {
            format!("more than {expected} bytes")
        } else {
            format!("only {} bytes", bytes.len())
        };
        return Err(DataError::damaged(
            place,
            found,
            format!("{expected} bytes"),
        ));
    }
    if !images && let Some(at) = bytes[header..].iter().position(|&label| label > 9) {
        return Err(DataError::damaged(
            format!("{place}, label {at} (byte {})", header + at),
            format!("label {}", bytes[header + at]),
            "a label of 0 to 9",
        ));
    }
    if let Some(sums) = layout.sha256 {
        check_sum(layout, place, &checksum::sha256(&bytes), sums[index])?;
    }
    bytes.drain(..header);
    Ok(bytes)
}

fn check_sum(layout: &Layout, place: String, found: &str, expected: &str) -> Result<(), DataError> {
    if found == expected {
        return Ok(());
    }
    let owner = [&MNIST, &FASHION_MNIST].into_iter().find_map(|known| {
        let sums = known.sha256?;
        let file = sums.iter().position(|sum| *sum == found)?;
        Some(format!("{}'s {}", known.name, FILES[file]))
    });
    let found = match owner {
        Some(owner) => format!("{owner} (SHA-256 {found})"),
        None => format!("other content (SHA-256 {found})"),
    };
    Err(DataError::damaged(
        place,
        found,
        format!("{}'s (SHA-256 {expected})", layout.name),
    ))
}

/// Names of the classes, in the order of the labels.
pub(crate) fn class_names(name: DataName) -> Vec<String> {
    if name == DataName::Mnist {
        return super::digits::class_names();
    }
    let names = [
        "t-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ];
    names.map(str::to_owned).to_vec()
}
