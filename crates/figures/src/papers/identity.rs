//! How hard the identity is: final loss of stacks that learn `H(x) = x`, over depth, and how near
//! each block is to it, `‖F(x)‖ / ‖x‖`, before training.

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Table;
use reslab_results::table::Row;

use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Means, Named, Panel, Sample, Section, beside};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme::{self, Rgb};

/// Colours of what starts how, after Okabe and Ito; the same in both figures.
const STARTS: [(&str, Rgb); 7] = [
    ("plain", theme::PLAIN),
    ("plain, Xavier", (0xe6, 0x9f, 0x00)),
    ("residual", theme::RESIDUAL),
    ("residual, Xavier", (0x56, 0xb4, 0xe9)),
    ("residual, 1/√L", (0x00, 0x9e, 0x73)),
    ("residual, 1/L", theme::INK),
    ("residual, from zero", (0xcc, 0x79, 0xa7)),
];
const SHAPES: [Shape; 2] = [Shape::Disc, Shape::Square];

/// The figures of the table `identity`.
pub fn figures(tables: &Tables) -> Vec<Named> {
    let mut drawn = Vec::new();
    if tables
        .runs
        .iter()
        .any(|row| row.text("data_synthetic_kind") == Some("identity"))
    {
        drawn.push(("identity-loss".to_owned(), loss_by_depth(tables)));
    }
    let ratios = tables
        .instruments
        .get("identity")
        .ok_or_else(|| "there is no table 'identity'".to_owned())
        .and_then(|rows| ratio_by_block(tables, rows));
    drawn.push(("branch-to-input".to_owned(), ratios));
    drawn
}

/// What a run starts from, in words: plain, or residual and what of its initialisation is not usual.
fn start(row: Row<'_>) -> String {
    if row.boolean("model_residual") == Some(false) {
        return match row.text("init_scheme") {
            Some("xavier") => "plain, Xavier".into(),
            _ => "plain".into(),
        };
    }
    let scale = match row.text("init_branch_scale") {
        Some("inverse-sqrt-depth") => "residual, 1/√L",
        Some("inverse-depth") => "residual, 1/L",
        _ if row.boolean("init_zero_gamma") == Some(true) => "residual, from zero",
        _ => "residual",
    };
    match row.text("init_scheme") {
        Some("xavier") => format!("{scale}, Xavier"),
        _ => scale.into(),
    }
}

/// Final training losses of one start, by depth and rate.
type Losses = BTreeMap<i64, BTreeMap<String, Vec<f64>>>;

/// Final loss against depth, each start at its best rate.
fn loss_by_depth(tables: &Tables) -> Result<Figure, String> {
    let mut starts: BTreeMap<String, Losses> = BTreeMap::new();
    let mut diverged = 0;
    for row in tables.runs.iter() {
        let trained = row.integer("train_epochs").is_some_and(|epochs| epochs > 0);
        let (Some(depth), true) = (row.integer("model_depth"), trained) else {
            continue;
        };
        let rate = row
            .real("train_lr")
            .map_or_else(String::new, |lr| lr.to_string());
        let finished = row.text("status") == Some("finished");
        diverged += usize::from(!finished);
        let loss = row
            .real("final_train_loss")
            .filter(|l| finished && l.is_finite());
        // One run of a rate that diverged rules the rate out.
        let losses = starts
            .entry(start(row))
            .or_default()
            .entry(depth)
            .or_default();
        losses
            .entry(rate)
            .or_default()
            .push(loss.unwrap_or(f64::INFINITY));
    }
    let best: BTreeMap<&str, BTreeMap<i64, &Vec<f64>>> = starts
        .iter()
        .map(|(start, by_depth)| {
            let depths = by_depth.iter();
            let best = depths.filter_map(|(depth, rates)| Some((*depth, best_rate(rates)?)));
            (start.as_str(), best.collect())
        })
        .collect();
    let all = || {
        best.values()
            .flat_map(BTreeMap::values)
            .flat_map(|v| v.iter().copied())
    };
    let (low, high) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(0.0, f64::max),
    );
    if !(low > 0.0 && low.is_finite()) {
        return Err("no run that learns the identity has a final training loss".into());
    }
    let depths: BTreeSet<i64> = starts.values().flat_map(BTreeMap::keys).copied().collect();
    let depths: Vec<f64> = depths.into_iter().map(|depth| depth as f64).collect();
    let x = Axis::of_values("Blocks", &depths);
    let layers = best
        .iter()
        .enumerate()
        .flat_map(|(index, (start, by_depth))| line(by_depth, &x, style(start, index), index));
    let panel = Panel {
        title: String::new(),
        layers: layers.collect(),
        y: Axis::log(
            "Final training loss (squared error)",
            0.5 * low,
            2.0 * high.max(1.0),
        ),
        x,
    };
    let entries = best.keys().enumerate().map(|(index, start)| Entry {
        sample: style(start, index).sample(),
        label: (*start).to_owned(),
    });
    let legend = Section {
        heading: "Stack".into(),
        entries: entries.collect(),
    };
    Ok(Figure {
        title: "Learning the identity map".into(),
        rows: vec![vec![panel]],
        panel_size: (380.0, 260.0),
        legend: vec![legend],
        notes: vec![
            "Each point is the mean over seeds at the rate with the smallest mean; single runs faint.".into(),
            match diverged {
                0 => "Always putting out the mean has a loss of 1.".into(),
                n => format!(
                    "{n} runs diverged; a rate at which one did is left out. Always putting out the mean has a loss of 1."
                ),
            },
        ],
    })
}

/// The losses at the rate whose mean is the smallest.
fn best_rate(rates: &BTreeMap<String, Vec<f64>>) -> Option<&Vec<f64>> {
    let mean = |losses: &Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
    let usable = rates.values().filter(|losses| mean(losses).is_finite());
    usable.min_by(|a, b| mean(a).total_cmp(&mean(b)))
}

fn style(start: &str, index: usize) -> Means {
    let known = STARTS.iter().find(|(name, _)| *name == start);
    Means {
        color: known.map_or(theme::QUIET, |(_, color)| *color),
        shape: SHAPES[index % SHAPES.len()],
        dashed: false,
    }
}

/// Without intervals: losses of three seeds on a logarithmic axis would have most of them reach 0.
fn line(by_depth: &BTreeMap<i64, &Vec<f64>>, x: &Axis, look: Means, index: usize) -> Vec<Layer> {
    let at = |depth: &i64| beside(*depth as f64, x, 0.006 * (index as f64 - 1.0));
    let layers = look.layers(by_depth.iter().map(|(depth, all)| (at(depth), *all)));
    let drawn = |layer: &Layer| !matches!(layer, Layer::Intervals { .. });
    layers.into_iter().filter(drawn).collect()
}

/// Mean over seeds of `ratio` before training, against the block, for the deepest networks.
fn ratio_by_block(tables: &Tables, rows: &Table) -> Result<Figure, String> {
    let measured: BTreeSet<&str> = rows.iter().filter_map(|row| row.text("run_id")).collect();
    let is_measured = |row: &Row<'_>| row.text("run_id").is_some_and(|id| measured.contains(id));
    let runs = tables.runs.iter().filter(is_measured);
    let deepest = runs.filter_map(|row| row.integer("model_depth")).max();
    let starts: BTreeMap<&str, String> = tables
        .runs
        .iter()
        .filter(|row| row.integer("model_depth") == deepest)
        .filter_map(|row| Some((row.text("run_id")?, start(row))))
        .collect();
    let mut ratios: BTreeMap<&str, BTreeMap<i64, Vec<f64>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.integer("epoch") == Some(0)) {
        let start = row.text("run_id").and_then(|id| starts.get(id));
        if let (Some(start), Some(block), Some(ratio)) =
            (start, row.integer("block"), row.real("ratio"))
        {
            let blocks = ratios.entry(start.as_str()).or_default();
            blocks.entry(block).or_default().push(ratio);
        }
    }
    let mean = |all: &Vec<f64>| all.iter().sum::<f64>() / all.len() as f64;
    let lines: Vec<(&str, Vec<(f64, f64)>)> = ratios
        .iter()
        .map(|(start, blocks)| {
            let points = blocks
                .iter()
                .map(|(block, all)| (*block as f64 + 1.0, mean(all)));
            (*start, points.collect())
        })
        .collect();
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let most = points().fold(1.0_f64, |most, (block, _)| most.max(block));
    let positive = || points().map(|p| p.1).filter(|ratio| *ratio > 0.0);
    if positive().next().is_none() {
        return Err("no ratio was measured before training".into());
    }
    let low = positive().fold(f64::INFINITY, f64::min);
    let high = positive().fold(0.0, f64::max);
    let zero: Vec<&str> = lines
        .iter()
        .filter(|(_, points)| points.iter().all(|p| p.1 == 0.0))
        .map(|(start, _)| *start)
        .collect();
    let drawn: Vec<_> = lines
        .iter()
        .filter(|(start, _)| !zero.contains(start))
        .collect();
    let layers = drawn
        .iter()
        .enumerate()
        .map(|(index, (start, points))| Layer::Line {
            points: points.clone(),
            color: style(start, index).color,
            width: theme::LINE_WIDTH,
            dashed: start.starts_with("plain"),
        });
    let panel = Panel {
        title: String::new(),
        layers: layers.collect(),
        x: Axis::linear("Block", 0.0, most + 1.0),
        y: Axis::log("‖F(x)‖ / ‖x‖ before training", low / 1.5, high * 1.5),
    };
    let entries = drawn.iter().enumerate().map(|(index, (start, _))| Entry {
        sample: Sample::Line {
            color: style(start, index).color,
            dashed: start.starts_with("plain"),
        },
        label: (*start).to_owned(),
    });
    let legend = Section {
        heading: "Start".into(),
        entries: entries.collect(),
    };
    let mut notes = vec![format!(
        "Networks of {} blocks or layers, means over seeds. For plain networks F(x) is what the block makes of x.",
        deepest.unwrap_or(0)
    )];
    if !zero.is_empty() {
        notes.push(format!(
            "Exactly 0 in every block, so not on this axis: {}.",
            zero.join(", ")
        ));
    }
    Ok(Figure {
        title: "How near blocks are to the identity before training".into(),
        rows: vec![vec![panel]],
        panel_size: (380.0, 260.0),
        legend: vec![legend],
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};
    use reslab_results::{Cell, schema};

    #[test]
    fn each_start_stands_at_its_best_rate_and_zeros_are_named() {
        let mut made = Synthetic::default();
        let mut table = Table::new(schema::identity());
        for residual in [false, true] {
            for depth in [2_i64, 8] {
                for (lr, loss) in [(0.1, 0.5), (0.01, 0.25)] {
                    let base = settings(depth, residual, 0)
                        .with("data_synthetic_kind", "identity")
                        .with("train_epochs", 5_i64)
                        .with("init_zero_gamma", residual)
                        .with(
                            "final_train_loss",
                            if residual { loss / 100.0 } else { loss },
                        )
                        .with("train_lr", lr);
                    let id = made.run(base, "finished", 0.0, 0.0);
                    for block in 0..depth {
                        let mut row = vec![Cell::Null; table.schema.columns.len()];
                        for (name, cell) in [
                            ("run_id", Cell::from(id.as_str())),
                            ("epoch", 0_i64.into()),
                            ("block", block.into()),
                            ("ratio", if residual { 0.0 } else { 0.7 }.into()),
                        ] {
                            row[table.index(name).expect("a column")] = cell;
                        }
                        table.push(row).expect("a row");
                    }
                }
            }
        }
        let mut tables = made.tables();
        tables.instruments.insert("identity".into(), table);
        let [(_, loss), (_, ratio)] = <[_; 2]>::try_from(figures(&tables)).expect("two figures");
        let (loss, ratio) = (loss.expect("drawn"), ratio.expect("drawn"));
        for figure in [&loss, &ratio] {
            crate::plots::check(&crate::plots::lay_out(figure));
        }
        let lines = loss.rows[0][0]
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Line { points, .. } => Some(points.iter().map(|p| p.1).collect::<Vec<_>>()),
                _ => None,
            });
        assert_eq!(lines.collect::<Vec<_>>(), [vec![0.25; 2], vec![0.0025; 2]]);
        assert!(
            ratio.notes[1].contains("residual, from zero"),
            "{:?}",
            ratio.notes
        );
    }
}
