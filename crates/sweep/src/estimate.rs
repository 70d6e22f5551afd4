//! How long a plan will take: from what this machine did before, or from a stated rate.

use std::collections::HashMap;
use std::path::Path;

use reslab_results::parquet;

use crate::plan::{Plan, Run};

/// Multiply-adds a second of one thread that is assumed where nothing was measured. A plain
/// guess at the middle of what small networks reach; real rates replace it after the first run.
const ASSUMED_RATE: f64 = 4.0e9;

/// How long it will take, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// `measured on 12 finished runs in this folder`, ...
    pub from: String,
}

/// Speed of one thread and where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Multiply-adds a second of one thread.
    pub per_thread: f64,
    /// In words.
    pub from: String,
}

/// Seconds that `runs` will take on `threads` threads, by a rate.
pub fn estimate(runs: &[&Run], threads: usize, rate: &Rate) -> Estimate {
    let total: f64 = runs.iter().map(|run| run.multiply_adds).sum();
    let longest = runs.iter().map(|run| run.multiply_adds).fold(0.0, f64::max);
    let shared = total / threads.max(1) as f64;
    // With more runs than threads each run has one thread, and the longest one bounds the whole.
    let bound = if runs.len() >= threads { longest } else { 0.0 };
    Estimate {
        seconds: shared.max(bound) / rate.per_thread,
        from: rate.from.clone(),
    }
}

/// The rate of the finished runs in an experiment's folder, or else the assumed one.
pub fn rate(plan: &Plan, folder: &Path) -> Rate {
    measured(plan, folder).unwrap_or_else(|| Rate {
        per_thread: ASSUMED_RATE,
        from: "assuming 4e9 multiply-adds a second on each thread; nothing measured here yet"
            .to_owned(),
    })
}

fn measured(plan: &Plan, folder: &Path) -> Option<Rate> {
    let timings = parquet::read(&folder.join("timings.parquet")).ok()?;
    let mut seconds: HashMap<&str, f64> = HashMap::new();
    for row in 0..timings.len() {
        let real = |column: &str| timings.real(row, column).unwrap_or(0.0);
        let busy = real("seconds_train") + real("seconds_evaluate");
        let threads = timings.integer(row, "threads").unwrap_or(1) as f64;
        if let Some(id) = timings.text(row, "run_id") {
            *seconds.entry(id).or_default() += busy * threads;
        }
    }
    let (mut work, mut busy, mut runs) = (0.0, 0.0, 0);
    for run in &plan.runs {
        let spent = seconds.get(run.id.as_str()).copied().unwrap_or(0.0);
        if spent > 0.0 && run.multiply_adds > 0.0 {
            work += run.multiply_adds;
            busy += spent;
            runs += 1;
        }
    }
    let noun = if runs == 1 { "run" } else { "runs" };
    let from = format!("measured on {runs} finished {noun} in this folder");
    (runs > 0).then(|| Rate {
        per_thread: work / busy,
        from,
    })
}
