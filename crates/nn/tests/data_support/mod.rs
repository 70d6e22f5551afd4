//! Small and hollow data files for the tests of data sets.
#![allow(dead_code)] // Each test file uses its own part.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{GrayImage, Luma, Rgb, RgbImage};
use reslab_nn::data::{self, DataName, DataSettings, Dataset, Places};

/// Settings for files below `root`.
pub fn at(name: DataName, root: &Path) -> DataSettings {
    DataSettings {
        name,
        root: Some(root.to_owned()),
        ..DataSettings::default()
    }
}

/// Loads with no place but the settings' own.
pub fn load(settings: &DataSettings) -> Result<Dataset, data::DataError> {
    data::load_from(settings, &Places::default())
}

/// The message of what must fail.
pub fn refusal(settings: &DataSettings) -> String {
    match load(settings) {
        Ok(_) => panic!("{settings:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

/// A file of zeros that takes no room, with some bytes set.
pub fn hollow(path: &Path, len: u64, bytes: &[(u64, u8)]) {
    let mut file = File::create(path).unwrap();
    file.set_len(len).unwrap();
    for &(at, byte) in bytes {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[byte]).unwrap();
    }
}

/// The six files of CIFAR-10, all zeros.
pub fn hollow_cifar10(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for file in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
    ] {
        hollow(&folder.join(format!("{file}.bin")), 30_730_000, &[]);
    }
    hollow(&folder.join("test_batch.bin"), 30_730_000, &[]);
}

/// The bytes of a CIFAR-100 file: record i has fine label i mod 100 and one pixel of its own.
pub fn cifar100_bytes(records: usize) -> Vec<u8> {
    let mut bytes = vec![0; records * 3074];
    for (i, record) in bytes.chunks_exact_mut(3074).enumerate() {
        record[0] = (i % 20) as u8;
        record[1] = (i % 100) as u8;
        record[2] = (i % 251) as u8;
        record[2 + 1024 + 33] = 255;
    }
    bytes
}

/// Writes `bytes` gzipped, as fast as may be.
pub fn write_gz(path: &Path, bytes: &[u8]) {
    let mut encoder = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap();
}

/// Writes a `.tar.gz` of (name, bytes).
pub fn write_tar_gz(path: &Path, members: &[(&str, &[u8])]) {
    let encoder = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

/// Keeps only the first `len` bytes of a file.
pub fn cut(path: &Path, len: u64) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(len)
        .unwrap();
}

/// An IDX file: magic number, dimensions, and as many zeros as they say.
pub fn idx(magic: u32, dimensions: &[u32]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    dimensions
        .iter()
        .for_each(|size| bytes.extend(size.to_be_bytes()));
    let body: u32 = dimensions.iter().product();
    bytes.resize(bytes.len() + body as usize, 0);
    bytes
}

/// The four files of MNIST, all zeros.
pub fn hollow_mnist(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, count) in [("train", 60_000_u32), ("t10k", 10_000)] {
        let images = idx(0x803, &[count, 28, 28]);
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        let labels = idx(0x801, &[count]);
        std::fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// A colour image: all pixels `colour`.
pub fn colour(path: &Path, width: u32, height: u32, colour: [u8; 3]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(width, height, Rgb(colour))
        .save(path)
        .unwrap();
}

/// A grey image: each pixel 10 · row + column.
pub fn grey(path: &Path, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(width, height, |x, y| Luma([(10 * y + x) as u8]))
        .save(path)
        .unwrap();
}

/// An image folder: classes `cat` and `dog`, two images each for training, one for testing.
pub fn image_folder(root: &Path) {
    for (file, value) in [
        ("train/cat/b.png", 10),
        ("train/cat/a.png", 20),
        ("train/dog/1.png", 30),
        ("train/dog/2.png", 40),
        ("test/cat/x.png", 50),
        ("test/dog/y.png", 60),
    ] {
        colour(&root.join(file), 6, 4, [value, value + 1, value + 2]);
    }
}

/// A way to break an otherwise sound folder, and what the message must contain.
pub type Case = (&'static str, fn(&Path), &'static [&'static str]);

/// Makes each case in a folder of its own and compares the message.
pub fn refused(
    name: DataName,
    sound: fn(&Path),
    settings: fn(DataSettings) -> DataSettings,
    cases: &[Case],
) {
    for (what, spoil, parts) in cases {
        let folder = tempfile::tempdir().unwrap();
        sound(folder.path());
        spoil(folder.path());
        let message = refusal(&settings(at(name, folder.path())));
        for part in *parts {
            assert!(
                message.contains(part),
                "{what}: \"{part}\" is not in\n{message}"
            );
        }
    }
}
