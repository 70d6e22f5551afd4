//! The reference in f64 against PyTorch in float64: outputs, loss, every gradient by name, running
//! statistics, and ten steps of SGD, to 1e-9 relative. In f32, one step to 2e-4: the deepest of the
//! networks normalise over a dozen numbers, and amplify rounding.

mod support;

use reslab_nn::loss::TargetsRef;
use reslab_nn::noise::Noise;
use reslab_nn::reference::derivatives::gradient;
use reslab_nn::reference::{Mode, Problem, Scalar, Tensor, forward, lift};
use support::fixture::{Fixture, NAMES};

const TOLERANCE: f64 = 1e-9;

fn problem<'a, S: Scalar>(
    fixture: &'a Fixture,
    state: &'a [S],
    inputs: &'a Tensor<S>,
) -> Problem<'a, S> {
    Problem {
        network: &fixture.network,
        state,
        mode: Mode::Training,
        noise: Noise::default(),
        inputs,
        targets: TargetsRef::Classes(&fixture.classes),
        loss: fixture.loss,
    }
}

#[test]
fn forward_and_gradients_are_pytorchs() {
    for fixture in NAMES.map(Fixture::load) {
        let (network, parameters) = (&fixture.network, &fixture.parameters);
        let state: Vec<f64> = lift(&network.layout.initial_state());
        let found = gradient(&problem(&fixture, &state, &fixture.inputs), parameters).unwrap();
        let flat: Vec<f64> = found.pass.output.iter().copied().collect();
        fixture.check("logits", &flat, TOLERANCE);
        fixture.check("loss", &[found.loss], TOLERANCE);
        fixture.check_parameters("gradient", &found.gradients.parameters, TOLERANCE);
        fixture.check_input_gradient(&found.gradients.input, TOLERANCE);
        fixture.check_state("running", &found.pass.state, TOLERANCE);

        let state = &found.pass.state;
        let pass = forward(
            network,
            parameters,
            state,
            Mode::Evaluation,
            &fixture.inputs,
        )
        .unwrap();
        let flat: Vec<f64> = pass.output.iter().copied().collect();
        fixture.check("logits_evaluation", &flat, TOLERANCE);
        assert_eq!(&pass.state, state);
    }
}

#[test]
fn ten_steps_of_sgd_are_pytorchs() {
    for fixture in NAMES.map(Fixture::load) {
        let mut state: Vec<f64> = lift(&fixture.network.layout.initial_state());
        fixture.check_descent(TOLERANCE, |parameters| {
            let found = gradient(&problem(&fixture, &state, &fixture.inputs), parameters).unwrap();
            state = found.pass.state;
            (found.loss, found.gradients.parameters)
        });
        fixture.check_state("final_running", &state, TOLERANCE);
    }
}

#[test]
fn single_precision_is_near() {
    for fixture in NAMES.map(Fixture::load) {
        let state: Vec<f32> = fixture.network.layout.initial_state();
        let inputs = fixture.inputs.mapv(|v| v as f32);
        let parameters: Vec<f32> = fixture.parameters.iter().map(|&v| v as f32).collect();
        let found = gradient(&problem(&fixture, &state, &inputs), &parameters).unwrap();
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        fixture.check("loss", &[f64::from(found.loss)], 2e-4);
        fixture.check_parameters("gradient", &wide(&found.gradients.parameters), 2e-4);
        fixture.check_state("running", &wide(&found.pass.state), 2e-4);
    }
}
