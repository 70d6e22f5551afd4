//! The house: file lengths, one-way imports between crates, links in the documents.

use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES: usize = 450;

/// Crate and the crates of ours it may import.
const IMPORTS: [(&str, &[&str]); 8] = [
    ("kernels", &[]),
    ("dense", &[]),
    ("nn", &["kernels"]),
    ("probes", &["dense", "nn", "results"]),
    ("results", &[]),
    ("sweep", &["probes", "nn", "results"]),
    ("figures", &["results"]),
    ("cli", &["sweep", "figures", "results", "nn", "kernels"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files_below(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .expect("the folder can be read")
        .flatten()
    {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && name != ".git" && name != "results"
                || path.ends_with("crates/results")
            {
                files_below(&path, extension, found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(&root(), extension, &mut found);
    assert!(!found.is_empty(), "no .{extension} file was found");
    found
}

#[test]
fn rust_files_hold_one_idea() {
    for path in files("rs") {
        let lines = fs::read_to_string(&path)
            .expect("a source file is text")
            .lines()
            .count();
        assert!(
            lines <= MOST_LINES,
            "{} has {lines} lines, more than {MOST_LINES}",
            path.display()
        );
    }
}

#[test]
fn imports_between_crates_run_one_way() {
    for (name, allowed) in IMPORTS {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("every crate has a manifest");
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or("");
        let dependencies = dependencies.split("\n[").next().unwrap_or("");
        for line in dependencies
            .lines()
            .filter_map(|l| l.strip_prefix("reslab-"))
        {
            let other = line.split(['.', ' ', '=']).next().unwrap_or("");
            assert!(
                allowed.contains(&other),
                "crates/{name} may not import reslab-{other}"
            );
        }
    }
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files("md") {
        let text = fs::read_to_string(&path).expect("a document is text");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap_or("");
            let outside = target.contains("://") || target.starts_with("mailto:");
            let folder = path.parent().expect("a file lies in a folder");
            if !target.is_empty() && !outside && !folder.join(target).exists() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "links that lead nowhere:\n{}",
        broken.join("\n")
    );
}

#[test]
fn unsafe_code_lives_in_the_kernels() {
    // Spelt in two parts, so that this file does not find itself.
    let word = concat!("un", "safe");
    let forms = ["{", "fn", "impl"].map(|rest| format!("{word} {rest}"));
    for path in files("rs") {
        let inside = path.components().any(|part| part.as_os_str() == "kernels");
        let text = fs::read_to_string(&path).expect("a source file is text");
        let found = forms.iter().any(|form| text.contains(form.as_str()));
        assert!(inside || !found, "{} has {word} code", path.display());
    }
}
