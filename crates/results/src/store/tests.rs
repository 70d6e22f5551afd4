//! The store: completion, equality of second results, damage, failures, claims.

use std::fs::File;

use super::*;
use crate::provenance::Provenance;
use crate::record::{Outcome, tests::example};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path().join("quickstart")).expect("opened");
    (folder, store)
}

fn commit(store: &Store, record: &RunRecord) -> Result<Committed, ResultsError> {
    let writer = store.begin(&record.id().expect("id")).expect("begun");
    fs::write(writer.parameters_path(), b"weights").expect("written");
    writer.commit(
        record,
        &[],
        &Provenance::start("portable", 1, "abc").finish(),
    )
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("listed").flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_finished_run_is_found_and_nothing_else_is_left() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let id = record.id().expect("id");
    assert_eq!(store.lookup(&id).expect("looked up"), Lookup::Absent);
    fs::write(store.paths().checkpoint(&id), b"half").expect("written");
    assert_eq!(store.state(&id).expect("state"), RunState::Interrupted);
    assert_eq!(
        commit(&store, &record).expect("committed"),
        Committed::Stored
    );
    assert_eq!(
        store.lookup(&id).expect("looked up"),
        Lookup::Finished(Box::new(record))
    );
    assert_eq!(store.state(&id).expect("state"), RunState::Finished);
    assert_eq!(
        names(&store.paths().runs()),
        [".work".to_string(), id.to_string()]
    );
    assert_eq!(
        names(&store.paths().run(&id)),
        [
            "final.safetensors",
            "provenance.json",
            "record.json",
            "timings.json"
        ]
    );
    assert!(names(&store.paths().work()).is_empty());
}

#[test]
fn a_second_equal_result_is_dropped_and_a_different_one_is_an_error() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let id = record.id().expect("id");
    commit(&store, &record).expect("committed");
    assert_eq!(
        commit(&store, &record).expect("equal"),
        Committed::AlreadyThere
    );

    let mut other = record.clone();
    other.outcome = Outcome::Diverged { step: 1, epoch: 1 };
    let error = commit(&store, &other).expect_err("different");
    let ResultsError::Conflict { kept, aside, .. } = &error else {
        panic!("{error}")
    };
    assert!(error.to_string().contains(&aside.display().to_string()));
    assert!(kept.join("record.json").is_file() && aside.join("record.json").is_file());
    assert_eq!(
        store.lookup(&id).expect("looked up"),
        Lookup::Finished(Box::new(record))
    );
}

#[test]
fn a_damaged_record_is_moved_aside_with_a_message() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let id = record.id().expect("id");
    let path = store.paths().record(&id);
    let damage: [&dyn Fn(&str) -> String; 3] = [
        &|text| text[..text.len() / 2].to_string(),
        &|_| String::new(),
        &|text| text.replace("\"seed\":1", "\"seed\":2"),
    ];
    for damage in damage {
        commit(&store, &record).expect("committed");
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, damage(&text)).expect("written");
        let Lookup::Damaged(message) = store.lookup(&id).expect("looked up") else {
            panic!("the damage was not seen")
        };
        assert!(
            message.contains("record.json") && message.contains(".aside"),
            "{message}"
        );
        assert_eq!(store.lookup(&id).expect("looked up"), Lookup::Absent);
    }
    assert_eq!(names(&store.paths().aside()).len(), 3);
}

#[test]
fn a_result_takes_the_place_of_a_damaged_one() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let id = record.id().expect("id");
    commit(&store, &record).expect("committed");
    fs::write(store.paths().record(&id), b"{").expect("written");
    assert_eq!(
        commit(&store, &record).expect("committed"),
        Committed::Stored
    );
    fs::remove_file(store.paths().record(&id)).expect("removed");
    assert_eq!(
        commit(&store, &record).expect("committed"),
        Committed::Stored
    );
    assert!(matches!(
        store.lookup(&id).expect("looked up"),
        Lookup::Finished(_)
    ));
}

#[test]
fn an_abandoned_or_foreign_result_leaves_no_trace() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let id = record.id().expect("id");
    drop(store.begin(&id).expect("begun"));
    let writer = store.begin(&id).expect("begun");
    let provenance = Provenance::start("portable", 1, "abc");
    assert!(writer.commit(&example(2, 3), &[], &provenance).is_err());
    assert_eq!(names(&store.paths().runs()), [".work"]);
}

#[test]
fn failures_are_counted_and_end_with_success() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let id = record.id().expect("id");
    assert_eq!(
        store
            .fail(&id, &record.config, "first")
            .expect("kept")
            .attempts,
        1
    );
    assert_eq!(
        store
            .fail(&id, &record.config, "second")
            .expect("kept")
            .attempts,
        2
    );
    let Lookup::Failed(failure) = store.lookup(&id).expect("looked up") else {
        panic!("not kept")
    };
    assert_eq!(
        (failure.message.as_str(), &failure.config),
        ("second", &record.config)
    );
    assert!(matches!(
        store.state(&id).expect("state"),
        RunState::Failed(_)
    ));
    commit(&store, &record).expect("committed");
    assert!(matches!(
        store.lookup(&id).expect("looked up"),
        Lookup::Finished(_)
    ));
    assert_eq!(store.failure(&id).expect("read"), None);
}

#[test]
fn left_overs_are_removed_when_old() {
    let (_folder, store) = store();
    let id = example(1, 3).id().expect("id");
    let old = store.paths().temporary(&id, "old");
    let new = store.paths().temporary(&id, "new");
    for folder in [&old, &new] {
        fs::create_dir(folder).expect("created");
        fs::write(folder.join("record.json"), b"{").expect("written");
    }
    let long_ago = SystemTime::now() - LEFT_OVER - Duration::from_secs(60);
    File::open(&old)
        .and_then(|folder| folder.set_modified(long_ago))
        .expect("aged");
    Store::open(store.paths().root()).expect("opened");
    assert!(!old.exists() && new.exists());
}

#[test]
fn a_claim_is_held_once_and_given_back() {
    let (_folder, store) = store();
    let id = example(1, 3).id().expect("id");
    let claim = store.claim(&id).expect("asked").expect("free");
    assert!(store.claim(&id).expect("asked").is_none());
    assert_eq!(store.state(&id).expect("state"), RunState::Running);
    assert!(!claim.is_lost());
    drop(claim);
    assert_eq!(store.state(&id).expect("state"), RunState::Missing);
    assert!(store.claim(&id).expect("asked").is_some());
    assert!(names(&store.paths().work()).is_empty());
}

#[test]
fn a_stale_claim_is_taken_over() {
    let (_folder, store) = store();
    let id = example(1, 3).id().expect("id");
    let path = store.paths().claim(&id);
    fs::write(&path, "elsewhere\n1\ntoken\n").expect("written");
    assert!(
        store.claim(&id).expect("asked").is_none(),
        "fresh, of another machine"
    );
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    File::options()
        .write(true)
        .open(&path)
        .and_then(|f| f.set_modified(long_ago))
        .expect("aged");
    let claim = store.claim(&id).expect("asked").expect("stale");
    assert!(store.claim(&id).expect("asked").is_none());
    drop(claim);
    assert!(names(&store.paths().work()).is_empty());
}

#[test]
fn a_claim_that_was_never_written_is_taken_over_soon() {
    let (_folder, store) = store();
    let id = example(1, 3).id().expect("id");
    let path = store.paths().claim(&id);
    fs::write(&path, "").expect("created");
    assert!(
        store.claim(&id).expect("asked").is_none(),
        "its writer may be at it"
    );
    File::options()
        .write(true)
        .open(&path)
        .and_then(|f| f.set_modified(SystemTime::now() - Duration::from_secs(3)))
        .expect("aged");
    assert!(store.claim(&id).expect("asked").is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn a_claim_of_a_process_that_is_gone_is_taken_over_at_once() {
    let (_folder, store) = store();
    let id = example(1, 3).id().expect("id");
    let claim = store.claim(&id).expect("asked").expect("free");
    let path = store.paths().claim(&id);
    let own = fs::read_to_string(&path).expect("read");
    let mut child = std::process::Command::new("true").spawn().expect("started");
    child.wait().expect("ended");
    let gone = own.replace(
        &format!("\n{}\n", std::process::id()),
        &format!("\n{}\n", child.id()),
    );
    fs::write(&path, gone).expect("written");
    let second = store
        .claim(&id)
        .expect("asked")
        .expect("its process is gone");
    drop(claim);
    assert!(
        store.claim(&id).expect("asked").is_none(),
        "the first may not give back the second's"
    );
    drop(second);
}

#[test]
fn of_many_threads_one_gets_a_claim() {
    let (_folder, store) = store();
    let id = example(1, 3).id().expect("id");
    fs::write(store.paths().claim(&id), "elsewhere\n1\ntoken\n").expect("written");
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    File::options()
        .write(true)
        .open(store.paths().claim(&id))
        .and_then(|f| f.set_modified(long_ago))
        .expect("aged");
    let claims: Vec<Option<Claim>> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| store.claim(&id).expect("asked")))
            .collect();
        asked
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(claims.iter().flatten().count(), 1);
}

#[test]
fn many_threads_commit_one_run() {
    let (_folder, store) = store();
    let record = example(1, 3);
    let stored = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| commit(&store, &record).expect("committed")))
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .filter(|c| *c == Committed::Stored)
            .count()
    });
    assert_eq!(stored, 1);
}

#[test]
fn a_folder_that_cannot_be_is_told_by_path() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, b"").expect("written");
    let error = Store::open(file.join("quickstart")).expect_err("below a file");
    assert!(error.to_string().contains("quickstart"), "{error}");
    let nothing = Store::existing(folder.path().join("nothing"));
    let id = example(1, 3).id().expect("id");
    assert_eq!(nothing.lookup(&id).expect("looked up"), Lookup::Absent);
    assert_eq!(nothing.state(&id).expect("state"), RunState::Missing);
    assert!(nothing.begin(&id).is_err());
}
