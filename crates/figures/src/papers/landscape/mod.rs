//! Loss surfaces (Li, Xu, Taylor, Studer, Goldstein 2018), from the tables `landscape`,
//! `landscape_curvature` and `trajectory`.
//!
//! - [`contours`]: lines of equal loss on a plane of random directions (Figs 3, 5 and 6);
//! - [`space`]: the same in three dimensions (Figs 1 and 4);
//! - [`profiles`]: loss and error along lines, random or between two networks (Figs 2 and 3);
//! - [`settings`]: loss along lines through one network, by how they were cut;
//! - [`trajectory`]: the optimiser's way over the plane of its principal components (Fig. 9);
//! - [`curvature`]: `|λ_min / λ_max|` over the plane (Fig. 7).
//!
//! All panels of a figure have one scale. [`exports`] are the surfaces for other programs.

mod contours;
mod curvature;
mod export;
#[cfg(test)]
mod made;
mod profiles;
mod scale;
mod settings;
mod sheets;
mod space;
#[cfg(test)]
mod tests;
mod trajectory;

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Table;

use crate::axes::Axis;
use crate::contours::Grid;
use crate::plots::{Figure, Named, Panel};
use crate::tables::Tables;
use crate::text::{self, Weight};
use crate::theme;

pub use export::{Export, exports};
pub(crate) use sheets::{Cut, Key, Networks, Sheet, sheets};

/// Panels next to each other.
const ACROSS: usize = 4;
/// Networks in a figure; further ones have figures of their own.
const MOST: usize = 8;

/// The figures that the tables suffice for.
pub fn figures(tables: &Tables) -> Vec<Named> {
    let mut figures = Vec::new();
    match Study::read(tables) {
        Ok(study) => {
            study.planes(&mut figures);
            profiles::figures(&study, &mut figures);
            settings::figures(&study, &mut figures);
            trajectory::figures(&study, &mut figures);
            curvature::figures(&study, &mut figures);
            if figures.is_empty() {
                let reason = "no surface has two points along a direction".into();
                figures.push(("landscape-contours".into(), Err(reason)));
            }
        }
        Err(reason) => figures.push(("landscape-contours".into(), Err(reason))),
    }
    figures
}

/// The surfaces and the networks they belong to.
struct Study<'t> {
    networks: Networks,
    /// Loss and error.
    sheets: BTreeMap<Key, Sheet>,
    tables: &'t Tables,
}

impl<'t> Study<'t> {
    fn read(tables: &'t Tables) -> Result<Self, String> {
        let table: Option<&Table> = tables.instruments.get("landscape");
        let table = table.ok_or("there is no table 'landscape'")?;
        let networks = Networks::read(&tables.runs);
        let sheets = sheets(table, &networks, &["loss", "error"]);
        if sheets.is_empty() {
            return Err("the table 'landscape' has no point of a run in 'runs'".into());
        }
        Ok(Self {
            networks,
            sheets,
            tables,
        })
    }

    /// Contours and surfaces of each plane of random directions.
    fn planes(&self, figures: &mut Vec<Named>) {
        for (cut, keys) in by_cut(&self.sheets, "plane") {
            let suffix = suffix(&cut, &self.sheets);
            for (page, panels) in Panels::pages(&self.networks, &self.sheets, &keys) {
                figures.push((
                    format!("landscape-contours{suffix}{page}"),
                    contours::figure(&panels, &cut),
                ));
                figures.push((
                    format!("landscape-surface{suffix}{page}"),
                    space::figure(&panels, &cut),
                ));
            }
        }
    }
}

/// The sheets of one surface that figures compare, by how they were cut.
fn by_cut<'s>(sheets: &'s BTreeMap<Key, Sheet>, surface: &str) -> BTreeMap<Cut, Vec<&'s Key>> {
    let mut cuts: BTreeMap<Cut, Vec<&Key>> = BTreeMap::new();
    for key in sheets.keys().filter(|key| key.cut.surface == surface) {
        cuts.entry(key.cut.clone()).or_default().push(key);
    }
    cuts
}

/// What tells a figure's files from those of other cuts.
fn suffix(cut: &Cut, sheets: &BTreeMap<Key, Sheet>) -> String {
    let mut parts = Vec::new();
    if cut.set == "test" {
        parts.push("test".to_owned());
    }
    parts.extend(cut.epoch.map(|epoch| format!("epoch-{epoch}")));
    parts.extend(
        cut.normalisation
            .iter()
            .filter(|n| *n != "filter")
            .map(|n| format!("{n}-normalised")),
    );
    // Elsewhere everything always moves.
    let random = cut.surface == "line" || cut.surface == "plane";
    if cut.one_dimensional && random {
        parts.push("one-dimensional".into());
    }
    if cut.draw > 0 {
        parts.push(format!("draw-{}", cut.draw));
    }
    let otherwise_equal = |other: &Cut| {
        let samples = cut.samples;
        *other != *cut
            && Cut {
                samples,
                ..other.clone()
            } == *cut
    };
    if sheets.keys().any(|key| otherwise_equal(&key.cut)) {
        parts.push(format!("{}-samples", cut.samples));
    }
    parts.iter().map(|part| format!("-{part}")).collect()
}

/// One panel's network and surface.
struct Place<'s> {
    title: String,
    grid: &'s Grid,
    key: &'s Key,
}

/// The panels of a figure: rows of statistics kept and recomputed, one column a network.
struct Panels<'s> {
    rows: Vec<(String, Vec<Place<'s>>)>,
    /// The grids of all figures that share levels and axes with this one.
    shared: Vec<&'s Grid>,
    /// What is not here: grids that are no grid, and networks in other figures.
    elsewhere: Vec<String>,
    networks: &'s Networks,
}

impl<'s> Panels<'s> {
    /// Of the first number of each sheet, [`MOST`] networks at a time, each with what is added to the
    /// name of its file: nothing, `-2`, `-3`.
    fn pages(
        networks: &'s Networks,
        sheets: &'s BTreeMap<Key, Sheet>,
        keys: &[&'s Key],
    ) -> Vec<(String, Self)> {
        let usable = |key: &&&Key| {
            let grid = &sheets[**key].grids[0];
            grid.xs.len() > 1 && grid.ys.len() > 1 && grid.range().is_some()
        };
        let (drawn, thin): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| usable(key));
        let shared: Vec<&Grid> = drawn.iter().map(|key| &sheets[*key].grids[0]).collect();
        let thin = (!thin.is_empty()).then(|| {
            let count = thin.len();
            format!("{count} surfaces with fewer than two finite rows and columns are left out.")
        });
        let runs: BTreeSet<usize> = drawn.iter().map(|key| key.run).collect();
        let runs: Vec<usize> = runs.into_iter().collect();
        let page = |(place, here): (usize, &[usize])| {
            let mut elsewhere: Vec<String> = thin.iter().cloned().collect();
            if here.len() < runs.len() {
                let first = place * MOST + 1;
                elsewhere.push(format!(
                    "Networks {first} to {} of {}; the others are in figures of their own, with the \
                     same levels and axes.",
                    first + here.len() - 1,
                    runs.len()
                ));
            }
            let of_page = drawn.iter().copied().filter(|key| here.contains(&key.run));
            let panels = Self {
                rows: rows(networks, sheets, of_page),
                shared: shared.clone(),
                elsewhere,
                networks,
            };
            let suffix = if place == 0 {
                String::new()
            } else {
                format!("-{}", place + 1)
            };
            (suffix, panels)
        };
        let mut pages: Vec<&[usize]> = runs.chunks(MOST).collect();
        if pages.is_empty() {
            // Its figure says why it is none.
            pages.push(&[]);
        }
        pages.into_iter().enumerate().map(page).collect()
    }

    fn grids(&self) -> Vec<&'s Grid> {
        self.rows
            .iter()
            .flat_map(|(_, row)| row.iter().map(|place| place.grid))
            .collect()
    }

    /// How many panels stand next to each other.
    fn across(&self) -> usize {
        self.rows
            .iter()
            .map(|(_, row)| row.len())
            .max()
            .unwrap_or(0)
    }

    /// Refuses figures without a panel.
    fn ready(&self) -> Result<(), String> {
        match (self.rows.is_empty(), self.elsewhere.first()) {
            (false, _) => Ok(()),
            (true, Some(reason)) => Err(reason.clone()),
            (true, None) => Err("there is no surface".into()),
        }
    }

    /// What all figures of surfaces must tell.
    fn notes(&self) -> Vec<String> {
        let (missing, all) = self.grids().iter().fold((0, 0), |(missing, all), grid| {
            (missing + grid.missing(), all + grid.values.len())
        });
        let mut notes = Vec::new();
        if missing > 0 {
            notes.push(format!(
                "{missing} of {all} points have no finite loss: gaps."
            ));
        }
        notes.extend(self.elsewhere.iter().cloned());
        notes.extend(self.networks.title_note());
        notes.extend(self.networks.notes.iter().cloned());
        notes
    }
}

/// Rows of panels, of one kind of statistics each.
fn rows<'s>(
    networks: &'s Networks,
    sheets: &'s BTreeMap<Key, Sheet>,
    keys: impl Iterator<Item = &'s Key>,
) -> Vec<(String, Vec<Place<'s>>)> {
    let mut by_statistics: BTreeMap<&str, Vec<Place<'s>>> = BTreeMap::new();
    for key in keys {
        let places = by_statistics.entry(&key.statistics).or_default();
        places.push(Place {
            title: networks.title(key.run),
            grid: &sheets[key].grids[0],
            key,
        });
    }
    let mut rows = Vec::new();
    for (statistics, places) in by_statistics {
        let mut places = places.into_iter().peekable();
        while places.peek().is_some() {
            let row = places.by_ref().take(ACROSS).collect();
            rows.push((statistics.to_owned(), row));
        }
    }
    rows
}

/// `training set` or `test set`.
fn set_name(set: &str) -> &str {
    match set {
        "train" => "training set",
        "test" => "test set",
        other => other,
    }
}

/// How a plane was cut, in words.
fn cut_note(cut: &Cut, what: &str) -> String {
    let samples = crate::axes::number(cut.samples as f64, 0);
    let normalised = match cut.normalisation.as_deref() {
        Some("none") | None => "without normalisation".to_owned(),
        Some(kind) => format!("normalised by {kind}"),
    };
    let moved = if cut.one_dimensional {
        "biases and batch norms move as well"
    } else {
        "biases and batch norms stay"
    };
    format!(
        "{what} over {samples} samples of the {} in evaluation mode, around the network (0, 0) \
         along two random directions {normalised}; {moved}.",
        set_name(&cut.set)
    )
}

/// Cuts a title to about the width of its panel.
fn fitted(title: &str, width: f64) -> String {
    let fits = |words: &str| text::width(words, theme::TITLE_SIZE, Weight::SemiBold) <= width;
    if fits(title) {
        return title.to_owned();
    }
    let mut words: String = title.to_owned();
    while !words.is_empty() && !fits(&format!("{words}…")) {
        words.pop();
    }
    format!("{}…", words.trim_end_matches([' ', ',']))
}

/// The axis of a direction over all these grids.
fn direction(label: &str, places: impl Iterator<Item = f64> + Clone) -> Axis {
    let low = places.clone().fold(f64::MAX, f64::min);
    let mut axis = Axis::linear(label, low, places.fold(f64::MIN, f64::max));
    // Short labels: those at the ends of neighbouring panels come close.
    for (_, name) in &mut axis.ticks {
        if name.contains('.') {
            *name = name.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
    }
    axis
}

/// A figure of panels, legend and notes to be added.
fn with_panels(title: &str, rows: Vec<Vec<Panel>>, size: (f64, f64)) -> Figure {
    Figure {
        title: title.into(),
        rows,
        panel_size: size,
        legend: Vec::new(),
        notes: Vec::new(),
    }
}
