//! The machine that a pickle is a program for: its stack, its memory and its instructions.

use std::collections::HashMap;
use std::io::Read;

use super::{Global, Id, Object, Storage, Tensor, Unreadable, global, kind};

/// What a pickle is a program for.
pub(super) struct Machine<R> {
    source: R,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<R: Read> Machine<R> {
    /// Creates a machine that has done nothing yet.
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Follows the pickle to its end: all objects, and which of them is the result.
    pub(super) fn run(mut self) -> Result<(Vec<Object>, Id), Unreadable> {
        loop {
            let instruction = self.byte()?;
            if instruction == b'.' {
                let result = self.pop()?;
                return Ok((self.objects, result));
            }
            self.step(instruction)?;
        }
    }

    fn step(&mut self, instruction: u8) -> Result<(), Unreadable> {
        match instruction {
            0x80 => match self.byte()? {
                2..=5 => {}
                other => return Err(format!("pickle protocol {other}, expected 2 to 5").into()),
            },
            // The length of a frame; frames need no treatment of their own.
            0x95 => drop(self.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Object::None),
            0x88 => self.push(Object::Bool(true)),
            0x89 => self.push(Object::Bool(false)),
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(value.into()));
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Object::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(value.into()));
            }
            0x8a => {
                let length = self.byte()?;
                let bytes = self.bytes(length.into())?;
                self.push(long(bytes));
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Object::Float(value));
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.array()?);
                self.push_text(length.into())?;
            }
            0x8c | b'U' => {
                let length = self.byte()?;
                self.push_text(length.into())?;
            }
            b')' => self.push(Object::Tuple(Vec::new())),
            0x85..=0x87 => {
                let count = usize::from(instruction - 0x84);
                let start = self
                    .stack
                    .len()
                    .checked_sub(count)
                    .filter(|&start| self.floor() <= start);
                let items = self
                    .stack
                    .split_off(start.ok_or("its pickle takes from an empty stack")?);
                self.push(Object::Tuple(items));
            }
            b't' => {
                let items = self.above_mark()?;
                self.push(Object::Tuple(items));
            }
            b']' => self.push(Object::List(Vec::new())),
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' => {
                let items = self.above_mark()?;
                self.extend_list(items)?;
            }
            b'}' => self.push(Object::Dict(Vec::new())),
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                self.extend_dict(&items)?;
            }
            b'q' => {
                let key = self.byte()?;
                self.remember(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let key = self.byte()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Object::Global(global(&module, &name)?));
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Object::Text(module), Object::Text(name)) =
                    (&self.objects[module], &self.objects[name])
                else {
                    return Err("its pickle names what is not a name".into());
                };
                let global = global(module, name)?;
                self.push(Object::Global(global));
            }
            b'Q' => {
                let reference = self.pop()?;
                let storage = self.storage(reference)?;
                self.push(Object::Storage(storage));
            }
            b'R' => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                let result = self.call(function, arguments)?;
                self.push(result);
            }
            // Attributes of the object below, such as a dictionary's `_metadata`: left alone.
            b'b' => drop(self.pop()?),
            other => {
                let reason =
                    format!("its pickle has the instruction {other:#04x}, which no tensors need");
                return Err(reason.into());
            }
        }
        Ok(())
    }

    /// Returns what a known function makes of its arguments.
    fn call(&self, function: Id, arguments: Id) -> Result<Object, Unreadable> {
        let (Object::Global(function), Object::Tuple(arguments)) =
            (&self.objects[function], &self.objects[arguments])
        else {
            return Err("its pickle calls what is not a function".into());
        };
        let argument = |index: usize| arguments.get(index).map(|&id| &self.objects[id]);
        match function {
            Global::OrderedDict if arguments.is_empty() => Ok(Object::Dict(Vec::new())),
            Global::RebuildParameter => match argument(0) {
                Some(Object::Tensor(tensor)) => Ok(Object::Tensor(tensor.clone())),
                _ => Err("its pickle has a parameter that is not a tensor".into()),
            },
            Global::RebuildTensor => match [0, 1, 2, 3].map(argument) {
                [
                    Some(Object::Storage(storage)),
                    Some(Object::Int(offset)),
                    Some(Object::Tuple(shape)),
                    Some(Object::Tuple(strides)),
                ] if shape.len() == strides.len() => Ok(Object::Tensor(Tensor {
                    storage: storage.clone(),
                    offset: size(*offset)?,
                    shape: self.sizes(shape)?,
                    strides: self.sizes(strides)?,
                })),
                _ => Err("its pickle has a tensor without storage, shape or strides".into()),
            },
            Global::OrderedDict | Global::StorageOf(_) => {
                Err("its pickle makes a dictionary or storage of its own".into())
            }
        }
    }

    /// Returns what `("storage", class, key, location, count)` refers to; older files have a sixth
    /// entry.
    fn storage(&self, reference: Id) -> Result<Storage, Unreadable> {
        if let Object::Tuple(entries) = &self.objects[reference]
            && let entries = entries
                .iter()
                .map(|&id| &self.objects[id])
                .collect::<Vec<_>>()
            && let [
                Object::Text(kind),
                Object::Global(Global::StorageOf(number)),
                Object::Text(key),
                Object::Text(_),
                Object::Int(count),
                rest @ ..,
            ] = &entries[..]
            && kind == "storage"
        {
            // Views of other storages were written for a few versions only.
            if !matches!(rest, [] | [Object::None]) {
                return Err("its pickle has a storage that is part of another".into());
            }
            return Ok(Storage {
                key: key.clone(),
                number: *number,
                count: size(*count)?,
            });
        }
        Err("its pickle refers to something other than a storage".into())
    }

    fn sizes(&self, ids: &[Id]) -> Result<Vec<usize>, Unreadable> {
        let one = |&id: &Id| match self.objects[id] {
            Object::Int(value) => size(value),
            ref other => Err(format!("its pickle has {} for a size", kind(other)).into()),
        };
        ids.iter().map(one).collect()
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn push_text(&mut self, length: u64) -> Result<(), Unreadable> {
        let bytes = self.bytes(length)?;
        let text =
            String::from_utf8(bytes).map_err(|_| "its pickle has a text that is not UTF-8")?;
        self.push(Object::Text(text));
        Ok(())
    }

    /// Returns the height below which the last mark keeps the stack.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, Unreadable> {
        let above = self.floor() < self.stack.len();
        let top = above.then(|| self.stack.pop()).flatten();
        top.ok_or_else(|| "its pickle takes from an empty stack".into())
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, Unreadable> {
        let mark = self
            .marks
            .pop()
            .ok_or("its pickle has no mark to go back to")?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<Id, Unreadable> {
        let top = self
            .stack
            .last()
            .filter(|_| self.floor() < self.stack.len());
        top.copied()
            .ok_or_else(|| "its pickle takes from an empty stack".into())
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Result<(), Unreadable> {
        let top = self.top()?;
        match &mut self.objects[top] {
            Object::List(list) => list.extend(items),
            other => return Err(format!("its pickle appends to {}", kind(other)).into()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<(), Unreadable> {
        let top = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.objects[top] {
            Object::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            other => return Err(format!("its pickle adds entries to {}", kind(other)).into()),
        }
        Ok(())
    }

    fn remember(&mut self, key: u32) -> Result<(), Unreadable> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), Unreadable> {
        let known = self.memo.get(&key).copied();
        self.stack
            .push(known.ok_or("its pickle recalls what it never had")?);
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Grows with what there is, whatever length is claimed.
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::new();
        (&mut self.source).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err("it ends within its pickle".into())
        }
    }

    fn line(&mut self) -> Result<String, Unreadable> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => break,
                byte => line.push(byte),
            }
        }
        String::from_utf8(line).map_err(|_| "its pickle has a name that is not UTF-8".into())
    }
}

/// Returns the number that `bytes` write down from the lowest on, in two's complement.
fn long(bytes: Vec<u8>) -> Object {
    if 8 < bytes.len() {
        return Object::Long(bytes);
    }
    let negative = bytes.last().is_some_and(|&byte| 127 < byte);
    let mut whole = [if negative { 255 } else { 0 }; 8];
    whole[..bytes.len()].copy_from_slice(&bytes);
    Object::Int(i64::from_le_bytes(whole))
}

fn size(value: i64) -> Result<usize, Unreadable> {
    usize::try_from(value).map_err(|_| format!("its pickle has {value} for a size").into())
}
