//! How long the largest eigenvalue of the Hessian of a network's loss takes: what
//! `benchmarks/hessian.py` sets beside PyHessian.
//!
//! `hessian_speed WEIGHTS IMAGES THREADS` reads CIFAR-10 from where `RESLAB_DATA` says, and for each line
//! of its standard input, a tolerance, prints one line of JSON: the eigenvalue that the instrument
//! finds for the first images of the training set, from weights and images in memory on, with its
//! residual, the products over all images, and the seconds.

use std::path::Path;
use std::time::Instant;

use reslab_nn::data::{DataName, DataSettings, Normalize, load};
use reslab_nn::families::{build, named};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::train::{Flow, TrainSettings};
use reslab_probes::hessian::{HessianSettings, Samples, measure};
use reslab_probes::{Subject, Watch};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [weights, images, threads] = &words[..] else {
        panic!("hessian_speed WEIGHTS IMAGES THREADS");
    };
    let number = |word: &str| word.parse::<usize>().expect("a number");
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
    let train = TrainSettings::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number(threads));
    let pool = pool.build().expect("threads can be started");
    for (seed, line) in std::io::stdin().lines().enumerate() {
        let line = line.expect("a line");
        let subject = Subject {
            run_id: "speed",
            epoch: 0,
            network: &network,
            parameters: &parameters,
            state: &state,
            dataset: &dataset,
            train: &train,
            seed: seed as u64,
            folder: None,
        };
        let settings = HessianSettings {
            samples: Samples::First(number(images)),
            batch_size: number(images),
            top: 1,
            bottom: 0,
            tolerance: line.trim().parse().expect("a tolerance"),
            ..HessianSettings::default()
        };
        let start = Instant::now();
        let tables = pool.install(|| {
            let mut go_on = |_| Flow::Continue;
            measure(&settings, &subject, &mut Watch::new("hessian", &mut go_on))
        });
        let seconds = start.elapsed().as_secs_f64();
        let table = &tables.expect("a checked network")[0];
        let real = |column| table.real(0, column).expect("a number");
        let products = table.iter().next().and_then(|row| row.integer("products"));
        println!(
            "{{\"seconds\": {seconds}, \"eigenvalue\": {}, \"residual\": {}, \"products\": {}}}",
            real("value"),
            real("error"),
            products.expect("a number")
        );
    }
}
