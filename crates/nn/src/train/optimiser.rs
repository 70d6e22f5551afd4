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

use super::settings::{Optimizer, TrainSettings};
use crate::network::{Layout, Role};

/// An optimiser: its constants, and the buffers it keeps between steps.
#[derive(Debug, Clone)]
pub struct Optimiser {
    rule: Optimizer,
    momentum: f32,
    nesterov: bool,
    betas: [f64; 2],
    epsilon: f32,
    weight_decay: f64,
    decoupled: bool,
    /// Ranges of the arena, in order, and whether they decay.
    pieces: Vec<(Range<usize>, bool)>,
    /// SGD: `m` if there is momentum. Adam and AdamW: `m`, `v`.
    buffers: Vec<Vec<f32>>,
}

impl Optimiser {
    /// The optimiser the settings ask for, with buffers of zeros.
    pub fn new(settings: &TrainSettings, layout: &Layout) -> Self {
        let buffers = match settings.optimizer {
            Optimizer::Sgd if settings.momentum == 0.0 => 0,
            Optimizer::Sgd => 1,
            Optimizer::Adam | Optimizer::AdamW => 2,
        };
        Self {
            rule: settings.optimizer,
            momentum: settings.momentum as f32,
            nesterov: settings.nesterov,
            betas: settings.betas,
            epsilon: settings.epsilon as f32,
            weight_decay: settings.weight_decay,
            decoupled: settings.decoupled_decay || settings.optimizer == Optimizer::AdamW,
            pieces: pieces(layout, settings.decay_norm_and_bias),
            buffers: vec![vec![0.0; layout.parameter_count()]; buffers],
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

    /// One step. `lr` is the rate of this step; `count` is its number in the run, from 1.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], lr: f64, count: usize) {
        assert_eq!(
            parameters.len(),
            gradient.len(),
            "one gradient for each parameter"
        );
        for (range, decays) in self.pieces.clone() {
            let decay = if decays { self.weight_decay } else { 0.0 };
            let p = &mut parameters[range.clone()];
            let g = &gradient[range.clone()];
            let (shrink, l2) = match self.decoupled {
                true => ((1.0 - lr * decay) as f32, 0.0),
                false => (1.0, decay as f32),
            };
            match (self.rule, self.buffers.as_mut_slice()) {
                (Optimizer::Adam | Optimizer::AdamW, [m, v]) => {
                    let [beta1, beta2] = self.betas;
                    let corrections = self.betas.map(|beta| 1.0 - beta.powi(count as i32));
                    let adam = Adam {
                        size: (lr / corrections[0]) as f32,
                        root: corrections[1].sqrt() as f32,
                        fresh: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
                        keep: beta2 as f32,
                        epsilon: self.epsilon,
                    };
                    adam.step(p, g, &mut m[range.clone()], &mut v[range], shrink, l2);
                }
                (_, [m, ..]) => {
                    let m = &mut m[range];
                    momentum_step(p, g, m, lr as f32, self.momentum, self.nesterov, shrink, l2);
                }
                (_, []) => {
                    for (p, &g) in p.iter_mut().zip(g) {
                        *p = shrink * *p - lr as f32 * (g + l2 * *p);
                    }
                }
            }
        }
    }
}

/// Ranges of the arena that decay alike, joined where they touch.
fn pieces(layout: &Layout, decay_norm_and_bias: bool) -> Vec<(Range<usize>, bool)> {
    let mut pieces: Vec<(Range<usize>, bool)> = Vec::new();
    for entry in &layout.parameters {
        let is_weight = matches!(entry.role, Role::ConvWeight | Role::LinearWeight);
        let decays = decay_norm_and_bias || is_weight;
        match pieces.last_mut() {
            Some((range, same)) if *same == decays && range.end == entry.slot.offset => {
                range.end = entry.slot.range().end;
            }
            _ => pieces.push((entry.slot.range(), decays)),
        }
    }
    pieces
}

#[expect(clippy::too_many_arguments, reason = "the symbols of one formula")]
fn momentum_step(
    parameters: &mut [f32],
    gradient: &[f32],
    buffer: &mut [f32],
    lr: f32,
    momentum: f32,
    nesterov: bool,
    shrink: f32,
    l2: f32,
) {
    let ahead = if nesterov {
        [1.0, momentum]
    } else {
        [0.0, 1.0]
    };
    for ((p, &g), m) in parameters.iter_mut().zip(gradient).zip(buffer) {
        let g = g + l2 * *p;
        *m = momentum * *m + g;
        *p = shrink * *p - lr * (ahead[0] * g + ahead[1] * *m);
    }
}

/// Constants of one step of Adam.
struct Adam {
    /// `η / (1 − β₁ᵗ)`.
    size: f32,
    /// `√(1 − β₂ᵗ)`.
    root: f32,
    /// `1 − β₁`, `1 − β₂`.
    fresh: [f32; 2],
    /// `β₂`.
    keep: f32,
    /// `ε`.
    epsilon: f32,
}

impl Adam {
    fn step(&self, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], shrink: f32, l2: f32) {
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let g = g + l2 * *p;
            *m += (g - *m) * self.fresh[0];
            *v = self.keep * *v + self.fresh[1] * g * g;
            *p = shrink * *p - self.size * *m / (v.sqrt() / self.root + self.epsilon);
        }
    }
}

/// Euclidean norm of a vector of the arena, summed in `f64` in an order that depends on nothing
/// but its length.
pub fn norm(vector: &[f32]) -> f64 {
    const LANES: usize = 8;
    let chunks = vector.chunks_exact(LANES);
    let rest = chunks.remainder();
    let mut sums = [0.0f64; LANES];
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    let rest = rest
        .iter()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum::<f64>();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// Scales a gradient of the given norm down to `limit` if it is longer (PyTorch's
/// `clip_grad_norm_`, with its 1e-6 beside the norm).
pub fn clip(gradient: &mut [f32], norm: f64, limit: f64) {
    let factor = limit / (norm + 1e-6);
    if factor < 1.0 {
        for g in gradient {
            *g *= factor as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Entry, Slot};

    /// A weight of three numbers and a bias of two.
    fn layout() -> Layout {
        let entry = |name: &str, role, offset, len| Entry {
            name: name.to_owned(),
            block: None,
            role,
            shape: vec![len],
            slot: Slot { offset, len },
            ends_branch: false,
        };
        let weight = entry("linear.weight", Role::LinearWeight, 0, 3);
        Layout {
            parameters: vec![weight, entry("linear.bias", Role::Bias, 3, 2)],
            state: Vec::new(),
        }
    }

    /// Four steps with the gradients `[0.1k, −0.3, 0.2 − 0.1k]`, `[0.05, 0.4/k]` and the rates
    /// `0.1/k`, k from 1, as PyTorch was given them.
    fn four_steps(settings: &TrainSettings) -> Vec<f32> {
        let mut optimiser = Optimiser::new(settings, &layout());
        let mut parameters = vec![1.0, -2.0, 0.5, 0.25, -0.75];
        for count in 1..=4 {
            let k = count as f32;
            let gradient = [0.1 * k, -0.3, 0.2 - 0.1 * k, 0.05, 0.4 / k];
            optimiser.step(&mut parameters, &gradient, 0.1 / count as f64, count);
        }
        parameters
    }

    fn assert_close(settings: &TrainSettings, pytorch: [f64; 5]) {
        let ours = four_steps(settings);
        for (index, (ours, theirs)) in ours.iter().zip(pytorch).enumerate() {
            let error = (f64::from(*ours) - theirs).abs();
            assert!(error < 3e-7, "number {index}: {ours}, not {theirs}");
        }
    }

    fn settings(optimizer: Optimizer) -> TrainSettings {
        TrainSettings {
            optimizer,
            momentum: 0.0,
            betas: [0.8, 0.95],
            epsilon: 1e-6,
            weight_decay: 0.01,
            ..TrainSettings::default()
        }
    }

    // The numbers are PyTorch 2's, in f64: parameters w = [1, −2, 0.5] and b = [0.25, −0.75], the
    // gradients and rates of `four_steps` put into `.grad` and the parameter groups' "lr", and
    // torch.optim.X(...).step() with the arguments of each test's comment.

    #[test]
    fn sgd_equals_pytorch() {
        // SGD([w, b])
        let plain = TrainSettings {
            weight_decay: 0.0,
            ..settings(Optimizer::Sgd)
        };
        assert_close(
            &plain,
            [0.96, -1.9375, 0.498333333, 0.239583333, -0.806944444],
        );
    }

    #[test]
    fn sgd_with_momentum_and_decay_equals_pytorch() {
        // SGD([w, b], momentum=0.9, weight_decay=0.01)
        let momentum = TrainSettings {
            momentum: 0.9,
            ..settings(Optimizer::Sgd)
        };
        let known = [
            0.930501718,
            -1.88127106,
            0.489727275,
            0.230521033,
            -0.853201382,
        ];
        assert_close(&momentum, known);
    }

    #[test]
    fn nesterov_with_decay_of_weights_alone_equals_pytorch() {
        // SGD([{"params": [w], "weight_decay": 0.01}, {"params": [b], "weight_decay": 0}],
        //     momentum=0.9, nesterov=True)
        let nesterov = TrainSettings {
            momentum: 0.9,
            nesterov: true,
            decay_norm_and_bias: false,
            ..settings(Optimizer::Sgd)
        };
        let known = [
            0.895436582,
            -1.82663564,
            0.488084235,
            0.222874458,
            -0.902420444,
        ];
        assert_close(&nesterov, known);
    }

    #[test]
    fn adam_equals_pytorch() {
        // Adam([w, b], betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01)
        let known = [
            0.793272829,
            -1.79169256,
            0.385838921,
            0.0418324125,
            -0.943193445,
        ];
        assert_close(&settings(Optimizer::Adam), known);
    }

    #[test]
    fn adamw_with_decay_of_weights_alone_equals_pytorch() {
        // AdamW([{"params": [w], "weight_decay": 0.01}, {"params": [b], "weight_decay": 0}],
        //       betas=(0.8, 0.95), eps=1e-6)
        let some = TrainSettings {
            decay_norm_and_bias: false,
            ..settings(Optimizer::AdamW)
        };
        let known = [
            0.791779997,
            -1.7876494,
            0.388756974,
            0.0416708333,
            -0.944029557,
        ];
        assert_close(&some, known);
    }

    #[test]
    fn adam_with_decoupled_decay_is_adamw() {
        let adam = TrainSettings {
            decoupled_decay: true,
            ..settings(Optimizer::Adam)
        };
        assert_eq!(four_steps(&adam), four_steps(&settings(Optimizer::AdamW)));
        assert_ne!(four_steps(&adam), four_steps(&settings(Optimizer::Adam)));
    }

    #[test]
    fn decoupled_decay_without_gradient_only_shrinks() {
        let sgd = TrainSettings {
            decoupled_decay: true,
            ..settings(Optimizer::Sgd)
        };
        let mut parameters = vec![1.0, -2.0, 0.5, 0.25, -0.75];
        Optimiser::new(&sgd, &layout()).step(&mut parameters, &[0.0; 5], 0.5, 1);
        for (p, start) in parameters.iter().zip([1.0, -2.0, 0.5, 0.25, -0.75]) {
            assert!((p - 0.995 * start).abs() < 1e-6, "{p} from {start}");
        }
    }

    #[test]
    fn a_clipped_gradient_has_the_limit_as_its_norm() {
        // torch.nn.utils.clip_grad_norm_ of (3, 4) to 1 returns 5 and leaves (0.6, 0.79999983).
        let mut gradient = [3.0, 4.0];
        let length = norm(&gradient);
        assert_eq!(length, 5.0);
        clip(&mut gradient, length, 1.0);
        assert_eq!(gradient, [0.5999999, 0.79999983]);
        clip(&mut gradient, norm(&[0.5999999, 0.79999983]), 2.0);
        assert_eq!(gradient, [0.5999999, 0.79999983]);
    }

    #[test]
    fn the_norm_counts_every_number_once() {
        let ones = vec![1.0f32; 1003];
        assert_eq!(norm(&ones), 1003f64.sqrt());
    }

    #[test]
    fn foreign_buffers_are_refused() {
        let mut adam = Optimiser::new(&settings(Optimizer::Adam), &layout());
        assert!(!adam.restore(vec![vec![1.0; 5]]));
        assert!(!adam.restore(vec![vec![1.0; 5], vec![1.0; 4]]));
        assert_eq!(adam.buffers(), [[0.0; 5], [0.0; 5]]);
        assert!(adam.restore(vec![vec![1.0; 5], vec![2.0; 5]]));
        assert_eq!(adam.buffers(), [[1.0; 5], [2.0; 5]]);
    }
}
