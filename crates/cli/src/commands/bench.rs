//! `reslab bench`: how many images a second, and how much memory at most.
//!
//! The images are noise: speed does not depend on what they show.

use std::time::Instant;

use reslab_nn::engine::{Batch, Engine, Loss, TargetsRef};
use reslab_nn::families::{self, InitSettings, WrittenModel};
use reslab_nn::network::{Network, Shape};
use reslab_nn::random::{Purpose, stream, uniform};
use reslab_nn::train::{Optimiser, TrainSettings};
use serde_json::json;

use crate::arguments::{BenchArguments, BenchCommand};
use crate::message::{Ending, Failure};
use crate::output;

/// Steps before the clock starts: memory is touched and caches are warm.
const WARM_UP: usize = 2;

/// Times training or evaluation.
pub fn bench(command: &BenchCommand) -> Result<Ending, Failure> {
    let (arguments, training) = match command {
        BenchCommand::Train(arguments) => (arguments, true),
        BenchCommand::Eval(arguments) => (arguments, false),
    };
    let network = network(arguments)?;
    let pool = output::threads(arguments.threads)?;
    let threads = pool.current_num_threads();
    let seconds = pool
        .install(|| {
            let bench = Bench::new(&network, arguments);
            if training {
                bench.train()
            } else {
                bench.evaluate()
            }
        })
        .map_err(|error| Failure::from_error(&error))?;
    report(arguments, training, threads, seconds)?;
    Ok(Ending::Well)
}

fn network(arguments: &BenchArguments) -> Result<Network, Failure> {
    let written = WrittenModel {
        name: Some(arguments.model.clone()),
        width: arguments.width,
        ..WrittenModel::default()
    };
    let size = arguments.input;
    let input = Shape::new(size.channels, size.height, size.width);
    written
        .resolve()
        .and_then(|settings| families::build(&settings, input, arguments.classes))
        .map_err(|error| Failure::from_error(&error))
}

/// One batch of noise and the numbers to run it with.
struct Bench<'a> {
    network: &'a Network,
    batch: usize,
    steps: usize,
    inputs: Vec<f32>,
    targets: Vec<u32>,
    parameters: Vec<f32>,
    state: Vec<f32>,
}

impl<'a> Bench<'a> {
    fn new(network: &'a Network, arguments: &BenchArguments) -> Bench<'a> {
        let mut noise = stream(0, Purpose::Synthetic, 0, 0);
        let numbers = arguments.batch * network.input.len();
        let inputs = (0..numbers).map(|_| 2.0 * uniform(&mut noise) as f32 - 1.0);
        // Every class in turn; a class number always fits.
        let targets = (0..arguments.batch).map(|i| (i % arguments.classes) as u32);
        Bench {
            network,
            batch: arguments.batch,
            steps: arguments.steps,
            inputs: inputs.collect(),
            targets: targets.collect(),
            parameters: families::initialize(network, &InitSettings::default(), 0),
            state: network.layout.initial_state(),
        }
    }

    fn batch(&self) -> Batch<'_> {
        Batch {
            inputs: &self.inputs,
            targets: TargetsRef::Classes(&self.targets),
            len: self.batch,
        }
    }

    /// Seconds of the timed steps: forward, backward, SGD with momentum and weight decay.
    fn train(mut self) -> Result<f64, reslab_nn::error::ShapeError> {
        let mut engine = Engine::for_training(self.network, self.batch)?;
        let settings = TrainSettings::default();
        let mut optimiser = Optimiser::new(&settings, &self.network.layout);
        let mut gradient = vec![0.0; self.parameters.len()];
        let mut parameters = std::mem::take(&mut self.parameters);
        let mut state = std::mem::take(&mut self.state);
        let mut begin = Instant::now();
        for step in 0..WARM_UP + self.steps {
            if step == WARM_UP {
                begin = Instant::now();
            }
            let batch = self.batch();
            engine.step(
                &parameters,
                &mut state,
                &batch,
                &Loss::default(),
                &mut gradient,
            );
            optimiser.step(&mut parameters, &gradient, 1.0, 1e-3, step + 1);
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    /// Seconds of the timed evaluations.
    fn evaluate(self) -> Result<f64, reslab_nn::error::ShapeError> {
        let mut engine = Engine::for_evaluation(self.network, self.batch)?;
        let mut begin = Instant::now();
        for step in 0..WARM_UP + self.steps {
            if step == WARM_UP {
                begin = Instant::now();
            }
            engine.evaluate(
                &self.parameters,
                &self.state,
                &self.batch(),
                &Loss::default(),
            );
        }
        Ok(begin.elapsed().as_secs_f64())
    }
}

fn report(
    arguments: &BenchArguments,
    training: bool,
    threads: usize,
    seconds: f64,
) -> Result<(), Failure> {
    let what = if training { "train" } else { "eval" };
    let images = (arguments.steps * arguments.batch) as f64;
    let speed = images / seconds.max(f64::MIN_POSITIVE);
    let memory = peak_rss_mb();
    if arguments.json {
        let size = arguments.input;
        return output::print_json_line(&json!({
            "bench": what,
            "model": arguments.model,
            "width": arguments.width,
            "input": [size.channels, size.height, size.width],
            "batch": arguments.batch,
            "threads": threads,
            "steps": arguments.steps,
            "seconds": seconds,
            "images_per_s": speed,
            "peak_rss_mb": memory,
        }));
    }
    let memory = memory.map_or_else(String::new, |size| format!(", {size:.0} MB at most"));
    output::print(&format!(
        "{what} {}: {speed:.0} images/s with {}{memory}\n",
        arguments.model,
        output::count(threads, "thread"),
    ))
}

/// The most memory this process has had at once, where the system tells (Linux).
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}
