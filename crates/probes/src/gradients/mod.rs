//! Gradient flow: how long `∂L/∂h_l` is through depth, and by which road it comes.
//!
//! With h₀ the stem's output, h_l the output of block l = 1 … L, and L the mean loss of one fixed
//! batch with batch norms in training mode (no dropout, no dropped blocks), everything in `f64`: a
//! gradient of 10⁻⁶⁰ cannot be told from none in `f32`. A residual block's gradient has two terms,
//!
//! ```text
//! ∂L/∂h_{l−1} = S_lᵀ ∂L/∂h_l + (∂F_l/∂h)ᵀ ∂L/∂h_l        (He et al. 2016, eq. 5)
//! ```
//!
//! of which the first comes through the shortcut alone (of a block with a nonlinearity after the
//! addition that belongs to both terms). How long it is beside the whole, and whether the second
//! points against it, says whether the identity protects the gradient.
//!
//! The exponential rate per block is the slope of the least-squares line of log ‖∂L/∂h_l‖ against
//! L − l, so that growth *going backward* is positive: √(π/(π − 1)) = 1.2112 a layer for wide plain
//! ReLU networks with batch norm (Yang et al. 2019), 1 for He-initialised ones without.

mod fit;
mod walk;

pub use fit::{Line, least_squares};

use reslab_nn::network::Network;
use reslab_nn::train::SettingProblem;
use reslab_results::{Cell, Table, TableError, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{ProbeError, Set, Subject, Watch};
pub(crate) use walk::without_noise;
use walk::{Place, Roads};

/// Norms of gradients through depth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GradientSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set whose first samples are the batch.
    pub set: Set,
    /// Samples of the batch; at most the set is used.
    pub samples: usize,
}

impl Default for GradientSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Train,
            samples: 128,
        }
    }
}

impl GradientSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, _network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        if self.samples < 2 {
            found.push(SettingProblem {
                field: "gradients.samples",
                message: format!("must be at least 2, but is {}.", self.samples),
            });
        }
        found
    }
}

/// Measures: the stem, each block, and the fit over all of them.
pub fn measure(
    settings: &GradientSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let (places, samples) = walk::walk(settings, subject, watch)?;
    let mut table = Table::new(schema::gradients());
    for place in &places {
        add_place(&mut table, subject, place, samples)?;
    }
    let depth = places.len() as f64 - 1.0;
    let points = places.iter().enumerate().filter_map(|(l, place)| {
        let norm = place.output_gradient_norm;
        (norm > 0.0 && norm.is_finite()).then(|| (depth - l as f64, norm.ln()))
    });
    let points: Vec<(f64, f64)> = points.collect();
    add_fit(&mut table, subject, least_squares(&points), samples)?;
    Ok(table)
}

fn add_place(
    table: &mut Table,
    subject: &Subject<'_>,
    place: &Place,
    samples: usize,
) -> Result<(), TableError> {
    let block = place.block.map(|index| &subject.network.blocks[index]);
    let road =
        |part: fn(&Roads) -> f64| place.roads.as_ref().map_or(Cell::Null, |r| part(r).into());
    table.push_named([
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        (
            "kind",
            if block.is_some() { "block" } else { "stem" }.into(),
        ),
        ("block", place.block.into()),
        ("depth", place.block.map_or(0, |index| index + 1).into()),
        (
            "name",
            block.map_or(Cell::Null, |block| block.name.as_str().into()),
        ),
        ("stage", block.map(|block| block.stage).into()),
        ("output_gradient_norm", place.output_gradient_norm.into()),
        ("weight_gradient_norm", place.weight_gradient_norm.into()),
        ("mean_square", place.mean_square.into()),
        ("branch_ratio", place.branch_ratio.into()),
        ("gamma_rms", place.gamma_rms.into()),
        ("shortcut_share", road(|r| r.shortcut_share)),
        ("branch_share", road(|r| r.branch_share)),
        ("shortcut_branch_cosine", road(|r| r.cosine)),
        ("log_rate", Cell::Null),
        ("log_rate_se", Cell::Null),
        ("r_squared", Cell::Null),
        ("points", Cell::Null),
        ("samples", samples.into()),
    ])
}

fn add_fit(
    table: &mut Table,
    subject: &Subject<'_>,
    line: Option<Line>,
    samples: usize,
) -> Result<(), TableError> {
    let Some(line) = line else { return Ok(()) };
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    let cells = [
        ("run_id", Cell::from(subject.run_id)),
        ("epoch", subject.epoch.into()),
        ("kind", "fit".into()),
        ("log_rate", line.slope.into()),
        ("log_rate_se", line.slope_se.into()),
        ("r_squared", line.r_squared.into()),
        ("points", line.points.into()),
        ("samples", samples.into()),
    ];
    for (column, cell) in cells {
        row[table.index(column)?] = cell;
    }
    table.push(row)
}
