//! Products with Hessians and Jacobians beside gradients and forward passes of the engine, in turns:
//! milliseconds, and how many gradients or forward passes one product costs.
//!
//! `cargo bench -p reslab-nn --bench tangent [-- FILTER]`; threads by `RAYON_NUM_THREADS`. Ratios need
//! turns on one machine, minute for minute, which is why this is no list of separate benchmarks. With
//! one thread it is the thread's own time that counts (where Linux tells it), whatever else runs.

use std::cell::RefCell;
use std::time::Instant;

use reslab_nn::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::{Network, Shape};
use reslab_nn::random::{Purpose, normal, stream};
use reslab_nn::reference::Mode;
use reslab_nn::tangent::Tangents;

const ROUNDS: usize = 7;

/// Seconds that a turn should take at least: the system counts a thread's time in steps of some
/// milliseconds.
const TURN: f64 = 0.2;

fn main() {
    // On a thread of the pool, so that one thread does all.
    rayon::scope(|_| compare());
}

/// Seconds since some moment.
fn now(since: Instant) -> f64 {
    let own = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
        Some(nanoseconds * 1e-9)
    };
    let alone = rayon::current_num_threads() == 1;
    alone
        .then(own)
        .flatten()
        .unwrap_or_else(|| since.elapsed().as_secs_f64())
}

fn compare() {
    // Cargo adds a word of its own.
    let filter = std::env::args()
        .skip(1)
        .find(|word| !word.starts_with("--"));
    let wanted = |name: &str| filter.as_ref().is_none_or(|filter| name.contains(filter));
    println!(
        "{} threads, medians of {ROUNDS} turns",
        rayon::current_num_threads()
    );
    for (model, batch) in [
        ("resnet20", 64),
        ("resnet20", 200),
        ("resnet56", 64),
        ("resnet56", 200),
    ] {
        let name = format!("{model} batch {batch}");
        if wanted(&name) {
            hessian(&name, &network(model), batch);
            jacobian(&name, &network(model), batch);
        }
    }
    for batch in [64, 200] {
        let name = format!("block 64×8×8 batch {batch}");
        if wanted(&name) {
            let network = network("resnet20");
            let last = network.blocks.len() - 1;
            let block = network.part(Some(last), Some(last + 1)).expect("a block");
            jacobian(&name, &block, batch);
        }
    }
}

fn network(model: &str) -> Network {
    build(&named(model).expect("a name"), Shape::new(3, 32, 32), 10).expect("a network")
}

fn noise(count: usize, index: u64) -> Vec<f32> {
    let mut rng = stream(0, Purpose::Test, 0, index);
    (0..count).map(|_| normal(&mut rng) as f32).collect()
}

/// Runs all of them in turns, and prints each with its multiple of the first.
fn report(name: &str, work: &mut [(&str, &mut dyn FnMut())]) {
    let since = Instant::now();
    let repeats: Vec<usize> = work
        .iter_mut()
        .map(|(_, run)| {
            // The first time touches memory.
            run();
            let start = since.elapsed().as_secs_f64();
            run();
            let seconds = since.elapsed().as_secs_f64() - start;
            (TURN / seconds).ceil() as usize
        })
        .collect();
    let mut seconds = vec![Vec::new(); work.len()];
    for _ in 0..ROUNDS {
        for (((_, run), seconds), &repeats) in work.iter_mut().zip(&mut seconds).zip(&repeats) {
            let start = now(since);
            (0..repeats).for_each(|_| run());
            seconds.push((now(since) - start) / repeats as f64);
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let of = work[0].0;
    for ((what, _), of_this) in work.iter().zip(&seconds) {
        let ratios = of_this.iter().zip(&seconds[0]).map(|(a, b)| a / b);
        let (ratio, ms) = (median(ratios.collect()), 1e3 * median(of_this.clone()));
        println!("{name:<24} {ms:>9.2} ms {ratio:>6.2} × {of:<18} {what}");
    }
}

fn hessian(name: &str, network: &Network, len: usize) {
    let parameters = initialize(network, &InitSettings::default(), 0);
    let state = network.layout.initial_state();
    let inputs = noise(len * network.input.len(), 0);
    let classes: Vec<u32> = (0..len).map(|i| (i % network.outputs) as u32).collect();
    let direction = noise(parameters.len(), 1);
    let batch = Batch {
        inputs: &inputs,
        targets: TargetsRef::Classes(&classes),
        len,
        noise: Noise::default(),
    };
    let loss = Loss::default();
    let mut engine = Engine::for_training(network, len).expect("it fits");
    let mut moving = state.clone();
    let mut gradient = vec![0.0; parameters.len()];
    let mut step = || {
        engine.step(&parameters, &mut moving, &batch, &loss, &mut gradient);
    };
    let modes = [Mode::Evaluation, Mode::Training];
    let [evaluation, mut training] =
        modes.map(|mode| Tangents::new(network, mode).expect("it fits"));
    let evaluation = RefCell::new(evaluation);
    let go = |tangents: &mut Tangents| {
        tangents
            .linearise_loss(&parameters, &state, &batch, &loss)
            .expect("it fits");
    };
    go(&mut training);
    let (mut product, mut other_product) =
        (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    let mut of_evaluation = || evaluation.borrow_mut().hvp(&direction, &mut product);
    let mut of_training = || training.hvp(&direction, &mut other_product);
    let mut point = || go(&mut evaluation.borrow_mut());
    report(
        name,
        &mut [
            ("gradient in training", &mut step),
            ("point: gradient, evaluation mode", &mut point),
            (
                "Hessian–vector product, evaluation mode",
                &mut of_evaluation,
            ),
            ("Hessian–vector product, training mode", &mut of_training),
        ],
    );
}

fn jacobian(name: &str, network: &Network, len: usize) {
    let parameters = initialize(network, &InitSettings::default(), 0);
    let state = network.layout.initial_state();
    let inputs = noise(len * network.input.len(), 0);
    let tangent = noise(inputs.len(), 2);
    let cotangents = noise(len * network.outputs, 3);
    let mut engine = Engine::for_evaluation(network, len).expect("it fits");
    let mut pass = || {
        engine.outputs(&parameters, &state, &inputs);
    };
    let new = || {
        let mut tangents = Tangents::new(network, Mode::Evaluation).expect("it fits");
        tangents.linearise(&parameters, &state, &inputs);
        tangents
    };
    let (mut first, mut second, mut third) = (new(), new(), new());
    let mut outputs = vec![0.0; cotangents.len()];
    let mut gradients = vec![0.0; inputs.len()];
    let mut point = || {
        first.linearise(&parameters, &state, &inputs);
    };
    let mut forward = || second.jvp(Some(&tangent), None, &mut outputs);
    let mut backward = || third.vjp(&cotangents, &mut gradients);
    report(
        name,
        &mut [
            ("forward pass", &mut pass),
            ("point: forward", &mut point),
            ("Jacobian–vector product", &mut forward),
            ("vector–Jacobian product", &mut backward),
        ],
    );
}
