//! What the tests of the kernels share: numbers, and comparison with an `f64` specification.

use proptest::test_runner::{Config, RngSeed};

use crate::Isa;

/// So many random cases, the same in every run.
pub fn always_the_same(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    }
}

/// Numbers between −1 and 1 that look random: a small linear congruential generator.
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut x = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Asserts that each number is within `tolerance` of what it should be.
pub fn assert_close(isa: Isa, what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{isa}: numbers of {what}");
    for (at, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(
            error <= tolerance,
            "{isa}: {what}[{at}] = {got}, not {want}"
        );
    }
}
