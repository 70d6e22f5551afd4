//! Which networks of a sweep are meant to be compared with which.
//!
//! A network is compared with those nearest to it: that differ from it in the fewest settings.
//! Comparisons in the same settings belong together, as blocks of networks that such differences
//! connect. What would only repeat networks of another comparison is left out.

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Cell;

use super::{Network, Networks};

/// Networks compared in some settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The settings that differ within a block, as places in [`Networks::columns`]; those whose
    /// values have names come before numbers.
    pub settings: Vec<usize>,
    /// The networks, as places in [`Networks::networks`]; other settings are equal in a block.
    pub blocks: Vec<Vec<usize>>,
}

impl Comparison {
    fn networks(&self) -> BTreeSet<usize> {
        self.blocks.iter().flatten().copied().collect()
    }

    /// The settings that differ from block to block, and those equal in all of it.
    pub fn context(&self, set: &Networks) -> (Vec<usize>, Vec<usize>) {
        let others = (0..set.columns.len()).filter(|column| !self.settings.contains(column));
        others.partition(|&column| {
            let values: BTreeSet<&Cell> = self
                .networks()
                .into_iter()
                .map(|network| &set.networks[network].settings[column])
                .collect();
            values.len() > 1
        })
    }
}

/// The settings in which two networks differ.
pub fn differing(a: &Network, b: &Network) -> Vec<usize> {
    let pairs = a.settings.iter().zip(&b.settings).enumerate();
    pairs
        .filter(|(_, (a, b))| a != b)
        .map(|(column, _)| column)
        .collect()
}

/// The comparisons, those of the fewest settings first.
pub fn comparisons(set: &Networks) -> Vec<Comparison> {
    let networks = &set.networks;
    let count = networks.len();
    let nearest: Vec<usize> = (0..count)
        .map(|a| {
            let others = (0..count).filter(|&b| b != a);
            let distances = others.map(|b| differing(&networks[a], &networks[b]).len());
            distances.min().unwrap_or(usize::MAX)
        })
        .collect();
    let mut edges: BTreeMap<Vec<usize>, Vec<(usize, usize)>> = BTreeMap::new();
    for a in 0..count {
        for b in a + 1..count {
            let settings = differing(&networks[a], &networks[b]);
            if settings.len() == nearest[a] || settings.len() == nearest[b] {
                edges.entry(settings).or_default().push((a, b));
            }
        }
    }
    let mut found: Vec<Comparison> = edges
        .into_iter()
        .map(|(settings, edges)| Comparison {
            blocks: connected(count, &edges),
            settings,
        })
        .collect();
    // Of two that show the same networks the one in fewer settings stays, and rather the one in
    // settings with names: numbers such as a depth then lead from block to block.
    let numbers = |comparison: &Comparison| {
        let settings = comparison.settings.iter();
        settings.filter(|&&column| !is_named(set, column)).count()
    };
    found.sort_by_key(|comparison| (comparison.settings.len(), numbers(comparison)));
    for comparison in &mut found {
        let settings = &mut comparison.settings;
        settings.sort_by_key(|&column| !is_named(set, column));
    }
    let mut kept: Vec<Comparison> = Vec::new();
    for (index, one) in found.iter().enumerate() {
        let own = one.networks();
        let repeated = found.iter().enumerate().any(|(other_index, other)| {
            let other = other.networks();
            own.is_subset(&other) && (own != other || other_index < index)
        });
        if !repeated {
            kept.push(one.clone());
        }
    }
    kept
}

fn is_named(set: &Networks, column: usize) -> bool {
    let values = set.networks.iter().map(|network| &network.settings[column]);
    values
        .filter(|value| !value.is_null())
        .all(|value| value.as_text().is_some() || value.as_boolean().is_some())
}

/// The networks that edges connect, block by block.
fn connected(count: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    // The block of a network is the least network it is connected to.
    let mut block: Vec<usize> = (0..count).collect();
    for &(a, b) in edges {
        let (low, high) = (block[a].min(block[b]), block[a].max(block[b]));
        block
            .iter_mut()
            .filter(|own| **own == high)
            .for_each(|own| *own = low);
    }
    let mut blocks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (network, own) in block.into_iter().enumerate() {
        blocks.entry(own).or_default().push(network);
    }
    blocks.into_values().filter(|b| b.len() > 1).collect()
}
