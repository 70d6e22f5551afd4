//! Derivatives at the engine's speed against the reference's, which computes them in f64 on dual
//! numbers.

#[path = "../support/mod.rs"]
mod support;

mod agreement;
mod behaviour;

use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::loss::{Batch, Loss, TargetsRef};
use reslab_nn::network::{Activation, Block, Layer, Network, Op, Shape};
use reslab_nn::noise::Noise;
use reslab_nn::reference::derivatives::{self, Hvp};
use reslab_nn::reference::{Direction, Mode, Part, Problem, Scalar, lift, tensor};
use reslab_nn::tangent::Tangents;
use support::cases::draw;

/// A network with numbers to linearise it at.
struct Case {
    network: Network,
    parameters: Vec<f32>,
    state: Vec<f32>,
    inputs: Vec<f32>,
    classes: Vec<u32>,
    direction: Vec<f32>,
}

fn numbers(count: usize, seed: u64, index: u64) -> Vec<f32> {
    let wide = draw(seed, index, count);
    wide.into_iter().map(|v| v as f32).collect()
}

impl Case {
    fn new(network: &Network, len: usize, seed: u64) -> Self {
        let mut parameters = initialize(network, &InitSettings::default(), seed);
        // Biases and the norms' weights leave their special values.
        let noise = numbers(parameters.len(), seed, 1);
        let moved = parameters.iter_mut().zip(noise);
        moved.for_each(|(p, noise)| *p += 0.05 * noise);
        let mut state = network.layout.initial_state();
        let noise = numbers(state.len(), seed, 2);
        let moved = state.iter_mut().zip(noise);
        moved.for_each(|(s, noise)| *s += 0.2 * noise.tanh());
        Self {
            inputs: numbers(len * network.input.len(), seed, 3),
            classes: (0..len)
                .map(|i| ((i * 7 + i / 3) % network.outputs) as u32)
                .collect(),
            direction: numbers(parameters.len(), seed, 4),
            network: network.clone(),
            parameters,
            state,
        }
    }

    fn batch(&self) -> Batch<'_> {
        Batch {
            inputs: &self.inputs,
            targets: TargetsRef::Classes(&self.classes),
            len: self.classes.len(),
            noise: Noise::default(),
        }
    }

    fn reference<S: Scalar>(&self, mode: Mode, loss: &Loss) -> Hvp<S> {
        let problem = Problem {
            network: &self.network,
            state: &lift(&self.state),
            mode,
            noise: Noise::default(),
            inputs: &tensor(&self.inputs, self.network.input).unwrap(),
            targets: TargetsRef::Classes(&self.classes),
            loss: *loss,
        };
        let direction = lift(&self.direction);
        let direction = Direction {
            parameters: Some(&direction[..]),
            inputs: None,
        };
        derivatives::hvp(&problem, &lift::<S>(&self.parameters), direction).unwrap()
    }

    /// Loss, gradient and product.
    fn products(&self, mode: Mode, loss: &Loss) -> (f64, Vec<f32>, Vec<f32>) {
        let mut tangents = Tangents::new(&self.network, mode).unwrap();
        let found = tangents
            .linearise_loss(&self.parameters, &self.state, &self.batch(), loss)
            .unwrap();
        let mut product = vec![f32::NAN; self.parameters.len()];
        tangents.hvp(&self.direction, &mut product);
        let mean = found.loss_sum / self.classes.len() as f64;
        (mean, tangents.gradient().to_vec(), product)
    }

    fn assert_products(&self, mode: Mode, loss: &Loss) {
        let (mean, gradient, product) = self.products(mode, loss);
        let exact = self.reference::<f64>(mode, loss);
        let near = self.reference::<f32>(mode, loss);
        let name = format!("{} {mode:?}", self.network.name);
        let what = format!("{name}: loss");
        assert_near(&what, &[mean as f32], &[exact.loss], &[near.loss]);
        let what = format!("{name}: gradient");
        assert_near(&what, &gradient, &exact.gradient, &near.gradient);
        let what = format!("{name}: product");
        assert_near(&what, &product, &exact.parameters, &near.parameters);
    }

    /// Products with the Jacobian of the outputs with respect to the inputs, both ways.
    fn assert_jacobian(&self, mode: Mode) {
        let len = self.classes.len();
        let mut tangents = Tangents::new(&self.network, mode).unwrap();
        let outputs = tangents
            .linearise(&self.parameters, &self.state, &self.inputs)
            .to_vec();
        let input_tangents = numbers(self.inputs.len(), 5, len as u64);
        let mut found = vec![f32::NAN; outputs.len()];
        let (moved, want) = self.part_jvp::<f64>(mode, &input_tangents);
        let (moved_near, near) = self.part_jvp::<f32>(mode, &input_tangents);
        let name = format!("{} {mode:?}", self.network.name);
        assert_near(&format!("{name}: outputs"), &outputs, &moved, &moved_near);
        tangents.jvp(Some(&input_tangents), None, &mut found);
        assert_near(&format!("{name}: J v"), &found, &want, &near);

        let cotangents = numbers(outputs.len(), 6, len as u64);
        let mut gradients = vec![f32::NAN; self.inputs.len()];
        tangents.vjp(&cotangents, &mut gradients);
        let want = self.part_vjp::<f64>(mode, &cotangents);
        let near = self.part_vjp::<f32>(mode, &cotangents);
        assert_near(&format!("{name}: Jᵀ u"), &gradients, &want, &near);
        // A product forgets what came before.
        let mut again = vec![f32::NAN; outputs.len()];
        tangents.jvp(Some(&input_tangents), None, &mut again);
        assert_eq!(again, found, "{name}");
    }

    fn part_jvp<S: Scalar>(&self, mode: Mode, input_tangents: &[f32]) -> (Vec<S>, Vec<S>) {
        let input = self.network.input;
        let (output, tangent) = derivatives::part_jvp::<S>(
            (&self.network, Part::whole(&self.network)),
            (&lift(&self.parameters), &lift(&self.state)),
            mode,
            &tensor(&self.inputs, input).unwrap(),
            &tensor(input_tangents, input).unwrap(),
        )
        .unwrap();
        (
            output.iter().copied().collect(),
            tangent.iter().copied().collect(),
        )
    }

    fn part_vjp<S: Scalar>(&self, mode: Mode, cotangents: &[f32]) -> Vec<S> {
        let input = self.network.input;
        let output = match self.network.block_shapes().unwrap().last() {
            Some((_, output)) if self.network.head.is_empty() => *output,
            _ => Shape::vector(self.network.outputs),
        };
        let (_, gradients) = derivatives::part_vjp::<S>(
            (&self.network, Part::whole(&self.network)),
            (&lift(&self.parameters), &lift(&self.state)),
            mode,
            &tensor(&self.inputs, input).unwrap(),
            &tensor(cotangents, output).unwrap(),
        )
        .unwrap();
        gradients.input.iter().copied().collect()
    }
}

/// Near in norm: to a part in a hundred thousand, or as near as the reference itself comes in f32,
/// where a network amplifies rounding.
fn assert_near<S: Scalar>(what: &str, got: &[f32], want: &[f64], rounded: &[S]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let scale = norm(&mut want.iter().copied());
    let error = norm(&mut got.iter().zip(want).map(|(&g, w)| f64::from(g) - w));
    let rounding = norm(&mut rounded.iter().zip(want).map(|(r, w)| r.to_f64() - w));
    if std::env::var("PRINT_ERRORS").is_ok() {
        println!(
            "{what}: {:.1e} (f32 {:.1e})",
            error / scale,
            rounding / scale
        );
    }
    assert!(
        error <= 1e-5 * scale + 8.0 * rounding,
        "{what}: off by {error}, of {scale}; the reference in f32 is off by {rounding}"
    );
}

fn layers_mut(network: &mut Network) -> impl Iterator<Item = &mut Layer> {
    let blocks = network.blocks.iter_mut().flat_map(Block::layers_mut);
    network
        .stem
        .iter_mut()
        .chain(blocks)
        .chain(&mut network.head)
}

/// The network without dropout and stochastic depth.
fn without_noise(mut network: Network) -> Network {
    for layer in layers_mut(&mut network) {
        if let Op::Dropout(dropout) = &mut layer.op {
            dropout.rate = 0.0;
        }
    }
    for block in &mut network.blocks {
        block.survival = None;
    }
    network
}

/// The network with tanh for ReLU: it has derivatives everywhere.
fn without_kinks(mut network: Network) -> Network {
    for layer in layers_mut(&mut network) {
        if let Op::Activation(activation @ Activation::Relu) = &mut layer.op {
            *activation = Activation::Tanh;
        }
    }
    network
}

fn model(text: &str) -> ModelSettings {
    serde_json::from_str(text).unwrap()
}

fn network(text: &str, input: Shape) -> Network {
    build(&model(text), input, 10).unwrap()
}

const SMALL: Shape = Shape {
    channels: 3,
    height: 9,
    width: 8,
};
