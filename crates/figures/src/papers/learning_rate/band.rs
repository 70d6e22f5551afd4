//! The band of learning rates that can be used.
//!
//! With e(η) the final clean training error of one network and seed at rate η, and a limit, the band
//! is the connected stretch of rates around the best one where e ≤ limit. Its ends lie where e,
//! interpolated linearly in log η between the rates that were run, crosses the limit; beside a run
//! that diverged, half-way to it in log η. An end is censored where the band reaches the first or
//! the last rate that was run: it is at least as wide.

/// Error above the best that still counts as usable, as a fraction: five percentage points.
pub const TOLERANCE: f64 = 0.05;

/// A usable band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Lowest usable rate.
    pub low: f64,
    /// Highest usable rate.
    pub high: f64,
    /// Whether it may go on below the lowest rate that was run.
    pub open_below: bool,
    /// Whether it may go on above the highest rate that was run.
    pub open_above: bool,
}

impl Band {
    /// Its width in octaves, log₂(high/low); at least that where it is censored.
    pub fn octaves(&self) -> f64 {
        (self.high / self.low).log2()
    }

    /// Whether one end or both were not reached.
    pub fn censored(&self) -> bool {
        self.open_below || self.open_above
    }
}

/// Place and error of the best rate; the lowest of equals.
pub fn best(errors: &[(f64, Option<f64>)]) -> Option<(usize, f64)> {
    let finished = errors.iter().enumerate();
    let finished = finished.filter_map(|(place, (_, error))| Some((place, (*error)?)));
    finished.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The band around the best rate where errors are at most `limit`; `None` if there is no such rate. Errors
/// are ordered by rate.
pub fn usable(errors: &[(f64, Option<f64>)], limit: f64) -> Option<Band> {
    let (centre, _) = best(errors).filter(|(_, error)| *error <= limit)?;
    let (low, open_below) = end(errors[..=centre].iter().rev(), limit)?;
    let (high, open_above) = end(errors[centre..].iter(), limit)?;
    Some(Band {
        low,
        high,
        open_below,
        open_above,
    })
}

/// Where the band ends going outwards from the best rate, and whether that is only the end of what was
/// run.
fn end<'a>(
    outwards: impl Iterator<Item = &'a (f64, Option<f64>)>,
    limit: f64,
) -> Option<(f64, bool)> {
    let mut inside: Option<(f64, f64)> = None;
    for &(rate, error) in outwards {
        match (inside, error) {
            (Some((last, _)), None) => return Some(((last * rate).sqrt(), false)),
            (Some((last, below)), Some(error)) if error > limit => {
                let share = (limit - below) / (error - below);
                return Some((last * (rate / last).powf(share), false));
            }
            (_, Some(error)) => inside = Some((rate, error)),
            (None, None) => return None,
        }
    }
    inside.map(|(rate, _)| (rate, true))
}
