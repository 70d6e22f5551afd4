//! What a loss surface owes to how it was cut: lines through one network, one column of panels for each
//! setting that varies, its values in colours, everything else as most lines have it.

use std::collections::{BTreeMap, BTreeSet};

use super::profiles::{Curve, lines, loss_axis};
use super::{Key, Study, direction};
use crate::axes::number;
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::theme::{self, Rgb};

/// A setting's value: its place in order, and its name.
type Value = (i64, String);

/// A setting that may differ between lines.
struct Setting {
    heading: &'static str,
    of: fn(&Study<'_>, &Key) -> Value,
}

/// Losses above this leave the frame: without normalisation there is no end to them.
const HIGHEST: f64 = 1000.0;

/// The heading of the setting that is no setting of the cut.
const NETWORK: &str = "Network";

const SETTINGS: [Setting; 4] = [
    Setting {
        heading: "Directions",
        of: |_, key| match key.cut.normalisation.as_deref() {
            Some("filter") => (0, "normalised by filter".into()),
            Some("layer") => (1, "normalised by layer".into()),
            _ => (2, "not normalised".into()),
        },
    },
    Setting {
        heading: "What moves",
        of: |_, key| match key.cut.one_dimensional {
            false => (0, "weights".into()),
            true => (1, "biases and batch norms, too".into()),
        },
    },
    Setting {
        heading: "Samples",
        of: |_, key| (key.cut.samples, number(key.cut.samples as f64, 0)),
    },
    Setting {
        heading: NETWORK,
        of: |study, key| {
            let seed = study.networks.all[key.run].seed;
            (seed, format!("trained from seed {seed}"))
        },
    },
];

pub(super) fn figures(study: &Study<'_>, figures: &mut Vec<Named>) {
    let sheets = study.sheets.keys();
    let keys: Vec<&Key> = sheets
        .filter(|key| key.cut.surface == "line" && key.cut.set != "test")
        .collect();
    let networks = keys.iter().map(|key| {
        let network = &study.networks.all[key.run];
        (network.residual, &network.size)
    });
    let networks: BTreeSet<_> = networks.collect();
    let varying = varying(study, &keys);
    if networks.len() == 1 && !varying.is_empty() {
        figures.push((
            "landscape-settings".into(),
            Ok(figure(study, &keys, &varying)),
        ));
    }
}

/// The settings with several values, each with these.
fn varying(study: &Study<'_>, keys: &[&Key]) -> Vec<(&'static Setting, Vec<Value>)> {
    let values = |setting: &'static Setting| {
        let values: BTreeSet<Value> = keys.iter().map(|key| (setting.of)(study, key)).collect();
        (setting, values.into_iter().collect::<Vec<_>>())
    };
    let all = SETTINGS.iter().map(values);
    all.filter(|(_, values)| values.len() > 1).collect()
}

/// The value that most lines have, the first of equals.
fn usual(study: &Study<'_>, keys: &[&Key], setting: &Setting) -> Value {
    let mut counts: BTreeMap<Value, usize> = BTreeMap::new();
    for key in keys {
        *counts.entry((setting.of)(study, key)).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let first = counts.into_iter().find(|(_, count)| *count == most);
    first.map_or((0, String::new()), |(value, _)| value)
}

/// The lines of one panel that have this value of a setting and the usual one of all others.
fn curves(
    study: &Study<'_>,
    keys: &[&Key],
    statistics: &str,
    setting: &Setting,
    value: &Value,
) -> Vec<Curve> {
    let fits = |key: &&&Key| {
        let others = SETTINGS.iter().filter(|s| s.heading != setting.heading);
        key.statistics == statistics
            && (setting.of)(study, key) == *value
            && others
                .map(|other| ((other.of)(study, key), usual(study, keys, other)))
                .all(|(own, usual)| own == usual)
    };
    let curve = |key: &&Key| {
        let grid = &study.sheets[*key].grids[0];
        grid.xs
            .iter()
            .copied()
            .zip(grid.values.iter().copied())
            .collect()
    };
    keys.iter().filter(fits).map(curve).collect()
}

fn figure(study: &Study<'_>, keys: &[&Key], varying: &[(&'static Setting, Vec<Value>)]) -> Figure {
    let statistics: BTreeSet<&str> = keys.iter().map(|key| key.statistics.as_str()).collect();
    let points = keys.iter().flat_map(|key| {
        let grid = &study.sheets[*key].grids[0];
        grid.xs
            .iter()
            .copied()
            .zip(grid.values.iter().copied())
            .filter(|point| point.1.is_finite())
    });
    let points: Vec<(f64, f64)> = points.collect();
    let x = direction("Place along the line", points.iter().map(|p| p.0));
    let shown: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.1 <= HIGHEST).collect();
    let losses = loss_axis(&shown);
    let panel = |statistics: &str, (setting, values): &(&'static Setting, Vec<Value>)| {
        let mut y = losses.clone();
        if !statistics.is_empty() {
            y.label = format!("Loss (statistics {statistics})");
        }
        let layers = panel_layers(study, keys, statistics, setting, values);
        Panel {
            title: String::new(),
            x: x.clone(),
            y,
            layers,
        }
    };
    let mut rows: Vec<Vec<Panel>> = match varying {
        // Statistics side by side.
        [one] => vec![statistics.iter().map(|kind| panel(kind, one)).collect()],
        _ => statistics
            .iter()
            .map(|kind| varying.iter().map(|one| panel(kind, one)).collect())
            .collect(),
    };
    if varying.len() > 1 {
        for (panel, (setting, _)) in rows[0].iter_mut().zip(varying) {
            panel.title = setting.heading.into();
        }
    }
    let mut notes = notes(study, keys, varying);
    if shown.len() < points.len() {
        let highest = points.iter().map(|p| p.1).fold(0.0, f64::max);
        notes.push(format!(
            "Losses above {HIGHEST} leave the frame; the highest is {highest:.1e}."
        ));
    }
    Figure {
        title: "Loss along lines through a network, by how they were cut".into(),
        rows,
        panel_size: (230.0, 190.0),
        legend: legend(varying),
        notes,
    }
}

fn panel_layers(
    study: &Study<'_>,
    keys: &[&Key],
    statistics: &str,
    setting: &Setting,
    values: &[Value],
) -> Vec<Layer> {
    let layers = values.iter().enumerate().flat_map(|(place, value)| {
        let curves = curves(study, keys, statistics, setting, value);
        lines(&curves, color(place, values.len()), false)
    });
    layers.collect()
}

/// Dark first: most settings begin with the usual value.
fn color(place: usize, count: usize) -> Rgb {
    theme::ordered_color(count - 1 - place, count)
}

fn legend(varying: &[(&'static Setting, Vec<Value>)]) -> Vec<Section> {
    let section = |(setting, values): &(&'static Setting, Vec<Value>)| {
        let entries = values.iter().enumerate().map(|(place, (_, name))| Entry {
            sample: Sample::Line {
                color: color(place, values.len()),
                dashed: false,
            },
            label: name.clone(),
        });
        Section {
            heading: setting.heading.into(),
            entries: entries.collect(),
        }
    };
    varying.iter().map(section).collect()
}

fn notes(
    study: &Study<'_>,
    keys: &[&Key],
    varying: &[(&'static Setting, Vec<Value>)],
) -> Vec<String> {
    let draws: BTreeSet<i64> = keys.iter().map(|key| key.cut.draw).collect();
    let mut notes = vec![match draws.len() {
        1 => "Along one random direction, the network at 0.".to_owned(),
        n => format!("Along {n} random directions, the network at 0: each faint, the mean bold."),
    }];
    let varies = |setting: &Setting| varying.iter().any(|(v, _)| v.heading == setting.heading);
    let told = |setting: &&Setting| match varying.len() {
        1 => !varies(setting) && setting.heading != NETWORK,
        _ => varies(setting) || setting.heading != NETWORK,
    };
    let usual = SETTINGS.iter().filter(told).map(|setting| {
        let (_, name) = usual(study, keys, setting);
        format!("{}: {name}", setting.heading.to_lowercase())
    });
    let usual: Vec<String> = usual.collect();
    if varying.len() > 1 {
        notes.push(format!(
            "Each column changes one setting; all others are as most lines have them ({}).",
            usual.join(", ")
        ));
    } else {
        notes.push(format!(
            "Everything else is the same ({}).",
            usual.join(", ")
        ));
    }
    let missing = keys.iter().map(|key| study.sheets[*key].grids[0].missing());
    let missing: usize = missing.sum();
    if missing > 0 {
        notes.push(format!("{missing} points have no finite loss: gaps."));
    }
    notes.extend(study.networks.notes.iter().cloned());
    notes
}
