//! Shattering (Balduzzi et al. 2017): correlation of gradients between inputs against depth, beside
//! the laws.
//!
//! Drawn: 2^−l for centred plain networks; 2/√(π l), the paper's l^−1/2 with the prefactor of its
//! own model; and for residual networks with batch norm the product
//! `∏ (1 + 1/(2 s²)) / (1 + 1/s²)`, `s² = s₀² + k (1 − 1/π)`, k = 0 … l − 1, with the s₀² that
//! normal inputs have after a stem of He's initialisation.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use reslab_results::statistics::summarise;

use super::gradients::nothing_else_varies;
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

const COMPARED: [&str; 6] = [
    "model_residual",
    "model_batch_norm",
    "model_placement",
    "probes_shattering_inputs",
    "data_root",
    "seed",
];

/// The vertical axis begins here.
const LEAST: f64 = 1e-3;
const MARK: f64 = 3.0;
/// Norm and nonlinearity before the layer, in words.
const PRE: &str = "Pre-activation";

/// Inputs and placement: what a panel is.
type Place = (String, String);
/// Residual and batch norm: what a line is.
type Kind = (bool, bool);
/// Correlations by line, then depth.
type Lines = BTreeMap<Kind, BTreeMap<i64, Vec<f64>>>;

/// The figure, if the table `shattering` suffices for it.
pub fn figures(tables: &Tables) -> Vec<Named> {
    vec![("shattering".into(), figure(tables))]
}

fn figure(tables: &Tables) -> Result<Figure, String> {
    nothing_else_varies(&tables.runs, &COMPARED)?;
    let panels = read(tables)?;
    let deepest = panels
        .values()
        .flat_map(BTreeMap::values)
        .flat_map(BTreeMap::keys);
    let deepest = deepest.max().copied().unwrap_or(1);
    let depths: Vec<f64> = (0..)
        .map(|k| 2f64.powi(k))
        .take_while(|d| *d <= deepest as f64)
        .collect();
    let x = Axis::of_values("Blocks", &depths);
    let mut rows: BTreeMap<&str, Vec<Panel>> = BTreeMap::new();
    for ((inputs, placement), lines) in &panels {
        let mut layers = laws(deepest, placement == PRE);
        layers.extend(lines.iter().flat_map(|(kind, depths)| line(*kind, depths)));
        let panel = Panel {
            title: format!("{placement}, {inputs}"),
            x: x.clone(),
            y: Axis::log("Correlation of gradients", LEAST, 1.0),
            layers,
        };
        rows.entry(inputs).or_default().push(panel);
    }
    // Gaussian inputs, which the laws assume, stand above.
    Ok(Figure {
        title: "Correlation of gradients between inputs against depth".into(),
        rows: rows.into_values().rev().collect(),
        panel_size: (290.0, 220.0),
        legend: legend(&panels),
        notes: notes(tables),
    })
}

fn read(tables: &Tables) -> Result<BTreeMap<Place, Lines>, String> {
    let table = tables.instruments.get("shattering");
    let table = table.ok_or("there is no table 'shattering'")?;
    let first = table.iter().filter_map(|row| row.integer("epoch")).min();
    let mut runs: BTreeMap<&str, (Place, Kind)> = BTreeMap::new();
    for row in tables.runs.iter() {
        let inputs = match row.text("probes_shattering_inputs") {
            Some("gaussian") => "normal inputs",
            _ => "data as inputs",
        };
        let placement = match row.text("model_placement") {
            Some("pre-activation") => PRE,
            _ => "Post-activation",
        };
        let kind = (
            row.boolean("model_residual").unwrap_or(true),
            row.boolean("model_batch_norm").unwrap_or(true),
        );
        if let Some(id) = row.text("run_id") {
            runs.insert(id, ((inputs.into(), placement.into()), kind));
        }
    }
    let mut panels: BTreeMap<Place, Lines> = BTreeMap::new();
    for row in table.iter().filter(|row| row.integer("epoch") == first) {
        let run = row.text("run_id").and_then(|id| runs.get(id));
        let value = row.real("correlation").filter(|value| value.is_finite());
        if let (Some((place, kind)), Some(value), Some(depth)) = (run, value, row.integer("depth"))
        {
            let lines = panels.entry(place.clone()).or_default();
            let depths = lines.entry(*kind).or_default();
            depths.entry(depth).or_default().push(value);
        }
    }
    if panels.is_empty() {
        return Err("no correlation was measured".into());
    }
    Ok(panels)
}

/// `∏ (1 + 1/(2 s²)) / (1 + 1/s²)` over the blocks. The stem makes normal inputs of variance 1
/// normal ones of variance 2; after a ReLU their variance is 1 − 1/π, and then a block adds half of
/// what it adds before, so that s² is twice the variance.
fn product_formula(depth: i64, pre_activation: bool) -> f64 {
    let added = 1.0 - 1.0 / PI;
    let first = if pre_activation { 2.0 } else { 2.0 * added };
    let factor = |k: i64| {
        let square = first + k as f64 * added;
        (1.0 + 0.5 / square) / (1.0 + 1.0 / square)
    };
    (0..depth).map(factor).product()
}

fn laws(deepest: i64, pre_activation: bool) -> Vec<Layer> {
    let law = |value: &dyn Fn(i64) -> f64, color, dashed| Layer::Line {
        points: (1..=deepest).map(|l| (l as f64, value(l))).collect(),
        color,
        width: theme::THIN_WIDTH,
        dashed,
    };
    vec![
        law(&|l| 0.5_f64.powi(l as i32), theme::INK, true),
        law(
            &|l| (2.0 / (PI * l as f64).sqrt()).min(1.0),
            theme::QUIET,
            true,
        ),
        law(&|l| product_formula(l, pre_activation), theme::INK, false),
    ]
}

fn shape(batch_norm: bool) -> Shape {
    if batch_norm {
        Shape::Disc
    } else {
        Shape::Square
    }
}

fn color((residual, batch_norm): Kind) -> theme::Rgb {
    // Without batch norm half way to white.
    let fade = |c: u8| ((u16::from(c) + 255) / 2) as u8;
    match (theme::kind_color(residual), batch_norm) {
        (color, true) => color,
        ((r, g, b), false) => (fade(r), fade(g), fade(b)),
    }
}

fn line(kind: Kind, depths: &BTreeMap<i64, Vec<f64>>) -> Vec<Layer> {
    let color = color(kind);
    let means: Vec<(f64, f64)> = depths
        .iter()
        .filter_map(|(depth, values)| Some((*depth as f64, summarise(values)?.mean)))
        .collect();
    let intervals = depths.iter().filter_map(|(depth, values)| {
        let (low, high) = summarise(values)?.interval?;
        (low > 0.0).then_some((*depth as f64, low, high))
    });
    vec![
        Layer::Line {
            points: means.clone(),
            color,
            width: theme::LINE_WIDTH,
            dashed: false,
        },
        Layer::Intervals {
            points: intervals.collect(),
            color,
        },
        Layer::Marks {
            points: means.into_iter().filter(|point| point.1 >= LEAST).collect(),
            shape: shape(kind.1),
            radius: MARK,
            color,
            opacity: 1.0,
        },
    ]
}

fn legend(panels: &BTreeMap<Place, Lines>) -> Vec<Section> {
    let kinds = [(false, true), (false, false), (true, true), (true, false)];
    let there = |kind: &Kind| panels.values().any(|lines| lines.contains_key(kind));
    let entries = kinds.into_iter().filter(there).map(|kind| {
        let network = if kind.0 { "residual" } else { "plain" };
        let norm = if kind.1 {
            "batch norm"
        } else {
            "no batch norm"
        };
        Entry {
            sample: Sample::Mark {
                shape: shape(kind.1),
                color: color(kind),
                radius: MARK,
                opacity: 1.0,
                line: true,
            },
            label: format!("{network}, {norm}"),
        }
    });
    let law = |color, dashed, label: &str| Entry {
        sample: Sample::Line { color, dashed },
        label: label.into(),
    };
    vec![
        Section {
            heading: "Measured".into(),
            entries: entries.collect(),
        },
        Section {
            heading: "Laws, l blocks".into(),
            entries: vec![
                law(theme::INK, true, "1/2 to the power l"),
                law(theme::QUIET, true, "2/√(π l)"),
                law(theme::INK, false, "product formula"),
            ],
        },
    ]
}

fn notes(tables: &Tables) -> Vec<String> {
    let seeds = tables.runs.distinct("seed").map_or(1, |seeds| seeds.len());
    let seeds = match seeds {
        0 | 1 => "One seed.".to_owned(),
        n => format!("Means over {n} seeds with 95 % t intervals where they stay above 0."),
    };
    vec![
        "Mean over pairs of inputs of the cosine between gradients of random projections of the output of l blocks by the stem's output, before training; batch norms with the statistics of the inputs as constants. The product formula is that of independent normal inputs.".into(),
        seeds,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};
    use reslab_results::{Cell, Table, schema};

    fn tables() -> Tables {
        let mut made = Synthetic::default();
        let mut table = Table::new(schema::shattering());
        for (residual, batch_norm) in [(false, true), (true, false)] {
            for seed in 0..2 {
                let settings = settings(4, residual, seed).with("model_batch_norm", batch_norm);
                let id = made.run(settings, "finished", 0.5, 0.5);
                for depth in [1_i64, 2, 4] {
                    let mut row = vec![Cell::Null; table.schema.columns.len()];
                    let mut set = |name: &str, cell: Cell| {
                        row[table.schema.index(name).unwrap()] = cell;
                    };
                    set("run_id", id.as_str().into());
                    set("epoch", 0_i64.into());
                    set("depth", depth.into());
                    let value = 0.5_f64.powi(depth as i32) + 0.01 * seed as f64;
                    set("correlation", value.into());
                    table.push(row).unwrap();
                }
            }
        }
        let mut tables = made.tables();
        tables.instruments.insert("shattering".into(), table);
        tables
    }

    #[test]
    fn measured_lines_stand_beside_the_laws() {
        let figure = figure(&tables()).expect("drawn");
        crate::plots::check(&crate::plots::lay_out(&figure));
        let lines: Vec<_> = figure.rows[0][0]
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Line { points, .. } => Some(points),
                _ => None,
            })
            .collect();
        assert_eq!(lines.len(), 3 + 2);
        assert!((lines[0][3].1 - 1.0 / 16.0).abs() < 1e-15);
        // One block of variance 1 − 1/π: s² = 2 (1 − 1/π).
        let square = 2.0 - 2.0 / PI;
        let expected = (square + 0.5) / (square + 1.0);
        assert!((lines[2][0].1 - expected).abs() < 1e-15);
        assert!((lines[3][0].1 - 0.505).abs() < 1e-12);
    }

    #[test]
    fn runs_that_differ_otherwise_are_refused() {
        let mut tables = tables();
        let columns = [reslab_results::ColumnSpec::new(
            "model_width",
            reslab_results::Kind::Integer,
            "",
            "A setting.",
        )];
        let mut runs = Table::new(schema::runs(&columns));
        for (row, width) in tables.runs.iter().zip([8_i64, 16, 8, 16]) {
            let mut cells = vec![Cell::Null; runs.schema.columns.len()];
            cells[runs.schema.index("run_id").unwrap()] = row.text("run_id").unwrap().into();
            cells[runs.schema.index("status").unwrap()] = "finished".into();
            cells[runs.schema.index("model_width").unwrap()] = width.into();
            runs.push(cells).unwrap();
        }
        tables.runs = runs;
        let reason = figure(&tables).expect_err("two widths");
        assert!(reason.contains("model_width"), "{reason}");
    }
}
