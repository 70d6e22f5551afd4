//! As much of the zip format as PyTorch writes: stored members, with 64-bit sizes where needed.
//!
//! PyTorch compresses nothing, so neither decompression nor encryption is known here; every
//! member is found through the central directory and held against its CRC-32 (APPNOTE 6.3.10,
//! sections 4.3.7, 4.3.12 to 4.3.16 and 4.5.3).

use std::collections::HashMap;
use std::ops::Range;

const END: &[u8] = b"PK\x05\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const CENTRAL: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// Bytes of the end record, without its comment.
const END_LEN: usize = 22;
/// What stands in a 32-bit field whose number is in a 64-bit one.
const ELSEWHERE: u64 = u32::MAX as u64;

/// Each member's name and where its bytes lie in the file; the error is a clause.
pub(super) fn members(file: &[u8]) -> Result<HashMap<String, Range<usize>>, String> {
    let (mut at, count) = directory(file).ok_or("its archive has no directory: is it whole?")?;
    let mut members = HashMap::new();
    let mut total = 0_usize;
    for _ in 0..count {
        let header = central(file, &mut at).ok_or("its archive's directory is damaged")?;
        let name = &header.name;
        if header.method != 0 || header.encrypted {
            return Err(format!(
                "its member `{name}` is compressed or encrypted; PyTorch writes them stored"
            ));
        }
        let data = data(file, &header)
            .ok_or_else(|| format!("its member `{name}` is damaged: is the file whole?"))?;
        // Members that share bytes would make the work of a small file endless.
        total = total.saturating_add(data.len());
        if total > file.len() {
            return Err("its members are together larger than the file".to_owned());
        }
        let mut checksum = flate2::Crc::new();
        checksum.update(&file[data.clone()]);
        if checksum.sum() != header.checksum {
            return Err(format!("its member `{name}` does not have its checksum"));
        }
        members.insert(header.name, data);
    }
    Ok(members)
}

/// One entry of the directory.
struct Header {
    name: String,
    method: u64,
    encrypted: bool,
    checksum: u32,
    size: u64,
    /// Place of the member's own header.
    offset: u64,
}

/// Where the directory begins, and how many entries it has.
fn directory(file: &[u8]) -> Option<(usize, u64)> {
    // A comment of up to 65,535 bytes may follow the end record.
    let last = file.len().checked_sub(END_LEN)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last)
        .rev()
        .find(|&at| file[at..].starts_with(END))?;
    let (count, offset) = (number(file, end + 10, 2)?, number(file, end + 16, 4)?);
    let locator = end
        .checked_sub(20)
        .filter(|&at| file[at..].starts_with(END_64_LOCATOR));
    let Some(locator) = locator else {
        return Some((usize::try_from(offset).ok()?, count));
    };
    let end_64 = usize::try_from(number(file, locator + 8, 8)?).ok()?;
    file.get(end_64..)?.strip_prefix(END_64)?;
    let (count, offset) = (number(file, end_64 + 32, 8)?, number(file, end_64 + 48, 8)?);
    Some((usize::try_from(offset).ok()?, count))
}

/// The entry of the directory at `*at`, which then is where the next begins.
fn central(file: &[u8], at: &mut usize) -> Option<Header> {
    let start = *at;
    file.get(start..)?.strip_prefix(CENTRAL)?;
    let field = |offset: usize, len: usize| number(file, start + offset, len);
    let length = |offset: usize| Some(field(offset, 2)? as usize);
    let (name_len, extra_len, comment_len) = (length(28)?, length(30)?, length(32)?);
    let name = start + 46;
    let extra = name + name_len;
    *at = extra + extra_len + comment_len;
    let mut header = Header {
        name: String::from_utf8_lossy(file.get(name..extra)?).into_owned(),
        encrypted: field(8, 2)? & 1 != 0,
        method: field(10, 2)?,
        checksum: field(16, 4)? as u32,
        size: field(24, 4)?,
        offset: field(42, 4)?,
    };
    let packed = field(20, 4)?;
    // The 64-bit field holds, in this order, those that are elsewhere.
    let mut wide = wide_field(file.get(extra..extra + extra_len)?).chunks_exact(8);
    let mut next = |small: u64| match small {
        ELSEWHERE => number(wide.next()?, 0, 8),
        known => Some(known),
    };
    header.size = next(header.size)?;
    let packed = next(packed)?;
    header.offset = next(header.offset)?;
    (header.method != 0 || packed == header.size).then_some(header)
}

/// The contents of the extra field with the identifier 1; empty where there is none.
fn wide_field(mut extra: &[u8]) -> &[u8] {
    while let (Some(id), Some(len)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let Some((field, rest)) = extra[4..].split_at_checked(len as usize) else {
            break;
        };
        if id == 1 {
            return field;
        }
        extra = rest;
    }
    &[]
}

/// Where a member's bytes lie.
fn data(file: &[u8], header: &Header) -> Option<Range<usize>> {
    let local = usize::try_from(header.offset).ok()?;
    file.get(local..)?.strip_prefix(LOCAL)?;
    let names = number(file, local + 26, 2)? + number(file, local + 28, 2)?;
    let start = local + 30 + names as usize;
    let end = start.checked_add(usize::try_from(header.size).ok()?)?;
    (end <= file.len()).then_some(start..end)
}

/// The little-endian number of `len` bytes at `at`.
fn number(file: &[u8], at: usize, len: usize) -> Option<u64> {
    let bytes = file.get(at..at.checked_add(len)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)),
    )
}
