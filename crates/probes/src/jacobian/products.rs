//! Products of the Jacobians of blocks in a row, as they grow from one end.

use std::ops::Range;

use super::blocks::Kind;
use super::graded::Graded;
use super::settings::End;
use reslab_dense::{DenseError, Matrix};

/// A product of dense Jacobians, block by block.
pub struct Growing {
    /// The end it grows from.
    pub end: End,
    /// The blocks in it.
    pub blocks: Range<usize>,
    /// The product, or its transpose where it grows from the output.
    pub product: Graded,
    /// Numbers at the end it grows from, and at the other.
    pub dimensions: (usize, usize),
    /// Sum over the blocks of ‖∂F/∂h‖² (Frobenius) divided by the numbers that go in; none where a
    /// block has a gate.
    pub branch_square: Option<f64>,
}

impl Growing {
    /// The product of no block, at one end of a range whose activation there has so many numbers.
    pub fn new(end: End, range: &Range<usize>, numbers: usize) -> Self {
        let place = match end {
            End::Input => range.start,
            End::Output => range.end,
        };
        Self {
            end,
            blocks: place..place,
            product: Graded::identity(numbers),
            dimensions: (numbers, numbers),
            branch_square: Some(0.0),
        }
    }

    /// Takes in the next block, given the Jacobians of all of its maps.
    pub fn add(&mut self, maps: &[(Kind, Matrix)]) -> Result<(), DenseError> {
        let branch = maps.iter().find(|(kind, _)| *kind == Kind::Branch);
        let square = branch.map(|(_, branch)| branch.square() / branch.columns() as f64);
        self.branch_square = self.branch_square.zip(square).map(|(sum, one)| sum + one);
        let Some((_, whole)) = maps.last() else {
            return Ok(());
        };
        match self.end {
            End::Input => {
                self.product.multiply(whole)?;
                self.dimensions.1 = whole.rows();
                self.blocks.end += 1;
            }
            End::Output => {
                self.product.multiply(&whole.transposed())?;
                self.dimensions.1 = whole.columns();
                self.blocks.start -= 1;
            }
        }
        Ok(())
    }

    /// Singular values in all, those of 0 among them.
    pub fn count(&self) -> usize {
        self.dimensions.0.min(self.dimensions.1)
    }

    /// Numbers that go in and come out.
    pub fn inputs_outputs(&self) -> (usize, usize) {
        match self.end {
            End::Input => self.dimensions,
            End::Output => (self.dimensions.1, self.dimensions.0),
        }
    }
}
