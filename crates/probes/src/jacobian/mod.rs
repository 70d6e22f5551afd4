//! Jacobian spectra: ∏ (I + ∂F_l/∂h), from one block to a hundred. The maths is in
//! `docs/jacobian.md`.
//!
//! The network is linearised at a sample, in `f64` by the reference executor. Of each block the
//! singular values (and eigenvalues) of its maps are found (see [`blocks`]), and of products of
//! blocks, growing from either end, singular values, Lyapunov exponents and what becomes of the
//! loss's gradient (see [`graded`], [`split`]). Jacobians that are too wide to be written down are
//! looked at by Lanczos (see [`matrix_free`]). Products stand beside what theory says of them (see
//! [`theory`] and [`free_probability`]).

pub mod blocks;
pub mod free_probability;
pub mod graded;
pub mod matrix_free;
mod products;
mod rows;
mod settings;
pub mod spectrum;
pub mod split;
mod study;
#[cfg(test)]
mod tests;
pub mod theory;

use reslab_nn::data::Targets;
use reslab_nn::loss::TargetsRef;
use reslab_nn::reference::{self, Mode, Part};
use reslab_results::Table;

use crate::gradients::without_noise;
use crate::paths;
use crate::subject::{ProbeError, Subject, Watch};
use blocks::Linearisation;
use rows::Tables;
use study::Study;

pub use settings::{End, JacobianSettings, Lanczos, Products, Statistics};

/// The tables `jacobian`, `jacobian_values` and `jacobian_exponents`, then `jacobian_theory` and
/// `jacobian_density`.
pub fn measure(
    settings: &JacobianSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Table>, ProbeError> {
    let at = linearisation(settings, subject)?;
    let split = settings.set.of(subject.dataset);
    let samples = settings.samples.min(split.len);
    let batch = settings.statistics == Statistics::Batch;
    let members: Vec<(usize, usize)> = match batch {
        true => vec![(0, samples)],
        false => (0..samples).map(|sample| (sample, sample + 1)).collect(),
    };
    let mut tables = Tables::new(subject, settings.values);
    let total = members.len();
    for (done, &(first, end)) in members.iter().enumerate() {
        watch.at(done, total)?;
        let Passed {
            between,
            pass,
            gradients,
        } = pass(settings, subject, &at, (first, end))?;
        let study = Study {
            settings,
            at: &at,
            sample: (!batch).then_some(first),
            seed: subject.seed,
            between,
            pass: &pass,
            gradients,
        };
        study.measure(&mut tables, &mut || watch.at(done, total))?;
    }
    Ok(tables.finish())
}

/// The network in the mode that the settings ask for.
fn linearisation(
    settings: &JacobianSettings,
    subject: &Subject<'_>,
) -> Result<Linearisation, ProbeError> {
    let state = match settings.statistics {
        Statistics::Running | Statistics::Batch => subject.state.to_vec(),
        Statistics::Recomputed => paths::Statistics::Recomputed.state(subject)?,
    };
    let (network, mode) = match settings.statistics {
        Statistics::Batch => (without_noise(subject.network), Mode::Training),
        _ => (subject.network.clone(), Mode::Evaluation),
    };
    let parameters = reference::lift(subject.parameters);
    Ok(Linearisation::new(
        network,
        parameters,
        reference::lift(&state),
        mode,
    ))
}

type Activation = reference::Tensor<f64>;

/// A network at samples.
struct Passed {
    /// What goes into each block, and what leaves the last.
    between: Vec<Activation>,
    /// From the first block on.
    pass: reference::Pass<f64>,
    /// The loss's gradients between blocks.
    gradients: Vec<Activation>,
}

/// Forward and backward through the samples `first..end` together.
fn pass(
    settings: &JacobianSettings,
    subject: &Subject<'_>,
    at: &Linearisation,
    (first, end): (usize, usize),
) -> Result<Passed, ProbeError> {
    let split = settings.set.of(subject.dataset);
    let len = at.network.input.len();
    let input = reference::tensor(&split.inputs[first * len..end * len], at.network.input)?;
    let stem = at.run(Part::before(0), &input)?.output;
    let pass = at.run(Part::from(&at.network, 0), &stem)?;
    let outputs = at.network.outputs;
    let targets = match &split.targets {
        Targets::Classes(classes) => TargetsRef::Classes(&classes[first..end]),
        Targets::Values { values, .. } => {
            TargetsRef::Values(&values[first * outputs..end * outputs])
        }
    };
    let loss = reference::loss(&subject.train.loss.loss(), &pass.output, targets)?;
    let gradients = split::gradients(at, &pass, &loss.grad_outputs);
    let mut between = vec![stem];
    between.extend(pass.block_outputs.iter().cloned());
    Ok(Passed {
        between,
        pass,
        gradients,
    })
}
