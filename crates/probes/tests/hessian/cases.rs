//! Networks, dense Hessians and words to compare with.

use reslab_dense::{Eigen, symmetric_eigen};
use reslab_nn::data::Dataset;
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::loss::Loss;
use reslab_nn::network::{Activation, Network};
use reslab_nn::noise::Noise;
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::{self, Direction, Mode, Problem, derivatives};
use reslab_nn::train::targets;
use reslab_probes::hessian::{
    Coordinates, ExtremeSettings, Extremes, LossHessian, MeanLoss, Precision, extremes,
};

use crate::support::{digits, network, noise};

/// A network with numbers of its own and data.
pub struct Case {
    pub network: Network,
    pub parameters: Vec<f32>,
    pub state: Vec<f32>,
    pub dataset: Dataset,
}

impl Case {
    /// Parameters as initialised, and moved a little, so that biases, γ and β count.
    pub fn new(network: Network, dataset: Dataset) -> Self {
        let mut parameters = initialize(&network, &InitSettings::default(), 5);
        let mut state = network.layout.initial_state();
        let mut rng = random::stream(8, Purpose::Test, 0, 0);
        for x in parameters.iter_mut().chain(&mut state) {
            *x += 0.1 * random::normal(&mut rng) as f32;
        }
        Self {
            network,
            parameters,
            state,
            dataset,
        }
    }

    pub fn loss(&self, samples: usize, mode: Mode, loss: Loss) -> MeanLoss<'_> {
        MeanLoss {
            network: &self.network,
            parameters: &self.parameters,
            state: &self.state,
            split: &self.dataset.train,
            samples,
            loss,
            mode,
            batch_size: samples,
            coordinates: Coordinates::All,
            precision: Precision::F64,
        }
    }
}

pub fn product(hessian: &mut LossHessian<'_>, vector: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; vector.len()];
    let found = hessian.product(vector, &mut product, &mut || Ok(()));
    found.expect("a checked network");
    product
}

pub fn ends(hessian: &mut LossHessian<'_>, settings: &ExtremeSettings) -> Extremes {
    let dimension = hessian.dimension();
    let mut operator = |v: &[f64], out: &mut [f64]| hessian.product(v, out, &mut || Ok(()));
    extremes(&mut operator, dimension, None, settings, 1).expect("a checked network")
}

/// Column by column, straight from the duals.
pub fn dense(function: &MeanLoss<'_>, samples: std::ops::Range<usize>) -> Vec<Vec<f64>> {
    let (network, split) = (function.network, function.split);
    let parameters: Vec<f64> = reference::lift(function.parameters);
    let state: Vec<f64> = reference::lift(function.state);
    let features = network.input.len();
    let inputs = &split.inputs[samples.start * features..samples.end * features];
    let inputs = reference::tensor(inputs, network.input).expect("whole samples");
    let problem = Problem {
        network,
        state: &state,
        mode: function.mode,
        noise: Noise::default(),
        inputs: &inputs,
        targets: targets(&split.targets, samples.start, samples.end),
        loss: function.loss,
    };
    let column = |index| {
        let mut unit = vec![0.0; parameters.len()];
        unit[index] = 1.0;
        let direction = Direction {
            parameters: Some(unit.as_slice()),
            inputs: None,
        };
        let found = derivatives::hvp(&problem, &parameters, direction);
        found.expect("a checked network").parameters
    };
    (0..parameters.len()).map(column).collect()
}

pub fn eigen(matrix: &[Vec<f64>]) -> Eigen {
    symmetric_eigen(matrix.len(), |i, j| matrix[i][j]).expect("finite numbers")
}

pub fn assert_relative(found: f64, expected: f64, tolerance: f64, scale: f64) {
    assert!(
        (found - expected).abs() <= tolerance * scale,
        "{found}, not {expected}"
    );
}

pub const FINE: ExtremeSettings = ExtremeSettings {
    top: 3,
    bottom: 3,
    tolerance: 1e-9,
    max_products: 500,
    vectors: false,
};

pub fn small_networks() -> Vec<Case> {
    let batch_normed = |activation, residual, placement| {
        let dataset = noise(4, 48);
        let mut model = named(if residual { "fc-resnet2" } else { "fc-plain2" }).expect("a name");
        (model.width, model.batch_norm, model.activation) = (6, true, activation);
        if placement {
            model.placement = named("preact-fc-resnet2").expect("a name").placement;
        }
        let network = build(&model, dataset.shape, dataset.outputs).expect("a small network");
        assert!(network.layout.parameter_count() <= 300);
        Case::new(network, dataset)
    };
    let digits = digits();
    let convolutional = network("resnet8", 1, &digits);
    vec![
        batch_normed(Activation::Relu, true, false),
        batch_normed(Activation::Tanh, true, true),
        batch_normed(Activation::Relu, false, false),
        Case::new(convolutional, digits),
    ]
}
