//! Tolerance to the learning rate: final training error against the rate, plain and residual, and the
//! width of the band of rates that can be used.
//!
//! Any sweep whose runs differ in `train.lr` (four values or more), depth, kind and seed; other
//! settings that vary keep runs apart.
//!
//! - [`band`]: what a usable band is;
//! - [`curves`]: error against learning rate;
//! - [`widths`]: the bands in octaves.

pub mod band;
mod curves;
#[cfg(test)]
mod tests;
mod widths;

use std::collections::BTreeMap;

use reslab_results::Table;
use reslab_results::table::Row;

use crate::plots::{Entry, Figure, Named, Sample, Section};
use crate::scene::Shape;
use crate::study;
use crate::tables::Tables;
use crate::theme;
use band::{Band, usable};

const RATE: &str = "train_lr";
/// Fewer rates are no sweep.
const LEAST_RATES: usize = 4;

/// One kind of network at one depth; plain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// Column `model_depth`.
    pub depth: i64,
    /// Column `model_residual`.
    pub residual: bool,
}

/// Clean training errors after training by learning rate, ascending; none where a run diverged.
pub type Errors = Vec<(f64, Option<f64>)>;

/// Runs that differ in learning rate, depth, kind and seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The other settings that vary, `model.width = 8`; empty if none does.
    pub label: String,
    /// By network, then seed.
    pub networks: BTreeMap<Network, BTreeMap<i64, Errors>>,
}

/// Whether the runs are such a sweep.
pub fn applies(tables: &Tables) -> bool {
    let runs = &tables.runs;
    let several = runs.distinct(RATE).is_ok_and(|v| v.len() >= LEAST_RATES);
    let swept = |sweep: &Sweep| {
        let mut networks = sweep.networks.values().flat_map(BTreeMap::values);
        networks.all(|errors| errors.len() >= LEAST_RATES)
    };
    several && sweeps(runs).is_ok_and(|sweeps| !sweeps.is_empty() && sweeps.iter().all(swept))
}

/// The sweeps in order of their first run.
pub fn sweeps(runs: &Table) -> Result<Vec<Sweep>, String> {
    let own = ["model_depth", "model_residual", RATE];
    let other = study::varying(runs);
    let apart: Vec<&str> = other.iter().map(String::as_str).collect();
    let apart: Vec<&str> = apart
        .into_iter()
        .filter(|name| !own.contains(name))
        .collect();
    let parts = runs.groups(&apart).map_err(|error| error.to_string())?;
    let sweeps = parts.iter().map(|part| Sweep {
        label: study::label(runs, &apart, &part.key),
        networks: networks(&runs.select(&part.rows)),
    });
    Ok(sweeps.filter(|sweep| !sweep.networks.is_empty()).collect())
}

fn networks(runs: &Table) -> BTreeMap<Network, BTreeMap<i64, Errors>> {
    let mut networks: BTreeMap<Network, BTreeMap<i64, Errors>> = BTreeMap::new();
    let read = |row: &Row<'_>| {
        let network = Network {
            depth: row.integer("model_depth")?,
            residual: row.boolean("model_residual")?,
        };
        let error = row.real("final_train_error").filter(|e| e.is_finite());
        let found = match row.text("status")? {
            "finished" => Some(error?),
            "diverged" => None,
            _ => return None,
        };
        let seed = row.integer("seed").unwrap_or(0);
        Some((network, seed, (row.real(RATE)?, found)))
    };
    for (network, seed, point) in runs.iter().filter_map(|row| read(&row)) {
        let errors = networks
            .entry(network)
            .or_default()
            .entry(seed)
            .or_default();
        // Runs that differ in their instruments only are one training.
        if errors.iter().all(|(rate, _)| *rate != point.0) {
            errors.push(point);
        }
    }
    for errors in networks.values_mut().flat_map(BTreeMap::values_mut) {
        errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    networks
}

impl Sweep {
    /// The depths, ascending.
    pub fn depths(&self) -> Vec<i64> {
        let mut depths: Vec<i64> = self.networks.keys().map(|n| n.depth).collect();
        depths.dedup();
        depths
    }

    /// The usable band of each seed, around that seed's best rate.
    pub fn bands(&self, network: Network) -> BTreeMap<i64, Band> {
        self.bands_within(network, |_, own| own)
    }

    /// The same by the standard of the best network of this depth and seed, plain or residual.
    pub fn bands_by_best(&self, network: Network) -> BTreeMap<i64, Band> {
        let best = |seed: i64, own: f64| {
            let twin = Network {
                residual: !network.residual,
                ..network
            };
            let other = self.networks.get(&twin).and_then(|seeds| seeds.get(&seed));
            other
                .and_then(|e| band::best(e))
                .map_or(own, |b| b.1.min(own))
        };
        self.bands_within(network, best)
    }

    fn bands_within(
        &self,
        network: Network,
        standard: impl Fn(i64, f64) -> f64,
    ) -> BTreeMap<i64, Band> {
        let seeds = self.networks.get(&network);
        let bands = seeds.into_iter().flatten().filter_map(|(seed, errors)| {
            let (_, own) = band::best(errors)?;
            let limit = standard(*seed, own) + band::TOLERANCE;
            Some((*seed, usable(errors, limit)?))
        });
        bands.collect()
    }

    fn slug(&self) -> String {
        study::slug(&self.label)
    }

    /// `3 seeds`.
    fn seeds(&self) -> String {
        let most = self.networks.values().map(BTreeMap::len).max();
        match most.unwrap_or(0) {
            0 | 1 => "one seed".into(),
            n => format!("{n} seeds"),
        }
    }

    fn diverged(&self) -> usize {
        let errors = self.networks.values().flat_map(BTreeMap::values).flatten();
        errors.filter(|(_, error)| error.is_none()).count()
    }
}

/// Error against learning rate and the bands' widths, for each sweep.
pub fn figures(tables: &Tables) -> Vec<Named> {
    type Draw = fn(&Sweep) -> Result<Figure, String>;
    let draws: [(&str, Draw); 2] = [
        ("error-by-learning-rate", curves::figure),
        ("usable-band", widths::figure),
    ];
    let sweeps = match sweeps(&tables.runs) {
        Ok(sweeps) => sweeps,
        Err(reason) => return vec![(draws[0].0.into(), Err(reason))],
    };
    let named = |sweep: &Sweep, name: &str| match sweep.slug().as_str() {
        "" => name.to_owned(),
        slug => format!("{name}--{}", slug.chars().take(120).collect::<String>()),
    };
    let all = sweeps
        .iter()
        .flat_map(|sweep| draws.map(|(name, draw)| (named(sweep, name), draw(sweep))));
    all.collect()
}

fn shape(residual: bool) -> Shape {
    if residual { Shape::Disc } else { Shape::Square }
}

fn kind(residual: bool) -> &'static str {
    if residual { "residual" } else { "plain" }
}

/// Legend entries for the kinds of network that there are.
fn network_section(sweep: &Sweep) -> Section {
    let there = |residual: &bool| sweep.networks.keys().any(|n| n.residual == *residual);
    let kinds = [false, true].into_iter().filter(there);
    Section {
        heading: "Network".into(),
        entries: kinds
            .map(|residual| Entry {
                sample: Sample::Mark {
                    shape: shape(residual),
                    color: theme::kind_color(residual),
                    radius: 4.0,
                    opacity: 1.0,
                    line: true,
                },
                label: kind(residual).into(),
            })
            .collect(),
    }
}

/// What a band is, in words.
fn definition(of: &str) -> String {
    format!(
        "Usable band: the rates around the best one whose final clean training error is at most {} points above {of}, interpolated in log rate; beside a diverged run it ends half-way.",
        100.0 * band::TOLERANCE
    )
}
