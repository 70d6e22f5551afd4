//! Optimisers against PyTorch's numbers.

use super::*;
use crate::network::{Entry, Slot};

/// A weight of three numbers and a bias of two.
fn layout() -> Layout {
    let entry = |name: &str, role, offset, len| Entry {
        name: name.to_owned(),
        block: None,
        role,
        shape: vec![len],
        slot: Slot { offset, len },
        ends_branch: false,
        start: 0.0,
    };
    let weight = entry("linear.weight", Role::LinearWeight, 0, 3);
    Layout {
        parameters: vec![weight, entry("linear.bias", Role::Bias, 3, 2)],
        state: Vec::new(),
    }
}

/// Four steps with the gradients `[0.1k, −0.3, 0.2 − 0.1k]`, `[0.05, 0.4/k]` and the rates
/// `0.1/k`, k from 1, as PyTorch was given them.
fn four_steps(settings: &TrainSettings) -> Vec<f32> {
    let mut optimiser = Optimiser::new(settings, &layout());
    let mut parameters = vec![1.0, -2.0, 0.5, 0.25, -0.75];
    for count in 1..=4 {
        let k = count as f32;
        let gradient = [0.1 * k, -0.3, 0.2 - 0.1 * k, 0.05, 0.4 / k];
        optimiser.step(&mut parameters, &gradient, 1.0, 0.1 / count as f64, count);
    }
    parameters
}

fn assert_close(settings: &TrainSettings, pytorch: [f64; 5]) {
    let ours = four_steps(settings);
    for (index, (ours, theirs)) in ours.iter().zip(pytorch).enumerate() {
        let error = (f64::from(*ours) - theirs).abs();
        assert!(error < 3e-7, "number {index}: {ours}, not {theirs}");
    }
}

fn settings(optimizer: Optimizer) -> TrainSettings {
    TrainSettings {
        optimizer,
        momentum: 0.0,
        betas: [0.8, 0.95],
        epsilon: 1e-6,
        weight_decay: 0.01,
        ..TrainSettings::default()
    }
}

// The numbers are PyTorch 2's, in f64: parameters w = [1, −2, 0.5] and b = [0.25, −0.75], the
// gradients and rates of `four_steps` put into `.grad` and the parameter groups' "lr", and
// torch.optim.X(...).step() with the arguments of each test's comment.

#[test]
fn sgd_equals_pytorch() {
    // SGD([w, b])
    let plain = TrainSettings {
        weight_decay: 0.0,
        ..settings(Optimizer::Sgd)
    };
    assert_close(
        &plain,
        [0.96, -1.9375, 0.498333333, 0.239583333, -0.806944444],
    );
}

#[test]
fn sgd_with_momentum_and_decay_equals_pytorch() {
    // SGD([w, b], momentum=0.9, weight_decay=0.01)
    let momentum = TrainSettings {
        momentum: 0.9,
        ..settings(Optimizer::Sgd)
    };
    let known = [
        0.930501718,
        -1.88127106,
        0.489727275,
        0.230521033,
        -0.853201382,
    ];
    assert_close(&momentum, known);
}

#[test]
fn nesterov_with_decay_of_weights_alone_equals_pytorch() {
    // SGD([{"params": [w], "weight_decay": 0.01}, {"params": [b], "weight_decay": 0}],
    //     momentum=0.9, nesterov=True)
    let nesterov = TrainSettings {
        momentum: 0.9,
        nesterov: true,
        decay_norm_and_bias: false,
        ..settings(Optimizer::Sgd)
    };
    let known = [
        0.895436582,
        -1.82663564,
        0.488084235,
        0.222874458,
        -0.902420444,
    ];
    assert_close(&nesterov, known);
}

#[test]
fn adam_equals_pytorch() {
    // Adam([w, b], betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01)
    let known = [
        0.793272829,
        -1.79169256,
        0.385838921,
        0.0418324125,
        -0.943193445,
    ];
    assert_close(&settings(Optimizer::Adam), known);
}

#[test]
fn adamw_with_decay_of_weights_alone_equals_pytorch() {
    // AdamW([{"params": [w], "weight_decay": 0.01}, {"params": [b], "weight_decay": 0}],
    //       betas=(0.8, 0.95), eps=1e-6)
    let some = TrainSettings {
        decay_norm_and_bias: false,
        ..settings(Optimizer::AdamW)
    };
    let known = [
        0.791779997,
        -1.7876494,
        0.388756974,
        0.0416708333,
        -0.944029557,
    ];
    assert_close(&some, known);
}

#[test]
fn adam_with_decoupled_decay_is_adamw() {
    let adam = TrainSettings {
        decoupled_decay: true,
        ..settings(Optimizer::Adam)
    };
    assert_eq!(four_steps(&adam), four_steps(&settings(Optimizer::AdamW)));
    assert_ne!(four_steps(&adam), four_steps(&settings(Optimizer::Adam)));
}

#[test]
fn decoupled_decay_without_gradient_only_shrinks() {
    let sgd = TrainSettings {
        decoupled_decay: true,
        ..settings(Optimizer::Sgd)
    };
    let mut parameters = vec![1.0, -2.0, 0.5, 0.25, -0.75];
    Optimiser::new(&sgd, &layout()).step(&mut parameters, &[0.0; 5], 1.0, 0.5, 1);
    for (p, start) in parameters.iter().zip([1.0, -2.0, 0.5, 0.25, -0.75]) {
        assert!((p - 0.995 * start).abs() < 1e-6, "{p} from {start}");
    }
}

#[test]
fn a_gradient_is_scaled_to_the_limit_but_never_up() {
    // torch.nn.utils.clip_grad_norm_ of (3, 4) to 1 returns 5 and leaves (0.6, 0.79999983).
    let length = norm(&[3.0, 4.0]);
    assert_eq!(length, 5.0);
    assert_eq!((4.0 * clip_scale(length, Some(1.0))) as f32, 0.799_999_83);
    assert_eq!(clip_scale(length, Some(6.0)), 1.0);
    assert_eq!(clip_scale(length, None), 1.0);
}

#[test]
fn a_scaled_gradient_takes_the_scaled_step() {
    let settings = TrainSettings {
        weight_decay: 0.0,
        ..settings(Optimizer::Sgd)
    };
    let mut parameters = vec![1.0; 5];
    let gradient = [1.0, 2.0, 3.0, 4.0, 5.0];
    Optimiser::new(&settings, &layout()).step(&mut parameters, &gradient, 0.5, 0.25, 1);
    assert_eq!(parameters, [0.875, 0.75, 0.625, 0.5, 0.375]);
}

#[test]
fn the_norm_counts_every_number_once() {
    let ones = vec![1.0f32; 1003];
    assert_eq!(norm(&ones), 1003f64.sqrt());
}

#[test]
fn foreign_buffers_are_refused() {
    let mut adam = Optimiser::new(&settings(Optimizer::Adam), &layout());
    assert!(!adam.restore(vec![vec![1.0; 5]]));
    assert!(!adam.restore(vec![vec![1.0; 5], vec![1.0; 4]]));
    assert_eq!(adam.buffers(), [[0.0; 5], [0.0; 5]]);
    assert!(adam.restore(vec![vec![1.0; 5], vec![2.0; 5]]));
    assert_eq!(adam.buffers(), [[1.0; 5], [2.0; 5]]);
}
