//! Shapes: what each layer and each block puts out, and whether they fit together.

use super::{Block, Conv2d, Gate, Layer, Network, Op, Shape, Shortcut};
use crate::error::ShapeError;

/// The shape that a list of layers gives for an input shape.
pub fn output_shape(layers: &[Layer], input: Shape) -> Result<Shape, ShapeError> {
    layers
        .iter()
        .try_fold(input, |shape, layer| layer_output_shape(layer, shape))
}

/// The shape that one layer gives for an input shape.
pub fn layer_output_shape(layer: &Layer, input: Shape) -> Result<Shape, ShapeError> {
    let refuse = |expected: String| {
        Err(ShapeError::Layer {
            layer: layer.name.clone(),
            expected,
            found: input,
        })
    };
    match &layer.op {
        Op::Conv2d(conv) if conv.in_channels != input.channels => {
            refuse(format!("{} channels", conv.in_channels))
        }
        Op::Conv2d(conv) if !splits(conv) => refuse(format!(
            "channels that can be cut into {} groups, from {} to {}",
            conv.groups, conv.in_channels, conv.out_channels
        )),
        Op::Conv2d(conv) => match conv_output_shape(conv, input) {
            Some(output) => Ok(output),
            None => refuse(format!(
                "images of at least {0}×{0} pixels after padding by {1} on each side",
                conv.kernel, conv.padding
            )),
        },
        Op::BatchNorm(norm) if norm.channels != input.channels => {
            refuse(format!("{} channels", norm.channels))
        }
        Op::Linear(linear) if Shape::vector(linear.in_features) != input => {
            refuse(format!("a vector {}", Shape::vector(linear.in_features)))
        }
        Op::Linear(linear) => Ok(Shape::vector(linear.out_features)),
        Op::MaxPool(pool) => {
            let side = |length| window_count(length, pool.kernel, pool.stride, pool.padding);
            match (side(input.height), side(input.width)) {
                (Some(height), Some(width)) if 2 * pool.padding <= pool.kernel => {
                    Ok(Shape::new(input.channels, height, width))
                }
                _ => refuse(format!(
                    "images of at least {0}×{0} pixels after padding by {1} on each side",
                    pool.kernel, pool.padding
                )),
            }
        }
        Op::SubsamplePad(option_a) => Ok(Shape::new(
            input.channels + option_a.pad_before + option_a.pad_after,
            input.height.div_ceil(option_a.stride.max(1)),
            input.width.div_ceil(option_a.stride.max(1)),
        )),
        Op::BatchNorm(_) | Op::Activation(_) | Op::Dropout(_) | Op::Scale(_) => Ok(input),
        Op::GlobalAveragePool => Ok(Shape::vector(input.channels)),
        Op::Flatten => Ok(Shape::vector(input.len())),
    }
}

/// The output of a convolution, or `None` where the kernel does not fit the padded image.
pub fn conv_output_shape(conv: &Conv2d, input: Shape) -> Option<Shape> {
    let side = |length| window_count(length, conv.kernel, conv.stride, conv.padding);
    Some(Shape::new(
        conv.out_channels,
        side(input.height)?,
        side(input.width)?,
    ))
}

/// Windows along a side, or `None` where not even one fits.
pub fn window_count(length: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let room = (length + 2 * padding).checked_sub(kernel)?;
    Some(room.checked_div(stride)? + 1)
}

fn splits(conv: &Conv2d) -> bool {
    let divides = |channels: usize| conv.groups > 0 && channels.is_multiple_of(conv.groups);
    divides(conv.in_channels) && divides(conv.out_channels)
}

/// The output of a shortcut; `None` for a plain block.
pub fn shortcut_shape(shortcut: &Shortcut, input: Shape) -> Result<Option<Shape>, ShapeError> {
    Ok(match shortcut {
        Shortcut::None => None,
        Shortcut::Identity => Some(input),
        Shortcut::Layers(layers) => Some(output_shape(layers, input)?),
    })
}

impl Block {
    /// The shape the block gives for an input shape.
    pub fn output_shape(&self, input: Shape) -> Result<Shape, ShapeError> {
        output_shape(&self.pre, input)
            .and_then(|split| self.sum_shape(split))
            .and_then(|sum| output_shape(&self.post, sum))
            .map_err(|cause| ShapeError::Block {
                block: self.name.clone(),
                input,
                cause: Box::new(cause),
            })
    }

    fn sum_shape(&self, input: Shape) -> Result<Shape, ShapeError> {
        let Some(shortcut) = shortcut_shape(&self.shortcut, input)? else {
            return match self.branches.as_slice() {
                [branch] => output_shape(branch, input),
                branches => Err(ShapeError::PlainBranches {
                    branches: branches.len(),
                }),
            };
        };
        for (branch, layers) in self.branches.iter().enumerate() {
            let found = output_shape(layers, input)?;
            if found != shortcut {
                return Err(ShapeError::Addition {
                    shortcut,
                    branch,
                    found,
                });
            }
        }
        if let Some(Gate { layers, .. }) = &self.gate {
            let found = output_shape(layers, input)?;
            if found != shortcut {
                return Err(ShapeError::Gate { shortcut, found });
            }
        }
        Ok(shortcut)
    }
}

impl Network {
    /// Whether everything fits; the error names the block and the two shapes. A network without a
    /// head is a part of one ([`Network::part`]): it may put out an image of as many numbers as it
    /// has outputs.
    pub fn check(&self) -> Result<(), ShapeError> {
        if self.input.is_empty() {
            return Err(ShapeError::EmptyInput { input: self.input });
        }
        let last = match self.block_shapes()?.last() {
            Some((_, output)) => *output,
            None => output_shape(&self.stem, self.input)?,
        };
        let found = output_shape(&self.head, last)?;
        let expected = Shape::vector(self.outputs);
        let is_part = self.head.is_empty() && found.len() == self.outputs;
        if found != expected && !is_part {
            return Err(ShapeError::Output { expected, found });
        }
        Ok(())
    }

    /// Input and output shape of each block.
    pub fn block_shapes(&self) -> Result<Vec<(Shape, Shape)>, ShapeError> {
        let mut shape = output_shape(&self.stem, self.input)?;
        self.blocks
            .iter()
            .map(|block| {
                let input = shape;
                shape = block.output_shape(input)?;
                Ok((input, shape))
            })
            .collect()
    }
}
