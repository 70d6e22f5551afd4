//! The memory of a training step or an evaluation, measured and explained.

use super::{WARM_UP, Work, Workload};
use crate::engine::Footprint;
use crate::error::ShapeError;
use crate::network::Network;

/// What a process holds while it trains or evaluates, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// The most the process had had before anything was planned: the program itself. `None` where
    /// the system does not tell.
    pub before: Option<usize>,
    /// Parameters, gradient, momentum, running statistics, and a batch of inputs and targets.
    pub arrays: usize,
    /// What the engine planned.
    pub engine: Footprint,
    /// The most the process has had once some steps were done.
    pub peak: Option<usize>,
}

impl MemoryUse {
    /// All that was planned.
    pub fn planned(&self) -> usize {
        self.arrays + self.engine.total()
    }
}

/// Plans and runs some steps of `work` on batches of so many samples, on the calling rayon pool.
/// The peak is the process's: ask in a fresh one.
pub fn memory_use(network: &Network, work: Work, batch: usize) -> Result<MemoryUse, ShapeError> {
    let before = peak_resident_bytes();
    let mut workload = Workload::new(network, work, batch)?;
    workload.seconds(WARM_UP);
    Ok(MemoryUse {
        before,
        arrays: workload.array_bytes(),
        engine: workload.engine.footprint(),
        peak: peak_resident_bytes(),
    })
}

/// The most memory this process has had at once, in bytes, where the system tells (Linux).
pub fn peak_resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(1024 * kibibytes)
}
