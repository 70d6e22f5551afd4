//! The stack machine of pickles.
//!
//! It knows the instructions that build numbers, texts, tuples, lists and dictionaries, and how a
//! tensor is put together from its parts. Instructions are those of CPython's `pickletools`,
//! protocols 2 to 5 in the binary form that PyTorch writes.

use std::collections::HashMap;
use std::rc::Rc;

use super::pickle::{Fault, Global, Pickle, Record, Storage, Value, global};

/// Most instructions of a pickle, and copies that they make: some hundred times those of the
/// largest state_dict.
const MAX_INSTRUCTIONS: usize = 4_000_000;

/// Most dimensions of a tensor: PyTorch's own limit.
const MAX_DIMENSIONS: usize = 64;

/// Reads the pickle that begins at `*at`, which then is where it ended.
pub(super) fn read(bytes: &[u8], at: &mut usize) -> Result<Pickle, Fault> {
    let mut machine = Machine {
        bytes,
        at: *at,
        ..Machine::default()
    };
    loop {
        machine.spend(1)?;
        let code = machine.byte()?;
        if code == b'.' {
            *at = machine.at;
            let root = machine.pop()?;
            let Machine { heap, storages, .. } = machine;
            return Ok(Pickle {
                root,
                heap,
                storages,
            });
        }
        machine.execute(code)?;
    }
}

#[derive(Default)]
struct Machine<'b> {
    bytes: &'b [u8],
    at: usize,
    heap: Vec<Vec<Value>>,
    stack: Vec<Value>,
    /// Stacks that wait below a mark.
    below: Vec<Vec<Value>>,
    memo: HashMap<u32, Value>,
    storages: Vec<Rc<Storage>>,
    spent: usize,
}

impl Machine<'_> {
    fn execute(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            // Frames and protocol numbers say nothing about the value.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'N' | b'G' | b'C' | b'B' | 0x8e => {
                let len = match code {
                    b'N' => 0,
                    b'G' => 8,
                    b'C' => self.number(1)?,
                    b'B' => self.number(4)?,
                    _ => self.number(8)?,
                };
                self.take(len)?;
                self.stack.push(Value::Other);
            }
            0x88 | 0x89 => self.stack.push(Value::Bool(code == 0x88)),
            b'K' | b'M' => {
                let number = self.number(if code == b'K' { 1 } else { 2 })?;
                self.stack.push(Value::Int(number as i128));
            }
            b'J' => {
                let bytes = self.take(4)?;
                let number = i32::from_le_bytes(std::array::from_fn(|i| bytes[i]));
                self.stack.push(Value::Int(number.into()));
            }
            0x8a => self.long()?,
            b'X' | b'T' | b'U' | 0x8c | 0x8d => {
                let width = match code {
                    b'X' | b'T' => 4,
                    0x8d => 8,
                    _ => 1,
                };
                let len = self.number(width)?;
                let text = String::from_utf8_lossy(self.take(len)?).into();
                self.stack.push(Value::Text(text));
            }
            b']' | b')' | b'}' => self.make(Vec::new(), code == b'}'),
            0x85..=0x87 => {
                let len = usize::from(code - 0x84);
                let first = self.stack.len().checked_sub(len).ok_or_else(underflow)?;
                let items = self.stack.split_off(first);
                self.make(items, false);
            }
            b'(' => self.below.push(std::mem::take(&mut self.stack)),
            b't' | b'l' | b'd' => {
                let items = self.down_to_mark()?;
                self.make(items, code == b'd');
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend(vec![key, value])?;
            }
            b'e' | b'u' => {
                let items = self.down_to_mark()?;
                self.extend(items)?;
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.down_to_mark()?),
            b'2' => self.stack.push(self.top()?.clone()),
            b'q' | b'r' | 0x94 => {
                let index = match code {
                    b'q' => self.number(1)?,
                    b'r' => self.number(4)?,
                    _ => self.memo.len(),
                };
                let value = self.top()?.clone();
                self.memo.insert(index as u32, value);
            }
            b'h' | b'j' => {
                let index = self.number(if code == b'h' { 1 } else { 4 })?;
                let value = self.memo.get(&(index as u32)).cloned();
                let value =
                    value.ok_or_else(|| damaged("its pickle recalls what it never kept"))?;
                self.stack.push(value);
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(global(&module, &name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(damaged("its pickle asks for what has no name"));
                };
                self.stack.push(Value::Global(global(&module, &name)?));
            }
            b'R' => self.reduce()?,
            // Attributes, such as a state_dict's `_metadata`: nothing that is asked about.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let identity = self.pop()?;
                let storage = Rc::new(self.storage(&identity)?);
                self.storages.push(Rc::clone(&storage));
                self.stack.push(Value::Storage(storage));
            }
            _ => {
                let place = self.at - 1;
                let reason =
                    format!("its pickle has the unknown instruction {code:#04x} at byte {place}");
                return Err(Fault::Damaged(reason));
            }
        }
        Ok(())
    }

    /// An integer of up to 16 bytes, two's complement.
    fn long(&mut self) -> Result<(), Fault> {
        let len = self.number(1)?;
        let bytes = self.take(len)?;
        if len > 16 {
            return Err(damaged("its pickle has an integer of more than 16 bytes"));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = [if negative { 0xFF } else { 0 }; 16];
        whole[..len].copy_from_slice(bytes);
        self.stack.push(Value::Int(i128::from_le_bytes(whole)));
        Ok(())
    }

    /// A call of what is on the stack with the arguments above it.
    fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Sequence(arguments), Value::Global(function)) = (arguments, function) else {
            return Err(damaged("its pickle calls what cannot be called"));
        };
        let arguments = match self.heap[arguments].as_slice() {
            few if few.len() <= 16 => few.to_vec(),
            _ => return Err(damaged("its pickle calls with more than 16 arguments")),
        };
        let value = match (function, arguments.as_slice()) {
            (Global::OrderedDict, []) => {
                self.make(Vec::new(), true);
                return Ok(());
            }
            (Global::OrderedDict, [Value::Sequence(pairs)]) => {
                self.spend(self.heap[*pairs].len())?;
                let mut entries = Vec::new();
                for pair in &self.heap[*pairs] {
                    match pair {
                        Value::Sequence(pair) if self.heap[*pair].len() == 2 => {
                            entries.extend_from_slice(&self.heap[*pair]);
                        }
                        _ => return Err(damaged("its pickle has a dictionary without pairs")),
                    }
                }
                self.make(entries, true);
                return Ok(());
            }
            (Global::Size, [size @ Value::Sequence(_)]) => size.clone(),
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => tensor.clone(),
            (
                Global::RebuildTensor,
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    shape,
                    strides,
                    ..,
                ],
            ) => Value::Tensor(Rc::new(Record {
                storage: Rc::clone(storage),
                offset: size(*offset)?,
                shape: self.sizes(shape)?,
                strides: self.sizes(strides)?,
            })),
            _ => return Err(damaged("its pickle rebuilds a tensor from other things")),
        };
        self.stack.push(value);
        Ok(())
    }

    /// `('storage', type, key, location, length[, (view key, first, length)])`
    fn storage(&self, identity: &Value) -> Result<Storage, Fault> {
        let wrong = || damaged("its pickle refers to something outside that is no storage");
        let Value::Sequence(parts) = identity else {
            return Err(wrong());
        };
        let parts = self.heap[*parts].as_slice();
        let [
            Value::Text(kind),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            _,
            Value::Int(len),
            rest @ ..,
        ] = parts
        else {
            return Err(wrong());
        };
        if &**kind != "storage" {
            return Err(wrong());
        }
        let first = match rest {
            [Value::Sequence(view), ..] => match self.heap[*view].as_slice() {
                [_, Value::Int(first), _] => size(*first)?,
                _ => return Err(wrong()),
            },
            _ => 0,
        };
        Ok(Storage {
            dtype: *dtype,
            key: Rc::clone(key),
            len: size(*len)?,
            first,
        })
    }

    fn sizes(&self, value: &Value) -> Result<Vec<usize>, Fault> {
        let wrong = || damaged("its pickle has a tensor without a shape");
        let Value::Sequence(items) = value else {
            return Err(wrong());
        };
        let items = self.heap[*items].as_slice();
        if items.len() > MAX_DIMENSIONS {
            return Err(damaged(
                "its pickle has a tensor of more than 64 dimensions",
            ));
        }
        items
            .iter()
            .map(|item| match item {
                Value::Int(number) => size(*number),
                _ => Err(wrong()),
            })
            .collect()
    }

    /// Counts what the pickle costs, so that a small file cannot ask for endless work.
    fn spend(&mut self, cost: usize) -> Result<(), Fault> {
        self.spent = self.spent.saturating_add(cost);
        if self.spent > MAX_INSTRUCTIONS {
            let reason = format!("its pickle has more than {MAX_INSTRUCTIONS} instructions");
            return Err(Fault::Damaged(reason));
        }
        Ok(())
    }

    /// Puts a new container on the stack.
    fn make(&mut self, items: Vec<Value>, dictionary: bool) {
        let at = self.heap.len();
        self.heap.push(items);
        self.stack.push(if dictionary {
            Value::Dictionary(at)
        } else {
            Value::Sequence(at)
        });
    }

    /// Adds to the container on the stack.
    fn extend(&mut self, items: Vec<Value>) -> Result<(), Fault> {
        match *self.top()? {
            Value::Sequence(at) => self.heap[at].extend(items),
            Value::Dictionary(at) if items.len().is_multiple_of(2) => self.heap[at].extend(items),
            _ => return Err(damaged("its pickle adds to what holds nothing")),
        }
        Ok(())
    }

    fn down_to_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let below = self.below.pop().ok_or_else(underflow)?;
        Ok(std::mem::replace(&mut self.stack, below))
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&self) -> Result<&Value, Fault> {
        self.stack.last().ok_or_else(underflow)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned number of up to 8 bytes.
    fn number(&mut self, len: usize) -> Result<usize, Fault> {
        let number = self
            .take(len)?
            .iter()
            .rev()
            .fold(0, |n, &byte| n << 8 | u64::from(byte));
        usize::try_from(number).map_err(|_| damaged("its pickle has a number without measure"))
    }

    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(ends)?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn take(&mut self, len: usize) -> Result<&[u8], Fault> {
        let end = self
            .at
            .checked_add(len)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(ends)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}

fn size(number: i128) -> Result<usize, Fault> {
    usize::try_from(number).map_err(|_| damaged("its pickle has a size below 0 or beyond memory"))
}

fn damaged(reason: &str) -> Fault {
    Fault::Damaged(reason.to_owned())
}

fn ends() -> Fault {
    damaged("it ends amid its pickle: is it whole?")
}

fn underflow() -> Fault {
    damaged("its pickle takes from an empty stack")
}
