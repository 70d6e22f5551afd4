//! Glyphs as shapes that plotters' back ends can fill.
//!
//! A vector back end fills one polygon at a time, so the contours of a glyph (an `o` has two) are
//! joined by bridges that run to and fro and enclose nothing; inner contours turn the other way
//! round, hence stay empty under the non-zero rule. A raster back end gets the coverage of each
//! sample from `ab_glyph`.

use ab_glyph::{Font, PxScale, point};

use crate::scene::{Anchor, Text};
use crate::text::{self, Contour};

/// Turns a position along the text (x from its start, y below the baseline) into the canvas's.
pub(super) fn locate(text: &Text, (x, y): (f64, f64)) -> (f64, f64) {
    let width = text::width(&text.words, text.size, text.weight);
    let before = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => 0.5 * width,
        Anchor::End => width,
    };
    let (along, below) = (x - before, y + 0.5 * text::CAP_HEIGHT * text.size);
    if text.upwards {
        (text.at.0 + below, text.at.1 - along)
    } else {
        (text.at.0 + along, text.at.1 + below)
    }
}

/// Each glyph as one polygon, in logical pixels of the canvas.
pub(super) fn polygons(text: &Text, tolerance: f64) -> Vec<Contour> {
    text::outlines(&text.words, text.size, text.weight, tolerance)
        .iter()
        .map(|contours| {
            bridge(contours)
                .into_iter()
                .map(|point| locate(text, point))
                .collect()
        })
        .collect()
}

/// Joins contours into one polygon: each in turn, then back along their first points.
fn bridge(contours: &[Contour]) -> Contour {
    let mut joined = Contour::new();
    for contour in contours {
        joined.extend_from_slice(contour);
        joined.extend(contour.first()); // closed, whether the font repeats its start or not
    }
    let starts = contours.iter().rev().skip(1).filter_map(|c| c.first());
    joined.extend(starts);
    joined
}

/// Calls `put` with every sample a text covers, in units of the canvas, and how much of it.
pub(super) fn samples(text: &Text, units: f64, mut put: impl FnMut(i32, i32, f64)) {
    let Some(face) = text::face(text.weight) else {
        return;
    };
    let Some(per_em) = face.units_per_em() else {
        return;
    };
    let em = text.size * units;
    let scale = PxScale::from(em as f32 * face.height_unscaled() / per_em);
    for (glyph, start) in text::place(&text.words, text.size, text.weight) {
        // The glyph is rasterised upright around its own origin and turned sample by sample.
        let (x, y) = locate(text, (start, 0.0));
        let (x, y) = (x * units, y * units);
        let fraction = if text.upwards {
            point((-y).rem_euclid(1.0) as f32, x.rem_euclid(1.0) as f32)
        } else {
            point(x.rem_euclid(1.0) as f32, y.rem_euclid(1.0) as f32)
        };
        let (x, y) = if text.upwards {
            (x.floor() as i32, -((-y).floor() as i32))
        } else {
            (x.floor() as i32, y.floor() as i32)
        };
        let placed = glyph.with_scale_and_position(scale, fraction);
        let Some(outline) = face.outline_glyph(placed) else {
            continue; // a space
        };
        let corner = outline.px_bounds().min;
        outline.draw(|column, row, coverage| {
            let along = corner.x as i32 + column as i32;
            let below = corner.y as i32 + row as i32;
            let (px, py) = if text.upwards {
                (x + below, y - along - 1)
            } else {
                (x + along, y + below)
            };
            put(px, py, f64::from(coverage.min(1.0)));
        });
    }
}
