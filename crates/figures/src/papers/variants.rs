//! Variants: final errors of networks that differ in architecture, comparison by comparison.
//!
//! One row a network: every seed, the mean, its 95 % interval; training error beside test error.
//! Which networks stand together, [`networks::comparisons`] finds out from the settings. After the
//! tables of He et al. (2016), Zagoruyko and Komodakis (2016) and Xie et al. (2017).

use reslab_results::statistics::summarise;

use crate::axes::{Axis, number};
use crate::networks::{self, Comparison, Network, Networks, Outcome};
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::scene::Shape;
use crate::study;
use crate::tables::Tables;
use crate::theme;

const MEAN_RADIUS: f64 = 4.0;
const SEED_RADIUS: f64 = 2.4;
/// Height of a row in pixels.
const ROW: f64 = 19.0;
/// Room between blocks and between comparisons, in rows.
const BETWEEN_BLOCKS: f64 = 0.35;
const BETWEEN_COMPARISONS: f64 = 0.6;
/// Half the height of the caps of an interval, in rows.
const CAP: f64 = 0.16;

type ErrorOf = fn(&Outcome) -> Option<f64>;

/// What stands at one height; heights fall from 0.
enum Line<'a> {
    Heading(String),
    Context(String),
    Network {
        label: String,
        network: &'a Network,
        /// The first network of the block, which the others are read against.
        first: bool,
    },
}

type Lines<'a> = Vec<(f64, Line<'a>)>;

/// The figures, one for each combination of the other settings that vary, with what names them.
pub fn error_by_network(tables: &Tables) -> Result<Vec<Named>, String> {
    study::trained(&tables.runs)?;
    let sets = networks::sets(&tables.runs)?;
    Ok(sets
        .iter()
        .map(|set| (set.slug.clone(), figure(set)))
        .collect())
}

fn figure(set: &Networks) -> Result<Figure, String> {
    let comparisons = networks::comparisons(set);
    if comparisons.is_empty() {
        return Err("there are no two networks to compare".into());
    }
    let lines = lines(set, &comparisons);
    let errors: [(&str, ErrorOf); 2] = [
        ("training error", |run| run.train_error),
        ("test error", |run| run.test_error),
    ];
    let (low, high) = range(set).ok_or("no finished run has a final error (a regression?)")?;
    let panels = errors.map(|(title, error)| Panel {
        title: title.into(),
        x: Axis::percent("Final error (%)", low, high),
        y: rows_axis(&lines),
        layers: layers(&lines, (low, high), error),
    });
    let rows = -lines.last().map_or(0.0, |(height, _)| *height) + 1.3;
    Ok(Figure {
        title: "Final training and test error of networks that differ in architecture".into(),
        rows: vec![panels.into()],
        panel_size: (285.0, (ROW * rows).round()),
        legend: vec![legend(set)],
        notes: notes(set),
    })
}

/// The networks under headings, from the top.
fn lines<'a>(set: &'a Networks, comparisons: &[Comparison]) -> Lines<'a> {
    let mut lines = Lines::new();
    let mut height = 0.0;
    for comparison in comparisons {
        if !lines.is_empty() {
            height -= BETWEEN_COMPARISONS;
        }
        let names = comparison.settings.iter().map(|&c| set.setting_name(c));
        let heading = names.collect::<Vec<_>>().join(" and ");
        lines.push((height, Line::Heading(sentence_case(&heading))));
        height -= 1.0;
        let (apart, equal) = comparison.context(set);
        let example = &set.networks[comparison.blocks[0][0]];
        // What is unset is a default, often of something these networks do not have.
        let told: Vec<usize> = equal
            .into_iter()
            .filter(|&column| !example.settings[column].is_null())
            .collect();
        if !told.is_empty() {
            let words = set.describe_fully(example, &told);
            lines.push((height + 0.15, Line::Context(format!("({words})"))));
            height -= 0.85;
        }
        for (index, block) in comparison.blocks.iter().enumerate() {
            if index > 0 {
                height -= BETWEEN_BLOCKS;
            }
            for (place, &network) in block.iter().enumerate() {
                let network = &set.networks[network];
                let mut label = set.describe(network, &comparison.settings);
                if !apart.is_empty() {
                    label = format!("{}, {label}", set.describe_fully(network, &apart));
                }
                if let Some(parameters) = network.parameters {
                    label = format!("{label}: {}", thousands(parameters));
                }
                let first = place == 0;
                lines.push((
                    height,
                    Line::Network {
                        label,
                        network,
                        first,
                    },
                ));
                height -= 1.0;
            }
        }
    }
    lines
}

fn sentence_case(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Parameters in a few digits: `68 k`, `1.73 M`.
fn thousands(parameters: i64) -> String {
    match parameters as f64 {
        n if n >= 1e6 => format!("{} M", number(n / 1e6, 2)),
        n if n >= 1e4 => format!("{} k", number(n / 1e3, 0)),
        n => number(n, 0),
    }
}

fn rows_axis(lines: &Lines) -> Axis {
    let ticks = lines.iter().map(|(height, line)| {
        let label = match line {
            Line::Heading(words) | Line::Context(words) => words,
            Line::Network { label, .. } => label,
        };
        (*height, label.clone())
    });
    let counted = |(_, line): &(f64, Line)| matches!(line, Line::Network { network, .. } if network.parameters.is_some());
    Axis {
        label: if lines.iter().any(counted) {
            "Network: trainable parameters".into()
        } else {
            "Network".into()
        },
        low: lines.last().map_or(0.0, |(height, _)| *height) - 0.65,
        high: 0.65,
        log: false,
        ticks: ticks.collect(),
        minor: Vec::new(),
    }
}

/// The errors shown: every run and every interval, but not more of an interval than half as much
/// again as the runs span.
fn range(set: &Networks) -> Option<(f64, f64)> {
    let errors: [ErrorOf; 2] = [|run| run.train_error, |run| run.test_error];
    let all = || set.networks.iter().flat_map(|n| &n.runs);
    let values = all().flat_map(|run| errors.iter().filter_map(move |error| error(run)));
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return None;
    }
    let room = (0.5 * (high - low)).max(0.005);
    let (mut left, mut right) = (low, high);
    for network in &set.networks {
        for error in errors {
            let interval = summarise(&finished(network, error)).and_then(|s| s.interval);
            if let Some((from, to)) = interval {
                left = left.min(from.max(low - room));
                right = right.max(to.min(high + room));
            }
        }
    }
    let edge = 0.04 * (right - left).max(0.002);
    Some(((left - edge).max(0.0), (right + edge).min(1.0)))
}

fn finished(network: &Network, error: ErrorOf) -> Vec<f64> {
    let runs = network.runs.iter().filter(|run| !run.diverged);
    runs.filter_map(error).collect()
}

fn layers(lines: &Lines, (low, high): (f64, f64), error: ErrorOf) -> Vec<Layer> {
    let mut layers = headings(lines, low, high);
    layers.extend(references(lines, error));
    for (height, line) in lines {
        if let Line::Network { network, .. } = line {
            layers.extend(row(*height, network, error));
        }
    }
    layers
}

/// A stripe behind every heading, over the whole width.
fn headings(lines: &Lines, low: f64, high: f64) -> Vec<Layer> {
    let headings = lines
        .iter()
        .filter(|(_, line)| matches!(line, Line::Heading(_)));
    headings
        .map(|(height, _)| Layer::Band {
            points: vec![
                (low, height - 0.5, height + 0.5),
                (high, height - 0.5, height + 0.5),
            ],
            color: theme::QUIET,
        })
        .collect()
}

/// A dashed line from the mean of each block's first network down the block.
fn references(lines: &Lines, error: ErrorOf) -> Vec<Layer> {
    let mut references = Vec::new();
    let mut start: Option<(f64, f64)> = None;
    for (height, line) in lines {
        match line {
            Line::Network { network, first, .. } => {
                if *first {
                    start = summarise(&finished(network, error)).map(|s| (s.mean, *height));
                } else if let Some((mean, from)) = start {
                    references.push(Layer::Line {
                        points: vec![(mean, from), (mean, height - 0.3)],
                        color: theme::QUIET,
                        width: theme::GRID_WIDTH,
                        dashed: true,
                    });
                    start = Some((mean, height - 0.3));
                }
            }
            _ => start = None,
        }
    }
    references
}

/// One network: interval, seeds, mean, and crosses for what diverged.
fn row(height: f64, network: &Network, error: ErrorOf) -> Vec<Layer> {
    let color = theme::kind_color(network.residual);
    let values = finished(network, error);
    let mut layers = Vec::new();
    let summary = summarise(&values);
    if let Some((from, to)) = summary.and_then(|summary| summary.interval) {
        let strokes = [
            vec![(from, height), (to, height)],
            vec![(from, height - CAP), (from, height + CAP)],
            vec![(to, height - CAP), (to, height + CAP)],
        ];
        layers.extend(strokes.map(|points| Layer::Line {
            points,
            color,
            width: 1.2,
            dashed: false,
        }));
    }
    let marks = |points, shape, radius, opacity| Layer::Marks {
        points,
        shape,
        radius,
        color,
        opacity,
    };
    if values.len() > 1 {
        let seeds = values.iter().map(|value| (*value, height + 0.27));
        let opacity = theme::SEED_OPACITY;
        layers.push(marks(seeds.collect(), shape(network), SEED_RADIUS, opacity));
    }
    let mean = summary.map(|summary| (summary.mean, height));
    layers.push(marks(
        mean.into_iter().collect(),
        shape(network),
        MEAN_RADIUS,
        1.0,
    ));
    let diverged = network.runs.iter().filter(|run| run.diverged);
    let ends = diverged.map(|run| (error(run).unwrap_or(f64::INFINITY), height));
    layers.push(marks(ends.collect(), Shape::Cross, MEAN_RADIUS, 1.0));
    layers
}

/// Kinds differ in shape as well as in colour.
fn shape(network: &Network) -> Shape {
    if network.residual {
        Shape::Disc
    } else {
        Shape::Square
    }
}

fn legend(set: &Networks) -> Section {
    let mark = |network: &Network, radius, opacity| Sample::Mark {
        shape: shape(network),
        color: theme::kind_color(network.residual),
        radius,
        opacity,
        line: false,
    };
    let mut entries = Vec::new();
    for (residual, name) in [(false, "plain"), (true, "residual")] {
        let mut of_kind = set.networks.iter().filter(|n| n.residual == residual);
        if let Some(network) = of_kind.next() {
            entries.push(Entry {
                sample: mark(network, MEAN_RADIUS, 1.0),
                label: format!("{name}, mean"),
            });
        }
    }
    if set.networks.iter().any(|network| network.runs.len() > 1) {
        let network = &set.networks[0];
        entries.push(Entry {
            sample: mark(network, SEED_RADIUS, theme::SEED_OPACITY),
            label: "one seed".into(),
        });
    }
    entries.push(Entry {
        sample: Sample::Line {
            color: theme::QUIET,
            dashed: true,
        },
        label: "first of its group".into(),
    });
    if set
        .networks
        .iter()
        .flat_map(|n| &n.runs)
        .any(|run| run.diverged)
    {
        entries.push(Entry {
            sample: Sample::Mark {
                shape: Shape::Cross,
                color: theme::INK,
                radius: MEAN_RADIUS,
                opacity: 1.0,
                line: false,
            },
            label: "diverged".into(),
        });
    }
    Section {
        heading: "Network".into(),
        entries,
    }
}

fn notes(set: &Networks) -> Vec<String> {
    let counts = || set.networks.iter().map(|network| network.runs.len());
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    let mut notes = vec![match (least, most) {
        (_, 1) => "One seed: no interval.".into(),
        (least, most) if least == most => {
            format!("Means over {most} seeds with 95 % t intervals, cut at the axes.")
        }
        _ => format!("Means over {least} to {most} seeds with 95 % t intervals, cut at the axes."),
    }];
    notes.push("Training error is clean: the whole training set, without augmentation.".into());
    notes.push("A network is set beside those that differ from it in the fewest settings.".into());
    if set
        .networks
        .iter()
        .flat_map(|n| &n.runs)
        .any(|run| run.diverged)
    {
        notes.push("Diverged runs stand at their last error and do not count in means.".into());
    }
    if !set.label.is_empty() {
        notes.push(format!("Runs with {}.", set.label));
    }
    notes.extend(set.caveats.iter().cloned());
    match set.failed {
        0 => {}
        1 => notes.push("One run failed and is left out.".into()),
        n => notes.push(format!("{n} runs failed and are left out.")),
    }
    notes
}

#[cfg(test)]
mod tests;
