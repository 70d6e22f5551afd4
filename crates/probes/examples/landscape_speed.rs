//! How long points of a plane of random directions take, on noise: what `benchmarks/landscape.py` sets
//! beside PyTorch.
//!
//! `landscape_speed MODEL IMAGES POINTS THREADS` prints one line of JSON: seconds of the whole
//! instrument with that many points (an even number), directions and table included.

mod shared;

use std::time::Instant;

use reslab_nn::train::Flow;
use reslab_probes::Watch;
use reslab_probes::landscape::{AxisSettings, LandscapeSettings, PlaneSettings, measure};
use shared::{Given, noise, number, pool, words};

fn main() {
    let words = words("landscape_speed MODEL IMAGES POINTS THREADS", 4);
    let (images, points) = (number(&words[1]), number(&words[2]));
    let given = Given::initialised(&words[0], noise(images));
    let subject = given.subject(0);
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
    let pool = pool(number(&words[3]));
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
