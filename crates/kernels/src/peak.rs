//! What this machine can do at most, measured: the yardstick of every speed.
//!
//! One thread, on whichever core it runs. Each number is the best of some rounds: what disturbs a
//! measurement only slows it down.

use std::hint::black_box;
use std::time::Instant;

use crate::Isa;
use crate::vector::{Vector, dispatch};

/// Seconds of one call of `work`: the best of seven rounds of at least `least` seconds each, after
/// one that only warms up. `work` is called at least once a round.
pub fn best_seconds(least: f64, mut work: impl FnMut()) -> f64 {
    let mut calls = 1u32;
    let mut round = |calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        start.elapsed().as_secs_f64()
    };
    // The warm-up finds how many calls fill a round.
    loop {
        let seconds = round(calls);
        if seconds >= least || calls >= 1 << 24 {
            break;
        }
        let wanted = f64::from(calls) * least / seconds.max(1e-9);
        calls = (1.2 * wanted).min(f64::from(8 * calls)).ceil() as u32;
    }
    let best = (0..7).map(|_| round(calls)).fold(f64::MAX, f64::min);
    best / f64::from(calls)
}

/// Floating-point operations a second of fused multiply-adds (two operations each) on numbers that
/// stay in registers: what `isa` reaches on one thread when memory does not count.
pub fn multiply_add_rate(isa: Isa) -> f64 {
    // Enough chains to hide an instruction's latency, few enough for the registers there are.
    [6, 12, 24]
        .map(|chains| chain_rate(isa, chains))
        .into_iter()
        .fold(0.0, f64::max)
}

const ROUNDS: usize = 4096;

fn chain_rate(isa: Isa, chains: usize) -> f64 {
    let mut sums = [0.0; 16];
    let lanes = dispatch!(isa, lanes() -> usize);
    let seconds = best_seconds(2e-3, || {
        let (start, to) = (black_box(0.5f32), &mut sums);
        match chains {
            6 => dispatch!(isa, six(start: f32, to: &mut [f32; 16])),
            12 => dispatch!(isa, twelve(start: f32, to: &mut [f32; 16])),
            _ => dispatch!(isa, twenty_four(start: f32, to: &mut [f32; 16])),
        }
    });
    black_box(sums);
    2.0 * (chains * lanes * ROUNDS) as f64 / seconds
}

#[inline(always)]
unsafe fn lanes<V: Vector>() -> usize {
    V::LANES
}

#[inline(always)]
unsafe fn six<V: Vector>(start: f32, to: &mut [f32; 16]) {
    chains::<V, 6>(start, to);
}

#[inline(always)]
unsafe fn twelve<V: Vector>(start: f32, to: &mut [f32; 16]) {
    chains::<V, 12>(start, to);
}

#[inline(always)]
unsafe fn twenty_four<V: Vector>(start: f32, to: &mut [f32; 16]) {
    chains::<V, 24>(start, to);
}

/// `CHAINS` recursions `x ← a x + b` beside each other, and their sum, so that none is left out.
#[inline(always)]
unsafe fn chains<V: Vector, const CHAINS: usize>(start: f32, to: &mut [f32; 16]) {
    let (by, plus) = (V::splat(0.75), V::splat(start));
    let mut sums = [V::zero(); CHAINS];
    for (chain, sum) in sums.iter_mut().enumerate() {
        *sum = V::splat(start + chain as f32);
    }
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = sum.mul_add(by, plus);
        }
    }
    let mut total = V::zero();
    for sum in sums {
        total = total.add(sum);
    }
    total.store(to.as_mut_ptr());
}

/// Bytes a second, read and written together, of copying one half of a working set of `bytes` into
/// the other: with few bytes the rate of a cache, with many that of memory.
pub fn copy_rate(bytes: usize) -> f64 {
    let half = (bytes / 2 / size_of::<f32>()).max(1);
    let (from, mut to) = (vec![1.0f32; half], vec![0.0f32; half]);
    let seconds = best_seconds(2e-3, || {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
    });
    2.0 * (half * size_of::<f32>()) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_converge_to_their_fixed_point() {
        // x = 0.75 x + 0.5 has the solution 2, whatever the chain started from.
        for &isa in Isa::available() {
            let mut sums = [0.0; 16];
            let (start, to) = (0.5f32, &mut sums);
            dispatch!(isa, twelve(start: f32, to: &mut [f32; 16]));
            let lanes = dispatch!(isa, lanes() -> usize);
            assert_eq!(sums[..lanes], [24.0; 16][..lanes], "{isa}");
        }
    }

    #[test]
    fn rates_are_those_of_a_computer() {
        for &isa in Isa::available() {
            let rate = multiply_add_rate(isa);
            assert!((1e8..1e13).contains(&rate), "{isa}: {rate} FLOP/s");
        }
        let rate = copy_rate(1 << 15);
        assert!((1e8..1e13).contains(&rate), "{rate} bytes/s");
    }
}
