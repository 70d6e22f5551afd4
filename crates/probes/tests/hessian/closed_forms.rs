//! Models whose Hessian is known.

use reslab_dense::Eigen;
use reslab_nn::data::Dataset;
use reslab_nn::loss::Loss;
use reslab_nn::network::{Network, Op};
use reslab_nn::reference::Mode;
use reslab_probes::hessian::{ExtremeSettings, LossHessian, quadrature};

use crate::cases::*;
use crate::support::{network, noise};

/// Outputs are linear in the parameters: `W x + b`, nothing before. The numbers of what was taken
/// away are still parameters, on which the loss does not depend.
fn linear(dataset: &Dataset) -> Network {
    let mut network = network("fc-plain1", dataset.shape.len(), dataset);
    network.stem.retain(|layer| matches!(layer.op, Op::Flatten));
    network.blocks.clear();
    network.check().expect("a linear network");
    network
}

/// For outputs linear in the parameters the Hessian is the mean over samples of (second derivative
/// by the outputs) ⊗ x̃ x̃ᵀ, with x̃ the input and a 1.
fn linear_hessian(
    case: &Case,
    samples: usize,
    second: impl Fn(&[f64], usize, usize) -> f64,
) -> Vec<Vec<f64>> {
    let Some(Op::Linear(head)) = case.network.head.last().map(|layer| &layer.op) else {
        panic!("a linear head")
    };
    let (d, k) = (case.dataset.shape.len(), case.dataset.outputs);
    let weight = head.weight.of(&case.parameters);
    let bias = head.bias.expect("a bias");
    let places: Vec<(usize, usize, usize)> = (0..k)
        .flat_map(|class| (0..=d).map(move |i| (class, i)))
        .map(|(class, i)| {
            let place = match i < d {
                true => head.weight.offset + class * d + i,
                false => bias.offset + class,
            };
            (place, class, i)
        })
        .collect();
    let n = case.parameters.len();
    let mut matrix = vec![vec![0.0; n]; n];
    for sample in 0..samples {
        let mut x: Vec<f64> = case.dataset.train.inputs[sample * d..(sample + 1) * d]
            .iter()
            .map(|x| f64::from(*x))
            .collect();
        x.push(1.0);
        let output = |class: usize| {
            let row = &weight[class * d..(class + 1) * d];
            let sum: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * x).sum();
            sum + f64::from(bias.of(&case.parameters)[class])
        };
        let outputs: Vec<f64> = (0..k).map(output).collect();
        for &(row, a, i) in &places {
            for &(column, b, j) in &places {
                matrix[row][column] += second(&outputs, a, b) * x[i] * x[j] / samples as f64;
            }
        }
    }
    matrix
}

#[test]
fn a_linear_softmax_model_has_its_closed_form() {
    let dataset = noise(4, 50);
    let case = Case::new(linear(&dataset), dataset);
    let matrix = linear_hessian(&case, 50, |outputs, a, b| {
        let total: f64 = outputs.iter().map(|z| z.exp()).sum();
        let p = |k: usize| outputs[k].exp() / total;
        if a == b {
            p(a) * (1.0 - p(a))
        } else {
            -p(a) * p(b)
        }
    });
    let mut hessian = LossHessian::new(case.loss(50, Mode::Evaluation, Loss::default()));
    let Eigen { values, .. } = eigen(&matrix);
    let n = values.len();
    let found = ends(&mut hessian, &FINE);
    assert!(found.converged);
    for rank in 0..3 {
        assert_relative(found.top[rank].value, values[n - 1 - rank], 1e-10, 1.0);
        // Convex, and flat along what the outputs do not depend on.
        assert_relative(found.bottom[rank].value, 0.0, 1e-10, 1.0);
    }
    for index in [0, n - 1, n / 2] {
        let mut unit = vec![0.0; n];
        unit[index] = 1.0;
        for (found, expected) in product(&mut hessian, &unit).iter().zip(&matrix[index]) {
            assert_relative(*found, *expected, 1e-13, 1.0);
        }
    }
}

/// A quadratic: the Hessian is 2/K times the inputs' second moments, once for each output, so that
/// every eigenvalue is ten times there.
#[test]
fn a_quadratic_has_its_closed_form_with_multiplicities() {
    let dataset = noise(4, 50);
    let case = Case::new(linear(&dataset), dataset);
    let k = case.dataset.outputs as f64;
    let matrix = linear_hessian(&case, 50, |_, a, b| if a == b { 2.0 / k } else { 0.0 });
    let mut hessian = LossHessian::new(case.loss(50, Mode::Evaluation, Loss::SquaredError));
    let values = eigen(&matrix).values;
    let n = values.len();
    let settings = ExtremeSettings {
        top: 11,
        bottom: 1,
        ..FINE
    };
    let found = ends(&mut hessian, &settings);
    assert!(found.converged);
    for (rank, found) in found.top.iter().enumerate() {
        assert_relative(found.value, values[n - 1 - rank], 1e-10, 1.0);
    }
    assert_relative(found.top[9].value, found.top[0].value, 1e-10, 1.0);
    assert!(found.top[10].value < 0.99 * found.top[0].value);
    // Five different eigenvalues and 0: quadrature of six steps is exact for each vector.
    let mut operator = |v: &[f64], out: &mut [f64]| hessian.product(v, out, &mut || Ok(()));
    let found = quadrature(&mut operator, n, (3, 40), 4).expect("a checked network");
    assert_eq!(found.products, 18);
    for node in found.draws.iter().flatten().map(|(node, _)| node) {
        let nearest = values
            .iter()
            .map(|v| (v - node).abs())
            .fold(f64::MAX, f64::min);
        assert!(nearest < 1e-10, "{node} is no eigenvalue");
    }
}
