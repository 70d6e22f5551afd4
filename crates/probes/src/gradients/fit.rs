//! The least-squares line.

/// A line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Its slope.
    pub slope: f64,
    /// Standard error of the slope, √(RSS / (n − 2) / Σ (x − x̄)²); `None` below three points.
    pub slope_se: Option<f64>,
    /// Share of the variance of y that it explains; `None` where y does not vary.
    pub r_squared: Option<f64>,
    /// Points.
    pub points: usize,
}

/// The line y ≈ a + slope · x of least squares; `None` where x does not vary.
pub fn least_squares(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
    let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |part: &dyn Fn(f64, f64) -> f64| -> f64 {
        let centred = points.iter().map(|(x, y)| part(x - x_mean, y - y_mean));
        centred.sum()
    };
    let xx = sum(&|x, _| x * x);
    let yy = sum(&|_, y| y * y);
    if points.len() < 2 || xx <= 0.0 {
        return None;
    }
    let slope = sum(&|x, y| x * y) / xx;
    let rest = sum(&|x, y| (y - slope * x).powi(2));
    Some(Line {
        slope,
        slope_se: (points.len() > 2).then(|| (rest / (n - 2.0) / xx).sqrt()),
        r_squared: (yy > 0.0).then(|| 1.0 - rest / yy),
        points: points.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_by_hand() {
        // y = 0, 1, 1 at x = 0, 1, 2: slope 1/2, residuals −1/6, 1/3, −1/6, RSS 1/6, TSS 2/3.
        let line = least_squares(&[(0.0, 0.0), (1.0, 1.0), (2.0, 1.0)]).unwrap();
        assert!((line.slope - 0.5).abs() < 1e-15);
        assert!((line.slope_se.unwrap() - (1.0_f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!((line.r_squared.unwrap() - 0.75).abs() < 1e-15);
        assert_eq!(line.points, 3);
    }

    #[test]
    fn too_little_to_fit() {
        assert_eq!(least_squares(&[]), None);
        assert_eq!(least_squares(&[(1.0, 1.0), (1.0, 2.0)]), None);
        let two = least_squares(&[(0.0, 1.0), (2.0, 1.0)]).unwrap();
        assert_eq!((two.slope, two.slope_se, two.r_squared), (0.0, None, None));
    }
}
