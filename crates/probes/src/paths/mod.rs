//! Paths: a residual network of n blocks as a sum over its 2ⁿ paths (Veit, Wilber, Belongie 2016,
//! section 5), measured as in the paper and exactly. The maths is in `docs/paths.md`.
//!
//! The gradient at the first block's input is `g · ∏ (S_l + J_l)`, with the shortcuts `S_l` (the
//! identity, where the shape stays) and the branches' Jacobians `J_l`. Multiplied out it is a sum
//! over paths: each goes through the branches of k blocks and the shortcuts of the others, and k is
//! its length.
//!
//! - **sampled**, as in the paper: k random blocks send the gradient through their branches alone,
//!   the others through their shortcuts alone; the norm of what arrives, over draws.
//! - **exact**: the sum of all paths of length k, for every k, by `g_k ← S_lᵀ g_k + J_lᵀ g_{k−1}`
//!   from the last block to the first. It costs `n (n + 1)/2` backward passes of one block.
//!
//! Everything is computed in `f64` by the reference executor in evaluation mode: batch norms use
//! fixed statistics, so that a sample's gradient does not depend on the others.

mod binomial;
mod profile;
mod statistics;
mod summary;
#[cfg(test)]
mod tests;

use reslab_nn::network::{Network, Shortcut};
use reslab_nn::random::{Purpose, shuffle, stream};
use reslab_nn::train::SettingProblem;
use reslab_results::{Cell, Table, TableError, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{ProbeError, Set, Subject, Watch};
use binomial::Binomial;
use profile::{Draw, Profile, Samples};

pub use statistics::Statistics;
pub use summary::{MASS, summarise};

/// A study of paths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathsSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set whose gradients are measured.
    pub set: Set,
    /// The first so many samples of it are the batch.
    pub samples: usize,
    /// Random paths of each length; 0 leaves sampling out.
    pub draws: usize,
    /// Sample every so many lengths, and the longest; those in between are interpolated.
    pub every: usize,
    /// What batch norms normalise with.
    pub statistics: Statistics,
}

impl Default for PathsSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Test,
            samples: 32,
            draws: 16,
            every: 1,
            statistics: Statistics::Running,
        }
    }
}

impl PathsSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut tell = |field, message: String| found.push(SettingProblem { field, message });
        if network.blocks.iter().any(|b| b.shortcut == Shortcut::None) {
            let message = format!(
                "needs residual blocks, but `{}` has blocks without a shortcut, in which there is \
                 one path only.",
                network.name
            );
            tell("paths", message);
        } else if network.blocks.iter().any(|block| block.gate.is_some()) {
            let message = format!(
                "needs shortcuts that do not depend on the input, but `{}` has gates, whose own \
                 derivative belongs to neither road.",
                network.name
            );
            tell("paths", message);
        }
        if self.samples == 0 {
            tell("paths.samples", "must be at least 1, but is 0.".to_owned());
        }
        if self.every == 0 {
            tell("paths.every", "must be at least 1, but is 0.".to_owned());
        }
        found
    }
}

/// Does the study: the table `paths`, one row a length.
pub fn measure(
    settings: &PathsSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let blocks = subject.network.blocks.len();
    let draws = draws(settings, blocks, subject.seed);
    let state = settings.statistics.state(subject)?;
    let split = settings.set.of(subject.dataset);
    let samples = Samples {
        network: subject.network,
        parameters: subject.parameters,
        state: &state,
        loss: subject.train.loss.loss(),
        split,
        count: settings.samples.min(split.len),
    };
    let mut poll = |done, total| watch.at(done, total);
    let profile = profile::measure(&samples, &draws, &mut poll)?;
    Ok(table(subject, &profile)?)
}

/// The random paths: for each length that is sampled so many choices of blocks. The same at every
/// epoch, so that epochs can be compared.
fn draws(settings: &PathsSettings, blocks: usize, seed: u64) -> Vec<Draw> {
    const STREAM: u64 = u64::from_be_bytes(*b"paths\0\0\0");
    let sampled = |k: &usize| k.is_multiple_of(settings.every.max(1)) || *k == blocks;
    let mut draws = Vec::new();
    for length in (0..=blocks).filter(sampled) {
        // There is one path of length 0, and one of length n.
        let count = match length {
            0 => settings.draws.min(1),
            _ if length == blocks => settings.draws.min(1),
            _ => settings.draws,
        };
        for draw in 0..count {
            let mut rng = stream(seed, Purpose::Probe, length as u64, STREAM + draw as u64);
            let mut order: Vec<usize> = (0..blocks).collect();
            shuffle(&mut rng, &mut order);
            let mut through_branch = vec![false; blocks];
            for &block in &order[..length] {
                through_branch[block] = true;
            }
            draws.push(Draw {
                length,
                through_branch,
            });
        }
    }
    draws
}

fn table(subject: &Subject<'_>, profile: &Profile) -> Result<Table, TableError> {
    let binomial = Binomial::new(profile.blocks);
    let sampled: Vec<_> = (0..=profile.blocks).map(|k| profile.sampled(k)).collect();
    let by_sampling = binomial.contributions(
        &sampled
            .iter()
            .map(|found| found.map(|found| found.norm.mean))
            .collect::<Vec<_>>(),
    );
    let norms: Vec<f64> = profile.orders.iter().map(|term| term.norm()).collect();
    let sum_of_norms: f64 = norms.iter().sum();
    let mut cumulative = 0.0;
    let mut table = Table::new(schema::paths());
    for (k, order) in profile.orders.iter().enumerate() {
        let share = order.projection / profile.whole.square;
        cumulative += share;
        let paths = binomial.count(k);
        let sampled = sampled[k];
        let of_sampled =
            |part: fn(&profile::Sampled) -> f64| Cell::from(sampled.as_ref().map(part));
        let whole = profile.whole.square;
        let per_path = sampled.map(|found| norms[k] / (paths * found.norm.mean));
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("blocks", profile.blocks.into()),
            ("samples", profile.samples.into()),
            ("k", k.into()),
            ("log2_paths", binomial.log2_count(k).into()),
            ("path_share", binomial.share(k).into()),
            ("draws", sampled.map_or(0, |found| found.draws).into()),
            ("sampled_norm", of_sampled(|s| s.norm.mean)),
            ("sampled_norm_error", of_sampled(|s| s.norm.error)),
            (
                "sampled_contribution",
                by_sampling.as_ref().map(|shares| shares[k]).into(),
            ),
            (
                "sampled_share",
                sampled.map(|s| paths * s.projection.mean / whole).into(),
            ),
            (
                "sampled_share_error",
                sampled.map(|s| paths * s.projection.error / whole).into(),
            ),
            ("gradient_norm", profile.whole.norm().into()),
            ("order_norm", norms[k].into()),
            ("order_cosine", profile.cosine(k).into()),
            ("order_share", share.into()),
            ("order_share_cumulative", cumulative.into()),
            ("order_contribution", (norms[k] / sum_of_norms).into()),
            ("coherence", per_path.into()),
        ])?;
    }
    Ok(table)
}
