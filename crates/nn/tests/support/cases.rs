//! Random networks of every family with random numbers, for property tests.

use proptest::prelude::*;
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::{Network, Shape};
use reslab_nn::noise::Noise;
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::{Mode, Problem, Tensor};

use super::models::any_model;

/// What a case is drawn from.
#[derive(Debug, Clone)]
pub struct CaseSettings {
    pub model: ModelSettings,
    pub input: Shape,
    pub outputs: usize,
    pub batch: usize,
    pub loss: Loss,
    pub mode: Mode,
    /// Blocks whose norms are frozen, with the stem's.
    pub frozen: Option<usize>,
    pub seed: u64,
}

/// A network with numbers in it.
pub struct Case {
    pub settings: CaseSettings,
    pub network: Network,
    pub parameters: Vec<f64>,
    pub state: Vec<f64>,
    pub inputs: Tensor<f64>,
    pub classes: Vec<u32>,
}

/// Small networks of all kinds.
pub fn any_case() -> impl Strategy<Value = CaseSettings> {
    (
        any_model(),
        any_input(),
        2..5_usize,
        3..6_usize,
        any_loss(),
        any_mode(),
        prop::option::of(0..5_usize),
        any::<u64>(),
    )
        .prop_map(
            |(model, input, outputs, batch, loss, mode, frozen, seed)| CaseSettings {
                model,
                input,
                outputs,
                batch,
                loss,
                mode,
                frozen,
                seed,
            },
        )
}

fn any_input() -> impl Strategy<Value = Shape> {
    (1..4_usize, 5..9_usize, 5..9_usize).prop_map(|(c, h, w)| Shape::new(c, h, w))
}

fn any_loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::CrossEntropy {
            label_smoothing: 0.0
        }),
        Just(Loss::CrossEntropy {
            label_smoothing: 0.25
        }),
        Just(Loss::SquaredError),
    ]
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Training), Just(Mode::Evaluation)]
}

impl Case {
    /// Draws the numbers: initial parameters, all of them moved, so that no bias is 0 and no γ 1.
    pub fn new(settings: CaseSettings) -> Self {
        let CaseSettings {
            model,
            input,
            outputs,
            batch,
            seed,
            ..
        } = &settings;
        let network = build(model, *input, *outputs).expect("the settings are legal");
        let network = match settings.frozen {
            Some(blocks) => network.with_frozen_norms(blocks),
            None => network,
        };
        let initial = initialize(&network, &InitSettings::default(), *seed);
        let moved = draw(*seed, 0, initial.len());
        let parameters = initial
            .iter()
            .zip(moved)
            .map(|(&p, noise)| f64::from(p) + 0.1 * noise)
            .collect();
        let noise = draw(*seed, 1, network.layout.state_count());
        let state = network.layout.initial_state();
        let state = state
            .iter()
            .zip(noise)
            .map(|(&s, n)| f64::from(s) + 0.1 * n.tanh())
            .collect();
        let dim = (*batch, input.height, input.width, input.channels);
        let inputs = tensor(*seed, 2, dim);
        let mut rng = random::stream(*seed, Purpose::Test, 0, 3);
        let classes = (0..*batch)
            .map(|_| random::below(&mut rng, *outputs) as u32)
            .collect();
        Self {
            network,
            parameters,
            state,
            inputs,
            classes,
            settings,
        }
    }

    /// Where dropout and stochastic depth are drawn from.
    pub fn noise(&self) -> Noise {
        Noise {
            seed: self.settings.seed,
            step: 1,
        }
    }

    /// The loss as a function to differentiate.
    pub fn problem(&self) -> Problem<'_, f64> {
        Problem {
            network: &self.network,
            state: &self.state,
            mode: self.settings.mode,
            noise: self.noise(),
            inputs: &self.inputs,
            targets: TargetsRef::Classes(&self.classes),
            loss: self.settings.loss,
        }
    }
}

/// Normal numbers.
pub fn draw(seed: u64, index: u64, len: usize) -> Vec<f64> {
    let mut rng = random::stream(seed, Purpose::Test, 0, index);
    (0..len).map(|_| random::normal(&mut rng)).collect()
}

/// A tensor of normal numbers.
pub fn tensor(seed: u64, index: u64, dim: (usize, usize, usize, usize)) -> Tensor<f64> {
    let values = draw(seed, index, dim.0 * dim.1 * dim.2 * dim.3);
    Tensor::from_shape_vec(dim, values).expect("as many as the dimensions say")
}

/// Σ aᵢ bᵢ.
pub fn dot<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| a * b).sum()
}

/// √Σ aᵢ².
pub fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}
