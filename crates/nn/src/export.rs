//! Weights out: a network's numbers in a file that PyTorch reads.
//!
//! Names, layouts and buffers are those of a `state_dict`, so that
//! `model.load_state_dict(safetensors.torch.load_file(FILE))` is content, strictly.

use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::network::{Entry, Network, Role, Slot};

/// The network as the bytes of a safetensors file: one tensor for each entry of the layout, and
/// `num_batches_tracked`, int64, for each batch norm: `batches`, how many its running statistics
/// saw. Equal networks give equal bytes.
///
/// # Panics
///
/// If the vectors are not arenas of the network.
pub fn safetensors(network: &Network, parameters: &[f32], state: &[f32], batches: u64) -> Vec<u8> {
    let layout = &network.layout;
    assert_eq!(
        parameters.len(),
        layout.parameter_count(),
        "the parameter arena"
    );
    assert_eq!(state.len(), layout.state_count(), "the state arena");
    let tensor = |entry: &Entry, arena: &[f32]| {
        (
            entry.name.clone(),
            Dtype::F32,
            entry.shape.clone(),
            bytes(entry.slot, arena),
        )
    };
    let parameters = layout
        .parameters
        .iter()
        .map(|entry| tensor(entry, parameters));
    let statistics = layout.state.iter().map(|entry| tensor(entry, state));
    let counters = layout
        .state
        .iter()
        .filter(|entry| entry.role == Role::RunningMean)
        .map(|entry| {
            let layer = entry.name.rsplit_once('.').map_or("", |(layer, _)| layer);
            let count = i64::try_from(batches).unwrap_or(i64::MAX);
            let name = format!("{layer}.num_batches_tracked");
            (name, Dtype::I64, Vec::new(), count.to_le_bytes().to_vec())
        });
    written(
        &parameters
            .chain(statistics)
            .chain(counters)
            .collect::<Vec<_>>(),
    )
}

/// Vectors of the parameter arena, such as directions, as the bytes of a safetensors file: for each
/// `(prefix, vector)` one tensor `prefix.NAME` for each parameter.
///
/// # Panics
///
/// If a vector is not one of the parameter arena.
pub fn vectors(network: &Network, vectors: &[(&str, &[f32])]) -> Vec<u8> {
    let layout = &network.layout;
    let mut tensors = Vec::new();
    for (prefix, vector) in vectors {
        assert_eq!(
            vector.len(),
            layout.parameter_count(),
            "one number a parameter"
        );
        for entry in &layout.parameters {
            let name = format!("{prefix}.{}", entry.name);
            tensors.push((
                name,
                Dtype::F32,
                entry.shape.clone(),
                bytes(entry.slot, vector),
            ));
        }
    }
    written(&tensors)
}

/// Part of an arena, little-endian.
fn bytes(slot: Slot, arena: &[f32]) -> Vec<u8> {
    let values = slot.of(arena).iter();
    values.flat_map(|value| value.to_le_bytes()).collect()
}

/// A file of tensors: name, kind of number, dimensions and bytes of each.
fn written(tensors: &[(String, Dtype, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data);
        (
            name,
            view.expect("each shape has as many numbers as its values"),
        )
    });
    // What Hugging Face's readers ask for.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    serialize(views, Some(metadata)).expect("names and shapes are plain text and numbers")
}
