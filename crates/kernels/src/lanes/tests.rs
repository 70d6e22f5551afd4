use proptest::prelude::*;

use super::*;
use crate::test_support::{always_the_same, numbers};

#[test]
fn samples_come_back_from_their_lanes_and_other_lanes_are_zero() {
    let samples: Vec<f32> = (0..5 * 7).map(|i| i as f32 + 1.0).collect();
    let mut group = vec![9.0; 7 * LANES];
    gather(&samples, 7, &mut group);
    assert_eq!(group[2 * LANES + 3], samples[3 * 7 + 2]);
    assert!(
        group
            .chunks(LANES)
            .all(|lanes| lanes[5..].iter().all(|&x| x == 0.0))
    );
    let mut back = vec![0.0; samples.len()];
    scatter(&group, 7, &mut back);
    assert_eq!(back, samples);
}

proptest! {
    #![proptest_config(always_the_same(64))]

    #[test]
    fn each_number_has_its_place(len in 1usize..40, count in 0usize..=LANES, live in 0usize..20, seed: u32) {
        let samples = numbers(len * count, seed);
        let mut group = vec![f32::NAN; len * LANES];
        gather(&samples, len, &mut group);
        for (at, &x) in group.iter().enumerate() {
            let (place, lane) = (at / LANES, at % LANES);
            prop_assert_eq!(x, if lane < count { samples[lane * len + place] } else { 0.0 });
        }
        let mut back = vec![f32::NAN; samples.len()];
        scatter(&group, len, &mut back);
        prop_assert_eq!(&back, &samples);
        let mut cleared = group.clone();
        clear_dead(&mut cleared, live);
        for (at, (&x, &before)) in cleared.iter().zip(&group).enumerate() {
            prop_assert_eq!(x, if at % LANES < live { before } else { 0.0 });
        }
    }
}
