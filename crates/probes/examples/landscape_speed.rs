//! How long points of a plane of random directions take, on noise: what `benchmarks/landscape.py` sets
//! beside PyTorch.
//!
//! `landscape_speed MODEL IMAGES POINTS THREADS` prints one line of JSON: seconds of the whole
//! instrument with that many points (an even number), directions and table included.

use std::time::Instant;

use reslab_nn::data::{DataName, DataSettings, Dataset, Targets, load};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::Shape;
use reslab_nn::random::{Purpose, below, normal, stream};
use reslab_nn::train::{Flow, TrainSettings};
use reslab_probes::landscape::{AxisSettings, LandscapeSettings, PlaneSettings, measure};
use reslab_probes::{Subject, Watch};

fn noise(images: usize) -> Dataset {
    let settings = DataSettings {
        name: DataName::Digits,
        ..DataSettings::default()
    };
    let mut dataset = load(&settings).expect("digits are built in");
    let shape = Shape::new(3, 32, 32);
    let mut rng = stream(0, Purpose::Test, 0, 0);
    let values = (0..images * shape.len()).map(|_| normal(&mut rng) as f32);
    (dataset.shape, dataset.train.len) = (shape, images);
    dataset.train.inputs = values.collect();
    let classes = (0..images).map(|_| below(&mut rng, dataset.outputs) as u32);
    dataset.train.targets = Targets::Classes(classes.collect());
    dataset
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, images, points, threads] = &words[..] else {
        panic!("landscape_speed MODEL IMAGES POINTS THREADS");
    };
    let number = |word: &String| word.parse::<usize>().expect("a number");
    let (images, points, threads) = (number(images), number(points), number(threads));
    let dataset = noise(images);
    let model = named(model).expect("a network's name");
    let network = build(&model, dataset.shape, dataset.outputs).expect("it fits");
    let parameters = initialize(&network, &InitSettings::default(), 0);
    let state = network.layout.initial_state();
    let train = TrainSettings::default();
    let subject = Subject {
        run_id: "speed",
        epoch: 0,
        network: &network,
        parameters: &parameters,
        state: &state,
        dataset: &dataset,
        train: &train,
        seed: 0,
        folder: None,
    };
    let axis = |points| AxisSettings {
        points,
        ..AxisSettings::default()
    };
    let settings = LandscapeSettings {
        plane: Some(PlaneSettings {
            x: axis(points / 2),
            y: axis(2),
            ..PlaneSettings::default()
        }),
        ..LandscapeSettings::default()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().expect("threads can be started");
    let start = Instant::now();
    let tables = pool.install(|| {
        let mut go_on = |_| Flow::Continue;
        measure(
            &settings,
            &subject,
            &mut Watch::new("landscape", &mut go_on),
        )
    });
    let seconds = start.elapsed().as_secs_f64();
    let rows = tables.expect("it fits")[0].len();
    println!("{{\"seconds\": {seconds}, \"points\": {rows}, \"images\": {images}}}");
}
