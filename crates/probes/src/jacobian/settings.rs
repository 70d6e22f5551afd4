//! What is measured: blocks, products, and how.

use std::ops::Range;

use reslab_nn::network::Network;
use reslab_nn::train::SettingProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::Set;

/// Spectra of the Jacobians of blocks and of their products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JacobianSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// The set whose samples the network is linearised at.
    pub set: Set,
    /// The first so many samples of it, each with Jacobians of its own.
    pub samples: usize,
    /// What batch norms normalise with.
    pub statistics: Statistics,
    /// Indices of the blocks measured, from 0; all if the list is empty.
    pub blocks: Vec<usize>,
    /// Products of blocks.
    pub products: Products,
    /// Jacobians of up to so many numbers in and out are written down; wider ones are known by
    /// products with vectors only.
    pub dense: usize,
    /// Eigenvalues are computed of square Jacobians of up to so many numbers; 0 leaves them out.
    pub eigenvalues: usize,
    /// At most so many singular values or eigenvalues of each spectrum are kept, evenly by rank.
    pub values: usize,
    /// Lanczos, for Jacobians that are not written down.
    pub lanczos: Lanczos,
}

/// Products of blocks in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Products {
    /// Index of the first block of the range.
    pub first: usize,
    /// Index of the last block of the range; the network's last one if left out.
    pub last: Option<usize>,
    /// The ends they grow from.
    pub grow: Vec<End>,
    /// Numbers of blocks; 1, 2, 4, 8, ... and all if the list is empty.
    pub lengths: Vec<usize>,
}

/// The end of the range that a product grows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// J_l … J_1 for growing l.
    Input,
    /// J_L … J_{L−l+1} for growing l.
    Output,
}

/// What batch norms normalise with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Statistics {
    /// The running statistics, as in evaluation. Before training they are 0 and 1, and normalise
    /// nothing.
    #[default]
    Running,
    /// Those of the first 512 training samples, computed anew at the parameters as they are.
    Recomputed,
    /// Those of the samples themselves, which they tie together: the Jacobian is that of the whole
    /// batch, of samples × width numbers.
    Batch,
}

/// Golub–Kahan–Lanczos.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lanczos {
    /// Steps from each start; each is one product with the Jacobian and one with its transpose.
    pub steps: usize,
    /// Random starts, whose spread is the error bar.
    pub starts: usize,
}

impl Default for JacobianSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            set: Set::Test,
            samples: 1,
            statistics: Statistics::Running,
            blocks: Vec::new(),
            products: Products::default(),
            dense: 4096,
            eigenvalues: 512,
            values: 128,
            lanczos: Lanczos::default(),
        }
    }
}

impl Default for Products {
    fn default() -> Self {
        Self {
            first: 0,
            last: None,
            grow: vec![End::Input],
            lengths: Vec::new(),
        }
    }
}

impl Default for Lanczos {
    fn default() -> Self {
        Self {
            steps: 100,
            starts: 4,
        }
    }
}

impl End {
    /// As it is called in tables and settings.
    pub fn name(self) -> &'static str {
        match self {
            End::Input => "input",
            End::Output => "output",
        }
    }
}

impl JacobianSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut tell = |field, message: String| found.push(SettingProblem { field, message });
        let batch = self.statistics == Statistics::Batch;
        let least = [
            ("jacobian.samples", self.samples, if batch { 2 } else { 1 }),
            ("jacobian.dense", self.dense, 1),
            ("jacobian.values", self.values, 2),
            ("jacobian.lanczos.steps", self.lanczos.steps, 2),
            ("jacobian.lanczos.starts", self.lanczos.starts, 2),
        ];
        for (field, value, least) in least {
            if value < least {
                tell(field, format!("must be at least {least}, but is {value}."));
            }
        }
        let (name, count) = (&network.name, network.blocks.len());
        if let Some(wrong) = self.blocks.iter().find(|block| **block >= count) {
            let message = format!(
                "must be indices of the {count} blocks of `{name}`, from 0, but {wrong} is one of \
                 them."
            );
            tell("jacobian.blocks", message);
        }
        let (first, end) = (self.products.first, self.end(count));
        if first >= end || end > count {
            let message = format!(
                "must have `first` and `last` with first ≤ last < {count}, the blocks of `{name}`, \
                 but has {first} and {}.",
                end - 1
            );
            tell("jacobian.products", message);
        } else if let Some(wrong) =
            (self.products.lengths.iter()).find(|length| **length == 0 || **length > end - first)
        {
            let message = format!(
                "must be numbers of blocks from 1 to {}, but {wrong} is one of them.",
                end - first
            );
            tell("jacobian.products.lengths", message);
        }
        found
    }

    fn end(&self, count: usize) -> usize {
        self.products.last.map_or(count, |last| last + 1)
    }

    /// The range of blocks that products are taken of, in a network of `count` blocks.
    pub(super) fn range(&self, count: usize) -> Range<usize> {
        self.products.first..self.end(count)
    }

    /// Lengths of the products of a range of `count` blocks, ascending.
    pub(super) fn lengths(&self, count: usize) -> Vec<usize> {
        let mut lengths = self.products.lengths.clone();
        if lengths.is_empty() {
            lengths = (0..).map(|k| 1 << k).take_while(|l| *l < count).collect();
            lengths.push(count);
        }
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    }

    /// Whether a block is one of those measured.
    pub(super) fn wants(&self, block: usize) -> bool {
        self.blocks.is_empty() || self.blocks.contains(&block)
    }
}
