//! The points of a surface that are not kept yet, done by many threads.

use reslab_nn::train::Flow;

use super::directions::Point;
use super::kept::Kept;
use super::workers::{Start, in_parallel};
use crate::subject::ProbeError;

/// Visits a point for some of the kept kinds: the numbers of each, or `None` if it was told to stop.
pub type Visit<'a, W> = dyn Fn(
        &mut W,
        Point,
        &[usize],
        &mut dyn FnMut() -> Flow,
    ) -> Result<Option<Vec<Vec<u64>>>, ProbeError>
    + Sync
    + 'a;

/// A point that lacks some of the kinds.
struct Missing {
    point: Point,
    kinds: Vec<usize>,
}

/// Visits every point that one of `kept` lacks, so that none does. `told` is called with the number
/// of points that are finished, first with those that were kept, and often with none.
pub fn complete<W>(
    kept: &mut [Kept],
    points: &[Point],
    start: &Start<'_, W>,
    visit: &Visit<'_, W>,
    told: &mut dyn FnMut(usize) -> Result<(), ProbeError>,
) -> Result<(), ProbeError> {
    let lacks = |&point: &Point| {
        let lacking = |kind: &usize| kept[*kind].get(point).is_none();
        let kinds: Vec<usize> = (0..kept.len()).filter(lacking).collect();
        (!kinds.is_empty()).then_some(Missing { point, kinds })
    };
    let missing: Vec<Missing> = points.iter().filter_map(lacks).collect();
    told(points.len() - missing.len())?;
    let work = |worker: &mut W, piece: usize, poll: &mut dyn FnMut() -> Flow| {
        visit(worker, missing[piece].point, &missing[piece].kinds, poll)
    };
    in_parallel(missing.len(), start, &work, &mut |finished| {
        let Some((piece, found)) = finished else {
            return told(0);
        };
        let Missing { point, kinds } = &missing[piece];
        for (&kind, values) in kinds.iter().zip(found) {
            kept[kind].keep(*point, &values)?;
        }
        told(1)
    })
}
