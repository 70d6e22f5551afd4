//! Norms, gradients and responses through depth, as they are between two epochs of training.
//!
//! One forward and backward pass in training mode over a fixed batch, the first samples of the
//! training set, un-augmented. For each block: the norm of its parameters, of the gradient of the
//! mean loss by them, and `‖∂L/∂h_l‖₂` at the block's output over the whole batch, which tells
//! vanishing and exploding gradients. For each hidden layer with weights: norm and gradient norm
//! of its parameters, and the standard deviation of its response after batch norm and before
//! activation or addition (He et al. 2015, Fig. 7).
//!
//! The pass works on a copy of the running statistics, so measuring changes nothing in the run.

use reslab_nn::data::Dataset;
use reslab_nn::engine::{Engine, Response};
use reslab_nn::loss::Loss;
use reslab_nn::network::{Layer, Network, Op, Slot};
use reslab_nn::train::{BatchBuffer, SettingProblem, TrainSettings};
use reslab_results::{Cell, Table, TableError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is measured while a network trains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MeasureSettings {
    /// Measure norms, gradients and responses of each block and layer.
    pub layers: bool,
    /// Measure every so many epochs; before training and after the last epoch always.
    pub every: usize,
    /// Samples of the batch that is measured; at most the training batch is used.
    pub samples: usize,
}

impl Default for MeasureSettings {
    fn default() -> Self {
        Self {
            layers: true,
            every: 1,
            samples: 256,
        }
    }
}

impl MeasureSettings {
    /// Everything that is wrong with the settings; empty when they can be used.
    pub fn problems(&self) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        if self.every == 0 {
            let message = "must be at least 1, but is 0.".to_owned();
            found.push(SettingProblem {
                field: "every",
                message,
            });
        }
        if self.samples < 2 {
            let message = format!("must be at least 2, but is {}.", self.samples);
            found.push(SettingProblem {
                field: "samples",
                message,
            });
        }
        found
    }

    /// Whether layers are measured after `epoch` of a run of `epochs`.
    pub fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        self.layers && (epoch == epochs || epoch.is_multiple_of(self.every))
    }
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A block.
    Block,
    /// A convolution or hidden linear layer.
    Layer,
}

/// One block or layer at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    /// Block or layer.
    pub kind: RowKind,
    /// Its name in PyTorch's naming.
    pub name: String,
    /// Index of its block in the order of execution; `None` in the stem.
    pub block: Option<usize>,
    /// Stage of its block.
    pub stage: Option<usize>,
    /// Euclidean norm of all its parameters. A layer's batch norm is not part of the layer.
    pub weight_norm: f64,
    /// Euclidean norm of the gradient of the mean loss by them.
    pub gradient_norm: f64,
    /// Blocks: `‖∂L/∂h_l‖₂` over the whole batch, L the mean loss, h_l the block's output.
    pub output_gradient_norm: Option<f64>,
    /// Layers: standard deviation of the response.
    pub response_std: Option<f64>,
}

/// The fixed batch, and memory to measure with.
pub struct LayerProbe<'a> {
    network: &'a Network,
    dataset: &'a Dataset,
    loss: Loss,
    indices: Vec<u32>,
    buffer: BatchBuffer,
    gradient: Vec<f32>,
}

impl<'a> LayerProbe<'a> {
    /// A probe for runs of `network` with the training settings `train`.
    pub fn new(
        network: &'a Network,
        dataset: &'a Dataset,
        settings: &MeasureSettings,
        train: &TrainSettings,
    ) -> Self {
        let samples = settings
            .samples
            .min(train.batch_size)
            .min(dataset.train.len);
        Self {
            network,
            dataset,
            loss: train.loss.loss(),
            indices: (0..samples as u32).collect(),
            buffer: BatchBuffer::new(&dataset.train, dataset.shape, samples),
            gradient: vec![0.0; network.layout.parameter_count()],
        }
    }

    /// Measures. `engine` is a training engine of the network for at least as many samples; the
    /// training loop lends its own. Rows: every block, then every layer, in order of execution.
    pub fn measure(
        &mut self,
        engine: &mut Engine,
        parameters: &[f32],
        state: &[f32],
    ) -> Vec<LayerRow> {
        let mut state = state.to_vec();
        let batch = self.buffer.fill(&self.dataset.train, &self.indices, None);
        engine.observe_layers(true);
        engine.step(
            parameters,
            &mut state,
            &batch,
            &self.loss,
            &mut self.gradient,
        );
        engine.observe_layers(false);
        let mut at_outputs = Vec::with_capacity(self.network.blocks.len());
        engine.block_output_gradient_norms(&mut at_outputs);

        let blocks = self.network.blocks.iter().zip(at_outputs).enumerate();
        let blocks = blocks.map(|(index, (block, norm))| {
            let slots: Vec<Slot> = block.layers().flat_map(slots).collect();
            LayerRow {
                kind: RowKind::Block,
                name: block.name.clone(),
                block: Some(index),
                stage: Some(block.stage),
                weight_norm: norm_of(&slots, parameters),
                gradient_norm: norm_of(&slots, &self.gradient),
                output_gradient_norm: Some(norm),
                response_std: None,
            }
        });
        let layers = engine.responses().into_iter().map(|response| {
            let Response {
                layer: name,
                block,
                std,
            } = response;
            let slots: Vec<Slot> = match block {
                Some(index) => named(self.network.blocks[index].layers(), &name),
                None => named(self.network.stem.iter().chain(&self.network.head), &name),
            };
            LayerRow {
                kind: RowKind::Layer,
                name,
                block,
                stage: block.map(|index| self.network.blocks[index].stage),
                weight_norm: norm_of(&slots, parameters),
                gradient_norm: norm_of(&slots, &self.gradient),
                output_gradient_norm: None,
                response_std: Some(std),
            }
        });
        blocks.chain(layers).collect()
    }
}

/// Slots of the layer of that name.
fn named<'l>(layers: impl Iterator<Item = &'l Layer>, name: &str) -> Vec<Slot> {
    layers
        .filter(|layer| layer.name == name)
        .flat_map(slots)
        .collect()
}

/// Where a layer's parameters lie.
fn slots(layer: &Layer) -> impl Iterator<Item = Slot> + use<> {
    let (weight, bias) = match &layer.op {
        Op::Conv2d(conv) => (Some(conv.weight), conv.bias),
        Op::Linear(linear) => (Some(linear.weight), linear.bias),
        Op::BatchNorm(norm) => (Some(norm.weight), Some(norm.bias)),
        _ => (None, None),
    };
    weight.into_iter().chain(bias)
}

/// Euclidean norm of some parts of an arena, each summed in order, in `f64`.
fn norm_of(slots: &[Slot], arena: &[f32]) -> f64 {
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    slots
        .iter()
        .flat_map(|slot| slot.of(arena))
        .map(square)
        .sum::<f64>()
        .sqrt()
}

/// Adds measurements after `epoch` to the table `layers`. Numbers that are not finite become null.
pub fn add_rows(
    table: &mut Table,
    run_id: &str,
    epoch: usize,
    rows: &[LayerRow],
) -> Result<(), TableError> {
    let finite = |x: f64| Cell::from(Some(x).filter(|x| x.is_finite()));
    for row in rows {
        let kind = match row.kind {
            RowKind::Block => "block",
            RowKind::Layer => "layer",
        };
        table.push_named([
            ("run_id", run_id.into()),
            ("epoch", epoch.into()),
            ("block", row.block.into()),
            ("name", row.name.as_str().into()),
            ("stage", row.stage.into()),
            ("kind", kind.into()),
            ("weight_norm", finite(row.weight_norm)),
            ("gradient_norm", finite(row.gradient_norm)),
            (
                "output_gradient_norm",
                row.output_gradient_norm.map_or(Cell::Null, finite),
            ),
            ("response_std", row.response_std.map_or(Cell::Null, finite)),
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_what_is_wrong() {
        assert_eq!(MeasureSettings::default().problems(), []);
        let settings = MeasureSettings {
            every: 0,
            samples: 1,
            layers: true,
        };
        let fields: Vec<_> = settings.problems().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["every", "samples"]);
    }

    #[test]
    fn the_first_and_the_last_epoch_are_always_due() {
        let settings = MeasureSettings {
            every: 3,
            ..MeasureSettings::default()
        };
        let due: Vec<usize> = (0..=7).filter(|&epoch| settings.is_due(epoch, 7)).collect();
        assert_eq!(due, [0, 3, 6, 7]);
        let off = MeasureSettings {
            layers: false,
            ..settings
        };
        assert!(!off.is_due(0, 7));
    }

    #[test]
    fn rows_fit_the_table() {
        let block = LayerRow {
            kind: RowKind::Block,
            name: "layer1.0".to_owned(),
            block: Some(0),
            stage: Some(0),
            weight_norm: 2.0,
            gradient_norm: f64::NAN,
            output_gradient_norm: Some(0.5),
            response_std: None,
        };
        let stem = LayerRow {
            kind: RowKind::Layer,
            name: "conv1".to_owned(),
            block: None,
            stage: None,
            output_gradient_norm: None,
            response_std: Some(1.0),
            ..block.clone()
        };
        let mut table = Table::new(reslab_results::schema::layers());
        add_rows(&mut table, "run", 4, &[block, stem]).expect("the columns of the schema");
        assert_eq!(table.integer(0, "epoch"), Some(4));
        assert_eq!(table.text(0, "kind"), Some("block"));
        assert_eq!(table.real(0, "output_gradient_norm"), Some(0.5));
        assert_eq!(table.real(0, "gradient_norm"), None);
        assert_eq!(table.text(1, "kind"), Some("layer"));
        assert_eq!(table.integer(1, "block"), None);
        assert_eq!(table.real(1, "response_std"), Some(1.0));
    }
}
