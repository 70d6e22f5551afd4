//! How long a plan will take: from what this machine did before, or from a few training steps, or from a stated rate.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use reslab_nn::data;
use reslab_nn::engine::{Batch, Engine, Noise, TargetsRef};
use reslab_nn::families;
use reslab_nn::network::Network;
use reslab_results::parquet;

use crate::cost::forward_multiply_adds;
use crate::plan::{Plan, Run};

/// Multiply-adds a second of one thread that is assumed where nothing can be measured.
const ASSUMED_RATE: f64 = 1.0e10;
/// A calibration step of more than this would take too long to be worth it.
const MOST_TO_CALIBRATE: f64 = 5.0e10;
/// How long steps are repeated.
const CALIBRATION: Duration = Duration::from_millis(100);

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
    // What instruments cost depends on the instrument, and is not known beforehand.
    let examined = runs.iter().any(|run| !run.config.probes.is_empty());
    let beside = if examined {
        "; instruments not counted"
    } else {
        ""
    };
    Estimate {
        seconds: shared.max(bound) / rate.per_thread,
        from: format!("{}{beside}", rate.from),
    }
}

/// The rate of the finished runs in an experiment's folder; without any, that of a few training
/// steps done now, which takes a fraction of a second.
pub fn rate(plan: &Plan, folder: &Path) -> Rate {
    let assumed = || Rate {
        per_thread: ASSUMED_RATE,
        from: format!("assuming {ASSUMED_RATE:.0e} multiply-adds a second on each thread"),
    };
    measured(plan, folder)
        .or_else(|| calibrate(plan))
        .unwrap_or_else(assumed)
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

/// Times training steps of the plan's longest run on one thread, on made-up inputs.
fn calibrate(plan: &Plan) -> Option<Rate> {
    let run = plan
        .runs
        .iter()
        .max_by(|a, b| a.multiply_adds.total_cmp(&b.multiply_adds))?;
    let shape = data::describe(&run.config.data).ok()?;
    let network = families::build(&run.config.model, shape.shape, shape.outputs).ok()?;
    let per_sample = 3.0 * forward_multiply_adds(&network);
    let fitting = (MOST_TO_CALIBRATE / 20.0 / per_sample) as usize;
    let batch = fitting.clamp(16, run.config.train.batch_size.max(16));
    let work = per_sample * batch as f64;
    if work <= 0.0 || work > MOST_TO_CALIBRATE {
        return None;
    }
    let pool = ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let seconds = pool.install(|| seconds_per_step(&network, run, shape.regression, batch))?;
    let per_thread = work / seconds.max(1e-9);
    let from = "measured on a few training steps just now".to_owned();
    Some(Rate { per_thread, from })
}

fn seconds_per_step(network: &Network, run: &Run, regression: bool, batch: usize) -> Option<f64> {
    let mut engine = Engine::for_training(network, batch).ok()?;
    let parameters = families::initialize(network, &run.config.init, 0);
    let mut state = network.layout.initial_state();
    let mut gradient = vec![0.0; parameters.len()];
    let inputs: Vec<f32> = (0..batch * network.input.len())
        .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
        .collect();
    let values = vec![0.0; batch * network.outputs];
    let classes: Vec<u32> = (0..batch).map(|i| (i % network.outputs) as u32).collect();
    let targets = if regression {
        TargetsRef::Values(&values)
    } else {
        TargetsRef::Classes(&classes)
    };
    let batch = Batch {
        inputs: &inputs,
        targets,
        len: batch,
        noise: Noise::default(),
    };
    let loss = run.config.train.loss.loss();
    let mut step = || engine.step(&parameters, &mut state, &batch, &loss, &mut gradient);
    // The first step plans and fills caches.
    step();
    let started = Instant::now();
    let mut steps = 0;
    while started.elapsed() < CALIBRATION {
        step();
        steps += 1;
    }
    Some(started.elapsed().as_secs_f64() / f64::from(steps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PlanOptions, load_text};

    fn plan(seeds: usize) -> Plan {
        let text = format!("name: n\nmodel: {{name: resnet8, width: 4}}\nseeds: {seeds}\n");
        load_text("n.yaml", &text, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn seconds(seeds: usize, threads: usize) -> f64 {
        let plan = plan(seeds);
        let runs: Vec<&Run> = plan.runs.iter().collect();
        let per_thread = runs[0].multiply_adds;
        estimate(
            &runs,
            threads,
            &Rate {
                per_thread,
                from: String::new(),
            },
        )
        .seconds
    }

    #[test]
    fn runs_share_the_threads() {
        assert_eq!(seconds(8, 1), 8.0);
        assert_eq!(seconds(8, 4), 2.0);
        // One run has all threads inside.
        assert_eq!(seconds(1, 4), 0.25);
        // With one thread each, nothing ends before the longest run does.
        assert_eq!(seconds(4, 4), 1.0);
    }

    #[test]
    fn without_measurements_a_few_steps_are_timed() {
        let rate = rate(&plan(1), Path::new("no/such/folder"));
        assert!(
            rate.from.starts_with("measured on a few training steps"),
            "{}",
            rate.from
        );
        assert!(
            rate.per_thread > 1e6 && rate.per_thread.is_finite(),
            "{}",
            rate.per_thread
        );
    }
}
