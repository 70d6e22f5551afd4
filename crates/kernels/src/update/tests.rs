//! Optimisers against their recursions in `f64`, and bit for bit between instruction sets.

use proptest::prelude::*;

use super::*;
use crate::test_support::{always_the_same, assert_close, numbers};

const SGD: Sgd = Sgd {
    learning_rate: 0.1,
    momentum: 0.9,
    nesterov: false,
    weight_decay: 0.0,
    decoupled: false,
    gradient_scale: 1.0,
};

#[test]
fn sgd_follows_its_recursion_by_hand() {
    let (mut w, mut v) = ([1.0f32], [0.0f32]);
    sgd(Isa::current(), SGD, &mut w, &[1.0], &mut v);
    assert!((w[0] - 0.9).abs() < 1e-6);
    sgd(Isa::current(), SGD, &mut w, &[1.0], &mut v);
    assert!((w[0] - 0.71).abs() < 1e-6 && (v[0] - 1.9).abs() < 1e-6);
    let nesterov = Sgd {
        nesterov: true,
        ..SGD
    };
    let (mut w, mut v) = ([1.0f32], [0.0f32]);
    sgd(Isa::current(), nesterov, &mut w, &[1.0], &mut v);
    assert!((w[0] - 0.81).abs() < 1e-6);
}

#[test]
fn decoupled_decay_keeps_out_of_the_momentum() {
    let (mut w, mut v) = ([1.0f32], [0.0f32]);
    let s = Sgd {
        weight_decay: 0.5,
        decoupled: true,
        ..SGD
    };
    sgd(Isa::current(), s, &mut w, &[0.0], &mut v);
    assert!((w[0] - 0.95).abs() < 1e-6 && v[0] == 0.0);
    let s = Sgd {
        weight_decay: 0.5,
        ..SGD
    };
    let (mut w, mut v) = ([1.0f32], [0.0f32]);
    sgd(Isa::current(), s, &mut w, &[0.0], &mut v);
    assert!((w[0] - 0.95).abs() < 1e-6 && v[0] == 0.5);
}

#[test]
fn the_first_step_of_adam_has_the_size_of_the_learning_rate() {
    let a = Adam {
        learning_rate: 0.01,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        decoupled: false,
        gradient_scale: 1.0,
        step: 1,
    };
    let (mut w, mut m, mut q) = ([1.0f32, 1.0], [0.0f32; 2], [0.0f32; 2]);
    adam(Isa::current(), a, &mut w, &[3.0, -0.2], &mut m, &mut q);
    assert!((w[0] - 0.99).abs() < 1e-6 && (w[1] - 1.01).abs() < 1e-6);
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let gradient: Vec<f32> = (0..37).map(|i| (i as f32).sin()).collect();
    let run = |isa| {
        let mut w: Vec<f32> = gradient.iter().map(|g| g * 0.7 + 0.1).collect();
        let mut v = gradient.clone();
        let s = Sgd {
            weight_decay: 1e-2,
            nesterov: true,
            gradient_scale: 0.3,
            ..SGD
        };
        sgd(isa, s, &mut w, &gradient, &mut v);
        w
    };
    for &isa in Isa::available() {
        assert_eq!(run(isa), run(Isa::PORTABLE), "{isa}");
    }
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

proptest! {
    #![proptest_config(always_the_same(48))]

    #[test]
    fn sgd_is_its_recursion(
        count in 0usize..70, nesterov: bool, decoupled: bool, momentum in 0f32..1.0,
        weight_decay in 0f32..0.1, gradient_scale in 0.1f32..2.0, seed: u32
    ) {
        let s = Sgd { momentum, nesterov, weight_decay, decoupled, gradient_scale, ..SGD };
        let gradient = numbers(count, seed);
        let start = [numbers(count, seed ^ 1), numbers(count, seed ^ 2)];
        let [mut w, mut v] = start.each_ref().map(|x| widened(x));
        let (rate, momentum) = (f64::from(s.learning_rate), f64::from(momentum));
        let (decay, scale) = (f64::from(weight_decay), f64::from(gradient_scale));
        for _ in 0..3 {
            for ((w, v), &g) in w.iter_mut().zip(&mut v).zip(&gradient) {
                let mut g = scale * f64::from(g);
                if decoupled { *w -= rate * decay * *w } else { g += decay * *w }
                *v = momentum * *v + g;
                *w -= rate * if nesterov { g + momentum * *v } else { *v };
            }
        }
        for &isa in Isa::available() {
            let [mut parameters, mut velocity] = start.clone();
            (0..3).for_each(|_| sgd(isa, s, &mut parameters, &gradient, &mut velocity));
            assert_close(isa, "parameters", &parameters, &w, 1e-5);
            assert_close(isa, "velocity", &velocity, &v, 1e-5);
        }
    }

    #[test]
    fn adam_is_its_recursion(
        count in 0usize..70, decoupled: bool, beta1 in 0f64..0.99, beta2 in 0.5f64..0.9999,
        weight_decay in 0f32..0.1, gradient_scale in 0.1f32..2.0, seed: u32
    ) {
        let gradient = numbers(count, seed);
        let start = numbers(count, seed ^ 1);
        let settings = |step| Adam {
            learning_rate: 0.01, beta1, beta2, epsilon: 1e-3, weight_decay, decoupled,
            gradient_scale, step,
        };
        let (decay, scale) = (f64::from(weight_decay), f64::from(gradient_scale));
        let epsilon = f64::from(1e-3f32);
        let (mut w, mut m, mut q) = (widened(&start), vec![0.0; count], vec![0.0; count]);
        for step in 1..=3 {
            for (at, &g) in gradient.iter().enumerate() {
                let mut g = scale * f64::from(g);
                if decoupled { w[at] -= 0.01 * decay * w[at] } else { g += decay * w[at] }
                m[at] = beta1 * m[at] + (1.0 - beta1) * g;
                q[at] = beta2 * q[at] + (1.0 - beta2) * g * g;
                let mean = m[at] / (1.0 - beta1.powi(step));
                let root = (q[at] / (1.0 - beta2.powi(step))).sqrt();
                w[at] -= 0.01 * mean / (root + epsilon);
            }
        }
        let run = |isa| {
            let (mut parameters, mut mean) = (start.clone(), vec![0.0; count]);
            let mut square = mean.clone();
            for step in 1..=3 {
                adam(isa, settings(step), &mut parameters, &gradient, &mut mean, &mut square);
            }
            [parameters, mean, square]
        };
        let portable = run(Isa::PORTABLE);
        for &isa in Isa::available() {
            let [parameters, mean, square] = run(isa);
            assert_close(isa, "parameters", &parameters, &w, 2e-5);
            assert_close(isa, "mean", &mean, &m, 2e-6);
            assert_close(isa, "square", &square, &q, 1e-5);
            prop_assert_eq!([parameters, mean, square], portable.clone(), "{}", isa);
        }
    }
}
