//! Broken experiment files: each is refused with a message that names the place, what is wrong
//! and what would do. `tests/fixtures/bad/NAME.yaml` is the file, `NAME.txt` the whole message.
//!
//! After a deliberate change of wording: `RESLAB_BLESS=1 cargo test -p reslab-sweep`, then read
//! the difference.

use std::path::PathBuf;

use reslab_sweep::{PlanOptions, SweepError, load_text};

fn files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/bad");
    let entries = std::fs::read_dir(folder).expect("the folder of broken files");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_broken_file_is_refused_as_expected() {
    let bless = std::env::var_os("RESLAB_BLESS").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("the broken file");
        let found = match load_text(&name, &text, &PlanOptions::default()) {
            Err(SweepError::File(diagnostic)) => format!("{diagnostic}\n"),
            Err(other) => format!("(no place) {other}\n"),
            Ok(plan) => format!("(accepted)\n{plan}"),
        };
        let golden = path.with_extension("txt");
        if bless {
            std::fs::write(&golden, &found).expect("the message written");
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        let placed = expected.contains(&format!("--> {name}:")) && expected.contains('^');
        if found != expected || !placed {
            wrong.push(format!(
                "== {name}\n-- expected\n{expected}-- found\n{found}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_enough_broken_files() {
    assert!(files().len() >= 32, "{}", files().len());
}
