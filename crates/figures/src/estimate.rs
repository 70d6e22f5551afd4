//! A mean over seeds with its 95 % t interval.

/// Mean and interval of independent values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// 95 % t interval of the mean; none from a single value.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// The estimate from values; none from no value.
    pub fn of(values: &[f64]) -> Option<Estimate> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let t = [12.7062, 4.302653, 3.182446, 2.776445, 2.570582];
        let interval = (n > 1).then(|| {
            let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
            let half = t.get(n - 2).copied().unwrap_or(2.0) * (var / n as f64).sqrt();
            (mean - half, mean + half)
        });
        Some(Estimate {
            count: n,
            mean,
            interval,
        })
    }
}
