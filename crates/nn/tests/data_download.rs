//! Downloads against an HTTP server on loopback: fresh, continued, refused.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use reslab_nn::data::download::{RemoteFile, fetch, get};
use reslab_nn::data::{DataError, DataName};
use sha2::{Digest, Sha256};

/// How the server behaves.
#[derive(Clone, Copy)]
struct Manners {
    /// Knows `Range`.
    ranges: bool,
    /// Closes the connection after this many bytes of the first body.
    breaks_after: Option<usize>,
    /// Answers 404.
    missing: bool,
}

const POLITE: Manners = Manners {
    ranges: true,
    breaks_after: None,
    missing: false,
};

/// The base URL, and the `Range` of every request that came (or "all").
fn serve(content: Vec<u8>, manners: Manners) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let number = seen.lock().unwrap().len();
            // A client that goes away in the middle is no concern of the server.
            let _ = answer(stream, &content, manners, number, &seen);
        }
    });
    (url, requests)
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    manners: Manners,
    number: usize,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut range = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: bytes=") {
            range = value
                .strip_suffix('-')
                .and_then(|from| from.parse::<usize>().ok());
        }
    }
    let asked = range.map_or("all".to_owned(), |from| from.to_string());
    seen.lock().unwrap().push(asked);
    let total = content.len();
    if manners.missing {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let (status, from, extra) = match range.filter(|_| manners.ranges) {
        Some(from) if from >= total => {
            let head = format!(
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return stream.write_all(head.as_bytes());
        }
        Some(from) => {
            let range = format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1);
            ("206 Partial Content", from, range)
        }
        None => ("200 OK", 0, String::new()),
    };
    let body = &content[from..];
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let sent = manners
        .breaks_after
        .filter(|_| number == 0)
        .unwrap_or(body.len());
    stream.write_all(&body[..sent.min(body.len())])
}

fn content() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn remote(content: &[u8]) -> RemoteFile {
    let digest = Sha256::digest(content);
    let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    RemoteFile {
        name: "file.bin".to_owned(),
        bytes: Some(content.len() as u64),
        sha256,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn fetched(url: &str, remote: &RemoteFile, folder: &Path) -> Result<Vec<u8>, DataError> {
    fetch(url, remote, folder, &mut |_, _| {}).map(|path| std::fs::read(path).unwrap())
}

#[test]
fn a_fresh_download_arrives_with_progress_and_nothing_else_is_left() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    let (url, requests) = serve(content.clone(), POLITE);
    let mut reports = Vec::new();
    let below = folder.path().join("a/b");
    let mut progress = |done, total| reports.push((done, total));
    let path = fetch(&url, &remote(&content), &below, &mut progress).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(names(&below), ["file.bin"]);
    assert_eq!(reports.first(), Some(&(0, Some(300_000))));
    assert_eq!(reports.last(), Some(&(300_000, Some(300_000))));
    assert!(reports.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    // A second time nothing is asked for.
    assert_eq!(fetched(&url, &remote(&content), &below).unwrap(), content);
    assert_eq!(*requests.lock().unwrap(), ["all"]);
}

#[test]
fn a_broken_download_is_continued() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    let (url, requests) = serve(
        content.clone(),
        Manners {
            breaks_after: Some(100_000),
            ..POLITE
        },
    );
    let message = fetched(&url, &remote(&content), folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("after 100000 of 300000 bytes"),
        "{message}"
    );
    assert_eq!(names(folder.path()), ["file.bin.part"]);
    assert_eq!(
        fetched(&url, &remote(&content), folder.path()).unwrap(),
        content
    );
    assert_eq!(names(folder.path()), ["file.bin"]);
    assert_eq!(*requests.lock().unwrap(), ["all", "100000"]);
}

#[test]
fn a_server_without_ranges_is_asked_for_the_whole() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    let manners = Manners {
        ranges: false,
        breaks_after: Some(50_000),
        ..POLITE
    };
    let (url, requests) = serve(content.clone(), manners);
    assert!(fetched(&url, &remote(&content), folder.path()).is_err());
    assert_eq!(
        fetched(&url, &remote(&content), folder.path()).unwrap(),
        content
    );
    assert_eq!(*requests.lock().unwrap(), ["all", "50000"]);
}

#[test]
fn a_part_of_another_file_is_thrown_away() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    let (url, requests) = serve(content.clone(), POLITE);
    std::fs::write(folder.path().join("file.bin.part"), vec![0; 1000]).unwrap();
    assert_eq!(
        fetched(&url, &remote(&content), folder.path()).unwrap(),
        content
    );
    assert_eq!(*requests.lock().unwrap(), ["1000", "all"]);
}

#[test]
fn a_part_that_is_already_whole_or_too_long_is_settled() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    let (url, requests) = serve(content.clone(), POLITE);
    let part = folder.path().join("file.bin.part");
    // Without a known size the server is asked, and says that there is no more (416).
    let unknown = RemoteFile {
        bytes: None,
        ..remote(&content)
    };
    std::fs::write(&part, &content).unwrap();
    assert_eq!(fetched(&url, &unknown, folder.path()).unwrap(), content);
    assert_eq!(*requests.lock().unwrap(), ["300000"]);
    for file in [&unknown, &remote(&content)] {
        std::fs::remove_file(folder.path().join("file.bin")).unwrap();
        std::fs::write(&part, [&content[..], b"more"].concat()).unwrap();
        assert_eq!(fetched(&url, file, folder.path()).unwrap(), content);
    }
}

#[test]
fn a_file_with_another_sum_is_refused_and_kept_apart() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    let mut altered = content.clone();
    altered[123_456] ^= 1;
    let (url, _) = serve(altered, POLITE);
    let message = fetched(&url, &remote(&content), folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("SHA-256") && message.contains("file.bin.bad"),
        "{message}"
    );
    assert_eq!(names(folder.path()), ["file.bin.bad"]);
}

#[test]
fn a_file_of_another_content_is_not_overwritten() {
    let (content, folder) = (content(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("file.bin"), b"mine").unwrap();
    let message = fetched("http://127.0.0.1:9", &remote(&content), folder.path())
        .unwrap_err()
        .to_string();
    assert!(message.contains("move it away"), "{message}");
    assert_eq!(
        std::fs::read(folder.path().join("file.bin")).unwrap(),
        b"mine"
    );
}

#[test]
fn a_missing_file_is_told_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _) = serve(
        Vec::new(),
        Manners {
            missing: true,
            ..POLITE
        },
    );
    let message = get(DataName::Cifar10, folder.path(), &mut |_, _| {}, Some(&url))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("/cifar-10-binary.tar.gz could not be downloaded"),
        "{message}"
    );
    assert!(message.contains("404"), "{message}");
}

#[test]
fn without_a_network_the_message_says_what_to_put_where() {
    let folder = tempfile::tempdir().unwrap();
    // A port on which nobody listens: bound, then given back.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    for (name, wanted) in [
        (
            DataName::Cifar100,
            "put cifar-100-binary.tar.gz (or the folder cifar-100-binary) in",
        ),
        (
            DataName::Mnist,
            "put train-images-idx3-ubyte, train-labels-idx1-ubyte",
        ),
        (DataName::FashionMnist, "dataset-fashion-mnist"),
    ] {
        let error = get(name, folder.path(), &mut |_, _| {}, Some(&url)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(wanted), "{message}");
        assert!(
            message.contains(&folder.path().display().to_string()),
            "{message}"
        );
    }
    let error = get(DataName::Digits, folder.path(), &mut |_, _| {}, None).unwrap_err();
    assert!(
        error.to_string().contains("digits has nothing to download"),
        "{error}"
    );
}

#[test]
fn a_served_cifar10_that_is_not_the_official_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _) = serve(content(), POLITE);
    let error = get(DataName::Cifar10, folder.path(), &mut |_, _| {}, Some(&url)).unwrap_err();
    assert!(error.to_string().contains("c4a38c50a1bc5f3a"), "{error}");
    assert_eq!(names(folder.path()), ["cifar-10-binary.tar.gz.bad"]);
}
