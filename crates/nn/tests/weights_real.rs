//! Other people's networks on the real CIFAR-10, where `RESLAB_DATA` names a folder with the
//! data and with `weights/*.th`; skipped elsewhere.

use std::path::PathBuf;

use reslab_nn::data::{self, DataName, DataSettings, Normalize, Places};
use reslab_nn::engine::{Engine, Loss};
use reslab_nn::families::{build, named};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::train::{EVALUATION_BATCH, score};

/// The file of a network's weights, or `None` after saying so.
fn real(prefix: &str) -> Option<PathBuf> {
    let root = Places::from_environment().reslab_data?;
    let files = std::fs::read_dir(root.join("weights")).ok()?;
    let wanted = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    let found = files
        .filter_map(|file| Some(file.ok()?.path()))
        .find(wanted);
    found.filter(|_| root.join("cifar-10-batches-bin").is_dir())
}

/// akamaster/pytorch_resnet_cifar10 publishes 8.27 % and 7.37 %; the losses are PyTorch's.
#[test]
fn published_networks_make_their_published_errors() {
    let settings = DataSettings {
        name: DataName::Cifar10,
        train_limit: Some(1),
        normalize: Normalize::Imagenet,
        ..DataSettings::default()
    };
    for (name, wrong, loss) in [("resnet20", 827, 0.37266), ("resnet32", 737, 0.37410)] {
        let Some(path) = real(&format!("{name}-")) else {
            println!("skipped: RESLAB_DATA names no folder with CIFAR-10 and weights/{name}-*.th");
            return;
        };
        let dataset = data::load(&settings).unwrap();
        let network = build(&named(name).unwrap(), dataset.shape, dataset.outputs).unwrap();
        let mut parameters = vec![f32::NAN; network.layout.parameter_count()];
        let mut state = vec![f32::NAN; network.layout.state_count()];
        let file = WeightsFile::read(&path).unwrap();
        file.assign(&network, Head::Keep, &mut parameters, &mut state)
            .unwrap();
        let mut engine = Engine::for_evaluation(&network, EVALUATION_BATCH).unwrap();
        let (test, cross_entropy) = (&dataset.test, Loss::default());
        let batch = EVALUATION_BATCH;
        let found = score(
            &mut engine,
            &parameters,
            &state,
            test,
            10,
            &cross_entropy,
            batch,
        );
        let found_wrong = found.classification.unwrap().wrong;
        println!("{name}: {found_wrong} wrong, loss {:.6}", found.loss);
        assert!(
            found_wrong.abs_diff(wrong) <= 1,
            "{name}: {found_wrong} wrong"
        );
        assert!(
            (found.loss - loss).abs() < 1e-4,
            "{name}: loss {}",
            found.loss
        );
    }
}
