//! Each instruction set against plain arithmetic.

use super::*;
use crate::Isa;

#[inline(always)]
unsafe fn tanh_of<V: Vector>(x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks_exact(V::LANES).zip(y.chunks_exact_mut(V::LANES)) {
        tanh(V::load(x.as_ptr())).store(y.as_mut_ptr());
    }
}

#[inline(always)]
unsafe fn row_sums<V: Vector>(x: &[f32], to: &mut [f32]) {
    let mut rows = [V::zero(); 16];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = V::load(x.as_ptr().add(i * V::LANES));
    }
    V::add_row_sums(&rows, to.as_mut_ptr());
}

#[inline(always)]
unsafe fn lanes<V: Vector>() -> usize {
    V::LANES
}

#[test]
fn tanh_is_accurate_to_a_few_units_in_the_last_place() {
    let x: Vec<f32> = (-4096..4096).map(|i| i as f32 / 300.0).collect();
    for &isa in Isa::available() {
        let mut y = vec![0.0; x.len()];
        let (from, to) = (&x[..], &mut y[..]);
        dispatch!(isa, tanh_of(from: &[f32], to: &mut [f32]));
        for (x, y) in x.iter().zip(&y) {
            let exact = f64::from(*x).tanh();
            let error = (f64::from(*y) - exact).abs();
            assert!(
                error <= 3e-7 * exact.abs(),
                "{isa}: tanh({x}) = {y}, not {exact}"
            );
        }
    }
}

#[test]
fn tanh_of_what_is_not_a_number_is_not_a_number() {
    for &isa in Isa::available() {
        let (x, mut y) = (vec![f32::NAN; 16], vec![0.0; 16]);
        let (from, to) = (&x[..], &mut y[..]);
        dispatch!(isa, tanh_of(from: &[f32], to: &mut [f32]));
        assert!(y.iter().all(|y| y.is_nan()), "{isa}");
    }
}

#[test]
fn row_sums_add_each_row_to_its_number() {
    for &isa in Isa::available() {
        let n = dispatch!(isa, lanes() -> usize);
        let x: Vec<f32> = (0..16 * n).map(|i| (i * i % 37) as f32).collect();
        let mut y: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let (from, to) = (&x[..], &mut y[..]);
        dispatch!(isa, row_sums(from: &[f32], to: &mut [f32]));
        for i in 0..16 {
            let sum: f32 = x[i * n..(i + 1) * n].iter().sum();
            assert_eq!(y[i], i as f32 + sum, "{isa}, row {i}");
        }
    }
}

#[inline(always)]
unsafe fn transpose_of<V: Vector>(x: &[f32], y: &mut [f32]) {
    V::transpose(x.as_ptr(), y.as_mut_ptr(), 20);
}

#[test]
fn transpose_swaps_rows_and_columns() {
    let x: Vec<f32> = (0..256).map(|i| i as f32).collect();
    for &isa in Isa::available() {
        let mut y = vec![0.0; 16 * 20];
        let (from, to) = (&x[..], &mut y[..]);
        dispatch!(isa, transpose_of(from: &[f32], to: &mut [f32]));
        for i in 0..16 {
            for j in 0..16 {
                assert_eq!(y[j * 20 + i], x[i * 16 + j], "{isa}: {i}, {j}");
            }
        }
    }
}
