//! Which laws the Jacobian of a range of blocks has.
//!
//! Only fully connected blocks of one width, without batch norm, have one: theory wants independent
//! rows and columns. Variances are those of the weights as they stand; after training the law is what
//! independent weights of these variances would have.
//!
//! | block | law |
//! |-------|-----|
//! | `x + V φ(W x)`, `x + φ(W x)` for tanh and identity | holds |
//! | `x + relu(W x)` | the bulk holds; one singular value leaves it, growing as exp(O(√L)), since the gates depend on W and the stream has a mean |
//! | `x + W φ(x)` | roughly: gates persist from block to block, which makes the law wider |
//! | plain, ReLU or linear | holds; tanh and other activations have no law here |

use std::ops::Range;

use reslab_nn::network::{Activation, Block, Layer, Linear, Network, Op, Shortcut};

use super::Law;
use super::mean_field::{Step, residual_block};
use super::plain::{PlainLaw, Weights};

/// Laws, and what is known to be wrong with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The laws, that of the paper first.
    pub laws: Vec<Law>,
    /// What is known to deviate; empty if nothing is.
    pub caveat: &'static str,
}

/// The smallest sum of variances that has a law.
const LEAST: f64 = 1e-9;

/// The law of the product of `range` of the blocks, `length` being the mean square of what goes into
/// the first of them; or why there is none.
pub fn predict(
    (network, parameters): (&Network, &[f32]),
    range: Range<usize>,
    length: f64,
) -> Result<Prediction, &'static str> {
    let blocks = network.blocks.get(range).unwrap_or_default();
    let first = blocks.first().ok_or("there are no blocks")?;
    let branches: Vec<&[Layer]> = blocks.iter().map(branch).collect::<Result<_, _>>()?;
    if blocks.iter().all(|block| block.shortcut == Shortcut::None) {
        return plain(&branches, parameters);
    }
    if blocks.iter().any(|b| b.shortcut != Shortcut::Identity) {
        return Err("theory here knows identity shortcuts or none");
    }
    if blocks.iter().any(|b| !b.post.is_empty()) {
        return Err("theory here knows no nonlinearity after the addition");
    }
    let mut q = length;
    let mut variances = Vec::new();
    for branch in &branches {
        let found = residual_block(&steps(branch, parameters)?, q);
        variances.push(found.variance);
        q = found.length;
    }
    let c: f64 = variances.iter().sum();
    if !(c > LEAST && c.is_finite()) {
        return Err("the branches are zero: every singular value is 1");
    }
    let mut laws = vec![Law::ManyBlocks { c }];
    let (kind, activation) = kind(&steps(branches[0], parameters)?);
    let gaussian = first_weights(first, parameters) == Some(Weights::Gaussian);
    // Gates would change the fourth moment of X.
    let single = kind == Kind::One && activation != Activation::Relu;
    if single && gaussian && variances.iter().all(|&t| t > LEAST) {
        laws.push(Law::Blocks { variances });
    }
    Ok(Prediction {
        laws,
        caveat: caveat(kind, activation),
    })
}

/// Layers of a branch as theory sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// φ(W x).
    One,
    /// V φ(W x).
    Two,
    /// Begins with a nonlinearity of the stream.
    Pre,
}

fn kind(steps: &[Step]) -> (Kind, Activation) {
    let mut activation = Activation::Identity;
    let mut linear = 0;
    for step in steps {
        match step {
            Step::Linear { .. } => linear += 1,
            // The identity is no nonlinearity.
            Step::Nonlinear(Activation::Identity) => {}
            Step::Nonlinear(other) => activation = *other,
        }
    }
    let kind = match steps.first() {
        Some(Step::Nonlinear(_)) if activation != Activation::Identity => Kind::Pre,
        _ if linear > 1 => Kind::Two,
        _ => Kind::One,
    };
    (kind, activation)
}

fn caveat(kind: Kind, activation: Activation) -> &'static str {
    match (kind, activation) {
        (Kind::One, Activation::Relu) => {
            "x + relu(Wx): the bulk follows the law, one singular value explodes"
        }
        (Kind::Pre, Activation::Relu | Activation::Tanh) => {
            "x + W f(x): slopes persist from block to block, the law is too narrow"
        }
        _ => "",
    }
}

/// The layers of a block that theory can look at.
fn branch(block: &Block) -> Result<&[Layer], &'static str> {
    if block.gate.is_some() || block.survival.is_some() {
        return Err("theory here knows no gates and no stochastic depth");
    }
    match (&block.branches[..], &block.pre[..]) {
        ([branch], []) => Ok(branch),
        _ => Err("theory here knows blocks of one branch"),
    }
}

fn steps(branch: &[Layer], parameters: &[f32]) -> Result<Vec<Step>, &'static str> {
    let steps = branch.iter().map(|layer| match &layer.op {
        Op::Linear(linear) if linear.in_features == linear.out_features => Ok(Step::Linear {
            weight: weight_variance(linear, parameters),
            bias: linear.bias.map_or(0.0, |b| mean_square(b.of(parameters))),
        }),
        Op::Linear(_) => Err("theory here knows linear layers of one width"),
        Op::Activation(activation) => Ok(Step::Nonlinear(*activation)),
        Op::BatchNorm(_) => Err("batch norm: theory says how gradients grow, and no law"),
        Op::Conv2d(_) => Err("convolutions: theory here knows fully connected layers"),
        _ => Err("theory here knows linear layers and nonlinearities"),
    });
    steps.collect()
}

/// N times the mean square of a weight.
fn weight_variance(linear: &Linear, parameters: &[f32]) -> f64 {
    linear.in_features as f64 * mean_square(linear.weight.of(parameters))
}

fn mean_square(values: &[f32]) -> f64 {
    let squares = values.iter().map(|v| f64::from(*v).powi(2));
    squares.sum::<f64>() / values.len().max(1) as f64
}

fn plain(branches: &[&[Layer]], parameters: &[f32]) -> Result<Prediction, &'static str> {
    let (mut linear, mut gates, mut ln_gain) = (0, 0, 0.0);
    let mut drawn: Option<Weights> = None;
    for branch in branches {
        for step in steps(branch, parameters)? {
            match step {
                Step::Linear { weight, .. } => {
                    linear += 1;
                    ln_gain += weight.ln();
                }
                Step::Nonlinear(Activation::Identity) => {}
                Step::Nonlinear(Activation::Relu) => gates += 1,
                Step::Nonlinear(Activation::Tanh) => {
                    return Err("plain tanh networks: no law here, only mean and variance");
                }
            }
        }
        for weights in branch.iter().filter_map(|layer| weights(layer, parameters)) {
            if drawn.is_some_and(|before| before != weights) {
                return Err("some weights are orthogonal and some are not");
            }
            drawn = Some(weights);
        }
    }
    let weights = drawn.ok_or("there are no weights")?;
    if !ln_gain.is_finite() {
        return Err("a weight matrix is zero: every singular value is 0");
    }
    match (weights, gates) {
        (Weights::Orthogonal, 0) => {
            return Err("orthogonal and linear: every singular value is the product of the gains");
        }
        (Weights::Orthogonal, 1 | 2) => {
            return Err("orthogonal weights have a density from three layers of gates on");
        }
        _ => {}
    }
    let law = PlainLaw {
        weights,
        linear,
        gates,
        open: 0.5,
        ln_gain,
    };
    Ok(Prediction {
        laws: vec![Law::Plain(law)],
        caveat: "",
    })
}

/// How the first weights of a block are drawn.
fn first_weights(block: &Block, parameters: &[f32]) -> Option<Weights> {
    block.layers().find_map(|layer| weights(layer, parameters))
}

/// Whether the first rows of a weight matrix are at right angles to each other: random ones meet at
/// cosines of about 1/√N.
fn weights(layer: &Layer, parameters: &[f32]) -> Option<Weights> {
    const ROWS: usize = 16;
    const RIGHT: f64 = 1e-4;
    let Op::Linear(linear) = &layer.op else {
        return None;
    };
    let rows: Vec<&[f32]> = linear
        .weight
        .of(parameters)
        .chunks_exact(linear.in_features)
        .take(ROWS)
        .collect();
    let dot = |a: &[f32], b: &[f32]| {
        let terms = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        terms.sum::<f64>()
    };
    let cosine = |a: &[f32], b: &[f32]| dot(a, b).powi(2) / (dot(a, a) * dot(b, b));
    let right = |i: usize| (0..i).all(|j| cosine(rows[i], rows[j]) < RIGHT * RIGHT);
    let orthogonal = rows.len() > 1 && (1..rows.len()).all(right);
    Some(if orthogonal {
        Weights::Orthogonal
    } else {
        Weights::Gaussian
    })
}
