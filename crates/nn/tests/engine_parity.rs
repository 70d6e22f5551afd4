//! The engine against PyTorch in float64: one step's gradients and running statistics, the evaluated
//! outputs, and ten steps of SGD.

mod support;

use reslab_nn::engine::{Batch, Engine, Noise};
use reslab_nn::loss::TargetsRef;
use support::fixture::{Fixture, NAMES};

const TOLERANCE: f64 = 1e-4;

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Calls `check(inputs as a batch, engine)`.
fn with_engine(fixture: &Fixture, check: impl FnOnce(&Batch<'_>, &mut Engine)) {
    let inputs: Vec<f32> = fixture.inputs.iter().map(|&v| v as f32).collect();
    let targets = TargetsRef::Classes(&fixture.classes);
    let batch = Batch {
        inputs: &inputs,
        targets,
        len: fixture.classes.len(),
        noise: Noise::default(),
    };
    let mut engine = Engine::for_training(&fixture.network, batch.len).unwrap();
    check(&batch, &mut engine);
}

#[test]
fn one_step_is_pytorchs() {
    for fixture in NAMES.map(Fixture::load) {
        with_engine(&fixture, |batch, engine| {
            let parameters = narrow(&fixture.parameters);
            let mut state = fixture.network.layout.initial_state();
            let mut gradient = vec![0.0; parameters.len()];
            let found = engine.step(&parameters, &mut state, batch, &fixture.loss, &mut gradient);
            fixture.check("logits", &wide(engine.logits()), TOLERANCE);
            fixture.check("loss", &[found.loss_sum / batch.len as f64], TOLERANCE);
            fixture.check_parameters("gradient", &wide(&gradient), TOLERANCE);
            fixture.check_state("running", &wide(&state), TOLERANCE);
            engine.evaluate(&parameters, &state, batch, &fixture.loss);
            fixture.check("logits_evaluation", &wide(engine.logits()), TOLERANCE);
        });
    }
}

#[test]
fn ten_steps_of_sgd_are_pytorchs() {
    for fixture in NAMES.map(Fixture::load) {
        with_engine(&fixture, |batch, engine| {
            let mut state = fixture.network.layout.initial_state();
            let mut gradient = vec![0.0; fixture.parameters.len()];
            fixture.check_descent(TOLERANCE, |parameters| {
                let parameters = narrow(parameters);
                let found =
                    engine.step(&parameters, &mut state, batch, &fixture.loss, &mut gradient);
                (found.loss_sum / batch.len as f64, wide(&gradient))
            });
            fixture.check_state("final_running", &wide(&state), TOLERANCE);
        });
    }
}
