//! Tensors of a file: where their numbers lie, and their conversion to `f32`.

use std::ops::Range;

/// What numbers are stored as, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE double precision.
    F64,
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Signed integers of 64 bits.
    I64,
    /// Signed integers of 32 bits.
    I32,
    /// Signed integers of 16 bits.
    I16,
    /// Signed bytes.
    I8,
    /// Unsigned bytes, and truth values.
    U8,
}

impl Dtype {
    /// Bytes of one number.
    pub const fn size(self) -> usize {
        match self {
            Dtype::F64 | Dtype::I64 => 8,
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::F16 | Dtype::Bf16 | Dtype::I16 => 2,
            Dtype::I8 | Dtype::U8 => 1,
        }
    }

    /// The number in `size` bytes, rounded to the nearest `f32`.
    fn read(self, bytes: &[u8]) -> f32 {
        // The callers cut the bytes to `size`.
        fn cut<const N: usize>(bytes: &[u8]) -> [u8; N] {
            std::array::from_fn(|i| bytes[i])
        }
        match self {
            Dtype::F64 => f64::from_le_bytes(cut(bytes)) as f32,
            Dtype::F32 => f32::from_le_bytes(cut(bytes)),
            Dtype::F16 => half::f16::from_le_bytes(cut(bytes)).to_f32(),
            Dtype::Bf16 => half::bf16::from_le_bytes(cut(bytes)).to_f32(),
            Dtype::I64 => i64::from_le_bytes(cut(bytes)) as f32,
            Dtype::I32 => i32::from_le_bytes(cut(bytes)) as f32,
            Dtype::I16 => f32::from(i16::from_le_bytes(cut(bytes))),
            Dtype::I8 => f32::from(i8::from_le_bytes(cut(bytes))),
            Dtype::U8 => f32::from(bytes[0]),
        }
    }
}

/// A strided view of numbers that lie in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// Bytes of its storage in the file.
    storage: Range<usize>,
    /// Its first number in the storage.
    offset: usize,
}

impl Tensor {
    /// A view, if all its numbers lie in the storage and their count is a number; the error is a
    /// clause. Offset and strides count numbers, the storage's range bytes.
    pub(super) fn new(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        storage: Range<usize>,
        offset: usize,
    ) -> Result<Self, String> {
        if shape.len() != strides.len() {
            return Err(format!(
                "a tensor of shape {shape:?} has strides {strides:?}"
            ));
        }
        let count = shape
            .iter()
            .try_fold(1_usize, |n, &side| n.checked_mul(side));
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |at, (&side, &stride)| {
                at.checked_add(side.saturating_sub(1).checked_mul(stride)?)
            });
        let available = storage.len() / dtype.size();
        let inside = |last: usize| count == Some(0) || last < available;
        if count.is_none() || !last.is_some_and(inside) {
            return Err(format!(
                "a tensor of shape {shape:?}, strides {strides:?} and offset {offset} reaches \
                 beyond its storage of {available} numbers"
            ));
        }
        Ok(Self {
            dtype,
            shape,
            strides,
            storage,
            offset,
        })
    }

    /// What its numbers are stored as.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its dimensions; none for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Writes its numbers, in row-major order, to `output`, which has as many places.
    pub(super) fn copy_to(&self, file: &[u8], output: &mut [f32]) {
        let (size, storage) = (self.dtype.size(), &file[self.storage.clone()]);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for value in output {
            *value = self.dtype.read(&storage[at * size..(at + 1) * size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= index[axis] * self.strides[axis];
                index[axis] = 0;
            }
        }
    }
}

/// Strides of a row-major tensor; sides whose product overflows are refused with the tensor.
pub(super) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(tensor: &Tensor, file: &[u8]) -> Vec<f32> {
        let mut output = vec![f32::NAN; tensor.shape.iter().product()];
        tensor.copy_to(file, &mut output);
        output
    }

    #[test]
    fn every_dtype_is_read() {
        let cases: [(Dtype, Vec<u8>, f32); 9] = [
            (Dtype::F64, (-1.5_f64).to_le_bytes().into(), -1.5),
            (Dtype::F32, 0.1_f32.to_le_bytes().into(), 0.1),
            (Dtype::F16, vec![0x00, 0xC1], -2.5),
            (Dtype::Bf16, vec![0x20, 0xC0], -2.5),
            (Dtype::I64, (-7_i64).to_le_bytes().into(), -7.0),
            (Dtype::I32, 70_000_i32.to_le_bytes().into(), 70_000.0),
            (Dtype::I16, (-300_i16).to_le_bytes().into(), -300.0),
            (Dtype::I8, vec![0xFF], -1.0),
            (Dtype::U8, vec![0xFF], 255.0),
        ];
        for (dtype, bytes, number) in cases {
            let tensor = Tensor::new(dtype, vec![], vec![], 0..bytes.len(), 0).expect("inside");
            assert_eq!(values(&tensor, &bytes), [number], "{dtype:?}");
        }
    }

    #[test]
    fn what_reaches_beyond_its_storage_is_refused() {
        let new = |shape: &[usize], strides: &[usize], offset| {
            Tensor::new(Dtype::F32, shape.to_vec(), strides.to_vec(), 0..24, offset)
        };
        assert!(new(&[2, 3], &[3, 1], 0).is_ok());
        assert!(new(&[0, 9], &[9, 1], 0).is_ok(), "nothing is read");
        assert!(new(&[2, 3], &[3, 1], 1).is_err());
        assert!(new(&[2, 3], &[4, 1], 0).is_err());
        assert!(new(&[2], &[3, 1], 0).is_err());
        assert!(
            new(&[usize::MAX, 3], &[0, 0], 0).is_err(),
            "too many to count"
        );
        assert!(new(&[3, 1], &[usize::MAX, 1], 0).is_err());
    }

    proptest! {
        #[test]
        fn strides_and_offset_are_followed(
            sides in prop::collection::vec(1_usize..4, 0..4),
            strides in prop::collection::vec(0_usize..5, 4),
            offset in 0_usize..4,
        ) {
            let file: Vec<u8> = (0..100_u8).map(|i| i.wrapping_mul(7)).collect();
            let strides = strides[..sides.len()].to_vec();
            let tensor =
                Tensor::new(Dtype::U8, sides.clone(), strides.clone(), 2..100, offset).expect("inside");
            let found = values(&tensor, &file);
            for (flat, value) in found.into_iter().enumerate() {
                let (mut rest, mut at) = (flat, 2 + offset);
                for (side, stride) in sides.iter().zip(&strides).rev() {
                    at += rest % side * stride;
                    rest /= side;
                }
                prop_assert_eq!(value, f32::from(file[at]));
            }
        }
    }
}
