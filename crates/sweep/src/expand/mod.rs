//! Sweeps: from what varies to the list of assignments, one for each setting of the runs.
//!
//! | operator | assignments |
//! |----------|-------------|
//! | `grid`   | every combination; the last key varies fastest |
//! | `zip`    | the first values together, then the second ones, ... |
//! | `list`   | as written, one mapping each |
//! | `random` | seeded draws from distributions |
//! | `product`| every combination of its parts; the last part varies fastest |
//! | `union`  | those of its parts, one after the other |
//!
//! Operators beside each other in one mapping are a product; a bare list of mappings is a union.
//! `exclude` beside them takes combinations out again.

mod axes;
mod random;
mod read;
#[cfg(test)]
mod tests;

pub use axes::Axis;
pub use random::{Distribution, Random};

use crate::file::{Mistake, Node, Path};

/// Most runs of one experiment.
pub const MAX_RUNS: usize = 100_000;

/// What varies: a tree of operators.
#[derive(Debug, Clone)]
pub enum Sweep {
    /// Every combination of the axes' values.
    Grid(Vec<Axis>),
    /// The axes' values together.
    Zip(Vec<Axis>),
    /// Assignments as written.
    List(Vec<Vec<(Path, Node)>>),
    /// Seeded draws.
    Random(Random),
    /// Every combination of the parts.
    Product(Vec<Sweep>),
    /// One part after the other.
    Union(Vec<Sweep>),
    /// What is left of a sweep when combinations are taken out.
    Except(Box<Sweep>, Vec<Exclusion>),
}

/// A combination that is not to be run: all its settings have these values.
#[derive(Debug, Clone)]
pub struct Exclusion {
    /// Settings and values.
    pub values: Vec<(Path, Node)>,
    /// The place of the whole.
    pub at: crate::file::Location,
}

/// The values of one setting of the sweep.
#[derive(Debug, Clone, Default)]
pub struct Assignment<'s> {
    /// Settings and values, in the order of the axes.
    pub values: Vec<(Path, Node)>,
    /// The exclusions it is subject to.
    pub exclusions: Vec<&'s Exclusion>,
}

impl Sweep {
    /// The sweep in which nothing varies: one assignment of nothing.
    pub fn nothing() -> Self {
        Self::Product(Vec::new())
    }

    /// How many assignments there are, exclusions aside; `None` beyond all counting.
    pub fn count(&self) -> Option<usize> {
        let total = |mut counts: Vec<Option<usize>>, add: bool| {
            counts
                .drain(..)
                .try_fold(usize::from(!add), |total, count| {
                    let count = count?;
                    if add {
                        total.checked_add(count)
                    } else {
                        total.checked_mul(count)
                    }
                })
        };
        match self {
            Self::Grid(axes) => total(axes.iter().map(|a| Some(a.values.len())).collect(), false),
            Self::Zip(axes) => Some(axes.first().map_or(1, |axis| axis.values.len())),
            Self::List(entries) => Some(entries.len()),
            Self::Random(random) => Some(random.count),
            Self::Product(parts) => total(parts.iter().map(Self::count).collect(), false),
            Self::Union(parts) => total(parts.iter().map(Self::count).collect(), true),
            Self::Except(inner, _) => inner.count(),
        }
    }

    /// All assignments, in order. The caller has looked at [`Sweep::count`].
    pub fn expand(&self) -> Vec<Assignment<'_>> {
        match self {
            Self::Grid(axes) => axes::grid(axes),
            Self::Zip(axes) => axes::zip(axes),
            Self::List(entries) => entries
                .iter()
                .map(|entry| Assignment::of(entry.clone()))
                .collect(),
            Self::Random(random) => random.draw().into_iter().map(Assignment::of).collect(),
            Self::Product(parts) => {
                parts
                    .iter()
                    .fold(vec![Assignment::default()], |before, part| {
                        let after = part.expand();
                        before
                            .iter()
                            .flat_map(|a| after.iter().map(move |b| a.and(b)))
                            .collect()
                    })
            }
            Self::Union(parts) => parts.iter().flat_map(Self::expand).collect(),
            Self::Except(inner, exclusions) => {
                let mut assignments = inner.expand();
                for assignment in &mut assignments {
                    assignment.exclusions.extend(exclusions);
                }
                assignments
            }
        }
    }

    /// All exclusions, wherever they stand.
    pub fn exclusions(&self) -> Vec<&Exclusion> {
        match self {
            Self::Product(parts) | Self::Union(parts) => {
                parts.iter().flat_map(Self::exclusions).collect()
            }
            Self::Except(inner, own) => inner.exclusions().into_iter().chain(own).collect(),
            _ => Vec::new(),
        }
    }

    /// The paths that vary, in order, each once.
    pub fn paths(&self) -> Vec<&Path> {
        let all: Vec<&Path> = match self {
            Self::Grid(axes) | Self::Zip(axes) => axes.iter().map(|axis| &axis.path).collect(),
            Self::List(entries) => entries.iter().flatten().map(|(path, _)| path).collect(),
            Self::Random(random) => random.axes.iter().map(|(path, _)| path).collect(),
            Self::Product(parts) | Self::Union(parts) => {
                parts.iter().flat_map(Self::paths).collect()
            }
            Self::Except(inner, _) => inner.paths(),
        };
        let mut once: Vec<&Path> = Vec::new();
        for path in all {
            if !once.iter().any(|seen| seen.to_string() == path.to_string()) {
                once.push(path);
            }
        }
        once
    }

    /// Takes out every axis at or below a path, which an override has set.
    pub fn fix(&mut self, set: &Path) {
        match self {
            Self::Grid(axes) | Self::Zip(axes) => axes.retain(|axis| !set.contains(&axis.path)),
            Self::List(entries) => {
                for entry in entries {
                    entry.retain(|(path, _)| !set.contains(path));
                }
            }
            Self::Random(random) => random.axes.retain(|(path, _)| !set.contains(path)),
            Self::Product(parts) | Self::Union(parts) => parts.iter_mut().for_each(|p| p.fix(set)),
            Self::Except(inner, _) => inner.fix(set),
        }
    }

    /// Refuses a product in which two parts set the same thing.
    pub(crate) fn check_disjoint(parts: &[Sweep]) -> Result<(), Mistake> {
        let mut seen: Vec<&Path> = Vec::new();
        for part in parts {
            let paths = part.paths();
            for path in &paths {
                if let Some(first) = seen.iter().find(|p| p.contains(path) || path.contains(p)) {
                    let line = first.at.line;
                    let message = format!("`{path}` is swept twice: first in line {line}");
                    return Err(Mistake::new(path.at, message));
                }
            }
            seen.extend(paths);
        }
        Ok(())
    }
}

impl Assignment<'_> {
    fn of(values: Vec<(Path, Node)>) -> Self {
        Self {
            values,
            exclusions: Vec::new(),
        }
    }
}

impl<'s> Assignment<'s> {
    fn and(&self, other: &Assignment<'s>) -> Assignment<'s> {
        Assignment {
            values: self.values.iter().chain(&other.values).cloned().collect(),
            exclusions: self
                .exclusions
                .iter()
                .chain(&other.exclusions)
                .copied()
                .collect(),
        }
    }
}
