//! Batch norms, channel by channel: from sums over the batch to the coefficients of the passes.
//!
//! With `r = 1/√(σ² + ε)`, `c = z − μ`, means `m(·)` over batch and positions, and h the gradient
//! after the norm:
//!
//! ```text
//! y  = γ r c + β
//! z̄  = γ r h − γ r A − γ r³ D c                  A = m(h),  D = m(h c)     (0 with running statistics)
//! ∂L/∂γ = N r D,   ∂L/∂β = N A
//! ```
//!
//! (Ioffe, Szegedy 2015, section 3, with the chain rule written out), and along a direction, with
//! batch statistics, `μ˙ = m(ż)`, `ċ = ż − μ˙`, `ṙ = −r³ m(c ż)`, `Ȧ = m(ḣ)`,
//! `Ḋ = m(ḣ c + h ż) − μ˙ A`; with running ones μ˙, ṙ, and the terms in A and D are 0:
//!
//! ```text
//! ẏ  = γ r ż + (γ˙ r + γ ṙ) c + β˙ − γ r μ˙
//! z̄˙ = γ r ḣ + (γ˙ r + γ ṙ) h − (γ˙ r³ D + 3 γ r² ṙ D + γ r³ Ḋ) c − γ r³ D ż
//!      − (γ˙ r + γ ṙ) A − γ r Ȧ + γ r³ D μ˙
//! ```

use reslab_kernels::batch_norm::Moments;
use reslab_kernels::pointwise::{Affine, Combination};
use reslab_kernels::tangent::Mixture;

use super::program::{Norm, Program};

/// Coefficients of all norms, one number a channel; and, past the norms' channels, those of what
/// has no norm.
#[derive(Debug, Default)]
pub(super) struct Norms {
    mean: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Backward: factor of c, and summand.
    of_input: Vec<f32>,
    constant: Vec<f32>,
    /// Forward tangent: factor of c, and summand.
    tangent_of_input: Vec<f32>,
    tangent_constant: Vec<f32>,
    /// Backward tangent.
    factors: [Vec<f32>; 5],
    channels: Vec<Channel>,
    /// Where the coefficients of what has no norm begin.
    none: usize,
}

/// What the coefficients of one channel are made from.
#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    /// r and γ.
    inverse: f64,
    weight: f64,
    /// N A and N D.
    sum: f64,
    dot: f64,
    /// μ˙, ṙ, γ˙.
    mean_rate: f64,
    inverse_rate: f64,
    weight_rate: f64,
}

impl Norms {
    pub fn new(program: &Program) -> Self {
        let none = program.norm_channels;
        let len = none + program.channels;
        let zeros = || vec![0.0; len];
        let ones = || vec![1.0; len];
        Self {
            mean: zeros(),
            scale: ones(),
            shift: zeros(),
            of_input: zeros(),
            constant: zeros(),
            tangent_of_input: zeros(),
            tangent_constant: zeros(),
            factors: [ones(), zeros(), zeros(), zeros(), zeros()],
            channels: vec![Channel::default(); none],
            none,
        }
    }

    fn range(&self, program: &Program, norm: Option<usize>, channels: usize) -> Place {
        let start = norm.map_or(self.none, |norm| program.norms[norm].at);
        start..start + channels
    }

    /// `scale · z + shift`, where there is a norm.
    pub fn affine(&self, program: &Program, norm: Option<usize>) -> Option<Affine<'_>> {
        let spec = &program.norms[norm?];
        let range = spec.at..spec.at + spec.spec.channels;
        Some(Affine {
            scale: &self.scale[range.clone()],
            shift: &self.shift[range],
        })
    }

    pub fn mean(&self, norm: &Norm) -> &[f32] {
        &self.mean[norm.at..norm.at + norm.spec.channels]
    }

    /// Of the forward tangent.
    pub fn forward_tangent(
        &self,
        program: &Program,
        norm: Option<usize>,
        channels: usize,
    ) -> Combination<'_> {
        let range = self.range(program, norm, channels);
        Combination {
            mean: &self.mean[range.clone()],
            of_gradient: &self.scale[range.clone()],
            of_input: &self.tangent_of_input[range.clone()],
            constant: &self.tangent_constant[range],
        }
    }

    /// Of the backward pass.
    pub fn backward(
        &self,
        program: &Program,
        norm: Option<usize>,
        channels: usize,
    ) -> Combination<'_> {
        let range = self.range(program, norm, channels);
        Combination {
            mean: &self.mean[range.clone()],
            of_gradient: &self.scale[range.clone()],
            of_input: &self.of_input[range.clone()],
            constant: &self.constant[range],
        }
    }

    /// Of the tangent of the backward pass.
    pub fn backward_tangent(
        &self,
        program: &Program,
        norm: Option<usize>,
        channels: usize,
    ) -> Mixture<'_> {
        let range = self.range(program, norm, channels);
        Mixture {
            mean: &self.mean[range.clone()],
            factors: [0, 1, 2, 3, 4].map(|at: usize| &self.factors[at][range.clone()]),
        }
    }

    /// Takes the running statistics.
    pub fn set_running(&mut self, norm: &Norm, parameters: &[f32], state: &[f32]) {
        let spec = &norm.spec;
        for c in 0..spec.channels {
            let moments = Moments {
                mean: f64::from(spec.running_mean.of(state)[c]),
                variance: f64::from(spec.running_var.of(state)[c]),
            };
            self.set(norm, c, moments, parameters);
        }
    }

    /// Takes the statistics of the batch, from Σ (z − shift) and Σ (z − shift)² over `count` values
    /// of each channel.
    pub fn set_batch(
        &mut self,
        norm: &Norm,
        parameters: &[f32],
        shift: &[f32],
        sums: &[f64],
        count: f64,
    ) {
        let channels = norm.spec.channels;
        for (c, &shift) in shift.iter().enumerate() {
            let moments = Moments::from_sums(sums[c], sums[channels + c], count, shift);
            self.set(norm, c, moments, parameters);
        }
    }

    fn set(&mut self, norm: &Norm, c: usize, moments: Moments, parameters: &[f32]) {
        let (spec, at) = (&norm.spec, norm.at + c);
        let (weight, bias) = (spec.weight.of(parameters)[c], spec.bias.of(parameters)[c]);
        let (scale, shift) = moments.affine(weight, bias, spec.epsilon);
        self.mean[at] = moments.mean as f32;
        (self.scale[at], self.shift[at]) = (scale, shift);
        (self.of_input[at], self.constant[at]) = (0.0, 0.0);
        self.channels[at] = Channel {
            inverse: 1.0 / (moments.variance + spec.epsilon).sqrt(),
            weight: f64::from(weight),
            ..Channel::default()
        };
    }

    /// After the sums of a backward pass, Σ h and Σ h c: the coefficients of the gradient before the
    /// norm, where statistics are those of the batch.
    pub fn set_backward(&mut self, norm: &Norm, sums: &[f64], count: f64) {
        let channels = norm.spec.channels;
        for c in 0..channels {
            let at = norm.at + c;
            let r = self.channels[at].inverse;
            let scale = self.channels[at].weight * r;
            self.of_input[at] = (-scale * r * r * sums[channels + c] / count) as f32;
            self.constant[at] = (-scale * sums[c] / count) as f32;
        }
    }

    /// Keeps the sums of the backward pass of the loss at the point, for the tangents.
    pub fn keep_backward(&mut self, norm: &Norm, sums: &[f64]) {
        let channels = norm.spec.channels;
        for c in 0..channels {
            let channel = &mut self.channels[norm.at + c];
            (channel.sum, channel.dot) = (sums[c], sums[channels + c]);
        }
    }

    /// The gradients of γ and β, from the sums of the backward pass.
    pub fn gradient(&self, norm: &Norm, sums: &[f64], gradient: &mut [f32]) {
        let channels = norm.spec.channels;
        for c in 0..channels {
            let r = self.channels[norm.at + c].inverse;
            norm.spec.weight.of_mut(gradient)[c] += (r * sums[channels + c]) as f32;
            norm.spec.bias.of_mut(gradient)[c] += sums[c] as f32;
        }
    }

    /// Forward tangent along a direction of the parameters, from Σ ż and Σ c ż of the batch where
    /// its statistics are used.
    pub fn set_tangent(
        &mut self,
        norm: &Norm,
        direction: Option<&[f32]>,
        sums: Option<&[f64]>,
        count: f64,
    ) {
        let channels = norm.spec.channels;
        for c in 0..channels {
            let at = norm.at + c;
            let of = |slot: crate::network::Slot| {
                direction.map_or(0.0, |direction| f64::from(slot.of(direction)[c]))
            };
            let channel = &mut self.channels[at];
            let r = channel.inverse;
            channel.weight_rate = of(norm.spec.weight);
            (channel.mean_rate, channel.inverse_rate) = match sums {
                Some(sums) => (sums[c] / count, -r * r * r * sums[channels + c] / count),
                None => (0.0, 0.0),
            };
            let scale_rate = channel.scale_rate();
            let shift_rate = of(norm.spec.bias) - channel.weight * r * channel.mean_rate;
            self.tangent_of_input[at] = scale_rate as f32;
            self.tangent_constant[at] = shift_rate as f32;
            // What there is without batch statistics; with them the sums overwrite it.
            self.factors[0][at] = self.scale[at];
            self.factors[1][at] = scale_rate as f32;
            for factor in &mut self.factors[2..] {
                factor[at] = 0.0;
            }
        }
    }

    /// After the sums of the tangent's backward pass, Σ ḣ and Σ (ḣ c + h ż) over the batch.
    pub fn set_backward_tangent(&mut self, norm: &Norm, sums: &[f64], count: f64) {
        if !norm.of_batch {
            return;
        }
        let channels = norm.spec.channels;
        for c in 0..channels {
            let at = norm.at + c;
            let channel = self.channels[at];
            let (r, gamma) = (channel.inverse, channel.weight);
            let (mean, dot) = (channel.sum / count, channel.dot / count);
            let mean_rate = sums[c] / count;
            let dot_rate = sums[channels + c] / count - channel.mean_rate * mean;
            let (scale, scale_rate, cube) = (gamma * r, channel.scale_rate(), r * r * r);
            let of_input = channel.weight_rate * cube * dot
                + 3.0 * gamma * r * r * channel.inverse_rate * dot
                + gamma * cube * dot_rate;
            self.factors[2][at] = -of_input as f32;
            self.factors[3][at] = (-gamma * cube * dot) as f32;
            self.factors[4][at] = (gamma * cube * dot * channel.mean_rate
                - scale_rate * mean
                - scale * mean_rate) as f32;
        }
    }

    /// The tangents of the gradients of γ and β, from the same sums.
    pub fn gradient_tangent(&self, norm: &Norm, sums: &[f64], product: &mut [f32]) {
        let channels = norm.spec.channels;
        for c in 0..channels {
            let channel = self.channels[norm.at + c];
            let dot_rate = sums[channels + c] - channel.mean_rate * channel.sum;
            let of_inverse = channel.inverse_rate * channel.dot;
            norm.spec.weight.of_mut(product)[c] += (of_inverse + channel.inverse * dot_rate) as f32;
            norm.spec.bias.of_mut(product)[c] += sums[c] as f32;
        }
    }
}

impl Channel {
    /// `γ˙ r + γ ṙ`.
    fn scale_rate(&self) -> f64 {
        self.weight_rate * self.inverse + self.weight * self.inverse_rate
    }
}

type Place = std::ops::Range<usize>;
