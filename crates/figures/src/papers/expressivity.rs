//! Expressivity: the training error of a deeper plain network that is known to exist, beside what
//! training from scratch finds at the same depth (He et al. 2015, section 1).

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Table;

use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Means, Named, Panel, Section, beside};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

const TRAINED: Means = Means {
    color: theme::PLAIN,
    shape: Shape::Square,
    dashed: false,
};
/// Okabe and Ito's bluish green.
const BUILT: Means = Means {
    color: (0x00, 0x9e, 0x73),
    shape: Shape::Disc,
    dashed: false,
};

/// Errors by number of layers.
type Errors = BTreeMap<i64, Vec<f64>>;

/// The figures of the table `expressivity`.
pub fn figures(tables: &Tables) -> Vec<Named> {
    let figure = tables
        .instruments
        .get("expressivity")
        .ok_or_else(|| "there is no table 'expressivity'".to_owned())
        .and_then(|rows| constructed_against_trained(tables, rows));
    vec![("constructed-against-trained".to_owned(), figure)]
}

fn constructed_against_trained(tables: &Tables, rows: &Table) -> Result<Figure, String> {
    let last = rows.iter().filter_map(|row| row.integer("epoch")).max();
    let set = if rows.iter().any(|row| row.text("set") == Some("train")) {
        "train"
    } else {
        "test"
    };
    // What `model_depth` counts.
    let connected =
        |row: reslab_results::table::Row<'_>| row.text("model_family") == Some("fully-connected");
    let (column, label) = if tables.runs.iter().all(connected) {
        ("blocks", "Blocks")
    } else {
        ("layers", "Layers")
    };
    let mut built = Errors::new();
    let mut apart = 0.0_f64;
    let chosen = rows
        .iter()
        .filter(|row| row.integer("epoch") == last && row.text("set") == Some(set));
    for row in chosen {
        let (kind, layers) = (row.text("kind"), row.integer(column));
        if let (Some("given" | "deeper"), Some(layers), Some(error)) =
            (kind, layers, row.real("error"))
        {
            built.entry(layers).or_default().push(error);
        }
        apart = apart.max(row.real("largest_difference").unwrap_or(0.0));
    }
    if built.len() < 2 {
        return Err("no deeper network was built".into());
    }
    let trained = trained(tables, set);
    let all = || built.values().chain(trained.values()).flatten().copied();
    let layers: BTreeSet<i64> = built.keys().chain(trained.keys()).copied().collect();
    let layers: Vec<f64> = layers.into_iter().map(|layers| layers as f64).collect();
    let x = Axis::of_values(label, &layers);
    let top = nice_above(1.05 * all().fold(0.01, f64::max)).min(1.0);
    let mut drawn = line(&trained, &x, TRAINED, -0.006);
    drawn.extend(line(&built, &x, BUILT, 0.006));
    let name = if set == "train" { "training" } else { "test" };
    let panel = Panel {
        title: String::new(),
        x,
        y: Axis::percent(&format!("Final {name} error (%)"), 0.0, top),
        layers: drawn,
    };
    let seeds = all_lengths(&built).max(all_lengths(&trained));
    Ok(Figure {
        title: "Plain networks built from a shallower one, and trained from scratch".into(),
        rows: vec![vec![panel]],
        panel_size: (380.0, 260.0),
        legend: vec![Section {
            heading: "Plain network".into(),
            entries: vec![
                entry("trained from scratch", TRAINED),
                entry("identity blocks added", BUILT),
            ],
        }],
        notes: vec![
            format!(
                "Means over {seeds} runs with 95 % t intervals, cut at the axes; single runs faint. Points stand a little apart."
            ),
            format!(
                "Outputs of the built networks differ from those of the trained one by {apart:.0e} of the largest output at most."
            ),
        ],
    })
}

fn all_lengths(errors: &Errors) -> usize {
    errors.values().map(Vec::len).max().unwrap_or(0)
}

/// Final errors of plain networks that were trained, by depth.
fn trained(tables: &Tables, set: &str) -> Errors {
    let mut errors = Errors::new();
    let column = format!("final_{set}_error");
    let plain = tables.runs.iter().filter(|row| {
        row.boolean("model_residual") == Some(false)
            && row.text("status") == Some("finished")
            && row.integer("train_epochs") != Some(0)
    });
    for row in plain {
        if let (Some(depth), Some(error)) = (row.integer("model_depth"), row.real(&column)) {
            errors.entry(depth).or_default().push(error);
        }
    }
    errors
}

/// A line through the means, `aside` of the true place by a share of the axis.
fn line(errors: &Errors, x: &Axis, look: Means, aside: f64) -> Vec<Layer> {
    let at = |layers: &i64| beside(*layers as f64, x, aside);
    look.layers(errors.iter().map(|(layers, all)| (at(layers), all)))
}

fn entry(label: &str, look: Means) -> Entry {
    Entry {
        sample: look.sample(),
        label: label.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};
    use reslab_results::{Cell, schema};

    #[test]
    fn both_lines_run_through_their_means() {
        let mut made = Synthetic::default();
        let mut table = Table::new(schema::expressivity());
        for seed in 0..2_i64 {
            for (depth, error) in [(20_i64, 0.02), (56, 0.6)] {
                let error = error + 0.02 * seed as f64;
                made.run(settings(depth, false, seed), "finished", error, error);
            }
            for (kind, layers) in [("given", 20_i64), ("deeper", 56), ("residual", 20)] {
                let mut row = vec![Cell::Null; table.schema.columns.len()];
                let error = 0.02 + 0.02 * seed as f64;
                for (name, cell) in [
                    ("run_id", Cell::from("r0")),
                    ("epoch", 3_i64.into()),
                    ("kind", kind.into()),
                    ("layers", layers.into()),
                    ("set", "train".into()),
                    ("error", error.into()),
                    ("largest_difference", 1e-6.into()),
                ] {
                    row[table.index(name).expect("a column")] = cell;
                }
                table.push(row).expect("a row");
            }
        }
        let mut tables = made.tables();
        tables.instruments.insert("expressivity".into(), table);
        let [(name, figure)] = <[_; 1]>::try_from(figures(&tables)).expect("one figure");
        assert_eq!(name, "constructed-against-trained");
        let figure = figure.expect("drawn");
        crate::plots::check(&crate::plots::lay_out(&figure));
        let lines: Vec<_> = figure.rows[0][0]
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Line { points, .. } => Some(points.iter().map(|p| p.1).collect::<Vec<_>>()),
                _ => None,
            })
            .collect();
        let near = |found: &[f64], expected: [f64; 2]| {
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(near(&lines[0], [0.03, 0.61]), "{lines:?}");
        assert!(near(&lines[1], [0.03, 0.03]), "{lines:?}");
        assert!(figure.notes[1].contains("1e-6"), "{:?}", figure.notes);
    }
}
