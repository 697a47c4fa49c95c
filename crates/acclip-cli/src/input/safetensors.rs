//! Safetensors: one tensor of norms, or a tensor of shape (n, …) for each layer.
//!
//! Only the header is given to the crate `safetensors`, since its own reader wants all bytes in memory.

use super::array::Array;
use super::dtype::Dtype;
use super::error::{Problem, clean};
use super::{Options, Shape, listed, meaning};
use safetensors::tensor::{Dtype as Stored, Metadata};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Bytes of the header's length.
const LENGTH: u64 = 8;
/// What the crate `safetensors` allows.
const MAX_HEADER: u64 = 100_000_000;

fn broken(problem: impl Into<String>) -> Problem {
    Problem::broken("safetensors", problem)
}

/// Whether a file that starts so is safetensors: its first eight bytes are the length of a JSON object.
pub fn is_start(start: &[u8]) -> bool {
    start.len() > 8 && start[4..8] == [0; 4] && start[8] == b'{'
}

/// The tensors to be read from a file of `size` bytes, in its order, and what they are.
pub fn open(file: &mut File, size: u64, options: &Options) -> Result<(Vec<Array>, Shape), Problem> {
    let metadata = header(file, size)?;
    let names = metadata.offset_keys();
    let start = size - metadata.data_len() as u64;
    let array = |name: &String| {
        let info = metadata.info(name).expect("a name of the file's own");
        let dtype = dtype(name, info.dtype)?;
        Ok(Array {
            offset: start + info.data_offsets.0 as u64,
            ..Array::new(Some(name.clone()), dtype, &info.shape)?
        })
    };
    if names.is_empty() {
        return Err(Problem::Empty("holds no tensors".to_owned()));
    }
    let chosen = match &options.column {
        None => names,
        Some(name) if names.contains(name) => vec![name.clone()],
        Some(name) => {
            return Err(Problem::Name {
                what: "has no tensor",
                name: name.clone(),
                known: format!("the tensors {}", listed(&names)),
            });
        }
    };
    let arrays: Vec<Array> = chosen.iter().map(array).collect::<Result<_, Problem>>()?;
    let n = arrays[0].n;
    if let [array] = &arrays[..] {
        let shape = meaning(n, array.d, options.shape)?;
        return Ok((arrays, shape));
    }
    if options.shape == Some(Shape::Norms) {
        return Err(Problem::Ambiguous(format!(
            "holds the tensors {}; choose the one with the norms with --column NAME",
            listed(&chosen)
        )));
    }
    if let Some(other) = arrays.iter().find(|array| array.n != n) {
        return Err(Problem::Lengths {
            first: chosen[0].clone(),
            n: n as u64,
            other: other.name.clone().expect("tensors have names"),
            m: other.n as u64,
        });
    }
    if options.shape.is_none() && arrays.iter().all(|array| array.d == 1) {
        return Err(Problem::Ambiguous(format!(
            "holds the tensors {}, each a list; choose the one with the norms with --column NAME, or say \
             --vectors if each tensor is a parameter with its n gradients",
            listed(&chosen)
        )));
    }
    let d = (arrays.iter()).try_fold(0, |sum: usize, array| sum.checked_add(array.d));
    let d = d.ok_or_else(|| broken("its tensors are impossibly large"))?;
    meaning(n, d, options.shape).map(|shape| (arrays, shape))
}

/// The header, checked against the size of the file before anything of its length is allocated.
fn header(file: &mut File, size: u64) -> Result<Metadata, Problem> {
    let mut length = [0; LENGTH as usize];
    if size < LENGTH {
        return Err(broken(format!("it has only {size} bytes")));
    }
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_exact(&mut length))
        .map_err(Problem::io("read"))?;
    let length = u64::from_le_bytes(length);
    if length > size - LENGTH {
        return Err(broken(format!(
            "its header would have {length} bytes, and the file has {size} in all"
        )));
    }
    if length > MAX_HEADER {
        return Err(broken(format!("its header has {length} bytes")));
    }
    let mut json = vec![0; length as usize];
    file.read_exact(&mut json).map_err(Problem::io("read"))?;
    let metadata: Metadata =
        serde_json::from_slice(&json).map_err(|error| broken(format!("its header: {error}")))?;
    let promised = (LENGTH + length).saturating_add(metadata.data_len() as u64);
    match promised == size {
        true => Ok(metadata),
        false => Err(Problem::Size {
            promised,
            found: size,
            advice: match promised > size {
                true => "it has been cut short: copy or save it again",
                false => "something has been added behind it: save it again",
            },
        }),
    }
}

fn dtype(name: &str, stored: Stored) -> Result<Dtype, Problem> {
    Ok(match stored {
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F32 => Dtype::F32,
        Stored::F64 => Dtype::F64,
        Stored::I8 => Dtype::I8,
        Stored::I16 => Dtype::I16,
        Stored::I32 => Dtype::I32,
        Stored::I64 => Dtype::I64,
        Stored::U8 => Dtype::U8,
        Stored::U16 => Dtype::U16,
        Stored::U32 => Dtype::U32,
        Stored::U64 => Dtype::U64,
        other => {
            return Err(Problem::Dtype {
                array: format!("tensor '{}' ", clean(name)),
                dtype: format!("numbers of type {other:?}"),
                advice: match other {
                    Stored::C64 => "save tensor.abs() for norms",
                    _ => "save tensor.float()",
                },
            });
        }
    })
}
