//! How long the largest eigenvalue of the Hessian of a network's loss takes: what
//! `benchmarks/hessian.py` sets beside PyHessian.
//!
//! `hessian_speed WEIGHTS IMAGES THREADS` reads CIFAR-10 from where `RESLAB_DATA` says, and for each line
//! of its standard input, a tolerance, prints one line of JSON: the eigenvalue that the instrument
//! finds for the first images of the training set, from weights and images in memory on, with its
//! residual, the products over all images, and the seconds.

mod shared;

use std::path::Path;
use std::time::Instant;

use reslab_nn::data::{DataName, DataSettings, Normalize, load};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::train::Flow;
use reslab_probes::Watch;
use reslab_probes::hessian::{HessianSettings, Samples, measure};
use shared::{Given, number, pool, words};

fn main() {
    let words = words("hessian_speed WEIGHTS IMAGES THREADS", 3);
    let images = number(&words[1]);
    let settings = DataSettings {
        name: DataName::Cifar10,
        test_limit: Some(1),
        normalize: Normalize::Imagenet,
        ..DataSettings::default()
    };
    let dataset = load(&settings).expect("CIFAR-10 where RESLAB_DATA says");
    let mut given = Given::initialised("resnet20", dataset);
    let (parameters, state) = (&mut given.parameters, &mut given.state);
    WeightsFile::read(Path::new(&words[0]))
        .and_then(|file| file.assign(&given.network, Head::Keep, parameters, state))
        .expect("weights of ResNet-20");
    let pool = pool(number(&words[2]));
    for (seed, line) in std::io::stdin().lines().enumerate() {
        let line = line.expect("a line");
        let subject = given.subject(seed as u64);
        let settings = HessianSettings {
            samples: Samples::First(images),
            batch_size: images,
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
