//! Singular values of plain random networks, ∏ D W (Pennington, Schoenholz, Ganguli 2017,
//! sections 2 and 3).
//!
//! S-transforms: Gaussian weights of variance σ²/N `1/(σ² (1 + m))`, orthogonal ones σ Q `1/σ²`, the
//! gates of a ReLU `(1 + m)/(m + p)`, p = 1/2 the share that is open. With n weights and k layers
//! of gates
//!
//! ```text
//! ln λ(m) = A ln(1 + m) − ln m + k ln(m + p) + Σ ln σ²,   A = 1 − k + n (Gaussian), 1 − k (orthogonal)
//! ```
//!
//! The curve of real λ ends at m = −p, that is at σ = 0; a share 1 − p of the singular values is 0.
//! At criticality (σ² p = 1) `Var λ` of the whole is, in units of (E λ)², L/p for Gaussian and
//! L (1 − p)/p for orthogonal weights; without gates `λ_max = (L + 1)^(L + 1) / L^L ≈ e L`.

use num_complex::Complex64;

use super::spectrum::Spectrum;
use super::trace::{Transform, trace, upper_edge};

/// How weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Independent normal numbers.
    Gaussian,
    /// A random rotation times a constant.
    Orthogonal,
}

/// A plain network's law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainLaw {
    /// How weights are drawn.
    pub weights: Weights,
    /// Linear layers.
    pub linear: usize,
    /// Layers of gates. 0 for linear networks; orthogonal weights need at least 3, else the law has
    /// no density or no edge.
    pub gates: usize,
    /// Share of the gates that is open, below 1.
    pub open: f64,
    /// Sum over linear layers of ln σ², σ² the width times the variance of a weight.
    pub ln_gain: f64,
}

impl PlainLaw {
    /// Mean of λ over all singular values, zeros included.
    pub fn mean_square(&self) -> f64 {
        (self.ln_gain + self.gates as f64 * self.open.ln()).exp()
    }

    /// Variance of λ over all singular values in units of the squared mean.
    pub fn relative_variance(&self) -> f64 {
        let gates = self.gates as f64 * (1.0 - self.open) / self.open;
        match self.weights {
            Weights::Gaussian => self.linear as f64 + gates,
            Weights::Orthogonal => gates,
        }
    }

    /// A.
    fn power(&self) -> f64 {
        let weights = match self.weights {
            Weights::Gaussian => self.linear as f64,
            Weights::Orthogonal => 0.0,
        };
        1.0 + weights - self.gates as f64
    }

    /// ln of the largest singular value.
    pub fn edge(&self) -> f64 {
        0.5 * self.ln_lambda(Complex64::new(upper_edge(self), 0.0)).re
    }

    /// Density, distribution, edges and zeros.
    pub fn spectrum(&self) -> Spectrum {
        let zeros = if self.gates == 0 {
            0.0
        } else {
            1.0 - self.open
        };
        trace(self, zeros)
    }
}

impl Transform for PlainLaw {
    fn ln_lambda(&self, m: Complex64) -> Complex64 {
        self.power() * (1.0 + m).ln() - m.ln()
            + self.ln_gain
            + self.gates as f64 * (m + self.open).ln()
    }

    fn slope(&self, m: Complex64) -> Complex64 {
        self.power() / (1.0 + m) - m.inv() + self.gates as f64 / (m + self.open)
    }

    /// `∫ m d ln λ`: each `ln(m + a)` gives `m − a ln(m + a)`.
    fn tail(&self, m: Complex64) -> Complex64 {
        let (power, gates) = (self.power(), self.gates as f64);
        power * (m - (1.0 + m).ln()) - m + gates * (m - self.open * (m + self.open).ln())
    }
}
