//! Real networks against the laws that [`predict`] gives them.

use ndarray::Array2;
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize};
use reslab_nn::network::{Network, Shape};
use reslab_nn::reference::{Mode, Part, Tensor, derivatives::part_jvp, forward_part, lift};

use super::super::comparison::{Comparison, compare};
use super::super::prediction::{Prediction, predict};
use super::*;

const INPUT: usize = 64;

fn network(model: &str, init: &str) -> (Network, Vec<f32>) {
    let model = format!(r#"{{"family": "fully-connected", {model}}}"#);
    let settings: ModelSettings = serde_json::from_str(&model).expect("a model");
    let init: InitSettings = serde_json::from_str(init).expect("an initialisation");
    let network = build(&settings, Shape::vector(INPUT), 2).expect("a network");
    let parameters = initialize(&network, &init, 11);
    (network, parameters)
}

/// ln σ of the Jacobian of all blocks, and the mean square of what goes into the first, at a normal
/// input.
fn jacobian((network, parameters): &(Network, Vec<f32>)) -> (Vec<f64>, f64) {
    let (parameters, state) = (lift::<f64>(parameters), Vec::new());
    let mut rng = rng(30);
    let input = Tensor::from_shape_fn((1, 1, 1, INPUT), |_| normal(&mut rng));
    let before = Part::before(0);
    let stem = forward_part(
        network,
        before,
        &parameters,
        &state,
        Mode::Evaluation,
        &input,
    );
    let stem = stem.expect("it fits").output;
    let width = stem.len();
    let point: Vec<f64> = stem.iter().copied().collect();
    let inputs = Tensor::from_shape_fn((width, 1, 1, width), |(_, _, _, c)| point[c]);
    let identity = Tensor::from_shape_fn((width, 1, 1, width), |(n, _, _, c)| {
        f64::from(u8::from(n == c))
    });
    let part = Part::blocks(0..network.blocks.len());
    let at = (&parameters[..], &state[..]);
    let (_, tangents) =
        part_jvp((network, part), at, Mode::Evaluation, &inputs, &identity).expect("it fits");
    let matrix = Array2::from_shape_fn((width, width), |(i, j)| tangents[(i, 0, 0, j)]);
    let square = point.iter().map(|x| x * x).sum::<f64>() / width as f64;
    (ln_singular_values(&matrix), square)
}

fn compared(made: &(Network, Vec<f32>)) -> (Prediction, Vec<Comparison>) {
    let (values, square) = jacobian(made);
    let blocks = 0..made.0.blocks.len();
    let prediction = predict((&made.0, &made.1), blocks, square).expect("a law");
    let found = prediction
        .laws
        .iter()
        .map(|law| compare(law, &law.spectrum(), &values));
    let found = found.collect();
    (prediction, found)
}

/// c of the first law.
fn c_of(prediction: &Prediction) -> f64 {
    match prediction.laws[0] {
        Law::ManyBlocks { c } => c,
        ref other => panic!("{other:?}"),
    }
}

/// Branches of variance 1/L in 100 blocks: c as it would be with slopes of 1 for tanh, quantiles
/// within 5 % of half the bulk, no outliers, e^c the trimmed mean.
fn follow_the_law(width: usize, cs: &[f64]) {
    for two_layers in [false, true] {
        for &expected in cs {
            // σ_w² = 2 g², and c = 2 g⁴ for two layers with a ReLU between.
            let (rest, gain) = match two_layers {
                false => (r#""activation": "tanh""#, (0.5 * expected).sqrt()),
                true => (r#""branch_layers": 2"#, (0.5 * expected).powf(0.25)),
            };
            let model = format!(r#""depth": 100, "width": {width}, {rest}"#);
            let init = format!(r#"{{"gain": {gain}, "branch_scale": "inverse-sqrt-depth"}}"#);
            let (prediction, found) = compared(&network(&model, &init));
            assert_eq!(prediction.caveat, "");
            let c = c_of(&prediction);
            // tanh's slopes are a little below 1.
            assert!(
                c < 1.03 * expected && c > 0.93 * expected,
                "{c}, {expected}"
            );
            for comparison in &found {
                assert!(
                    comparison.deviation < 0.05,
                    "{model}, c {c}: {comparison:?}"
                );
                assert_eq!(comparison.outliers_above + comparison.outliers_below, 0);
            }
            near(found[0].trimmed_mean_square, c.exp(), 0.06);
        }
    }
}

#[test]
fn tanh_and_two_layer_relu_branches_follow_the_law() {
    follow_the_law(200, &[0.25, 1.0]);
}

#[test]
#[ignore = "a minute of one core"]
fn at_width_400_too() {
    follow_the_law(400, &[0.25, 0.5, 1.0]);
}

#[test]
fn one_layer_relu_branches_have_one_outlier() {
    let model = r#""depth": 60, "width": 200"#;
    let init = r#"{"gain": 0.7071, "branch_scale": "inverse-sqrt-depth"}"#;
    let (prediction, found) = compared(&network(model, init));
    assert!(prediction.caveat.contains("explodes"));
    near(c_of(&prediction), 0.5, 0.03);
    assert_eq!(found[0].outliers_above, 1);
    assert!(found[0].deviation < 0.1, "{:?}", found[0]);
    assert!(found[0].measured_mean_square > 1.2 * found[0].trimmed_mean_square);
}

/// The share of open gates varies by 1/(2√N) a layer, and the layer with the fewest bounds the
/// rank: the lower half of a ReLU network's law is its worse one.
#[test]
fn plain_networks_follow_their_laws() {
    let relu = r#""depth": 4, "width": 300, "residual": false"#;
    let linear = r#""depth": 4, "width": 200, "residual": false, "activation": "identity""#;
    for (model, init, distance, edge) in [
        (relu, r#"{}"#, 0.08, 0.3),
        (
            relu,
            r#"{"scheme": "orthogonal", "gain": 1.4142}"#,
            0.08,
            0.3,
        ),
        (linear, r#"{"gain": 0.7071}"#, 0.03, 0.15),
    ] {
        let (prediction, found) = compared(&network(model, init));
        assert!(matches!(prediction.laws[..], [Law::Plain(_)]));
        near(found[0].mean_square, 1.0, 0.02);
        assert!(
            found[0].distance < distance,
            "{model} {init}: {:?}",
            found[0]
        );
        let gap = found[0].measured_edges.1 - found[0].edges.1;
        assert!(gap.abs() < edge, "{model} {init}: {:?}", found[0]);
    }
}

#[test]
fn what_has_no_law_says_why() {
    let reason = |model: &str, init: &str| {
        let (network, parameters) = network(model, init);
        let blocks = 0..network.blocks.len();
        predict((&network, &parameters), blocks, 1.0).expect_err("no law")
    };
    let small = r#""depth": 3, "width": 20"#;
    assert!(reason(&format!(r#"{small}, "batch_norm": true"#), "{}").contains("batch norm"));
    assert!(
        reason(
            &format!(r#"{small}, "residual": false, "activation": "tanh""#),
            "{}"
        )
        .contains("tanh")
    );
    assert!(reason(small, r#"{"zero_gamma": true}"#).contains("zero"));
    let orthogonal = r#"{"scheme": "orthogonal"}"#;
    let linear = format!(r#"{small}, "residual": false, "activation": "identity""#);
    assert!(reason(&linear, orthogonal).contains("product of the gains"));
    let pre = network(&format!(r#"{small}, "placement": "pre-activation""#), "{}");
    let found = predict((&pre.0, &pre.1), 0..3, 1.0).expect("a law");
    assert!(found.caveat.contains("persist"));
    assert!(predict((&pre.0, &pre.1), 2..2, 1.0).is_err());
}
