//! Training steps and evaluations of small and common networks: items are images.
//!
//! `cargo bench -p reslab-nn --bench step [-- FILTER]`; threads by `RAYON_NUM_THREADS`.

use divan::Bencher;
use divan::counter::ItemsCount;
use reslab_nn::families::{ModelSettings, build, named};
use reslab_nn::network::{Network, Shape};
use reslab_nn::speed::{WARM_UP, Work, Workload};

fn main() {
    divan::main();
}

/// Name, width if another than the family's, input, batch.
type Case = (&'static str, Option<usize>, Shape, usize);

const CIFAR: Shape = Shape {
    channels: 3,
    height: 32,
    width: 32,
};
const DIGITS: Shape = Shape {
    channels: 1,
    height: 8,
    width: 8,
};

const CASES: [(&str, Case); 5] = [
    ("resnet20", ("resnet20", None, CIFAR, 128)),
    ("resnet56", ("resnet56", None, CIFAR, 128)),
    ("digits8", ("resnet8", Some(8), DIGITS, 64)),
    ("digits56", ("resnet56", Some(8), DIGITS, 64)),
    ("fully32x64", ("fc-resnet32", Some(64), DIGITS, 64)),
];

const NAMES: [&str; 5] = [CASES[0].0, CASES[1].0, CASES[2].0, CASES[3].0, CASES[4].0];

#[divan::bench(args = NAMES, sample_count = 20, sample_size = 1)]
fn train(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, name, Work::Training);
}

#[divan::bench(args = NAMES, sample_count = 20, sample_size = 1)]
fn evaluate(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, name, Work::Evaluation);
}

fn measure(bencher: Bencher<'_, '_>, name: &str, work: Work) {
    let case = CASES.iter().find(|(n, _)| *n == name);
    let &(_, (model, width, input, batch)) = case.expect("a case of the list");
    let network = network(model, width, input);
    let mut workload = Workload::new(&network, work, batch).expect("a network that fits");
    (0..WARM_UP).for_each(|_| {
        workload.step();
    });
    bencher
        .counter(ItemsCount::new(batch))
        .bench_local(|| workload.step());
}

fn network(model: &str, width: Option<usize>, input: Shape) -> Network {
    let settings = named(model).expect("a name");
    let width = width.unwrap_or(settings.width);
    build(&ModelSettings { width, ..settings }, input, 10).expect("a network")
}
