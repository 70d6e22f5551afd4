//! Ends and quantiles of spectra against the length of a product, the place of a block, or the epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::LN_10;

use reslab_results::table::Row;

use super::{Place, Study, decades, line_entry, not_empty};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme;

/// log₁₀ of the smallest σ, the 5 %, 50 % and 95 % quantiles, the largest.
type Five = [f64; 5];
/// By place on the horizontal axis, one a run and sample.
type Spans = BTreeMap<i64, Vec<Five>>;

/// Blocks from which on they are drawn against their place.
const LEAST_BLOCKS: usize = 4;

/// Share of the height of a panel that its spectrum must fill for all to have one axis.
const LEAST_SHARE: f64 = 0.3;

const COLUMNS: [&str; 5] = ["log_min", "log_q05", "log_q50", "log_q95", "log_max"];

fn five(row: Row<'_>) -> Option<Five> {
    let mut found = [0.0; 5];
    for (value, name) in found.iter_mut().zip(COLUMNS) {
        *value = row.real(name)? / LN_10;
    }
    if row.text("method") == Some("lanczos") {
        // The smallest that Lanczos has found says nothing of the smallest there is.
        found[0] = f64::NAN;
    }
    Some(found)
}

/// Spectra of the rows asked for, by place of the panel and `x`.
fn read<'s>(
    study: &'s Study<'_>,
    asked: impl Fn(Row<'_>) -> bool + 's,
    x: impl Fn(Row<'_>) -> Option<i64>,
) -> BTreeMap<Place, Spans> {
    let mut places: BTreeMap<Place, Spans> = BTreeMap::new();
    for (place, row) in study.rows(study.summaries, asked) {
        if let (Some(x), Some(span)) = (x(row), five(row)) {
            let spans = places.entry(place).or_default();
            spans.entry(x).or_default().push(span);
        }
    }
    places
}

fn whole(row: Row<'_>) -> bool {
    row.text("kind") == Some("product") && row.text("grow") == Some("input")
}

/// σ against the length of the product.
pub fn by_length(study: &Study<'_>, epoch: i64) -> Result<Figure, String> {
    let asked = |row: Row<'_>| row.integer("epoch") == Some(epoch) && whole(row);
    let places = read(study, asked, |row| row.integer("blocks"));
    let note = "Singular values of the product of the first blocks; those of 0 are left out.";
    let notes = study.notes(note, Some(epoch));
    figure(study, &places, ("Blocks in the product", true), notes)
}

/// σ of blocks against their place: of whole blocks, or `before` what follows the addition, where
/// something does.
pub fn by_block(study: &Study<'_>, epoch: i64, before: bool) -> Result<Figure, String> {
    let kinds = last_kinds(study, epoch);
    let asked = |row: Row<'_>| {
        let whole = row.text("run_id").and_then(|id| kinds.get(id)).copied();
        let kind = match (before, whole) {
            (false, whole) => whole,
            (true, Some("block")) => Some("sum"),
            (true, _) => None,
        };
        row.integer("epoch") == Some(epoch) && kind.is_some() && kind == row.text("kind")
    };
    let mut places = read(study, asked, |row| Some(row.integer("first")? + 1));
    // A line through two or three far blocks would say what was not measured.
    places.retain(|_, spans| spans.len() >= LEAST_BLOCKS);
    let note = match before {
        true => {
            "Singular values of shortcut and branches of each block, before the nonlinearity after the addition."
        }
        false => {
            "Singular values of each whole block, with the nonlinearity after the addition where there is one; those of 0 are left out."
        }
    };
    let notes = study.notes(note, Some(epoch));
    figure(study, &places, ("Block", false), notes)
}

/// By run the kind that is the whole block.
fn last_kinds<'s>(study: &'s Study<'_>, epoch: i64) -> BTreeMap<&'s str, &'static str> {
    let mut found = BTreeMap::new();
    let order = ["branch", "sum", "block"];
    for (_, row) in study.rows(study.summaries, |row| row.integer("epoch") == Some(epoch)) {
        let kind = order.iter().position(|kind| row.text("kind") == Some(kind));
        if let (Some(id), Some(kind)) = (row.text("run_id"), kind) {
            let known = found.entry(id).or_insert(0);
            *known = kind.max(*known);
        }
    }
    found
        .into_iter()
        .map(|(id, kind)| (id, order[kind]))
        .collect()
}

/// σ of the product of all blocks through training.
pub fn by_epoch(study: &Study<'_>) -> Result<Figure, String> {
    let longest = study.rows(study.summaries, whole);
    let longest = longest.filter_map(|(_, row)| row.integer("blocks")).max();
    let asked = |row: Row<'_>| whole(row) && row.integer("blocks") == longest;
    let places = read(study, asked, |row| row.integer("epoch"));
    let note = "Singular values of the product of all blocks; those of 0 are left out.";
    let notes = study.notes(note, None);
    figure(study, &places, ("Epochs of training", false), notes)
}

fn figure(
    study: &Study<'_>,
    places: &BTreeMap<Place, Spans>,
    (label, log): (&str, bool),
    mut notes: Vec<String>,
) -> Result<Figure, String> {
    let there: BTreeSet<Place> = places.keys().copied().collect();
    let xs: BTreeSet<i64> = places.values().flat_map(BTreeMap::keys).copied().collect();
    let xs: Vec<f64> = xs.into_iter().map(|x| x as f64).collect();
    let x = match (log, xs.first(), xs.last()) {
        (false, Some(&first), Some(&last)) if xs.len() > 8 => {
            let room = 0.03 * (last - first);
            Axis::linear(label, first - room, last + room)
        }
        _ => Axis::of_values(label, &xs),
    };
    let ranges = ranges(places);
    let mut axes = ranges.values();
    if let Some(first) = axes.next()
        && axes.any(|other| other != first)
    {
        notes.push("Each panel has its own vertical axis.".into());
    }
    let rows = study.panels(&there, |place, title| {
        let (low, high) = ranges[&place];
        Panel {
            title,
            x: x.clone(),
            y: Axis::linear("log₁₀ σ", low, high),
            layers: layers(&places[&place], theme::kind_color(place.kind > 0)),
        }
    });
    not_empty(Figure {
        title: format!("Ends and quantiles of singular values: {label}"),
        rows,
        panel_size: (190.0, 140.0),
        legend: legend(),
        notes,
    })
}

/// Vertical ranges: one for all panels, unless some would be flat lines in it; then each its own.
fn ranges(places: &BTreeMap<Place, Spans>) -> BTreeMap<Place, (f64, f64)> {
    let own = |spans: &Spans| decades(spans.values().flatten().flatten().copied());
    let each: BTreeMap<Place, (f64, f64)> = places.iter().map(|(p, s)| (*p, own(s))).collect();
    let low = each.values().map(|range| range.0).fold(0.0, f64::min);
    let high = each.values().map(|range| range.1).fold(0.0, f64::max);
    let told = |range: &(f64, f64)| range.1 - range.0 >= LEAST_SHARE * (high - low);
    match each.values().all(told) {
        true => each.into_keys().map(|place| (place, (low, high))).collect(),
        false => each,
    }
}

/// The means over runs and samples of each of the five.
fn means(spans: &Spans, which: usize) -> Vec<(f64, f64)> {
    spans
        .iter()
        .map(|(x, all)| {
            let sum: f64 = all.iter().map(|five| five[which]).sum();
            (*x as f64, sum / all.len() as f64)
        })
        .filter(|point| point.1.is_finite())
        .collect()
}

fn layers(spans: &Spans, color: theme::Rgb) -> Vec<Layer> {
    let [least, low, middle, high, most] = [0, 1, 2, 3, 4].map(|which| means(spans, which));
    let ends = low.iter().zip(&high);
    let band = ends.map(|((x, low), (_, high))| (*x, *low, *high));
    let line = |points: &[(f64, f64)], width| Layer::Line {
        points: points.to_vec(),
        color,
        width,
        dashed: false,
    };
    let marks = |points: &[(f64, f64)], shape| Layer::Marks {
        points: points.to_vec(),
        shape,
        radius: 2.6,
        color,
        opacity: 1.0,
    };
    let first = spans.keys().next().map_or(0.0, |x| *x as f64);
    let last = spans.keys().last().map_or(1.0, |x| *x as f64);
    vec![
        Layer::Line {
            points: vec![(first, 0.0), (last, 0.0)],
            color: theme::QUIET,
            width: 0.8,
            dashed: true,
        },
        Layer::Band {
            points: band.collect(),
            color,
        },
        line(&middle, 1.3 * theme::LINE_WIDTH),
        line(&most, 0.7 * theme::THIN_WIDTH),
        line(&least, 0.7 * theme::THIN_WIDTH),
        marks(&most, Shape::Disc),
        marks(&least, Shape::Square),
    ]
}

fn legend() -> Vec<Section> {
    let mark = |shape, label: &str| Entry {
        sample: Sample::Mark {
            shape,
            color: theme::INK,
            radius: 2.6,
            opacity: 1.0,
            line: true,
        },
        label: label.into(),
    };
    vec![Section {
        heading: "Singular values".into(),
        entries: vec![
            mark(Shape::Disc, "largest"),
            Entry {
                sample: Sample::Band { color: theme::INK },
                label: "5 % to 95 %".into(),
            },
            line_entry(theme::INK, false, "median (thick)"),
            mark(Shape::Square, "smallest"),
            line_entry(theme::QUIET, true, "σ = 1"),
        ],
    }]
}
