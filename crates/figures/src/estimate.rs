//! A mean over seeds with its 95 % t interval.

use reslab_results::statistics;

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
        PLACEHOLDER
    }
}
