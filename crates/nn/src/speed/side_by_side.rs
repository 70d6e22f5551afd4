//! Several runs of one thread each beside each other in one process, as a sweep runs them.

use std::sync::Barrier;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::{Work, Workload, median};
use crate::error::ShapeError;
use crate::network::Network;

/// Times that one run alone and all runs together take turns, so that what drifts hits both.
const ROUNDS: usize = 3;

/// Why a speed cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum SpeedError {
    /// The network does not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The system gives no thread.
    #[error("No threads can be started: {0}")]
    Threads(#[from] ThreadPoolBuildError),
}

/// Images a second of one-thread runs.
#[derive(Debug, Clone, PartialEq)]
pub struct SideBySide {
    /// Of one run alone.
    pub alone: f64,
    /// Of each of the runs beside each other.
    pub together: Vec<f64>,
}

impl SideBySide {
    /// Images a second of all runs together.
    pub fn total(&self) -> f64 {
        self.together.iter().sum()
    }

    /// How many times as fast as one alone.
    pub fn ratio(&self) -> f64 {
        self.total() / self.alone
    }
}

/// Times `steps` steps of one run alone and of `runs` runs together, each on one thread, in turns;
/// medians over the steps of all turns.
pub fn side_by_side(
    network: &Network,
    work: Work,
    batch: usize,
    steps: usize,
    runs: usize,
) -> Result<SideBySide, SpeedError> {
    let new = || -> Result<Run, SpeedError> {
        let pool = ThreadPoolBuilder::new().num_threads(1).build()?;
        let workload = pool.install(|| Workload::new(network, work, batch))?;
        Ok(Run { pool, workload })
    };
    let mut all = (0..runs.max(1))
        .map(|_| new())
        .collect::<Result<Vec<Run>, _>>()?;
    let mut alone = Vec::new();
    let mut beside = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        alone.extend(at_once(&mut all[..1], steps).into_iter().flatten());
        for (beside, seconds) in beside.iter_mut().zip(at_once(&mut all, steps)) {
            beside.extend(seconds);
        }
    }
    let speed = |seconds: &Vec<f64>| batch as f64 / median(seconds);
    Ok(SideBySide {
        alone: speed(&alone),
        together: beside.iter().map(speed).collect(),
    })
}

struct Run {
    pool: ThreadPool,
    workload: Workload,
}

/// The seconds of `steps` steps of each run, all begun at once.
fn at_once(runs: &mut [Run], steps: usize) -> Vec<Vec<f64>> {
    let barrier = Barrier::new(runs.len());
    let mut seconds = vec![Vec::new(); runs.len()];
    std::thread::scope(|scope| {
        for (run, seconds) in runs.iter_mut().zip(&mut seconds) {
            let barrier = &barrier;
            scope.spawn(move || {
                let Run { pool, workload } = run;
                barrier.wait();
                *seconds = pool.install(|| workload.seconds(steps));
            });
        }
    });
    seconds
}
