//! Reads the fixtures that `tests/fixtures/pytorch/make_pytorch.py` wrote, and holds an executor
//! against them. What each tensor means is told there.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array4;
use reslab_nn::families::{ModelSettings, build};
use reslab_nn::loss::Loss;
use reslab_nn::network::{Entry, Network, Shape};
use reslab_nn::reference::Tensor;
use safetensors::{Dtype, SafeTensors};

/// The fixtures there are.
pub const NAMES: [&str; 14] = [
    "plain20",
    "resnet20",
    "fc-plain6",
    "fc-resnet6",
    "fc-plain4-branch2",
    "fc-resnet4-branch2",
    "preact-bottleneck11",
    "grouped11",
    "exclusive-gate8",
    "shortcut-gate8",
    "scaled8",
    "wide10",
    "imagenet18",
    "textbook18",
];

/// One network on one batch, with what PyTorch computed.
pub struct Fixture {
    pub name: &'static str,
    pub network: Network,
    pub parameters: Vec<f64>,
    /// Channels last.
    pub inputs: Tensor<f64>,
    pub classes: Vec<u32>,
    pub loss: Loss,
    sgd: Sgd,
    tensors: BTreeMap<String, Vec<f64>>,
}

#[derive(serde::Deserialize)]
struct Sgd {
    lr: f64,
    momentum: f64,
    weight_decay: f64,
}

impl Fixture {
    pub fn load(name: &'static str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pytorch");
        let path = Path::new(folder).join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = metadata.metadata().clone().unwrap();
        let tensors: BTreeMap<String, Vec<f64>> = file
            .iter()
            .map(|(name, view)| (name.to_owned(), numbers(view.dtype(), view.data())))
            .collect();

        let dim: [usize; 4] = file.tensor("inputs").unwrap().shape().try_into().unwrap();
        let inputs = Array4::from_shape_vec(dim, tensors["inputs"].clone()).unwrap();
        let inputs = inputs
            .permuted_axes([0, 2, 3, 1])
            .as_standard_layout()
            .into_owned();
        let outputs = tensors["logits"].len() / dim[0];
        let model: ModelSettings = serde_json::from_str(&metadata["model"]).unwrap();
        let network = build(&model, Shape::new(dim[1], dim[2], dim[3]), outputs).unwrap();
        let parameters = gather(&network.layout.parameters, &tensors, "parameter");
        Self {
            name,
            parameters,
            inputs,
            classes: tensors["labels"]
                .iter()
                .map(|&class| class as u32)
                .collect(),
            loss: serde_json::from_str(&metadata["loss"]).unwrap(),
            sgd: serde_json::from_str(&metadata["sgd"]).unwrap(),
            network,
            tensors,
        }
    }

    /// Compares an arena of parameters, such as a gradient, with the tensors `prefix.NAME`.
    pub fn check_parameters(&self, prefix: &str, found: &[f64], tolerance: f64) {
        self.check_arena(&self.network.layout.parameters, prefix, found, tolerance);
    }

    /// Compares an arena of running statistics with the tensors `prefix.NAME`.
    pub fn check_state(&self, prefix: &str, found: &[f64], tolerance: f64) {
        self.check_arena(&self.network.layout.state, prefix, found, tolerance);
    }

    /// Compares one tensor.
    pub fn check(&self, name: &str, found: &[f64], tolerance: f64) {
        let error = relative_error(found, &self.tensors[name], 0.0);
        assert!(
            error <= tolerance,
            "{}: {name} is off by {error:e} relative",
            self.name
        );
        println!("{}: {name} agrees to {error:.1e}", self.name);
    }

    /// Compares the gradient with respect to the inputs, which has PyTorch's order of dimensions.
    pub fn check_input_gradient(&self, found: &Tensor<f64>, tolerance: f64) {
        let found: Vec<f64> = found
            .view()
            .permuted_axes([0, 3, 1, 2])
            .iter()
            .copied()
            .collect();
        self.check("gradient_input", &found, tolerance);
    }

    /// Ten steps of SGD with momentum and L2 weight decay, in plain arithmetic, compared step by
    /// step. `gradient` gives the loss and the gradient at the parameters it is given.
    pub fn check_descent(
        &self,
        tolerance: f64,
        mut gradient: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    ) {
        let mut parameters = self.parameters.clone();
        let mut velocity = vec![0.0; parameters.len()];
        for (step, expected) in self.tensors["losses"].iter().enumerate() {
            let (loss, gradient) = gradient(&parameters);
            let error = (loss - expected).abs() / expected.abs();
            assert!(
                error <= tolerance,
                "{}: loss of step {step} off by {error:e}",
                self.name
            );
            for ((p, v), g) in parameters.iter_mut().zip(&mut velocity).zip(gradient) {
                *v = self.sgd.momentum * *v + g + self.sgd.weight_decay * *p;
                *p -= self.sgd.lr * *v;
            }
        }
        self.check_parameters("final", &parameters, tolerance);
    }

    fn check_arena(&self, entries: &[Entry], prefix: &str, found: &[f64], tolerance: f64) {
        let expected = gather(entries, &self.tensors, prefix);
        assert_eq!(found.len(), expected.len());
        // A tensor counts as no smaller than a hundredth of the arena's root mean square. Some
        // gradients are zero but for rounding (a shift that the next batch norm takes away, its
        // parts as large as others): those are judged by the whole of it.
        let mean = norm(&expected) / (expected.len() as f64).sqrt();
        let errors = entries.iter().map(|entry| {
            let floor = mean * (entry.slot.len as f64).sqrt();
            let is_rounding = norm(entry.slot.of(&expected)) < 1e-9 * floor;
            let floor = if is_rounding { floor } else { 1e-2 * floor };
            (
                relative_error(entry.slot.of(found), entry.slot.of(&expected), floor),
                &entry.name,
            )
        });
        let worst = errors.max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((error, name)) = worst {
            assert!(
                error <= tolerance,
                "{}: the worst of the tensors is {prefix}.{name}, off by {error:e} relative",
                self.name
            );
            println!(
                "{}: {prefix} agrees to {error:.1e}, worst {name}",
                self.name
            );
        }
    }
}

/// ‖found − expected‖ / max(‖expected‖, floor), infinite where it is no number.
pub fn relative_error(found: &[f64], expected: &[f64], floor: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let differences: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    let error = norm(&differences) / norm(expected).max(floor);
    if error.is_nan() { f64::INFINITY } else { error }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn gather(entries: &[Entry], tensors: &BTreeMap<String, Vec<f64>>, prefix: &str) -> Vec<f64> {
    entries
        .iter()
        .flat_map(|entry| {
            let name = format!("{prefix}.{}", entry.name);
            let values = tensors
                .get(&name)
                .unwrap_or_else(|| panic!("PyTorch has no {name}"));
            assert_eq!(values.len(), entry.slot.len, "{name}");
            values.clone()
        })
        .collect()
}

fn numbers(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        Dtype::F64 => words(bytes).map(f64::from_le_bytes).collect(),
        Dtype::F32 => words(bytes)
            .map(|word| f64::from(f32::from_le_bytes(word)))
            .collect(),
        Dtype::I64 => words(bytes)
            .map(|word| i64::from_le_bytes(word) as f64)
            .collect(),
        other => panic!("The fixtures hold no {other:?}."),
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
