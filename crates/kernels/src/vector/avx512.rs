//! AVX-512: 16 lanes.

use std::arch::x86_64::*;

use super::Vector;

#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

impl Vector for Avx512 {
    const LANES: usize = 16;
    const TILE: usize = 8;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self(_mm512_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(_mm512_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm512_storeu_ps(to, self.0);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(_mm512_add_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(_mm512_sub_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(_mm512_mul_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Self(_mm512_div_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Self(_mm512_min_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(_mm512_max_ps(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
        Self(_mm512_fmadd_ps(self.0, by.0, plus.0))
    }
    #[inline(always)]
    unsafe fn where_positive(self, sign: Self) -> Self {
        let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(sign.0, _mm512_setzero_ps());
        Self(_mm512_maskz_mov_ps(mask, self.0))
    }
    #[inline(always)]
    unsafe fn positive(self) -> u16 {
        _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, _mm512_setzero_ps())
    }
    #[inline(always)]
    unsafe fn where_bits(self, bits: u16) -> Self {
        Self(_mm512_maskz_mov_ps(bits, self.0))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Self(_mm512_roundscale_ps::<
            { _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC },
        >(self.0))
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        let n = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
        Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(n)))
    }
    #[inline(always)]
    unsafe fn add_row_sums(rows: &[Self; 16], to: *mut f32) {
        // Four rounds of pairwise sums, as one transposes a 16×16 matrix: the first two inside the
        // 128-bit quarters, the last two between them.
        let zero = _mm512_setzero_ps();
        let mut pairs = [zero; 8];
        for i in 0..8 {
            let (a, b) = (rows[2 * i].0, rows[2 * i + 1].0);
            pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        }
        let mut fours = [zero; 4];
        for i in 0..4 {
            let (a, b) = (
                _mm512_castps_pd(pairs[2 * i]),
                _mm512_castps_pd(pairs[2 * i + 1]),
            );
            let low = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            let high = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
            fours[i] = _mm512_add_ps(low, high);
        }
        let mut eights = [zero; 2];
        for i in 0..2 {
            let (a, b) = (fours[2 * i], fours[2 * i + 1]);
            let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
            let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b);
            eights[i] = _mm512_add_ps(even, odd);
        }
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(eights[0], eights[1]);
        let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(eights[0], eights[1]);
        let sums = _mm512_add_ps(even, odd);
        _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sums));
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, to: *mut f32, step: usize) {
        let zero = _mm512_setzero_ps();
        let (mut a, mut b) = ([zero; 16], [zero; 16]);
        for i in 0..8 {
            let (even, odd) = (from.add(32 * i), from.add(32 * i + 16));
            let (even, odd) = (_mm512_loadu_ps(even), _mm512_loadu_ps(odd));
            a[2 * i] = _mm512_unpacklo_ps(even, odd);
            a[2 * i + 1] = _mm512_unpackhi_ps(even, odd);
        }
        for i in 0..4 {
            for j in 0..2 {
                let low = _mm512_castps_pd(a[4 * i + j]);
                let high = _mm512_castps_pd(a[4 * i + j + 2]);
                b[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                b[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
            }
        }
        // Now quarter q of b[4i + j] holds column 4q + j of rows 4i to 4i + 3.
        for j in 0..4 {
            let low_even = _mm512_shuffle_f32x4::<0b10_00_10_00>(b[j], b[4 + j]);
            let low_odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(b[j], b[4 + j]);
            let high_even = _mm512_shuffle_f32x4::<0b10_00_10_00>(b[8 + j], b[12 + j]);
            let high_odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(b[8 + j], b[12 + j]);
            let columns = [
                _mm512_shuffle_f32x4::<0b10_00_10_00>(low_even, high_even),
                _mm512_shuffle_f32x4::<0b10_00_10_00>(low_odd, high_odd),
                _mm512_shuffle_f32x4::<0b11_01_11_01>(low_even, high_even),
                _mm512_shuffle_f32x4::<0b11_01_11_01>(low_odd, high_odd),
            ];
            for (quarter, column) in columns.into_iter().enumerate() {
                _mm512_storeu_ps(to.add((4 * quarter + j) * step), column);
            }
        }
    }
}
