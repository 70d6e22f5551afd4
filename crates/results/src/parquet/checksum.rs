//! A table's SHA-256 in its own metadata: damage is found before anything is decoded.
//!
//! The sum is that of the whole file with zeros in its own place. Polars believes the lengths that a
//! file holds, and where they are damaged asks for more memory than there is, which ends the process.

use std::fmt::Write;
use std::ops::Range;

use sha2::{Digest, Sha256};

/// The key of the metadata.
pub(super) const KEY: &str = "reslab.sha256";
/// What stands for the sum until the file is whole.
pub(super) const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Between key and value: kind of field and length, a byte each.
const BETWEEN: usize = 2;

/// Puts the sum in its place.
pub(super) fn seal(bytes: &mut [u8]) {
    if let Some(place) = place(bytes) {
        let sum = sum(bytes, &place);
        bytes[place].copy_from_slice(sum.as_bytes());
    }
}

/// Whether the file is as it was written. A file without a sum is of an earlier version, and may be.
pub(super) fn holds(bytes: &[u8]) -> bool {
    place(bytes).is_none_or(|place| bytes[place.clone()] == *sum(bytes, &place).as_bytes())
}

/// Where the sum stands: behind the last key of its name, which is in the footer.
fn place(bytes: &[u8]) -> Option<Range<usize>> {
    let key = bytes
        .windows(KEY.len())
        .rposition(|at| at == KEY.as_bytes())?;
    let start = key + KEY.len() + BETWEEN;
    let place = start..start + ZEROS.len();
    (place.end <= bytes.len()).then_some(place)
}

fn sum(bytes: &[u8], place: &Range<usize>) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..place.start]);
    hash.update(ZEROS);
    hash.update(&bytes[place.end..]);
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
