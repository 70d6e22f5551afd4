//! One buffer for the batches of a run: samples picked by index, augmented where asked.

use crate::data::{AugmentSettings, Split, Targets, fill_batch};
use crate::engine::{Batch, TargetsRef};
use crate::network::Shape;
use crate::noise::Noise;

/// Memory for one batch.
pub struct BatchBuffer {
    shape: Shape,
    inputs: Vec<f32>,
    targets: Targets,
}

impl BatchBuffer {
    /// A buffer for up to `capacity` samples of a set whose samples have `shape`.
    pub fn new(split: &Split, shape: Shape, capacity: usize) -> Self {
        let targets = match &split.targets {
            Targets::Classes(_) => Targets::Classes(Vec::with_capacity(capacity)),
            Targets::Values { dimensions, .. } => Targets::Values {
                dimensions: *dimensions,
                values: Vec::with_capacity(capacity * dimensions),
            },
        };
        Self {
            shape,
            inputs: vec![0.0; capacity * shape.len()],
            targets,
        }
    }

    /// The batch of the samples at `indices`, with the noise of seed and step 0. Augmentation is
    /// keyed by seed, epoch and sample.
    pub fn fill(
        &mut self,
        split: &Split,
        indices: &[u32],
        augment: Option<(&AugmentSettings, u64, usize)>,
    ) -> Batch<'_> {
        let inputs = &mut self.inputs[..indices.len() * self.shape.len()];
        fill_batch(split, self.shape, indices, augment, inputs);
        let targets = match (&mut self.targets, &split.targets) {
            (Targets::Classes(picked), Targets::Classes(all)) => {
                picked.clear();
                picked.extend(indices.iter().map(|&i| all[i as usize]));
                TargetsRef::Classes(picked)
            }
            (Targets::Values { values: picked, .. }, Targets::Values { dimensions, values }) => {
                picked.clear();
                for &i in indices {
                    let start = i as usize * dimensions;
                    picked.extend_from_slice(&values[start..start + dimensions]);
                }
                TargetsRef::Values(picked)
            }
            _ => unreachable!("the buffer was made for this set"),
        };
        Batch {
            inputs,
            targets,
            len: indices.len(),
            noise: Noise::default(),
        }
    }
}
