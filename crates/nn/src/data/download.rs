//! Fetching official archives: resumable, verified, atomic.
//!
//! A file is written to `NAME.part` beside its place. If such a part is there already, only the
//! rest is asked for (HTTP `Range`); a server that does not know ranges sends the whole and the
//! part begins anew. When all bytes are there, their SHA-256 is compared: the file is then renamed
//! into place, or else kept as `NAME.bad` for inspection and refused. A lock on the part keeps two
//! processes from writing it at once.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{DataError, DataName, Places, checksum, hosts};

/// What is called with the bytes that are there and the bytes there will be, if that is known.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;

/// A file to fetch: name, size in bytes (if known) and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name, at the source and here.
    pub name: String,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// Downloads the official files of `name` below `destination` and gives the archive, or the folder
/// of the four IDX files. `base_url` replaces the official address (the folder of the files).
pub fn get(
    name: DataName,
    destination: &Path,
    progress: &mut Progress,
    base_url: Option<&str>,
) -> Result<PathBuf, DataError> {
    let Some(source) = hosts::source(name) else {
        return Err(DataError::setting(
            "name",
            format!("{name} has nothing to download."),
        ));
    };
    let folder = destination.join(source.folder);
    let official = base_url
        .map(|url| vec![url])
        .unwrap_or_else(|| source.urls.to_vec());
    let total: Option<u64> = source.files.iter().map(|(_, bytes, _)| *bytes).sum();
    let mut before = 0;
    for &(file, bytes, sha256) in source.files {
        let remote = RemoteFile {
            name: file.to_owned(),
            bytes,
            sha256: sha256.to_owned(),
        };
        let mut counted = 0;
        let mut report = |done: u64, expected: Option<u64>| {
            counted = done;
            progress(before + done, total.or(expected));
        };
        fetch_any(&official, &remote, &folder, &mut report).map_err(|error| match error {
            DataError::Download { url, message, .. } => {
                let advice = Places::from_environment().advice(name, Some(destination));
                DataError::Download {
                    url,
                    message,
                    advice,
                }
            }
            other => other,
        })?;
        before += counted;
    }
    Ok(match source.files {
        [(file, ..)] => folder.join(file),
        _ => folder,
    })
}

/// Tries the addresses in order; the error is that of the first one.
fn fetch_any(
    urls: &[&str],
    remote: &RemoteFile,
    folder: &Path,
    progress: &mut Progress,
) -> Result<PathBuf, DataError> {
    let mut first = None;
    for url in urls {
        match fetch(url, remote, folder, progress) {
            Err(error @ DataError::Download { .. }) => {
                first.get_or_insert(error);
            }
            settled => return settled,
        }
    }
    Err(first.unwrap_or_else(|| failed(&remote.name, "no address to fetch it from")))
}

/// Downloads `base_url/NAME` to `folder/NAME`; see the head of this file.
pub fn fetch(
    base_url: &str,
    remote: &RemoteFile,
    folder: &Path,
    progress: &mut Progress,
) -> Result<PathBuf, DataError> {
    let target = folder.join(&remote.name);
    std::fs::create_dir_all(folder).map_err(|error| DataError::written(folder, error))?;
    if target.exists() {
        let found = sum_of(&target)?;
        let len = target.metadata().map_or(0, |meta| meta.len());
        if found != remote.sha256 {
            return Err(DataError::damaged(
                target.display().to_string(),
                format!("another file (SHA-256 {found}); move it away to download anew"),
                format!("SHA-256 {}", remote.sha256),
            ));
        }
        progress(len, Some(len));
        return Ok(target);
    }
    let url = format!("{}/{}", base_url.trim_end_matches('/'), remote.name);
    let part = folder.join(format!("{}.part", remote.name));
    let mut file = open_part(&part)?;
    let resumed = transfer(&url, remote, &part, &mut file, progress)?;
    let mut found = sum_of(&part)?;
    if found != remote.sha256 && resumed {
        // The part may have been of another file: once more from the beginning.
        empty(&file, &part)?;
        transfer(&url, remote, &part, &mut file, progress)?;
        found = sum_of(&part)?;
    }
    if found != remote.sha256 {
        let bad = folder.join(format!("{}.bad", remote.name));
        std::fs::rename(&part, &bad).map_err(|error| DataError::written(&bad, error))?;
        return Err(DataError::damaged(
            url,
            format!("a file with SHA-256 {found} (kept as {})", bad.display()),
            remote.sha256.clone(),
        ));
    }
    file.sync_all()
        .map_err(|error| DataError::written(&part, error))?;
    std::fs::rename(&part, &target).map_err(|error| DataError::written(&target, error))?;
    Ok(target)
}

fn failed(url: &str, message: impl Into<String>) -> DataError {
    let advice = "Check the connection and run the command again.".to_owned();
    DataError::Download {
        url: url.to_owned(),
        message: message.into(),
        advice,
    }
}

fn sum_of(path: &Path) -> Result<String, DataError> {
    File::open(path)
        .and_then(checksum::sha256_of)
        .map_err(|error| DataError::read(path, error))
}

/// Opens the part to append to it, alone.
fn open_part(part: &Path) -> Result<File, DataError> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(part)
        .map_err(|error| DataError::written(part, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DataError::damaged(
            part.display().to_string(),
            "another process that is downloading it",
            "none",
        )),
        // File systems without locks: the sum still tells.
        Err(std::fs::TryLockError::Error(_)) => Ok(file),
    }
}

fn empty(file: &File, part: &Path) -> Result<(), DataError> {
    file.set_len(0)
        .map_err(|error| DataError::written(part, error))
}

/// Brings the part to its full length. Tells whether it began with bytes that were there before.
fn transfer(
    url: &str,
    remote: &RemoteFile,
    part: &Path,
    file: &mut File,
    progress: &mut Progress,
) -> Result<bool, DataError> {
    let length = |file: &File| {
        file.metadata()
            .map(|meta| meta.len())
            .map_err(|error| DataError::read(part, error))
    };
    let mut have = length(file)?;
    if remote.bytes.is_some_and(|bytes| have > bytes) {
        empty(file, part)?;
        have = 0;
    }
    if have > 0 && remote.bytes == Some(have) {
        progress(have, remote.bytes);
        return Ok(true);
    }
    let mut response = request(url, have)?;
    if response.status() == 416 && have > 0 {
        // Nothing after what we have: either all is here, which the sum tells, or it is not ours.
        if complete_length(&response) == Some(have) {
            return Ok(true);
        }
        empty(file, part)?;
        have = 0;
        response = request(url, 0)?;
    }
    let resumed = have > 0 && response.status() == 206 && range_start(&response) == Some(have);
    if !resumed && response.status() != 200 {
        return Err(failed(
            url,
            format!("the server answered {}", response.status()),
        ));
    }
    if !resumed {
        empty(file, part)?;
        have = 0;
    }
    let rest = header(&response, "content-length").and_then(|value| value.parse::<u64>().ok());
    let total = rest.map(|rest| have + rest).or(remote.bytes);
    receive(url, response, part, file, (have, total), progress)?;
    Ok(resumed)
}

type Response = ureq::http::Response<ureq::Body>;

fn request(url: &str, from: u64) -> Result<Response, DataError> {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(wait(15))
        .timeout_connect(wait(15))
        .timeout_recv_response(wait(60))
        .timeout_per_read(wait(60))
        .http_status_as_error(false)
        .user_agent(concat!("reslab/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent.get(url);
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
    }
    request
        .call()
        .map_err(|error| failed(url, error.to_string()))
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The first byte of `Content-Range: bytes FIRST-LAST/TOTAL`.
fn range_start(response: &Response) -> Option<u64> {
    header(response, "content-range")?
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// The total of `Content-Range: bytes */TOTAL`.
fn complete_length(response: &Response) -> Option<u64> {
    header(response, "content-range")?
        .rsplit('/')
        .next()?
        .parse()
        .ok()
}

/// Appends the body to the part.
fn receive(
    url: &str,
    response: Response,
    part: &Path,
    file: &mut File,
    (mut have, total): (u64, Option<u64>),
    progress: &mut Progress,
) -> Result<(), DataError> {
    let mut body = response
        .into_body()
        .into_with_config()
        .limit(u64::MAX)
        .reader();
    let mut buffer = vec![0; 1 << 16];
    let broken = |have: u64, why: &str| {
        let of = total.map_or(String::new(), |total| format!(" of {total}"));
        failed(
            url,
            format!("{why} after {have}{of} bytes; the same command continues from there"),
        )
    };
    progress(have, total);
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(broken(have, &format!("the connection broke ({error})"))),
        };
        file.write_all(&buffer[..count])
            .map_err(|error| DataError::written(part, error))?;
        have += count as u64;
        progress(have, total);
    }
    match total {
        Some(total) if have < total => Err(broken(have, "the connection ended")),
        _ => Ok(()),
    }
}
