//! Numbers on a rectangular grid, and lines of equal height through them (marching squares).

use std::collections::BTreeMap;

/// A place in the units of a grid's axes.
pub type Place = (f64, f64);

/// Numbers at the points of a rectangular grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Places of the columns, ascending.
    pub xs: Vec<f64>,
    /// Places of the rows, ascending.
    pub ys: Vec<f64>,
    /// Row by row, x fastest; not finite where there is no value.
    pub values: Vec<f64>,
}

impl Grid {
    /// From scattered points; the last of two at one place counts, places without one are NaN.
    pub fn from_points(points: &[(f64, f64, f64)]) -> Grid {
        let places = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all.dedup();
            all
        };
        let xs = places(points.iter().map(|p| p.0).collect());
        let ys = places(points.iter().map(|p| p.1).collect());
        let find = |all: &[f64], value: f64| all.partition_point(|v| v.total_cmp(&value).is_lt());
        let mut values = vec![f64::NAN; xs.len() * ys.len()];
        for &(x, y, value) in points {
            values[find(&ys, y) * xs.len() + find(&xs, x)] = value;
        }
        Grid { xs, ys, values }
    }

    /// The number in a column and row.
    pub fn at(&self, column: usize, row: usize) -> f64 {
        self.values[row * self.xs.len() + column]
    }

    /// All numbers that are finite.
    pub fn finite(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().copied().filter(|v| v.is_finite())
    }

    /// How many points have no finite number.
    pub fn missing(&self) -> usize {
        self.values.len() - self.finite().count()
    }

    /// Least and largest finite number.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.finite().fold(None, |range, v| {
            let (low, high) = range.unwrap_or((v, v));
            Some((f64::min(low, v), f64::max(high, v)))
        })
    }

    /// The lower left corners of the grid's cells, row by row: (column, row).
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let columns = self.xs.len().saturating_sub(1);
        let rows = self.ys.len().saturating_sub(1);
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (column, row)))
    }

    /// Whether all corners of a cell are finite.
    pub fn whole(&self, (column, row): (usize, usize)) -> bool {
        self.corners((column, row)).iter().all(|v| v.is_finite())
    }

    /// The corners of a cell against the clock, from the lower left one.
    pub fn corners(&self, (column, row): (usize, usize)) -> [f64; 4] {
        [
            self.at(column, row),
            self.at(column + 1, row),
            self.at(column + 1, row + 1),
            self.at(column, row + 1),
        ]
    }
}

/// An edge of the grid: whether it runs along y, and the point it starts from.
type Edge = (bool, usize, usize);

/// The lines along which the linearly interpolated surface has this height. Closed ones end where
/// they begin. Cells with a corner that is not finite have none.
///
/// Where a saddle leaves two ways to join, the mean of the corners decides.
pub fn level_lines(grid: &Grid, level: f64) -> Vec<Vec<Place>> {
    let mut joined: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for cell in grid.cells().filter(|cell| grid.whole(*cell)) {
        for (one, other) in segments(grid, cell, level) {
            joined.entry(one).or_default().push(other);
            joined.entry(other).or_default().push(one);
        }
    }
    // Open lines from their ends, then what is left, which are loops.
    let ends: Vec<Edge> = joined
        .iter()
        .filter(|(_, next)| next.len() == 1)
        .map(|(edge, _)| *edge)
        .collect();
    let all: Vec<Edge> = joined.keys().copied().collect();
    let mut lines = Vec::new();
    for start in ends.into_iter().chain(all) {
        let chain = follow(&mut joined, start);
        if chain.len() > 1 {
            lines.push(chain.into_iter().map(|e| place(grid, e, level)).collect());
        }
    }
    lines
}

/// Walks from edge to edge and removes the steps taken.
fn follow(joined: &mut BTreeMap<Edge, Vec<Edge>>, start: Edge) -> Vec<Edge> {
    let mut chain = vec![start];
    let mut here = start;
    while let Some(next) = joined.get_mut(&here).and_then(Vec::pop) {
        if let Some(back) = joined.get_mut(&next)
            && let Some(index) = back.iter().position(|edge| *edge == here)
        {
            back.remove(index);
        }
        chain.push(next);
        here = next;
    }
    chain
}

/// Which edges of a cell the level joins.
fn segments(grid: &Grid, (column, row): (usize, usize), level: f64) -> Vec<(Edge, Edge)> {
    let corners = grid.corners((column, row));
    let bottom = (false, column, row);
    let top = (false, column, row + 1);
    let left = (true, column, row);
    let right = (true, column + 1, row);
    let above = |index: usize| usize::from(corners[index] >= level) << index;
    let code: usize = (0..4).map(above).sum();
    let centre_above = 0.25 * corners.iter().sum::<f64>() >= level;
    match code {
        1 | 14 => vec![(left, bottom)],
        2 | 13 => vec![(bottom, right)],
        3 | 12 => vec![(left, right)],
        4 | 11 => vec![(right, top)],
        6 | 9 => vec![(bottom, top)],
        7 | 8 => vec![(left, top)],
        5 | 10 if (code == 5) == centre_above => vec![(bottom, right), (left, top)],
        5 | 10 => vec![(left, bottom), (right, top)],
        _ => Vec::new(),
    }
}

/// Where the level crosses an edge.
fn place(grid: &Grid, (along_y, column, row): Edge, level: f64) -> Place {
    let to = if along_y {
        (column, row + 1)
    } else {
        (column + 1, row)
    };
    let (a, b) = (grid.at(column, row), grid.at(to.0, to.1));
    let part = ((level - a) / (b - a)).clamp(0.0, 1.0);
    let mix = |from: f64, to: f64| from + part * (to - from);
    (
        mix(grid.xs[column], grid.xs[to.0]),
        mix(grid.ys[row], grid.ys[to.1]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(columns: usize, rows: usize, height: impl Fn(f64, f64) -> f64) -> Grid {
        let place = |i: usize, n: usize| -1.0 + 2.0 * i as f64 / (n - 1) as f64;
        let points: Vec<_> = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (column, row)))
            .map(|(column, row)| (place(column, columns), place(row, rows)))
            .map(|(x, y)| (x, y, height(x, y)))
            .collect();
        Grid::from_points(&points)
    }

    #[test]
    fn lines_of_a_plane_are_exact_and_the_right_way_round() {
        // On an asymmetric grid a swapped axis would show.
        let grid = sampled(3, 7, |x, y| 2.0 * x + 5.0 * y);
        assert_eq!((grid.xs.len(), grid.ys.len()), (3, 7));
        for level in [-3.3, 0.1, 4.0] {
            let lines = level_lines(&grid, level);
            assert_eq!(lines.len(), 1);
            for (x, y) in &lines[0] {
                assert!((2.0 * x + 5.0 * y - level).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn lines_of_a_bowl_are_closed_circles() {
        let grid = sampled(41, 41, |x, y| x * x + y * y);
        let lines = level_lines(&grid, 0.5);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last(), "a closed line");
        // Linear interpolation of a parabola is off by at most h²/4 in height here.
        for (x, y) in &lines[0] {
            assert!((x * x + y * y - 0.5).abs() < 0.05_f64.powi(2));
        }
        // Four arcs in the corners, each open.
        let arcs = level_lines(&grid, 1.5);
        assert_eq!(arcs.len(), 4);
        assert!(arcs.iter().all(|arc| arc.first() != arc.last()));
    }

    #[test]
    fn a_saddle_is_joined_as_its_middle_says() {
        // Two high corners, on a diagonal.
        let saddle = |low: f64| Grid {
            xs: vec![0.0, 1.0],
            ys: vec![0.0, 1.0],
            values: vec![1.0, low, low, 1.0],
        };
        // Middle at 0.5, above the level 0.4: the low corners are cut off, else the high ones.
        for (level, around) in [
            (0.4, [(1.0, 0.0), (0.0, 1.0)]),
            (0.6, [(0.0, 0.0), (1.0, 1.0)]),
        ] {
            let lines = level_lines(&saddle(0.0), level);
            assert_eq!(lines.len(), 2);
            for line in lines {
                let middle = |i: usize| {
                    if i == 0 {
                        line[0].0 + line[1].0
                    } else {
                        line[0].1 + line[1].1
                    }
                };
                let near = around.iter().any(|corner: &Place| {
                    (0.5 * middle(0) - corner.0).abs() < 0.4
                        && (0.5 * middle(1) - corner.1).abs() < 0.4
                });
                assert!(near, "{level}: {line:?}");
            }
        }
    }

    #[test]
    fn rosenbrock_valley_is_one_line_on_the_level() {
        let height = |x: f64, y: f64| (1.0 - x).powi(2) + 10.0 * (y - x * x).powi(2);
        let grid = sampled(201, 101, height);
        for line in level_lines(&grid, 2.0) {
            for (x, y) in line {
                assert!((height(x, y) - 2.0).abs() < 0.02);
            }
        }
    }

    #[test]
    fn missing_points_leave_gaps_and_no_line_crosses_them() {
        let grid = sampled(21, 21, |x, y| {
            if x.abs() < 0.15 && y > 0.0 {
                f64::NAN
            } else if y < -0.95 {
                f64::INFINITY
            } else {
                x * x + y * y
            }
        });
        assert_eq!(grid.missing(), 3 * 10 + 21);
        let lines = level_lines(&grid, 0.5);
        assert_eq!(lines.len(), 1, "open at the gap");
        assert_ne!(lines[0].first(), lines[0].last());
        assert!(lines[0].iter().all(|p| p.0.is_finite() && p.1.is_finite()));
        assert!(!lines[0].iter().any(|p| p.0.abs() < 0.15 && p.1 > 0.0));
    }

    #[test]
    fn grids_without_cells_have_no_lines() {
        for grid in [
            sampled(2, 1, |x, _| x),
            Grid::from_points(&[]),
            Grid::from_points(&[(0.0, 0.0, 1.0)]),
        ] {
            assert!(level_lines(&grid, 0.0).is_empty());
        }
    }
}
