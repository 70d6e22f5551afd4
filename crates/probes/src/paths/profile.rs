//! The gradient by length of path, over a batch: sampled and exact.

use rayon::prelude::*;
use reslab_nn::data::{Split, Targets};
use reslab_nn::error::ShapeError;
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::Network;
use reslab_nn::reference::{Mode, Part, Pass, Tensor, forward_part, lift, loss, tensor};

use crate::subject::ProbeError;

/// Samples whose activations are in memory at a time. Fixed, so that sums do not depend on threads.
const TOGETHER: usize = 8;

/// A batch and the network it goes through.
pub(super) struct Samples<'a> {
    pub network: &'a Network,
    pub parameters: &'a [f32],
    pub state: &'a [f32],
    pub loss: Loss,
    pub split: &'a Split,
    /// The first so many of the split.
    pub count: usize,
}

/// A random path, or rather which blocks it goes through by their branches.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    pub length: usize,
    pub through_branch: Vec<bool>,
}

/// A part of the gradient at the first block's input, of the batch's mean loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Term {
    /// ‖part‖².
    pub square: f64,
    /// part · whole gradient.
    pub projection: f64,
}

/// Mean and standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub mean: f64,
    pub error: f64,
}

/// What the draws of one length say about a single path of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampled {
    pub draws: usize,
    pub norm: Estimate,
    pub projection: Estimate,
}

/// The whole study.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    pub blocks: usize,
    pub samples: usize,
    /// The gradient as backward makes it.
    pub whole: Term,
    /// The sum of all paths of each length, 0 to n.
    pub orders: Vec<Term>,
    /// Length and term of each draw.
    pub draws: Vec<(usize, Term)>,
}

/// A sample at which the network has been linearised.
pub(super) struct Linearised {
    pub pass: Pass<f64>,
    /// The gradient at the last block's output.
    pub start: Tensor<f64>,
    /// The gradient at the first block's input, by ordinary backward.
    pub whole: Tensor<f64>,
}

impl Term {
    fn of(part: &Tensor<f64>, whole: &Tensor<f64>) -> Self {
        Self {
            square: part.iter().map(|x| x * x).sum(),
            projection: part.iter().zip(whole).map(|(x, y)| x * y).sum(),
        }
    }

    fn add(&mut self, other: Term) {
        self.square += other.square;
        self.projection += other.projection;
    }

    /// Of a sum over samples that of the mean loss: every gradient has the factor 1/N.
    fn of_mean(self, samples: usize) -> Self {
        let factor = 1.0 / (samples as f64 * samples as f64);
        Self {
            square: self.square * factor,
            projection: self.projection * factor,
        }
    }

    pub fn norm(self) -> f64 {
        self.square.sqrt()
    }
}

impl Profile {
    /// Of the paths of length `k`, if they were sampled.
    pub fn sampled(&self, k: usize) -> Option<Sampled> {
        let draws = || {
            let of_length = self.draws.iter().filter(move |(length, _)| *length == k);
            of_length.map(|(_, term)| *term)
        };
        let norms: Vec<f64> = draws().map(Term::norm).collect();
        let projections: Vec<f64> = draws().map(|term| term.projection).collect();
        (!norms.is_empty()).then(|| Sampled {
            draws: norms.len(),
            norm: Estimate::of(&norms),
            projection: Estimate::of(&projections),
        })
    }

    /// Cosine between the sum of the paths of length `k` and the whole gradient.
    pub fn cosine(&self, k: usize) -> f64 {
        let order = self.orders[k];
        order.projection / (order.norm() * self.whole.norm())
    }
}

impl Estimate {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let error = match values.len() {
            1 => 0.0,
            _ => (squares / (n - 1.0) / n).sqrt(),
        };
        Self { mean, error }
    }
}

/// Both measurements. `poll` is told how much is done of how much, and says when to stop.
pub(super) fn measure(
    samples: &Samples<'_>,
    draws: &[Draw],
    poll: &mut dyn FnMut(usize, usize) -> Result<(), ProbeError>,
) -> Result<Profile, ProbeError> {
    let network = samples.network;
    let blocks = network.blocks.len();
    let (parameters, state): (Vec<f64>, Vec<f64>) = (lift(samples.parameters), lift(samples.state));
    let mut whole = Term::default();
    let mut orders = vec![Term::default(); blocks + 1];
    let mut sampled = vec![Term::default(); draws.len()];
    let groups = samples.count.div_ceil(TOGETHER);
    let steps = blocks + draws.len();
    for group in 0..groups {
        let mut step = group * steps;
        let mut tick = || {
            step += 1;
            poll(step, groups * steps)
        };
        let members = group * TOGETHER..samples.count.min((group + 1) * TOGETHER);
        let at: Vec<Linearised> = members
            .into_par_iter()
            .map(|sample| linearise(samples, (&parameters, &state), sample))
            .collect::<Result<_, _>>()?;
        for sample in &at {
            whole.add(Term::of(&sample.whole, &sample.whole));
        }
        for (parts, sample) in orders_of((network, &parameters), &at, &mut tick)?
            .iter()
            .zip(&at)
        {
            for (sum, part) in orders.iter_mut().zip(parts) {
                sum.add(Term::of(part, &sample.whole));
            }
        }
        for (sum, draw) in sampled.iter_mut().zip(draws) {
            let terms: Vec<Term> = at
                .par_iter()
                .map(|sample| {
                    let path = along((network, &parameters), sample, &draw.through_branch);
                    Term::of(&path, &sample.whole)
                })
                .collect();
            terms.into_iter().for_each(|term| sum.add(term));
            tick()?;
        }
    }
    let of_mean = |term: Term| term.of_mean(samples.count);
    Ok(Profile {
        blocks,
        samples: samples.count,
        whole: of_mean(whole),
        orders: orders.into_iter().map(of_mean).collect(),
        draws: draws
            .iter()
            .zip(sampled)
            .map(|(draw, term)| (draw.length, of_mean(term)))
            .collect(),
    })
}

/// Forward and ordinary backward of one sample, from the first block's input on.
pub(super) fn linearise(
    samples: &Samples<'_>,
    (parameters, state): (&[f64], &[f64]),
    sample: usize,
) -> Result<Linearised, ShapeError> {
    let Samples { network, split, .. } = *samples;
    let len = network.input.len();
    let input = tensor(
        &split.inputs[sample * len..(sample + 1) * len],
        network.input,
    )?;
    let run = |part, input: &Tensor<f64>| {
        forward_part(network, part, parameters, state, Mode::Evaluation, input)
    };
    let entered = run(Part::before(0), &input)?.output;
    let pass = run(Part::from(network, 0), &entered)?;
    let outputs = network.outputs;
    let targets = match &split.targets {
        Targets::Classes(classes) => TargetsRef::Classes(&classes[sample..=sample]),
        Targets::Values { values, .. } => {
            TargetsRef::Values(&values[sample * outputs..(sample + 1) * outputs])
        }
    };
    let grad_outputs = loss(&samples.loss, &pass.output, targets)?.grad_outputs;
    let mut gradients = pass.backward(network, parameters, &grad_outputs);
    let start = gradients.block_outputs.pop();
    Ok(Linearised {
        pass,
        start: start.unwrap_or_else(|| gradients.input.clone()),
        whole: gradients.input,
    })
}

/// For each sample the sum of all paths of each length: `g_k ← S_lᵀ g_k + J_lᵀ g_{k−1}`, l from the last block to
/// the first.
pub(super) fn orders_of(
    (network, parameters): (&Network, &[f64]),
    at: &[Linearised],
    tick: &mut dyn FnMut() -> Result<(), ProbeError>,
) -> Result<Vec<Vec<Tensor<f64>>>, ProbeError> {
    let mut orders: Vec<Vec<Tensor<f64>>> =
        at.iter().map(|sample| vec![sample.start.clone()]).collect();
    for block in (0..network.blocks.len()).rev() {
        let before = network.blocks.len() - block;
        // All samples and orders at once: the last order of one sample costs as much as the first.
        let mut after: Vec<Tensor<f64>> = (0..at.len() * (before + 1))
            .into_par_iter()
            .map(|place| {
                let (sample, k) = (place / (before + 1), place % (before + 1));
                let known = &orders[sample];
                let shorter = k.checked_sub(1).map(|shorter| &known[shorter]);
                let numbers = (network, parameters);
                at[sample]
                    .pass
                    .backward_by_roads(numbers, block, known.get(k), shorter)
            })
            .collect();
        for known in orders.iter_mut().rev() {
            *known = after.split_off(after.len() - (before + 1));
        }
        tick()?;
    }
    Ok(orders)
}

/// What arrives at the first block's input along one path.
pub(super) fn along(
    (network, parameters): (&Network, &[f64]),
    sample: &Linearised,
    through_branch: &[bool],
) -> Tensor<f64> {
    let blocks = through_branch.iter().enumerate().rev();
    blocks.fold(sample.start.clone(), |grad, (block, &through_branch)| {
        let (by_shortcut, by_branches) = match through_branch {
            true => (None, Some(&grad)),
            false => (Some(&grad), None),
        };
        let numbers = (network, parameters);
        let pass = &sample.pass;
        pass.backward_by_roads(numbers, block, by_shortcut, by_branches)
    })
}
