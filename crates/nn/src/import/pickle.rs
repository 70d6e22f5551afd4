//! As much of Python's pickle as tensors need: the values, and what a pickle may ask for.
//!
//! A pickle is a program; the module `machine` runs it, and makes nothing but these values. Names
//! it may ask for are the parts of a tensor; any other name is a [`Fault::Global`], and nothing is
//! ever looked up, imported or called. Values live in one heap and point to each other by index,
//! so that neither depth nor cycles cost a stack.

use std::rc::Rc;

use super::tensor::Dtype;

/// Why a pickle was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It asks for something that is not part of a tensor.
    Global(String),
    /// It cannot be read; a clause.
    Damaged(String),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// A value; containers are indices into the heap.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// `None`, floats and bytes: nothing that is asked about.
    Other,
    Bool(bool),
    Int(i128),
    Text(Rc<str>),
    /// A tuple or list.
    Sequence(usize),
    /// A dictionary: keys and values by turns.
    Dictionary(usize),
    Global(Global),
    Storage(Rc<Storage>),
    Tensor(Rc<Record>),
}

/// What a pickle may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// Numbers that lie outside of the pickle.
#[derive(Debug, PartialEq)]
pub(super) struct Storage {
    pub dtype: Dtype,
    pub key: Rc<str>,
    /// Numbers of the whole.
    pub len: usize,
    /// Where this view of the whole begins.
    pub first: usize,
}

/// A tensor as a pickle describes it.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub storage: Rc<Storage>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// What a pickle was read to.
#[derive(Debug)]
pub(super) struct Pickle {
    pub root: Value,
    pub heap: Vec<Vec<Value>>,
    pub storages: Vec<Rc<Storage>>,
}

impl Pickle {
    /// The items of a tuple or list.
    pub fn items(&self, value: &Value) -> Option<&[Value]> {
        match value {
            Value::Sequence(at) => Some(&self.heap[*at]),
            _ => None,
        }
    }

    /// The entries of a dictionary that have texts for keys.
    pub fn entries(&self, value: &Value) -> Option<Vec<(&str, &Value)>> {
        let Value::Dictionary(at) = value else {
            return None;
        };
        let pairs = self.heap[*at].chunks_exact(2);
        let texts = pairs.filter_map(|pair| match &pair[0] {
            Value::Text(key) => Some((&**key, &pair[1])),
            _ => None,
        });
        Some(texts.collect())
    }
}

/// The known thing of this name.
pub(super) fn global(module: &str, name: &str) -> Result<Global, Fault> {
    let dtype = match (module, name) {
        ("collections", "OrderedDict") => return Ok(Global::OrderedDict),
        ("torch", "Size") => return Ok(Global::Size),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
            return Ok(Global::RebuildTensor);
        }
        ("torch._utils", "_rebuild_parameter") => return Ok(Global::RebuildParameter),
        ("torch", "DoubleStorage") => Dtype::F64,
        ("torch", "FloatStorage") => Dtype::F32,
        ("torch", "HalfStorage") => Dtype::F16,
        ("torch", "BFloat16Storage") => Dtype::Bf16,
        ("torch", "LongStorage") => Dtype::I64,
        ("torch", "IntStorage") => Dtype::I32,
        ("torch", "ShortStorage") => Dtype::I16,
        ("torch", "CharStorage") => Dtype::I8,
        ("torch", "ByteStorage" | "BoolStorage") => Dtype::U8,
        _ => return Err(Fault::Global(format!("{module}.{name}"))),
    };
    Ok(Global::Storage(dtype))
}
