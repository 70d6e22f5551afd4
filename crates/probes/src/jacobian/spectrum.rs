//! What a spectrum is summed up to.

use super::matrix_free::Ritz;

/// Singular values as logarithms, each with its share of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// ln σ of those that are not 0, descending, with shares.
    pub points: Vec<(f64, f64)>,
    /// Singular values in all: the smaller of the numbers in and out.
    pub count: usize,
    /// Those that are not 0; where not all are known, an estimate.
    pub rank: usize,
    /// Whether all are known.
    pub exact: bool,
    /// The quadratures that this is the mean of, if it is one.
    pub parts: Vec<Spectrum>,
}

/// A singular value that is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// Its rank, from 0 for the largest.
    pub rank: usize,
    /// ln σ.
    pub log: f64,
    /// Standard error of that over several quadratures.
    pub log_error: Option<f64>,
}

/// The table's columns on a spectrum. Logarithms are natural.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// ln of the largest.
    pub log_max: f64,
    /// ln of the smallest that is not 0.
    pub log_min: f64,
    /// Mean of ln σ over those that are not 0.
    pub log_mean: f64,
    /// Its standard deviation.
    pub log_deviation: f64,
    /// 5 %, 50 % and 95 % quantiles.
    pub log_quantiles: [f64; 3],
    /// ln of the root mean square, zeros counted.
    pub log_rms: f64,
    /// exp of the entropy of σ/Σσ (Roy, Vetterli 2007).
    pub effective_rank: f64,
    /// Share of all within [1/2, 2].
    pub share_near_one: f64,
}

impl Spectrum {
    /// Of all singular values of a map of `rows` × `columns`; below max(rows, columns) ε of the
    /// largest counts as 0.
    pub fn of_values(values: &[f64], (rows, columns): (usize, usize)) -> Self {
        let largest = values.first().copied().unwrap_or(0.0);
        let nothing = rows.max(columns) as f64 * f64::EPSILON * largest;
        let logs = values.iter().filter(|s| **s > nothing).map(|s| s.ln());
        Self::of_logs(&logs.collect::<Vec<f64>>(), values.len())
    }

    /// Of the logarithms of all that are not 0, descending.
    pub fn of_logs(logs: &[f64], count: usize) -> Self {
        let share = 1.0 / count as f64;
        Self {
            points: logs.iter().map(|log| (*log, share)).collect(),
            count,
            rank: logs.len(),
            exact: true,
            parts: Vec::new(),
        }
    }

    /// The mean of several quadratures of a map of `rows` × `columns`. Values no larger than their
    /// residuals cannot be told from 0 and count as such.
    pub fn of_quadratures(runs: &[Ritz], (rows, columns): (usize, usize)) -> Self {
        let parts = match runs.len() {
            1 => Vec::new(),
            _ => {
                let single = runs.chunks(1);
                let each = single.map(|run| Self::of_quadratures(run, (rows, columns)));
                each.collect()
            }
        };
        let largest = runs.iter().filter_map(|run| run.values.first());
        let largest = largest.copied().fold(0.0, f64::max);
        let nothing = rows.max(columns) as f64 * f64::EPSILON * largest;
        let told = |run: &Ritz, i: usize| run.values[i] > run.residuals[i].max(nothing);
        let all = runs.iter().flat_map(|run| {
            let places = (0..run.values.len()).filter(move |i| told(run, *i));
            places.map(|i| (run.values[i].ln(), run.weights[i] / runs.len() as f64))
        });
        let mut points: Vec<(f64, f64)> = all.collect();
        points.sort_by(|a, b| b.0.total_cmp(&a.0));
        let count = rows.min(columns);
        let share = points.iter().fold(0.0, |sum, point| sum + point.1);
        Self {
            points,
            count,
            rank: (share * count as f64).round() as usize,
            exact: false,
            parts,
        }
    }

    /// Sums it up; `None` where every singular value is 0.
    pub fn summary(&self) -> Option<Summary> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let weight: f64 = self.points.iter().map(|p| p.1).sum();
        let mean = self.points.iter().map(|(x, w)| w * x).sum::<f64>() / weight;
        let spread = self.points.iter().map(|(x, w)| w * (x - mean).powi(2));
        let top = first.0;
        // Relative to the largest, so that squares neither vanish nor overflow.
        let relative = |(x, w): &(f64, f64)| ((x - top).exp(), *w);
        let square: f64 = self
            .points
            .iter()
            .map(relative)
            .map(|(s, w)| w * s * s)
            .sum();
        let sum: f64 = self.points.iter().map(relative).map(|(s, w)| w * s).sum();
        let entropy = self.points.iter().map(relative).map(|(s, w)| {
            let part = s / (sum * self.count as f64);
            let each = if part > 0.0 { -part * part.ln() } else { 0.0 };
            each * w * self.count as f64
        });
        let near = |x: f64| x.abs() <= std::f64::consts::LN_2 * (1.0 + 1e-12);
        let near = self.points.iter().filter(|p| near(p.0)).map(|p| p.1);
        Some(Summary {
            log_max: top,
            log_min: last.0,
            log_mean: mean,
            log_deviation: (spread.sum::<f64>() / weight).sqrt(),
            log_quantiles: [0.05, 0.5, 0.95].map(|share| self.quantile(share)),
            log_rms: top + 0.5 * square.ln(),
            effective_rank: entropy.sum::<f64>().exp(),
            // From +0: the sum of nothing is −0.
            share_near_one: near.fold(0.0, |sum, share| sum + share),
        })
    }

    /// The ln σ below which a share of those lies that are not 0, between the middles of their
    /// steps in a straight line.
    pub fn quantile(&self, share: f64) -> f64 {
        let weight: f64 = self.points.iter().map(|p| p.1).sum();
        let mut below = 0.0;
        let mut before: Option<(f64, f64)> = None;
        for (x, w) in self.points.iter().rev() {
            let here = (below + 0.5 * w) / weight;
            if here >= share {
                let Some((place, value)) = before else {
                    return *x;
                };
                let part = (share - place) / (here - place);
                return value + part * (x - value);
            }
            before = Some((here, *x));
            below += w;
        }
        self.points.first().map_or(f64::NAN, |p| p.0)
    }

    /// At most so many logarithms, evenly by rank, the largest first; all where they are few
    /// enough.
    pub fn kept(&self, most: usize) -> Vec<Kept> {
        let value = |rank: usize| {
            let share = 1.0 - (rank as f64 + 0.5) / self.rank as f64;
            Kept {
                rank,
                log: match self.exact {
                    true => self.points[rank].0,
                    false => self.quantile(share),
                },
                log_error: self.quantile_error(share),
            }
        };
        even(self.rank, most).into_iter().map(value).collect()
    }

    /// The standard error of a quantile, from those of the quadratures; `None` without several.
    fn quantile_error(&self, share: f64) -> Option<f64> {
        let found: Vec<f64> = self.parts.iter().map(|part| part.quantile(share)).collect();
        let n = found.len() as f64;
        if found.len() < 2 {
            return None;
        }
        let mean = found.iter().sum::<f64>() / n;
        let squares: f64 = found.iter().map(|x| (x - mean).powi(2)).sum();
        Some((squares / (n * (n - 1.0))).sqrt())
    }
}

/// At most `most` of the numbers below `count`, evenly, both ends among them.
pub fn even(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let step = (count - 1) as f64 / most.saturating_sub(1).max(1) as f64;
    (0..most)
        .map(|i| (i as f64 * step).round() as usize)
        .collect()
}
