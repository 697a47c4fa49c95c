//! An array of numbers in a binary file, read in pieces: never more than a row, or a block of short rows.

use super::dtype::Dtype;
use super::error::{Place, Problem, clean};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// Fortran order is held whole while its rows are picked: at most this many bytes.
pub const FORTRAN_LIMIT: u64 = 1 << 30;
const CHUNK: usize = 1 << 16;

/// Where the numbers of an array of shape (n, …) lie.
#[derive(Debug, Clone)]
pub struct Array {
    /// Its name, in files that have names.
    pub name: Option<String>,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Whether the first byte of a number is its highest.
    pub big_endian: bool,
    /// Whether the first axis varies fastest.
    pub fortran: bool,
    /// Where the first number lies in the file, in bytes.
    pub offset: u64,
    /// Length of the first axis.
    pub n: usize,
    /// The other axes.
    pub rest: Vec<usize>,
    /// Numbers in a row: the product of the other axes.
    pub d: usize,
}

impl Array {
    /// An array of this shape, which must have an axis and a number.
    pub fn new(name: Option<String>, dtype: Dtype, shape: &[usize]) -> Result<Self, Problem> {
        let array = name
            .as_ref()
            .map(|name| format!("tensor '{}' ", clean(name)));
        let array = array.unwrap_or_default();
        let Some((&n, rest)) = shape.split_first() else {
            return Err(Problem::Unfit(format!(
                "{array}holds one number without an axis; norms need the shape (n,), gradients (n, d)"
            )));
        };
        if shape.contains(&0) {
            return Err(Problem::Empty(format!("{array}has the shape {shape:?}")));
        }
        let product =
            |axes: &[usize]| (axes.iter()).try_fold(1, |p: usize, &axis| p.checked_mul(axis));
        let (Some(d), Some(_)) = (product(rest), product(shape)) else {
            let problem = format!("{array}has the impossible shape {shape:?}");
            return Err(Problem::Unfit(problem));
        };
        Ok(Array {
            name,
            dtype,
            big_endian: false,
            fortran: false,
            offset: 0,
            n,
            rest: rest.to_vec(),
            d,
        })
    }

    /// Bytes of all numbers; saturates, and so is never too small.
    pub fn bytes(&self) -> u64 {
        ((self.n * self.d) as u64).saturating_mul(self.dtype.size() as u64)
    }

    /// All numbers as norms: in the order of the file, finite and not negative.
    pub fn norms(&self, file: &mut File) -> Result<Vec<f64>, Problem> {
        let mut norms = zeros(self.n * self.d, "")?;
        let whole = Array {
            n: 1,
            d: self.n * self.d,
            ..self.clone()
        };
        whole.rows(file, 0, 1, &mut norms, whole.d)?;
        for (index, &value) in norms.iter().enumerate() {
            let place = || Place::Entry {
                tensor: self.name.clone(),
                row: index as u64,
                entry: None,
            };
            check_norm(value, place)?;
        }
        Ok(norms)
    }

    /// Reads `count` rows from row `first` on to the starts of the rows of `out`, which are `stride` long.
    /// For C order.
    pub fn rows(
        &self,
        file: &mut File,
        first: usize,
        count: usize,
        out: &mut [f64],
        stride: usize,
    ) -> Result<(), Problem> {
        let size = self.dtype.size();
        let start = self.offset + (first * self.d * size) as u64;
        file.seek(SeekFrom::Start(start))
            .map_err(Problem::io("read"))?;
        let bytes = (count * self.d * size) as u64;
        let mut reader = BufReader::with_capacity(CHUNK, file.take(bytes));
        let mut raw = vec![0; CHUNK.min(self.d * size)];
        for row in out.chunks_mut(stride).take(count) {
            for piece in row[..self.d].chunks_mut(CHUNK / size) {
                let raw = &mut raw[..piece.len() * size];
                reader.read_exact(raw).map_err(Problem::io("read"))?;
                self.dtype.decode(self.big_endian, raw, piece);
            }
        }
        Ok(())
    }

    /// All bytes of an array in Fortran order.
    pub fn load(&self, file: &mut File) -> Result<Vec<u8>, Problem> {
        let bytes = self.bytes();
        if bytes > FORTRAN_LIMIT {
            return Err(Problem::Unfit(format!(
                "is in Fortran order, in which a gradient lies scattered over all of its {bytes} bytes; \
                 save numpy.ascontiguousarray(array)"
            )));
        }
        let mut raw = vec![0; bytes as usize];
        file.seek(SeekFrom::Start(self.offset))
            .and_then(|_| file.read_exact(&mut raw))
            .map_err(Problem::io("read"))?;
        Ok(raw)
    }

    /// Picks row `row` out of all the bytes of an array in Fortran order; its entries in C order.
    pub fn pick(&self, all: &[u8], row: usize, out: &mut [f64]) {
        let size = self.dtype.size();
        for (index, x) in out.iter_mut().enumerate() {
            let at = size * (row + self.n * self.fortran_index(index));
            let raw = &all[at..at + size];
            self.dtype
                .decode(self.big_endian, raw, std::slice::from_mut(x));
        }
    }

    /// Where the entry with this index in C order stands in Fortran order, within a row.
    fn fortran_index(&self, mut index: usize) -> usize {
        let mut stride = self.d;
        let mut at = 0;
        for axis in self.rest.iter().rev() {
            stride /= axis;
            at += index % axis * stride;
            index /= axis;
        }
        at
    }
}

/// As many zeros, or a typed error: the number comes from a file.
pub fn zeros(len: usize, advice: &'static str) -> Result<Vec<f64>, Problem> {
    let mut zeros = Vec::new();
    reserve(&mut zeros, len, advice)?;
    zeros.resize(len, 0.0);
    Ok(zeros)
}

/// Room for `more` numbers, or a typed error.
pub fn reserve(values: &mut Vec<f64>, more: usize, advice: &'static str) -> Result<(), Problem> {
    values.try_reserve(more).map_err(|_| Problem::Memory {
        bytes: 8 * (values.len() as u64).saturating_add(more as u64),
        advice,
    })
}

/// Refuses what cannot be a norm.
pub fn check_norm(value: f64, place: impl FnOnce() -> Place) -> Result<(), Problem> {
    match value {
        _ if !value.is_finite() => Err(Problem::NotFinite {
            place: place(),
            value: value.to_string(),
        }),
        _ if value < 0.0 => Err(Problem::Negative {
            place: place(),
            value,
        }),
        _ => Ok(()),
    }
}
