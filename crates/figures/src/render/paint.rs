//! The one drawing routine: a scene onto any plotters back end.
//!
//! Two things differ between vector and raster back ends. A vector back end strokes lines itself;
//! plotters' raster strokes have spiked joints, so there a line is laid down as one
//! rectangle a segment with discs at the joints. Glyphs: see `glyphs`.

use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBAColor, ShapeStyle};

use super::glyphs;
use super::{RenderError, failed};
use crate::scene::{Item, Position, Scene, Shape, Text};
use crate::theme::Rgb;

/// What a back end is good at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// Strokes and fills polygons.
    Vector,
    /// Sets samples.
    Raster,
}

/// How far, in logical pixels, a straight piece of an outline may leave the curve.
const GLYPH_TOLERANCE: f64 = 0.04;

struct Brush<'a, B> {
    backend: &'a mut B,
    units: f64,
    device: Device,
}

/// Paints a scene at `units` units of the back end to a logical pixel, on white.
pub(super) fn paint<B: DrawingBackend>(
    backend: &mut B,
    scene: &Scene,
    units: u32,
    device: Device,
) -> Result<(), RenderError> {
    let corner = ((scene.width * units) as i32, (scene.height * units) as i32);
    let white = style((255, 255, 255), 1.0, 1);
    backend
        .draw_rect((0, 0), corner, &white, true)
        .map_err(failed)?;
    let mut brush = Brush {
        backend,
        units: f64::from(units),
        device,
    };
    for item in &scene.items {
        brush.item(item)?;
    }
    Ok(())
}

impl<B: DrawingBackend> Brush<'_, B> {
    fn item(&mut self, item: &Item) -> Result<(), RenderError> {
        match item {
            Item::Line {
                points,
                color,
                width,
                dash: None,
            } => self.stroke(points, *color, *width, true),
            Item::Line {
                points,
                color,
                width,
                dash: Some(dash),
            } => dashes(points, *dash)
                .iter()
                .try_for_each(|piece| self.stroke(piece, *color, *width, false)),
            Item::Area {
                points,
                color,
                opacity,
            } => self.fill(points, *color, *opacity),
            Item::Mark {
                at,
                shape,
                radius,
                color,
                opacity,
            } => self.mark(*at, *shape, *radius, *color, *opacity),
            Item::Text(text) => self.text(text),
        }
    }

    fn unit(&self, (x, y): Position) -> (i32, i32) {
        (
            (x * self.units).round() as i32,
            (y * self.units).round() as i32,
        )
    }

    fn stroke(
        &mut self,
        points: &[Position],
        color: Rgb,
        width: f64,
        round: bool,
    ) -> Result<(), RenderError> {
        if self.device == Device::Vector {
            let units = (width * self.units).round() as u32;
            let path: Vec<_> = points.iter().map(|p| self.unit(*p)).collect();
            return self
                .backend
                .draw_path(path, &style(color, 1.0, units))
                .map_err(failed);
        }
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length > 0.0 {
                let side = 0.5 * width / length;
                let (dx, dy) = (-(b.1 - a.1) * side, (b.0 - a.0) * side);
                let corners = [
                    (a.0 + dx, a.1 + dy),
                    (b.0 + dx, b.1 + dy),
                    (b.0 - dx, b.1 - dy),
                    (a.0 - dx, a.1 - dy),
                ];
                self.fill(&corners, color, 1.0)?;
            }
        }
        let ends = usize::from(!round);
        for &joint in points
            .iter()
            .take(points.len().saturating_sub(ends))
            .skip(ends)
        {
            self.disc(joint, 0.5 * width, color, 1.0)?;
        }
        Ok(())
    }

    fn fill(&mut self, points: &[Position], color: Rgb, opacity: f64) -> Result<(), RenderError> {
        let path: Vec<_> = points.iter().map(|p| self.unit(*p)).collect();
        self.backend
            .fill_polygon(path, &style(color, opacity, 1))
            .map_err(failed)
    }

    fn disc(
        &mut self,
        at: Position,
        radius: f64,
        color: Rgb,
        opacity: f64,
    ) -> Result<(), RenderError> {
        let units = (radius * self.units).round() as u32;
        self.backend
            .draw_circle(self.unit(at), units, &style(color, opacity, 1), true)
            .map_err(failed)
    }

    fn mark(
        &mut self,
        at: Position,
        shape: Shape,
        r: f64,
        color: Rgb,
        opacity: f64,
    ) -> Result<(), RenderError> {
        let (x, y) = at;
        match shape {
            Shape::Disc => self.disc(at, r, color, opacity),
            Shape::Square => {
                let r = 0.9 * r;
                let (from, to) = (self.unit((x - r, y - r)), self.unit((x + r, y + r)));
                self.backend
                    .draw_rect(from, to, &style(color, opacity, 1), true)
                    .map_err(failed)
            }
            Shape::Cross => {
                // A white edge keeps it visible among the curves.
                for (color, width) in [((255, 255, 255), 4.0), (color, 1.7)] {
                    self.stroke(&[(x - r, y - r), (x + r, y + r)], color, width, true)?;
                    self.stroke(&[(x - r, y + r), (x + r, y - r)], color, width, true)?;
                }
                Ok(())
            }
        }
    }

    fn text(&mut self, text: &Text) -> Result<(), RenderError> {
        if self.device == Device::Vector {
            for polygon in glyphs::polygons(text, GLYPH_TOLERANCE) {
                self.fill(&polygon, text.color, 1.0)?;
            }
            return Ok(());
        }
        let mut result = Ok(());
        let (width, height) = self.backend.get_size();
        glyphs::samples(text, self.units, |x, y, coverage| {
            let inside = (0..width as i32).contains(&x) && (0..height as i32).contains(&y);
            if result.is_ok() && inside && coverage > 0.0 {
                let color = style(text.color, coverage, 1).color;
                result = self.backend.draw_pixel((x, y), color.to_backend_color());
            }
        });
        result.map_err(failed)
    }
}

fn style(color: Rgb, opacity: f64, stroke_width: u32) -> ShapeStyle {
    ShapeStyle {
        color: RGBAColor(color.0, color.1, color.2, opacity),
        filled: true,
        stroke_width: stroke_width.max(1),
    }
}

/// The pieces of a dashed line: the pattern runs along the whole of it, around corners.
fn dashes(points: &[Position], (on, off): (f64, f64)) -> Vec<Vec<Position>> {
    let mut pieces = Vec::new();
    let mut drawing = true;
    let mut left = on;
    let mut piece: Vec<Position> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut a, b) = (pair[0], pair[1]);
        let mut length = (b.0 - a.0).hypot(b.1 - a.1);
        while length > left {
            let part = left / length;
            a = (a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1));
            length -= left;
            if drawing {
                piece.push(a);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![a];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length;
        if drawing {
            piece.push(b);
        }
    }
    if drawing && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_run_around_corners_and_cover_their_share() {
        let line = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)];
        let pieces = dashes(&line, (3.0, 2.0));
        let length: f64 = pieces
            .iter()
            .flat_map(|piece| piece.windows(2))
            .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1))
            .sum();
        assert!((length - 12.0).abs() < 1e-9, "{length}");
        assert_eq!(pieces.len(), 4);
        assert!(
            pieces.iter().flatten().all(|p| p.1 == 0.0 || p.0 == 10.0),
            "pieces follow the corner"
        );
    }
}
