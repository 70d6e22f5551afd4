//! Mean-field numbers: closed forms, and growth of gradients in real networks.

use std::f64::consts::PI;

use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::network::{Activation, Shape};
use reslab_nn::reference::{Mode, Part, Tensor, derivatives::part_vjp, lift};

use super::super::mean_field::*;
use super::*;

#[test]
fn integrals_have_their_closed_forms() {
    near(gaussian_mean(|_| 1.0), 1.0, 1e-14);
    near(gaussian_mean(|z| z.powi(6)), 15.0, 1e-13);
    near(
        gaussian_mean(|z| (0.7 * z).cos()),
        (-0.245_f64).exp(),
        1e-14,
    );
    // E tanh'² by series for small variances: 1 − 2 v + 7 v².
    let v = 1e-3;
    near(
        slope(Activation::Tanh, v),
        1.0 - 2.0 * v + 7.0 * v * v,
        1e-6,
    );
    near(length(Activation::Tanh, v), v - 2.0 * v * v, 1e-4);
}

#[test]
fn criticality_is_where_it_is_known() {
    // ReLU: (2, 0) only.
    assert_eq!(critical(Activation::Relu, 0.7), (2.0, 0.0));
    near(chi(Activation::Relu, 2.0, 5.0), 1.0, 1e-15);
    let (weight, bias) = critical(Activation::Tanh, 0.5);
    let found = fixed_point(Activation::Tanh, (weight, bias), 2.0).expect("there is one");
    near(found, 0.5, 1e-6);
    near(chi(Activation::Tanh, weight, found), 1.0, 1e-6);
    // A ReLU network of variance above 2 grows for ever; below, v = σ_b²/(1 − σ_w²/2).
    assert_eq!(fixed_point(Activation::Relu, (2.1, 0.1), 1.0), None);
    near(
        fixed_point(Activation::Relu, (1.0, 0.1), 1.0).expect("one"),
        0.2,
        1e-9,
    );
}

#[test]
fn residual_blocks_add_up() {
    let steps = [
        Step::Linear {
            weight: 0.5,
            bias: 0.2,
        },
        Step::Nonlinear(Activation::Relu),
        Step::Linear {
            weight: 3.0,
            bias: 0.0,
        },
    ];
    let found = residual_block(&steps, 4.0);
    near(found.variance, 0.75, 1e-15);
    near(found.length, 4.0 + 3.0 * 1.1, 1e-15);
}

/// A network's growth of squared gradients a block, from its last output back to the stem's, and
/// the number of blocks.
fn growth(model: &str, batch: usize, blocks: usize) -> f64 {
    let settings: ModelSettings = serde_json::from_str(model).expect("settings");
    let network = build(&settings, Shape::vector(64), 2).expect("a network");
    let parameters = initialize(&network, &InitSettings::default(), 5);
    let (parameters, state) = (
        lift::<f64>(&parameters),
        lift::<f64>(&network.layout.initial_state()),
    );
    let mut rng = rng(20);
    let mut draw = |width| Tensor::from_shape_fn((batch, 1, 1, width), |_| normal(&mut rng));
    let input = draw(64);
    let stem = reslab_nn::reference::forward_part(
        &network,
        Part::before(0),
        &parameters,
        &state,
        Mode::Training,
        &input,
    )
    .expect("it fits")
    .output;
    let width = stem.dim().3;
    let cotangent = draw(width);
    let (_, gradients) = part_vjp(
        (&network, Part::blocks(0..blocks)),
        (&parameters, &state),
        Mode::Training,
        &stem,
        &cotangent,
    )
    .expect("it fits");
    let square = |t: &Tensor<f64>| t.iter().map(|x| x * x).sum::<f64>();
    square(&gradients.input) / square(&cotangent)
}

/// The first block sees the variance over the batch that the stem leaves, which its norm divides by;
/// the others see Var φ.
#[test]
fn plain_batch_norm_explodes_gradients_as_predicted() {
    let rate = PI / (PI - 1.0);
    near(plain_batch_norm_growth(Activation::Relu), rate, 1e-15);
    near(plain_batch_norm_growth(Activation::Identity), 1.0, 1e-15);
    let model = |activation| {
        format!(
            r#"{{"family": "fully-connected", "depth": 8, "width": 128, "residual": false, "batch_norm": true, "activation": "{activation}"}}"#
        )
    };
    let first = 0.5 / (1.0 - 1.0 / PI);
    let found = growth(&model("relu"), 256, 8) / first;
    near(found.powf(1.0 / 7.0), rate, 0.03);
    // Linear: nothing but the batch's own directions.
    let found = growth(&model("identity"), 16, 8) / 0.5;
    near(found.powf(1.0 / 8.0), linear_batch_norm_growth(16), 0.03);
}

#[test]
fn residual_batch_norm_grows_gradients_by_a_power() {
    // After the stem's ReLU on normal inputs of He's initialisation the variance over the batch is
    // 1 − 1/π.
    let factors = residual_batch_norm_growth(Activation::Relu, 1.0 - 1.0 / PI, 16);
    let predicted: f64 = factors.iter().product();
    let model = r#"{"family": "fully-connected", "depth": 16, "width": 128, "batch_norm": true}"#;
    near(growth(model, 256, 16), predicted, 0.08);
    assert!(factors.windows(2).all(|f| f[1] < f[0]));
}
