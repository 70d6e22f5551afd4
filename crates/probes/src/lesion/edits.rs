//! Which lesions there are: the edits of a network, and drawing the random ones.

use std::ops::Range;

use reslab_nn::error::ShapeError;
use reslab_nn::network::{Block, Layer, Network, Op};
use reslab_nn::random::{ChaCha8Rng, Purpose, below, shuffle, stream};

use super::settings::{LesionSettings, RandomSettings};

/// What is done to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Nothing.
    None,
    /// These blocks go, ascending.
    Blocks(Vec<usize>),
    /// Some layers of a branch go.
    Layers {
        /// Its block.
        block: usize,
        /// Its branch.
        branch: usize,
        /// Their places in the branch.
        layers: Range<usize>,
        /// Name of the one with weights.
        name: String,
    },
    /// Place `i` gets block `order[i]`.
    Order(Vec<usize>),
}

/// One lesion of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesion {
    /// For the table: `none`, `delete`, `delete-layer`, `delete-random`, `reorder`.
    pub kind: &'static str,
    /// What is done.
    pub edit: Edit,
    /// Blocks or layers deleted, or swaps.
    pub k: usize,
    /// Number of the random draw.
    pub sample: Option<usize>,
}

impl Edit {
    /// The network after it, reading the parameters of the one before.
    pub fn apply(&self, network: &Network) -> Result<Network, ShapeError> {
        let edited = match self {
            Edit::None => network.clone(),
            Edit::Blocks(blocks) => network.without_all(blocks),
            Edit::Layers {
                block,
                branch,
                layers,
                ..
            } => network.without_layers(*block, *branch, layers.clone()),
            Edit::Order(order) => network.reordered(order)?,
        };
        edited.check()?;
        Ok(edited)
    }

    /// The first block that is touched; the number of blocks if none is. What comes before it is as
    /// in the whole network.
    pub fn first(&self, blocks: usize) -> usize {
        let first = match self {
            Edit::None => None,
            Edit::Blocks(gone) => gone.iter().min().copied(),
            Edit::Layers { block, .. } => Some(*block),
            Edit::Order(order) => (0..order.len()).find(|&place| order[place] != place),
        };
        first.unwrap_or(blocks)
    }

    /// The one block that is meant, if it is one.
    pub fn block(&self) -> Option<usize> {
        match self {
            Edit::Layers { block, .. } => Some(*block),
            _ => None,
        }
    }
}

/// Kendall's rank correlation of an order with 0, 1, 2, …: `1 − 2 D / (n (n − 1) / 2)` with `D` the
/// pairs that stand the other way round. 1 for fewer than two.
pub fn kendall_tau(order: &[usize]) -> f64 {
    let n = order.len();
    if n < 2 {
        return 1.0;
    }
    let later = |place: usize| order[place + 1..].iter();
    let discordant: usize = (0..n)
        .map(|place| later(place).filter(|&&other| other < order[place]).count())
        .sum();
    1.0 - 4.0 * discordant as f64 / (n * (n - 1)) as f64
}

/// Blocks that can go: of a plain network those that keep the shape, of a residual one all, or
/// without the down-sampling ones.
pub fn removable(network: &Network, downsampling: bool) -> Vec<usize> {
    let can_go = |&block: &usize| {
        (downsampling || !network.blocks[block].is_downsampling())
            && network.without(block).check().is_ok()
    };
    (0..network.blocks.len()).filter(can_go).collect()
}

/// Places of blocks that may be swapped with each other: those of one stage and shape that do not
/// down-sample.
pub fn compatible_places(network: &Network) -> Vec<Vec<usize>> {
    let Ok(shapes) = network.block_shapes() else {
        return Vec::new();
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, block) in network.blocks.iter().enumerate() {
        if block.is_downsampling() || shapes[place].0 != shapes[place].1 {
            continue;
        }
        let same = |other: usize| {
            network.blocks[other].stage == block.stage && shapes[other] == shapes[place]
        };
        match groups.iter_mut().find(|group| same(group[0])) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

/// All lesions that are asked for, the whole network first. Deletions after which the network does
/// not fit together are left out: the plain blocks and the layers that change the shape.
pub fn lesions(settings: &LesionSettings, network: &Network, seed: u64) -> Vec<Lesion> {
    let lesion = |kind, edit, k, sample| Lesion {
        kind,
        edit,
        k,
        sample,
    };
    let mut all = vec![lesion("none", Edit::None, 0, None)];
    if settings.each {
        let blocks = removable(network, true).into_iter();
        all.extend(blocks.map(|block| lesion("delete", Edit::Blocks(vec![block]), 1, None)));
    }
    if settings.layers {
        let edits = single_layers(network).into_iter();
        all.extend(edits.map(|edit| lesion("delete-layer", edit, 1, None)));
    }
    if let Some(random) = &settings.random {
        for (k, sample) in draws(&random.k, random.samples) {
            let edit = Edit::Blocks(some_blocks(random, network, k, sample, seed));
            all.push(lesion("delete-random", edit, k, Some(sample)));
        }
    }
    if let Some(reorder) = &settings.reorder {
        for (k, sample) in draws(&reorder.swaps, reorder.samples) {
            let edit = Edit::Order(some_order(network, k, sample, seed));
            all.push(lesion("reorder", edit, k, Some(sample)));
        }
    }
    all
}

fn draws(counts: &[usize], samples: usize) -> impl Iterator<Item = (usize, usize)> {
    let counts = counts.iter().copied();
    counts.flat_map(move |k| (0..samples).map(move |sample| (k, sample)))
}

/// The stream of a draw: it does not depend on which other draws there are, nor on the epoch.
fn draw(tag: [u8; 8], k: usize, sample: usize, seed: u64) -> ChaCha8Rng {
    let index = (k as u64) << 32 | sample as u64;
    stream(seed, Purpose::Probe, u64::from_le_bytes(tag), index)
}

/// `k` of the blocks that can go, each set as likely.
fn some_blocks(
    settings: &RandomSettings,
    network: &Network,
    k: usize,
    sample: usize,
    seed: u64,
) -> Vec<usize> {
    let mut blocks = removable(network, settings.downsampling);
    shuffle(&mut draw(*b"les-del\0", k, sample, seed), &mut blocks);
    blocks.truncate(k);
    blocks.sort_unstable();
    blocks
}

/// The order after `k` swaps one after the other, each of two places drawn from all compatible pairs.
fn some_order(network: &Network, k: usize, sample: usize, seed: u64) -> Vec<usize> {
    let groups = compatible_places(network);
    let pairs: Vec<(usize, usize)> = groups
        .iter()
        .flat_map(|group| {
            let later = move |at: usize| group[at + 1..].iter().map(move |&b| (group[at], b));
            (0..group.len()).flat_map(later)
        })
        .collect();
    let mut order: Vec<usize> = (0..network.blocks.len()).collect();
    let mut rng = draw(*b"les-ord\0", k, sample, seed);
    for _ in 0..k {
        if let Some(&(a, b)) = pairs.get(below(&mut rng, pairs.len())) {
            order.swap(a, b);
        }
    }
    order
}

/// Every single layer that can go from a branch of at least two: a convolution or linear layer with
/// the batch norm and nonlinearity that belong to it, which stand behind it or, in a branch that
/// begins with them, in front of it.
fn single_layers(network: &Network) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (block, found) in network.blocks.iter().enumerate() {
        for branch in 0..found.branches.len() {
            edits.extend(layers_of(block, branch, found));
        }
    }
    edits.retain(|edit| edit.apply(network).is_ok());
    edits
}

fn layers_of(block: usize, branch: usize, found: &Block) -> Vec<Edit> {
    let layers = &found.branches[branch];
    let weighted = |layer: &Layer| matches!(layer.op, Op::Conv2d(_) | Op::Linear(_));
    let belongs = |layer: &&Layer| matches!(layer.op, Op::BatchNorm(_) | Op::Activation(_));
    let places: Vec<usize> = (0..layers.len())
        .filter(|&at| weighted(&layers[at]))
        .collect();
    if places.len() < 2 {
        return Vec::new();
    }
    let behind = weighted(&layers[0]);
    let unit = |&at: &usize| {
        let range = if behind {
            let after = layers[at + 1..].iter().take_while(belongs).count();
            at..at + 1 + after
        } else {
            let before = layers[..at].iter().rev().take_while(belongs).count();
            at - before..at + 1
        };
        Edit::Layers {
            block,
            branch,
            layers: range,
            name: layers[at].name.clone(),
        }
    };
    places.iter().map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reslab_nn::families::{ModelSettings, build, named};
    use reslab_nn::network::Shape;

    fn network(name: &str) -> Network {
        let settings = ModelSettings {
            width: 4,
            ..named(name).expect("a name")
        };
        build(&settings, Shape::new(3, 8, 8), 10).expect("it fits")
    }

    #[test]
    fn kendall_tau_counts_the_pairs_turned_round() {
        assert_eq!(kendall_tau(&[0, 1, 2, 3]), 1.0);
        assert_eq!(kendall_tau(&[3, 2, 1, 0]), -1.0);
        // One swap of neighbours: one pair of six.
        assert_eq!(kendall_tau(&[0, 2, 1, 3]), 1.0 - 2.0 / 6.0);
        // Ends swapped: five pairs of six.
        assert_eq!(kendall_tau(&[3, 1, 2, 0]), 1.0 - 10.0 / 6.0);
        assert_eq!(kendall_tau(&[0]), 1.0);
    }

    // Closed form: a swap at distance d turns 2 d − 1 pairs round, and the mean distance of two of m
    // places in a row is (m + 1)/3. With stages of 18, 17 and 17 places among 54 (the paper's
    // network) the mean τ after one swap is 0.984.
    #[test]
    fn one_random_swap_has_the_mean_tau_of_its_closed_form() {
        let network = network("preact-resnet110");
        let sizes: Vec<usize> = compatible_places(&network).iter().map(Vec::len).collect();
        assert_eq!(sizes, [18, 17, 17]);
        let pairs = |m: f64| m * (m - 1.0) / 2.0;
        let (mut all, mut turned) = (0.0, 0.0);
        for m in sizes.iter().map(|&m| m as f64) {
            all += pairs(m);
            turned += pairs(m) * (2.0 * (m + 1.0) / 3.0 - 1.0);
        }
        let expected = 1.0 - 2.0 * (turned / all) / pairs(54.0);
        let taus = (0..4000).map(|sample| kendall_tau(&some_order(&network, 1, sample, 0)));
        let mean = taus.sum::<f64>() / 4000.0;
        assert!((expected - 0.984).abs() < 5e-4, "{expected}");
        assert!((mean - expected).abs() < 5e-4, "{mean}, not {expected}");
    }

    #[test]
    fn swaps_stay_within_a_stage_and_leave_downsampling_blocks_alone() {
        let network = network("resnet20");
        for sample in 0..50 {
            let order = some_order(&network, 9, sample, 3);
            assert!(network.reordered(&order).is_ok());
            assert_eq!((order[3], order[6]), (3, 6));
            assert!(
                order
                    .iter()
                    .enumerate()
                    .all(|(place, block)| place / 3 == block / 3)
            );
        }
    }

    #[test]
    fn random_deletions_draw_every_allowed_block_equally() {
        let network = network("resnet20");
        let mut settings = RandomSettings {
            k: vec![3],
            samples: 2000,
            downsampling: false,
        };
        let counts = |settings: &RandomSettings| {
            let mut counts = [0_usize; 9];
            for sample in 0..settings.samples {
                let blocks = some_blocks(settings, &network, 3, sample, 1);
                assert!(blocks.windows(2).all(|pair| pair[0] < pair[1]) && blocks.len() == 3);
                blocks.iter().for_each(|&block| counts[block] += 1);
            }
            counts
        };
        let seen = counts(&settings);
        assert_eq!((seen[3], seen[6]), (0, 0));
        // 3/7 of 2000 each, ± five standard deviations of 22.
        let others = [0, 1, 2, 4, 5, 7, 8];
        assert!(
            others.iter().all(|&block| seen[block].abs_diff(857) < 111),
            "{seen:?}"
        );
        settings.downsampling = true;
        assert!(
            counts(&settings)
                .iter()
                .all(|count| count.abs_diff(667) < 106)
        );
    }

    #[test]
    fn single_layers_go_with_their_norm_and_nonlinearity() {
        let names = |name: &str| -> Vec<(String, usize)> {
            let all = single_layers(&network(name)).into_iter();
            all.filter_map(|edit| match edit {
                Edit::Layers { name, layers, .. } => Some((name, layers.len())),
                _ => None,
            })
            .collect()
        };
        let plain = names("plain20");
        // Nine blocks of two layers; the first of each of two stages changes the shape.
        assert_eq!(plain.len(), 16);
        // conv BN ReLU, conv BN (its ReLU stands after the branch).
        assert_eq!(
            plain[..2],
            [("layer1.0.conv1".into(), 3), ("layer1.0.conv2".into(), 2)]
        );
        assert!(!plain.iter().any(|(name, _)| name == "layer2.0.conv1"));
        let before = names("preact-resnet20");
        // BN ReLU conv, twice; the first block's first ones come before the split.
        assert!(before.contains(&("layer1.1.conv1".into(), 3)));
        assert!(before.contains(&("layer2.0.conv2".into(), 3)));
    }
}
