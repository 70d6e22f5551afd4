//! Loss surfaces: a killed one goes on where it was, and the networks that lines lead to are part of a
//! run's identity.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{Lab, signal};

/// Bytes of a file of points before its records, and of a record.
const HEAD: usize = 32;
const RECORD: usize = 40;

fn experiment(lab: &Lab, name: &str, landscape: &str) {
    lab.write(
        &format!("{name}.yaml"),
        format!(
            "name: {name}\ndata: {{name: digits, train_limit: 200, test_limit: 40}}\n\
             model: {{name: resnet8, width: 4}}\ntrain: {{epochs: 2, batch_size: 20}}\n\
             probes: {{landscape: {landscape}}}\n"
        ),
    );
}

/// Files of finished points, and how many whole ones are in each.
fn finished(lab: &Lab, name: &str) -> Vec<usize> {
    let kept = lab.path(&format!("results/{name}/runs/.kept"));
    let folders = std::fs::read_dir(kept).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten());
    let paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    let points = paths.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "points")
    });
    points
        .map(|path| {
            let bytes = std::fs::metadata(path).map_or(0, |found| found.len() as usize);
            bytes.saturating_sub(HEAD) / RECORD
        })
        .collect()
}

#[test]
fn a_killed_surface_goes_on_where_it_was() {
    let lab = Lab::new();
    let plane = "{plane: {x: {points: 51}, y: {points: 41}}}";
    experiment(&lab, "killed", plane);
    let mut child = lab.starts("run killed.yaml --no-figures");
    let begin = Instant::now();
    while finished(&lab, "killed").iter().sum::<usize>() < 30 {
        let patience = Duration::from_secs(120);
        assert!(begin.elapsed() < patience, "no point was finished");
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&child, "KILL");
    child.wait().expect("the process ends");
    assert_eq!(
        lab.stored_runs("killed"),
        0,
        "killed before it was complete"
    );
    lab.reslab("run killed.yaml --no-figures").succeeds();
    let files = finished(&lab, "killed");
    assert_eq!(files.len(), 2, "each process has its file");
    assert_eq!(files.iter().sum::<usize>(), 51 * 41, "no point twice");

    experiment(&lab, "clean", plane);
    lab.reslab("run clean.yaml --no-figures --threads 1")
        .succeeds();
    let table = |name| lab.table(name, "landscape");
    assert_eq!(table("killed"), table("clean"));
}

#[test]
fn the_network_that_a_line_leads_to_is_part_of_the_identity_by_its_content() {
    let lab = Lab::new();
    let export = |seed: usize, classes: usize, name: &str| {
        let network = "--model resnet8 --width 4 --input 1,8,8";
        let rest = format!("--classes {classes} --seed {seed} --to {name}");
        lab.reslab(&format!("export {network} {rest}")).succeeds();
    };
    let to = |weights: &str| {
        let settings = format!("{{interpolation: {{weights: {weights}, points: 5}}}}");
        experiment(&lab, "line", &settings);
    };
    let id = || {
        let plan = lab.reslab("plan line.yaml --json").succeeds().json();
        plan["runs"][0]["id"].as_str().expect("an id").to_owned()
    };
    export(1, 10, "w.safetensors");
    export(1, 10, "same.safetensors");
    to("w.safetensors");
    let first = id();
    to("same.safetensors");
    assert_eq!(id(), first, "the same network elsewhere");
    export(2, 10, "same.safetensors");
    assert_ne!(id(), first, "another network of the same name");
    lab.reslab("run line.yaml --no-figures").succeeds();
    assert_eq!(lab.table("line", "landscape").rows.len(), 5);
    export(1, 3, "other.safetensors");
    to("other.safetensors");
    lab.reslab("run line.yaml --no-figures")
        .refuses()
        .says("linear.weight is [3, 16]")
        .says("line.yaml:5");
    to("nowhere.pt");
    lab.reslab("run line.yaml --no-figures")
        .refuses()
        .says("nowhere.pt");
}

#[test]
fn directions_without_normalisation_are_remarked_upon() {
    let lab = Lab::new();
    experiment(&lab, "raw", "{normalisation: none}");
    lab.reslab("plan raw.yaml")
        .succeeds()
        .prints("normalisation` is none");
    experiment(&lab, "fine", "{normalisation: layer}");
    let plan = lab.reslab("plan fine.yaml --json").succeeds().json();
    assert_eq!(plan["notes"].as_array().map(Vec::len), Some(0));
    experiment(&lab, "short", "{trajectory: {every: 2}}");
    lab.reslab("plan short.yaml")
        .refuses()
        .says("at least 3 networks")
        .says("short.yaml:5");
}
