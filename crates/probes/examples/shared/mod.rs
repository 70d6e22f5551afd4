//! What the programs that benchmarks time have in common.
#![allow(dead_code, reason = "each program takes what it needs")]

use rayon::ThreadPool;
use reslab_nn::data::{DataName, DataSettings, Dataset, Targets, load};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::{Network, Shape};
use reslab_nn::random::{Purpose, below, normal, stream};
use reslab_nn::train::TrainSettings;
use reslab_probes::Subject;

/// A network at some point, and a data set.
pub struct Given {
    pub network: Network,
    pub parameters: Vec<f32>,
    pub state: Vec<f32>,
    pub dataset: Dataset,
    pub train: TrainSettings,
}

impl Given {
    /// A network by its name, as it is drawn at the start.
    pub fn initialised(model: &str, dataset: Dataset) -> Self {
        let model = named(model).expect("a network's name");
        let network = build(&model, dataset.shape, dataset.outputs).expect("it fits");
        Self {
            parameters: initialize(&network, &InitSettings::default(), 0),
            state: network.layout.initial_state(),
            network,
            dataset,
            train: TrainSettings::default(),
        }
    }

    /// What instruments look at.
    pub fn subject(&self, seed: u64) -> Subject<'_> {
        Subject {
            run_id: "speed",
            epoch: 0,
            network: &self.network,
            parameters: &self.parameters,
            state: &self.state,
            dataset: &self.dataset,
            train: &self.train,
            seed,
            folder: None,
        }
    }
}

/// Training and test set of so many images of noise.
pub fn noise(images: usize) -> Dataset {
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
    dataset.test = dataset.train.clone();
    dataset
}

/// The words of the command line, which are to be these.
pub fn words(usage: &str, least: usize) -> Vec<String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    assert!(words.len() >= least, "{usage}");
    words
}

/// A word that is a number.
pub fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// So many threads.
pub fn pool(threads: usize) -> ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().expect("threads can be started")
}
