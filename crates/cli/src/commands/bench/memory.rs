//! `reslab bench memory`.

use reslab_nn::network::Network;
use reslab_nn::speed::{MemoryUse, Work, memory_use};
use serde_json::json;

use super::super::models::sides;
use super::{megabytes, network};
use crate::arguments::MemoryArguments;
use crate::message::Failure;
use crate::output;

/// Runs some steps and prints the most memory they took, and what it was planned for.
pub fn memory(arguments: &MemoryArguments) -> Result<(), Failure> {
    let network = network(&arguments.network)?;
    let work = if arguments.eval {
        Work::Evaluation
    } else {
        Work::Training
    };
    let pool = output::threads(arguments.threads)?;
    let found = pool
        .install(|| memory_use(&network, work, arguments.batch))
        .map_err(|error| Failure::from_error(&error))?;
    if arguments.json {
        return print_json(arguments, &network, pool.current_num_threads(), &found);
    }
    let what = if arguments.eval {
        "evaluation"
    } else {
        "training"
    };
    let mut text = format!(
        "{what} {}, {} in a batch, {}\n",
        arguments.network.model,
        arguments.batch,
        output::count(pool.current_num_threads(), "thread"),
    );
    let mut line = |name: &str, bytes: Option<usize>| {
        let size = bytes.map_or_else(|| "?".to_owned(), |b| format!("{:.1}", megabytes(b)));
        text += &format!("{name:<42}{size:>9} MB\n");
    };
    for (_, name, bytes) in kinds(&found) {
        line(name, Some(bytes));
    }
    line("planned in all", Some(found.planned()));
    line("the process before", found.before);
    line("the process at most", found.peak);
    output::print(&text)
}

/// Key, words and bytes of each kind.
fn kinds(found: &MemoryUse) -> [(&'static str, &'static str, usize); 6] {
    let engine = &found.engine;
    [
        ("activations_mb", "activations", engine.activations),
        ("gradients_mb", "gradients of activations", engine.gradients),
        (
            "packed_weights_mb",
            "weights, packed",
            engine.packed_weights,
        ),
        ("sums_mb", "sums and parts of weight gradients", engine.sums),
        ("workers_mb", "rows of the threads", engine.workers),
        (
            "arrays_mb",
            "parameters, their buffers, the batch",
            found.arrays,
        ),
    ]
}

fn print_json(
    arguments: &MemoryArguments,
    network: &Network,
    threads: usize,
    found: &MemoryUse,
) -> Result<(), Failure> {
    let mut object = json!({
        "bench": "memory",
        "of": if arguments.eval { "eval" } else { "train" },
        "model": arguments.network.model,
        "width": arguments.network.width,
        "input": sides(network.input),
        "batch": arguments.batch,
        "threads": threads,
    });
    for (key, _, bytes) in kinds(found) {
        object[key] = json!(megabytes(bytes));
    }
    object["planned_mb"] = json!(megabytes(found.planned()));
    object["before_mb"] = json!(found.before.map(megabytes));
    object["peak_rss_mb"] = json!(found.peak.map(megabytes));
    output::print_json_line(&object)
}
