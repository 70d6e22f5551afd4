//! The Hessian of the mean loss of a network over some samples, as an operator: products with
//! vectors of the parameters (Pearlmutter 1994), and never the matrix.
//!
//! The loss is the mean over *all* samples, however they are cut into batches; what regularises
//! (weight decay) is not in it. With running statistics ([`Mode::Evaluation`]) the batch is a matter
//! of memory only. With the statistics of the batch ([`Mode::Training`]) it belongs to the
//! definition: samples of one batch depend on each other, and derivatives of the statistics are part
//! of the Hessian. Dropout and dropped blocks are left out in either mode. A ReLU has no second
//! derivative; at 0 its first counts as 0.

use std::ops::Range;

use reslab_nn::data::Split;
use reslab_nn::loss::Loss;
use reslab_nn::network::{Network, Slot};
use reslab_nn::reference::Mode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::double::Double;
use super::single::Single;
use super::start::near_top;
use crate::gradients::without_noise;
use crate::subject::ProbeError;

/// Which parameters the Hessian is taken by; the others stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coordinates {
    /// All of them.
    #[default]
    All,
    /// Those with more than one dimension: weights, and neither biases nor batch norms (Li et al.
    /// 2018).
    Weights,
}

impl Coordinates {
    /// Where they lie in the parameter arena, in its order.
    pub fn of(self, network: &Network) -> Vec<Slot> {
        let entries = network.layout.parameters.iter();
        let chosen = entries.filter(|entry| self == Self::All || entry.shape.len() > 1);
        chosen.map(|entry| entry.slot).collect()
    }
}

/// Arithmetic of gradients and products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, at the engine's speed.
    #[default]
    F32,
    /// Double precision, by the reference on dual numbers: some twenty times slower.
    F64,
}

/// The function whose Hessian it is.
#[derive(Clone, Copy)]
pub struct MeanLoss<'a> {
    /// The network.
    pub network: &'a Network,
    /// Its parameters.
    pub parameters: &'a [f32],
    /// Its running statistics.
    pub state: &'a [f32],
    /// The set.
    pub split: &'a Split,
    /// Its first so many samples; at most all of them.
    pub samples: usize,
    /// The loss.
    pub loss: Loss,
    /// Which statistics batch norms use.
    pub mode: Mode,
    /// Samples that are worked on at once.
    pub batch_size: usize,
    /// The parameters it is a function of.
    pub coordinates: Coordinates,
    /// Arithmetic.
    pub precision: Precision,
}

/// Whoever waits: asked after every batch whether to go on.
pub type Poll<'p> = dyn FnMut() -> Result<(), ProbeError> + 'p;

enum Executor {
    Single(Single),
    Double(Double),
}

/// The Hessian at one point.
pub struct LossHessian<'a> {
    function: MeanLoss<'a>,
    executor: Executor,
    slots: Vec<Slot>,
    dimension: usize,
}

/// The loss and its gradient at the point.
#[derive(Debug, Clone, PartialEq)]
pub struct Slope {
    /// Mean loss.
    pub loss: f64,
    /// Its gradient by the chosen coordinates.
    pub gradient: Vec<f64>,
    /// Of each sample `1 − Σ p²`, p being the softmax of its outputs: the trace of the second
    /// derivative of its cross-entropy by them. Empty in `f64`.
    pub curvature: Vec<f64>,
}

impl<'a> LossHessian<'a> {
    /// Of a function at its parameters.
    pub fn new(function: MeanLoss<'a>) -> Self {
        let slots = function.coordinates.of(function.network);
        let samples = function.samples.min(function.split.len);
        let function = MeanLoss {
            samples,
            batch_size: function.batch_size.clamp(1, samples.max(1)),
            ..function
        };
        let network = without_noise(function.network);
        let executor = match function.precision {
            Precision::F32 => Executor::Single(Single::new(&function, network)),
            Precision::F64 => Executor::Double(Double::new(&function, network)),
        };
        Self {
            executor,
            dimension: slots.iter().map(|slot| slot.len).sum(),
            function,
            slots,
        }
    }

    /// Chosen coordinates.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Samples that the mean is over.
    pub fn samples(&self) -> usize {
        self.function.samples
    }

    /// How often a product asks whether to go on.
    pub fn batches(&self) -> usize {
        self.function.batches()
    }

    /// Loss and gradient.
    pub fn slope(&mut self, poll: &mut Poll<'_>) -> Result<Slope, ProbeError> {
        let (mut gradient, mut curvature) = (self.arena(), Vec::new());
        let function = &self.function;
        let loss = match &mut self.executor {
            Executor::Single(single) => single.slope(function, &mut gradient, &mut curvature, poll),
            Executor::Double(double) => double.slope(function, &mut gradient, poll),
        }?;
        Ok(Slope {
            loss,
            gradient: self.gather(&gradient),
            curvature,
        })
    }

    /// A vector to start the search for the `top` largest eigenvalues from, after
    /// [`LossHessian::slope`]. May take some products over a few of the samples.
    pub fn near_top(
        &self,
        slope: &Slope,
        top: usize,
        seed: u64,
        poll: &mut Poll<'_>,
    ) -> Result<Vec<f64>, ProbeError> {
        near_top(&self.function, slope, top, seed, poll)
    }

    /// Writes H v into `product`; both are of the chosen coordinates.
    pub fn product(
        &mut self,
        vector: &[f64],
        product: &mut [f64],
        poll: &mut Poll<'_>,
    ) -> Result<(), ProbeError> {
        let direction = self.scatter(vector);
        let mut whole = self.arena();
        let function = &self.function;
        match &mut self.executor {
            Executor::Single(single) => single.product(function, &direction, &mut whole, poll),
            Executor::Double(double) => double.product(function, &direction, &mut whole, poll),
        }?;
        product.copy_from_slice(&self.gather(&whole));
        Ok(())
    }

    /// An arena of zeros.
    fn arena(&self) -> Vec<f64> {
        vec![0.0; self.function.parameters.len()]
    }

    /// The chosen coordinates of an arena.
    fn gather(&self, arena: &[f64]) -> Vec<f64> {
        let chosen = self.slots.iter().flat_map(|slot| slot.of(arena));
        chosen.copied().collect()
    }

    /// The arena with these chosen coordinates, and 0 elsewhere.
    fn scatter(&self, vector: &[f64]) -> Vec<f64> {
        let mut arena = self.arena();
        let mut from = 0;
        for slot in &self.slots {
            let part = &vector[from..from + slot.len];
            slot.of_mut(&mut arena).copy_from_slice(part);
            from += slot.len;
        }
        arena
    }
}

impl MeanLoss<'_> {
    /// Batches that the samples are cut into.
    pub fn batches(&self) -> usize {
        self.samples.div_ceil(self.batch_size)
    }
}

/// A range in pieces of at most so many.
pub(super) fn cut(range: Range<usize>, piece: usize) -> Vec<Range<usize>> {
    let starts = range.clone().step_by(piece);
    starts
        .map(|start| start..range.end.min(start + piece))
        .collect()
}
