//! How long the largest eigenvalue of a network's Hessian takes by power iteration, as PyHessian finds
//! it: what `benchmarks/hessian.py` sets beside double backward in PyTorch.
//!
//! `hessian_speed WEIGHTS IMAGES THREADS` reads CIFAR-10 from where `RESLAB_DATA` says, and for each line
//! of its standard input, a number of products, prints one line of JSON: for the first images of the
//! training set the loss, vᵀHv after each product, ‖Hv‖ after the last, the seconds of the point
//! and of all, and the seconds that the processors worked for the products (where Linux tells it).

use std::path::Path;
use std::time::Instant;

use reslab_nn::data::{DataName, DataSettings, Normalize, Targets, load};
use reslab_nn::engine::{Batch, Loss, Noise, TargetsRef};
use reslab_nn::families::{build, named};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::random::{Purpose, normal, stream};
use reslab_nn::reference::Mode;
use reslab_nn::tangent::Tangents;

fn norm(values: &[f32]) -> f64 {
    let squares = values.iter().map(|&v| f64::from(v).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Scales to length 1.
fn normalise(values: &mut [f32]) {
    let scale = (1.0 / norm(values)) as f32;
    values.iter_mut().for_each(|v| *v *= scale);
}

/// Seconds that all threads of the process have run.
fn processor_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    1e-9 * nanoseconds.sum::<f64>()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [weights, images, threads] = &words[..] else {
        panic!("hessian_speed WEIGHTS IMAGES THREADS");
    };
    let number = |word: &str| word.trim().parse::<usize>().expect("a number");
    let images = number(images);
    let settings = DataSettings {
        name: DataName::Cifar10,
        test_limit: Some(1),
        normalize: Normalize::Imagenet,
        ..DataSettings::default()
    };
    let dataset = load(&settings).expect("CIFAR-10 where RESLAB_DATA says");
    let model = named("resnet20").expect("a network's name");
    let network = build(&model, dataset.shape, dataset.outputs).expect("it fits");
    let mut parameters = vec![0.0; network.layout.parameter_count()];
    let mut state = network.layout.initial_state();
    WeightsFile::read(Path::new(weights))
        .and_then(|file| file.assign(&network, Head::Keep, &mut parameters, &mut state))
        .expect("weights of ResNet-20");
    let Targets::Classes(classes) = &dataset.train.targets else {
        panic!("classes");
    };
    let batch = Batch {
        inputs: &dataset.train.inputs[..images * dataset.shape.len()],
        targets: TargetsRef::Classes(&classes[..images]),
        len: images,
        noise: Noise::default(),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number(threads));
    let pool = pool.build().expect("threads can be started");
    let mut tangents = Tangents::new(&network, Mode::Evaluation).expect("it fits");
    let mut rng = stream(0, Purpose::Test, 0, 0);
    let mut start_at: Vec<f32> = parameters.iter().map(|_| normal(&mut rng) as f32).collect();
    normalise(&mut start_at);
    for line in std::io::stdin().lines() {
        let products = number(&line.expect("a line"));
        pool.install(|| {
            let start = Instant::now();
            let found = tangents
                .linearise_loss(&parameters, &state, &batch, &Loss::default())
                .expect("targets fit");
            let point = start.elapsed().as_secs_f64();
            let before = processor_seconds();
            let (mut direction, mut product) = (start_at.clone(), vec![0.0; parameters.len()]);
            let (mut eigenvalues, mut length) = (Vec::new(), 0.0);
            for _ in 0..products {
                tangents.hvp(&direction, &mut product);
                let pairs = direction.iter().zip(&product);
                let quotient: f64 = pairs.map(|(&v, &h)| f64::from(v) * f64::from(h)).sum();
                eigenvalues.push(quotient);
                std::mem::swap(&mut direction, &mut product);
                length = norm(&direction);
                normalise(&mut direction);
            }
            let seconds = start.elapsed().as_secs_f64();
            let processor = processor_seconds() - before;
            let loss = found.loss_sum / images as f64;
            println!(
                "{{\"loss\": {loss}, \"point_seconds\": {point}, \"seconds\": {seconds}, \"processor_seconds\": {processor}, \"product_norm\": {length}, \"eigenvalues\": {eigenvalues:?}}}"
            );
        });
    }
}
