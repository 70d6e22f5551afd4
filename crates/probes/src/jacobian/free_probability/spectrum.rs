//! A law of ln σ as a curve: points with density and cumulative probability.

/// One point of a law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// ln σ.
    pub ln_sigma: f64,
    /// Density per unit of ln σ.
    pub density: f64,
    /// Probability of a smaller σ, zeros included.
    pub below: f64,
}

/// A law of singular values: points by ascending ln σ, the first and the last being its edges, and
/// a share of zeros. Between points all is linear.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    points: Vec<Point>,
    zeros: f64,
}

impl Spectrum {
    /// A law from points of a curve in either order, at least two.
    pub(super) fn new(mut points: Vec<Point>, zeros: f64) -> Self {
        points.sort_by(|a, b| a.ln_sigma.total_cmp(&b.ln_sigma));
        Self { points, zeros }
    }

    /// The points by ascending ln σ.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Share of singular values that are 0.
    pub fn zeros(&self) -> f64 {
        self.zeros
    }

    /// ln of the smallest (besides 0) and of the largest singular value. The smallest of a law that
    /// reaches down to 0 is where its curve ends, far below anything that occurs.
    pub fn edges(&self) -> (f64, f64) {
        let ends = (self.points.first(), self.points.last());
        match ends {
            (Some(first), Some(last)) => (first.ln_sigma, last.ln_sigma),
            _ => (f64::NAN, f64::NAN),
        }
    }

    /// Density per unit of ln σ.
    pub fn density(&self, ln_sigma: f64) -> f64 {
        let (low, high) = self.edges();
        if !(low..=high).contains(&ln_sigma) {
            return 0.0;
        }
        self.between(ln_sigma, |p| p.ln_sigma, |p| p.density)
    }

    /// Probability of a singular value of at most e^`ln_sigma`.
    pub fn cumulative(&self, ln_sigma: f64) -> f64 {
        let (low, high) = self.edges();
        if ln_sigma < low {
            self.zeros
        } else if ln_sigma > high {
            1.0
        } else {
            self.between(ln_sigma, |p| p.ln_sigma, |p| p.below)
        }
    }

    /// The ln σ below which a share `probability` lies; −∞ within the zeros.
    pub fn quantile(&self, probability: f64) -> f64 {
        if probability < self.zeros {
            return f64::NEG_INFINITY;
        }
        self.between(probability, |p| p.below, |p| p.ln_sigma)
    }

    /// E of a function of ln σ over what is not 0.
    pub fn expectation(&self, of: impl Fn(f64) -> f64) -> f64 {
        let pieces = self.points.windows(2).map(|pair| {
            let middle = 0.5 * (of(pair[0].ln_sigma) + of(pair[1].ln_sigma));
            middle * (pair[1].below - pair[0].below)
        });
        pieces.sum()
    }

    /// Linear interpolation of `to` over ascending `from`; the ends beyond them.
    fn between(&self, at: f64, from: impl Fn(&Point) -> f64, to: impl Fn(&Point) -> f64) -> f64 {
        let next = self.points.partition_point(|p| from(p) < at);
        let next = next.clamp(1, self.points.len() - 1);
        let (a, b) = (&self.points[next - 1], &self.points[next]);
        let span = from(b) - from(a);
        let part = if span > 0.0 {
            ((at - from(a)) / span).clamp(0.0, 1.0)
        } else {
            0.0
        };
        to(a) + part * (to(b) - to(a))
    }
}
