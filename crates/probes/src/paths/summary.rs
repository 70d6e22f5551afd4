//! What a profile over lengths amounts to: its effective range, and how well one gain per module
//! describes it.

use reslab_results::table::Row;
use reslab_results::{Cell, Table, TableError, schema};

use super::binomial::{Binomial, shortest_range};

/// The share of all contributions that the effective range holds.
pub const MASS: f64 = 0.95;

/// `ln m_k = a + k ln r` by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// r.
    pub gain: f64,
    /// Its standard error.
    pub error: f64,
    /// Share of the variance of `ln m` that the line explains.
    pub r_squared: f64,
}

/// The table `path_summary` of a table `paths`: one row a run, epoch and way to measure.
pub fn summarise(paths: &Table) -> Result<Table, TableError> {
    let mut summary = Table::new(schema::path_summary());
    for group in paths.groups(&["run_id", "epoch"])? {
        let profile = paths.select(&group.rows);
        let rows: Vec<Row<'_>> = profile.iter().collect();
        let binomial = Binomial::new(rows.len() - 1);
        let column = |name| {
            rows.iter()
                .map(move |row| row.real(name))
                .collect::<Vec<_>>()
        };
        // A term of order k, shared out among its paths.
        let orders: Vec<Option<f64>> = column("order_norm")
            .iter()
            .enumerate()
            .map(|(k, norm)| norm.map(|norm| (norm.ln() - binomial.ln_count(k)).exp()))
            .collect();
        for (estimate, magnitudes, contribution) in [
            ("sampled", column("sampled_norm"), "sampled_contribution"),
            ("orders", orders, "order_contribution"),
        ] {
            let shares: Option<Vec<f64>> = column(contribution).into_iter().collect();
            if let Some(shares) = shares {
                let head = [group.key[0].clone(), group.key[1].clone()];
                push(
                    &mut summary,
                    head,
                    estimate,
                    &binomial,
                    &magnitudes,
                    &shares,
                )?;
            }
        }
    }
    Ok(summary)
}

fn push(
    summary: &mut Table,
    [run_id, epoch]: [Cell; 2],
    estimate: &str,
    binomial: &Binomial,
    magnitudes: &[Option<f64>],
    shares: &[f64],
) -> Result<(), TableError> {
    let blocks = binomial.blocks();
    let (low, high, mass) = shortest_range(shares, MASS);
    let effective: f64 = (low..=high).map(|k| binomial.share(k)).sum();
    let moment = |power| {
        let terms = shares.iter().enumerate();
        terms
            .map(|(k, share)| share * (k as f64).powi(power))
            .sum::<f64>()
    };
    let mean: f64 = moment(1);
    let deviation = (moment(2) - mean * mean).max(0.0).sqrt();
    let fit = fit(magnitudes);
    // The binomial of this mean.
    let gain_of_mean = mean / (blocks as f64 - mean);
    let distance = |gain: f64| total_variation(&binomial.with_gain(gain), shares);
    summary.push_named([
        ("run_id", run_id),
        ("epoch", epoch),
        ("estimate", estimate.into()),
        ("blocks", blocks.into()),
        ("low", low.into()),
        ("high", high.into()),
        ("mass", mass.into()),
        ("effective_paths", effective.into()),
        ("mean_length", mean.into()),
        ("length_deviation", deviation.into()),
        ("gain", fit.map(|fit| fit.gain).into()),
        ("gain_error", fit.map(|fit| fit.error).into()),
        ("r_squared", fit.map(|fit| fit.r_squared).into()),
        ("total_variation", fit.map(|fit| distance(fit.gain)).into()),
        ("gain_of_mean", gain_of_mean.into()),
        ("total_variation_of_mean", distance(gain_of_mean).into()),
    ])
}

/// A line through the logarithms of the magnitudes that are known and above 0; three at least.
pub(super) fn fit(magnitudes: &[Option<f64>]) -> Option<Fit> {
    let points: Vec<(f64, f64)> = magnitudes
        .iter()
        .enumerate()
        .filter_map(|(k, m)| m.filter(|&m| m > 0.0).map(|m| (k as f64, m.ln())))
        .collect();
    if points.len() < 3 {
        return None;
    }
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / n;
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        points
            .iter()
            .map(|&(x, y)| of(x - mean_x, y - mean_y))
            .sum()
    };
    let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    let slope = xy / xx;
    let residual = sum(&|x, y| (y - slope * x) * (y - slope * x));
    let gain = slope.exp();
    Some(Fit {
        gain,
        error: gain * (residual / (n - 2.0) / xx).sqrt(),
        r_squared: if yy > 0.0 { 1.0 - residual / yy } else { 1.0 },
    })
}

/// Half the sum of the differences of two distributions.
pub(super) fn total_variation(one: &[f64], other: &[f64]) -> f64 {
    let differences = one.iter().zip(other).map(|(a, b)| (a - b).abs());
    differences.sum::<f64>() / 2.0
}
