//! Transfer: test error against the number of examples, from given weights and from scratch.
//!
//! One line for each number of frozen blocks, one for fine-tuning everything where it was run, one
//! for training from scratch: every seed, the mean, its 95 % interval. After Yosinski, Clune,
//! Bengio and Lipson (2014), *How transferable are features in deep neural networks?*

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::schema::runs_fixed;
use reslab_results::table::Row;

use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Means, Panel, Section, beside};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

pub(crate) const EXAMPLES: &str = "data_train_limit";
const WEIGHTS: &str = "init_weights_sha256";
const BLOCKS: &str = "train_freeze_blocks";

/// Settings that may vary within the figure: what it compares, and what belongs to a way to start.
const COMPARED: [&str; 9] = [
    EXAMPLES,
    WEIGHTS,
    BLOCKS,
    "init_head",
    "train_freeze_batch_norm",
    "train_lr",
    "train_lr_backbone",
    "data_subset_seed",
    "seed",
];

/// How a run starts. In the order of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// Fresh weights.
    Scratch,
    /// Given weights, and nothing frozen.
    Tuned,
    /// Given weights; the stem and so many blocks frozen.
    Frozen(i64),
}

/// Final test errors by start, then by examples.
type Errors = BTreeMap<Start, BTreeMap<i64, Vec<f64>>>;

/// Whether the runs are about transfer: some start from weights, and the examples vary.
pub fn applies(tables: &Tables) -> bool {
    let runs = &tables.runs;
    let varies = runs.distinct(EXAMPLES).is_ok_and(|values| values.len() > 1);
    varies && runs.iter().any(|row| row.text(WEIGHTS).is_some())
}

/// Final test error against the number of training examples.
pub fn error_by_examples(tables: &Tables) -> Result<Figure, String> {
    one_question(tables)?;
    let errors = errors(tables);
    let all = || {
        errors
            .values()
            .flat_map(BTreeMap::values)
            .flatten()
            .copied()
    };
    if all().next().is_none() {
        return Err("no finished run has a final test error".into());
    }
    let examples: BTreeSet<i64> = errors.values().flat_map(BTreeMap::keys).copied().collect();
    let examples: Vec<f64> = examples.into_iter().map(|n| n as f64).collect();
    let x = Axis::of_values("Training examples", &examples);
    let top = nice_above(1.05 * all().fold(0.01, f64::max)).min(1.0);
    let layers = errors
        .iter()
        .enumerate()
        .flat_map(|(index, (start, by_examples))| {
            let place = index as f64 - (errors.len() - 1) as f64 / 2.0;
            line(&errors, *start, by_examples, &x, 0.012 * place)
        });
    let panel = Panel {
        title: String::new(),
        layers: layers.collect(),
        y: Axis::percent("Final test error (%)", 0.0, top),
        x,
    };
    Ok(Figure {
        title: "Test error against training examples, from given weights and from scratch".into(),
        rows: vec![vec![panel]],
        panel_size: (380.0, 260.0),
        legend: vec![legend(&errors)],
        notes: notes(tables, &errors),
    })
}

/// Refuses runs that differ in more than the figure compares.
pub(crate) fn one_question(tables: &Tables) -> Result<(), String> {
    let (runs, fixed) = (&tables.runs, runs_fixed());
    let others = runs
        .schema
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| {
            let own =
                COMPARED.contains(name) || *name == "data_root" || fixed.index(name).is_some();
            !own && runs.distinct(name).is_ok_and(|values| values.len() > 1)
        });
    let others: Vec<&str> = others.collect();
    if !others.is_empty() {
        return Err(format!("the runs also differ in {}", others.join(", ")));
    }
    let weights: BTreeSet<&str> = runs.iter().filter_map(|row| row.text(WEIGHTS)).collect();
    match weights.len() {
        0 | 1 => Ok(()),
        n => Err(format!("the runs start from {n} files of weights")),
    }
}

/// How the run of a row starts.
pub(crate) fn start(row: Row<'_>) -> Start {
    match (row.text(WEIGHTS), row.integer(BLOCKS)) {
        (None, _) => Start::Scratch,
        (Some(_), None) => Start::Tuned,
        (Some(_), Some(blocks)) => Start::Frozen(blocks),
    }
}

fn errors(tables: &Tables) -> Errors {
    let mut errors = Errors::new();
    let finished = tables
        .runs
        .iter()
        .filter(|row| row.text("status") == Some("finished"));
    for row in finished {
        let error = row
            .real("final_test_error")
            .filter(|error| error.is_finite());
        if let (Some(examples), Some(error)) = (row.integer(EXAMPLES), error) {
            errors
                .entry(start(row))
                .or_default()
                .entry(examples)
                .or_default()
                .push(error);
        }
    }
    errors
}

/// From scratch is ink and dashed; the lines from weights darken with what is frozen.
fn color(errors: &Errors, start: Start) -> theme::Rgb {
    let from_weights: Vec<&Start> = errors.keys().filter(|s| **s != Start::Scratch).collect();
    match from_weights.iter().position(|s| **s == start) {
        Some(index) => theme::ordered_color(index + 1, from_weights.len() + 1),
        None => theme::INK,
    }
}

fn shape(start: Start) -> Shape {
    if start == Start::Scratch {
        Shape::Square
    } else {
        Shape::Disc
    }
}

/// One line, `aside` of the true place by a share of the axis, so that intervals can be told apart.
fn line(
    errors: &Errors,
    start: Start,
    by_examples: &BTreeMap<i64, Vec<f64>>,
    x: &Axis,
    aside: f64,
) -> Vec<Layer> {
    let at = |examples: &i64| beside(*examples as f64, x, aside);
    look(errors, start).layers(by_examples.iter().map(|(n, all)| (at(n), all)))
}

fn look(errors: &Errors, start: Start) -> Means {
    Means {
        color: color(errors, start),
        shape: shape(start),
        dashed: start == Start::Scratch,
    }
}

fn legend(errors: &Errors) -> Section {
    let entries = errors.keys().map(|&start| Entry {
        sample: look(errors, start).sample(),
        label: match start {
            Start::Scratch => "from scratch".into(),
            Start::Tuned => "nothing frozen".into(),
            Start::Frozen(0) => "stem frozen".into(),
            Start::Frozen(1) => "and 1 block".into(),
            Start::Frozen(blocks) => format!("and {blocks} blocks"),
        },
    });
    Section {
        heading: "Start".into(),
        entries: entries.collect(),
    }
}

fn notes(tables: &Tables, errors: &Errors) -> Vec<String> {
    let counts = || errors.values().flat_map(BTreeMap::values).map(Vec::len);
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    let mut notes = vec![match (least, most) {
        (_, 1) => "One run for each point: no interval.".into(),
        (least, most) if least == most => {
            format!(
                "Means over {most} runs with 95 % t intervals, cut at the axes; single runs faint."
            )
        }
        _ => format!("Means over {least} to {most} runs with 95 % t intervals, cut at the axes."),
    }];
    notes.push("Points stand a little apart so that their intervals can be told apart.".into());
    let other = tables
        .runs
        .iter()
        .filter(|row| row.text("status") != Some("finished"))
        .count();
    match other {
        0 => {}
        1 => notes.push("One run diverged or failed and is left out.".into()),
        n => notes.push(format!("{n} runs diverged or failed and are left out.")),
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};

    fn tables(seeds: i64) -> Tables {
        let mut made = Synthetic::default();
        for seed in 0..seeds {
            for (n, examples) in [100_i64, 500, 2000].into_iter().enumerate() {
                let base = || settings(20, true, seed).with("data_train_limit", examples);
                let error = 0.6 - 0.15 * n as f64 + 0.01 * seed as f64;
                made.run(base(), "finished", 0.0, error);
                for blocks in [0_i64, 3, 9] {
                    let given = base()
                        .with("init_weights_sha256", "abc")
                        .with(BLOCKS, blocks);
                    made.run(given, "finished", 0.0, error - 0.1 - 0.01 * blocks as f64);
                }
            }
        }
        made.tables()
    }

    #[test]
    fn one_line_for_each_start_through_the_means() {
        let tables = tables(3);
        assert!(applies(&tables));
        let figure = error_by_examples(&tables).expect("drawn");
        crate::plots::check(&crate::plots::lay_out(&figure));
        let lines: Vec<_> = figure.rows[0][0]
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Line { points, .. } => Some(points),
                _ => None,
            })
            .collect();
        assert_eq!(lines.len(), 4);
        // From scratch, 100 examples: 0.6, 0.61, 0.62.
        assert!((lines[0][0].1 - 0.61).abs() < 1e-12);
        assert!((lines[3][2].1 - (0.31 - 0.19)).abs() < 1e-12);
        let labels: Vec<&str> = figure.legend[0].entries.iter().map(|e| &*e.label).collect();
        assert_eq!(
            labels,
            [
                "from scratch",
                "stem frozen",
                "and 3 blocks",
                "and 9 blocks"
            ]
        );
    }

    #[test]
    fn one_seed_has_no_interval_and_says_so() {
        let figure = error_by_examples(&tables(1)).expect("drawn");
        assert!(figure.notes[0].contains("no interval"));
        let empty = |layer: &Layer| match layer {
            Layer::Intervals { points, .. } => points.is_empty(),
            _ => true,
        };
        assert!(figure.rows[0][0].layers.iter().all(empty));
    }

    #[test]
    fn runs_that_differ_otherwise_are_not_mixed() {
        let mut made = Synthetic::default();
        for (width, examples) in [(8_i64, 100_i64), (16, 200)] {
            let settings = settings(20, true, 0)
                .with("data_train_limit", examples)
                .with("init_weights_sha256", "abc")
                .with("model_width", width);
            made.run(settings, "finished", 0.0, 0.5);
        }
        let reason = error_by_examples(&made.tables()).expect_err("two widths");
        assert!(reason.contains("model_width"), "{reason}");
    }
}
