//! Files that are right: what they resolve to, what the runs are called, what overrides do, what
//! belongs to a run's identity.

use proptest::prelude::*;
use reslab_sweep::{MissingData, Plan, PlanOptions, SweepError, load_text};

const EXAMPLE: &str = "\
# yaml-language-server: $schema=schema.json
name: example
about: {title: An example, claim: None}
data: {name: digits}
model: {name: resnet8, width: 4}
train: {epochs: 2, lr: 0.1}
seeds: 2
sweep:
  grid: {model.depth: [8, 14], model.residual: [true, false]}
  exclude: [{model.depth: 14, model.residual: false}]
";

fn plan_with(text: &str, overrides: &[&str]) -> Result<Plan, SweepError> {
    let options = PlanOptions {
        overrides: overrides.iter().map(|o| o.to_string()).collect(),
        ..PlanOptions::default()
    };
    load_text("example.yaml", text, &options)
}

fn plan(text: &str) -> Plan {
    plan_with(text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.runs.iter().map(|run| run.name.as_str()).collect()
}

fn message(result: Result<Plan, SweepError>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(plan) => panic!("accepted: {plan}"),
    }
}

#[test]
fn seeds_vary_fastest_and_names_hold_what_varies() {
    let plan = plan(EXAMPLE);
    assert_eq!(
        names(&plan),
        [
            "depth=8,residual=true,seed=0",
            "depth=8,residual=true,seed=1",
            "depth=8,residual=false,seed=0",
            "depth=8,residual=false,seed=1",
            "depth=14,residual=true,seed=0",
            "depth=14,residual=true,seed=1",
        ]
    );
    assert_eq!(plan.notes, ["2 runs left out by `exclude`."]);
    assert_eq!(
        plan.experiment.about[0],
        ("title".to_owned(), "An example".to_owned())
    );
    assert_eq!(plan.runs[0].config.model.width, 4);
    assert!(plan.runs[0].multiply_adds < plan.runs[4].multiply_adds);
}

#[test]
fn numbers_are_numbers_in_every_usual_spelling() {
    for spelling in ["1e-4", "1E-4", "0.0001", ".0001", "+1.0e-4", "0.000_1"] {
        let plan = plan(&format!("name: n\ntrain: {{weight_decay: {spelling}}}\n"));
        assert_eq!(plan.runs[0].config.train.weight_decay, 1e-4, "{spelling}");
    }
    let many = plan("name: n\ndata: {train_limit: 1_000}\n");
    assert_eq!(many.runs[0].config.data.train_limit, Some(1000));
}

#[test]
fn one_word_names_a_model_or_a_data_set() {
    let word = plan("name: n\nmodel: resnet14\ndata: digits\n");
    let long = plan("name: n\nmodel: {name: resnet14}\ndata: {name: digits}\n");
    let settings = plan("name: n\nmodel: {family: cifar, depth: 14}\n");
    assert_eq!(word.runs[0].id, long.runs[0].id);
    assert_eq!(word.runs[0].id, settings.runs[0].id);
    let swept = plan("name: n\nmodel: resnet14\nsweep: {grid: {model.width: [4, 8]}}\n");
    assert_eq!(names(&swept), ["width=4", "width=8"]);
    assert_eq!(swept.runs[0].config.model.depth, 14);
    let whole = plan("name: n\nsweep: {grid: {model: [resnet8, plain8]}}\n");
    assert_eq!(names(&whole), ["model=resnet8", "model=plain8"]);
}

#[test]
fn an_override_has_the_last_word() {
    let plain = plan(EXAMPLE);
    let set = |overrides: &[&str]| plan_with(EXAMPLE, overrides).expect("a plan");
    assert!(
        set(&["train.lr=0.05"])
            .runs
            .iter()
            .all(|run| run.config.train.lr == 0.05)
    );
    // On an axis: the axis is replaced.
    let fixed = set(&["model.depth=20"]);
    assert_eq!(
        names(&fixed),
        [
            "residual=true,seed=0",
            "residual=true,seed=1",
            "residual=false,seed=0",
            "residual=false,seed=1"
        ]
    );
    assert!(fixed.runs.iter().all(|run| run.config.model.depth == 20));
    assert_eq!(set(&["seeds=1"]).runs.len(), 3);
    assert_eq!(set(&["seeds=[5, 7]", "train.epochs=2"]).runs[1].seed, 7);
    // What changes nothing changes no identity.
    let same = set(&["train.lr=1e-1"]);
    assert_eq!(same.runs[0].id, plain.runs[0].id);
}

#[test]
fn mistakes_in_overrides_are_told_like_those_in_files() {
    let wrong = |text: &str| message(plan_with(EXAMPLE, &[text]));
    let typo = wrong("train.learning_rat=0.1");
    assert!(typo.contains("--> --set:1:7"), "{typo}");
    assert!(
        typo.contains("unknown key `learning_rat` in `train`"),
        "{typo}"
    );
    let section = wrong("trian.lr=0.1");
    assert!(
        section.contains("--set:1:1") && section.contains("did you mean `train`?"),
        "{section}"
    );
    let value = wrong("train.lr=fast");
    assert!(
        value.contains("--set:1:10") && value.contains("expected a number"),
        "{value}"
    );
    let shapeless = wrong("train.lr");
    assert!(
        shapeless.contains("an override is `path=value`"),
        "{shapeless}"
    );
    let depth = wrong("model.depth=21");
    assert!(
        depth.contains("--set:1:13") && depth.contains("20 or 26"),
        "{depth}"
    );
    assert!(wrong("=1").contains("--set:1:1"));
    assert!(wrong("train..lr=1").contains("no path"));
}

#[test]
fn equal_runs_are_done_once() {
    let plan =
        plan("name: n\nsweep: {list: [{train.lr: 0.1}, {train.lr: 1e-1}, {train.lr: 0.2}]}\n");
    assert_eq!(names(&plan), ["lr=0.1", "lr=0.2"]);
    assert_eq!(
        plan.notes,
        ["1 run is equal to an earlier one and done only once."]
    );
}

#[test]
fn an_exclusion_that_matches_nothing_is_noted() {
    let plan =
        plan("name: n\nsweep:\n  grid: {train.lr: [0.1, 0.2]}\n  exclude: [{train.lr: 3}]\n");
    assert_eq!(plan.notes, ["The exclusion in line 4 matches no run."]);
    // Defaults count as well as what is written.
    let defaults = plan_with(
        "name: n\nsweep:\n  grid: {train.lr: [0.1, 0.2]}\n  exclude: [{train.momentum: 0.9}]\n",
        &[],
    );
    assert!(message(defaults).contains("`exclude` leaves no run"));
}

#[test]
fn identity_is_the_settings_and_nothing_else() {
    let id = |text: &str| plan(text).runs[0].id.to_string();
    let base = id("name: a\n");
    assert_eq!(
        base,
        id("name: b\nabout: {title: x}\nverdict: degradation\n")
    );
    assert_eq!(
        base,
        id("name: a\ndata: {name: digits}\ntrain: {lr: 0.1}\n")
    );
    for change in [
        "seeds: [1]",
        "train: {lr: 0.2}",
        "train: {schedule: {kind: cosine}}",
        "model: {width: 8}",
        "init: {gain: 2}",
        "measure: {every: 2}",
        "data: {train_limit: 100}",
    ] {
        assert_ne!(base, id(&format!("name: a\n{change}\n")), "{change}");
    }
}

#[test]
fn runs_are_selected_by_name_id_or_parts() {
    let plan = plan(EXAMPLE);
    let select = |only: &str| plan.select(Some(only));
    assert_eq!(plan.select(None).expect("all").len(), 6);
    assert_eq!(select("depth=8,residual=true,seed=1").expect("one"), [1]);
    assert_eq!(select("seed=1,residual=true").expect("parts"), [1, 5]);
    let id = plan.runs[3].id.to_string();
    assert_eq!(select(&id).expect("id"), [3]);
    assert_eq!(select(&id[..10]).expect("beginning of an id"), [3]);
    let error = select("depth=8,residual=true,seed=7")
        .expect_err("unknown")
        .to_string();
    assert!(error.contains("Did you mean"), "{error}");
    assert!(plan.find("depth=8").is_err());
}

#[test]
fn missing_data_is_refused_or_noted() {
    let text = "name: n\ndata: {name: image-folder, root: no/such/folder}\n";
    assert!(
        message(plan_with(text, &[])).contains("n.yaml:2:14")
            || message(plan_with(text, &[])).contains("example.yaml:2:14")
    );
    let options = PlanOptions {
        missing_data: MissingData::Note,
        ..PlanOptions::default()
    };
    let plan = load_text("example.yaml", text, &options).expect("a plan with a note");
    assert_eq!(plan.runs.len(), 1);
    assert!(
        plan.notes[0].starts_with("Shapes are not checked"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments/schema.json");
    let text = format!("{:#}\n", reslab_sweep::schema());
    if std::env::var_os("RESLAB_BLESS").is_some() {
        std::fs::write(path, &text).expect("the schema written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "run `reslab schema > experiments/schema.json`"
    );
}

#[test]
fn ten_thousand_runs_are_planned_quickly() {
    let values = |n: usize| {
        (1..=n)
            .map(|v| v.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let text = format!(
        "name: n\nseeds: 10\nsweep: {{grid: {{train.epochs: [{}], train.batch_size: [{}]}}}}\n",
        values(50),
        (2..=21)
            .map(|v| v.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    );
    let started = std::time::Instant::now();
    assert_eq!(plan(&text).runs.len(), 10_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens to a file, reading it ends with a plan or a message with a place.
    #[test]
    fn no_broken_file_panics(place in 0..EXAMPLE.len(), byte in any::<u8>(), kind in 0..3_u8) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        match kind {
            0 => bytes[place] = byte,
            1 => { bytes.remove(place); }
            _ => bytes.insert(place, byte),
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = plan_with(&text, &[]) {
            let text = error.to_string();
            prop_assert!(text.contains("--> example.yaml:"), "{}", text);
        }
    }

    #[test]
    fn no_cut_file_panics(end in 0..EXAMPLE.len()) {
        let _ = plan_with(&EXAMPLE[..end], &[]);
    }

    #[test]
    fn no_override_panics(text in "[a-z.=\\[\\]{}:,0-9 &*!|>'\"#-]{0,24}") {
        let _ = plan_with(EXAMPLE, &[&text]);
    }
}

/// The tables of keys between the two marks of the page.
#[test]
fn the_documented_keys_are_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/experiment-file.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let begin = page.find("<!-- keys: begin").expect("the first mark");
    let begin = begin + page[begin..].find('\n').expect("the end of the mark") + 1;
    let end = page.find("<!-- keys: end -->").expect("the second mark");
    let current = format!(
        "{}{}{}",
        &page[..begin],
        reslab_sweep::key_docs::key_tables(),
        &page[end..]
    );
    if std::env::var_os("RESLAB_BLESS").is_some() {
        std::fs::write(path, &current).expect("the page written");
    }
    let page = std::fs::read_to_string(path).expect("the page");
    assert!(
        page == current,
        "run `RESLAB_BLESS=1 cargo test -p reslab-sweep`"
    );
}
