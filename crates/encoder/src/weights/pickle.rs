//! The part of Python's pickle that `torch.save` writes for a dictionary of tensors.
//!
//! A pickle is a program for a machine with a stack (Python's `pickletools.py` documents it). This
//! one knows the instructions that build texts, numbers, tuples and dictionaries, and calls
//! nothing: of the functions that a pickle may name, it knows those of [`Global`], as ways to write
//! down a tensor, and refuses all others. Objects are in one list and refer to each other by
//! position, so that a deep or circular one is dropped without recursion; each instruction makes at
//! most one.

mod machine;
#[cfg(test)]
mod tests;

use std::io::Read;

use self::machine::Machine;
use super::stored::{Number, Unreadable};

/// Longest pickle that is read, in bytes: that of some twenty thousand tensors.
const MAXIMUM: u64 = 4 << 20;

/// What a pickle holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    /// A number larger than 64 bits, in two's complement from the lowest byte on.
    Long(Vec<u8>),
    Float(f64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(Tensor),
}

/// Position of an object in a [`Heap`].
pub(super) type Id = usize;

/// What a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A class of storage, which says how numbers are written down.
    StorageOf(Number),
}

/// Values that tensors are views of, by a key into the rest of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) number: Number,
    pub(super) count: usize,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    /// Position of the first value in the storage.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All objects of one pickle, and which of them is the result.
#[derive(Debug)]
pub(super) struct Heap {
    objects: Vec<Object>,
    result: Id,
}

impl Heap {
    /// Reads one pickle from `source`, which is left just after it.
    pub(super) fn read(source: &mut impl Read) -> Result<Self, Unreadable> {
        let (objects, result) = Machine::new(source.take(MAXIMUM)).run()?;
        Ok(Self { objects, result })
    }

    pub(super) fn result(&self) -> &Object {
        &self.objects[self.result]
    }

    pub(super) fn get(&self, id: Id) -> &Object {
        &self.objects[id]
    }

    /// Returns the entries of the resulting dictionary, of texts to tensors.
    pub(super) fn tensors(&self) -> Result<Vec<(String, Tensor)>, Unreadable> {
        let Object::Dict(entries) = self.result() else {
            return Err("its pickle holds no dictionary of tensors".into());
        };
        let entry = |&(key, value): &(Id, Id)| match (self.get(key), self.get(value)) {
            (Object::Text(name), Object::Tensor(tensor)) => Ok((name.clone(), tensor.clone())),
            (Object::Text(name), other) => {
                Err(format!("its entry {name:?} is {}, expected a tensor", kind(other)).into())
            }
            (other, _) => Err(format!("its pickle has {} for a name", kind(other)).into()),
        };
        entries.iter().map(entry).collect()
    }
}

fn global(module: &str, name: &str) -> Result<Global, Unreadable> {
    let other = |name, bytes| Global::StorageOf(Number::Other { name, bytes });
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch", "FloatStorage") => Global::StorageOf(Number::F32),
        ("torch", "HalfStorage") => Global::StorageOf(Number::F16),
        ("torch", "BFloat16Storage") => Global::StorageOf(Number::Bf16),
        ("torch", "DoubleStorage") => other("f64", 8),
        ("torch", "LongStorage") => other("i64", 8),
        ("torch", "IntStorage") => other("i32", 4),
        ("torch", "ShortStorage") => other("i16", 2),
        ("torch", "CharStorage") => other("i8", 1),
        ("torch", "ByteStorage") => other("u8", 1),
        ("torch", "BoolStorage") => other("bool", 1),
        _ => {
            let reason = format!("its pickle names {module}.{name}, which is not part of a tensor");
            return Err(reason.into());
        }
    })
}

fn kind(object: &Object) -> &'static str {
    match object {
        Object::None => "nothing",
        Object::Bool(_) => "a truth value",
        Object::Int(_) | Object::Long(_) | Object::Float(_) => "a number",
        Object::Text(_) => "a text",
        Object::Tuple(_) => "a tuple",
        Object::List(_) => "a list",
        Object::Dict(_) => "a dictionary",
        Object::Global(_) => "a function",
        Object::Storage(_) => "a storage",
        Object::Tensor(_) => "a tensor",
    }
}
