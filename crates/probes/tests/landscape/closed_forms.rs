//! Surfaces whose every point is known.

use reslab_nn::data::{SyntheticKind, Targets};
use reslab_nn::train::LossKind;
use reslab_probes::landscape::{
    LandscapeSettings, LineSettings, Normalisation, PlaneSettings, Point, Way,
};

use crate::support::{Case, close, plane, point};

/// Mean loss of a linear network in `f64`, written out.
fn closed_form(case: &Case, parameters: &[f64]) -> f64 {
    let (features, outputs) = (case.network.input.len(), case.network.outputs);
    let (weights, offsets) = parameters.split_at(features * outputs);
    let split = &case.dataset.train;
    let samples = split.inputs.chunks(features).enumerate();
    let loss = |(sample, inputs): (usize, &[f32])| {
        let output = |k: usize| {
            let row = weights[k * features..(k + 1) * features].iter();
            let products = row.zip(inputs).map(|(w, &x)| w * f64::from(x));
            products.sum::<f64>() + offsets[k]
        };
        let outputs: Vec<f64> = (0..outputs).map(output).collect();
        match &split.targets {
            Targets::Classes(classes) => {
                let sum: f64 = outputs.iter().map(|z| z.exp()).sum();
                sum.ln() - outputs[classes[sample] as usize]
            }
            Targets::Values { dimensions, values } => {
                let values = &values[sample * dimensions..(sample + 1) * dimensions];
                let squares = outputs
                    .iter()
                    .zip(values)
                    .map(|(z, &t)| (z - f64::from(t)).powi(2));
                squares.sum::<f64>() / *dimensions as f64
            }
        }
    };
    samples.map(loss).sum::<f64>() / split.len as f64
}

/// `θ + x d₁ + y d₂` in `f64`.
fn at(case: &Case, way: &Way, point: Point) -> Vec<f64> {
    let Way::Along(axes) = way else {
        panic!("directions")
    };
    let places = [Some(point.x), point.y];
    let mut parameters: Vec<f64> = case.parameters.iter().map(|&v| f64::from(v)).collect();
    for (axis, place) in axes.iter().zip(places) {
        for (value, &step) in parameters.iter_mut().zip(axis) {
            *value += place.expect("as many places as axes") * f64::from(step);
        }
    }
    parameters
}

fn models() -> [Case; 2] {
    [
        Case::linear(SyntheticKind::Teacher, LossKind::SquaredError),
        Case::linear(SyntheticKind::Clusters, LossKind::CrossEntropy),
    ]
}

#[test]
fn a_plane_that_is_not_square_has_its_axes_the_right_way_round() {
    for (number, case) in models().into_iter().enumerate() {
        let case = case.keeping(&format!("axes-{number}"));
        for normalisation in [
            Normalisation::Filter,
            Normalisation::Layer,
            Normalisation::None,
        ] {
            for one_dimensional in [false, true] {
                let settings = LandscapeSettings {
                    normalisation,
                    one_dimensional,
                    ..plane(3, 7)
                };
                let table = case.table(&settings);
                assert_eq!(table.len(), 21);
                let course = case.course(&table, 0);
                let mut unlike = 0;
                for row in 0..table.len() {
                    let place = point(&table, row);
                    // x runs first, over its own range.
                    let (x, y) = (row % 3, row / 3);
                    assert_eq!(place.x, -1.0 + 1.5 * x as f64);
                    assert!(
                        (place.y.expect("a plane") - (-0.75 + 1.25 / 6.0 * y as f64)).abs() < 1e-12
                    );
                    let found = table.real(row, "loss").expect("a number");
                    let expected = closed_form(&case, &at(&case, &course.way, place));
                    assert!(close(found, expected, 2e-6), "{found}, not {expected}");
                    let turned = Point {
                        x: place.y.expect("a plane"),
                        y: Some(place.x),
                    };
                    let turned = closed_form(&case, &at(&case, &course.way, turned));
                    unlike += usize::from(!close(turned, expected, 1e-2));
                }
                // The surface tells the axes apart.
                assert!(unlike > 14, "{unlike}");
            }
        }
    }
}

#[test]
fn lines_and_their_draws_equal_the_closed_form() {
    for (number, case) in models().into_iter().enumerate() {
        let case = case.keeping(&format!("lines-{number}"));
        let settings = LandscapeSettings {
            line: Some(LineSettings {
                points: 9,
                draws: 3,
                ..LineSettings::default()
            }),
            ..LandscapeSettings::default()
        };
        let table = case.table(&settings);
        assert_eq!(table.len(), 27);
        for row in 0..table.len() {
            let course = case.course(&table, row);
            let place = point(&table, row);
            assert_eq!(place.y, None);
            assert_eq!(table.integer(row, "draw"), Some(row as i64 / 9));
            let found = table.real(row, "loss").expect("a number");
            let expected = closed_form(&case, &at(&case, &course.way, place));
            assert!(close(found, expected, 2e-6), "{found}, not {expected}");
        }
        let centre = closed_form(
            &case,
            &at(
                &case,
                &case.course(&table, 0).way,
                Point { x: 0.0, y: None },
            ),
        );
        let middle = table.real(4, "loss").expect("a number");
        assert!(close(middle, centre, 2e-6));
        // Draws are different directions, and those of a plane begin with that of the line.
        let names: std::collections::BTreeSet<_> =
            (0..27).map(|row| table.text(row, "directions")).collect();
        assert_eq!(names.len(), 3);
        let settings = LandscapeSettings {
            plane: Some(PlaneSettings {
                draws: 1,
                ..plane(3, 2).plane.expect("a plane")
            }),
            ..LandscapeSettings::default()
        };
        let of_plane = case.table(&settings);
        let axes = |way: Way| match way {
            Way::Along(axes) => axes,
            Way::Towards { .. } => panic!("directions"),
        };
        let (line, plane) = (
            axes(case.course(&table, 0).way),
            axes(case.course(&of_plane, 0).way),
        );
        assert_eq!(line[0], plane[0]);
        assert_ne!(plane[0], plane[1]);
    }
}

#[test]
fn a_surface_that_leaves_the_numbers_has_infinite_places_and_is_whole() {
    let mut case = Case::linear(SyntheticKind::Teacher, LossKind::SquaredError);
    case.parameters.iter_mut().for_each(|value| *value *= 3e37);
    let table = case.table(&plane(3, 2));
    assert_eq!(table.len(), 6);
    let losses: Vec<f64> = (0..6)
        .map(|row| table.real(row, "loss").expect("a cell"))
        .collect();
    assert!(losses.iter().any(|loss| !loss.is_finite()), "{losses:?}");
}
