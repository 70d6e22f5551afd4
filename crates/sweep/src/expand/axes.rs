//! `grid` and `zip`: settings with lists of values.

use super::Assignment;
use crate::file::{Node, Path};

/// A setting and the values it takes.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The setting.
    pub path: Path,
    /// Its values, at least one.
    pub values: Vec<Node>,
}

/// Every combination; the last axis varies fastest.
pub fn grid<'s>(axes: &[Axis]) -> Vec<Assignment<'s>> {
    axes.iter()
        .fold(vec![Assignment::default()], |before, axis| {
            before
                .iter()
                .flat_map(|a| axis.values.iter().map(move |v| with(a, axis, v)))
                .collect()
        })
}

/// The axes' values side by side; all axes are of one length.
pub fn zip<'s>(axes: &[Axis]) -> Vec<Assignment<'s>> {
    let length = axes.first().map_or(1, |axis| axis.values.len());
    (0..length)
        .map(|i| {
            let pair = |axis: &Axis| Some((axis.path.clone(), axis.values.get(i)?.clone()));
            Assignment::of(axes.iter().filter_map(pair).collect())
        })
        .collect()
}

fn with<'s>(before: &Assignment<'s>, axis: &Axis, value: &Node) -> Assignment<'s> {
    let mut next = before.clone();
    next.values.push((axis.path.clone(), value.clone()));
    next
}
