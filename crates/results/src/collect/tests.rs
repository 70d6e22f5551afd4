//! Collecting: order, equal bytes, failures, damage, and ten thousand runs.

use std::fs;
use std::path::Path;

use super::*;
use crate::record::tests::example;

/// A finished run put into its place without the store's care for power cuts, which is slow.
fn put(store: &Store, record: &RunRecord) -> RunId {
    let id = record.id().expect("id");
    let timing = EpochTiming {
        epoch: 1,
        seconds_train: 0.5,
        seconds_evaluate: 0.25,
        images_per_s: 1000.0,
        threads: 2,
    };
    let provenance = Provenance::start("portable", 2, "abc").finish();
    fs::create_dir_all(store.paths().run(&id)).expect("created");
    fs::write(store.paths().record(&id), record.to_json().expect("JSON")).expect("written");
    let text = serde_json::to_string(&[timing]).expect("JSON");
    fs::write(store.paths().timings(&id), text).expect("written");
    let text = serde_json::to_string(&provenance).expect("JSON");
    fs::write(store.paths().provenance(&id), text).expect("written");
    id
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path().join("quickstart")).expect("opened");
    (folder, store)
}

#[test]
fn tables_follow_the_plan() {
    let (_folder, store) = store();
    let mut diverged = example(2, 2);
    diverged.outcome = Outcome::Diverged { step: 40, epoch: 2 };
    let failed = example(3, 4);
    let failed_id = failed.id().expect("id");
    let absent = example(4, 4).id().expect("id");
    let plan = [
        put(&store, &diverged),
        failed_id.clone(),
        absent.clone(),
        put(&store, &example(1, 3)),
    ];
    store
        .fail(&failed_id, &failed.config, "out of memory")
        .expect("kept");

    let collected = collect(&store, "quickstart", &plan).expect("collected");
    assert_eq!(collected.missing, [absent]);
    let runs = parquet::read(&store.paths().table("runs")).expect("read");
    assert_eq!(runs, collected.runs);
    let statuses: Vec<_> = runs.iter().map(|row| row.text("status")).collect();
    assert_eq!(
        statuses,
        [Some("diverged"), Some("failed"), Some("finished")]
    );
    assert_eq!(runs.integer(0, "diverged_step"), Some(40));
    assert_eq!(runs.integer(1, "seed"), Some(3));
    assert_eq!(runs.real(1, "final_test_error"), None);
    assert_eq!(runs.real(2, "final_test_error"), Some(1.0 / 6.0));
    assert_eq!(runs.real(2, "train_lr"), Some(0.1));

    let epochs = parquet::read(&store.paths().table("epochs")).expect("read");
    assert_eq!(epochs.len(), 5);
    assert_eq!(epochs.text(0, "run_id"), Some(plan[0].as_str()));
    assert!(epochs.real(1, "train_loss").is_some_and(f64::is_nan));
    assert!(
        parquet::read(&store.paths().table("layers"))
            .expect("read")
            .is_empty()
    );
    let timings = parquet::read(&store.paths().table("timings")).expect("read");
    assert_eq!((timings.len(), timings.integer(1, "threads")), (2, Some(2)));
}

#[test]
fn nothing_done_gives_empty_tables() {
    let (_folder, store) = store();
    let collected = collect(&store, "quickstart", &[]).expect("collected");
    assert_eq!(collected.files.len(), 4);
    let runs = parquet::read(&store.paths().table("runs")).expect("read");
    assert_eq!((runs.len(), runs.schema), (0, schema::runs_fixed()));
}

#[test]
fn a_damaged_record_is_missing_with_a_note() {
    let (_folder, store) = store();
    let id = put(&store, &example(1, 3));
    fs::write(store.paths().record(&id), "{\"format\":1").expect("written");
    fs::write(store.paths().timings(&id), "[").expect("written");
    let collected = collect(&store, "quickstart", std::slice::from_ref(&id)).expect("collected");
    assert_eq!(collected.missing, [id]);
    assert!(
        collected.notes[0].contains("record.json"),
        "{:?}",
        collected.notes
    );
}

/// As `collect`, from texts in memory: creating folders by the ten thousand is the disk's affair.
fn collect_texts(store: &Store, texts: &[(RunId, String)]) -> Collected {
    let mut gathered = Gathered::new();
    for (id, text) in texts {
        let record = RunRecord::from_json(Path::new("record.json"), text.as_bytes()).expect("read");
        assert_eq!(record.id().expect("id"), *id);
        gathered
            .add(id, Lookup::Finished(Box::new(record)))
            .expect("fits");
    }
    gathered.write(store, "quickstart").expect("written")
}

#[test]
fn ten_thousand_runs_are_collected_in_seconds_and_to_the_same_bytes() {
    let (_folder, store) = store();
    let texts: Vec<(RunId, String)> = (0..10_000)
        .map(|seed| example(seed, 11))
        .map(|record| (record.id().expect("id"), record.to_json().expect("JSON")))
        .collect();
    let begun = std::time::Instant::now();
    collect_texts(&store, &texts);
    let collecting = begun.elapsed();
    let bytes = |name| fs::read(store.paths().table(name)).expect("read");
    let first = ["runs", "epochs"].map(bytes);
    let begun = std::time::Instant::now();
    let runs = parquet::read(&store.paths().table("runs")).expect("read");
    let groups = runs.groups(&["train_lr", "seed"]).expect("columns");
    let reading = begun.elapsed();
    assert_eq!(groups.len(), 10_000);
    println!("10,000 runs: collected in {collecting:?}, read and grouped in {reading:?}");
    assert!(reading.as_secs_f64() < 1.0, "{reading:?}");
    assert!(collecting.as_secs_f64() < 10.0, "{collecting:?}");
    collect_texts(&store, &texts);
    assert!(first == ["runs", "epochs"].map(bytes));
}
