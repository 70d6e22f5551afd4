//! Tests of single ops against their definitions.

use ndarray::{Array2, Array4};

use super::ops::{batch_norm, conv2d, elementwise, linear, reshape};
use super::*;
use crate::loss::{Loss, TargetsRef};
use crate::network::{Activation, BatchNorm, Conv2d, Linear, Slot};
use crate::random::{self, Purpose};

fn draw(index: u64, len: usize) -> Vec<f64> {
    let mut rng = random::stream(11, Purpose::Test, 0, index);
    (0..len).map(|_| random::normal(&mut rng)).collect()
}

fn draw_tensor(index: u64, dim: (usize, usize, usize, usize)) -> Tensor<f64> {
    Tensor::from_shape_vec(dim, draw(index, dim.0 * dim.1 * dim.2 * dim.3)).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs()))
}

/// The definition, written out.
fn conv_by_definition(conv: &Conv2d, parameters: &[f64], x: &Tensor<f64>) -> Tensor<f64> {
    let (n, height, width, _) = x.dim();
    let side = |length: usize| (length + 2 * conv.padding - conv.kernel) / conv.stride + 1;
    let (in_group, out_group) = (
        conv.in_channels / conv.groups,
        conv.out_channels / conv.groups,
    );
    let k = conv.kernel;
    Array4::from_shape_fn(
        (n, side(height), side(width), conv.out_channels),
        |(n, i, j, o)| {
            let mut sum = conv.bias.map_or(0.0, |bias| bias.of(parameters)[o]);
            for c in 0..in_group {
                for (u, v) in (0..k).flat_map(|u| (0..k).map(move |v| (u, v))) {
                    let row = (i * conv.stride + u) as isize - conv.padding as isize;
                    let column = (j * conv.stride + v) as isize - conv.padding as isize;
                    if row >= 0 && column >= 0 && row < height as isize && column < width as isize {
                        let weight =
                            conv.weight.of(parameters)[((o * in_group + c) * k + u) * k + v];
                        let channel = o / out_group * in_group + c;
                        sum += weight * x[[n, row as usize, column as usize, channel]];
                    }
                }
            }
            sum
        },
    )
}

#[test]
fn conv2d_matches_its_definition() {
    for (kernel, stride, padding, groups) in [
        (3, 1, 1, 1),
        (3, 2, 1, 1),
        (1, 2, 0, 1),
        (5, 3, 2, 2),
        (2, 1, 0, 4),
    ] {
        let (in_channels, out_channels) = (4, 8);
        let len = out_channels * in_channels / groups * kernel * kernel;
        let conv = Conv2d {
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            groups,
            weight: Slot { offset: 3, len },
            bias: Some(Slot {
                offset: 3 + len,
                len: out_channels,
            }),
        };
        let parameters = draw(0, 3 + len + out_channels);
        let input = draw_tensor(1, (2, 7, 6, in_channels));
        let expected = conv_by_definition(&conv, &parameters, &input);
        let found = conv2d::forward(&conv, &parameters, &input);
        assert_eq!(found.dim(), expected.dim());
        assert!(
            found.iter().zip(&expected).all(|(a, b)| close(*a, *b)),
            "{conv:?}"
        );

        // The output is bilinear in weight and input, so both gradients are checked by ⟨g, y⟩.
        let grad = draw_tensor(2, expected.dim());
        let mut gradient = vec![0.0; parameters.len()];
        let grad_input = conv2d::backward(&conv, &parameters, &input, &grad, &mut gradient);
        let product = (&grad * &expected).sum();
        let through_parameters: f64 = gradient.iter().zip(&parameters).map(|(g, p)| g * p).sum();
        assert!(close(through_parameters, product));
        let bias = conv.bias.unwrap();
        let through_bias: f64 = bias
            .of(&gradient)
            .iter()
            .zip(bias.of(&parameters))
            .map(|(g, b)| g * b)
            .sum();
        assert!(close((&grad_input * &input).sum(), product - through_bias));
    }
}

#[test]
fn linear_by_hand() {
    let linear = Linear {
        in_features: 2,
        out_features: 1,
        weight: Slot { offset: 0, len: 2 },
        bias: Some(Slot { offset: 2, len: 1 }),
    };
    let input = Tensor::from_shape_vec((1, 1, 1, 2), vec![3.0, 5.0]).unwrap();
    let parameters = [2.0, -1.0, 0.5];
    assert_eq!(
        linear::forward(&linear, &parameters, &input)[[0, 0, 0, 0]],
        1.5
    );
    let mut gradient = vec![1.0; 3];
    let grad = Tensor::from_elem((1, 1, 1, 1), 2.0);
    let grad_input = linear::backward(&linear, &parameters, &input, &grad, &mut gradient);
    assert_eq!(grad_input.into_raw_vec_and_offset().0, [4.0, -2.0]);
    assert_eq!(gradient, [7.0, 11.0, 3.0], "gradients are added");
}

#[test]
fn batch_norm_normalises_and_moves_its_statistics() {
    let slot = |offset| Slot { offset, len: 1 };
    let norm = BatchNorm {
        channels: 1,
        epsilon: 0.0,
        momentum: 0.1,
        weight: slot(0),
        bias: slot(1),
        running_mean: slot(0),
        running_var: slot(1),
        frozen: false,
    };
    let parameters = [2.0, 7.0];
    let state = vec![1.0, 1.0];
    let mut numbers = ops::Numbers {
        parameters: &parameters,
        state,
        mode: Mode::Training,
        noise: crate::noise::Noise::default(),
    };
    let input = Tensor::from_shape_vec((2, 1, 1, 1), vec![1.0, 5.0]).unwrap();
    let statistics = batch_norm::statistics(&norm, &mut numbers, &input);
    let output = batch_norm::forward(&norm, &parameters, &statistics, &input);
    assert_eq!(output.into_raw_vec_and_offset().0, [5.0, 9.0]);
    // Mean 3, biased variance 4, unbiased 8.
    assert!(
        close(numbers.state[0], 1.2) && close(numbers.state[1], 1.7),
        "{:?}",
        numbers.state
    );

    numbers.mode = Mode::Evaluation;
    numbers.state = vec![3.0, 16.0];
    let statistics = batch_norm::statistics(&norm, &mut numbers, &input);
    let output = batch_norm::forward(&norm, &parameters, &statistics, &input);
    assert_eq!(output.into_raw_vec_and_offset().0, [6.0, 8.0]);
    assert_eq!(numbers.state, [3.0, 16.0]);
}

#[test]
fn images_flatten_in_pytorchs_order_and_back() {
    let image = Tensor::from_shape_fn((1, 2, 3, 2), |(_, h, w, c)| (100 * c + 10 * h + w) as f64);
    let flat = reshape::flatten(&image);
    let expected = [
        0., 1., 2., 10., 11., 12., 100., 101., 102., 110., 111., 112.,
    ];
    assert_eq!(flat.clone().into_raw_vec_and_offset().0, expected);
    assert_eq!(reshape::flatten_backward(&image, &flat), image);
    let mean = reshape::global_average(&image);
    assert_eq!(mean.into_raw_vec_and_offset().0, [6.0, 106.0]);
}

#[test]
fn option_a_takes_every_second_pixel_and_pads_both_sides() {
    let image = Tensor::from_shape_fn((1, 3, 3, 1), |(_, h, w, _)| (1 + 3 * h + w) as f64);
    let option_a = crate::network::SubsamplePad {
        stride: 2,
        pad_before: 1,
        pad_after: 2,
    };
    let output = reshape::subsample_pad(&option_a, &image);
    assert_eq!(output.dim(), (1, 2, 2, 4));
    for ((_, h, w, c), value) in output.indexed_iter() {
        let expected = if c == 1 {
            image[[0, 2 * h, 2 * w, 0]]
        } else {
            0.0
        };
        assert_eq!(*value, expected);
    }
    let grad = reshape::subsample_pad_backward(&option_a, image.dim(), &output);
    assert_eq!(grad.sum(), 1.0 + 3.0 + 7.0 + 9.0);
    assert_eq!(grad[[0, 1, 1, 0]], 0.0);
}

#[test]
fn relu_has_derivative_zero_at_zero_and_lets_nan_through() {
    let input = Tensor::from_shape_vec((1, 1, 1, 3), vec![-1.0, 0.0, 2.0]).unwrap();
    let ones = Tensor::from_elem(input.dim(), 1.0);
    let grad = elementwise::backward(Activation::Relu, &input, &ones);
    assert_eq!(grad.into_raw_vec_and_offset().0, [0.0, 0.0, 1.0]);
    let nan = Tensor::from_elem((1, 1, 1, 1), f64::NAN);
    assert!(elementwise::forward(Activation::Relu, &nan)[[0, 0, 0, 0]].is_nan());
}

#[test]
fn duals_carry_derivatives() {
    type Case = (fn(Dual<f64>) -> Dual<f64>, fn(f64) -> f64);
    let cases: [Case; 6] = [
        (|x| x * x * x, |x| 3.0 * x * x),
        (|x| Dual::from_f64(1.0) / x, |x| -1.0 / (x * x)),
        (|x| x.sqrt(), |x| 0.5 / x.sqrt()),
        (|x| x.exp(), f64::exp),
        (|x| x.ln(), |x| 1.0 / x),
        (|x| x.tanh(), |x| 1.0 / x.cosh().powi(2)),
    ];
    for (index, (function, derivative)) in cases.into_iter().enumerate() {
        let found = function(Dual::new(0.7, 2.0)).tangent;
        assert!(close(found, 2.0 * derivative(0.7)), "case {index}: {found}");
    }
}

#[test]
fn matrices_of_duals_multiply_like_duals() {
    let matrix = |index, rows, columns| {
        let (values, tangents) = (draw(index, rows * columns), draw(index + 1, rows * columns));
        let duals = values
            .into_iter()
            .zip(tangents)
            .map(|(v, t)| Dual::new(v, t))
            .collect();
        Array2::from_shape_vec((rows, columns), duals).unwrap()
    };
    let (a, b) = (matrix(0, 3, 4), matrix(2, 4, 2));
    let product = Dual::matmul(a.view(), b.view());
    for ((i, j), found) in product.indexed_iter() {
        let expected = (0..4).fold(Dual::from_f64(0.0), |sum, k| sum + a[[i, k]] * b[[k, j]]);
        assert!(close(found.value, expected.value) && close(found.tangent, expected.tangent));
    }
}

#[test]
fn losses_by_hand() {
    let outputs = Tensor::from_shape_vec((2, 1, 1, 2), vec![0.0, 0.0, 0.0, 3.0_f64.ln()]).unwrap();
    let classes = TargetsRef::Classes(&[0, 0]);
    let plain = Loss::CrossEntropy {
        label_smoothing: 0.0,
    };
    let value = loss(&plain, &outputs, classes).unwrap();
    assert!(close(value.mean, (2.0_f64.ln() + 4.0_f64.ln()) / 2.0));
    assert_eq!(value.wrong, 1, "the first of equal outputs counts");
    let smoothed = Loss::CrossEntropy {
        label_smoothing: 0.5,
    };
    let value = loss(&smoothed, &outputs, classes).unwrap();
    let second = -(0.75 * 0.25_f64.ln() + 0.25 * 0.75_f64.ln());
    assert!(close(value.mean, (2.0_f64.ln() + second) / 2.0));
    let value = loss(
        &Loss::SquaredError,
        &outputs,
        TargetsRef::Values(&[1., 0., 0., 0.]),
    )
    .unwrap();
    assert!(close(value.mean, (1.0 + 3.0_f64.ln().powi(2)) / 4.0));
    assert!(close(value.grad_outputs[[0, 0, 0, 0]], -0.5));
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let outputs = Tensor::from_elem((2, 1, 1, 3), 0.0_f64);
    for targets in [
        TargetsRef::Classes(&[0]),
        TargetsRef::Classes(&[0, 3]),
        TargetsRef::Values(&[0.0, 1.0]),
    ] {
        assert!(
            loss(&Loss::default(), &outputs, targets).is_err(),
            "{targets:?}"
        );
    }
}

#[test]
fn the_road_through_the_shortcut_is_the_gradient_without_branches() {
    let mut settings = crate::families::named("preact-resnet8").unwrap();
    settings.width = 4;
    let network = crate::families::build(&settings, Shape::new(2, 6, 6), 3).unwrap();
    let parameters = draw(1, network.layout.parameter_count());
    let state = lift::<f64>(&network.layout.initial_state());
    for block in 0..network.blocks.len() {
        let part = Part::blocks(block..block + 1);
        let shape = part.input_shape(&network).unwrap();
        let x = draw_tensor(2, (5, shape.height, shape.width, shape.channels));
        let pass = |network: &Network| {
            let part = part.clone();
            forward_part(network, part, &parameters, &state, Mode::Training, &x).unwrap()
        };
        let whole = pass(&network);
        let cotangent = draw_tensor(3, whole.output.dim());
        let shortcut = whole.backward_along(Road::Shortcut, &network, &parameters, &cotangent);
        // Without post-activation what the branches put out does not matter for the shortcut.
        let lesioned = network.without(block);
        let expected = pass(&lesioned).backward(&lesioned, &parameters, &cotangent);
        let differ = (&shortcut.input - &expected.input).mapv(f64::abs);
        assert!(differ.iter().all(|d| *d < 1e-12));
        let all = whole.backward(&network, &parameters, &cotangent);
        assert!(
            (&all.input - &expected.input)
                .iter()
                .any(|d| d.abs() > 1e-3)
        );
        let plain = network.plain_twin();
        if plain.check().is_ok() {
            let none = pass(&plain).backward_along(Road::Shortcut, &plain, &parameters, &cotangent);
            assert!(none.input.iter().all(|g| *g == 0.0));
        }
    }
}
