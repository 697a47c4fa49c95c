//! What an optimizer remembers between steps, as plain data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::optimizer::Names;
use crate::storage::{Store, StoreMut, TILE};
use crate::{Error, Layout, Optimizer, Real};

/// Version of the header and tensors that [`State::header`] and [`State::tensors`] make.
const VERSION: &str = "1";

/// How the slots of a state are stored; parameters and gradients have their own types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// In the type of computation: 4 bytes (`f32`) or 8 (`f64`).
    #[default]
    Full,
    /// 2 bytes, rounded stochastically.
    Bf16,
    /// 1 byte and a scale for each 256 coordinates, rounded stochastically.
    Bits8,
}

impl Format {
    const ALL: [Format; 3] = [Format::Full, Format::Bf16, Format::Bits8];

    /// Its name: `full`, `bf16` or `bits8`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Full => "full",
            Format::Bf16 => "bf16",
            Format::Bits8 => "bits8",
        }
    }
}

/// The step count, a named buffer ("slot") for each moment that the rule keeps, and a few numbers that
/// a clip keeps.
///
/// Made by [`Optimizer::init`]. To save, write [`header`](Self::header) and
/// [`tensors`](Self::tensors), which are what a safetensors file holds; to restore,
/// [`restore`](Self::restore). Neither needs to know the rule. A run that goes on from a restored
/// state gives the same bits as one that was not interrupted.
#[derive(Debug, Clone, PartialEq)]
pub struct State<F> {
    /// Steps taken so far.
    pub t: u64,
    /// Seed of the stochastic rounding of what is stored in fewer bits than `f32`; 0 unless set.
    pub seed: u64,
    /// Steps skipped so far because the gradient was not finite.
    pub skipped: u64,
    /// Entries of gradients taken as 0 so far because they were not finite.
    pub zeroed: u64,
    optimizer: String,
    format: Format,
    /// Coordinates of each block.
    lengths: Vec<usize>,
    slots: Vec<(String, Store<F>)>,
    memories: Vec<(String, Vec<f64>)>,
    scratch: Scratch<F>,
}

/// A buffer that is kept from step to step but means nothing in between.
#[derive(Debug, Default)]
struct Scratch<F>(Vec<F>);

impl<F> Clone for Scratch<F> {
    fn clone(&self) -> Self {
        Scratch(Vec::new())
    }
}

impl<F> PartialEq for Scratch<F> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// One array of a state, as a safetensors file holds it: one axis, little-endian.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// Its name, unique within the state.
    pub name: Cow<'a, str>,
    /// Its type: `F32`, `F64`, `BF16` or `U8`.
    pub dtype: &'a str,
    /// Its content.
    pub bytes: Cow<'a, [u8]>,
}

impl Tensor<'_> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.bytes.len() / entry_size(self.dtype)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<F: Real> State<F> {
    /// The state before the first step: every slot zero.
    pub(crate) fn zeros(optimizer: &Optimizer, layout: &Layout) -> Self {
        Self::zeros_in(optimizer, layout, optimizer.format())
    }

    fn zeros_in(optimizer: &Optimizer, layout: &Layout, format: Format) -> Self {
        let Names { slots, memories } = optimizer.names(layout.block_count());
        let tiles = tiles(layout);
        let slot = |(name, signed)| (name, Store::zeros(format, signed, layout.len(), tiles));
        let memory = |(name, len)| (name, vec![0.0; len]);
        State {
            t: 0,
            seed: 0,
            skipped: 0,
            zeroed: 0,
            optimizer: optimizer.name().to_owned(),
            format,
            lengths: lengths(layout).collect(),
            slots: slots.into_iter().map(slot).collect(),
            memories: memories.into_iter().map(memory).collect(),
            scratch: Scratch(Vec::new()),
        }
    }

    /// How the slots are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The values of one slot in the type of computation, one for each coordinate of `layout`; or of
    /// one memory. `None` if there is none of this name, or `layout` has other blocks.
    pub fn values(&self, name: &str, layout: &Layout) -> Option<Vec<F>> {
        if !lengths(layout).eq(self.lengths.iter().copied()) {
            return None;
        }
        if let Some((_, memory)) = self.memories.iter().find(|(known, _)| known == name) {
            return Some(memory.iter().map(|&x| F::narrow(x)).collect());
        }
        let (_, store) = self.slots.iter().find(|(known, _)| known == name)?;
        let mut store = store.clone();
        let (mut values, mut view) = (Vec::with_capacity(layout.len()), store.view());
        for (_, range) in layout.chunks(TILE) {
            let mut buffer = [F::zero(); TILE];
            let n = range.len();
            values.extend_from_slice(view.take(n).open(0, n, &mut buffer));
        }
        Some(values)
    }

    /// Bytes that the state takes, without what a step needs besides.
    pub fn bytes(&self) -> usize {
        self.tensors().iter().map(|tensor| tensor.bytes.len()).sum()
    }

    /// Everything but the tensors, as text: a safetensors file has it as `__metadata__`.
    pub fn header(&self, layout: &Layout) -> BTreeMap<String, String> {
        let entries = [
            ("acclip_state", VERSION.to_owned()),
            ("optimizer", self.optimizer.clone()),
            ("format", self.format.name().to_owned()),
            ("t", self.t.to_string()),
            ("seed", self.seed.to_string()),
            ("skipped", self.skipped.to_string()),
            ("zeroed", self.zeroed.to_string()),
            ("blocks", describe(layout).join("\n")),
        ];
        entries.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// The arrays: one for each slot, named as [`Optimizer::slot_names`] says, with a second one,
    /// `NAME.scale`, in the 8-bit format; and one for each memory.
    pub fn tensors(&self) -> Vec<Tensor<'_>> {
        let mut tensors = Vec::new();
        let mut add = |name: Cow<'_, str>, dtype, bytes| {
            let (name, bytes) = (Cow::Owned(name.into_owned()), Cow::Borrowed(bytes));
            tensors.push(Tensor { name, dtype, bytes });
        };
        for (name, store) in &self.slots {
            let slot = Cow::Borrowed(name.as_str());
            match store {
                Store::Full(values) => add(slot, F::DTYPE, bytemuck::cast_slice(values)),
                Store::Bf16(values) => add(slot, "BF16", bytemuck::cast_slice(values)),
                Store::Bits8 { codes, scales, .. } => {
                    add(slot, "U8", codes.as_slice());
                    let name = Cow::Owned(format!("{name}.scale"));
                    add(name, "F32", bytemuck::cast_slice(scales));
                }
            }
        }
        for (name, memory) in &self.memories {
            add(Cow::Borrowed(name), "F64", bytemuck::cast_slice(memory));
        }
        tensors
    }

    /// Rebuilds a state from what [`header`](Self::header) and [`tensors`](Self::tensors) gave;
    /// the tensors may come in any order.
    ///
    /// # Errors
    /// [`Error::StateHeader`] for an entry that is missing or cannot be read, another version
    /// included; [`Error::StateRule`] if another optimizer made it; [`Error::StateLayout`] with the
    /// blocks that differ; [`Error::StateSlots`] with the names that are missing or not this
    /// optimizer's; [`Error::StateType`] and [`Error::Length`] for a tensor that does not fit.
    pub fn restore<'a>(
        optimizer: &Optimizer,
        layout: &Layout,
        header: &BTreeMap<String, String>,
        tensors: impl IntoIterator<Item = Tensor<'a>>,
    ) -> Result<Self, Error> {
        let entry = |key: &'static str| match header.get(key) {
            Some(value) => Ok(value.as_str()),
            None => Err(Error::StateHeader {
                key,
                problem: "is missing".to_owned(),
            }),
        };
        let refuse = |key, value: &str, wanted: &str| Error::StateHeader {
            key,
            problem: format!("is `{value}`, not {wanted}"),
        };
        let number = |key| {
            let value = entry(key)?;
            value
                .parse::<u64>()
                .map_err(|_| refuse(key, value, "a number"))
        };
        let version = entry("acclip_state")?;
        if version != VERSION {
            return Err(refuse(
                "acclip_state",
                version,
                &format!("version {VERSION}"),
            ));
        }
        let format = entry("format")?;
        let format = (Format::ALL.into_iter().find(|known| known.name() == format))
            .ok_or_else(|| refuse("format", format, "full, bf16 or bits8"))?;
        check_rule(optimizer, entry("optimizer")?)?;
        check_blocks(layout, entry("blocks")?)?;

        let mut state = Self::zeros_in(optimizer, layout, format);
        state.t = number("t")?;
        state.seed = number("seed")?;
        state.skipped = number("skipped")?;
        state.zeroed = number("zeroed")?;

        let mut given: Vec<Tensor<'a>> = tensors.into_iter().collect();
        let mut missing = Vec::new();
        state.each_tensor(|name, dtype, bytes| {
            let Some(at) = given.iter().position(|tensor| tensor.name == name) else {
                missing.push(name.to_owned());
                return Ok(());
            };
            let tensor = given.swap_remove(at);
            if tensor.dtype != dtype {
                return Err(Error::StateType {
                    name: name.to_owned(),
                    expected: dtype,
                    found: tensor.dtype.to_owned(),
                });
            }
            if bytes.len() != tensor.bytes.len() {
                let entry = entry_size(dtype);
                let (unit, size) = match tensor.bytes.len() % entry {
                    0 => ("", entry),
                    _ => (", in bytes", 1),
                };
                return Err(Error::Length {
                    what: format!("state tensor {name}{unit}"),
                    expected: bytes.len() / size,
                    found: tensor.bytes.len() / size,
                });
            }
            bytes.copy_from_slice(&tensor.bytes);
            Ok(())
        })?;
        let unexpected: Vec<String> = given.into_iter().map(|t| t.name.into_owned()).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::StateSlots {
                optimizer: optimizer.name().to_owned(),
                missing,
                unexpected,
            });
        }
        Ok(state)
    }

    /// Name, type and content of every tensor, writable, in the order of [`tensors`](Self::tensors).
    fn each_tensor(
        &mut self,
        mut f: impl FnMut(&str, &'static str, &mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (name, store) in &mut self.slots {
            match store {
                Store::Full(values) => f(name, F::DTYPE, bytemuck::cast_slice_mut(values))?,
                Store::Bf16(values) => f(name, "BF16", bytemuck::cast_slice_mut(values))?,
                Store::Bits8 { codes, scales, .. } => {
                    f(name, "U8", codes)?;
                    f(
                        &format!("{name}.scale"),
                        "F32",
                        bytemuck::cast_slice_mut(scales),
                    )?;
                }
            }
        }
        for (name, memory) in &mut self.memories {
            f(name, "F64", bytemuck::cast_slice_mut(memory))?;
        }
        Ok(())
    }

    /// Whether this state is one of `optimizer` on `layout`.
    pub(crate) fn check(&self, optimizer: &Optimizer, layout: &Layout) -> Result<(), Error> {
        check_rule(optimizer, &self.optimizer)?;
        let Names { slots, memories } = optimizer.names(layout.block_count());
        let expected: Vec<&str> = (slots.iter().map(|(name, _)| name.as_str()))
            .chain(memories.iter().map(|(name, _)| name.as_str()))
            .collect();
        let found: Vec<&str> = (self.slots.iter().map(|(name, _)| name.as_str()))
            .chain(self.memories.iter().map(|(name, _)| name.as_str()))
            .collect();
        if expected != found {
            let without = |these: &[&str], those: &[&str]| {
                let names = these.iter().filter(|name| !those.contains(name));
                names.map(|name| name.to_string()).collect()
            };
            return Err(Error::StateSlots {
                optimizer: optimizer.name().to_owned(),
                missing: without(&expected, &found),
                unexpected: without(&found, &expected),
            });
        }
        for (name, store) in &self.slots {
            check_length(&format!("state slot {name}"), layout.len(), store.len())?;
            if let Store::Bits8 { scales, .. } = store {
                check_length(
                    &format!("state slot {name}.scale"),
                    tiles(layout),
                    scales.len(),
                )?;
            }
        }
        if !lengths(layout).eq(self.lengths.iter().copied()) {
            return Err(Error::StateLayout {
                missing: describe(layout),
                unexpected: self.lengths.iter().map(|len| format!("[{len}]")).collect(),
            });
        }
        for ((name, memory), (_, len)) in self.memories.iter().zip(memories) {
            check_length(&format!("state memory {name}"), len, memory.len())?;
        }
        Ok(())
    }

    /// Some of the slots, writable.
    pub(crate) fn views(&mut self, which: Range<usize>) -> Vec<StoreMut<'_, F>> {
        let slots = self.slots[which].iter_mut();
        slots.map(|(_, store)| store.view()).collect()
    }

    /// Some of the memories, writable.
    pub(crate) fn memories(&mut self, which: Range<usize>) -> Vec<&mut [f64]> {
        let memories = self.memories[which].iter_mut();
        memories.map(|(_, memory)| memory.as_mut_slice()).collect()
    }

    /// A buffer of `len` values, whatever they are.
    pub(crate) fn take_scratch(&mut self, len: usize) -> Vec<F> {
        let mut scratch = std::mem::take(&mut self.scratch.0);
        scratch.resize(len, F::zero());
        scratch
    }

    /// Gives the buffer back, for the next step.
    pub(crate) fn return_scratch(&mut self, scratch: Vec<F>) {
        self.scratch = Scratch(scratch);
    }
}

/// Bytes of one entry of a type.
fn entry_size(dtype: &str) -> usize {
    match dtype {
        "BF16" => 2,
        "F32" => 4,
        "F64" => 8,
        _ => 1,
    }
}

/// Tiles of all blocks: each block begins a new one.
fn tiles(layout: &Layout) -> usize {
    layout
        .blocks()
        .map(|(_, range)| range.len().div_ceil(TILE))
        .sum()
}

/// Coordinates of each block.
fn lengths(layout: &Layout) -> impl Iterator<Item = usize> {
    layout.blocks().map(|(_, range)| range.len())
}

/// A line for each block: name, with line breaks escaped, and shape.
fn describe(layout: &Layout) -> Vec<String> {
    let block = |(block, _): (&crate::Block, _)| {
        let shape: Vec<String> = block.shape.iter().map(usize::to_string).collect();
        format!("{:?} [{}]", block.name, shape.join(", "))
    };
    layout.blocks().map(block).collect()
}

fn check_rule(optimizer: &Optimizer, made_by: &str) -> Result<(), Error> {
    if optimizer.name() == made_by {
        return Ok(());
    }
    Err(Error::StateRule {
        optimizer: optimizer.name().to_owned(),
        made_by: made_by.to_owned(),
    })
}

fn check_blocks(layout: &Layout, blocks: &str) -> Result<(), Error> {
    let expected = describe(layout);
    let found: Vec<&str> = blocks.lines().collect();
    if expected == found {
        return Ok(());
    }
    let missing = expected
        .iter()
        .filter(|block| !found.contains(&block.as_str()));
    let unexpected = found
        .iter()
        .filter(|block| !expected.iter().any(|known| known == *block));
    Err(Error::StateLayout {
        missing: missing.cloned().collect(),
        unexpected: unexpected.map(|block| block.to_string()).collect(),
    })
}

/// Refuses a slice that does not have one value per coordinate.
pub(crate) fn check_length(what: &str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Length {
            what: what.to_owned(),
            expected,
            found,
        })
    }
}
