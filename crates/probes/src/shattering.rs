//! Shattering: how alike the gradients at different inputs are, by depth (Balduzzi, Frean, Leary,
//! Lewis, Ma, McWilliams 2017).
//!
//! For each depth l, `g_i = ∂(u · h_l(x_i)) / ∂h₀` is the gradient of a random projection u of the
//! output of the first l blocks, at input i, by the stem's output. Averaged over draws of u:
//!
//! - `variance`: mean over inputs of `‖g_i‖² / ‖u‖²` (1 for the identity);
//! - `covariance`: mean over pairs of inputs of `g_i · g_j / ‖u‖²`;
//! - `correlation`: mean over pairs of the cosine between g_i and g_j.
//!
//! Batch norms use the statistics of the inputs as constants: the theory is of gradients by one
//! input, and differentiating the statistics would centre the gradients over the batch.
//!
//! Pairs share inputs. The standard error is that of the mean as a U-statistic, `2 s / √n` with s
//! the standard deviation over inputs of an input's mean correlation with the others: what other
//! inputs would change. What other weights would change is seen over seeds.
//!
//! Theory for wide ReLU networks whose inputs are uncorrelated: 2^−l for centred plain ones (half
//! of the units are active at an input, a quarter at both); with batch norm and identity shortcuts
//! `∏ (1 + 1/(2 s²)) / (1 + 1/s²)` with `s² = s₀² + k (1 − 1/π)` for k = 0 … l − 1, since block k
//! sees a variance that every block before it has raised by that of a centred ReLU of variance 2. s₀²
//! is the variance of h₀: 1 in the paper, 2 for standard normal inputs and a stem of He's
//! initialisation; with `placement: original` twice the variance after the stem's ReLU, 2 (1 − 1/π).

use reslab_nn::network::{Network, Op};
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::{self, Mode, Part, Tensor, forward_part};
use reslab_nn::train::SettingProblem;
use reslab_results::{Table, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gradients::without_noise;
use crate::subject::{ProbeError, Set, Subject, Watch};

/// Correlation of gradients between inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShatteringSettings {
    /// Epochs after which it is done; after the last one if the list is empty.
    pub epochs: Vec<usize>,
    /// What goes into the network.
    pub inputs: Inputs,
    /// Inputs; of the data at most the set is used.
    pub samples: usize,
    /// Random projections of the output that are averaged over.
    pub draws: usize,
    /// Numbers of blocks; if the list is empty 1, 2, 3, 4, 6, 8, 12, 16, ... and the last.
    pub depths: Vec<usize>,
}

/// What the gradients are taken at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Inputs {
    /// The first samples of the training set.
    #[default]
    Data,
    /// Independent standard normal numbers: uncorrelated inputs, as the theory assumes.
    Gaussian,
}

impl Default for ShatteringSettings {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            inputs: Inputs::Data,
            samples: 128,
            draws: 4,
            depths: Vec::new(),
        }
    }
}

impl ShatteringSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self, network: &Network) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let least = [
            ("shattering.samples", self.samples, 3),
            ("shattering.draws", self.draws, 1),
        ];
        for (field, value, least) in least {
            if value < least {
                let message = format!("must be at least {least}, but is {value}.");
                found.push(SettingProblem { field, message });
            }
        }
        let blocks = network.blocks.len();
        if let Some(wrong) = self.depths.iter().find(|d| **d == 0 || **d > blocks) {
            found.push(SettingProblem {
                field: "shattering.depths",
                message: format!(
                    "must be from 1 to {blocks}, the blocks of {}, but {wrong} is one of them.",
                    network.name
                ),
            });
        }
        found
    }

    /// The depths meant for a network of so many blocks, ascending.
    fn depths(&self, blocks: usize) -> Vec<usize> {
        let mut depths = self.depths.clone();
        if depths.is_empty() {
            let powers = (0..).map(|k| 1_usize << k).take_while(|d| *d <= blocks);
            depths = powers.flat_map(|d| [d, d + d / 2]).collect();
            depths.retain(|d| *d <= blocks);
            if blocks > 0 {
                depths.push(blocks);
            }
        }
        depths.sort_unstable();
        depths.dedup();
        depths
    }
}

/// Streams of [`Purpose::Probe`] that belong to this instrument: inputs and projections.
const INPUTS: u64 = 0x5348_0000;
const PROJECTIONS: u64 = 0x5348_0001;

/// Measures each depth.
pub fn measure(
    settings: &ShatteringSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let network = normalised_by_the_batch(&without_noise(subject.network));
    let parameters: Vec<f64> = reference::lift(subject.parameters);
    let state: Vec<f64> = reference::lift(subject.state);
    let blocks = network.blocks.len();
    let depths = settings.depths(blocks);
    let total = depths.len() * settings.draws + 1;
    watch.at(0, total)?;

    let x = inputs(settings, subject)?;
    let part = Part {
        stem: true,
        blocks: 0..blocks,
        head: false,
    };
    // The running statistics become those of the inputs, and stay.
    let state = forward_part(&network, part, &parameters, &state, Mode::Training, &x)?.state;
    let fixed = |part: Part, x: &Tensor<f64>| {
        forward_part(&network, part, &parameters, &state, Mode::Evaluation, x)
    };
    let stem = fixed(Part::before(0), &x)?.output;

    let mut table = Table::new(schema::shattering());
    for (row, &depth) in depths.iter().enumerate() {
        let pass = fixed(Part::blocks(0..depth), &stem)?;
        let (n, height, width, channels) = pass.output.dim();
        let mut likeness = Likeness::new(n);
        for draw in 0..settings.draws {
            watch.at(row * settings.draws + draw + 1, total)?;
            let index = draw as u64;
            let mut rng = random::stream(subject.seed, Purpose::Probe, PROJECTIONS, index);
            let projection: Vec<f64> = (0..height * width * channels)
                .map(|_| random::normal(&mut rng))
                .collect();
            let length = projection.iter().map(|u| u * u).sum::<f64>();
            let cotangent = Tensor::from_shape_fn(pass.output.dim(), |(_, i, j, c)| {
                projection[(i * width + j) * channels + c]
            });
            let grad = pass.backward(&network, &parameters, &cotangent).input;
            likeness.add(&rows(&grad), 1.0 / length);
        }
        let mut activations = Likeness::new(n);
        activations.add(&rows(&pass.output), 1.0);
        let found = likeness.summary();
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("depth", depth.into()),
            ("correlation", found.correlation.into()),
            ("correlation_se", found.correlation_se.into()),
            ("covariance", found.covariance.into()),
            ("variance", found.variance.into()),
            (
                "activation_correlation",
                activations.summary().correlation.into(),
            ),
            ("pairs", found.pairs.into()),
            ("samples", n.into()),
            ("draws", settings.draws.into()),
        ])?;
    }
    Ok(table)
}

/// The network whose running statistics become those of one batch.
fn normalised_by_the_batch(network: &Network) -> Network {
    let mut network = network.clone();
    let inside = network.blocks.iter_mut().flat_map(|b| b.layers_mut());
    for layer in network.stem.iter_mut().chain(inside) {
        if let Op::BatchNorm(norm) = &mut layer.op {
            (norm.momentum, norm.frozen) = (1.0, false);
        }
    }
    network
}

fn inputs(settings: &ShatteringSettings, subject: &Subject<'_>) -> Result<Tensor<f64>, ProbeError> {
    let shape = subject.network.input;
    Ok(match settings.inputs {
        Inputs::Data => {
            let split = Set::Train.of(subject.dataset);
            let samples = settings.samples.min(split.len);
            reference::tensor(&split.inputs[..samples * shape.len()], shape)?
        }
        Inputs::Gaussian => {
            let samples = (0..settings.samples as u64).flat_map(|index| {
                let mut rng = random::stream(subject.seed, Purpose::Probe, INPUTS, index);
                (0..shape.len())
                    .map(|_| random::normal(&mut rng) as f32)
                    .collect::<Vec<f32>>()
            });
            reference::tensor(&samples.collect::<Vec<f32>>(), shape)?
        }
    })
}

/// One vector a sample.
fn rows(tensor: &Tensor<f64>) -> Vec<Vec<f64>> {
    let samples = tensor.outer_iter();
    samples
        .map(|sample| sample.iter().copied().collect())
        .collect()
}

/// Products of vectors of every pair of samples, added over draws.
struct Likeness {
    samples: usize,
    draws: usize,
    square: f64,
    product: f64,
    /// For each sample, cosines with the others.
    cosines: Vec<f64>,
    /// For each sample, how many of them there are.
    counts: Vec<usize>,
}

/// Means over draws and pairs.
struct Summary {
    correlation: f64,
    correlation_se: f64,
    covariance: f64,
    variance: f64,
    pairs: usize,
}

impl Likeness {
    fn new(samples: usize) -> Self {
        Self {
            samples,
            draws: 0,
            square: 0.0,
            product: 0.0,
            cosines: vec![0.0; samples],
            counts: vec![0; samples],
        }
    }

    /// Adds one vector a sample, their products multiplied by `scale`. A vector of zeros (every unit
    /// dead) has no direction: its pairs count for the covariance only.
    fn add(&mut self, vectors: &[Vec<f64>], scale: f64) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let squares: Vec<f64> = vectors.iter().map(|v| dot(v, v)).collect();
        self.draws += 1;
        self.square += scale * squares.iter().sum::<f64>();
        for i in 0..self.samples {
            for j in 0..i {
                let product = dot(&vectors[i], &vectors[j]);
                self.product += scale * product;
                let length = squares[i].sqrt() * squares[j].sqrt();
                if length > 0.0 {
                    for sample in [i, j] {
                        self.cosines[sample] += product / length;
                        self.counts[sample] += 1;
                    }
                }
            }
        }
    }

    fn summary(&self) -> Summary {
        let n = self.samples as f64;
        let pairs = self.samples * (self.samples - 1) / 2;
        let draws = self.draws as f64;
        let counted = self
            .counts
            .iter()
            .zip(&self.cosines)
            .filter(|(c, _)| **c > 0);
        let means: Vec<f64> = counted.map(|(&c, sum)| sum / c as f64).collect();
        let total: usize = self.counts.iter().sum();
        let correlation = self.cosines.iter().sum::<f64>() / total as f64;
        let live = means.len() as f64;
        let centre = means.iter().sum::<f64>() / live;
        let spread = means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (live - 1.0);
        Summary {
            correlation,
            correlation_se: 2.0 * (spread / live).sqrt(),
            covariance: self.product / draws / pairs as f64,
            variance: self.square / draws / n,
            pairs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_three_vectors_by_hand() {
        let mut likeness = Likeness::new(3);
        let vectors = [vec![1.0, 0.0], vec![0.0, 2.0], vec![3.0, 3.0]];
        likeness.add(&vectors, 0.5);
        let found = likeness.summary();
        // Products 0, 3, 6; squares 1, 4, 18; cosines 0, 1/√2, 1/√2.
        let half = 0.5_f64.sqrt();
        assert!((found.covariance - 0.5 * 9.0 / 3.0).abs() < 1e-15);
        assert!((found.variance - 0.5 * 23.0 / 3.0).abs() < 1e-15);
        assert!((found.correlation - 2.0 * half / 3.0).abs() < 1e-15);
        // Means of the samples: half/2, half/2, half; standard deviation half/√12.
        let expected = 2.0 * half / 12.0_f64.sqrt() / 3.0_f64.sqrt();
        assert!((found.correlation_se - expected).abs() < 1e-15);
        assert_eq!(found.pairs, 3);
    }

    #[test]
    fn depths_are_powers_of_two_and_half_way() {
        let settings = ShatteringSettings::default();
        assert_eq!(settings.depths(10), [1, 2, 3, 4, 6, 8, 10]);
        assert_eq!(settings.depths(1), [1]);
        let given = ShatteringSettings {
            depths: vec![5, 2, 5],
            ..settings
        };
        assert_eq!(given.depths(10), [2, 5]);
    }
}
