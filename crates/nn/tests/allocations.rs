//! A training step and an evaluation allocate nothing, on one thread and on several.

use reslab_kernels::counting::{CountingAllocator, allocations};
use reslab_nn::engine::{Batch, Engine, Loss, Noise, TargetsRef};
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::network::Shape;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The fewest allocations of three rounds: a thread of the pool allocates once for its own queue
/// when it first finds work, whenever that is.
fn allocations_of(mut work: impl FnMut()) -> usize {
    let mut round = || {
        let before = allocations();
        work();
        allocations() - before
    };
    (0..3).map(|_| round()).min().unwrap_or(0)
}

#[test]
fn steps_and_evaluations_allocate_nothing() {
    assert!(
        allocations_of(|| drop(std::hint::black_box(vec![1u8; 100]))) > 0,
        "the count counts"
    );
    for (model, input) in [
        (r#"{"name": "resnet8"}"#, Shape::new(1, 8, 8)),
        (r#"{"name": "plain14"}"#, Shape::new(3, 8, 8)),
        (r#"{"name": "fc-resnet3"}"#, Shape::new(1, 4, 4)),
        (
            r#"{"depth": 8, "width": 4, "shortcut": "exclusive-gate", "stochastic_depth": 0.5}"#,
            Shape::new(3, 8, 8),
        ),
        (
            r#"{"name": "wrn-10-2", "width": 4, "dropout": 0.3}"#,
            Shape::new(3, 8, 8),
        ),
        (
            r#"{"depth": 8, "width": 4, "shortcut": "constant", "branch_factor": 0.5}"#,
            Shape::new(3, 8, 8),
        ),
        (
            r#"{"name": "resnext50_2x64d", "width": 4}"#,
            Shape::new(3, 16, 16),
        ),
    ] {
        let name = model;
        let model: ModelSettings = serde_json::from_str(model).unwrap();
        let network = build(&model, input, 10).unwrap();
        let parameters = initialize(&network, &InitSettings::default(), 0);
        let mut state = network.layout.initial_state();
        let mut gradient = vec![0.0; parameters.len()];
        let inputs = vec![0.5; 70 * input.len()];
        let classes: Vec<u32> = (0..70).map(|i| i % 10).collect();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut engine = Engine::for_training(&network, 70).unwrap();
                engine.observe_layers(true);
                let mut norms = Vec::new();
                let mut round = |len: usize| {
                    let inputs = &inputs[..len * input.len()];
                    let targets = TargetsRef::Classes(&classes[..len]);
                    let batch = Batch {
                        inputs,
                        targets,
                        len,
                        noise: Noise::default(),
                    };
                    let loss = Loss::default();
                    engine.step(&parameters, &mut state, &batch, &loss, &mut gradient);
                    engine.evaluate(&parameters, &state, &batch, &loss);
                    engine.block_output_gradient_norms(&mut norms);
                };
                // Workers and the plan for evaluation are made in the first round.
                round(70);
                assert_eq!(allocations_of(|| round(70)), 0, "{name}, {threads} threads");
                assert_eq!(allocations_of(|| round(33)), 0, "{name}, a shorter batch");
            });
        }
    }
}
