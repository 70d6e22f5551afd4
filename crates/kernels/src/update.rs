//! One step of an optimiser over a range of the parameter arena, in PyTorch's order of operations.
//!
//! Elementwise, each number rounded on its own: the same bits on every machine. Cost: each slice
//! is read once, parameters and buffers written once: 20 bytes a parameter for SGD, 28 for Adam.

use crate::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;

/// Settings of a step of stochastic gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub learning_rate: f32,
    /// Momentum, 0 for none.
    pub momentum: f32,
    /// Nesterov's look-ahead.
    pub nesterov: bool,
    /// Factor of `½‖w‖²` added to the loss; or, if decoupled, `w` shrinks by `learning_rate ·
    /// weight_decay` of itself first.
    pub weight_decay: f32,
    /// Whether decay is kept out of gradient and momentum.
    pub decoupled: bool,
    /// Multiplies the gradient first: clipping.
    pub gradient_scale: f32,
}

/// Settings of a step of Adam (Kingma, Ba 2014) or AdamW (`decoupled`; Loshchilov, Hutter 2017).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate. In `f64`, like the betas: `1 − 0.999` in `f32` is off by 1e-5 of itself.
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the squares.
    pub epsilon: f32,
    /// See [`Sgd::weight_decay`].
    pub weight_decay: f32,
    /// See [`Sgd::decoupled`].
    pub decoupled: bool,
    /// See [`Sgd::gradient_scale`].
    pub gradient_scale: f32,
    /// Steps done, this one included: 1 in the first.
    pub step: u64,
}

/// Enters the body compiled for the instruction set.
macro_rules! compiled {
    ($isa:expr, $body:ident ( $($arg:ident : $ty:ty),* )) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512dq")]
        fn avx512($($arg: $ty),*) { $body($($arg),*) }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn avx2($($arg: $ty),*) { $body($($arg),*) }
        match $isa.0 {
            // SAFETY: an `Isa` exists only for a set that the machine has.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2($($arg),*) },
            _ => $body($($arg),*),
        }
    }};
}

/// `velocity = momentum · velocity + g`, `parameters −= learning_rate · velocity` (or, with
/// Nesterov, `g + momentum · velocity`). Velocities start at 0. All slices have one number a
/// parameter. At most 10 FLOPs, 20 bytes each.
pub fn sgd(isa: Isa, s: Sgd, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    assert_eq!(parameters.len(), gradient.len(), "one gradient a parameter");
    assert_eq!(parameters.len(), velocity.len(), "one velocity a parameter");
    compiled!(isa, sgd_body(s: Sgd, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]));
}

#[inline(always)]
fn sgd_body(s: Sgd, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    let keep = if s.decoupled {
        1.0 - s.learning_rate * s.weight_decay
    } else {
        1.0
    };
    let decay = if s.decoupled { 0.0 } else { s.weight_decay };
    for ((w, &g), v) in parameters.iter_mut().zip(gradient).zip(velocity) {
        *w *= keep;
        let g = g * s.gradient_scale + decay * *w;
        *v = s.momentum * *v + g;
        let direction = if s.nesterov { g + s.momentum * *v } else { *v };
        *w -= s.learning_rate * direction;
    }
}

/// Adam's step (Kingma, Ba 2014, algorithm 1). `mean` and `square` are the running moments, one
/// number a parameter; both start at 0. 14 FLOPs, a root and two divisions, 28 bytes each.
pub fn adam(
    isa: Isa,
    a: Adam,
    parameters: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    assert_eq!(parameters.len(), gradient.len(), "one gradient a parameter");
    assert_eq!(parameters.len(), mean.len(), "one mean a parameter");
    assert_eq!(parameters.len(), square.len(), "one square a parameter");
    compiled!(isa, adam_body(a: Adam, parameters: &mut [f32], gradient: &[f32], mean: &mut [f32],
        square: &mut [f32]));
}

#[inline(always)]
fn adam_body(
    a: Adam,
    parameters: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    let keep = if a.decoupled {
        (1.0 - a.learning_rate * f64::from(a.weight_decay)) as f32
    } else {
        1.0
    };
    let decay = if a.decoupled { 0.0 } else { a.weight_decay };
    let step = i32::try_from(a.step).unwrap_or(i32::MAX);
    let size = (a.learning_rate / (1.0 - a.beta1.powi(step))) as f32;
    let root = (1.0 - a.beta2.powi(step)).sqrt() as f32;
    let new = [(1.0 - a.beta1) as f32, (1.0 - a.beta2) as f32];
    let old = a.beta2 as f32;
    for (((w, &g), m), q) in parameters.iter_mut().zip(gradient).zip(mean).zip(square) {
        *w *= keep;
        let g = g * a.gradient_scale + decay * *w;
        *m += new[0] * (g - *m);
        *q = old * *q + new[1] * g * g;
        *w -= size * (*m / (q.sqrt() / root + a.epsilon));
    }
}

#[cfg(test)]
mod tests;
