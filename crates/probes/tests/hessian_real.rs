//! Curvature of published ResNet-20 weights against PyTorch's double backward in float64
//! (`tests/fixtures/pytorch/make_hessian.py`), where `RESLAB_DATA` names a folder with CIFAR-10 and
//! with `weights/resnet20-*.th`; skipped elsewhere.

use std::path::PathBuf;

use reslab_nn::data::{self, DataName, DataSettings, Normalize, Places};
use reslab_nn::families::{build, named};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::loss::Loss;
use reslab_nn::reference::Mode;
use reslab_probes::hessian::{
    Coordinates, ExtremeSettings, LossHessian, MeanLoss, Precision, extremes,
};
use reslab_probes::lanczos::norm;

/// What PyTorch found.
#[derive(serde::Deserialize)]
struct Fixture {
    loss: f64,
    gradient_norm: f64,
    /// The two largest.
    eigenvalues: Vec<Value>,
}

#[derive(serde::Deserialize)]
struct Value {
    value: f64,
}

/// The file of weights, or `None`.
fn weights() -> Option<PathBuf> {
    let root = Places::from_environment().reslab_data?;
    let files = std::fs::read_dir(root.join("weights")).ok()?;
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("resnet20-")
    };
    let found = paths.into_iter().find(is_wanted);
    found.filter(|_| root.join("cifar-10-batches-bin").is_dir())
}

#[test]
fn published_weights_have_pytorchs_eigenvalues() {
    let Some(path) = weights() else {
        println!("skipped: RESLAB_DATA names no folder with CIFAR-10 and weights/resnet20-*.th");
        return;
    };
    let text = include_str!("../../../tests/fixtures/pytorch/hessian.json");
    let expected: Fixture = serde_json::from_str(text).expect("the fixture");
    let settings = DataSettings {
        name: DataName::Cifar10,
        test_limit: Some(1),
        normalize: Normalize::Imagenet,
        ..DataSettings::default()
    };
    let dataset = data::load(&settings).expect("CIFAR-10");
    let network = build(
        &named("resnet20").expect("a name"),
        dataset.shape,
        dataset.outputs,
    )
    .expect("ResNet-20");
    let mut parameters = vec![f32::NAN; network.layout.parameter_count()];
    let mut state = vec![f32::NAN; network.layout.state_count()];
    let file = WeightsFile::read(&path).expect("weights");
    file.assign(&network, Head::Keep, &mut parameters, &mut state)
        .expect("weights of ResNet-20");
    let mut hessian = LossHessian::new(MeanLoss {
        network: &network,
        parameters: &parameters,
        state: &state,
        split: &dataset.train,
        samples: 200,
        loss: Loss::default(),
        mode: Mode::Evaluation,
        batch_size: 64,
        coordinates: Coordinates::All,
        precision: Precision::F32,
    });
    let near = |what: &str, found: f64, expected: f64, tolerance: f64| {
        println!("{what}: {found}, PyTorch {expected}");
        assert!((found - expected).abs() <= tolerance, "{what}");
    };
    let slope = hessian.slope(&mut || Ok(())).expect("a gradient");
    near("loss", slope.loss, expected.loss, 1e-5 * expected.loss);
    let length = norm(&slope.gradient);
    near(
        "gradient",
        length,
        expected.gradient_norm,
        1e-4 * expected.gradient_norm,
    );
    let dimension = hessian.dimension();
    let mut operator = |v: &[f64], out: &mut [f64]| hessian.product(v, out, &mut || Ok(()));
    let settings = ExtremeSettings {
        top: 2,
        bottom: 0,
        tolerance: 1e-5,
        ..ExtremeSettings::default()
    };
    let found = extremes(
        &mut operator,
        dimension,
        Some(&slope.gradient),
        &settings,
        1,
    )
    .expect("eigenvalues");
    println!("{} products", found.products);
    assert!(found.converged);
    for (rank, value) in expected.eigenvalues.iter().enumerate() {
        let largest = value.value;
        near(
            &format!("eigenvalue {}", rank + 1),
            found.top[rank].value,
            largest,
            1e-4 * largest,
        );
    }
}
