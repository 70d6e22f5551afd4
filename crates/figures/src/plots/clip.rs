//! Cutting curves and areas off at the frame of a panel.

use crate::scene::Position;

/// A rectangle: left, top, right, bottom.
pub(crate) type Frame = (f64, f64, f64, f64);

/// The pieces of a curve inside the frame.
pub(super) fn curve(points: &[Position], frame: Frame) -> Vec<Vec<Position>> {
    let mut pieces: Vec<Vec<Position>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = segment(pair[0], pair[1], frame) else {
            continue;
        };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// The part of a segment inside the frame (Liang and Barsky).
fn segment(a: Position, b: Position, frame: Frame) -> Option<(Position, Position)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (slope, room) in [
        (-dx, a.0 - frame.0),
        (dx, frame.2 - a.0),
        (-dy, a.1 - frame.1),
        (dy, frame.3 - a.1),
    ] {
        if slope == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if slope < 0.0 {
            enter = enter.max(room / slope);
        } else {
            leave = leave.min(room / slope);
        }
    }
    let at = |t: f64| (a.0 + t * dx, a.1 + t * dy);
    (enter <= leave).then(|| {
        (
            if enter == 0.0 { a } else { at(enter) },
            if leave == 1.0 { b } else { at(leave) },
        )
    })
}

/// The part of a polygon inside the frame (Sutherland and Hodgman).
pub(super) fn area(points: &[Position], frame: Frame) -> Vec<Position> {
    // The signed room left towards each side: negative outside.
    let rooms: [fn(Position, Frame) -> f64; 4] = [
        |p, f| p.0 - f.0,
        |p, f| f.2 - p.0,
        |p, f| p.1 - f.1,
        |p, f| f.3 - p.1,
    ];
    rooms.iter().fold(points.to_vec(), |polygon, room| {
        let mut kept = Vec::with_capacity(polygon.len());
        for (index, &to) in polygon.iter().enumerate() {
            let from = polygon[(index + polygon.len() - 1) % polygon.len()];
            let (before, after) = (room(from, frame), room(to, frame));
            if (before < 0.0) != (after < 0.0) {
                let t = before / (before - after);
                kept.push((from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1)));
            }
            if after >= 0.0 {
                kept.push(to);
            }
        }
        kept
    })
}
