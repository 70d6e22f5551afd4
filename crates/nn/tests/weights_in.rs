//! Files that PyTorch wrote (`tests/fixtures/pytorch/make_weights.py` tells how) are read to the
//! numbers that PyTorch has; what does not fit is listed; damaged files are errors, not faults.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use reslab_nn::engine::{Batch, Engine, Loss, TargetsRef};
use reslab_nn::export;
use reslab_nn::families::{InitSettings, WrittenModel, build, initialize};
use reslab_nn::import::{Head, ImportError, Mismatch, WeightsFile};
use reslab_nn::network::{Network, Shape};
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/pytorch/weights")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    let path = fixture(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn resnet8(width: usize, outputs: usize) -> Network {
    let written = WrittenModel {
        depth: Some(8),
        width: Some(width),
        ..WrittenModel::default()
    };
    build(&written.resolve().unwrap(), Shape::new(3, 8, 8), outputs).unwrap()
}

/// Parameters and state that a file gives the network; every number is the file's.
fn assigned(file: &WeightsFile, network: &Network) -> Result<(Vec<f32>, Vec<f32>), ImportError> {
    let mut parameters = vec![f32::NAN; network.layout.parameter_count()];
    let mut state = vec![f32::NAN; network.layout.state_count()];
    file.assign(network, Head::Keep, &mut parameters, &mut state)?;
    Ok((parameters, state))
}

/// What PyTorch's own safetensors hold, laid out without any code of ours but the layout.
fn truth(network: &Network) -> (Vec<f32>, Vec<f32>) {
    let bytes = bytes("plain.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let gather = |entries: &[reslab_nn::network::Entry]| -> Vec<f32> {
        let tensors = entries
            .iter()
            .map(|entry| file.tensor(&entry.name).unwrap());
        let numbers = |tensor: safetensors::tensor::TensorView<'_>| -> Vec<f32> {
            let chunks = tensor.data().chunks_exact(4);
            chunks
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        };
        tensors.flat_map(numbers).collect()
    };
    (
        gather(&network.layout.parameters),
        gather(&network.layout.state),
    )
}

#[test]
fn every_form_gives_pytorchs_numbers() {
    let network = resnet8(2, 3);
    let truth = truth(&network);
    let names = [
        "plain.safetensors",
        "double.safetensors",
        "zip.pt",
        "stream.th",
        "wrapped.th",
        "strided.pt",
    ];
    for name in names {
        let file = WeightsFile::read(&fixture(name)).unwrap();
        let found = assigned(&file, &network).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, truth, "{name}");
        assert_eq!(file.sha256().len(), 64);
    }
}

#[test]
fn half_precision_is_rounded_as_pytorch_rounds() {
    let network = resnet8(2, 3);
    let truth = truth(&network);
    type Round = fn(f32) -> f32;
    let cases: [(&str, Round); 2] = [
        ("half.pt", |x| half::f16::from_f32(x).to_f32()),
        ("bfloat16.th", |x| half::bf16::from_f32(x).to_f32()),
    ];
    for (name, round) in cases {
        let rounded = |values: &[f32]| values.iter().map(|&x| round(x)).collect::<Vec<f32>>();
        let file = WeightsFile::read(&fixture(name)).unwrap();
        let found = assigned(&file, &network).unwrap();
        assert_eq!(found, (rounded(&truth.0), rounded(&truth.1)), "{name}");
    }
}

#[test]
fn the_oldest_way_to_rebuild_a_tensor_is_read() {
    let (old, new) = (b"_rebuild_tensor\n", b"_rebuild_tensor_v2\n");
    let mut stream = bytes("stream.th");
    let at = stream
        .windows(new.len())
        .position(|part| part == new)
        .expect("PyTorch's name");
    stream.splice(at..at + new.len(), old.iter().copied());
    let network = resnet8(2, 3);
    let file = WeightsFile::from_bytes(Path::new("old.th"), stream).unwrap();
    assert_eq!(assigned(&file, &network).unwrap(), truth(&network));
}

#[test]
fn imported_weights_give_pytorchs_outputs() {
    let network = resnet8(2, 3);
    let file = WeightsFile::read(&fixture("wrapped.th")).unwrap();
    let (parameters, state) = assigned(&file, &network).unwrap();
    let batch = bytes("batch.safetensors");
    let batch = SafeTensors::deserialize(&batch).unwrap();
    let inputs = batch.tensor("inputs").unwrap();
    let planes: Vec<f32> = inputs
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    // (N, C, H, W) to (N, H, W, C).
    let pixels = (0..4 * 64 * 3).map(|i| planes[(i / 192) * 192 + (i % 3) * 64 + i / 3 % 64]);
    let pixels: Vec<f32> = pixels.collect();
    let mut engine = Engine::for_evaluation(&network, 4).unwrap();
    let batch_of = Batch {
        inputs: &pixels,
        targets: TargetsRef::Classes(&[0; 4]),
        len: 4,
        noise: reslab_nn::noise::Noise::default(),
    };
    engine.evaluate(&parameters, &state, &batch_of, &Loss::default());
    let logits = batch.tensor("logits").unwrap();
    let logits = logits
        .data()
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap()));
    for (found, expected) in engine.logits().iter().zip(logits) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-5,
            "{found} {expected}"
        );
    }
}

#[test]
fn all_that_does_not_fit_is_listed() {
    let mismatch = |name: &str, network: &Network| -> Mismatch {
        let file = WeightsFile::read(&fixture(name)).unwrap();
        match assigned(&file, network) {
            Err(ImportError::Mismatch(mismatch)) => *mismatch,
            other => panic!("{other:?}"),
        }
    };
    let other_classes = mismatch("wrapped.th", &resnet8(2, 5));
    let reshaped = [
        ("module.linear.weight".to_owned(), vec![3, 8], vec![5, 8]),
        ("module.linear.bias".to_owned(), vec![3], vec![5]),
    ];
    assert_eq!(other_classes.reshaped, reshaped);
    assert!(other_classes.missing.is_empty() && other_classes.left_over.is_empty());
    let text = other_classes.to_string();
    assert!(
        text.contains("module.linear.weight is [3, 8], the network's is [5, 8]"),
        "{text}"
    );

    let written = WrittenModel {
        depth: Some(14),
        width: Some(2),
        ..WrittenModel::default()
    };
    let deeper = build(&written.resolve().unwrap(), Shape::new(3, 8, 8), 3).unwrap();
    let missing = mismatch("zip.pt", &deeper).missing;
    assert_eq!(
        missing.len(),
        3 * 2 * 5,
        "one more block a stage, five tensors a layer"
    );
    assert!(missing.contains(&("layer3.1.bn2.running_var".to_owned(), vec![8])));

    let written = WrittenModel {
        batch_norm: Some(false),
        depth: Some(8),
        width: Some(2),
        ..WrittenModel::default()
    };
    let without_norms = build(&written.resolve().unwrap(), Shape::new(3, 8, 8), 3).unwrap();
    let found = mismatch("zip.pt", &without_norms);
    assert_eq!(
        (found.missing.len(), found.left_over.len()),
        (7, 7 * 4),
        "{found}"
    );
    assert!(!found.to_string().contains("num_batches_tracked"));
}

#[test]
fn a_replaced_head_stays_what_it_was() {
    let network = resnet8(2, 5);
    let file = WeightsFile::read(&fixture("strided.pt")).unwrap();
    let fresh = initialize(&network, &InitSettings::default(), 1);
    let (mut parameters, mut state) = (fresh.clone(), network.layout.initial_state());
    file.assign(&network, Head::Replace, &mut parameters, &mut state)
        .unwrap();
    for entry in &network.layout.parameters {
        let kept = entry.slot.of(&parameters) == entry.slot.of(&fresh);
        assert_eq!(kept, entry.name.starts_with("linear."), "{}", entry.name);
    }
}

#[test]
fn a_file_that_asks_for_more_than_tensors_is_refused_by_name() {
    match WeightsFile::read(&fixture("object.pt")) {
        Err(ImportError::Refused { global, .. }) => assert_eq!(global, "make_pytorch.Cifar"),
        other => panic!("{other:?}"),
    }
    // A pickle that would run a program in Python.
    let evil = b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00true\x85R.".to_vec();
    let error = WeightsFile::from_bytes(Path::new("evil.pt"), evil)
        .unwrap_err()
        .to_string();
    assert!(error.contains("evil.pt ask for `posix.system`"), "{error}");
}

#[test]
fn what_is_no_file_of_weights_is_told() {
    let read = |bytes: &[u8]| {
        WeightsFile::from_bytes(Path::new("some.pt"), bytes.to_vec())
            .unwrap_err()
            .to_string()
    };
    for bytes in [&b""[..], b"hello", b"{\"a\": 1}"] {
        assert!(
            read(bytes).starts_with("some.pt is not a file of weights"),
            "{}",
            read(bytes)
        );
    }
    let no_tensors = b"\x80\x02}X\x01\x00\x00\x00aK\x01s.";
    assert!(
        read(no_tensors).contains("not one of PyTorch's"),
        "{}",
        read(no_tensors)
    );
    let missing = WeightsFile::read(Path::new("nowhere/some.pt"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("nowhere/some.pt could not be read"),
        "{missing}"
    );
}

#[test]
fn exported_weights_come_back_with_the_same_bits() {
    let network = resnet8(2, 3);
    let truth = truth(&network);
    let bytes = export::safetensors(&network, &truth.0, &truth.1, 7);
    let file = WeightsFile::from_bytes(Path::new("out.safetensors"), bytes.clone()).unwrap();
    assert_eq!(assigned(&file, &network).unwrap(), truth);
    // PyTorch's own file of the same network has the very names and shapes.
    let own = self::bytes("plain.safetensors");
    let (own, out) = (
        SafeTensors::deserialize(&own).unwrap(),
        SafeTensors::deserialize(&bytes).unwrap(),
    );
    let names = |file: &SafeTensors<'_>| {
        let mut names: Vec<_> = file
            .iter()
            .map(|(name, view)| (name.to_owned(), view.dtype(), view.shape().to_vec()))
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names
    };
    assert_eq!(names(&out), names(&own));
    let counter = out.tensor("bn1.num_batches_tracked").unwrap();
    assert_eq!(counter.data(), 7_i64.to_le_bytes());
}

const FORMS: [&str; 4] = ["zip.pt", "wrapped.th", "strided.pt", "plain.safetensors"];

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    let network = resnet8(2, 3);
    for name in FORMS {
        let whole = bytes(name);
        for end in (0..whole.len()).step_by(7) {
            let cut = WeightsFile::from_bytes(Path::new(name), whole[..end].to_vec());
            let error = cut.and_then(|file| assigned(&file, &network)).err();
            let error = error.unwrap_or_else(|| panic!("{name} was read from {end} bytes"));
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Corruption is an error or gives other numbers: it never is a fault or endless.
    #[test]
    fn corrupt_files_do_no_harm(
        form in 0_usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = bytes(FORMS[form]);
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let network = resnet8(2, 3);
        if let Ok(file) = WeightsFile::from_bytes(Path::new("corrupt"), bytes)
            && let Ok((parameters, _)) = assigned(&file, &network)
        {
            prop_assert!(parameters.iter().all(|value| value.is_finite()));
        }
    }

    /// Random programs for the pickle machine end.
    #[test]
    fn random_pickles_do_no_harm(mut program in prop::collection::vec(
        prop::sample::select(b"()]}NKXJq\x00h\x00tlaesu0122\x85\x86\x87R.Q\x94\x01\x02c\n".to_vec()), 0..200)) {
        program.splice(0..0, *b"\x80\x02");
        let _ = WeightsFile::from_bytes(Path::new("random"), program);
    }
}

/// One header in 32 has a length whose first byte is also that of a pickle.
#[test]
fn a_header_of_any_length_is_that_of_safetensors() {
    let mut like_a_pickle = 0;
    for length in 1..300 {
        let name = "w".repeat(length);
        let data = 1.5_f32.to_le_bytes();
        let view =
            safetensors::tensor::TensorView::new(safetensors::tensor::Dtype::F32, vec![1], &data)
                .unwrap();
        let bytes = safetensors::tensor::serialize([(name, view)], None).unwrap();
        like_a_pickle += usize::from(bytes[0] == 0x80);
        let file = WeightsFile::from_bytes(Path::new("w.safetensors"), bytes).unwrap();
        assert_eq!(file.tensors().len(), 1);
    }
    assert!(like_a_pickle > 0);
}
