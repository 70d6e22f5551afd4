//! Data as their source holds them: checked, channels-last, not yet limited or normalised.

use super::Targets;
use crate::network::Shape;

/// A whole data set before normalisation.
pub(crate) struct Raw {
    /// Shape of one sample.
    pub shape: Shape,
    /// Classes, or numbers in a regression target.
    pub outputs: usize,
    /// Names of the classes; empty for regression.
    pub class_names: Vec<String>,
    /// The byte that stands for 1.0: 255, or 16 for the digits.
    pub white: u8,
    /// Training samples.
    pub train: RawSplit,
    /// Test samples.
    pub test: RawSplit,
}

/// One split before normalisation.
pub(crate) struct RawSplit {
    /// `(N, H, W, C)`.
    pub pixels: Pixels,
    /// One target a sample.
    pub targets: Targets,
    /// Samples.
    pub len: usize,
}

/// Inputs as bytes (0..white) or as numbers (already in the scale 0..1, or free).
pub(crate) enum Pixels {
    /// Bytes of an image file.
    Bytes(Vec<u8>),
    /// Numbers: resized images and synthetic samples.
    Reals(Vec<f32>),
}

impl RawSplit {
    /// The samples at `indices`, each of `sample` numbers.
    pub fn select(&self, indices: &[usize], sample: usize) -> Self {
        let pixels = match &self.pixels {
            Pixels::Bytes(values) => Pixels::Bytes(pick(values, indices, sample)),
            Pixels::Reals(values) => Pixels::Reals(pick(values, indices, sample)),
        };
        let targets = match &self.targets {
            Targets::Classes(labels) => Targets::Classes(pick(labels, indices, 1)),
            Targets::Values { dimensions, values } => Targets::Values {
                dimensions: *dimensions,
                values: pick(values, indices, *dimensions),
            },
        };
        Self {
            pixels,
            targets,
            len: indices.len(),
        }
    }
}

fn pick<T: Copy>(values: &[T], indices: &[usize], size: usize) -> Vec<T> {
    let mut picked = Vec::with_capacity(indices.len() * size);
    for &index in indices {
        picked.extend_from_slice(&values[index * size..(index + 1) * size]);
    }
    picked
}
