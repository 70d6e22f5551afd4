//! What a network consists of, layer by layer: shapes, parameters, multiply-adds.

use serde::Serialize;

use super::shapes::layer_output_shape;
use super::{Layer, Network, Op, Shape, Shortcut};
use crate::error::ShapeError;

/// One layer, or one addition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The layer's full name; of an addition, the block's.
    pub name: String,
    /// What it is, such as `conv 3×3/2`.
    pub kind: String,
    /// Index of its block; `None` in stem and head.
    pub block: Option<usize>,
    /// Shape of one sample's output.
    pub output: Shape,
    /// Trained parameters.
    pub parameters: usize,
    /// Multiply-adds of one sample; convolutions and linear layers only, biases not counted.
    pub multiply_adds: u64,
}

/// All layers in the order of execution, the branches of a block before its shortcut and gate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Census {
    /// The layers.
    pub rows: Vec<Row>,
    /// Trained parameters that are in use.
    pub parameters: usize,
    /// Multiply-adds of one sample, forward.
    pub multiply_adds: u64,
}

/// Takes the census of a network; fails where its shapes do not fit.
pub fn census(network: &Network) -> Result<Census, ShapeError> {
    network.check()?;
    let mut census = Census::default();
    let mut shape = census.add(&network.stem, None, network.input)?;
    for (index, block) in network.blocks.iter().enumerate() {
        let index = Some(index);
        let input = census.add(&block.pre, index, shape)?;
        let mut output = input;
        for branch in &block.branches {
            output = census.add(branch, index, input)?;
        }
        if let Shortcut::Layers(layers) = &block.shortcut {
            output = census.add(layers, index, input)?;
        }
        if let Some(gate) = &block.gate {
            census.add(&gate.layers, index, input)?;
        }
        if block.shortcut != Shortcut::None {
            census.rows.push(Row {
                name: block.name.clone(),
                kind: if block.gate.is_some() {
                    "gated add".to_owned()
                } else {
                    "add".to_owned()
                },
                block: index,
                output,
                parameters: 0,
                multiply_adds: 0,
            });
        }
        shape = census.add(&block.post, index, output)?;
    }
    census.add(&network.head, None, shape)?;
    Ok(census)
}

impl Census {
    fn add(
        &mut self,
        layers: &[Layer],
        block: Option<usize>,
        input: Shape,
    ) -> Result<Shape, ShapeError> {
        let mut shape = input;
        for layer in layers {
            let output = layer_output_shape(layer, shape)?;
            let row = Row {
                name: layer.name.clone(),
                kind: kind(&layer.op),
                block,
                output,
                parameters: parameters(&layer.op),
                multiply_adds: multiply_adds(&layer.op, output),
            };
            self.parameters += row.parameters;
            self.multiply_adds += row.multiply_adds;
            self.rows.push(row);
            shape = output;
        }
        Ok(shape)
    }
}

/// Multiply-adds of one sample, for an output of this shape.
pub fn multiply_adds(op: &Op, output: Shape) -> u64 {
    let each = match op {
        Op::Conv2d(conv) => conv.in_channels / conv.groups.max(1) * conv.kernel * conv.kernel,
        Op::Linear(linear) => linear.in_features,
        _ => 0,
    };
    output.len() as u64 * each as u64
}

fn parameters(op: &Op) -> usize {
    let bias = |slot: &Option<super::Slot>| slot.map_or(0, |slot| slot.len);
    match op {
        Op::Conv2d(conv) => conv.weight.len + bias(&conv.bias),
        Op::Linear(linear) => linear.weight.len + bias(&linear.bias),
        Op::BatchNorm(norm) => norm.weight.len + norm.bias.len,
        _ => 0,
    }
}

/// An op in a few words.
fn kind(op: &Op) -> String {
    let stride = |stride: usize| match stride {
        1 => String::new(),
        s => format!("/{s}"),
    };
    match op {
        Op::Conv2d(conv) => {
            let groups = match conv.groups {
                1 => String::new(),
                g => format!(", {g} groups"),
            };
            format!("conv {0}×{0}{1}{groups}", conv.kernel, stride(conv.stride))
        }
        Op::BatchNorm(_) => "batch norm".to_owned(),
        Op::Linear(_) => "linear".to_owned(),
        Op::Activation(activation) => format!("{activation:?}").to_lowercase(),
        Op::GlobalAveragePool => "average pool".to_owned(),
        Op::Flatten => "flatten".to_owned(),
        Op::MaxPool(pool) => format!("max pool {0}×{0}{1}", pool.kernel, stride(pool.stride)),
        Op::Dropout(dropout) => format!("dropout {}", dropout.rate),
        Op::Scale(factor) => format!("× {factor}"),
        Op::SubsamplePad(option_a) => format!("subsample, pad{}", stride(option_a.stride)),
    }
}
