//! Free probability beside measured spectra of products of blocks (the tables `jacobian_theory` and
//! `jacobian_density`): densities, edges against c, spread against depth.

mod density;
mod edges;
mod spread;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use reslab_results::table::Row;

use crate::papers::gradients::nothing_else_varies;
use crate::plots::Named;
use crate::tables::Tables;
use crate::theme::Rgb;

/// Settings that the figures compare.
const COMPARED: [&str; 11] = [
    "model_depth",
    "model_width",
    "model_residual",
    "model_activation",
    "model_branch_layers",
    "model_placement",
    "init_scheme",
    "init_gain",
    "init_branch_scale",
    "probes_jacobian_products_lengths",
    "seed",
];

/// Okabe and Ito's palette, but for yellow.
const COLORS: [Rgb; 7] = [
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0xe6, 0x9f, 0x00),
    (0x56, 0xb4, 0xe9),
    (0x22, 0x22, 0x22),
];

/// The figures.
pub fn figures(tables: &Tables) -> Vec<Named> {
    match Study::read(tables) {
        Ok(study) => {
            let mut figures = density::figures(&study, tables);
            figures.push(("jacobian-theory-edges".into(), edges::figure(&study)));
            figures.push(("jacobian-theory-spread".into(), spread::figure(&study)));
            figures
        }
        Err(reason) => vec![("jacobian-theory".into(), Err(reason))],
    }
}

/// What a run is for these figures; runs that differ in their seed only are one case.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
struct Case {
    residual: bool,
    /// Such as `x + V relu(Wx)`, with the way weights are drawn where it is not the usual one.
    formula: String,
    /// `one`, `inverse-sqrt-depth`, `inverse-depth`.
    scale: String,
    width: i64,
    gain: f64,
    /// Blocks of the product.
    blocks: i64,
}

/// A product beside a law.
#[derive(Clone, Debug)]
struct Fit {
    run: String,
    sample: i64,
    law: String,
    case: Case,
    /// NaN in plain networks.
    c: f64,
    distance: f64,
    low: (f64, f64),
    high: (f64, f64),
    /// 5 % and 95 % quantile of ln σ, each predicted and measured.
    q05: (f64, f64),
    q95: (f64, f64),
}

/// Branches with a larger share of c than this do not obey the law of many blocks.
const LARGEST: f64 = 0.05;

impl Fit {
    fn has_small_branches(&self) -> bool {
        self.c <= LARGEST * self.case.blocks as f64
    }
}

/// All of them at the first epoch, the whole network's only.
struct Study {
    fits: Vec<Fit>,
    seeds: usize,
}

impl Study {
    fn read(tables: &Tables) -> Result<Self, String> {
        nothing_else_varies(&tables.runs, &COMPARED)?;
        let table = tables.instruments.get("jacobian_theory");
        let table = table.ok_or("there is no table 'jacobian_theory'")?;
        let first = table.iter().filter_map(|row| row.integer("epoch")).min();
        let mut runs: BTreeMap<&str, (Row<'_>, i64)> = BTreeMap::new();
        for row in tables.runs.iter() {
            if let Some(id) = row.text("run_id") {
                runs.insert(id, (row, 0));
            }
        }
        for row in table.iter() {
            let run = row.text("run_id").and_then(|id| runs.get_mut(id));
            if let (Some((_, most)), Some(blocks)) = (run, row.integer("blocks")) {
                *most = blocks.max(*most);
            }
        }
        let mut fits = Vec::new();
        for row in table.iter().filter(|row| row.integer("epoch") == first) {
            let run = row.text("run_id").and_then(|id| runs.get(id));
            let whole = |most: i64| row.integer("blocks") == Some(most);
            if let Some((settings, most)) = run
                && whole(*most)
                && row.text("grow") == Some("input")
            {
                fits.extend(fit(&row, settings));
            }
        }
        if fits.is_empty() {
            return Err("no product of blocks had a law".into());
        }
        let seeds = tables.runs.distinct("seed").map_or(1, |seeds| seeds.len());
        Ok(Self { fits, seeds })
    }

    /// Fits of a law, by case, in the order of cases.
    fn cases(&self, law: impl Fn(&Fit) -> bool) -> Vec<(&Case, Vec<&Fit>)> {
        let mut cases: Vec<(&Case, Vec<&Fit>)> = Vec::new();
        for fit in self.fits.iter().filter(|fit| law(fit)) {
            match cases.iter_mut().find(|(case, _)| **case == fit.case) {
                Some((_, fits)) => fits.push(fit),
                None => cases.push((&fit.case, vec![fit])),
            }
        }
        cases.sort_by(|a, b| a.0.partial_cmp(b.0).unwrap_or(std::cmp::Ordering::Equal));
        cases
    }

    /// Whether a fit is that of the law which its case is drawn beside: of residual networks the
    /// paper's, or where branches are large that of blocks, if there is one.
    fn is_best(&self, fit: &Fit) -> bool {
        let exact = |other: &Fit| other.law == "blocks" && other.case == fit.case;
        let large = !fit.has_small_branches() && self.fits.iter().any(exact);
        match fit.law.as_str() {
            "many-blocks" => !large,
            "blocks" => large,
            _ => true,
        }
    }

    fn seeds_note(&self) -> String {
        match self.seeds {
            0 | 1 => "One seed.".into(),
            n => format!("{n} seeds together."),
        }
    }
}

/// `None` where the row has no law.
fn fit(row: &Row<'_>, settings: &Row<'_>) -> Option<Fit> {
    let pair = |name: &str| {
        let of = |which: &str| row.real(&format!("{name}_{which}"));
        Some((of("predicted")?, of("measured")?))
    };
    Some(Fit {
        run: row.text("run_id")?.into(),
        sample: row.integer("sample")?,
        law: row.text("law")?.into(),
        case: case(row, settings)?,
        c: row.real("c").unwrap_or(f64::NAN),
        distance: row.real("distance")?,
        low: pair("edge_low")?,
        high: pair("edge_high")?,
        q05: pair("q05")?,
        q95: pair("q95")?,
    })
}

fn case(row: &Row<'_>, settings: &Row<'_>) -> Option<Case> {
    let residual = settings.boolean("model_residual").unwrap_or(true);
    let text = |name: &str, default| settings.text(name).unwrap_or(default).to_owned();
    let activation = text("model_activation", "relu");
    let pre = text("model_placement", "original") == "pre-activation";
    let two = settings.integer("model_branch_layers") == Some(2);
    let branch = match (activation.as_str(), two, pre) {
        ("identity", false, _) => "Wx".to_owned(),
        ("identity", true, _) => "VWx".to_owned(),
        (f, false, false) => format!("{f}(Wx)"),
        (f, true, false) => format!("V {f}(Wx)"),
        (f, false, true) => format!("W {f}(x)"),
        (f, true, true) => format!("V {f}(W {f}(x))"),
    };
    let scheme = match settings.text("init_scheme") {
        Some("orthogonal") => ", orthogonal",
        _ if residual => "",
        _ => ", Gaussian",
    };
    let shortcut = if residual { "x + " } else { "" };
    Some(Case {
        residual,
        formula: format!("{shortcut}{branch}{scheme}"),
        scale: text("init_branch_scale", "one"),
        width: settings.integer("model_width").unwrap_or(0),
        gain: settings.real("init_gain").unwrap_or(1.0),
        blocks: row.integer("blocks")?,
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        (sum, count) = (sum + value, count + 1.0);
    }
    sum / count
}
