//! Veit, Wilber, Belongie 2016, Fig. 6: (a) the distribution of path lengths, (b) the gradient along
//! one path, (c) their product.

use reslab_results::Table;
use reslab_results::table::Row;

use super::{
    EXACT, PANEL, Profiles, RADIUS, SAMPLED, against_length, column, decades, extent, length_axis,
    line, marks, title, with_name,
};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme;

/// A row of the summary.
fn summary<'a>(run: &'a Profiles, epoch: i64, estimate: &str) -> Option<Row<'a>> {
    run.summary
        .as_ref()?
        .iter()
        .find(|row| row.integer("epoch") == Some(epoch) && row.text("estimate") == Some(estimate))
}

/// (a) how many paths, (b) the gradient along one, (c) the product.
pub(super) fn figure(run: &Profiles) -> Result<Figure, String> {
    let norms = || {
        run.epochs
            .iter()
            .map(|(_, table)| column(table, "sampled_norm"))
    };
    let all: Vec<(f64, f64)> = norms().flatten().collect();
    let single_path: Vec<(f64, f64)> = run.epochs.iter().flat_map(|(_, t)| per_path(t)).collect();
    let Some(extent) = extent(all.iter().chain(&single_path)) else {
        return Err("no path carries a gradient".into());
    };
    let highest = |name: &str| {
        let values = run.epochs.iter().flat_map(|(_, table)| column(table, name));
        values.map(|p| p.1).fold(0.0, f64::max)
    };
    let share_top = 1.1 * highest("path_share");
    let product_top = 1.1 * highest("sampled_contribution").max(highest("order_contribution"));
    let mut rows = vec![Vec::new(), Vec::new(), Vec::new()];
    for (epoch, table) in &run.epochs {
        rows[0].push(Panel {
            title: title(run, *epoch),
            x: length_axis(run, false),
            y: Axis::percent("(a) Paths (%)", 0.0, share_top),
            layers: vec![line(column(table, "path_share"), theme::INK, false)],
        });
        rows[1].push(Panel {
            title: String::new(),
            x: length_axis(run, false),
            y: decades("(b) Gradient of a path", extent, 36),
            layers: magnitudes(run, *epoch, table),
        });
        rows[2].push(Panel {
            title: String::new(),
            x: length_axis(run, true),
            y: Axis::percent("(c) Product (%)", 0.0, product_top),
            layers: products(run, *epoch, table),
        });
    }
    if all.is_empty() {
        return Err("no paths were sampled: draws is 0".into());
    }
    Ok(Figure {
        title: with_name(
            "Number of paths, gradient along one, and their product, by length",
            run,
        ),
        rows,
        panel_size: PANEL,
        legend: vec![legend()],
        notes: notes(run),
    })
}

/// Norm of the term of order k, shared out among its paths.
fn per_path(table: &Table) -> Vec<(f64, f64)> {
    against_length(table, |row| {
        let paths = row.real("log2_paths")?.exp2();
        row.real("order_norm").map(|norm| norm / paths)
    })
}

fn magnitudes(run: &Profiles, epoch: i64, table: &Table) -> Vec<Layer> {
    let sampled = column(table, "sampled_norm");
    let intervals = table.iter().filter_map(|row| {
        let (norm, error) = (row.real("sampled_norm")?, row.real("sampled_norm_error")?);
        let k = row.integer("k")? as f64;
        (norm > error && error > 0.0).then_some((k, norm - error, norm + error))
    });
    let intervals = intervals.collect();
    let fitted = summary(run, epoch, "sampled").and_then(|row| {
        let gain = row.real("gain")?;
        // The line of least squares goes through the mean of its points.
        let points: Vec<&(f64, f64)> = sampled.iter().filter(|p| p.1 > 0.0).collect();
        let n = points.len() as f64;
        let k = points.iter().map(|p| p.0).sum::<f64>() / n;
        let ln = points.iter().map(|p| p.1.ln()).sum::<f64>() / n;
        let at = |x: f64| (x, (ln + (x - k) * gain.ln()).exp());
        Some(vec![at(0.0), at((table.len() - 1) as f64)])
    });
    vec![
        line(fitted.unwrap_or_default(), theme::INK, true),
        marks(per_path(table), EXACT, Shape::Square),
        Layer::Intervals {
            points: intervals,
            color: SAMPLED,
        },
        marks(sampled, SAMPLED, Shape::Disc),
    ]
}

fn products(run: &Profiles, epoch: i64, table: &Table) -> Vec<Layer> {
    let mut layers = Vec::new();
    let sampled = column(table, "sampled_contribution");
    if let Some(row) = summary(run, epoch, "sampled") {
        let (low, high) = (row.integer("low"), row.integer("high"));
        if let (Some(low), Some(high)) = (low, high) {
            let inside = |p: &&(f64, f64)| p.0 >= low as f64 && p.0 <= high as f64;
            layers.push(Layer::Band {
                points: sampled
                    .iter()
                    .filter(inside)
                    .map(|p| (p.0, 0.0, p.1))
                    .collect(),
                color: SAMPLED,
            });
        }
    }
    layers.push(line(column(table, "order_contribution"), EXACT, true));
    layers.push(line(sampled, SAMPLED, false));
    layers
}

fn mark_entry(color: theme::Rgb, shape: Shape, label: &str) -> Entry {
    Entry {
        sample: Sample::Mark {
            shape,
            color,
            radius: RADIUS,
            opacity: 1.0,
            line: false,
        },
        label: label.into(),
    }
}

fn legend() -> Section {
    let plain = |color, dashed, label: &str| Entry {
        sample: Sample::Line { color, dashed },
        label: label.into(),
    };
    Section {
        heading: String::new(),
        entries: vec![
            mark_entry(SAMPLED, Shape::Disc, "one path, sampled"),
            mark_entry(EXACT, Shape::Square, "their sum, exact"),
            plain(theme::INK, true, "fitted r^k"),
            Entry {
                sample: Sample::Band { color: SAMPLED },
                label: "95 % of (c)".into(),
            },
        ],
    }
}

fn notes(run: &Profiles) -> Vec<String> {
    let mut notes = vec![
        "(b) Norm at the first block's input; bars are standard errors over draws. Squares: the \
         norm of the sum of all paths of length k, over their number."
            .to_string(),
        "(c) (a) times (b) as a share of the whole.".to_string(),
    ];
    for (epoch, _) in &run.epochs {
        let Some(row) = summary(run, *epoch, "sampled") else {
            continue;
        };
        let of = |name| row.real(name);
        if let (Some(low), Some(high), Some(paths), Some(gain)) = (
            row.integer("low"),
            row.integer("high"),
            of("effective_paths"),
            of("gain"),
        ) {
            let percent = significant(100.0 * paths);
            notes.push(format!(
                "{}: {low} to {high} blocks, {percent} % of all paths, r = {gain:.3}.",
                title(run, *epoch)
            ));
        }
    }
    notes
}

/// Two significant digits.
fn significant(value: f64) -> String {
    if value <= 0.0 {
        return "0".into();
    }
    let decimals = (1 - value.log10().floor() as i32).max(0) as usize;
    if decimals > 6 {
        let power = value.log10().floor() as i32;
        return format!("{:.1}·10^{power}", value / 10f64.powi(power));
    }
    format!("{value:.decimals$}")
}
