//! Memory that will be wanted soon: brought nearer while a kernel computes.
//!
//! Activations of a batch are larger than any cache, and what a pass over them costs is mostly
//! waiting. A kernel that multiplies for a while can ask for the next rows meanwhile.

use std::ops::Range;

use crate::LANES;
use crate::vector::Vector;

/// Regions that one kernel can ask for.
const MOST: usize = 8;

/// Places in memory, by address: nothing is borrowed, and asking for what is gone does no harm.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ahead {
    regions: [Region; MOST],
    count: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Region {
    start: usize,
    lines: usize,
}

/// Where some numbers start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base(usize);

impl Base {
    /// The start of these.
    pub fn of(values: &[f32]) -> Self {
        Self(values.as_ptr() as usize)
    }
}

impl Ahead {
    /// Adds a range of the numbers at `base` that will be read or written soon. Past eight regions
    /// nothing is added.
    pub fn add(&mut self, base: Base, range: Range<usize>) {
        if std::env::var_os("NOAHEAD").is_some() {
            return;
        }
        if self.count < MOST && !range.is_empty() {
            self.regions[self.count] = Region {
                start: base.0.wrapping_add(range.start * size_of::<f32>()),
                lines: range.len().div_ceil(LANES),
            };
            self.count += 1;
        }
    }

    /// Nothing, where it has been asked for already.
    pub fn unless(self, asked: bool) -> Self {
        if asked { Self::default() } else { self }
    }

    /// Lines of all regions.
    fn lines(&self) -> usize {
        self.regions[..self.count].iter().map(|r| r.lines).sum()
    }
}

/// Deals the lines out over the iterations of a kernel's loops.
pub(crate) struct Feeder {
    ahead: Ahead,
    region: usize,
    done: usize,
    /// Lines asked for in one iteration: 1 or 2.
    pub rate: usize,
    idle: *const f32,
}

impl Feeder {
    /// For a kernel of that many iterations; `idle` is a place that is near anyway.
    pub fn new(ahead: Ahead, iterations: usize, idle: *const f32) -> Self {
        let rate = if ahead.lines() > iterations { 2 } else { 1 };
        Self {
            ahead,
            region: 0,
            done: 0,
            rate,
            idle,
        }
    }

    /// Where the lines for the next `iterations` start: the same line again and again if there is
    /// nothing left (the second number is the step from one iteration to the next, in floats).
    #[inline(always)]
    pub fn take(&mut self, iterations: usize) -> (*const f32, usize) {
        if self.region >= self.ahead.count {
            return (self.idle, 0);
        }
        let region = self.ahead.regions[self.region];
        let from = (region.start as *const f32).wrapping_add(self.done * LANES);
        self.done += iterations * self.rate;
        if self.done >= region.lines {
            self.region += 1;
            self.done = 0;
        }
        (from, self.rate * LANES)
    }
}

/// Asks for the line at `from`, and for the next one at a rate of 2.
///
/// # Safety
///
/// See the contract of [`Vector`]; the address may be any.
#[inline(always)]
pub(crate) unsafe fn fetch<V: Vector>(from: *const f32, rate: usize) {
    V::prefetch(from);
    if rate > 1 {
        V::prefetch(from.wrapping_add(LANES));
    }
}
