//! The engine in f32 against PyTorch in float64, to 1e-4 relative: outputs, loss, every gradient
//! by name, running statistics, and ten steps of SGD.

mod support;

use reslab_nn::engine::{Batch, Engine, TargetsRef};
use support::fixture::{Fixture, NAMES};

const TOLERANCE: f64 = 1e-4;

/// Calls `check` with each fixture and its batch in single precision.
fn for_each_fixture(check: impl Fn(&Fixture, &Batch)) {
    for fixture in NAMES.map(Fixture::load) {
        let inputs = narrow(&fixture.inputs);
        let targets = TargetsRef::Classes(&fixture.classes);
        check(
            &fixture,
            &Batch {
                inputs: &inputs,
                targets,
                len: fixture.classes.len(),
            },
        );
    }
}

fn narrow<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<f32> {
    values.into_iter().map(|&v| v as f32).collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

#[test]
fn forward_and_gradients_are_pytorchs() {
    for_each_fixture(|fixture, batch| {
        let network = &fixture.network;
        let parameters = narrow(&fixture.parameters);
        let mut state = network.layout.initial_state();
        let mut gradient = vec![f32::NAN; parameters.len()];
        let mut engine = Engine::for_training(network, batch.len).unwrap();
        let result = engine.step(&parameters, &mut state, batch, &fixture.loss, &mut gradient);
        fixture.check("logits", &widen(engine.logits()), TOLERANCE);
        fixture.check("loss", &[result.loss_sum / batch.len as f64], TOLERANCE);
        fixture.check_parameters("gradient", &widen(&gradient), TOLERANCE);
        fixture.check_state("running", &widen(&state), TOLERANCE);

        for mut engine in [
            Engine::for_evaluation(network, batch.len).unwrap(),
            Engine::for_training(network, batch.len).unwrap(),
        ] {
            engine.evaluate(&parameters, &state, batch, &fixture.loss);
            fixture.check("logits_evaluation", &widen(engine.logits()), TOLERANCE);
        }
    });
}

#[test]
fn ten_steps_of_sgd_are_pytorchs() {
    for_each_fixture(|fixture, batch| {
        let mut state = fixture.network.layout.initial_state();
        let mut gradient = vec![0.0; fixture.parameters.len()];
        let mut engine = Engine::for_training(&fixture.network, batch.len).unwrap();
        fixture.check_descent(TOLERANCE, |parameters| {
            let parameters = narrow(parameters);
            let result = engine.step(&parameters, &mut state, batch, &fixture.loss, &mut gradient);
            (result.loss_sum / batch.len as f64, widen(&gradient))
        });
        fixture.check_state("final_running", &widen(&state), TOLERANCE);
    });
}
