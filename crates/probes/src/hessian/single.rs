//! Gradient and products in `f32` at the engine's speed.
//!
//! A batch is linearised once and then multiplied by as many directions as are asked for, as long as
//! all batches together fit into [`KEPT`]; else each product goes to each batch's point again, which
//! costs half as much again. Numbers are the same either way.

use reslab_nn::loss::Batch;
use reslab_nn::network::Network;
use reslab_nn::noise::Noise;
use reslab_nn::tangent::Tangents;
use reslab_nn::train::targets;

use super::operator::{MeanLoss, Poll, cut};
use crate::subject::ProbeError;

/// Bytes that points may take to be kept.
const KEPT: usize = 1 << 29;

/// Linearised batches.
pub struct Single {
    network: Network,
    points: Vec<Point>,
    /// Whether each batch has a point of its own.
    keeps: bool,
}

struct Point {
    tangents: Tangents,
    loss_sum: f64,
}

impl Single {
    /// Of a function and its network without noise.
    pub fn new(function: &MeanLoss<'_>, network: Network) -> Self {
        let bytes = function.samples.saturating_mul(bytes_of_a_sample(&network));
        Self {
            keeps: function.batches() == 1 || bytes <= KEPT,
            network,
            points: Vec::new(),
        }
    }

    /// The mean loss, its gradient in `arena`, and each sample's curvature.
    pub fn slope(
        &mut self,
        function: &MeanLoss<'_>,
        arena: &mut [f64],
        curvature: &mut Vec<f64>,
        poll: &mut Poll<'_>,
    ) -> Result<f64, ProbeError> {
        let mut loss = 0.0;
        for (index, batch) in cut(0..function.samples, function.batch_size)
            .iter()
            .enumerate()
        {
            let point = self.point(function, index, batch)?;
            loss += point.loss_sum / function.samples as f64;
            let share = batch.len() as f64 / function.samples as f64;
            add(arena, point.tangents.gradient(), share);
            let outputs = point.tangents.outputs();
            let samples = outputs.chunks_exact(outputs.len() / batch.len());
            curvature.extend(samples.map(uncertainty));
            poll()?;
        }
        Ok(loss)
    }

    /// The product with an arena in `arena`.
    pub fn product(
        &mut self,
        function: &MeanLoss<'_>,
        direction: &[f64],
        arena: &mut [f64],
        poll: &mut Poll<'_>,
    ) -> Result<(), ProbeError> {
        let direction: Vec<f32> = direction.iter().map(|x| *x as f32).collect();
        let mut product = vec![0.0; direction.len()];
        for (index, batch) in cut(0..function.samples, function.batch_size)
            .iter()
            .enumerate()
        {
            let point = self.point(function, index, batch)?;
            point.tangents.hvp(&direction, &mut product);
            let share = batch.len() as f64 / function.samples as f64;
            add(arena, &product, share);
            poll()?;
        }
        Ok(())
    }

    /// A batch's point.
    fn point(
        &mut self,
        function: &MeanLoss<'_>,
        index: usize,
        batch: &std::ops::Range<usize>,
    ) -> Result<&mut Point, ProbeError> {
        let place = if self.keeps { index } else { 0 };
        let is_new = self.points.len() == place;
        if is_new {
            self.points.push(Point {
                tangents: Tangents::new(&self.network, function.mode)?,
                loss_sum: f64::NAN,
            });
        }
        let point = &mut self.points[place];
        if is_new || !self.keeps {
            let features = self.network.input.len();
            let samples = Batch {
                inputs: &function.split.inputs[batch.start * features..batch.end * features],
                targets: targets(&function.split.targets, batch.start, batch.end),
                len: batch.len(),
                noise: Noise::default(),
            };
            let (parameters, state) = (function.parameters, function.state);
            let found =
                point
                    .tangents
                    .linearise_loss(parameters, state, &samples, &function.loss)?;
            point.loss_sum = found.loss_sum;
        }
        Ok(point)
    }
}

/// `1 − Σ p²`, p being the softmax of the outputs.
fn uncertainty(outputs: &[f32]) -> f64 {
    let top = outputs.iter().fold(f32::NEG_INFINITY, |top, &z| top.max(z));
    let powers = outputs.iter().map(|z| f64::from(z - top).exp());
    let (sum, squares) = powers.fold((0.0, 0.0), |(sum, squares), e| (sum + e, squares + e * e));
    1.0 - squares / (sum * sum)
}

fn add(arena: &mut [f64], values: &[f32], share: f64) {
    for (sum, value) in arena.iter_mut().zip(values) {
        *sum += share * f64::from(*value);
    }
}

/// A value and a gradient of every number between layers.
fn bytes_of_a_sample(network: &Network) -> usize {
    let shapes = network.block_shapes().unwrap_or_default();
    let stem = shapes
        .first()
        .map_or(network.input.len(), |(input, _)| input.len());
    let blocks = network
        .blocks
        .iter()
        .zip(&shapes)
        .map(|(block, (input, output))| block.layers().count() * input.len().max(output.len()));
    let numbers = network.stem.len() * stem + blocks.sum::<usize>();
    numbers * 2 * size_of::<f32>()
}
