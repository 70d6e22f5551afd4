//! How many paths there are of each length, and what they contribute together.

/// The lengths of the 2ⁿ paths through n blocks: ln C(n, k) for every k.
#[derive(Debug, Clone)]
pub(super) struct Binomial {
    ln_counts: Vec<f64>,
}

impl Binomial {
    pub fn new(blocks: usize) -> Self {
        let mut ln_counts = Vec::with_capacity(blocks + 1);
        let mut ln = 0.0;
        for k in 0..=blocks {
            ln_counts.push(ln);
            ln += ((blocks - k) as f64 / (k + 1) as f64).ln();
        }
        Self { ln_counts }
    }

    pub fn blocks(&self) -> usize {
        self.ln_counts.len() - 1
    }

    /// C(n, k).
    pub fn count(&self, k: usize) -> f64 {
        self.ln_counts[k].exp()
    }

    pub fn ln_count(&self, k: usize) -> f64 {
        self.ln_counts[k]
    }

    pub fn log2_count(&self, k: usize) -> f64 {
        self.ln_counts[k] / std::f64::consts::LN_2
    }

    /// C(n, k) / 2ⁿ.
    pub fn share(&self, k: usize) -> f64 {
        (self.ln_counts[k] - self.blocks() as f64 * std::f64::consts::LN_2).exp()
    }

    /// C(n, k) p^k (1 − p)^(n − k) with p = r/(1 + r): what paths of length k contribute if each
    /// carries r^k.
    pub fn with_gain(&self, gain: f64) -> Vec<f64> {
        let n = self.blocks() as f64;
        let whole = n * gain.ln_1p();
        (0..=self.blocks())
            .map(|k| match k {
                0 => (-whole).exp(),
                _ => (self.ln_counts[k] + k as f64 * gain.ln() - whole).exp(),
            })
            .collect()
    }

    /// Number times magnitude of the paths of each length, as shares of their sum. Magnitudes that
    /// are missing lie between their neighbours on a logarithmic scale; without any there is none.
    pub fn contributions(&self, magnitudes: &[Option<f64>]) -> Option<Vec<f64>> {
        let known: Vec<(usize, f64)> = magnitudes
            .iter()
            .enumerate()
            .filter_map(|(k, m)| m.map(|m| (k, m.ln())))
            .collect();
        let (first, last) = (known.first()?, known.last()?);
        let ln_magnitude = |k: usize| {
            let after = known.iter().position(|&(at, _)| at >= k);
            match after.map(|after| (after, known[after])) {
                Some((_, (at, ln))) if at == k => ln,
                Some((after, (at, ln))) if after > 0 => {
                    let (before, ln_before) = known[after - 1];
                    let part = (k - before) as f64 / (at - before) as f64;
                    // A magnitude of 0 on either side leaves nothing in between.
                    ln_before + part * (ln - ln_before)
                }
                Some(_) => first.1,
                None => last.1,
            }
        };
        let ln: Vec<f64> = (0..self.ln_counts.len())
            .map(|k| self.ln_counts[k] + ln_magnitude(k))
            .map(|ln| if ln.is_nan() { f64::NEG_INFINITY } else { ln })
            .collect();
        let most = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most == f64::NEG_INFINITY {
            return None;
        }
        let shares: Vec<f64> = ln.iter().map(|ln| (ln - most).exp()).collect();
        let sum: f64 = shares.iter().sum();
        Some(shares.iter().map(|share| share / sum).collect())
    }
}

/// The fewest lengths in a row that hold the share `mass` of a sum of 1: the first of them, the last,
/// and what they hold. Of several the one that holds most.
pub(super) fn shortest_range(shares: &[f64], mass: f64) -> (usize, usize, f64) {
    for width in 1..=shares.len() {
        let sums = shares
            .windows(width)
            .map(|window| window.iter().sum::<f64>());
        let mut best = (0, 0.0);
        for (low, sum) in sums.enumerate() {
            if sum > best.1 {
                best = (low, sum);
            }
        }
        if best.1 >= mass {
            return (best.0, best.0 + width - 1, best.1);
        }
    }
    (0, shares.len().saturating_sub(1), shares.iter().sum())
}
