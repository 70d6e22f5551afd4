//! One vector of `f32`, for each instruction set: the only place with intrinsics.
//!
//! # The safety contract
//!
//! Every method may be called only where the set's features are enabled: inside a function that
//! [`dispatch!`] compiled with them, which is entered only through an [`Isa`](crate::Isa) that the
//! machine has. Loads and stores need `LANES` readable or writable floats at the pointer; no
//! alignment. Algorithms are written once, generic over [`Vector`], `#[inline(always)]` all the way
//! down, so that they are compiled inside that function.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

use crate::lanes::LANES as IMAGES;

/// `LANES` numbers of type `f32`.
///
/// # Safety
///
/// All methods: see the contract at the top of this file.
pub(crate) trait Vector: Copy {
    /// Numbers in a vector: 8 or 16, so that it divides the sixteen images of a group.
    const LANES: usize;
    /// Vectors in a group of sixteen images.
    const PARTS: usize = IMAGES / Self::LANES;
    /// Output channels a convolution computes at once.
    const TILE: usize;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    /// Larger of two; the second where one is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// `self · by + plus`, rounded once where the set has it.
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
    /// `self` where `sign > 0`, else 0.
    unsafe fn where_positive(self, sign: Self) -> Self;
    /// Bit i for lane i: whether it is larger than 0.
    unsafe fn positive(self) -> u16;
    /// Lanes whose bit is 1, and 0 in the others. Bits past the lanes count for nothing.
    unsafe fn where_bits(self, bits: u16) -> Self;
    /// Nearest integer, ties to even.
    unsafe fn round(self) -> Self;
    /// `2^self` of a vector of integers between −126 and 127.
    unsafe fn exp2_integer(self) -> Self;
    /// Adds, to each of 16 numbers at `to`, the sum over the lanes of one of 16 vectors, lanes in a
    /// fixed order.
    unsafe fn add_row_sums(rows: &[Self; 16], to: *mut f32);
    /// Transposes 16×16 numbers: row `i` starts at `from + 16 i`, column `i` goes to `to + i step`.
    unsafe fn transpose(from: *const f32, to: *mut f32, step: usize) {
        for i in 0..16 {
            for j in 0..16 {
                *to.add(j * step + i) = *from.add(16 * i + j);
            }
        }
    }

    /// Asks for the cache line at an address, which may be any.
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        #[cfg(target_arch = "x86_64")]
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// Zeros.
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self::splat(0.0)
    }

    /// ReLU; keeps what is not a number.
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Self::zero().max(self)
    }
}

/// tanh, to about 2 units in the last place over the whole range: a polynomial near 0 and
/// `1 − 2/(e^{2x} + 1)` elsewhere.
///
/// # Safety
///
/// See the contract at the top of this file.
#[inline(always)]
pub(crate) unsafe fn tanh<V: Vector>(x: V) -> V {
    let zero = V::zero();
    let magnitude = x.max(zero.sub(x));
    // e^{2|x|}, with 2|x| cut where tanh is 1 in f32 anyway.
    let power = magnitude.add(magnitude).min(V::splat(20.0));
    let n = power.mul(V::splat(std::f32::consts::LOG2_E)).round();
    let r = n.mul_add(V::splat(-0.693_359_4), power);
    let r = n.mul_add(V::splat(2.121_944_4e-4), r);
    let mut e = V::splat(1.987_569_1e-4);
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
        1.0,
        1.0,
    ] {
        e = e.mul_add(r, V::splat(c));
    }
    let exp = e.mul(n.exp2_integer());
    let one = V::splat(1.0);
    let large = one.sub(V::splat(2.0).div(exp.add(one)));
    // x − x³/3 + 2x⁵/15 …, fitted on |x| < 0.625 (Cephes `tanhf`).
    let square = magnitude.mul(magnitude);
    let mut p = V::splat(-5.704_988_7e-3);
    for c in [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1] {
        p = p.mul_add(square, V::splat(c));
    }
    let small = p.mul(square).mul_add(magnitude, magnitude);
    let is_large = magnitude.sub(V::splat(0.625));
    let y = large
        .where_positive(is_large)
        .add(small.sub(small.where_positive(is_large)));
    // The sign of x; what is not a number passes `min` and `max` and stays so through `c − c`.
    let cut = V::splat(-20.0).max(V::splat(20.0).min(x));
    y.sub(y.add(y).where_positive(zero.sub(x)))
        .add(cut.sub(cut))
}

/// `1 / (1 + e^{−x})`, to a few units in the last place at both ends.
///
/// # Safety
///
/// See the contract at the top of this file.
#[inline(always)]
pub(crate) unsafe fn sigmoid<V: Vector>(x: V) -> V {
    let zero = V::zero();
    let one = V::splat(1.0);
    // e^{−|x|}, with |x| cut where nothing is left of it in f32.
    let power = zero.sub(x.max(zero.sub(x)).min(V::splat(80.0)));
    let n = power.mul(V::splat(std::f32::consts::LOG2_E)).round();
    let r = n.mul_add(V::splat(-0.693_359_4), power);
    let r = n.mul_add(V::splat(2.121_944_4e-4), r);
    let mut e = V::splat(1.987_569_1e-4);
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
        1.0,
        1.0,
    ] {
        e = e.mul_add(r, V::splat(c));
    }
    let exp = e.mul(n.exp2_integer());
    let large = one.div(one.add(exp));
    let small = exp.mul(large);
    // What is not a number passes `min` and `max` and stays so through `c − c`.
    let cut = V::splat(-20.0).max(V::splat(20.0).min(x));
    large
        .where_positive(x)
        .add(small.sub(small.where_positive(x)))
        .add(cut.sub(cut))
}

/// Compiles a kernel once for each instruction set and enters the one asked for.
///
/// `dispatch!(isa, kernel(a: A, b: B))` calls `kernel::<V>(a, b)`, an
/// `#[inline(always)] unsafe fn` generic over [`Vector`].
macro_rules! dispatch {
    ($isa:expr, $kernel:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
        unsafe fn avx512($($arg: $ty),*) $(-> $out)? {
            $kernel::<$crate::vector::Avx512>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($arg: $ty),*) $(-> $out)? {
            $kernel::<$crate::vector::Avx2>($($arg),*)
        }
        // SAFETY: an `Isa` exists only for a set that the machine has, and the caller of this
        // macro has checked the sizes that the kernel relies on.
        unsafe {
            match $isa.0 {
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx512 => avx512($($arg),*),
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx2 => avx2($($arg),*),
                $crate::isa::Kind::Portable => $kernel::<$crate::vector::Portable>($($arg),*),
            }
        }
    }};
}
pub(crate) use dispatch;
