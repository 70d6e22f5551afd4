//! How long deleting each block of a network in turn takes, on noise: what `benchmarks/lesion.py` sets
//! beside PyTorch.
//!
//! `lesion_speed MODEL IMAGES THREADS` prints one line of JSON: seconds of the study, and with a fourth
//! word `naive` also those of evaluating each edited network on its own.

use std::time::Instant;

use reslab_nn::data::{DataName, DataSettings, Dataset, Targets, load};
use reslab_nn::engine::Engine;
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::Shape;
use reslab_nn::random::{Purpose, below, normal, stream};
use reslab_nn::train::{EVALUATION_BATCH, Flow, TrainSettings, evaluate_first};
use reslab_probes::lesion::{LesionSettings, measure};
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
    (dataset.shape, dataset.test.len) = (shape, images);
    dataset.test.inputs = values.collect();
    let classes = (0..images).map(|_| below(&mut rng, dataset.outputs) as u32);
    dataset.test.targets = Targets::Classes(classes.collect());
    dataset
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, images, threads, rest @ ..] = &words[..] else {
        panic!("lesion_speed MODEL IMAGES THREADS [naive]");
    };
    let (images, threads) = (
        images.parse().expect("a number"),
        threads.parse().expect("a number"),
    );
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
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().expect("threads can be started");
    let shared = || {
        let start = Instant::now();
        let mut go_on = |_| Flow::Continue;
        let mut watch = Watch::new("lesion", &mut go_on);
        let table = measure(&LesionSettings::default(), &subject, &mut watch).expect("it fits");
        (start.elapsed().as_secs_f64(), table.len())
    };
    let naive = || {
        let start = Instant::now();
        for block in 0..network.blocks.len() {
            let edited = network.without(block);
            let mut engine = Engine::for_evaluation(&edited, EVALUATION_BATCH).expect("it fits");
            let mut go_on = || Flow::Continue;
            let (test, loss) = (&dataset.test, train.loss.loss());
            evaluate_first(
                &mut engine,
                &parameters,
                &state,
                test,
                images,
                &loss,
                &mut go_on,
            )
            .expect("not interrupted");
        }
        start.elapsed().as_secs_f64()
    };
    let (seconds, lesions) = pool.install(shared);
    let naive = rest
        .first()
        .map_or_else(|| "null".to_owned(), |_| pool.install(naive).to_string());
    println!(
        "{{\"seconds\": {seconds}, \"lesions\": {lesions}, \"images\": {images}, \"naive_seconds\": {naive}}}"
    );
}
