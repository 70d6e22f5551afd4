use super::*;
use crate::engine::{Algorithm, ConvolutionPass, ConvolutionSpeed, kernel_speeds};
use crate::families::{build, named};
use crate::network::Shape;

fn network(name: &str, input: Shape) -> Network {
    build(&named(name).expect("a name"), input, 10).expect("a network")
}

#[test]
fn medians_are_middles() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    assert!(median(&[]).is_nan());
}

#[test]
fn a_workload_trains() {
    let network = network("fc-resnet2", Shape::vector(16));
    let mut workload = Workload::new(&network, Work::Training, 20).expect("a workload");
    let before = workload.parameters.clone();
    let seconds = workload.seconds(3);
    assert_eq!(seconds.len(), 3);
    assert!(seconds.iter().all(|&s| s > 0.0));
    assert_ne!(workload.parameters, before, "parameters have moved");
    assert_eq!(workload.steps, 3 + WARM_UP);
}

#[test]
fn runs_beside_each_other_are_timed_one_by_one() {
    let network = network("fc-resnet2", Shape::vector(16));
    let speed = side_by_side(&network, Work::Training, 16, 2, 2).expect("two runs");
    assert_eq!(speed.together.len(), 2);
    assert!(speed.alone > 0.0 && speed.ratio() > 0.0);
    assert_eq!(speed.total(), speed.together[0] + speed.together[1]);
}

/// The kinds are counted one by one and must add up to what grows with the batch.
#[test]
fn the_memory_of_a_step_is_explained() {
    let network = network("resnet8", Shape::new(3, 16, 16));
    let of = |work, batch| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.expect("a pool");
        pool.install(|| memory_use(&network, work, batch))
            .expect("memory")
    };
    let (small, large) = (of(Work::Training, 32), of(Work::Training, 64));
    assert_eq!(large.engine.activations, 2 * small.engine.activations);
    assert_eq!(large.engine.gradients, 2 * small.engine.gradients);
    assert_eq!(large.engine.packed_weights, small.engine.packed_weights);
    assert_eq!(large.engine.workers, small.engine.workers);
    // Stored at 16×16×16, 8×8×32 and 4×4×64: the stem's convolution and what the first block adds to,
    // two convolutions and a sum of each block; the pooled vector, the logits and the input.
    let floats = 5 * 16 * 256 + 3 * 32 * 64 + 3 * 64 * 16 + 64 + 10 + 3 * 256;
    assert_eq!(small.engine.activations, 4 * 32 * floats);
    let parameters = network.layout.parameter_count();
    // Parameters, gradient, momentum; running statistics; inputs and classes.
    let arrays = 3 * parameters + network.layout.state_count() + 32 * (3 * 256 + 1);
    assert_eq!(small.arrays, 4 * arrays);
    let evaluation = of(Work::Evaluation, 32);
    assert_eq!(evaluation.engine.gradients, 0);
    assert!(evaluation.planned() < small.planned());
    assert_eq!(
        of(Work::Evaluation, 64).engine.activations,
        evaluation.engine.activations
    );
}

#[test]
fn every_convolution_and_pass_of_a_network_is_timed() {
    let network = network("resnet8", Shape::new(3, 8, 8));
    let speeds = kernel_speeds(&network, 17).expect("speeds");
    assert_eq!(speeds.images, 32);
    let count = |pass| {
        let direct = |c: &&ConvolutionSpeed| c.algorithm == Algorithm::Direct && c.pass == pass;
        let of_pass = speeds.convolutions.iter().filter(direct);
        of_pass.map(|c| c.times).sum::<usize>()
    };
    // Seven convolutions and the linear layer; the first has no one to hand its gradient to.
    assert_eq!(count(ConvolutionPass::Forward), 8);
    assert_eq!(count(ConvolutionPass::BackwardData), 7);
    assert_eq!(count(ConvolutionPass::BackwardWeight), 8);
    for speed in &speeds.convolutions {
        assert_eq!(speed.flops, 64.0 * speed.shape.multiply_adds() as f64);
        assert!(speed.seconds > 0.0 && speeds.peak > 0.0, "{speed:?}");
    }
    assert!(speeds.passes.iter().any(|p| p.pass == "backward of norm"));
    assert!(
        speeds
            .passes
            .iter()
            .all(|p| p.seconds > 0.0 && p.copy_rate > 0.0)
    );
}
