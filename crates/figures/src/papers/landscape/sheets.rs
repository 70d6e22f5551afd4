//! From the tables' rows to sheets: grids of numbers, each of one network, cut and kind of
//! statistics.

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::table::Row;
use reslab_results::{Cell, Table};

use crate::axes::number;
use crate::contours::Grid;
use crate::study;

/// How a surface was cut: what the panels of a figure share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cut {
    /// `line`, `plane`, `trajectory` or `interpolation`.
    pub surface: String,
    /// `train` or `test`.
    pub set: String,
    /// `filter`, `layer` or `none`.
    pub normalisation: Option<String>,
    /// Whether biases and batch norms move.
    pub one_dimensional: bool,
    /// Number of the draw.
    pub draw: i64,
    /// The epoch, unless it is the last one that was measured of its run.
    pub epoch: Option<i64>,
    /// How many samples.
    pub samples: i64,
}

/// Which surface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// How it was cut.
    pub cut: Cut,
    /// Batch norms' statistics.
    pub statistics: String,
    /// Place in [`Networks::all`].
    pub run: usize,
    /// Hash of the directions.
    pub directions: String,
    /// Epochs of training done.
    pub epoch: i64,
}

/// A surface: one grid for each column asked for, over the same places. A line has one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sheet {
    /// The grids, in order of the columns.
    pub grids: Vec<Grid>,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Network {
    /// Its `run_id`.
    pub id: String,
    /// `ResNet-56`, with what varies besides depth and kind.
    pub name: String,
    /// Residual or plain.
    pub residual: bool,
    /// Layers or blocks.
    pub depth: i64,
    /// Depth and other settings, without kind and seed: what plain and residual ones share.
    pub size: String,
    /// Its seed.
    pub seed: i64,
    test_error: Option<f64>,
    order: (i64, bool, String, i64),
}

/// The runs: shallow ones first, plain before residual.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Networks {
    /// In order.
    pub all: Vec<Network>,
    /// What must be told about them.
    pub notes: Vec<String>,
}

impl Networks {
    pub(crate) fn read(runs: &Table) -> Networks {
        let own = ["model_depth", "model_residual"];
        let mut varying = study::varying(runs);
        varying.retain(|name| {
            let follows = study::may_follow(name) && study::follows_from_network(runs, name);
            !own.contains(&name.as_str()) && !follows
        });
        let varying: Vec<&str> = varying.iter().map(String::as_str).collect();
        let seeds = runs.distinct("seed").map_or(1, |seeds| seeds.len());
        let mut all: Vec<Network> = runs
            .iter()
            .filter_map(|row| network(runs, &row, &varying, seeds > 1))
            .collect();
        all.sort_by(|a, b| a.order.cmp(&b.order));
        let diverged = runs
            .iter()
            .filter(|row| row.text("status") == Some("diverged"))
            .count();
        let notes = (diverged > 0).then(|| format!("{diverged} of the runs diverged."));
        Networks {
            all,
            notes: notes.into_iter().collect(),
        }
    }

    /// What the titles of panels leave unsaid.
    pub(crate) fn title_note(&self) -> Option<String> {
        let short = self.all.iter().any(Network::is_long);
        short.then(|| "In brackets: test error.".to_owned())
    }

    /// A panel's title: the network with its final test error, in few words beside a long name.
    pub(crate) fn title(&self, run: usize) -> String {
        let network = &self.all[run];
        match network.test_error {
            Some(error) => {
                let (name, percent) = (&network.name, number(100.0 * error, 1));
                match network.is_long() {
                    true => format!("{name} ({percent} %)"),
                    false => format!("{name}, test error {percent} %"),
                }
            }
            None => network.name.clone(),
        }
    }
}

/// Letters of a name beside which a panel's title still has room for words.
const LONG: usize = 12;

impl Network {
    fn is_long(&self) -> bool {
        self.name.chars().count() > LONG
    }
}

fn network(runs: &Table, row: &Row<'_>, varying: &[&str], seeds: bool) -> Option<Network> {
    let residual = row.boolean("model_residual") != Some(false);
    let depth = row.integer("model_depth");
    let seed = row.integer("seed").unwrap_or(0);
    let kind = match (row.text("model_family"), residual) {
        (Some("fully-connected"), true) => "residual ",
        (Some("fully-connected"), false) => "plain ",
        (Some("wide"), true) => "WRN-",
        (_, true) => "ResNet-",
        (_, false) => "plain-",
    };
    let depth_name = depth.map_or("?".into(), |depth| depth.to_string());
    let key: Vec<Cell> = varying
        .iter()
        .map(|name| row.get(name).cloned().unwrap_or(Cell::Null))
        .collect();
    let others = study::label(runs, varying, &key);
    let mut name = format!("{kind}{depth_name}");
    let unit = if kind.ends_with(' ') {
        "blocks"
    } else {
        "layers"
    };
    let mut size = format!("{depth_name} {unit}");
    for text in [&mut name, &mut size] {
        if !others.is_empty() {
            *text = format!("{text}, {others}");
        }
    }
    if seeds {
        name = format!("{name}, seed {seed}");
    }
    Some(Network {
        id: row.text("run_id")?.to_owned(),
        name,
        residual,
        depth: depth.unwrap_or(0),
        test_error: row
            .real("final_test_error")
            .filter(|error| error.is_finite()),
        order: (depth.unwrap_or(0), residual, others, seed),
        size,
        seed,
    })
}

/// Places with their numbers, `(x, y, number)`.
type Points = Vec<(f64, f64, f64)>;

/// All surfaces in a table, with a grid for each of the columns (NaN where null or absent).
pub(crate) fn sheets(table: &Table, networks: &Networks, columns: &[&str]) -> BTreeMap<Key, Sheet> {
    let places: BTreeMap<&str, usize> = networks
        .all
        .iter()
        .enumerate()
        .map(|(index, run)| (run.id.as_str(), index))
        .collect();
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for row in table.iter() {
        if let (Some(run), Some(epoch)) = (row.text("run_id"), row.integer("epoch")) {
            let latest = last.entry(run).or_insert(epoch);
            *latest = epoch.max(*latest);
        }
    }
    let mut points: BTreeMap<Key, Vec<Points>> = BTreeMap::new();
    for row in table.iter() {
        let Some((key, x)) = key(&row, &places, &last) else {
            continue;
        };
        let y = row.real("y").unwrap_or(0.0);
        let all = points
            .entry(key)
            .or_insert_with(|| vec![Vec::new(); columns.len()]);
        for (points, column) in all.iter_mut().zip(columns) {
            points.push((x, y, row.real(column).unwrap_or(f64::NAN)));
        }
    }
    points
        .into_iter()
        .map(|(key, all)| {
            let grids = all.iter().map(|points| Grid::from_points(points)).collect();
            (key, Sheet { grids })
        })
        .collect()
}

/// Which surface a row belongs to, and its x; none without a run or a place.
fn key(
    row: &Row<'_>,
    places: &BTreeMap<&str, usize>,
    last: &BTreeMap<&str, i64>,
) -> Option<(Key, f64)> {
    let id = row.text("run_id")?;
    let text = |column| row.text(column).unwrap_or("").to_owned();
    let epoch = row.integer("epoch").unwrap_or(0);
    let cut = Cut {
        surface: text("surface"),
        set: text("set"),
        normalisation: row.text("normalisation").map(Into::into),
        one_dimensional: row.boolean("one_dimensional").unwrap_or(false),
        draw: row.integer("draw").unwrap_or(0),
        epoch: (last.get(id) != Some(&epoch)).then_some(epoch),
        samples: row.integer("samples").unwrap_or(0),
    };
    let key = Key {
        cut,
        statistics: text("statistics"),
        run: *places.get(id)?,
        directions: text("directions"),
        epoch,
    };
    Some((key, row.real("x").filter(|x| x.is_finite())?))
}

/// The kinds of statistics that occur.
pub(super) fn statistics<'k>(keys: impl Iterator<Item = &'k Key>) -> BTreeSet<&'k str> {
    keys.map(|key| key.statistics.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};

    #[test]
    fn long_names_leave_the_words_to_a_note() {
        let titled = |seeds: i64| {
            let mut made = Synthetic::default();
            for seed in 0..seeds {
                made.run(settings(14, true, seed), "finished", 0.01, 0.014);
            }
            let networks = Networks::read(&made.tables().runs);
            (networks.title(0), networks.title_note())
        };
        assert_eq!(titled(1), ("ResNet-14, test error 1.4 %".into(), None));
        let (title, note) = titled(2);
        assert_eq!(title, "ResNet-14, seed 0 (1.4 %)");
        assert!(note.is_some_and(|note| note.contains("test error")));
    }
}
