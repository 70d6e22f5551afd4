//! In f64, on random networks of every family: gradients, Jacobian–vector and Hessian–vector
//! products against central differences, and against each other.
//!
//! A difference quotient has an error of its own: truncation at large steps, rounding at small
//! ones, and at any step a chance that a ReLU switches inside it. So each check tries several
//! steps (with one Richardson extrapolation) and asks that the best agree. A derivative that is
//! off by more than the tolerance agrees at none of them.

use crate::support::cases::{Case, CaseSettings, any_case, dot, draw, norm, tensor};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use reslab_nn::families::{ModelSettings, named};
use reslab_nn::loss::Loss;
use reslab_nn::network::{Activation, Shape};
use reslab_nn::reference::derivatives::{gradient, hvp, jvp, part_jvp, part_vjp};
use reslab_nn::reference::{Direction, Mode, Part, Problem, forward_with_noise};

const STEPS: [f64; 6] = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];

/// A direction in parameters and inputs, each of length 1.
fn unit_direction(case: &Case) -> (Vec<f64>, reslab_nn::reference::Tensor<f64>) {
    let mut parameters = draw(case.settings.seed, 10, case.parameters.len());
    let length = norm(&parameters);
    parameters.iter_mut().for_each(|v| *v /= length);
    let mut inputs = tensor(case.settings.seed, 11, case.inputs.dim());
    let length = dot(&inputs, &inputs).sqrt();
    inputs.mapv_inplace(|v| v / length);
    (parameters, inputs)
}

/// What `function` gives at the case moved by `step` along the direction.
fn moved<T>(
    case: &Case,
    direction: &(Vec<f64>, reslab_nn::reference::Tensor<f64>),
    step: f64,
    function: impl Fn(&Problem<f64>, &[f64]) -> T,
) -> T {
    let parameters: Vec<f64> = case
        .parameters
        .iter()
        .zip(&direction.0)
        .map(|(p, v)| p + step * v)
        .collect();
    let inputs = &case.inputs + &(&direction.1 * step);
    function(
        &Problem {
            inputs: &inputs,
            ..case.problem()
        },
        &parameters,
    )
}

/// The smallest relative error, over all steps, of extrapolated central differences of a vector
/// function against its claimed derivative; relative to at least `floor`.
fn best_agreement(
    case: &Case,
    direction: &(Vec<f64>, reslab_nn::reference::Tensor<f64>),
    claimed: &[f64],
    floor: f64,
    function: impl Fn(&Problem<f64>, &[f64]) -> Vec<f64>,
) -> f64 {
    let central = |step: f64| -> Vec<f64> {
        let ahead = moved(case, direction, step, &function);
        let behind = moved(case, direction, -step, &function);
        ahead
            .iter()
            .zip(&behind)
            .map(|(a, b)| (a - b) / (2.0 * step))
            .collect()
    };
    let error = |step: f64| {
        let (whole, half) = (central(step), central(step / 2.0));
        let difference: Vec<f64> = whole
            .iter()
            .zip(&half)
            .zip(claimed)
            .map(|((whole, half), claimed)| (4.0 * half - whole) / 3.0 - claimed)
            .collect();
        norm(&difference) / norm(claimed).max(floor)
    };
    STEPS.into_iter().map(error).fold(f64::INFINITY, f64::min)
}

fn check_first_derivatives(settings: CaseSettings) -> Result<(), TestCaseError> {
    let case = Case::new(settings);
    let problem = case.problem();
    let direction = unit_direction(&case);
    let along = Direction {
        parameters: Some(&direction.0),
        inputs: Some(&direction.1),
    };
    let found = gradient(&problem, &case.parameters).unwrap();
    let forward_mode = jvp(&problem, &case.parameters, along).unwrap();

    // Forward and reverse derive the same number.
    let gradients = &found.gradients;
    let reverse = dot(&gradients.parameters, &direction.0) + dot(&gradients.input, &direction.1);
    let size = norm(&gradients.parameters) + dot(&gradients.input, &gradients.input).sqrt();
    prop_assert!((reverse - forward_mode.loss_tangent).abs() <= 1e-12 * size.max(1e-3));
    prop_assert!((found.loss - forward_mode.loss).abs() <= 1e-14 * found.loss.abs());

    // A random direction meets a gradient of length |g| with about |g|/√n.
    let floor = 0.1 * size / (case.parameters.len() as f64).sqrt();
    let error = best_agreement(
        &case,
        &direction,
        &[reverse],
        floor,
        |problem, parameters| vec![gradient(problem, parameters).unwrap().loss],
    );
    prop_assert!(error <= 1e-7, "gradient: relative error {error:e}");

    let tangent: Vec<f64> = forward_mode.outputs_tangent.iter().copied().collect();
    let error = best_agreement(&case, &direction, &tangent, 1e-6, |problem, parameters| {
        let Problem {
            network,
            state,
            mode,
            noise,
            inputs,
            ..
        } = *problem;
        let part = Part::whole(network);
        forward_with_noise(network, part, (parameters, state), (mode, noise), inputs)
            .unwrap()
            .output
            .iter()
            .copied()
            .collect()
    });
    prop_assert!(error <= 1e-7, "outputs: relative error {error:e}");
    Ok(())
}

fn check_hessian(settings: CaseSettings) -> Result<(), TestCaseError> {
    let case = Case::new(settings);
    let problem = case.problem();
    let direction = unit_direction(&case);
    let along = Direction {
        parameters: Some(&direction.0),
        inputs: Some(&direction.1),
    };
    let product = hvp(&problem, &case.parameters, along).unwrap();
    let rows: Vec<f64> = product
        .parameters
        .iter()
        .chain(&product.inputs)
        .copied()
        .collect();
    let floor = 1e-6 * norm(&product.gradient);
    let error = best_agreement(&case, &direction, &rows, floor, |problem, parameters| {
        let found = gradient(problem, parameters).unwrap().gradients;
        found
            .parameters
            .iter()
            .chain(&found.input)
            .copied()
            .collect()
    });
    prop_assert!(error <= 1e-6, "Hessian: relative error {error:e}");

    // The Hessian is symmetric.
    let other = draw(case.settings.seed, 12, case.parameters.len());
    let only = |direction| Direction {
        parameters: Some(direction),
        inputs: None,
    };
    let first = hvp(&problem, &case.parameters, only(&direction.0)).unwrap();
    let second = hvp(&problem, &case.parameters, only(&other)).unwrap();
    let (left, right) = (
        dot(&first.parameters, &other),
        dot(&second.parameters, &direction.0),
    );
    let size = norm(&first.parameters) * norm(&other);
    prop_assert!(
        (left - right).abs() <= 1e-10 * size.max(1e-6),
        "{left} and {right}"
    );
    Ok(())
}

fn check_parts(settings: CaseSettings) -> Result<(), TestCaseError> {
    let case = Case::new(settings);
    let (network, mode, seed) = (&case.network, case.settings.mode, case.settings.seed);
    let numbers = (case.parameters.as_slice(), case.state.as_slice());
    let run = |part: Part, input: &_| {
        forward_with_noise(network, part, numbers, (mode, case.noise()), input).unwrap()
    };
    let whole = run(Part::whole(network), &case.inputs);
    let cut = seed as usize % (network.blocks.len() + 1);
    let middle = run(Part::before(cut), &case.inputs).output;
    prop_assert_eq!(
        &run(Part::from(network, cut), &middle).output,
        &whole.output
    );
    if cut > 0 {
        prop_assert_eq!(&middle, &whole.block_outputs[cut - 1]);
    }

    // Jᵀ is the transpose of J, for one block and for all that follow.
    for part in [
        Part::blocks(cut..network.blocks.len()),
        Part::blocks(cut..cut),
    ] {
        let tangent = tensor(seed, 20, middle.dim());
        let model = (network, part);
        let (output, forward_mode) =
            part_jvp(model.clone(), numbers, mode, &middle, &tangent).unwrap();
        let cotangent = tensor(seed, 21, output.dim());
        let (_, reverse) = part_vjp(model, numbers, mode, &middle, &cotangent).unwrap();
        let (left, right) = (
            dot(&cotangent, &forward_mode),
            dot(&reverse.input, &tangent),
        );
        let size = dot(&forward_mode, &forward_mode).sqrt() * dot(&cotangent, &cotangent).sqrt();
        prop_assert!(
            (left - right).abs() <= 1e-11 * size.max(1e-6),
            "{left} and {right}"
        );
    }

    // The gradient at a block's output is that of all that follows it.
    let found = gradient(&case.problem(), &case.parameters).unwrap();
    let value = reslab_nn::reference::loss(
        &case.settings.loss,
        &found.pass.output,
        case.problem().targets,
    );
    let tail = run(Part::from(network, cut), &middle);
    let gradients = tail.backward(network, numbers.0, &value.unwrap().grad_outputs);
    if cut > 0 {
        prop_assert_eq!(&gradients.input, &found.gradients.block_outputs[cut - 1]);
    }
    Ok(())
}

proptest! {
    // Always the same cases: a difference across a ReLU's kink has no derivative to agree with.
    #![proptest_config(ProptestConfig {
        cases: 48,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn gradients_and_jvps_agree_with_differences(settings in any_case()) {
        check_first_derivatives(settings)?;
    }

    #[test]
    fn hvps_agree_with_differences(settings in any_case()) {
        check_hessian(settings)?;
    }

    #[test]
    fn parts_compose_and_transpose(settings in any_case()) {
        check_parts(settings)?;
    }
}

/// Fifty layers, which the random cases leave out: there the last norms see three numbers, gradients
/// are 10⁵ to 10⁹ long, and no step of a difference is small enough. With enough pixels they agree.
#[test]
fn fifty_layers_agree_with_differences_on_enough_pixels() {
    for name in ["resnet50", "plain50"] {
        let model = ModelSettings {
            width: 3,
            activation: Activation::Tanh,
            ..named(name).expect("a name")
        };
        let settings = CaseSettings {
            model,
            input: Shape::new(2, 40, 40),
            outputs: 3,
            batch: 12,
            loss: Loss::CrossEntropy {
                label_smoothing: 0.0,
            },
            mode: Mode::Training,
            frozen: None,
            seed: 0,
        };
        check_first_derivatives(settings).expect(name);
    }
}
