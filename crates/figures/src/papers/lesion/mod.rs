//! Lesions: error after deleting and reordering blocks (Veit, Wilber, Belongie 2016, Figs. 3 and 5).
//!
//! One panel a network. What is drawn is what was measured after the last epoch at which the
//! instrument was used. Seeds of a network are drawn together.

mod blocks;
mod several;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use reslab_results::schema::runs_fixed;
use reslab_results::table::Row;
use reslab_results::{Cell, Table};

use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Named, Panel, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme::{self, Rgb};

/// Statistics estimated anew: Okabe and Ito's bluish green.
const ANEW: Rgb = (0x00, 0x9e, 0x73);
/// More networks than this are not legible in one figure.
const MOST_NETWORKS: usize = 12;
/// Panels in a row.
const ACROSS: usize = 4;

/// A network and the rows of its lesions.
struct Network {
    title: String,
    residual: bool,
    lesions: Vec<Lesion>,
}

/// A row of the table.
#[derive(Clone, Debug)]
struct Lesion {
    kind: String,
    anew: bool,
    block: Option<i64>,
    downsampling: bool,
    k: i64,
    tau: Option<f64>,
    error: f64,
}

/// All figures the table suffices for.
pub fn draw(tables: &Tables) -> Vec<Named> {
    type Draw = fn(&[Network]) -> Figure;
    let figures: [(&str, &[&str], Draw); 3] = [
        ("lesion-blocks", &["delete", "delete-layer"], blocks::figure),
        ("lesion-random", &["delete-random"], several::random),
        ("lesion-reorder", &["reorder"], several::reorder),
    ];
    let networks = networks(tables);
    let mut drawn = Vec::new();
    for (name, kinds, draw) in figures {
        let figure = match &networks {
            Err(reason) => Err(reason.clone()),
            Ok(networks) => {
                let has = |network: &&Network| {
                    let mut lesions = network.lesions.iter();
                    lesions.any(|lesion| kinds.contains(&lesion.kind.as_str()))
                };
                let with: Vec<Network> = networks.iter().filter(has).map(Network::copy).collect();
                if with.is_empty() {
                    continue;
                }
                Ok(draw(&with))
            }
        };
        drawn.push((name.to_owned(), figure));
    }
    drawn
}

impl Network {
    fn copy(&self) -> Network {
        Network {
            title: self.title.clone(),
            residual: self.residual,
            lesions: self.lesions.clone(),
        }
    }

    fn of_kind(&self, kind: &str, anew: bool) -> impl Iterator<Item = &Lesion> {
        self.lesions
            .iter()
            .filter(move |lesion| lesion.kind == kind && lesion.anew == anew)
    }

    fn color(&self) -> Rgb {
        theme::kind_color(self.residual)
    }

    /// Mean error of the whole network.
    fn baseline(&self, anew: bool) -> Option<f64> {
        mean(self.of_kind("none", anew).map(|lesion| lesion.error))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    reslab_results::statistics::mean(&values)
}

/// The networks in the order of their first run, or why there are none.
fn networks(tables: &Tables) -> Result<Vec<Network>, String> {
    let table = tables
        .instruments
        .get("lesion")
        .ok_or("no table 'lesion'")?;
    let lesions = last_lesions(table);
    if lesions.values().all(Vec::is_empty) {
        return Err("no lesion has an error (a regression?)".into());
    }
    let columns = varying(&tables.runs);
    let mut networks: Vec<(Vec<Cell>, Network)> = Vec::new();
    for row in tables.runs.iter() {
        let Some(own) = row.text("run_id").and_then(|id| lesions.get(id)) else {
            continue;
        };
        let cell = |name: &String| row.get(name).cloned().unwrap_or(Cell::Null);
        let key: Vec<Cell> = columns.iter().map(cell).collect();
        match networks.iter_mut().find(|(known, _)| *known == key) {
            Some((_, network)) => network.lesions.extend(own.iter().cloned()),
            None => networks.push((
                key,
                Network {
                    title: title(row, &columns),
                    residual: row.boolean("model_residual") != Some(false),
                    lesions: own.clone(),
                },
            )),
        }
    }
    if networks.len() > MOST_NETWORKS {
        return Err(format!(
            "{} networks are more than the {MOST_NETWORKS} that a figure has room for",
            networks.len()
        ));
    }
    Ok(networks.into_iter().map(|(_, network)| network).collect())
}

/// For each run its lesions of the last epoch, as far as they have errors.
fn last_lesions(table: &Table) -> BTreeMap<&str, Vec<Lesion>> {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for row in table.iter() {
        if let (Some(id), Some(epoch)) = (row.text("run_id"), row.integer("epoch")) {
            let known = last.entry(id).or_insert(epoch);
            *known = epoch.max(*known);
        }
    }
    let mut lesions: BTreeMap<&str, Vec<Lesion>> = BTreeMap::new();
    for row in table.iter() {
        let Some(id) = row.text("run_id") else {
            continue;
        };
        if row.integer("epoch") == last.get(id).copied() {
            lesions.entry(id).or_default().extend(lesion(row));
        }
    }
    lesions
}

fn lesion(row: Row<'_>) -> Option<Lesion> {
    Some(Lesion {
        kind: row.text("kind")?.to_owned(),
        anew: row.text("statistics") == Some("re-estimated"),
        block: row.integer("block"),
        downsampling: row.boolean("downsampling") == Some(true),
        k: row.integer("k").unwrap_or(0),
        tau: row.real("kendall_tau"),
        error: row.real("error").filter(|error| error.is_finite())?,
    })
}

/// Settings that keep networks apart: all that vary but the seed, what the instrument was asked for,
/// and what follows from the weights' file.
fn varying(runs: &Table) -> Vec<String> {
    let fixed = runs_fixed();
    let own = |name: &str| {
        fixed.index(name).is_some()
            || name == "seed"
            || name == "data_root"
            || name.starts_with("probes_")
            || name.starts_with("init_weights")
    };
    let names = runs.schema.columns.iter().map(|column| column.name.clone());
    names
        .filter(|name| !own(name) && runs.distinct(name).is_ok_and(|values| values.len() > 1))
        .collect()
}

/// `residual-56, pre-activation`: kind and depth, then the other settings that vary.
fn title(row: Row<'_>, columns: &[String]) -> String {
    let kind = match row.boolean("model_residual") {
        Some(false) => "plain",
        _ => "residual",
    };
    let depth = row.integer("model_depth").map(|depth| format!("-{depth}"));
    let mut words = vec![format!("{kind}{}", depth.unwrap_or_default())];
    for name in columns {
        if ["model_residual", "model_depth", "model_name"].contains(&name.as_str()) {
            continue;
        }
        match row.get(name) {
            None | Some(Cell::Null) => {}
            Some(Cell::Text(text)) => words.push(text.clone()),
            Some(other) => {
                let short = name.split_once('_').map_or(name.as_str(), |(_, rest)| rest);
                words.push(format!("{} {other}", short.replace('_', " ")));
            }
        }
    }
    words.join(", ")
}

/// The axis of errors: from 0, with room above the largest of these kinds.
fn error_axis(networks: &[Network], kinds: &[&str]) -> Axis {
    let all = networks.iter().flat_map(|network| &network.lesions);
    let shown = all.filter(|lesion| kinds.contains(&lesion.kind.as_str()));
    let highest = shown.map(|lesion| lesion.error).fold(0.01, f64::max);
    Axis::percent("Error (%)", 0.0, nice_above(1.05 * highest).min(1.0))
}

/// Panels in rows.
fn rows(panels: Vec<Panel>) -> Vec<Vec<Panel>> {
    panels.chunks(ACROSS).map(<[Panel]>::to_vec).collect()
}

/// The part of the legend that says which networks have which colour, and which statistics.
fn network_entries(networks: &[Network]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for residual in [true, false] {
        if networks.iter().any(|network| network.residual == residual) {
            let label = if residual {
                "residual network"
            } else {
                "plain network"
            };
            entries.push(marked(
                label,
                Shape::Disc,
                theme::kind_color(residual),
                true,
            ));
        }
    }
    if networks
        .iter()
        .any(|n| n.lesions.iter().any(|lesion| lesion.anew))
    {
        entries.push(Entry {
            sample: Sample::Line {
                color: ANEW,
                dashed: true,
            },
            label: "statistics re-estimated".into(),
        });
    }
    entries
}

fn marked(label: &str, shape: Shape, color: Rgb, line: bool) -> Entry {
    Entry {
        sample: Sample::Mark {
            shape,
            color,
            radius: if shape == Shape::Square { 4.0 } else { 3.0 },
            opacity: 1.0,
            line,
        },
        label: label.into(),
    }
}

fn section(heading: &str, entries: Vec<Entry>) -> Section {
    Section {
        heading: heading.into(),
        entries,
    }
}
