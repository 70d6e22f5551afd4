//! Extreme eigenvalues along a plane.

use reslab_nn::data::SyntheticKind;
use reslab_nn::reference::Mode;
use reslab_nn::train::LossKind;
use reslab_probes::hessian::{
    Coordinates, ExtremeSettings, LossHessian, MeanLoss, Precision, extremes,
};
use reslab_probes::landscape::{CurvatureSettings, LandscapeSettings, PlaneSettings};
use reslab_results::Table;

use crate::support::{Case, close, plane, point};

fn settings(x_points: usize, y_points: usize, samples: usize) -> LandscapeSettings {
    let base = plane(2, 2);
    let plane = base.plane.clone().map(|plane| PlaneSettings {
        curvature: Some(CurvatureSettings {
            x_points,
            y_points,
            samples,
            tolerance: 1e-4,
            max_products: 200,
        }),
        ..plane
    });
    LandscapeSettings { plane, ..base }
}

fn tables(case: &Case, settings: &LandscapeSettings) -> [Table; 2] {
    let tables = case.look(settings).tables.expect("not stopped");
    tables.try_into().expect("two tables")
}

/// Largest eigenvalue by absolute value of a symmetric matrix: power iteration.
fn dominant(matrix: &[Vec<f64>]) -> f64 {
    let mut vector = vec![1.0; matrix.len()];
    let mut value = 0.0;
    for _ in 0..20_000 {
        let next: Vec<f64> = matrix
            .iter()
            .map(|row| row.iter().zip(&vector).map(|(a, b)| a * b).sum())
            .collect();
        let length = |v: &[f64]| v.iter().map(|a| a * a).sum::<f64>().sqrt();
        let product: f64 = next.iter().zip(&vector).map(|(a, b)| a * b).sum();
        value = product / vector.iter().map(|a| a * a).sum::<f64>();
        let norm = length(&next);
        vector = next.into_iter().map(|a| a / norm).collect();
    }
    value
}

// The mean over K outputs of squared differences has the Hessian (2/K) E[x xᵀ] for each output, wherever the
// weights are.
#[test]
fn of_a_linear_network_it_is_that_of_the_inputs_at_every_point() {
    let case = Case::linear(SyntheticKind::Teacher, LossKind::SquaredError);
    let (features, samples) = (case.network.input.len(), 200);
    let inputs = &case.dataset.train.inputs[..samples * features];
    let mut moments = vec![vec![0.0; features]; features];
    for input in inputs.chunks(features) {
        for (row, &a) in moments.iter_mut().zip(input) {
            for (value, &b) in row.iter_mut().zip(input) {
                let share = 2.0 / (case.network.outputs * samples) as f64;
                *value += share * f64::from(a) * f64::from(b);
            }
        }
    }
    let largest = dominant(&moments);
    let mut shifted = moments.clone();
    for (at, row) in shifted.iter_mut().enumerate() {
        row[at] -= largest;
    }
    let smallest = largest + dominant(&shifted);
    let [_, table] = tables(&case, &settings(3, 2, samples));
    assert_eq!(table.schema.name, "landscape_curvature");
    assert_eq!(table.len(), 6);
    for row in 0..6 {
        let value = |column| table.real(row, column).expect("a number");
        assert!(close(value("lambda_max"), largest, 1e-3), "{largest}");
        assert!(close(value("lambda_min"), smallest, 1e-3), "{smallest}");
        assert!(close(value("ratio"), smallest / largest, 2e-3));
        assert_eq!(value("x"), -1.0 + 1.5 * (row % 3) as f64);
        assert_eq!(table.integer(row, "samples"), Some(samples as i64));
    }
}

#[test]
fn of_a_network_it_is_that_of_the_reference_and_is_kept() {
    let case = Case::digits("resnet8").keeping("curvature");
    let settings = settings(2, 3, 24);
    let [surface, table] = tables(&case, &settings);
    assert_eq!((surface.len(), table.len()), (4, 6));
    let course = case.course(&surface, 0);
    let mut negative = 0;
    for row in [0, 3, 5] {
        let parameters = course.parameters(&case.parameters, point(&table, row));
        let mut hessian = LossHessian::new(MeanLoss {
            network: &case.network,
            parameters: &parameters,
            state: &case.state,
            split: &case.dataset.train,
            samples: 24,
            loss: case.train.loss.loss(),
            mode: Mode::Evaluation,
            batch_size: 24,
            coordinates: Coordinates::Weights,
            precision: Precision::F64,
        });
        let dimension = hessian.dimension();
        let mut operator =
            |vector: &[f64], product: &mut [f64]| hessian.product(vector, product, &mut || Ok(()));
        let wanted = ExtremeSettings {
            tolerance: 1e-5,
            max_products: 300,
            ..ExtremeSettings::default()
        };
        let expected = extremes(&mut operator, dimension, None, &wanted, 3).expect("not stopped");
        let (top, bottom) = (expected.top[0].value, expected.bottom[0].value);
        let value = |column| table.real(row, column).expect("a number");
        let scale = top.abs().max(bottom.abs());
        assert!((value("lambda_max") - top).abs() < 1e-3 * scale, "{top}");
        assert!(
            (value("lambda_min") - bottom).abs() < 1e-3 * scale,
            "{bottom}"
        );
        assert_eq!(
            value("ratio"),
            (value("lambda_min") / value("lambda_max")).abs()
        );
        assert!(value("residual_max") <= 1e-3 * scale && value("residual_min") <= 1e-3 * scale);
        negative += usize::from(bottom < 0.0);
    }
    assert!(negative > 0);
    let again = case.look(&settings);
    assert_eq!((again.kept, again.done), (10, 10));
    assert_eq!(again.tables.expect("not stopped")[1], table);
}
