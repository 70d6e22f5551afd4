//! Derivatives of the loss and of the outputs, all exact.
//!
//! With parameters θ, inputs x, and a direction v in either or both:
//!
//! | function       | gives                                              | by                   |
//! |----------------|----------------------------------------------------|----------------------|
//! | [`gradient`]   | ∇L                                                 | reverse              |
//! | [`jvp`]        | ∂z·v of the outputs and ∇L·v of the loss           | forward, on duals    |
//! | [`hvp`]        | H v, along with ∇L and L                           | forward over reverse |
//! | [`part_jvp`]   | J v of any range of blocks                         | forward, on duals    |
//! | [`part_vjp`]   | Jᵀ u of any range of blocks                        | reverse              |

use ndarray::Zip;

use super::{
    Dual, Gradients, Mode, Part, Pass, Scalar, Tensor, forward_part, forward_with_noise, loss,
};
use crate::error::ShapeError;
use crate::loss::{Loss, TargetsRef};
use crate::network::Network;
use crate::noise::Noise;

/// The function L(θ, x) that is differentiated: the mean loss of a network on a batch.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a, T> {
    /// The network.
    pub network: &'a Network,
    /// The state arena, which batch norms read in evaluation.
    pub state: &'a [T],
    /// Which statistics batch norms use, and whether there is noise.
    pub mode: Mode,
    /// What dropout and stochastic depth are drawn from in training.
    pub noise: Noise,
    /// The batch, `(N, H, W, C)`.
    pub inputs: &'a Tensor<T>,
    /// Its targets.
    pub targets: TargetsRef<'a>,
    /// The loss.
    pub loss: Loss,
}

/// A direction in parameters, inputs, or both; what is `None` stays fixed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direction<'a, T> {
    /// An arena.
    pub parameters: Option<&'a [T]>,
    /// `(N, H, W, C)`.
    pub inputs: Option<&'a Tensor<T>>,
}

/// The loss with its gradients, and the pass they came from.
#[derive(Debug)]
pub struct LossGradient<S> {
    /// The mean loss.
    pub loss: S,
    /// Samples whose largest output is not their class.
    pub wrong: usize,
    /// ∇L, and the gradient at each block's output.
    pub gradients: Gradients<S>,
    /// Outputs, block outputs, and the state after the pass.
    pub pass: Pass<S>,
}

/// A loss and outputs with their derivatives along a direction.
#[derive(Debug, Clone)]
pub struct Jvp<T> {
    /// L.
    pub loss: T,
    /// ∇L·v.
    pub loss_tangent: T,
    /// `(N, 1, 1, outputs)`.
    pub outputs: Tensor<T>,
    /// Their derivative along v.
    pub outputs_tangent: Tensor<T>,
}

/// A Hessian–vector product, with what comes along with it.
#[derive(Debug, Clone)]
pub struct Hvp<T> {
    /// L.
    pub loss: T,
    /// ∂L/∂θ.
    pub gradient: Vec<T>,
    /// Derivative of ∂L/∂θ along v: the parameters' rows of H v.
    pub parameters: Vec<T>,
    /// Derivative of ∂L/∂x along v: the inputs' rows of H v.
    pub inputs: Tensor<T>,
}

/// The loss and its gradients.
pub fn gradient<S: Scalar>(
    problem: &Problem<S>,
    parameters: &[S],
) -> Result<LossGradient<S>, ShapeError> {
    let Problem {
        network,
        state,
        mode,
        noise,
        inputs,
        ..
    } = *problem;
    let part = Part::whole(network);
    let pass = forward_with_noise(network, part, (parameters, state), (mode, noise), inputs)?;
    let value = loss::loss(&problem.loss, &pass.output, problem.targets)?;
    let gradients = pass.backward(network, parameters, &value.grad_outputs);
    Ok(LossGradient {
        loss: value.mean,
        wrong: value.wrong,
        gradients,
        pass,
    })
}

/// Loss and outputs with their derivatives along a direction.
pub fn jvp<T: Scalar>(
    problem: &Problem<T>,
    parameters: &[T],
    direction: Direction<T>,
) -> Result<Jvp<T>, ShapeError> {
    let Lifted {
        parameters,
        state,
        inputs,
    } = lift(problem, parameters, direction)?;
    let network = problem.network;
    let part = Part::whole(network);
    let setting = (problem.mode, problem.noise);
    let pass = forward_with_noise(network, part, (&parameters, &state), setting, &inputs)?;
    let value = loss::loss(&problem.loss, &pass.output, problem.targets)?.mean;
    let (outputs, outputs_tangent) = split(&pass.output);
    Ok(Jvp {
        loss: value.value,
        loss_tangent: value.tangent,
        outputs,
        outputs_tangent,
    })
}

/// The Hessian times a direction: the gradient, computed on duals.
pub fn hvp<T: Scalar>(
    problem: &Problem<T>,
    parameters: &[T],
    direction: Direction<T>,
) -> Result<Hvp<T>, ShapeError> {
    let Lifted {
        parameters,
        state,
        inputs,
    } = lift(problem, parameters, direction)?;
    let Problem {
        network,
        mode,
        noise,
        targets,
        loss,
        ..
    } = *problem;
    let dual = Problem {
        network,
        state: &state,
        mode,
        noise,
        inputs: &inputs,
        targets,
        loss,
    };
    let found = gradient(&dual, &parameters)?;
    Ok(Hvp {
        loss: found.loss.value,
        gradient: found.gradients.parameters.iter().map(|d| d.value).collect(),
        parameters: found
            .gradients
            .parameters
            .iter()
            .map(|d| d.tangent)
            .collect(),
        inputs: found.gradients.input.map(|d| d.tangent),
    })
}

/// A part's output and its derivative along a direction in what goes in.
pub fn part_jvp<T: Scalar>(
    (network, part): (&Network, Part),
    (parameters, state): (&[T], &[T]),
    mode: Mode,
    input: &Tensor<T>,
    tangent: &Tensor<T>,
) -> Result<(Tensor<T>, Tensor<T>), ShapeError> {
    let (parameters, state) = (constants(parameters), constants(state));
    let input = zip(input, tangent)?;
    let pass = forward_part(network, part, &parameters, &state, mode, &input)?;
    Ok(split(&pass.output))
}

/// A part's output and, for a cotangent at it, the gradients of `cotangent · output`.
pub fn part_vjp<T: Scalar>(
    (network, part): (&Network, Part),
    (parameters, state): (&[T], &[T]),
    mode: Mode,
    input: &Tensor<T>,
    cotangent: &Tensor<T>,
) -> Result<(Tensor<T>, Gradients<T>), ShapeError> {
    let pass = forward_part(network, part, parameters, state, mode, input)?;
    same_length(
        "numbers of the cotangent",
        pass.output.len(),
        cotangent.len(),
    )?;
    let gradients = pass.backward(network, parameters, cotangent);
    Ok((pass.output, gradients))
}

/// What a problem reads, on duals.
struct Lifted<T> {
    parameters: Vec<Dual<T>>,
    state: Vec<Dual<T>>,
    inputs: Tensor<Dual<T>>,
}

fn lift<T: Scalar>(
    problem: &Problem<T>,
    parameters: &[T],
    direction: Direction<T>,
) -> Result<Lifted<T>, ShapeError> {
    let parameters = match direction.parameters {
        None => constants(parameters),
        Some(tangents) => {
            same_length("numbers of the direction", parameters.len(), tangents.len())?;
            parameters
                .iter()
                .zip(tangents)
                .map(|(&v, &t)| Dual::new(v, t))
                .collect()
        }
    };
    let inputs = match direction.inputs {
        None => problem.inputs.mapv(Dual::constant),
        Some(tangents) => zip(problem.inputs, tangents)?,
    };
    Ok(Lifted {
        parameters,
        state: constants(problem.state),
        inputs,
    })
}

fn constants<T: Scalar>(values: &[T]) -> Vec<Dual<T>> {
    values.iter().copied().map(Dual::constant).collect()
}

fn zip<T: Scalar>(values: &Tensor<T>, tangents: &Tensor<T>) -> Result<Tensor<Dual<T>>, ShapeError> {
    same_length("numbers of the tangent", values.len(), tangents.len())?;
    if values.dim() != tangents.dim() {
        let shape = |t: &Tensor<T>| crate::network::Shape::new(t.dim().3, t.dim().1, t.dim().2);
        return Err(ShapeError::Input {
            expected: shape(values),
            found: shape(tangents),
        });
    }
    Ok(Zip::from(values)
        .and(tangents)
        .map_collect(|&v, &t| Dual::new(v, t)))
}

fn split<T: Scalar>(duals: &Tensor<Dual<T>>) -> (Tensor<T>, Tensor<T>) {
    (duals.map(|d| d.value), duals.map(|d| d.tangent))
}

fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), ShapeError> {
    if expected == found {
        Ok(())
    } else {
        Err(ShapeError::Length {
            what,
            expected,
            found,
        })
    }
}
