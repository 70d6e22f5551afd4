//! An experiment file → a plan: read, override, expand, resolve, exclude, check.

use std::collections::{HashMap, HashSet};
use std::path::{Path as FilePath, PathBuf};

use reslab_results::RunId;
use serde_json::Value as Json;

use crate::check::Checker;
use crate::exclude;
use crate::expand::{Assignment, Exclusion, MAX_RUNS};
use crate::file::parse::parse;
use crate::file::written::{self, Written};
use crate::file::{Location, Mistake, Node, Sources};
use crate::names::{Leaves, leaves, names};
use crate::options::PlanOptions;
use crate::overrides::{self, Override};
use crate::plan::{Experiment, Plan, Run};
use crate::resolve::{RunConfig, resolve};
use crate::{Diagnostic, SweepError};

/// Largest experiment file.
const MAX_BYTES: usize = 4 << 20;

/// Reads, expands, resolves and checks an experiment file.
pub fn load(path: &FilePath, options: &PlanOptions) -> Result<Plan, SweepError> {
    let unreadable = |source| SweepError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })?;
    load_text(&path.display().to_string(), &text, options)
}

/// The same from text; `file` is named in messages.
pub fn load_text(file: &str, text: &str, options: &PlanOptions) -> Result<Plan, SweepError> {
    let mut sources = Sources::default();
    let source = sources.add(file, text);
    let folder = FilePath::new(file).parent().unwrap_or(FilePath::new(""));
    let plan = plan(&mut sources, source, (text, folder), options);
    let (written, parts) = plan.map_err(|mistake| -> Diagnostic { sources.diagnose(mistake) })?;
    let experiment = Experiment {
        name: written.name,
        file: PathBuf::from(file),
        about: written.about,
        verdict: written.verdict,
        overrides: options.overrides.clone(),
    };
    Ok(Plan {
        experiment,
        runs: parts.runs,
        notes: parts.notes,
    })
}

struct Parts {
    runs: Vec<Run>,
    notes: Vec<String>,
}

fn plan(
    sources: &mut Sources,
    source: usize,
    (text, folder): (&str, &FilePath),
    options: &PlanOptions,
) -> Result<(Written, Parts), Mistake> {
    if text.len() > MAX_BYTES {
        let message = format!("an experiment file of {} bytes is too large", text.len());
        return Err(Mistake::new(Location::start(source), message));
    }
    let empty = || Mistake::new(Location::start(source), "the file is empty");
    let mut root = parse(text, source)?.ok_or_else(empty)?;
    root.entries("a mapping with the keys of an experiment")?;
    let mut overrides = Vec::new();
    for text in &options.overrides {
        let set = overrides::read(text, sources)?;
        set.apply(&mut root)?;
        overrides.push(set);
    }
    let mut written = written::read(&root)?;
    for set in &overrides {
        written.sweep.fix(&set.path);
    }
    let checker = Checker::new(options.missing_data, folder);
    let parts = runs(&written, &overrides, root.at, checker)?;
    Ok((written, parts))
}

/// A run on its way into the plan.
struct Candidate {
    config: RunConfig,
    identity: Json,
    id: RunId,
    leaves: Leaves,
}

fn runs(
    written: &Written,
    overrides: &[Override],
    start: Location,
    mut checker: Checker,
) -> Result<Parts, Mistake> {
    refuse_too_many(written, start)?;
    let mut seen: HashSet<RunId> = HashSet::new();
    let mut checked = HashMap::new();
    let mut matched: HashSet<*const Exclusion> = HashSet::new();
    let (mut candidates, mut costs) = (Vec::new(), Vec::new());
    let (mut duplicates, mut excluded) = (0, 0);
    for assignment in written.sweep.expand() {
        let tree = tree(written, overrides, &assignment)?;
        for &seed in &written.seeds {
            let mut config = resolve(&tree, seed)?;
            checker.find_weights(&mut config, &tree)?;
            let identity = config.identity();
            let hits = exclude::matches(&assignment, &tree, &config)?;
            if !hits.is_empty() {
                matched.extend(hits);
                excluded += 1;
                continue;
            }
            let id =
                RunId::of(&identity).map_err(|error| Mistake::new(tree.at, error.to_string()))?;
            if !seen.insert(id.clone()) {
                duplicates += 1;
                continue;
            }
            // All but the seed decides whether a run can be done.
            let key = serde_json::to_string(&RunConfig {
                seed: 0,
                ..config.clone()
            });
            let known = key.as_ref().ok().and_then(|key| checked.get(key)).copied();
            let cost = known.map_or_else(|| checker.check(&config, &tree), Ok)?;
            checked.extend(key.ok().map(|key| (key, cost)));
            costs.push(cost);
            candidates.push(Candidate {
                config,
                identity,
                id,
                leaves: leaves(&assignment.values),
            });
        }
    }
    if candidates.is_empty() {
        let at = written
            .sweep
            .exclusions()
            .first()
            .map_or(start, |exclusion| exclusion.at);
        return Err(Mistake::new(at, "`exclude` leaves no run"));
    }
    let mut notes = checker.notes;
    notes.extend(remarks(written, duplicates, excluded, &matched));
    let labels: Vec<(Leaves, u64)> = candidates
        .iter()
        .map(|c| (c.leaves.clone(), c.config.seed))
        .collect();
    let ids: Vec<String> = candidates.iter().map(|c| c.id.to_string()).collect();
    let runs = candidates
        .into_iter()
        .zip(names(&labels, &ids))
        .zip(costs)
        .map(|((candidate, name), cost)| Run {
            id: candidate.id,
            name,
            seed: candidate.config.seed,
            multiply_adds: cost.multiply_adds,
            train_len: cost.train_len,
            config: candidate.config,
            identity: candidate.identity,
        })
        .collect();
    Ok(Parts { runs, notes })
}

fn refuse_too_many(written: &Written, at: Location) -> Result<(), Mistake> {
    let count = written
        .sweep
        .count()
        .and_then(|n| n.checked_mul(written.seeds.len()));
    if count.is_none_or(|n| n > MAX_RUNS) {
        let count = count.map_or("beyond counting".to_owned(), |n| n.to_string());
        let at = written.sweep.paths().first().map_or(at, |path| path.at);
        let message = format!("the sweep has {count} runs; at most {MAX_RUNS} are possible");
        return Err(Mistake::new(at, message));
    }
    Ok(())
}

/// What is written of the runs of one assignment: the file, the sweep's values, the overrides.
fn tree(
    written: &Written,
    overrides: &[Override],
    assignment: &Assignment<'_>,
) -> Result<Node, Mistake> {
    let mut tree = written.base.clone();
    for (path, value) in &assignment.values {
        tree.assign(&path.keys, value.clone())?;
    }
    let sections = |set: &&Override| {
        set.path
            .keys
            .first()
            .is_some_and(|key| written::SECTIONS.contains(&key.text.as_str()))
    };
    for set in overrides.iter().filter(sections) {
        set.apply(&mut tree)?;
    }
    Ok(tree)
}

fn remarks(
    written: &Written,
    duplicates: usize,
    excluded: usize,
    matched: &HashSet<*const Exclusion>,
) -> Vec<String> {
    let mut notes = Vec::new();
    if duplicates > 0 {
        let runs = if duplicates == 1 {
            "run is"
        } else {
            "runs are"
        };
        notes.push(format!(
            "{duplicates} {runs} equal to an earlier one and done only once."
        ));
    }
    if excluded > 0 {
        let runs = if excluded == 1 { "run" } else { "runs" };
        notes.push(format!("{excluded} {runs} left out by `exclude`."));
    }
    for exclusion in written.sweep.exclusions() {
        if !matched.contains(&std::ptr::from_ref(exclusion)) {
            notes.push(format!(
                "The exclusion in line {} matches no run.",
                exclusion.at.line
            ));
        }
    }
    notes
}
