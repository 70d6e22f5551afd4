//! Text of the figures: the embedded font, its measures and its outlines.
//!
//! The font (Inter, SIL Open Font License, `fonts/OFL.txt`) is compiled in and read with
//! `ab_glyph`. Figures carry glyph outlines, never font names, so they look the same in every
//! viewer and no font needs to be installed. Sizes are in pixels per em.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve, Point};

/// The weights of the embedded font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Labels and ticks.
    Regular,
    /// Panel titles and legend headings.
    SemiBold,
}

/// A closed contour of a glyph, in pixels, y downwards, the baseline at y = 0.
pub type Contour = Vec<(f64, f64)>;

static REGULAR: &[u8] = include_bytes!("../fonts/Inter-Regular.otf");
static SEMI_BOLD: &[u8] = include_bytes!("../fonts/Inter-SemiBold.otf");

/// Height of a capital letter in ems; text is centred on half of it.
pub const CAP_HEIGHT: f64 = 0.727;
/// Lowest reach of a letter below the baseline in ems.
pub const DESCENT: f64 = 0.22;

/// The face of a weight. `None` only if the bytes compiled in were no font, which a test rules out.
pub(crate) fn face(weight: Weight) -> Option<&'static FontRef<'static>> {
    static FACES: OnceLock<[Option<FontRef<'static>>; 2]> = OnceLock::new();
    let faces = FACES.get_or_init(|| {
        [
            FontRef::try_from_slice(REGULAR).ok(),
            FontRef::try_from_slice(SEMI_BOLD).ok(),
        ]
    });
    faces[match weight {
        Weight::Regular => 0,
        Weight::SemiBold => 1,
    }]
    .as_ref()
}

/// Each character's glyph and where it starts, in pixels from the start of the text.
pub(crate) fn place(text: &str, size: f64, weight: Weight) -> Vec<(GlyphId, f64)> {
    let Some(face) = face(weight) else {
        return Vec::new();
    };
    let pixels = size / units_per_em(face);
    let mut x = 0.0;
    let mut placed = Vec::with_capacity(text.len());
    for character in text.chars() {
        let glyph = face.glyph_id(character);
        placed.push((glyph, x));
        x += f64::from(face.h_advance_unscaled(glyph)) * pixels;
    }
    placed
}

/// Width of a line of text in pixels.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let Some(face) = face(weight) else {
        return 0.0;
    };
    let units: f32 = text
        .chars()
        .map(|character| face.h_advance_unscaled(face.glyph_id(character)))
        .sum();
    f64::from(units) * size / units_per_em(face)
}

/// Whether the embedded font can draw every character of the text.
pub fn has_glyphs(text: &str, weight: Weight) -> bool {
    face(weight).is_some_and(|face| text.chars().all(|c| face.glyph_id(c) != GlyphId(0)))
}

/// The outlines of a line of text that starts at the origin, one list of contours a glyph,
/// curves cut into straight pieces that stay within `tolerance` pixels.
pub fn outlines(text: &str, size: f64, weight: Weight, tolerance: f64) -> Vec<Vec<Contour>> {
    let Some(face) = face(weight) else {
        return Vec::new();
    };
    let pixels = size / units_per_em(face);
    let mut glyphs = Vec::new();
    for (glyph, start) in place(text, size, weight) {
        let Some(outline) = face.outline(glyph) else {
            continue; // a space
        };
        let at = |p: &Point| {
            (
                start + f64::from(p.x) * pixels,
                -f64::from(p.y) * pixels, // fonts count y upwards
            )
        };
        glyphs.push(contours(&outline.curves, at, tolerance));
    }
    glyphs
}

fn units_per_em(face: &FontRef<'_>) -> f64 {
    f64::from(face.units_per_em().unwrap_or(1000.0))
}

/// Joins a glyph's curves into closed contours of straight pieces.
fn contours(
    curves: &[OutlineCurve],
    at: impl Fn(&Point) -> (f64, f64),
    tolerance: f64,
) -> Vec<Contour> {
    let mut done: Vec<Contour> = Vec::new();
    let mut last: Option<Point> = None;
    for curve in curves {
        let (from, to) = match curve {
            OutlineCurve::Line(a, b) => (a, b),
            OutlineCurve::Quad(a, _, b) => (a, b),
            OutlineCurve::Cubic(a, _, _, b) => (a, b),
        };
        if last != Some(*from) {
            done.push(vec![at(from)]);
        }
        last = Some(*to);
        let Some(contour) = done.last_mut() else {
            continue;
        };
        match curve {
            OutlineCurve::Line(_, b) => contour.push(at(b)),
            OutlineCurve::Quad(a, c, b) => {
                // The cubic with the same course.
                let (a, c, b) = (at(a), at(c), at(b));
                let third =
                    |p: (f64, f64)| (p.0 + 2.0 / 3.0 * (c.0 - p.0), p.1 + 2.0 / 3.0 * (c.1 - p.1));
                flatten([a, third(a), third(b), b], tolerance, contour);
            }
            OutlineCurve::Cubic(a, c, d, b) => {
                flatten([at(a), at(c), at(d), at(b)], tolerance, contour)
            }
        }
    }
    done
}

/// Appends a cubic Bézier curve, without its first point, as equal steps in its parameter.
fn flatten([a, c, d, b]: [(f64, f64); 4], tolerance: f64, contour: &mut Contour) {
    // A bound on the second derivative bounds the distance of a chord from the curve (Wang).
    let bend = |p: (f64, f64), q: (f64, f64), r: (f64, f64)| {
        (p.0 - 2.0 * q.0 + r.0).hypot(p.1 - 2.0 * q.1 + r.1)
    };
    let worst = bend(a, c, d).max(bend(c, d, b));
    let steps = (0.75 * worst / tolerance).sqrt().ceil().clamp(1.0, 32.0) as usize;
    for step in 1..=steps {
        let t = step as f64 / steps as f64;
        let s = 1.0 - t;
        let weights = [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t];
        let mix = |p: [f64; 4]| p.iter().zip(weights).map(|(p, w)| p * w).sum::<f64>();
        contour.push((mix([a.0, c.0, d.0, b.0]), mix([a.1, c.1, d.1, b.1])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_fonts_hold_the_signs_of_the_figures() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            assert!(has_glyphs(
                "Training error (%) ×10⁻³ − – ± ≤ ≥ λσ∂√∞ ‖ ′ é",
                weight
            ));
            assert!(!has_glyphs("漢", weight));
        }
    }

    #[test]
    fn width_grows_with_size_and_text() {
        let one = width("Depth", 10.0, Weight::Regular);
        assert!((width("Depth", 20.0, Weight::Regular) - 2.0 * one).abs() < 1e-4);
        assert!(width("Depths", 10.0, Weight::Regular) > one);
        assert!(width("Depth", 10.0, Weight::SemiBold) > one);
        assert!((20.0..40.0).contains(&one), "{one}");
    }

    #[test]
    fn outlines_are_closed_and_inside_the_measured_box() {
        for glyph in outlines("Ωpo%", 20.0, Weight::Regular, 0.05) {
            for contour in glyph {
                let (first, last) = (contour[0], contour[contour.len() - 1]);
                assert!((first.0 - last.0).hypot(first.1 - last.1) < 0.05);
                for (x, y) in contour {
                    assert!((-1.0..=width("Ωpo%", 20.0, Weight::Regular) + 1.0).contains(&x));
                    assert!((-0.8 * 20.0..=DESCENT * 20.0).contains(&y), "{y}");
                }
            }
        }
    }

    #[test]
    fn capital_height_is_the_fonts() {
        let top = outlines("H", 100.0, Weight::Regular, 0.01)
            .concat()
            .concat()
            .iter()
            .fold(0.0f64, |top, p| top.max(-p.1));
        assert!((top - 100.0 * CAP_HEIGHT).abs() < 1.0, "{top}");
    }
}
