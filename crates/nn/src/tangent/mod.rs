//! Exact first and second derivatives in `f32`, at the engine's speed: Hessian–vector products,
//! Jacobian–vector and vector–Jacobian products.
//!
//! # How it works
//!
//! Forward over reverse (Pearlmutter 1994): every value x of the forward pass has a tangent ẋ, every
//! gradient g of the backward pass a tangent ġ, and the tangent of the gradient of the parameters is
//! the Hessian times the direction. Values and gradients do not depend on the direction: a
//! [`Tangents`] is brought to a point once ([`Tangents::linearise_loss`]), keeps both, and then
//! multiplies by as many directions as one likes, each for the price of the tangents alone.
//!
//! It works on the engine's layout and kernels, sixteen images in the lanes, op by op (`program`).
//! The tangent of a convolution, `conv(ẋ, w) + conv(x, ẇ)`, is one convolution of twice the channels
//! (`convolution`). In evaluation mode a group of sixteen images goes through the whole pass on one
//! thread; with batch statistics threads meet at each batch norm, forward and backward, and the
//! tangents flow through mean and variance (`norms`).
//!
//! Sums are taken in an order that depends on the batch alone: the same bits for any number of
//! threads. The [`reference`](crate::reference) computes the same on dual numbers, in `f64`; the tests
//! compare the two.

// An isa, a shape and scratch go through every kernel's call beside what it is about.
#![allow(clippy::too_many_arguments)]

mod backward;
mod convolution;
mod convolution_backward;
mod error;
mod forward;
mod loss;
mod memory;
mod norms;
mod pass;
mod places;
mod program;
mod run;
mod schedule;
mod small;

pub use error::TangentError;

use std::sync::Mutex;

use reslab_kernels::Isa;

use crate::error::ShapeError;
use crate::loss::{Batch, BatchResult, Loss, TargetsRef};
use crate::network::Network;
use crate::reference::Mode;
use memory::{Group, Packed, Piece, Worker};
use norms::Norms;
use pass::Work;
use places::Arenas;
use program::Program;
use schedule::{Passes, Phase};

/// A network that is linearised at a point: parameters, running statistics and a batch.
///
/// With [`Mode::Training`] batch norms use the statistics of the whole batch, and derivatives go
/// through them; running statistics never move. There is no noise.
///
/// Arrays as for [`Engine`](crate::engine::Engine): parameters, directions and products are arenas of
/// the network's [`Layout`](crate::network::Layout), samples `(n, H, W, C)`. It runs inside the caller's
/// rayon pool.
pub struct Tangents {
    isa: Isa,
    mode: Mode,
    program: Program,
    arenas: Arenas,
    norms: Norms,
    parameter_count: usize,
    state_count: usize,
    input_len: usize,
    output_len: usize,
    /// Phases of the point without and with a loss, of tangents without and with one, and of
    /// cotangents.
    phases: [Vec<Phase>; 5],
    packed: Vec<Packed>,
    /// Whether they are packed for backward passes too.
    packs_backward: bool,
    packed_tangents: Vec<Packed>,
    groups: Vec<Mutex<Group>>,
    pieces: Vec<Mutex<Piece>>,
    workers: Vec<Mutex<Worker>>,
    parameters: Vec<f32>,
    state: Vec<f32>,
    inputs: Vec<f32>,
    /// Whether the point has all values, which directions in the parameters need.
    keeps: bool,
    /// Samples at the point; 0 before there is one.
    len: usize,
    /// The loss at the point, if it has one, and the weight of each sample's target in it.
    loss: Option<Loss>,
    target_weights: Vec<f64>,
    gradient: Vec<f32>,
    outputs: Vec<f32>,
}

impl Tangents {
    /// For a network, or a part of one that may begin or end in images ([`Network::part`]).
    ///
    /// # Errors
    ///
    /// If its shapes do not fit, or in training mode if it drops at random.
    pub fn new(network: &Network, mode: Mode) -> Result<Self, TangentError> {
        let program = program::compile(network, mode)?;
        let passes = |forward, backward, input_gradient| Passes {
            forward,
            backward,
            input_gradient,
        };
        let phases = [
            passes(true, false, false),
            passes(true, true, false),
            passes(true, false, false),
            passes(true, true, false),
            passes(false, true, true),
        ];
        Ok(Self {
            isa: Isa::current(),
            mode,
            norms: Norms::new(&program),
            arenas: Arenas::new(&program),
            parameter_count: network.layout.parameter_count(),
            state_count: network.layout.state_count(),
            input_len: network.input.len(),
            output_len: program.values[program.output].len(),
            phases: phases.map(|passes| schedule::phases(&program, passes)),
            program,
            packed: Vec::new(),
            packs_backward: false,
            packed_tangents: Vec::new(),
            groups: Vec::new(),
            pieces: Vec::new(),
            workers: Vec::new(),
            parameters: Vec::new(),
            state: Vec::new(),
            inputs: Vec::new(),
            keeps: false,
            len: 0,
            loss: None,
            target_weights: Vec::new(),
            gradient: Vec::new(),
            outputs: Vec::new(),
        })
    }

    /// Goes to a point without a loss, for products with the Jacobian of the outputs. Returns the
    /// outputs, `(n, outputs)`, or `(n, H, W, C)` for a part that ends in images.
    ///
    /// Costs a forward pass. Memory: all values of the network for the whole batch.
    ///
    /// # Panics
    ///
    /// If there is no sample, or an array does not have the length that the network's layout or
    /// input says.
    pub fn linearise(&mut self, parameters: &[f32], state: &[f32], inputs: &[f32]) -> &[f32] {
        assert!(
            inputs.len().is_multiple_of(self.input_len),
            "inputs are whole samples"
        );
        self.start(parameters, state, inputs.len() / self.input_len);
        self.loss = None;
        self.inputs.clear();
        self.inputs.extend_from_slice(inputs);
        self.state.clear();
        self.state.extend_from_slice(state);
        self.pass_forward(false);
        self.collect_outputs();
        &self.outputs
    }

    /// The forward pass at a point without a loss.
    fn pass_forward(&mut self, keeps: bool) {
        self.keeps = keeps;
        let inputs = std::mem::take(&mut self.inputs);
        let state = std::mem::take(&mut self.state);
        let work = Work::Point {
            inputs: &inputs,
            state: &state,
            loss: None,
        };
        self.run(0, work, &mut []);
        (self.inputs, self.state) = (inputs, state);
    }

    /// Goes to a point with a loss, for products with its Hessian: forward, loss, backward. The
    /// gradient of the mean loss is then [`Tangents::gradient`]. Returns the sum of the losses, and
    /// the errors.
    ///
    /// Costs a gradient. Memory: all values of the network and the gradients at them for the whole
    /// batch, 3 MB an image of a ResNet-20 for CIFAR. Larger sets are gone through batch after batch,
    /// in evaluation mode: the mean of the batches' products, weighted by their sizes, is that of all.
    ///
    /// # Errors
    ///
    /// If targets are of another number than samples and outputs say, or a class has no output.
    ///
    /// # Panics
    ///
    /// As [`Tangents::linearise`].
    pub fn linearise_loss(
        &mut self,
        parameters: &[f32],
        state: &[f32],
        batch: &Batch<'_>,
        loss: &Loss,
    ) -> Result<BatchResult, TangentError> {
        assert_eq!(
            batch.inputs.len(),
            batch.len * self.input_len,
            "inputs of the batch"
        );
        self.check_targets(batch)?;
        self.start(parameters, state, batch.len);
        self.pack_backward();
        self.loss = Some(*loss);
        self.keeps = true;
        self.target_weights.clear();
        let weight = |sample| loss::target_weight(loss, batch.targets, sample, self.output_len);
        self.target_weights.extend((0..batch.len).map(weight));
        let work = Work::Point {
            inputs: batch.inputs,
            state,
            loss: Some((loss, batch.targets)),
        };
        let mut gradient = std::mem::take(&mut self.gradient);
        gradient.clear();
        gradient.resize(self.parameter_count, 0.0);
        self.run(1, work, &mut gradient);
        self.gradient = gradient;
        self.collect_outputs();
        let mut found = BatchResult::default();
        for piece in &mut self.pieces {
            let piece = run::get_mut(piece);
            found.loss_sum += piece.loss_sum;
            found.wrong += piece.wrong;
        }
        Ok(found)
    }

    /// The outputs at the point.
    pub fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    /// After [`Tangents::linearise_loss`]: the gradient of the mean loss with respect to the
    /// parameters; 0 for those that the network does not use.
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// After [`Tangents::linearise_loss`]: `product = H · direction`, H the Hessian of the mean loss
    /// over the batch with respect to the parameters.
    ///
    /// Costs about two gradients.
    ///
    /// # Panics
    ///
    /// If there is no point with a loss, or an array is no arena of the parameters.
    pub fn hvp(&mut self, direction: &[f32], product: &mut [f32]) {
        let loss = self.loss.expect("a point with a loss");
        assert_eq!(direction.len(), self.parameter_count, "a direction");
        assert_eq!(product.len(), self.parameter_count, "a product");
        product.fill(0.0);
        self.pack_tangents(direction, false);
        let weights = std::mem::take(&mut self.target_weights);
        let work = Work::Tangent {
            inputs: None,
            direction: Some(direction),
            loss: Some((&loss, &weights)),
        };
        self.run(3, work, product);
        self.target_weights = weights;
    }

    /// `J · (input_tangents, parameter_tangents)`, J the Jacobian of the outputs at the point; what is
    /// `None` stays where it is. Input tangents are `(n, H, W, C)`, and what is written is shaped as the
    /// outputs.
    ///
    /// Costs a forward pass, and another one where parameters move too (at the first such product
    /// after [`Tangents::linearise`] yet another).
    ///
    /// # Panics
    ///
    /// If there is no point, or an array has another length than it should.
    pub fn jvp(
        &mut self,
        input_tangents: Option<&[f32]>,
        parameter_tangents: Option<&[f32]>,
        output_tangents: &mut [f32],
    ) {
        assert!(self.len > 0, "a point");
        assert_eq!(
            output_tangents.len(),
            self.len * self.output_len,
            "tangents of the outputs"
        );
        if let Some(inputs) = input_tangents {
            assert_eq!(
                inputs.len(),
                self.len * self.input_len,
                "tangents of the inputs"
            );
        }
        if let Some(direction) = parameter_tangents {
            assert_eq!(direction.len(), self.parameter_count, "a direction");
            if !self.keeps {
                self.pass_forward(true);
            }
            self.pack_tangents(direction, input_tangents.is_some());
        }
        let work = Work::Tangent {
            inputs: input_tangents,
            direction: parameter_tangents,
            loss: None,
        };
        self.run(2, work, &mut []);
        self.collect(output_tangents);
    }

    /// `Jᵀ · cotangents`, J the Jacobian of the outputs with respect to the inputs at the point:
    /// cotangents are shaped as the outputs, what is written as the inputs.
    ///
    /// Costs about a forward pass.
    ///
    /// # Panics
    ///
    /// As [`Tangents::jvp`].
    pub fn vjp(&mut self, cotangents: &[f32], input_gradients: &mut [f32]) {
        assert!(self.len > 0, "a point");
        assert_eq!(
            cotangents.len(),
            self.len * self.output_len,
            "cotangents of the outputs"
        );
        assert_eq!(
            input_gradients.len(),
            self.len * self.input_len,
            "gradients of the inputs"
        );
        self.pack_backward();
        self.run(4, Work::Cotangent { cotangents }, &mut []);
        self.collect(input_gradients);
    }

    fn check_targets(&self, batch: &Batch<'_>) -> Result<(), TangentError> {
        let outputs = self.output_len;
        let (expected, found) = match batch.targets {
            TargetsRef::Classes(classes) => (batch.len, classes.len()),
            TargetsRef::Values(values) => (batch.len * outputs, values.len()),
        };
        if expected != found {
            return Err(TangentError::Shape(ShapeError::Length {
                what: "targets",
                expected,
                found,
            }));
        }
        match batch.targets {
            TargetsRef::Classes(classes) => {
                let past = classes.iter().find(|class| **class as usize >= outputs);
                past.map_or(Ok(()), |&class| {
                    Err(TangentError::Shape(ShapeError::Class { class, outputs }))
                })
            }
            TargetsRef::Values(_) => Ok(()),
        }
    }
}
