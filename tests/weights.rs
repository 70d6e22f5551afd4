//! Weights out of the program and into it again.

use crate::support::{Experiment, Lab};

#[test]
fn a_run_is_exported_and_evaluates_to_what_it_measured() {
    let lab = Lab::new();
    lab.has(
        Experiment::convolutional("trained")
            .data("{name: digits, train_limit: 80, test_limit: 40, normalize: none}")
            .seeds("1"),
    );
    lab.reslab("run trained.yaml --no-figures").succeeds();
    let plan = lab.reslab("plan trained.yaml --json").succeeds().json();
    let id = plan["runs"][0]["id"].as_str().expect("an id").to_owned();
    lab.reslab(&format!("export {} --to out.safetensors", &id[..8]))
        .succeeds()
        .prints("out.safetensors");

    let results = lab.reslab("results results/trained --all --format json");
    let measured = results.succeeds().json()[0]["final_test_error"].clone();
    let eval = "eval --model resnet8 --width 4 --weights out.safetensors --data digits --normalize none --json";
    let whole = lab.reslab(eval).succeeds().says_nothing().json();
    assert_eq!(whole["total"], 360);
    let few = lab.reslab(&format!("{eval} --limit 40")).succeeds().json();
    assert_eq!(few["total"], 40);
    let error = few["wrong"].as_f64().expect("a number") / 40.0;
    assert_eq!(
        Some(error),
        measured.as_f64(),
        "the run measured the same 40 samples"
    );
    let classes = few["classes"].as_array().expect("digits are classes");
    let wrong: u64 = classes
        .iter()
        .filter_map(|class| class["wrong"].as_u64())
        .sum();
    assert_eq!(few["wrong"], wrong);
    let right = 1.0 - wrong as f64 / 40.0;
    assert!((few["top1"].as_f64().expect("a share") - right).abs() < 1e-12);
    assert!(few["top5"].as_f64() >= few["top1"].as_f64());
    let threads = lab
        .reslab(&format!("{eval} --threads 1 --batch 7"))
        .succeeds()
        .json();
    assert_eq!(threads["wrong"], whole["wrong"]);
}

#[test]
fn exported_weights_are_read_with_the_same_bytes() {
    let lab = Lab::new();
    let network = "--model resnet8 --width 4 --input 1,8,8";
    lab.reslab(&format!("export {network} --seed 3 --to a.safetensors"))
        .succeeds();
    lab.reslab(&format!(
        "export {network} --weights a.safetensors --to b.safetensors"
    ))
    .succeeds();
    lab.reslab(&format!("export {network} --seed 4 --to c.safetensors"))
        .succeeds();
    let bytes = |name: &str| std::fs::read(lab.path(name)).expect("written");
    assert_eq!(bytes("a.safetensors"), bytes("b.safetensors"));
    assert_ne!(bytes("a.safetensors"), bytes("c.safetensors"));
}

#[test]
fn a_table_for_people_names_every_class() {
    let lab = Lab::new();
    lab.reslab("export --model resnet8 --width 4 --input 1,8,8 --to a.safetensors")
        .succeeds();
    let eval = "eval --model resnet8 --width 4 --weights a.safetensors --data digits --split train";
    lab.reslab(&format!("{eval} --limit 100"))
        .succeeds()
        .prints("resnet8 on 100 training samples of digits")
        .prints("among the first five")
        .prints("right %");
}

#[test]
fn grey_images_are_made_to_fit_a_network_of_large_coloured_ones() {
    let lab = Lab::new();
    lab.reslab("export --model resnet8 --width 4 --input 3,16,16 --to a.safetensors")
        .succeeds();
    let eval = "eval --model resnet8 --width 4 --weights a.safetensors --data digits --limit 40";
    lab.reslab(eval).refuses().says("conv1.weight");
    let fits = lab.reslab(&format!("{eval} --channels 3 --pad 16 --json"));
    assert_eq!(fits.succeeds().json()["total"], 40);
    lab.reslab(&format!("{eval} --channels 3 --pad 7"))
        .refuses()
        .says("from 8");
    lab.reslab(&format!("{eval} --channels 2"))
        .refuses()
        .says("1 or 3");
}

#[test]
fn what_cannot_be_evaluated_is_told() {
    let lab = Lab::new();
    lab.reslab("export --model resnet8 --to colour.safetensors")
        .succeeds();
    lab.write("text.pt", "no weights");
    lab.write(
        "evil.pt",
        b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.",
    );
    let eval = |rest: &str| lab.reslab(&format!("eval --model resnet8 --data digits {rest}"));
    eval("--weights colour.safetensors")
        .refuses()
        .says("conv1.weight is [16, 3, 3, 3], the network's is [16, 1, 3, 3]");
    eval("--weights nowhere.pt")
        .refuses()
        .says("nowhere.pt could not be read");
    eval("--weights text.pt")
        .refuses()
        .says("text.pt is not a file of weights");
    eval("--weights evil.pt").refuses().says("`posix.system`");
    eval("--weights colour.safetensors --normalize 0.5")
        .refuses()
        .says("0.49,0.48,0.45/0.25");
    lab.reslab("eval --model resnet21 --weights a --data digits")
        .refuses()
        .says("20 or 26");
    lab.reslab("eval --model resnet8 --weights a --data digit")
        .refuses()
        .says("digits");
    lab.reslab("export abc --to x.safetensors")
        .refuses()
        .says("abc");
    lab.reslab("export --to x.safetensors")
        .refuses()
        .says("--model");
    // A run has its own network: clap would not ask for --model beside it.
    lab.reslab("export abc --classes 5 --to x.safetensors")
        .refuses()
        .says("cannot be used with");
}

/// An experiment that starts from a file of weights, in the folder of the experiment file.
fn from_weights(lab: &Lab, init: &str, train: &str) {
    lab.write(
        "start.yaml",
        format!(
            "name: start\ndata: {{name: digits, train_limit: 80, test_limit: 40}}\n\
             model: {{name: resnet8, width: 4}}\ninit: {init}\n\
             train: {{epochs: 1, batch_size: 20, {train}}}\n"
        ),
    );
}

#[test]
fn the_content_of_a_file_of_weights_is_part_of_a_runs_identity() {
    let lab = Lab::new();
    let export = |seed: usize, name: &str| {
        let network = "--model resnet8 --width 4 --input 1,8,8";
        lab.reslab(&format!("export {network} --seed {seed} --to {name}"))
            .succeeds();
    };
    let id = || {
        let plan = lab.reslab("plan start.yaml --json").succeeds().json();
        plan["runs"][0]["id"].as_str().expect("an id").to_owned()
    };
    export(1, "w.safetensors");
    export(1, "same.safetensors");
    from_weights(&lab, "{weights: w.safetensors}", "freeze: {blocks: 1}");
    let first = id();
    from_weights(&lab, "{weights: same.safetensors}", "freeze: {blocks: 1}");
    assert_eq!(id(), first, "the same weights elsewhere");
    export(2, "same.safetensors");
    assert_ne!(id(), first, "other weights of the same name");
    lab.reslab("run start.yaml --no-figures").succeeds();
    assert_eq!(lab.stored_runs("start"), 1);
    lab.reslab("run start.yaml --no-figures")
        .succeeds()
        .says("start");
    assert_eq!(lab.stored_runs("start"), 1, "nothing is computed twice");
}

#[test]
fn weights_that_cannot_be_started_from_are_told_before_anything_runs() {
    let lab = Lab::new();
    lab.reslab("export --model resnet8 --width 4 --input 1,8,8 --classes 3 --to w.safetensors")
        .succeeds();
    let refused = |init: &str, train: &str| {
        from_weights(&lab, init, train);
        let answer = lab.reslab("run start.yaml --no-figures").refuses();
        assert!(!lab.path("results").exists(), "a results folder was made");
        answer
    };
    refused("{weights: nowhere.pt}", "lr: 0.1")
        .says("start.yaml:4")
        .says("nowhere.pt");
    refused("{weights: w.safetensors}", "lr: 0.1")
        .says("linear.weight is [3, 16]")
        .says("[10, 16]");
    refused("{head: replace}", "lr: 0.1")
        .says("start.yaml:4")
        .says("there are none");
    let pinned = format!(
        "{{weights: w.safetensors, weights_sha256: '{}'}}",
        "0".repeat(64)
    );
    refused(&pinned, "lr: 0.1").says("have SHA-256");
    refused("{gain: 1}", "freeze: {blocks: 4}")
        .says("3 blocks")
        .says("start.yaml:5");
    refused("{gain: 1}", "lr_backbone: 0").says("train.lr_backbone");
    from_weights(&lab, "{weights: w.safetensors, head: replace}", "lr: 0.1");
    lab.reslab("run start.yaml --no-figures").succeeds();
    from_weights(&lab, "{weights: nowhere.pt}", "lr: 0.1");
    lab.reslab("plan start.yaml").succeeds();
}
