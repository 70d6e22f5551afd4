//! Singular values of ∏ (I + ∂F_l/∂h) at initialisation.
//!
//! **Many blocks** (Tarnowski et al. 2018, section 3). Branches whose Jacobians have mean square
//! singular values c_l of order 1/L, c = Σ c_l: as width and L grow the resolvent of J Jᵀ obeys
//! `G = (z G − 1) exp(c (1 − 2 z G))`, so that `S(m) = exp(−c (1 + 2 m))`. Only c matters. With
//! `m = −1/2 + a − i b` the curve of real λ is explicit:
//!
//! ```text
//! a² = 1/4 − b² + b cot(2 c b),   0 ≤ b ≤ b_max, the first zero of the right side
//! ln λ = ½ ln(((a + ½)² + b²) / ((a − ½)² + b²)) + 2 c a
//! ```
//!
//! Edges: `λ₊ = (s + 1)/(s − 1) · e^(c s)`, `λ₋ = 1/λ₊`, `s = √(1 + 2/c)`. The law is symmetric
//! under λ → 1/λ; `E λ = e^c`, `E λ² = (1 + 2 c) e^(2c)`, `Var ln σ = c/2 + c²/12`.
//!
//! **Any number of blocks.** For X with independent normal entries of variance t/N,
//! `S(m) = 2 / (1 + t + 2 t m + √((1 + t)² + 4 t m))` is that of `(I + X)(I + X)ᵀ` (from the
//! equation of Dozier and Silverstein 2007), and the S-transform of a product is the product. With t → 0 it
//! becomes `exp(−t (1 + 2m))`. This is what holds without scaling by depth, where c_l does not
//! become small.
//!
//! **Scaling by depth** (Ling, Qiu 2018). If the branch's Jacobian has the mean square τ before
//! scaling, then c = L τ unscaled, τ with branches times 1/√L, and τ/L with 1/L: the spread of ln σ,
//! about √(c/2), stays of order 1 with 1/√L and falls as 1/√L with 1/L: [`scaled`].

use std::f64::consts::PI;

use num_complex::Complex64;
use reslab_nn::families::init::BranchScale;

use super::spectrum::{Point, Spectrum};
use super::trace::{Transform, point, trace};

/// Points of each half of the curve.
const POINTS: usize = 2000;

/// c of `blocks` blocks whose branches have, before they are scaled, Jacobians of mean square `tau`.
pub fn scaled(scale: BranchScale, blocks: usize, tau: f64) -> f64 {
    let blocks = blocks as f64;
    match scale {
        BranchScale::One => blocks * tau,
        BranchScale::InverseSqrtDepth => tau,
        BranchScale::InverseDepth => tau / blocks,
    }
}

/// ln σ at the upper edge of the law of many blocks; the lower edge is its negative.
pub fn edge(c: f64) -> f64 {
    let s = (1.0 + 2.0 / c).sqrt();
    0.5 * (((s + 1.0) / (s - 1.0)).ln() + c * s)
}

/// Variance of ln σ in the law of many blocks.
pub fn variance_of_ln_sigma(c: f64) -> f64 {
    c / 2.0 + c * c / 12.0
}

/// The law of many blocks, c > 0.
pub fn many_blocks(c: f64) -> Spectrum {
    let law = ManyBlocks { c };
    let b_max = widest(c);
    // b = b_max sin t, a ≥ 0 first: points lie dense in ln σ at both edges.
    let inside = (1..2 * POINTS).map(|k| {
        let t = PI * k as f64 / (2 * POINTS) as f64;
        let b = b_max * t.sin();
        let a = half_width(c, b).max(0.0).sqrt() * t.cos().signum();
        point(&law, Complex64::new(a - 0.5, -b))
    });
    let edges = [at_edge(c, true), at_edge(c, false)];
    let points = edges.into_iter().chain(inside);
    Spectrum::new(points.collect(), 0.0)
}

fn at_edge(c: f64, upper: bool) -> Point {
    let edge = edge(c);
    Point {
        ln_sigma: if upper { edge } else { -edge },
        density: 0.0,
        below: if upper { 1.0 } else { 0.0 },
    }
}

/// a² on the curve.
fn half_width(c: f64, b: f64) -> f64 {
    0.25 - b * b + b / (2.0 * c * b).tan()
}

/// b_max: a² falls from ¼ + 1/(2c) at 0 to −∞ at π/(2c).
fn widest(c: f64) -> f64 {
    let (mut low, mut high) = (0.0, PI / (2.0 * c));
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if half_width(c, middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The law of blocks `I + X` with these mean square singular values of X, each above 0.
pub fn blocks(variances: &[f64]) -> Spectrum {
    let law = Blocks {
        variances: variances.to_vec(),
    };
    trace(&law, 0.0)
}

pub(super) struct ManyBlocks {
    pub c: f64,
}

impl Transform for ManyBlocks {
    fn ln_lambda(&self, m: Complex64) -> Complex64 {
        (1.0 + m).ln() - m.ln() + self.c * (1.0 + 2.0 * m)
    }

    fn slope(&self, m: Complex64) -> Complex64 {
        (1.0 + m).inv() - m.inv() + 2.0 * self.c
    }

    fn tail(&self, m: Complex64) -> Complex64 {
        self.c * m * m - (1.0 + m).ln()
    }
}

struct Blocks {
    variances: Vec<f64>,
}

/// √((1 + t)² + 4 t m).
fn root(t: f64, m: Complex64) -> Complex64 {
    ((1.0 + t).powi(2) + 4.0 * t * m).sqrt()
}

impl Transform for Blocks {
    /// `1/S = (R + 1 − t)(R + 1 + t)/4` with R the [`root`].
    fn ln_lambda(&self, m: Complex64) -> Complex64 {
        let factors = self.variances.iter().map(|&t| {
            let r = root(t, m);
            ((r + (1.0 - t)) / 2.0).ln() + ((r + (1.0 + t)) / 2.0).ln()
        });
        (1.0 + m).ln() - m.ln() + factors.sum::<Complex64>()
    }

    fn slope(&self, m: Complex64) -> Complex64 {
        let factors = self.variances.iter().map(|&t| {
            let r = root(t, m);
            ((r + (1.0 - t)).inv() + (r + (1.0 + t)).inv()) * (2.0 * t / r)
        });
        (1.0 + m).inv() - m.inv() + factors.sum::<Complex64>()
    }

    fn tail(&self, m: Complex64) -> Complex64 {
        let factors = self.variances.iter().map(|&t| {
            let r = root(t, m);
            r * (r - 2.0) / (4.0 * t) - (r + (1.0 - t)).ln()
        });
        factors.sum::<Complex64>() - (1.0 + m).ln()
    }
}
