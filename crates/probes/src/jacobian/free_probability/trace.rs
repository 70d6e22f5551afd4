//! Following the curve on which λ is real, from the upper edge to the lower one.

use std::f64::consts::PI;

use num_complex::Complex64;

use super::spectrum::{Point, Spectrum};

/// A law in terms of m = λ G − 1.
pub(super) trait Transform {
    /// `ln λ(m)`, continuous in the lower half-plane.
    fn ln_lambda(&self, m: Complex64) -> Complex64;

    /// Its derivative.
    fn slope(&self, m: Complex64) -> Complex64;

    /// `H(m) = ∫ m d ln λ`: `Im H / π` is the mass above, less what it is at the upper edge.
    fn tail(&self, m: Complex64) -> Complex64;
}

/// The point of the law at a point of the curve.
pub(super) fn point(law: &impl Transform, m: Complex64) -> Point {
    Point {
        ln_sigma: 0.5 * law.ln_lambda(m).re,
        density: -2.0 * m.im / PI,
        below: 1.0 - law.tail(m).im / PI,
    }
}

/// Where the curve leaves the real axis at the upper edge: the m > 0 at which the slope, negative
/// below, is 0.
pub(super) fn upper_edge(law: &impl Transform) -> f64 {
    let slope = |m: f64| law.slope(Complex64::new(m, 0.0)).re;
    let (mut low, mut high) = (1e-12, 1e-12);
    while slope(high) < 0.0 && high < 1e12 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// A law that reaches down to 0 is cut off below this ln σ,
const LOWEST: f64 = -200.0;
/// or where so little is left: −Im m is π times that per unit of ln λ.
const LEAST: f64 = 1e-8;
const MOST_POINTS: usize = 40_000;

/// The law with this share of zeros: follows the curve by steps along its tangent, each brought back
/// to it by Newton's method, and shorter towards its end.
pub(super) fn trace(law: &impl Transform, zeros: f64) -> Spectrum {
    let top = upper_edge(law);
    let step = (top / 20.0).clamp((top + 0.5) / 6000.0, (top + 0.5) / 400.0);
    let mut points = vec![Point {
        density: 0.0,
        below: 1.0,
        ..point(law, Complex64::new(top, 0.0))
    }];
    let mut m = onto_curve(law, Complex64::new(top, -step), -Complex64::i());
    while points.len() < MOST_POINTS {
        let here = point(law, m);
        points.push(here);
        let (height, slope) = (-m.im, law.slope(m));
        // At an edge the slope is 0, and ln λ changes with the square of the height. Where the
        // curve ends in a pole, height times slope tends to a constant.
        if height < step / 8.0 && height * slope.norm() < 1e-3 {
            points.push(lower_edge(law, m));
            break;
        }
        if here.ln_sigma < LOWEST || height < LEAST {
            break;
        }
        // ln λ falls along the curve.
        let tangent = -slope.inv();
        let tangent = tangent / tangent.norm();
        m = onto_curve(law, m + tangent * step.min(0.5 * height), tangent);
    }
    Spectrum::new(points, zeros)
}

/// The point beside `guess`, across `tangent`, at which λ is real.
fn onto_curve(law: &impl Transform, guess: Complex64, tangent: Complex64) -> Complex64 {
    let across = tangent * Complex64::i();
    let mut m = guess;
    for _ in 0..12 {
        let error = law.ln_lambda(m).im;
        let slope = (law.slope(m) * across).im;
        m -= across * (error / slope);
        if error.abs() < 1e-14 {
            break;
        }
    }
    m
}

/// The lower edge near `m`, where the slope is 0.
fn lower_edge(law: &impl Transform, m: Complex64) -> Point {
    let slope = |m: f64| law.slope(Complex64::new(m, -0.0)).re;
    let (mut a, mut b) = (m.re, m.re + m.im);
    for _ in 0..60 {
        let (fa, fb) = (slope(a), slope(b));
        if fa == fb {
            break;
        }
        (a, b) = (b, b - fb * (b - a) / (fb - fa));
    }
    Point {
        density: 0.0,
        below: 0.0,
        ..point(law, Complex64::new(b, -0.0))
    }
}
