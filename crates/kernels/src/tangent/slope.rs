//! Derivatives of activations at the point of linearisation.

use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// The derivative f′ of the activation at the point.
#[derive(Debug, Clone, Copy)]
pub enum Slope<'a> {
    /// Of no activation: 1.
    One,
    /// Of ReLU, 1 or 0: a bit for each image of `(pixels, channels)`, as [`positive`] writes them.
    Mask(&'a [u16]),
    /// Of tanh: its output y, for 1 − y².
    Tanh(&'a [f32]),
}

impl Slope<'_> {
    /// Of numbers within those that it was found for.
    pub fn part(self, range: std::ops::Range<usize>) -> Self {
        match self {
            Self::One => Self::One,
            Self::Mask(mask) => Self::Mask(&mask[range.start / LANES..range.end / LANES]),
            Self::Tanh(output) => Self::Tanh(&output[range]),
        }
    }

    /// Numbers that it is the derivative at, if it depends on where.
    pub(super) fn len(self) -> Option<usize> {
        match self {
            Self::One => None,
            Self::Mask(mask) => Some(mask.len() * LANES),
            Self::Tanh(output) => Some(output.len()),
        }
    }

    pub(super) fn raw(self) -> RawSlope {
        let (mut mask, mut output) = (std::ptr::null(), std::ptr::null());
        match self {
            Self::One => {}
            Self::Mask(bits) => mask = bits.as_ptr(),
            Self::Tanh(values) => output = values.as_ptr(),
        }
        RawSlope { mask, output }
    }
}

/// Of the two only the one that its kind reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawSlope {
    mask: *const u16,
    output: *const f32,
}

pub(super) const ONE: u8 = 0;
pub(super) const MASK: u8 = 1;
pub(super) const TANH: u8 = 2;

/// Calls a pass with the kind of slope as a constant.
macro_rules! with_slope {
    ($slope:expr, $isa:expr, $kernel:ident ( $raw:ident : $ty:ty )) => {{
        #[inline(always)]
        unsafe fn one<V: Vector>($raw: $ty) {
            $kernel::<V, { $crate::tangent::slope::ONE }>($raw)
        }
        #[inline(always)]
        unsafe fn mask<V: Vector>($raw: $ty) {
            $kernel::<V, { $crate::tangent::slope::MASK }>($raw)
        }
        #[inline(always)]
        unsafe fn tanh<V: Vector>($raw: $ty) {
            $kernel::<V, { $crate::tangent::slope::TANH }>($raw)
        }
        match $slope {
            Slope::One => dispatch!($isa, one($raw: $ty)),
            Slope::Mask(_) => dispatch!($isa, mask($raw: $ty)),
            Slope::Tanh(_) => dispatch!($isa, tanh($raw: $ty)),
        }
    }};
}
pub(super) use with_slope;

impl RawSlope {
    /// `gradient · f′` of part `part` of the sixteen images of group `group` of numbers.
    #[inline(always)]
    pub(super) unsafe fn times<V: Vector, const F: u8>(
        self,
        gradient: V,
        group: usize,
        part: usize,
    ) -> V {
        match F {
            MASK => gradient.where_bits(*self.mask.add(group) >> (part * V::LANES)),
            TANH => {
                let output = self.output::<V>(group, part);
                gradient.mul(V::splat(1.0).sub(output.mul(output)))
            }
            _ => gradient,
        }
    }

    #[inline(always)]
    pub(super) unsafe fn output<V: Vector>(self, group: usize, part: usize) -> V {
        V::load(self.output.add(group * LANES + part * V::LANES))
    }
}

/// Notes where values are larger than 0: bit i of a number of the mask for image i of its sixteen.
/// 4 bytes a number.
pub fn positive(isa: Isa, values: &[f32], mask: &mut [u16]) {
    assert_eq!(values.len(), mask.len() * LANES, "one bit a value");
    dispatch!(isa, positive_all(values: &[f32], mask: &mut [u16]));
}

#[inline(always)]
unsafe fn positive_all<V: Vector>(values: &[f32], mask: &mut [u16]) {
    for (values, mask) in values.chunks_exact(LANES).zip(mask) {
        let mut bits = 0;
        for part in 0..V::PARTS {
            let first = part * V::LANES;
            bits |= V::load(values.as_ptr().add(first)).positive() << first;
        }
        *mask = bits;
    }
}
