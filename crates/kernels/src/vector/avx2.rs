//! AVX2 with FMA: 8 lanes.

use std::arch::x86_64::*;

use super::Vector;

#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

impl Vector for Avx2 {
    const LANES: usize = 8;
    const TILE: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self(_mm256_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(_mm256_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm256_storeu_ps(to, self.0);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(_mm256_add_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(_mm256_sub_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(_mm256_mul_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Self(_mm256_div_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Self(_mm256_min_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(_mm256_max_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
        Self(_mm256_fmadd_ps(self.0, by.0, plus.0))
    }
    #[inline(always)]
    unsafe fn where_positive(self, sign: Self) -> Self {
        let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(sign.0, _mm256_setzero_ps());
        Self(_mm256_and_ps(mask, self.0))
    }
    #[inline(always)]
    unsafe fn positive(self) -> u16 {
        let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, _mm256_setzero_ps());
        _mm256_movemask_ps(mask) as u16
    }
    #[inline(always)]
    unsafe fn where_bits(self, bits: u16) -> Self {
        let own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        let set = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), own);
        let mask = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, own));
        Self(_mm256_and_ps(mask, self.0))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Self(_mm256_round_ps::<
            { _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC },
        >(self.0))
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        let n = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
        Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(n)))
    }
    #[inline(always)]
    unsafe fn add_row_sums(rows: &[Self; 16], to: *mut f32) {
        for half in 0..2 {
            let r = |i: usize| rows[8 * half + i].0;
            // `hadd` sums neighbours inside the 128-bit halves; the halves are added last.
            let a = _mm256_hadd_ps(_mm256_hadd_ps(r(0), r(1)), _mm256_hadd_ps(r(2), r(3)));
            let b = _mm256_hadd_ps(_mm256_hadd_ps(r(4), r(5)), _mm256_hadd_ps(r(6), r(7)));
            let low = _mm256_permute2f128_ps::<0x20>(a, b);
            let high = _mm256_permute2f128_ps::<0x31>(a, b);
            let to = to.add(8 * half);
            let sums = _mm256_add_ps(low, high);
            _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), sums));
        }
    }
}
