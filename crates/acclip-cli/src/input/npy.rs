//! The header of NPY, the format of `numpy.save`, versions 1 to 3.
//!
//! ```text
//! "\x93NUMPY" major minor  length (u16, from version 2 on u32, little-endian)  header  data
//! header: a Python literal, {'descr': '<f4', 'fortran_order': False, 'shape': (1000, 64), }
//! ```
//!
//! Reference: NumPy enhancement proposal 1, and the documentation of `numpy.lib.format`.

use super::array::Array;
use super::dtype::Dtype;
use super::error::Problem;
use super::npy_header::Header;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The first bytes of a file.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses to read longer headers unless told to.
const MAX_HEADER: u64 = 10_000;

fn broken(problem: impl Into<String>) -> Problem {
    Problem::broken("NPY", problem)
}

/// The array in a file of `size` bytes.
pub fn open(file: &mut File, size: u64) -> Result<Array, Problem> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.take(12).read_to_end(&mut start))
        .map_err(Problem::io("read"))?;
    if !start.starts_with(MAGIC) {
        return Err(broken("it does not begin as one does"));
    }
    let (at, length) = match start[MAGIC.len()..] {
        [1, _, a, b, ..] => (10, u64::from(u16::from_le_bytes([a, b]))),
        [2 | 3, _, a, b, c, d] => (12, u64::from(u32::from_le_bytes([a, b, c, d]))),
        [1..=3, ..] | [] => return Err(broken("it ends within its header")),
        [major, ..] => return Err(broken(format!("version {major} is unknown"))),
    };
    if at + length > size {
        return Err(broken(format!(
            "its header would have {length} bytes, and the file has {size} in all"
        )));
    }
    if length > MAX_HEADER {
        return Err(broken(format!("its header has {length} bytes")));
    }
    let mut header = vec![0; length as usize];
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(&mut header))
        .map_err(Problem::io("read"))?;
    let header = String::from_utf8_lossy(&header);
    let Header {
        descr,
        fortran,
        shape,
    } = Header::parse(&header)
        .ok_or_else(|| broken(format!("its header cannot be read: {:.80}", header.trim())))?;
    let (dtype, big_endian) = dtype(&descr)?;
    let array = Array {
        big_endian,
        fortran,
        offset: at + length,
        ..Array::new(None, dtype, &shape)?
    };
    let promised = array.offset.saturating_add(array.bytes());
    match promised == size {
        true => Ok(array),
        false => Err(Problem::Size {
            promised,
            found: size,
            advice: match promised > size {
                true => "it has been cut short: copy or save it again",
                false => "if it holds several arrays, save each in a file of its own",
            },
        }),
    }
}

/// The type, and whether it is big-endian.
fn dtype(descr: &str) -> Result<(Dtype, bool), Problem> {
    const AS_FLOAT: &str = "save array.astype('float64')";
    let refuse = |dtype: &str, advice| {
        Err(Problem::Dtype {
            array: String::new(),
            dtype: format!("{dtype} (dtype {descr})"),
            advice,
        })
    };
    let big_endian = descr.starts_with('>');
    let dtype = match descr.trim_start_matches(['<', '>', '|', '=']) {
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        "i1" => Dtype::I8,
        "i2" => Dtype::I16,
        "i4" => Dtype::I32,
        "i8" => Dtype::I64,
        "u1" => Dtype::U8,
        "u2" => Dtype::U16,
        "u4" => Dtype::U32,
        "u8" => Dtype::U64,
        "V2" => {
            return refuse(
                "raw bytes",
                "if they are bfloat16, save array.astype('float32')",
            );
        }
        other => {
            return match other.chars().next() {
                Some('O') => refuse(
                    "Python objects, a pickle, which could run any code when loaded",
                    "save an array of floats: array.astype('float64'), with rows of equal length",
                ),
                Some('c') => refuse("complex numbers", "save numpy.abs(array) for norms"),
                Some('f' | 'g') => refuse("extended floats", AS_FLOAT),
                Some('b') => refuse("truth values", AS_FLOAT),
                Some('S' | 'U' | 'a') => refuse("text", AS_FLOAT),
                Some('[') => refuse("records of several fields", "save one field: array['name']"),
                _ => refuse("no numbers", AS_FLOAT),
            };
        }
    };
    Ok((dtype, big_endian))
}
