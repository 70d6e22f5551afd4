//! Images a second of training steps and evaluations, and the GFLOP/s that is.
//!
//! `cargo bench -p reslab-nn --bench step -- [threads] [name]`

use std::time::Instant;

use reslab_nn::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use reslab_nn::families::{Family, InitSettings, ModelSettings, build, initialize, named};
use reslab_nn::network::census::census;
use reslab_nn::network::{Network, Shape};

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let threads = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(1);
    let only = arguments.get(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool");
    let cifar = Shape::new(3, 32, 32);
    let narrow = |depth| ModelSettings {
        width: 8,
        ..model("resnet20", depth)
    };
    let fully = ModelSettings {
        branch_layers: 2,
        ..Family::FullyConnected.defaults()
    };
    let works = [
        ("resnet20", model("resnet20", 20), cifar, 128),
        ("resnet56", model("resnet20", 56), cifar, 128),
        ("digits8", narrow(8), Shape::new(1, 8, 8), 64),
        ("digits56", narrow(56), Shape::new(1, 8, 8), 64),
        ("fully32x64", fully, Shape::new(1, 8, 8), 64),
    ];
    println!("{threads} thread(s), {}", reslab_kernels::Isa::current());
    for (name, model, input, batch) in works {
        if only.is_none_or(|only| name.contains(only.as_str())) {
            let network = build(&model, input, 10).expect("a network");
            pool.install(|| measure(name, &network, batch));
        }
    }
}

fn model(name: &str, depth: usize) -> ModelSettings {
    ModelSettings {
        depth,
        ..named(name).expect("a name")
    }
}

fn measure(name: &str, network: &Network, len: usize) {
    let mut parameters = initialize(network, &InitSettings::default(), 0);
    let mut state = network.layout.initial_state();
    let mut gradient = vec![0.0; parameters.len()];
    let samples = len * network.input.len();
    let inputs: Vec<f32> = (0..samples)
        .map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0)
        .collect();
    let classes: Vec<u32> = (0..len).map(|i| (i % 10) as u32).collect();
    let batch = Batch {
        inputs: &inputs,
        targets: TargetsRef::Classes(&classes),
        len,
        noise: Noise::default(),
    };
    let loss = Loss::default();
    let mut engine = Engine::for_training(network, len).expect("an engine");
    let step = best(|| {
        engine.step(&parameters, &mut state, &batch, &loss, &mut gradient);
        parameters
            .iter_mut()
            .zip(&gradient)
            .for_each(|(w, g)| *w -= 1e-3 * g);
    });
    if std::env::var("TRAIN").is_ok() {
        println!("{name} {:.3} ms", step * 1e3);
        return;
    }
    let mut engine = Engine::for_evaluation(network, len).expect("an engine");
    let evaluation = best(|| {
        engine.evaluate(&parameters, &state, &batch, &loss);
    });
    let flops = 2.0 * multiply_adds(network) as f64 * len as f64 / 1e9;
    println!(
        "{name:>11}: step {:9.3} ms, {:9.0} img/s, {:6.1} GFLOP/s; evaluation {:9.0} img/s, {:6.1} GFLOP/s",
        step * 1e3,
        len as f64 / step,
        3.0 * flops / step,
        len as f64 / evaluation,
        flops / evaluation
    );
}

/// Seconds of one call: the best of about two seconds of them.
fn best(mut work: impl FnMut()) -> f64 {
    (0..3).for_each(|_| work());
    let start = Instant::now();
    let mut best = f64::MAX;
    while start.elapsed().as_secs_f64() < 2.0 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// Multiply-adds of one sample, forward.
fn multiply_adds(network: &Network) -> u64 {
    census(network).expect("a network that fits").multiply_adds
}
