//! Training on effective paths only (Veit, Wilber, Belongie 2016, section 5): test error against the
//! residual blocks that each step trains, beside the network that trains all of them.

use std::collections::BTreeMap;

use reslab_results::schema::runs_fixed;
use reslab_results::statistics::summarise;
use reslab_results::table::Row;

use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Means, Panel, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

const BLOCKS: &str = "train_blocks_per_step";
const BRANCHES: &str = "train_evaluation_branches";

/// What branches are at evaluation: multiplied by the share trained, or whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Branches {
    Scaled,
    Whole,
}

/// Whether some runs train only some blocks in a step.
pub fn applies(tables: &Tables) -> bool {
    tables.runs.iter().any(|row| row.integer(BLOCKS).is_some())
}

/// Final test error against blocks per step.
pub fn error_by_blocks(tables: &Tables) -> Result<Figure, String> {
    one_question(tables)?;
    let errors = |of: &dyn Fn(&Row<'_>) -> bool| -> BTreeMap<i64, Vec<f64>> {
        let mut found: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for row in tables.runs.iter().filter(|row| of(row)) {
            let error = row.real("final_test_error").filter(|e| e.is_finite());
            if let (Some("finished"), Some(error)) = (row.text("status"), error) {
                let blocks = row.integer(BLOCKS).unwrap_or(-1);
                found.entry(blocks).or_default().push(error);
            }
        }
        found
    };
    let some = |row: &Row<'_>| row.integer(BLOCKS).is_some();
    let whole_branches = |row: &Row<'_>| row.text(BRANCHES) == Some("whole");
    let lines = [
        (
            Branches::Scaled,
            errors(&|row| some(row) && !whole_branches(row)),
        ),
        (
            Branches::Whole,
            errors(&|row| some(row) && whole_branches(row)),
        ),
    ];
    let lines: Vec<_> = lines.into_iter().filter(|(_, by)| !by.is_empty()).collect();
    let full: Vec<f64> = errors(&|row| !some(row)).into_values().flatten().collect();
    let all = || {
        let some = lines.iter().flat_map(|(_, by)| by.values().flatten());
        some.chain(&full).copied()
    };
    if lines.is_empty() {
        return Err("no finished run has a final test error".into());
    }
    let mut counts: Vec<f64> = lines
        .iter()
        .flat_map(|(_, by)| by.keys().map(|k| *k as f64))
        .collect();
    counts.sort_by(f64::total_cmp);
    counts.dedup();
    let x = Axis::of_values("Residual blocks trained in a step", &counts);
    let x = Axis {
        log: false,
        low: 0.0,
        high: counts.last().copied().unwrap_or(1.0) + 1.0,
        ..x
    };
    let top = nice_above(1.08 * all().fold(0.01, f64::max)).min(1.0);
    let mut layers = Vec::new();
    if let Some(found) = summarise(&full) {
        let across = |y| vec![(x.low, y), (x.high, y)];
        if let Some((low, high)) = found.interval {
            layers.push(Layer::Band {
                points: vec![(x.low, low, high), (x.high, low, high)],
                color: theme::INK,
            });
        }
        layers.push(Layer::Line {
            points: across(found.mean),
            color: theme::INK,
            width: theme::LINE_WIDTH,
            dashed: true,
        });
    }
    for (branches, by) in &lines {
        let aside = if *branches == Branches::Whole {
            0.12
        } else {
            -0.12
        };
        let aside = if lines.len() > 1 { aside } else { 0.0 };
        let places = by.iter().map(|(blocks, all)| (*blocks as f64 + aside, all));
        layers.extend(look(*branches).layers(places));
    }
    let panel = Panel {
        title: String::new(),
        x,
        y: Axis::percent("Final test error (%)", 0.0, top),
        layers,
    };
    let seeds = lines
        .iter()
        .flat_map(|(_, by)| by.values().map(Vec::len))
        .chain([full.len()]);
    let (least, most) = seeds.fold((usize::MAX, 0), |(l, m), n| (l.min(n), m.max(n)));
    let seeds = if least == most {
        most.to_string()
    } else {
        format!("{least} to {most}")
    };
    Ok(Figure {
        title: "Test error against the blocks that each step trains".into(),
        rows: vec![vec![panel]],
        panel_size: (360.0, 240.0),
        legend: vec![legend(&lines)],
        notes: vec![format!(
            "Means over {seeds} seeds with 95 % t intervals, cut at the axes; single runs faint. At \
             evaluation all blocks are there. Band: interval of the network that trains all blocks."
        )],
    })
}

/// Refuses runs that differ in more than the figure compares.
fn one_question(tables: &Tables) -> Result<(), String> {
    let (runs, fixed) = (&tables.runs, runs_fixed());
    let names = runs
        .schema
        .columns
        .iter()
        .map(|column| column.name.as_str());
    let others: Vec<&str> = names
        .filter(|name| {
            let own = [BLOCKS, BRANCHES, "seed", "data_root"].contains(name);
            let other = !own && fixed.index(name).is_none();
            other && runs.distinct(name).is_ok_and(|values| values.len() > 1)
        })
        .collect();
    match others.is_empty() {
        true => Ok(()),
        false => Err(format!("the runs also differ in {}", others.join(", "))),
    }
}

fn look(branches: Branches) -> Means {
    let (color, shape) = match branches {
        Branches::Scaled => (theme::RESIDUAL, Shape::Disc),
        Branches::Whole => (theme::PLAIN, Shape::Square),
    };
    Means {
        color,
        shape,
        dashed: false,
    }
}

fn legend(lines: &[(Branches, BTreeMap<i64, Vec<f64>>)]) -> Section {
    let mut entries: Vec<Entry> = lines
        .iter()
        .map(|(branches, _)| Entry {
            sample: look(*branches).sample(),
            label: match branches {
                Branches::Scaled => "branches times share".into(),
                Branches::Whole => "branches whole".into(),
            },
        })
        .collect();
    entries.push(Entry {
        sample: Sample::Line {
            color: theme::INK,
            dashed: true,
        },
        label: "all blocks trained".into(),
    });
    Section {
        heading: "At evaluation".into(),
        entries,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};

    #[test]
    fn a_line_through_the_means_beside_the_full_network() {
        let mut made = Synthetic::default();
        for seed in 0..3 {
            for (blocks, error) in [(2_i64, 0.5), (4, 0.4), (9, 0.3)] {
                let base = settings(20, true, seed).with(BLOCKS, blocks);
                made.run(base, "finished", 0.0, error + 0.01 * seed as f64);
            }
            made.run(settings(20, true, seed), "finished", 0.0, 0.31);
        }
        let tables = made.tables();
        assert!(applies(&tables));
        let figure = error_by_blocks(&tables).expect("drawn");
        crate::plots::check(&crate::plots::lay_out(&figure));
        let lines = figure.rows[0][0]
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Line { points, dashed, .. } => Some((points.clone(), *dashed)),
                _ => None,
            });
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].1 && (lines[0].0[0].1 - 0.31).abs() < 1e-12);
        assert!((lines[1].0[1].1 - 0.41).abs() < 1e-12);
        made.run(settings(32, true, 0), "finished", 0.0, 0.3);
        let reason = error_by_blocks(&made.tables()).expect_err("two depths");
        assert!(reason.contains("model_depth"), "{reason}");
    }
}
