//! From the table `runs` to networks that can be compared: sweeps of architecture settings.
//!
//! A network is one combination of the architecture settings (`model.`) that vary, with its runs
//! over seeds. Whatever else varies keeps runs apart, as in [`crate::study`].

mod comparisons;
mod names;

pub use comparisons::{Comparison, comparisons, differing};

use reslab_results::table::Row;
use reslab_results::{Cell, Table};

use crate::study;

/// What came of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Column `seed`.
    pub seed: i64,
    /// Whether its loss stopped being finite.
    pub diverged: bool,
    /// Clean training error after the last epoch done, a fraction.
    pub train_error: Option<f64>,
    /// Test error after the last epoch done, a fraction.
    pub test_error: Option<f64>,
}

/// One network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Values of the varying architecture settings, in the order of [`Networks::columns`].
    pub settings: Vec<Cell>,
    /// Column `model_family`.
    pub family: Option<String>,
    /// Column `model_depth`.
    pub depth: Option<i64>,
    /// Column `model_residual`; residual where it is unset.
    pub residual: bool,
    /// Trainable parameters.
    pub parameters: Option<i64>,
    /// Its runs in order of seed, without failed ones.
    pub runs: Vec<Outcome>,
}

/// Networks that differ in architecture and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Networks {
    /// The architecture settings that vary, as columns of `runs`.
    pub columns: Vec<String>,
    /// The other varying settings, `train.lr = 0.1`; empty if none varies.
    pub label: String,
    /// The same for file names.
    pub slug: String,
    /// Settings of training that differ with the network, one sentence each.
    pub caveats: Vec<String>,
    /// Failed runs, which have no metrics and are left out.
    pub failed: usize,
    /// In order of their settings; unset, which is the default, comes first.
    pub networks: Vec<Network>,
}

/// Whether architecture settings vary that no figure over depth and kind shows.
pub fn apply(runs: &Table) -> bool {
    let shown_elsewhere = |name: &String| name == "model_depth" || name == "model_residual";
    architecture(runs).iter().any(|name| !shown_elsewhere(name))
}

/// Whether some combination of the other settings has one depth and kind only: then figures over
/// depth have nothing to compare, and this one stands alone.
pub fn stand_alone(runs: &Table) -> bool {
    let lonely = |group: &study::Group| {
        let networks = [false, true].map(|residual| group.depths_of(residual).len());
        networks.iter().sum::<usize>() == 1
    };
    apply(runs) && study::groups(runs).is_ok_and(|groups| groups.iter().any(lonely))
}

/// The networks, one set for each combination of the settings that vary besides architecture.
pub fn sets(runs: &Table) -> Result<Vec<Networks>, String> {
    let columns = architecture(runs);
    let own: Vec<&str> = columns.iter().map(String::as_str).collect();
    let other = study::varying(runs);
    let other = other.iter().map(String::as_str);
    let (tied, apart): (Vec<&str>, Vec<&str>) = other
        .filter(|name| !own.contains(name))
        .partition(|name| study::may_follow(name) && follows(runs, &own, name));
    let caveats: Vec<String> = tied
        .iter()
        .map(|name| format!("{} differs with the network.", study::path(runs, name)))
        .collect();
    let parts = runs.groups(&apart).map_err(|error| error.to_string())?;
    let sets = parts.iter().map(|part| {
        let table = runs.select(&part.rows);
        let label = study::label(runs, &apart, &part.key);
        let failed = |row: &Row<'_>| row.text("status") == Some("failed");
        Ok(Networks {
            columns: columns.clone(),
            slug: study::slug(&label),
            label,
            caveats: caveats.clone(),
            failed: table.iter().filter(failed).count(),
            networks: networks(&table, &own)?,
        })
    });
    sets.collect()
}

/// The architecture settings that vary.
fn architecture(runs: &Table) -> Vec<String> {
    let columns = runs.schema.columns.iter().map(|column| column.name.clone());
    columns
        .filter(|name| name.starts_with("model_"))
        .filter(|name| runs.distinct(name).is_ok_and(|values| values.len() > 1))
        .collect()
}

/// Whether each network comes with one value of the column only.
fn follows(runs: &Table, networks: &[&str], column: &str) -> bool {
    let both: Vec<&str> = networks.iter().copied().chain([column]).collect();
    matches!((runs.groups(networks), runs.groups(&both)), (Ok(a), Ok(b)) if a.len() == b.len())
}

fn networks(table: &Table, columns: &[&str]) -> Result<Vec<Network>, String> {
    let parts = table.groups(columns).map_err(|error| error.to_string())?;
    let mut networks: Vec<Network> = parts
        .into_iter()
        .map(|part| {
            let rows = table.select(&part.rows);
            let first = |column: &str| rows.get(0, column);
            Network {
                family: first("model_family")
                    .and_then(Cell::as_text)
                    .map(Into::into),
                depth: first("model_depth").and_then(Cell::as_integer),
                residual: first("model_residual").and_then(Cell::as_boolean) != Some(false),
                parameters: first("parameters").and_then(Cell::as_integer),
                runs: outcomes(&rows),
                settings: part.key,
            }
        })
        .filter(|network| !network.runs.is_empty())
        .collect();
    networks.sort_by(|a, b| a.settings.cmp(&b.settings));
    Ok(networks)
}

fn outcomes(rows: &Table) -> Vec<Outcome> {
    let finished = rows
        .iter()
        .filter(|row| row.text("status") != Some("failed"));
    let mut outcomes: Vec<Outcome> = finished
        .map(|row| {
            let finite = |column| row.real(column).filter(|value: &f64| value.is_finite());
            Outcome {
                seed: row.integer("seed").unwrap_or(0),
                diverged: row.text("status") == Some("diverged"),
                train_error: finite("final_train_error"),
                test_error: finite("final_test_error"),
            }
        })
        .collect();
    outcomes.sort_by_key(|outcome| outcome.seed);
    // Runs that differ in their instruments only are one training.
    outcomes.dedup_by_key(|outcome| outcome.seed);
    outcomes
}

#[cfg(test)]
mod tests;
