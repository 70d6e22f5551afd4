//! Gradient and products in `f64`, by the reference on dual numbers.

use std::ops::Range;

use rayon::prelude::*;
use reslab_nn::error::ShapeError;
use reslab_nn::network::Network;
use reslab_nn::noise::Noise;
use reslab_nn::reference::{self, Direction, Mode, Problem, derivatives};
use reslab_nn::train::targets;

use super::operator::{MeanLoss, Poll, cut};
use crate::subject::ProbeError;

/// Samples of one piece of work with running statistics: what is added together first never depends
/// on the batch.
const PIECE: usize = 16;

/// The function's numbers in `f64`.
pub struct Double {
    network: Network,
    parameters: Vec<f64>,
    state: Vec<f64>,
}

/// A number and an arena that a piece of work finds, means over its samples.
type Found = Result<(f64, Vec<f64>), ShapeError>;

impl Double {
    /// Of a function and its network without noise.
    pub fn new(function: &MeanLoss<'_>, network: Network) -> Self {
        Self {
            network,
            parameters: reference::lift(function.parameters),
            state: reference::lift(function.state),
        }
    }

    /// The mean loss, and its gradient in `arena`.
    pub fn slope(
        &self,
        function: &MeanLoss<'_>,
        arena: &mut [f64],
        poll: &mut Poll<'_>,
    ) -> Result<f64, ProbeError> {
        let found = |problem: &Problem<f64>| {
            let found = derivatives::gradient(problem, &self.parameters)?;
            Ok((found.loss, found.gradients.parameters))
        };
        self.sum(function, &found, arena, poll)
    }

    /// The product with an arena in `arena`.
    pub fn product(
        &self,
        function: &MeanLoss<'_>,
        direction: &[f64],
        arena: &mut [f64],
        poll: &mut Poll<'_>,
    ) -> Result<(), ProbeError> {
        let direction = Direction {
            parameters: Some(direction),
            inputs: None,
        };
        let found = |problem: &Problem<f64>| {
            let found = derivatives::hvp(problem, &self.parameters, direction)?;
            Ok((found.loss, found.parameters))
        };
        self.sum(function, &found, arena, poll).map(|_| ())
    }

    /// Adds up what is found of each piece, to means over all samples. Pieces of one batch are
    /// computed side by side and added in order.
    fn sum(
        &self,
        function: &MeanLoss<'_>,
        found: &(dyn Fn(&Problem<f64>) -> Found + Sync),
        arena: &mut [f64],
        poll: &mut Poll<'_>,
    ) -> Result<f64, ProbeError> {
        let MeanLoss {
            samples,
            batch_size,
            mode,
            ..
        } = *function;
        let piece = match mode {
            Mode::Evaluation => PIECE,
            Mode::Training => batch_size,
        };
        let mut number = 0.0;
        for pieces in cut(0..samples, piece).chunks(batch_size.div_ceil(piece)) {
            let parts: Vec<_> = pieces
                .par_iter()
                .map(|piece| self.of_piece(function, piece.clone(), found))
                .collect::<Result<_, ShapeError>>()?;
            for (piece, (value, values)) in pieces.iter().zip(parts) {
                let share = piece.len() as f64 / samples as f64;
                number += share * value;
                for (sum, value) in arena.iter_mut().zip(values) {
                    *sum += share * value;
                }
            }
            poll()?;
        }
        Ok(number)
    }

    fn of_piece(
        &self,
        function: &MeanLoss<'_>,
        piece: Range<usize>,
        found: &(dyn Fn(&Problem<f64>) -> Found + Sync),
    ) -> Found {
        let features = self.network.input.len();
        let inputs = &function.split.inputs[piece.start * features..piece.end * features];
        let inputs = reference::tensor(inputs, self.network.input)?;
        found(&Problem {
            network: &self.network,
            state: &self.state,
            mode: function.mode,
            noise: Noise::default(),
            inputs: &inputs,
            targets: targets(&function.split.targets, piece.start, piece.end),
            loss: function.loss,
        })
    }
}
