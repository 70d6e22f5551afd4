//! Finished points of a surface, kept on disk so that a stopped measurement goes on where it was and
//! a finer one uses them again.
//!
//! A file belongs to a key, the text of all that its numbers depend on except the place. It begins with the
//! key's SHA-256, and then has records of one size: the bits of x and y, the values, and the start of
//! the SHA-256 of key and record. A record that was cut off by a kill, or is not what was written,
//! fails its check, and reading ends there. Every process writes files of its own, so that nothing is
//! ever written behind a torn record, and two processes do not disturb each other.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::directions::{Point, hexadecimal};
use crate::subject::ProbeError;

/// Bytes of a word.
const WORD: usize = 8;

/// The points of one key.
pub struct Kept {
    folder: Option<PathBuf>,
    /// Name of its files before their number.
    stem: String,
    key: [u8; 32],
    /// Numbers kept of a point.
    words: usize,
    known: HashMap<(u64, u64), Vec<u64>>,
    file: Option<File>,
}

/// A point's place, to the bit. 0 and −0 are one place.
fn place(point: Point) -> (u64, u64) {
    let bits = |value: f64| (value + 0.0).to_bits();
    (bits(point.x), bits(point.y.unwrap_or(0.0)))
}

impl Kept {
    /// The points of `key`, `words` numbers each, that `folder` holds; files are called `name`.
    /// Without a folder nothing is kept. What cannot be read is not there.
    pub fn open(folder: Option<&Path>, name: &str, key: &str, words: usize) -> Self {
        let key: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let mut kept = Self {
            folder: folder.map(Path::to_owned),
            stem: format!("{name}-{}", hexadecimal(&key[..8])),
            key,
            words,
            known: HashMap::new(),
            file: None,
        };
        kept.read();
        kept
    }

    /// What is known of a point.
    pub fn get(&self, point: Point) -> Option<&[u64]> {
        self.known.get(&place(point)).map(Vec::as_slice)
    }

    /// Keeps a point.
    pub fn keep(&mut self, point: Point, values: &[u64]) -> Result<(), ProbeError> {
        assert_eq!(
            values.len(),
            self.words,
            "as many numbers as were announced"
        );
        let (x, y) = place(point);
        let record = self.record(x, y, values);
        self.known.insert((x, y), values.to_vec());
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let failed = |error: std::io::Error| {
            let message = format!(
                "A point could not be kept in {}: {error}.",
                folder.display()
            );
            ProbeError::Unusable(message)
        };
        if self.file.is_none() {
            self.file = Some(self.begin(&folder).map_err(failed)?);
        }
        let file = self.file.as_mut().expect("made above");
        // One write, so that a kill loses this point at most.
        file.write_all(&record).map_err(failed)
    }

    /// A new file with the key.
    fn begin(&self, folder: &Path) -> std::io::Result<File> {
        fs::create_dir_all(folder)?;
        let mut number = 0;
        loop {
            let path = folder.join(format!("{}.{number}.points", self.stem));
            match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(mut file) => {
                    file.write_all(&self.key)?;
                    return Ok(file);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self) {
        let Some(entries) = self.folder.as_ref().and_then(|f| fs::read_dir(f).ok()) else {
            return;
        };
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.and_then(|name| name.strip_prefix(&self.stem));
            name.is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".points"))
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = paths.filter(ours).collect();
        paths.sort();
        for path in paths {
            let bytes = fs::read(path).unwrap_or_default();
            if let Some(records) = bytes.strip_prefix(&self.key) {
                self.read_records(records);
            }
        }
    }

    /// Every whole record up to the first that is not.
    fn read_records(&mut self, records: &[u8]) {
        for record in records.chunks_exact((self.words + 3) * WORD) {
            let mut words = record.chunks_exact(WORD).map(|word| {
                let word: [u8; WORD] = word.try_into().expect("a word has eight bytes");
                u64::from_le_bytes(word)
            });
            let (Some(x), Some(y)) = (words.next(), words.next()) else {
                return;
            };
            let values: Vec<u64> = words.take(self.words).collect();
            if self.record(x, y, &values) != record {
                return;
            }
            self.known.insert((x, y), values);
        }
    }

    /// A record with its check.
    fn record(&self, x: u64, y: u64, values: &[u64]) -> Vec<u8> {
        let words = [x, y].into_iter().chain(values.iter().copied());
        let mut record: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let check = Sha256::new().chain_update(self.key).chain_update(&record);
        record.extend_from_slice(&check.finalize()[..WORD]);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64) -> Point {
        Point { x, y: Some(y) }
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("reslab-kept-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn points_come_back_and_other_keys_do_not_see_them() {
        let folder = folder("keys");
        let open = |key| Kept::open(Some(&folder), "surface", key, 2);
        let mut one = open("one");
        one.keep(at(0.5, -1.0), &[f64::NAN.to_bits(), 3])
            .expect("it is writable");
        one.keep(at(-0.0, 2.0), &[1, 2]).expect("it is writable");
        assert_eq!(one.get(at(0.5, -1.0)), Some(&[f64::NAN.to_bits(), 3][..]));
        let again = open("one");
        assert_eq!(again.get(at(0.5, -1.0)), Some(&[f64::NAN.to_bits(), 3][..]));
        assert_eq!(again.get(at(0.0, 2.0)), Some(&[1, 2][..]));
        assert_eq!(again.get(at(-1.0, 0.5)), None);
        assert_eq!(open("another").get(at(0.5, -1.0)), None);
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_whole_records_and_is_never_written_behind() {
        let folder = folder("torn");
        let open = || Kept::open(Some(&folder), "surface", "key", 1);
        let mut kept = open();
        for index in 0..3_u64 {
            kept.keep(at(index as f64, 0.0), &[index])
                .expect("it is writable");
        }
        let path = folder.join(format!("{}.0.points", kept.stem));
        let bytes = fs::read(&path).expect("it was written");
        assert_eq!(bytes.len(), 32 + 3 * 32);
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).expect("it is writable");
            let whole = cut.saturating_sub(32) / 32;
            assert_eq!(open().known.len(), whole, "cut at {cut}");
        }
        fs::write(&path, &bytes[..70]).expect("it is writable");
        open().keep(at(9.0, 9.0), &[9]).expect("it is writable");
        let again = open();
        assert_eq!(again.get(at(0.0, 0.0)), Some(&[0][..]));
        assert_eq!(again.get(at(9.0, 9.0)), Some(&[9][..]));
        assert_eq!(again.known.len(), 2);
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_changed_byte_is_not_believed() {
        let folder = folder("changed");
        let open = || Kept::open(Some(&folder), "surface", "key", 1);
        let mut kept = open();
        kept.keep(at(1.0, 0.0), &[7]).expect("it is writable");
        let path = folder.join(format!("{}.0.points", kept.stem));
        let bytes = fs::read(&path).expect("it was written");
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            fs::write(&path, changed).expect("it is writable");
            assert!(open().known.is_empty(), "byte {index}");
        }
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
