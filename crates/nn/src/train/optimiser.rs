//! The rules that turn a gradient into a step: SGD, Adam, AdamW, in PyTorch's exact form.
//!
//! With gradient `g`, parameters `p`, rate `η`, decay `λ` and step count `t` from 1:
//!
//! | rule | step |
//! |------|------|
//! | SGD  | `m ← μm + g`; `p ← p − ηm`, or `p − η(g + μm)` with Nesterov |
//! | Adam | `m ← β₁m + (1 − β₁)g`; `v ← β₂v + (1 − β₂)g²`; `p ← p − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)` |
//!
//! L2 decay adds `λp` to `g` beforehand; decoupled decay (AdamW) multiplies `p` by `1 − ηλ`
//! instead. The buffers `m` and `v` are vectors of the parameter arena.

use std::ops::Range;

use reslab_kernels::{Isa, reduce, update};

use super::freeze;
use super::settings::{Optimizer, TrainSettings};
use crate::network::{Layout, Network, Role};

/// An optimiser: its constants, and the buffers it keeps between steps.
#[derive(Debug, Clone)]
pub struct Optimiser {
    settings: TrainSettings,
    /// Ranges of the arena that move, in order.
    pieces: Vec<Piece>,
    /// SGD: `m`. Adam and AdamW: `m`, `v`.
    buffers: Vec<Vec<f32>>,
}

/// A range of the arena whose parameters are treated alike.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    range: Range<usize>,
    decays: bool,
    /// What the rate is multiplied by.
    rate: f64,
}

impl Optimiser {
    /// The optimiser the settings ask for, with buffers of zeros, which moves every parameter at
    /// one rate.
    pub fn new(settings: &TrainSettings, layout: &Layout) -> Self {
        let buffers = match settings.optimizer {
            Optimizer::Sgd => 1,
            Optimizer::Adam | Optimizer::AdamW => 2,
        };
        Self {
            settings: settings.clone(),
            pieces: pieces(layout, settings.decay_norm_and_bias, |_| 1.0),
            buffers: vec![vec![0.0; layout.parameter_count()]; buffers],
        }
    }

    /// The same for a network of which the settings may freeze a part or slow it down.
    pub fn for_network(settings: &TrainSettings, network: &Network) -> Self {
        let (layout, rates) = (&network.layout, freeze::rates(network, settings));
        let pieces = pieces(layout, settings.decay_norm_and_bias, |index| rates[index]);
        Self {
            pieces,
            ..Self::new(settings, layout)
        }
    }

    /// What it keeps between steps, for a checkpoint.
    pub fn buffers(&self) -> &[Vec<f32>] {
        &self.buffers
    }

    /// Takes up buffers of a checkpoint. Returns false, and changes nothing, if their number or
    /// lengths are not those of this optimiser.
    pub fn restore(&mut self, buffers: Vec<Vec<f32>>) -> bool {
        let lengths = |buffers: &[Vec<f32>]| buffers.iter().map(Vec::len).collect::<Vec<_>>();
        let fits = lengths(&buffers) == lengths(&self.buffers);
        if fits {
            self.buffers = buffers;
        }
        fits
    }

    /// One step along `scale` times the gradient. `lr` is the rate of this step; `count` is its
    /// number in the run, from 1.
    pub fn step(
        &mut self,
        parameters: &mut [f32],
        gradient: &[f32],
        scale: f64,
        lr: f64,
        count: usize,
    ) {
        let settings = &self.settings;
        let isa = Isa::current();
        for Piece {
            range,
            decays,
            rate,
        } in &self.pieces
        {
            let lr = lr * rate;
            let weight_decay = if *decays {
                settings.weight_decay as f32
            } else {
                0.0
            };
            let w = &mut parameters[range.clone()];
            let g = &gradient[range.clone()];
            match self.buffers.as_mut_slice() {
                [velocity] => {
                    let sgd = update::Sgd {
                        learning_rate: lr as f32,
                        momentum: settings.momentum as f32,
                        nesterov: settings.nesterov,
                        weight_decay,
                        decoupled: settings.decoupled_decay,
                        gradient_scale: scale as f32,
                    };
                    let velocity = &mut velocity[range.clone()];
                    in_pieces([w, velocity], g, &|[w, velocity], g| {
                        update::sgd(isa, sgd, w, g, velocity);
                    });
                }
                [mean, square] => {
                    let adam = update::Adam {
                        learning_rate: lr,
                        beta1: settings.betas[0],
                        beta2: settings.betas[1],
                        epsilon: settings.epsilon as f32,
                        weight_decay,
                        decoupled: settings.decoupled_decay
                            || settings.optimizer == Optimizer::AdamW,
                        gradient_scale: scale as f32,
                        step: count as u64,
                    };
                    let (mean, square) = (&mut mean[range.clone()], &mut square[range.clone()]);
                    in_pieces([w, mean, square], g, &|[w, mean, square], g| {
                        update::adam(isa, adam, w, g, mean, square);
                    });
                }
                _ => unreachable!("`new` makes one buffer or two, `restore` keeps their number"),
            }
        }
    }
}

/// Numbers that are updated by one thread.
const UPDATED_AT_ONCE: usize = 1 << 16;

/// Updates halves of long slices on any thread, then halves of those: every number is updated on
/// its own, so it does not matter by whom.
fn in_pieces<const N: usize>(
    slices: [&mut [f32]; N],
    gradient: &[f32],
    update: &(impl Fn([&mut [f32]; N], &[f32]) + Sync),
) {
    if gradient.len() <= UPDATED_AT_ONCE {
        return update(slices, gradient);
    }
    let middle = (gradient.len() / 2).next_multiple_of(16);
    let (front, back) = gradient.split_at(middle);
    let mut rest = [const { None }; N];
    let mut rest_of = rest.iter_mut();
    let slices = slices.map(|slice| {
        let (front, back) = slice.split_at_mut(middle);
        if let Some(rest) = rest_of.next() {
            *rest = Some(back);
        }
        front
    });
    let rest = rest.map(Option::unwrap_or_default);
    rayon::join(
        || in_pieces(slices, front, update),
        || in_pieces(rest, back, update),
    );
}

/// Ranges of the arena that are treated alike, joined where they touch; `rate` is asked with the
/// index of each entry, and one of rate 0 is left out.
fn pieces(layout: &Layout, decay_norm_and_bias: bool, rate: impl Fn(usize) -> f64) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, entry) in layout.parameters.iter().enumerate() {
        let is_weight = matches!(entry.role, Role::ConvWeight | Role::LinearWeight);
        let (decays, rate) = (decay_norm_and_bias || is_weight, rate(index));
        if rate == 0.0 {
            continue;
        }
        match pieces.last_mut() {
            Some(last)
                if last.decays == decays
                    && last.rate == rate
                    && last.range.end == entry.slot.offset =>
            {
                last.range.end = entry.slot.range().end;
            }
            _ => pieces.push(Piece {
                range: entry.slot.range(),
                decays,
                rate,
            }),
        }
    }
    pieces
}

/// Euclidean norm of a vector of the arena, summed in `f64` in an order that depends on nothing
/// but its length.
pub fn norm(vector: &[f32]) -> f64 {
    reduce::sum_of_squares(vector).sqrt()
}

/// What a gradient of the given norm is multiplied by so that it is at most `limit` long:
/// PyTorch's `clip_grad_norm_`, with its 1e-6 beside the norm.
pub fn clip_scale(norm: f64, limit: Option<f64>) -> f64 {
    limit.map_or(1.0, |limit| (limit / (norm + 1e-6)).min(1.0))
}

#[cfg(test)]
mod tests;
