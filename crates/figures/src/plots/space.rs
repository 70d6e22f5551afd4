//! A surface in three dimensions: parallel projection, far cells first, colour by height.
//!
//! Seen from the front, 30° to the right and 28° from above: x runs to the right along the front
//! edge, y backwards along the right one, z up the left one.

use super::Panel;
use super::clip::Frame;
use super::panel::{label, line};
use crate::axes::Axis;
use crate::contours::Grid;
use crate::scene::{Anchor, Item, Position};
use crate::text::Weight;
use crate::theme::{self, Rgb};

/// A point of the box: x and y from −1 to 1, z from 0 to [`TALL`].
type Point = [f64; 3];

/// Height of the box.
const TALL: f64 = 1.6;
/// The camera stands at this angle from x to y, in degrees.
const AZIMUTH: f64 = -60.0;
/// And this far above the floor.
const ELEVATION: f64 = 28.0;
/// Where light comes from, and how much darker a cell that it misses is.
const LIGHT: Point = [-0.45, -0.45, 0.77];
const SHADE: f64 = 0.38;

/// Room for z labels, below (labels of x and y use the room that flat panels have for theirs), and
/// elsewhere.
const LEFT: f64 = 46.0;
const BELOW: f64 = 4.0;
const RIGHT: f64 = 16.0;
/// Distance of tick labels and of names from their edges.
const TICK_ROOM: f64 = 14.0;
const NAME_ROOM: f64 = 31.0;
/// Ticks on an axis of the floor.
const MOST_TICKS: usize = 5;

struct Camera {
    /// Pixels to a unit.
    scale: f64,
    /// Where the middle of the floor lies.
    origin: Position,
}

/// Right and up in units, and distance from the viewer.
fn turn([x, y, z]: Point) -> Point {
    let (sin, cos) = AZIMUTH.to_radians().sin_cos();
    let (rise, level) = ELEVATION.to_radians().sin_cos();
    let away = -x * cos - y * sin;
    [y * cos - x * sin, z * level + away * rise, away]
}

impl Camera {
    /// As large as the frame allows.
    fn fitting(frame: Frame) -> Camera {
        let corners =
            [-1.0, 1.0].map(|x| [-1.0, 1.0].map(|y| [0.0, TALL].map(|z| turn([x, y, z]))));
        let corners = corners.as_flattened().as_flattened();
        let range = |index: usize| {
            let values = corners.iter().map(|c| c[index]);
            (
                values.clone().fold(f64::MAX, f64::min),
                values.fold(f64::MIN, f64::max),
            )
        };
        let ((left, right), (low, high)) = (range(0), range(1));
        let (wide, tall) = (frame.2 - frame.0 - LEFT - RIGHT, frame.3 - frame.1 - BELOW);
        let scale = (wide / (right - left)).min(tall / (high - low));
        let middle = frame.0 + LEFT + 0.5 * wide - 0.5 * scale * (left + right);
        let floor = frame.1 + 0.5 * tall + 0.5 * scale * (high + low);
        Camera {
            scale,
            origin: (middle, floor),
        }
    }

    fn see(&self, point: Point) -> Position {
        let [right, up, _] = turn(point);
        (
            self.origin.0 + self.scale * right,
            self.origin.1 - self.scale * up,
        )
    }
}

/// Where a value lies between −1 and 1.
fn across(axis: &Axis, value: f64) -> f64 {
    2.0 * axis.position(value) - 1.0
}

fn tall(z: &Axis, value: f64) -> f64 {
    TALL * z.position(value).clamp(0.0, 1.0)
}

/// Draws the box with the surface in it into the panel's frame.
pub(super) fn draw(panel: &Panel, surface: &Grid, z: &Axis, frame: Frame, items: &mut Vec<Item>) {
    let camera = Camera::fitting(frame);
    walls(panel, z, &camera, items);
    cells(panel, surface, z, &camera, items);
    floor_axis(
        &panel.x,
        &camera,
        |v| [v, -1.0, 0.0],
        ([0.0, -1.0, 0.0], Anchor::Middle),
        items,
    );
    floor_axis(
        &panel.y,
        &camera,
        |v| [1.0, v, 0.0],
        ([1.0, 0.0, 0.0], Anchor::Start),
        items,
    );
    upright_axis(z, &camera, frame, items);
}

/// The two walls at the back with a line at each tick, and the floor.
fn walls(panel: &Panel, z: &Axis, camera: &Camera, items: &mut Vec<Item>) {
    let mut stroke = |points: &[Point]| {
        let points = points.iter().map(|p| camera.see(*p)).collect();
        items.push(line(points, theme::GRID, theme::GRID_WIDTH));
    };
    for (value, _) in &z.ticks {
        let h = tall(z, *value);
        stroke(&[[-1.0, -1.0, h], [-1.0, 1.0, h], [1.0, 1.0, h]]);
    }
    for (value, _) in few(&panel.x) {
        let x = across(&panel.x, *value);
        stroke(&[[x, -1.0, 0.0], [x, 1.0, 0.0], [x, 1.0, TALL]]);
    }
    for (value, _) in few(&panel.y) {
        let y = across(&panel.y, *value);
        stroke(&[[1.0, y, 0.0], [-1.0, y, 0.0], [-1.0, y, TALL]]);
    }
}

fn few(axis: &Axis) -> impl Iterator<Item = &(f64, String)> {
    axis.ticks
        .iter()
        .step_by(axis.ticks.len().div_ceil(MOST_TICKS).max(1))
}

fn cells(panel: &Panel, surface: &Grid, z: &Axis, camera: &Camera, items: &mut Vec<Item>) {
    let point = |column: usize, row: usize| -> Point {
        [
            across(&panel.x, surface.xs[column]),
            across(&panel.y, surface.ys[row]),
            tall(z, surface.at(column, row)),
        ]
    };
    let mut all: Vec<(f64, [Point; 4])> = surface
        .cells()
        .filter(|cell| surface.whole(*cell))
        .map(|(c, r)| {
            [
                point(c, r),
                point(c + 1, r),
                point(c + 1, r + 1),
                point(c, r + 1),
            ]
        })
        .map(|corners| {
            let ground = |i: usize| 0.25 * corners.iter().map(|p| p[i]).sum::<f64>();
            (turn([ground(0), ground(1), 0.0])[2], corners)
        })
        .collect();
    // Over a floor, what is nearer on the floor is in front.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    items.extend(all.iter().map(|(_, corners)| Item::Area {
        points: grown(&corners.map(|p| camera.see(p))),
        color: cell_color(corners),
        opacity: 1.0,
    }));
}

/// A little larger, lest what is behind shine through between neighbours.
fn grown(corners: &[Position; 4]) -> Vec<Position> {
    let middle = |part: fn(&Position) -> f64| 0.25 * corners.iter().map(part).sum::<f64>();
    let (x, y) = (middle(|p| p.0), middle(|p| p.1));
    let away = |p: &Position| {
        let distance = (p.0 - x).hypot(p.1 - y).max(1e-9);
        let more = 0.3 / distance;
        (p.0 + more * (p.0 - x), p.1 + more * (p.1 - y))
    };
    corners.iter().map(away).collect()
}

/// Colour of the mean height, darker where the light does not fall on it.
fn cell_color(corners: &[Point; 4]) -> Rgb {
    let mean = 0.25 * corners.iter().map(|p| p[2]).sum::<f64>();
    let between = |a: Point, b: Point| [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    let (u, v) = (
        between(corners[0], corners[2]),
        between(corners[1], corners[3]),
    );
    let normal = [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ];
    let size = normal.iter().map(|n| n * n).sum::<f64>().sqrt().max(1e-12);
    let light = normal.iter().zip(LIGHT).map(|(n, l)| n * l).sum::<f64>() / size;
    let dark = SHADE * (1.0 - light.max(0.0));
    theme::mixed(theme::height_color(mean / TALL), (0, 0, 0), dark)
}

/// An edge of the floor with its ticks; `outwards` points away from the box, with the anchor of
/// labels there.
fn floor_axis(
    axis: &Axis,
    camera: &Camera,
    edge: impl Fn(f64) -> Point,
    (outwards, anchor): (Point, Anchor),
    items: &mut Vec<Item>,
) {
    let (from, to) = (camera.see([0.0; 3]), camera.see(outwards));
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let beside = |(x, y): Position, room: f64| {
        let part = room / length;
        (x + part * (to.0 - from.0), y + part * (to.1 - from.1))
    };
    let ends = vec![camera.see(edge(-1.0)), camera.see(edge(1.0))];
    items.push(line(ends, theme::INK, theme::AXIS_WIDTH));
    for (value, name) in few(axis) {
        let at = camera.see(edge(across(axis, *value)));
        let tick = vec![at, beside(at, theme::TICK)];
        items.push(line(tick, theme::INK, theme::AXIS_WIDTH));
        // Under the front edge labels stand straight below, clear of those of the upright axis.
        let at = match anchor {
            Anchor::Middle => (at.0 - 3.0, at.1 + TICK_ROOM),
            _ => beside(at, TICK_ROOM),
        };
        items.push(label(
            name,
            at,
            anchor,
            theme::TICK_SIZE - 1.0,
            Weight::Regular,
        ));
    }
    let at = beside(camera.see(edge(0.0)), NAME_ROOM);
    items.push(label(
        &axis.label,
        at,
        anchor,
        theme::LABEL_SIZE,
        Weight::Regular,
    ));
}

fn upright_axis(z: &Axis, camera: &Camera, frame: Frame, items: &mut Vec<Item>) {
    let edge = |height: f64| camera.see([-1.0, -1.0, height]);
    items.push(line(
        vec![edge(0.0), edge(TALL)],
        theme::INK,
        theme::AXIS_WIDTH,
    ));
    let mut last = f64::MAX;
    for (value, name) in &z.ticks {
        let (x, y) = edge(tall(z, *value));
        let tick = vec![(x, y), (x - theme::TICK, y)];
        items.push(line(tick, theme::INK, theme::AXIS_WIDTH));
        if last - y > theme::TICK_SIZE {
            let at = (x - theme::TICK - 3.0, y);
            items.push(label(
                name,
                at,
                Anchor::End,
                theme::TICK_SIZE - 1.0,
                Weight::Regular,
            ));
            last = y;
        }
    }
    let middle = (frame.0 + 0.5 * theme::LABEL_SIZE, edge(0.5 * TALL).1);
    if let Item::Text(mut name) = label(
        &z.label,
        middle,
        Anchor::Middle,
        theme::LABEL_SIZE,
        Weight::Regular,
    ) {
        name.upwards = true;
        items.push(Item::Text(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::{Figure, Layer, check, lay_out};

    fn panel(surface: Grid) -> Panel {
        Panel {
            title: "a".into(),
            x: Axis::linear("x", -1.0, 1.0),
            y: Axis::linear("y", -3.0, 3.0),
            layers: vec![Layer::Space {
                surface,
                z: Axis::linear("Loss", 0.0, 1.0),
            }],
        }
    }

    #[test]
    fn nearer_is_drawn_later_and_directions_are_as_described() {
        let [x, y, z] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(turn);
        assert!(x[0] > 0.0 && x[2] < 0.0, "x runs right and nearer");
        assert!(y[0] > 0.0 && y[2] > 0.0, "y runs right and away");
        assert!(z[0].abs() < 1e-12 && z[1] > 0.0);
        // Two of the three turned axes' lengths are kept by a parallel projection of 3 by 2.
        assert!((x[0].hypot(y[0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_ridge_on_an_asymmetric_grid_stands_at_its_place() {
        // 3 columns, 7 rows; only the point x = 1, y = -3, the front corner, is high.
        let mut points = Vec::new();
        for x in [-1.0, 0.0, 1.0] {
            for row in -3..=3 {
                let y = f64::from(row);
                points.push((x, y, if x > 0.5 && y < -2.5 { 1.0 } else { 0.0 }));
            }
        }
        let mut items = Vec::new();
        let panel = panel(Grid::from_points(&points));
        let Layer::Space { surface, z } = &panel.layers[0] else {
            unreachable!()
        };
        let frame = (0.0, 0.0, 300.0, 260.0);
        cells(&panel, surface, z, &Camera::fitting(frame), &mut items);
        assert_eq!(items.len(), 2 * 6);
        let colors: Vec<Rgb> = items
            .iter()
            .map(|item| match item {
                Item::Area { color, .. } => *color,
                _ => unreachable!(),
            })
            .collect();
        let flat = colors[0];
        assert_eq!(colors.iter().filter(|c| **c != flat).count(), 1);
        assert_ne!(colors[11], flat, "the nearest cell is the last");
    }

    #[test]
    fn missing_cells_are_left_out_and_everything_stays_inside() {
        let points: Vec<_> = (0..25)
            .map(|i| (f64::from(i % 5) / 2.0 - 1.0, f64::from(i / 5) * 1.5 - 3.0))
            .map(|(x, y)| {
                (
                    x,
                    y,
                    if x == 0.0 && y == 0.0 {
                        f64::NAN
                    } else {
                        7.0 * x
                    },
                )
            })
            .collect();
        let panel = panel(Grid::from_points(&points));
        let figure = Figure {
            title: "a".into(),
            rows: vec![vec![panel.clone(), panel]],
            panel_size: (220.0, 190.0),
            legend: Vec::new(),
            notes: Vec::new(),
        };
        let scene = lay_out(&figure);
        check(&scene);
        let areas = scene
            .items
            .iter()
            .filter(|i| matches!(i, Item::Area { .. }));
        assert_eq!(areas.count(), 2 * (16 - 4));
    }
}
