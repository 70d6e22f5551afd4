//! From the table `runs` to comparable groups of runs.
//!
//! A study compares networks by depth and by kind (plain or residual) over seeds. Whatever else
//! varies keeps runs apart: one group for each combination of the other varying settings, named by
//! them. The exception are training and initialisation settings that follow from depth and kind
//! (a smaller rate for the deepest network, say): such a network exists at one setting only, so
//! the runs stay together and the group says what differs.

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::schema::{is_instrument_setting, runs_fixed};
use reslab_results::table::Row;
use reslab_results::{Cell, Table};

/// One run of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its `run_id`.
    pub id: String,
    /// Column `model_depth`.
    pub depth: i64,
    /// Column `model_residual`.
    pub residual: bool,
    /// Column `seed`.
    pub seed: i64,
    /// Whether its loss stopped being finite.
    pub diverged: bool,
    /// Clean training error after the last epoch done, a fraction.
    pub train_error: Option<f64>,
    /// Test error after the last epoch done, a fraction.
    pub test_error: Option<f64>,
}

/// Runs that differ in depth, kind and seed only.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The other varying settings, `train.lr = 0.1, model.width = 8`; empty if none varies.
    pub label: String,
    /// The same for file names: `train-lr-0.1-model-width-8`.
    pub slug: String,
    /// What `model_depth` counts: `layers`, or `blocks` where all networks are fully connected.
    pub unit: &'static str,
    /// Settings that differ with depth or kind, one sentence each.
    pub caveats: Vec<String>,
    /// Failed runs, which have no metrics and are left out.
    pub failed: usize,
    /// The runs in order of kind (plain first), depth and seed.
    pub runs: Vec<Run>,
}

impl Group {
    /// The depths that occur, ascending.
    pub fn depths(&self) -> Vec<i64> {
        let depths: BTreeSet<i64> = self.runs.iter().map(|run| run.depth).collect();
        depths.into_iter().collect()
    }

    /// The depths of one kind, ascending.
    pub fn depths_of(&self, residual: bool) -> Vec<i64> {
        let of_kind = self.runs.iter().filter(|run| run.residual == residual);
        let depths: BTreeSet<i64> = of_kind.map(|run| run.depth).collect();
        depths.into_iter().collect()
    }

    /// The runs of one network, in order of seed.
    pub fn runs_of(&self, depth: i64, residual: bool) -> impl Iterator<Item = &Run> {
        self.runs
            .iter()
            .filter(move |run| run.depth == depth && run.residual == residual)
    }

    /// How many seeds there are: the least and the most over the networks.
    pub fn seeds(&self) -> (usize, usize) {
        let mut counts: BTreeMap<(bool, i64), usize> = BTreeMap::new();
        for run in &self.runs {
            *counts.entry((run.residual, run.depth)).or_default() += 1;
        }
        let least = counts.values().copied().min().unwrap_or(0);
        (least, counts.values().copied().max().unwrap_or(0))
    }

    /// How many runs diverged.
    pub fn diverged(&self) -> usize {
        self.runs.iter().filter(|run| run.diverged).count()
    }
}

/// Columns a study needs in `runs`.
const NEEDED: [&str; 4] = ["run_id", "status", "model_depth", "model_residual"];

/// Refuses runs none of which has weights that anybody trained: their errors are chance.
pub fn trained(runs: &Table) -> Result<(), String> {
    let learned = |row: Row<'_>| {
        row.integer("train_epochs") != Some(0) || row.text("init_weights_sha256").is_some()
    };
    if runs.is_empty() || runs.iter().any(learned) {
        return Ok(());
    }
    Err("nothing was trained".into())
}

/// Splits the runs into groups, in order of their first run; or says why it cannot.
pub fn groups(runs: &Table) -> Result<Vec<Group>, String> {
    if let Some(missing) = NEEDED.iter().find(|name| !runs.has(name)) {
        return Err(format!("the table 'runs' has no column '{missing}'"));
    }
    let other = other_settings(runs);
    let (tied, apart): (Vec<&str>, Vec<&str>) = other
        .iter()
        .map(String::as_str)
        .partition(|name| may_follow(name) && follows_from_network(runs, name));
    let parts = runs.groups(&apart).map_err(|error| error.to_string())?;
    let groups: Vec<Group> = parts
        .iter()
        .filter_map(|part| {
            let table = runs.select(&part.rows);
            let rows: Vec<Run> = table_runs(&table);
            let failed = table
                .iter()
                .filter(|row| row.text("status") == Some("failed"))
                .count();
            (!rows.is_empty()).then(|| Group {
                label: label(runs, &apart, &part.key),
                slug: slug(&label(runs, &apart, &part.key)),
                unit: unit(&table),
                caveats: tied
                    .iter()
                    .filter_map(|name| caveat(&table, name))
                    .collect(),
                failed,
                runs: rows,
            })
        })
        .collect();
    if groups.is_empty() {
        return Err("no run has finished with a depth and a kind".into());
    }
    Ok(groups)
}

fn table_runs(table: &Table) -> Vec<Run> {
    let mut runs: Vec<Run> = table
        .iter()
        .filter(|row| row.text("status") != Some("failed"))
        .filter_map(|row| {
            let finite = |column| row.real(column).filter(|value| value.is_finite());
            Some(Run {
                id: row.text("run_id")?.to_string(),
                depth: row.integer("model_depth")?,
                residual: row.boolean("model_residual")?,
                seed: row.integer("seed").unwrap_or(0),
                diverged: row.text("status") == Some("diverged"),
                train_error: finite("final_train_error"),
                test_error: finite("final_test_error"),
            })
        })
        .collect();
    runs.sort_by_key(|run| (run.residual, run.depth, run.seed));
    // Runs that differ in their instruments only are one training.
    runs.dedup_by_key(|run| (run.residual, run.depth, run.seed));
    runs
}

fn unit(table: &Table) -> &'static str {
    let connected =
        |row: reslab_results::table::Row<'_>| row.text("model_family") == Some("fully-connected");
    if table.iter().all(connected) {
        "blocks"
    } else {
        "layers"
    }
}

/// The settings besides depth, kind and seed that take more than one value.
fn other_settings(runs: &Table) -> Vec<String> {
    let own = ["model_depth", "model_residual"];
    let mut others = varying(runs);
    others.retain(|name| !own.contains(&name.as_str()));
    others
}

/// The settings besides the seed that take more than one value.
pub(crate) fn varying(runs: &Table) -> Vec<String> {
    let fixed = runs_fixed();
    let own = ["seed", "data_root"];
    runs.schema
        .columns
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| fixed.index(name).is_none() && !own.contains(&name.as_str()))
        // What is measured on a network changes nothing in its training.
        .filter(|name| !is_instrument_setting(name))
        .filter(|name| runs.distinct(name).is_ok_and(|values| values.len() > 1))
        .filter(|name| !tells_residual_only(runs, name))
        .collect()
}

/// Whether a column has one value for all residual networks and none for plain ones, as a setting of
/// shortcuts has: it says no more than the kind does.
fn tells_residual_only(runs: &Table, column: &str) -> bool {
    let values = runs.distinct(column).unwrap_or_default();
    let one_value = values.len() == 2 && values.iter().any(Cell::is_null);
    one_value
        && runs.iter().all(|row| {
            let unset = row.get(column).is_none_or(Cell::is_null);
            row.boolean("model_residual") == Some(!unset)
        })
}

/// Only how a network is trained may follow from the network; data and architecture never do.
pub(crate) fn may_follow(column: &str) -> bool {
    column.starts_with("train_") || column.starts_with("init_")
}

/// Whether each depth and kind comes with one value of the column only.
pub(crate) fn follows_from_network(runs: &Table, column: &str) -> bool {
    let networks = runs.groups(&["model_depth", "model_residual"]);
    let both = runs.groups(&["model_depth", "model_residual", column]);
    matches!((networks, both), (Ok(a), Ok(b)) if a.len() == b.len())
}

/// The dotted path of a setting, from the meaning that `results` gives its column.
pub(crate) fn path(runs: &Table, column: &str) -> String {
    let meaning = runs.schema.column(column).map_or("", |c| &c.meaning);
    match meaning.split('`').nth(1) {
        Some(path) if path.replace(['.', '-'], "_") == column => path.to_string(),
        _ => column.replacen('_', ".", 1),
    }
}

fn shown(value: &Cell) -> String {
    if value.is_null() {
        "unset".into()
    } else {
        value.to_string()
    }
}

pub(crate) fn label(runs: &Table, columns: &[&str], key: &[Cell]) -> String {
    let parts: Vec<String> = columns
        .iter()
        .zip(key)
        .map(|(column, value)| format!("{} = {}", path(runs, column), shown(value)))
        .collect();
    parts.join(", ")
}

pub(crate) fn slug(label: &str) -> String {
    let mut slug = String::new();
    for character in label.chars() {
        if character.is_alphanumeric() || character == '.' && slug.ends_with(char::is_numeric) {
            slug.extend(character.to_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_string()
}

/// What differs: `train.lr is 0.01 for plain 110, else 0.1`, the commonest value last.
fn caveat(table: &Table, column: &str) -> Option<String> {
    let mut networks: Vec<(Cell, Vec<String>)> = Vec::new();
    for part in table
        .groups(&[column, "model_residual", "model_depth"])
        .ok()?
    {
        let [value, residual, depth] = part.key.as_slice() else {
            continue;
        };
        let kind = match residual.as_boolean() {
            Some(true) => "residual",
            _ => "plain",
        };
        let name = format!("{kind} {depth}");
        match networks.iter_mut().find(|(known, _)| known == value) {
            Some((_, names)) => names.push(name),
            None => networks.push((value.clone(), vec![name])),
        }
    }
    if networks.len() < 2 {
        return None;
    }
    networks.sort_by_key(|(_, names)| names.len());
    let (usual, _) = networks.pop()?;
    let special: Vec<String> = networks
        .iter()
        .map(|(value, names)| format!("{} for {}", shown(value), names.join(", ")))
        .collect();
    Some(format!(
        "{} is {}, else {}.",
        path(table, column),
        special.join(" and "),
        shown(&usual)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};

    #[test]
    fn runs_of_other_settings_stay_apart() {
        let mut made = Synthetic::default();
        for width in [8i64, 16] {
            for (depth, residual) in [(20, false), (56, false), (20, true)] {
                let set = settings(depth, residual, 0)
                    .with("model_width", width)
                    .with("train_lr", 0.1);
                made.run(set, "finished", 0.1, 0.2);
            }
        }
        let groups = groups(&made.tables().runs).unwrap();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].label, "model.width = 8");
        assert_eq!(groups[1].slug, "model-width-16");
        assert_eq!(groups[0].depths(), [20, 56]);
        assert_eq!(groups[0].depths_of(true), [20]);
        assert!(groups[0].caveats.is_empty());
    }

    #[test]
    fn runs_that_differ_in_their_instruments_are_one_training() {
        let mut made = Synthetic::default();
        for samples in [100_i64, 200] {
            for depth in [20, 56] {
                let set = settings(depth, false, 0).with("probes_lesion_samples", samples);
                made.run(set, "finished", 0.1, 0.2);
            }
        }
        let groups = groups(&made.tables().runs).unwrap();
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].runs.len(), 2);
        assert_eq!(groups[0].seeds(), (1, 1));
    }

    #[test]
    fn training_settings_that_follow_from_the_network_are_told_not_split() {
        let mut made = Synthetic::default();
        for (depth, rate) in [(20, 0.1), (56, 0.1), (110, 0.01)] {
            made.run(
                settings(depth, false, 0).with("train_lr", rate),
                "finished",
                0.1,
                0.2,
            );
        }
        let groups = groups(&made.tables().runs).unwrap();
        assert_eq!(groups.len(), 1);
        assert_eq!(
            groups[0].caveats,
            ["train.lr is 0.01 for plain 110, else 0.1."]
        );
    }

    #[test]
    fn a_setting_of_shortcuts_does_not_part_plain_from_residual_networks() {
        for (other, expected) in [("B", 1), ("C", 3)] {
            let mut made = Synthetic::default();
            for depth in [20, 56] {
                made.run(settings(depth, false, 0), "finished", 0.1, 0.2);
                let shortcut = if depth == 20 { "B" } else { other };
                let set = settings(depth, true, 0).with("model_shortcut", shortcut);
                made.run(set, "finished", 0.1, 0.2);
            }
            assert_eq!(groups(&made.tables().runs).unwrap().len(), expected);
        }
    }

    #[test]
    fn data_never_follows_from_the_network() {
        let mut made = Synthetic::default();
        for (depth, data) in [(20, "digits"), (56, "mnist")] {
            made.run(
                settings(depth, false, 0).with("data_name", data),
                "finished",
                0.1,
                0.2,
            );
        }
        assert_eq!(groups(&made.tables().runs).unwrap().len(), 2);
    }

    #[test]
    fn failed_runs_are_counted_and_left_out() {
        let mut made = Synthetic::default();
        made.run(settings(20, false, 0), "finished", 0.1, 0.2);
        made.run(settings(20, false, 1), "failed", f64::NAN, f64::NAN);
        made.run(settings(20, false, 2), "diverged", f64::NAN, 0.9);
        let groups = groups(&made.tables().runs).unwrap();
        assert_eq!((groups[0].failed, groups[0].diverged()), (1, 1));
        assert_eq!(groups[0].runs.len(), 2);
        assert_eq!(groups[0].runs[1].train_error, None);
    }
}
