//! The three containers: PyTorch's zip, PyTorch's older stream, and safetensors.
//!
//! Each reader finds the tensors of a file and where their bytes lie in it; no number is copied.
//!
//! - **zip** (`torch.save` since 1.6): stored members `NAME/data.pkl` and `NAME/data/KEY`.
//! - **stream** (before, or `_use_new_zipfile_serialization=False`): pickles of a magic number, a
//!   protocol number, sizes of types, the object, and the storages' keys; then each storage, its
//!   length in 8 bytes first.

use std::collections::HashMap;
use std::ops::Range;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype as SafeDtype;

use super::archive;
use super::machine;
use super::pickle::{Fault, Pickle, Record, Storage, Value};
use super::tensor::{Dtype, Tensor, row_major};

/// Tensors in the order of the file.
pub(super) type Named = Vec<(String, Tensor)>;

/// First number of the older stream.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// Keys under which training scripts put the state_dict in a checkpoint.
const STATE_DICT_KEYS: [&str; 7] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
];

/// The tensors of a file, or `None` if it is in none of the formats.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Named>, Fault> {
    match bytes {
        [b'P', b'K', 3, 4, ..] => read_zip(bytes).map(Some),
        // Asked before pickles: the length of a header may begin with their first byte.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => read_safetensors(bytes).map(Some),
        [0x80, ..] => read_stream(bytes).map(Some),
        // Eight bytes of length, then the header's JSON.
        [_, _, _, _, _, _, _, _, b'{', ..] => read_safetensors(bytes).map(Some),
        _ => Ok(None),
    }
}

fn read_zip(bytes: &[u8]) -> Result<Named, Fault> {
    let members = archive::members(bytes)?;
    let pickle = members
        .keys()
        .find_map(|name| Some(name.strip_suffix("data.pkl")?.to_owned()));
    let folder = pickle.ok_or("it is an archive, but has no data.pkl".to_owned())?;
    if let Some(order) = members.get(&format!("{folder}byteorder"))
        && &bytes[order.clone()] != b"little"
    {
        return Err(Fault::Damaged("its numbers are big-endian".to_owned()));
    }
    let Range { start, end } = members[&format!("{folder}data.pkl")];
    let pickle = machine::read(&bytes[..end], &mut { start })?;
    let place = |storage: &Storage| {
        let range = members
            .get(&format!("{folder}data/{}", storage.key))
            .cloned();
        range.ok_or_else(|| format!("its storage {} is missing", storage.key))
    };
    tensors(&pickle, &place)
}

fn read_stream(bytes: &[u8]) -> Result<Named, Fault> {
    let at = &mut 0;
    let magic = machine::read(bytes, at)?;
    if magic.root != Value::Int(MAGIC) {
        return Err(Fault::Damaged(
            "it is a pickle, but not one of PyTorch's".to_owned(),
        ));
    }
    machine::read(bytes, at)?;
    let system = machine::read(bytes, at)?;
    let entries = system.entries(&system.root).unwrap_or_default();
    if entries.contains(&("little_endian", &Value::Bool(false))) {
        return Err(Fault::Damaged("its numbers are big-endian".to_owned()));
    }
    let object = machine::read(bytes, at)?;
    let keys = machine::read(bytes, at)?;
    let sizes = storage_sizes(&object);
    let mut places: HashMap<&str, Range<usize>> = HashMap::new();
    for key in keys.items(&keys.root).unwrap_or_default() {
        let Value::Text(key) = key else {
            return Err(Fault::Damaged(
                "its list of storages has no names".to_owned(),
            ));
        };
        let short = || format!("it ends amid the storage {key}: is it whole?");
        let length = bytes
            .get(*at..)
            .and_then(|rest| rest.first_chunk())
            .ok_or_else(short)?;
        let length = usize::try_from(i64::from_le_bytes(*length)).map_err(|_| short())?;
        let size = *sizes
            .get(&**key)
            .ok_or_else(|| format!("its storage {key} is nowhere used"))?;
        let start = *at + 8;
        let end = length
            .checked_mul(size)
            .and_then(|len| start.checked_add(len));
        let end = end.filter(|&end| end <= bytes.len()).ok_or_else(short)?;
        places.insert(key, start..end);
        *at = end;
    }
    let place = |storage: &Storage| {
        let range = places.get(&*storage.key).cloned();
        range.ok_or_else(|| format!("its storage {} is missing", storage.key))
    };
    tensors(&object, &place)
}

/// Bytes of one number of each storage that the pickle's tensors use.
fn storage_sizes(object: &Pickle) -> HashMap<&str, usize> {
    object
        .storages
        .iter()
        .map(|storage| (&*storage.key, storage.dtype.size()))
        .collect()
}

fn read_safetensors(bytes: &[u8]) -> Result<Named, Fault> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("its safetensors cannot be read ({error})"))?;
    let mut named = Named::new();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            SafeDtype::F64 => Dtype::F64,
            SafeDtype::F32 => Dtype::F32,
            SafeDtype::F16 => Dtype::F16,
            SafeDtype::BF16 => Dtype::Bf16,
            SafeDtype::I64 => Dtype::I64,
            SafeDtype::I32 => Dtype::I32,
            SafeDtype::I16 => Dtype::I16,
            SafeDtype::I8 => Dtype::I8,
            SafeDtype::U8 | SafeDtype::BOOL => Dtype::U8,
            other => {
                let reason =
                    format!("its tensor `{name}` is of the type {other:?}, which is not read");
                return Err(Fault::Damaged(reason));
            }
        };
        // The view is a part of `bytes`.
        let start = view.data().as_ptr().addr() - bytes.as_ptr().addr();
        let shape = view.shape().to_vec();
        let storage = start..start + view.data().len();
        named.push((
            name.to_owned(),
            Tensor::new(dtype, shape.clone(), row_major(&shape), storage, 0)?,
        ));
    }
    named.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(named)
}

/// The tensors of the state_dict in a pickled object.
fn tensors(
    pickle: &Pickle,
    place: &dyn Fn(&Storage) -> Result<Range<usize>, String>,
) -> Result<Named, Fault> {
    let mut entries = pickle.entries(&pickle.root).unwrap_or_default();
    let nested = STATE_DICT_KEYS.iter().find_map(|key| {
        let (_, value) = entries.iter().find(|(name, _)| name == key)?;
        pickle.entries(value)
    });
    if let Some(nested) = nested {
        entries = nested;
    }
    let records: Vec<(&str, &Record)> = entries
        .iter()
        .filter_map(|&(name, value)| match value {
            Value::Tensor(record) => Some((name, &**record)),
            _ => None,
        })
        .collect();
    if records.is_empty() {
        let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
        let found = if names.is_empty() {
            "no names".to_owned()
        } else {
            names.join(", ")
        };
        let keys = STATE_DICT_KEYS.join(", ");
        return Err(Fault::Damaged(format!(
            "it has no state_dict: the tensors should lie at the top or under one of {keys}, but \
             there is {found}"
        )));
    }
    records
        .into_iter()
        .map(|(name, record)| {
            let storage = &record.storage;
            let range = place(storage)?;
            if range.len() / storage.dtype.size() < storage.len {
                let reason = format!("its storage {} is shorter than it says", storage.key);
                return Err(Fault::Damaged(reason));
            }
            let offset = record.offset.checked_add(storage.first);
            let offset = offset.ok_or_else(|| format!("its tensor `{name}` begins nowhere"))?;
            let (shape, strides) = (record.shape.clone(), record.strides.clone());
            let tensor = Tensor::new(storage.dtype, shape, strides, range, offset)?;
            Ok((name.to_owned(), tensor))
        })
        .collect()
}
