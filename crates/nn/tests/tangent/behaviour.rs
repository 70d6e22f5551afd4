//! What products keep to, whatever they are: symmetry, linearity, the same bits, refusals.

use reslab_nn::loss::{Batch, Loss, TargetsRef};
use reslab_nn::reference::Mode;
use reslab_nn::tangent::{TangentError, Tangents};

use super::{Case, SMALL, assert_near, network, numbers, without_kinks};

#[test]
fn the_hessian_is_symmetric_and_linear() {
    let network = without_kinks(network(r#"{"name": "resnet14", "width": 8}"#, SMALL));
    let case = Case::new(&network, 37, 6);
    let other = numbers(case.parameters.len(), 6, 7);
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b);
        products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    for mode in [Mode::Evaluation, Mode::Training] {
        let mut tangents = Tangents::new(&network, mode).unwrap();
        let loss = Loss::default();
        tangents
            .linearise_loss(&case.parameters, &case.state, &case.batch(), &loss)
            .unwrap();
        let mut product = |direction: &[f32]| {
            let mut product = vec![f32::NAN; direction.len()];
            tangents.hvp(direction, &mut product);
            product
        };
        let (of_one, of_other) = (product(&case.direction), product(&other));
        let (there, back) = (dot(&other, &of_one), dot(&case.direction, &of_other));
        let scale = dot(&of_one, &of_one).sqrt() * dot(&other, &other).sqrt();
        assert!(
            (there - back).abs() < 1e-6 * scale,
            "{mode:?}: {there} {back}"
        );
        let mixed: Vec<f32> = case
            .direction
            .iter()
            .zip(&other)
            .map(|(a, b)| 2.0 * a - 0.5 * b)
            .collect();
        let want: Vec<f64> = of_one
            .iter()
            .zip(&of_other)
            .map(|(&a, &b)| 2.0 * f64::from(a) - 0.5 * f64::from(b))
            .collect();
        assert_near("a linear map", &product(&mixed), &want, &want);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let gated = r#"{"depth": 8, "width": 4, "shortcut": "exclusive-gate"}"#;
    let pooled = r#"{"name": "resnet18", "width": 4}"#;
    let fully = r#"{"name": "fc-resnet4", "width": 24}"#;
    for (text, mode, len) in [
        (gated, Mode::Training, 75),
        (pooled, Mode::Evaluation, 33),
        (r#"{"name": "resnet8", "width": 16}"#, Mode::Training, 75),
        (r#"{"name": "resnet8", "width": 16}"#, Mode::Evaluation, 70),
        (fully, Mode::Training, 100),
    ] {
        let network = network(text, SMALL);
        let case = Case::new(&network, len, 8);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let found = case.products(mode, &Loss::default());
                let mut tangents = Tangents::new(&network, mode).unwrap();
                tangents.linearise(&case.parameters, &case.state, &case.inputs);
                let mut outputs = vec![0.0; len * 10];
                tangents.jvp(Some(&case.inputs), None, &mut outputs);
                let mut inputs = vec![0.0; case.inputs.len()];
                tangents.vjp(&outputs, &mut inputs);
                (found, outputs, inputs)
            })
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert!(run(threads) == one, "{text}: {threads} threads");
        }
    }
}

#[test]
fn a_point_leaves_nothing_behind_for_the_next() {
    let network = network(r#"{"name": "resnet8", "width": 8}"#, SMALL);
    let (long, short) = (Case::new(&network, 50, 1), Case::new(&network, 21, 2));
    for mode in [Mode::Evaluation, Mode::Training] {
        let want = short.products(mode, &Loss::default());
        let mut used = Tangents::new(&network, mode).unwrap();
        let mut found = None;
        for case in [&long, &short] {
            let loss = Loss::default();
            let result = used
                .linearise_loss(&case.parameters, &case.state, &case.batch(), &loss)
                .unwrap();
            let mut product = vec![f32::NAN; case.parameters.len()];
            used.hvp(&case.direction, &mut product);
            // Other products at the point change nothing.
            let cotangents = vec![1.0; used.outputs().len()];
            used.vjp(&cotangents, &mut vec![0.0; case.inputs.len()]);
            let mut again = vec![f32::NAN; case.parameters.len()];
            used.hvp(&case.direction, &mut again);
            assert!(product == again, "{mode:?}");
            let mean = result.loss_sum / case.classes.len() as f64;
            found = Some((mean, used.gradient().to_vec(), product));
        }
        assert!(found == Some(want), "{mode:?}");
    }
}

#[test]
fn noise_of_training_is_refused_by_its_place() {
    let dropped = network(
        r#"{"depth": 8, "width": 4, "stochastic_depth": 0.5}"#,
        SMALL,
    );
    let refused = Tangents::new(&dropped, Mode::Training).err();
    let Some(TangentError::Noise { place }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        dropped.blocks.iter().any(|block| block.name == place),
        "{place}"
    );
    assert!(Tangents::new(&dropped, Mode::Evaluation).is_ok());
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let network = network(r#"{"name": "resnet8", "width": 4}"#, SMALL);
    let case = Case::new(&network, 5, 1);
    let mut tangents = Tangents::new(&network, Mode::Evaluation).unwrap();
    for classes in [&[0, 1][..], &[0, 1, 2, 3, 10]] {
        let batch = Batch {
            targets: TargetsRef::Classes(classes),
            ..case.batch()
        };
        let found =
            tangents.linearise_loss(&case.parameters, &case.state, &batch, &Loss::default());
        assert!(matches!(found, Err(TangentError::Shape(_))), "{found:?}");
    }
}
