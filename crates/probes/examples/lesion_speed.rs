//! How long deleting each block of a network in turn takes, on noise: what `benchmarks/lesion.py` sets
//! beside PyTorch.
//!
//! `lesion_speed MODEL IMAGES THREADS` prints one line of JSON: seconds of the study, and with a fourth
//! word `naive` also those of evaluating each edited network on its own.

mod shared;

use std::time::Instant;

use reslab_nn::engine::Engine;
use reslab_nn::train::{EVALUATION_BATCH, Flow, evaluate_first};
use reslab_probes::Watch;
use reslab_probes::lesion::{LesionSettings, measure};
use shared::{Given, noise, number, pool, words};

fn main() {
    let words = words("lesion_speed MODEL IMAGES THREADS [naive]", 3);
    let images = number(&words[1]);
    let given = Given::initialised(&words[0], noise(images));
    let subject = given.subject(0);
    let pool = pool(number(&words[2]));
    let together = || {
        let start = Instant::now();
        let mut go_on = |_| Flow::Continue;
        let mut watch = Watch::new("lesion", &mut go_on);
        let table = measure(&LesionSettings::default(), &subject, &mut watch).expect("it fits");
        (start.elapsed().as_secs_f64(), table.len())
    };
    let naive = || {
        let start = Instant::now();
        for block in 0..given.network.blocks.len() {
            let edited = given.network.without(block);
            let mut engine = Engine::for_evaluation(&edited, EVALUATION_BATCH).expect("it fits");
            let mut go_on = || Flow::Continue;
            let (test, loss) = (&given.dataset.test, given.train.loss.loss());
            evaluate_first(
                &mut engine,
                &given.parameters,
                &given.state,
                test,
                images,
                &loss,
                &mut go_on,
            )
            .expect("not interrupted");
        }
        start.elapsed().as_secs_f64()
    };
    let (seconds, lesions) = pool.install(together);
    let naive = words
        .get(3)
        .map_or_else(|| "null".to_owned(), |_| pool.install(naive).to_string());
    println!(
        "{{\"seconds\": {seconds}, \"lesions\": {lesions}, \"images\": {images}, \"naive_seconds\": {naive}}}"
    );
}
