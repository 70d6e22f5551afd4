//! `reslab bench train` and `reslab bench eval`.

use reslab_nn::network::Network;
use reslab_nn::speed::{Work, Workload, median, peak_resident_bytes, side_by_side};
use reslab_sweep::cost::forward_multiply_adds;
use serde_json::{Value, json};

use super::super::models::sides;
use super::{megabytes, network};
use crate::arguments::StepArguments;
use crate::message::Failure;
use crate::output;

/// Times steps and prints images a second: the median over the steps.
pub fn steps(arguments: &StepArguments, work: Work) -> Result<(), Failure> {
    let network = network(&arguments.network)?;
    match arguments.runs {
        Some(runs) => beside(arguments, work, &network, runs),
        None => alone(arguments, work, &network),
    }
}

fn alone(arguments: &StepArguments, work: Work, network: &Network) -> Result<(), Failure> {
    let pool = output::threads(arguments.threads)?;
    let seconds = pool
        .install(|| {
            let mut workload = Workload::new(network, work, arguments.batch)?;
            Ok(workload.seconds(arguments.steps))
        })
        .map_err(|error: reslab_nn::error::ShapeError| Failure::from_error(&error))?;
    let threads = pool.current_num_threads();
    let middle = median(&seconds);
    let speed = arguments.batch as f64 / middle;
    if arguments.json {
        let mut object = what(arguments, work, network);
        object["threads"] = json!(threads);
        object["steps"] = json!(arguments.steps);
        object["seconds"] = json!(seconds.iter().sum::<f64>());
        object["step_ms"] = json!(1e3 * middle);
        object["images_per_s"] = json!(speed);
        object["gflops"] = json!(2e-9 * multiply_adds(work, network) * speed);
        object["peak_rss_mb"] = json!(peak_resident_bytes().map(megabytes));
        return output::print_json_line(&object);
    }
    let memory = peak_resident_bytes().map_or_else(String::new, |bytes| {
        format!(", {:.0} MB at most", megabytes(bytes))
    });
    output::print(&format!(
        "{} {}: {speed:.0} images/s with {}{memory}\n",
        word(work),
        arguments.network.model,
        output::count(threads, "thread"),
    ))
}

fn beside(
    arguments: &StepArguments,
    work: Work,
    network: &Network,
    runs: usize,
) -> Result<(), Failure> {
    let speed = side_by_side(network, work, arguments.batch, arguments.steps, runs)
        .map_err(|error| Failure::from_error(&error))?;
    if arguments.json {
        let mut object = what(arguments, work, network);
        object["threads"] = json!(1);
        object["runs"] = json!(runs);
        object["steps"] = json!(arguments.steps);
        object["images_per_s"] = json!(speed.total());
        object["images_per_s_alone"] = json!(speed.alone);
        object["ratio"] = json!(speed.ratio());
        object["peak_rss_mb"] = json!(peak_resident_bytes().map(megabytes));
        return output::print_json_line(&object);
    }
    output::print(&format!(
        "{} {}: {:.0} images/s in {} of one thread side by side, {:.2} times one alone ({:.0})\n",
        word(work),
        arguments.network.model,
        speed.total(),
        output::count(runs, "run"),
        speed.ratio(),
        speed.alone,
    ))
}

/// Multiply-adds of one image; the backward pass takes twice those of the forward pass.
fn multiply_adds(work: Work, network: &Network) -> f64 {
    let passes = match work {
        Work::Training => 3.0,
        Work::Evaluation => 1.0,
    };
    passes * forward_multiply_adds(network)
}

fn word(work: Work) -> &'static str {
    match work {
        Work::Training => "train",
        Work::Evaluation => "eval",
    }
}

/// What was measured.
fn what(arguments: &StepArguments, work: Work, network: &Network) -> Value {
    json!({
        "bench": word(work),
        "model": arguments.network.model,
        "width": arguments.network.width,
        "parameters": network.layout.parameter_count(),
        "input": sides(network.input),
        "batch": arguments.batch,
    })
}
