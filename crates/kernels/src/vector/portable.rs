//! Plain Rust: 8 lanes that the compiler may put into whatever registers there are.

use super::Vector;

#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 8]);

#[inline(always)]
fn zip(a: Portable, b: Portable, f: impl Fn(f32, f32) -> f32) -> Portable {
    let mut out = a;
    for (x, y) in out.0.iter_mut().zip(b.0) {
        *x = f(*x, y);
    }
    out
}

impl Vector for Portable {
    const LANES: usize = 8;
    const TILE: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; 8]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; 8]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        zip(self, other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        zip(self, other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        zip(self, other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        zip(self, other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        zip(self, other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        zip(self, other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
        zip(zip(self, by, |a, b| a * b), plus, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn where_positive(self, sign: Self) -> Self {
        zip(self, sign, |a, s| if s > 0.0 { a } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn positive(self) -> u16 {
        let bits = self.0.iter().enumerate();
        bits.fold(0, |all, (i, &x)| all | (u16::from(x > 0.0) << i))
    }
    #[inline(always)]
    unsafe fn where_bits(mut self, bits: u16) -> Self {
        for (i, x) in self.0.iter_mut().enumerate() {
            *x = if bits >> i & 1 == 1 { *x } else { 0.0 };
        }
        self
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        zip(self, self, |a, _| a.round_ties_even())
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        zip(self, self, |a, _| {
            f32::from_bits(((a as i32 + 127) as u32) << 23)
        })
    }
    #[inline(always)]
    unsafe fn add_row_sums(rows: &[Self; 16], to: *mut f32) {
        for (i, row) in rows.iter().enumerate() {
            let [a, b, c, d, e, f, g, h] = row.0;
            *to.add(i) += ((a + b) + (c + d)) + ((e + f) + (g + h));
        }
    }
}
