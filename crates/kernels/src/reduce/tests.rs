use proptest::prelude::*;

use super::*;
use crate::LANES;
use crate::test_support::{always_the_same, numbers};

#[test]
fn sum_of_squares_counts_every_number() {
    for n in [0, 1, 7, 8, 9, 31] {
        let values: Vec<f32> = (1..=n).map(|i| i as f32).collect();
        let n = f64::from(n);
        assert_eq!(
            sum_of_squares(&values),
            n * (n + 1.0) * (2.0 * n + 1.0) / 6.0
        );
    }
}

#[test]
fn dead_lanes_do_not_count() {
    let values: Vec<f32> = (0..32)
        .map(|i| if i % 16 < 3 { 2.0 } else { f32::NAN })
        .collect();
    assert_eq!(sum_of_squares_of_lanes(&values, 3), 24.0);
}

proptest! {
    #![proptest_config(always_the_same(64))]

    #[test]
    fn sums_of_squares_are_those_of_the_definition(
        pixels in 0usize..40, rest in 0usize..LANES, live in 0usize..20, seed: u32
    ) {
        let square = |x: &f32| f64::from(*x).powi(2);
        let values = numbers(pixels * LANES + rest, seed);
        let want = values.iter().map(square).sum::<f64>();
        prop_assert!((sum_of_squares(&values) - want).abs() <= 1e-12 * want);
        let groups = &values[..pixels * LANES];
        let alive = groups.chunks_exact(LANES).flat_map(|lanes| &lanes[..live.min(LANES)]);
        let want = alive.map(square).sum::<f64>();
        prop_assert!((sum_of_squares_of_lanes(groups, live) - want).abs() <= 1e-12 * want);
    }
}
