//! Samples of gradient noise from files: CSV, NPY or safetensors; norms, or gradients.
//!
//! The format is known by the first bytes, then by the extension. What an array of n rows and d columns is:
//!
//! ```text
//!            nothing said   --norms    --vectors
//! d = 1      n norms        n norms    n gradients of one parameter
//! n = 1 < d  refused        d norms    one gradient
//! else       n gradients    refused    n gradients
//! ```
//!
//! Rows are always gradients, also where n < d. Norms must not be negative. A file with several named columns
//! or lists is refused until one is chosen. Nothing is allocated on the word of a header before it has been
//! compared with the size of the file.

mod array;
mod csv;
mod dtype;
mod error;
mod header;
mod npy;
mod npy_header;
mod safetensors;
mod text;
mod vectors;

pub use error::InputError;
use error::Problem;
pub use vectors::Vectors;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek};
use std::ops::Range;
use std::path::Path;
use vectors::Source;

#[cfg(test)]
mod tests;

/// Names and ranges of layers.
type Layers = Vec<(String, Range<usize>)>;

/// How to read a file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What it holds; by default, what its shape tells.
    pub shape: Option<Shape>,
    /// The only column (by its name, or by its number from 1) or tensor to read.
    pub column: Option<String>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The norms of gradients, or of their noise.
    Norms,
    /// Gradients, one in each row.
    Vectors,
}

/// A sample of gradient noise.
#[derive(Debug)]
pub enum Sample {
    /// Norms, finite and not negative, at least one. They take 8 bytes each, 0.8 GB for 10⁸; a CSV file of
    /// them up to three times that while it is read.
    Norms(Vec<f64>),
    /// Gradients, which stay in their file.
    Vectors(Vectors),
}

/// Reads a file. `-` is the standard input, which like any pipe gives norms as CSV.
pub fn read(path: &Path, options: &Options) -> Result<Sample, InputError> {
    read_any(path, options).map_err(|problem| InputError {
        path: path.to_path_buf(),
        problem,
    })
}

fn read_any(path: &Path, options: &Options) -> Result<Sample, Problem> {
    if path.as_os_str() == "-" {
        return read_pipe(std::io::stdin().lock(), options);
    }
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Problem::NotFound,
        _ => Problem::io("look at")(source),
    })?;
    if metadata.is_dir() {
        return Err(Problem::Directory);
    }
    let mut file = File::open(path).map_err(Problem::io("open"))?;
    if !metadata.is_file() {
        return read_pipe(BufReader::new(file), options);
    }
    let size = metadata.len();
    let mut start = Vec::new();
    (&file)
        .take(START)
        .read_to_end(&mut start)
        .map_err(Problem::io("read"))?;
    let extension = path.extension().unwrap_or_default();
    let (arrays, shape) = match format(&start, &extension.to_string_lossy())? {
        Format::Csv => {
            file.rewind().map_err(Problem::io("read"))?;
            return Ok(match csv::read(BufReader::new(file), options, false)? {
                csv::Contents::Norms(norms) => Sample::Norms(norms),
                csv::Contents::Rows(n, d) => Sample::Vectors(Vectors {
                    path: path.to_path_buf(),
                    size,
                    n,
                    d,
                    layers: vec![("all".to_owned(), 0..d)],
                    source: Source::Csv(options.clone()),
                }),
            });
        }
        Format::Npy => {
            if options.column.is_some() {
                let problem = "is an NPY file, which has no names; leave out --column";
                return Err(Problem::Unfit(problem.to_owned()));
            }
            let array = npy::open(&mut file, size)?;
            let shape = meaning(array.n, array.d, options.shape)?;
            (vec![array], shape)
        }
        Format::Safetensors => safetensors::open(&mut file, size, options)?,
    };
    if shape == Shape::Norms {
        return arrays[0].norms(&mut file).map(Sample::Norms);
    }
    let mut d = 0;
    let layer = |array: &array::Array| {
        let name = array.name.clone().unwrap_or_else(|| "all".to_owned());
        d += array.d;
        (name, d - array.d..d)
    };
    Ok(Sample::Vectors(Vectors {
        path: path.to_path_buf(),
        size,
        n: arrays[0].n,
        layers: arrays.iter().map(layer).collect(),
        d,
        source: Source::Arrays(arrays),
    }))
}

fn read_pipe(mut reader: impl BufRead, options: &Options) -> Result<Sample, Problem> {
    let start = reader.fill_buf().map_err(Problem::io("read"))?;
    match format(start, "")? {
        Format::Csv => match csv::read(reader, options, true)? {
            csv::Contents::Norms(norms) => Ok(Sample::Norms(norms)),
            csv::Contents::Rows(..) => unreachable!("refused for a pipe"),
        },
        Format::Npy => Err(Problem::Pipe("holds an NPY file")),
        Format::Safetensors => Err(Problem::Pipe("holds a safetensors file")),
    }
}

/// What an array of n rows and d columns is: the table above.
fn meaning(n: usize, d: usize, asked: Option<Shape>) -> Result<Shape, Problem> {
    match (n, d, asked) {
        (_, _, Some(Shape::Vectors)) => Ok(Shape::Vectors),
        (_, 1, _) | (1, _, Some(Shape::Norms)) => Ok(Shape::Norms),
        (1, _, None) => Err(Problem::Ambiguous(format!(
            "has one row of {d} numbers; say --norms if they are norms; a single gradient (--vectors) tells \
             nothing about noise"
        ))),
        (_, _, Some(Shape::Norms)) => Err(Problem::Unfit(format!(
            "has {n} rows of {d} numbers, and norms are one number a row; choose a column of a CSV file with \
             --column, or leave out --norms"
        ))),
        (_, _, None) => Ok(Shape::Vectors),
    }
}

/// How much of a file is looked at to know its format.
const START: u64 = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Npy,
    Safetensors,
}

/// By the first bytes, then by the extension.
fn format(start: &[u8], extension: &str) -> Result<Format, Problem> {
    const OTHERS: [(&[u8], &str); 7] = [
        (
            b"PK\x03\x04",
            "is a zip archive, as numpy.savez and torch.save write; save one array with numpy.save, or \
             tensors with safetensors",
        ),
        (b"\x1f\x8b", "is compressed with gzip; decompress it first"),
        (
            b"\x28\xb5\x2f\xfd",
            "is compressed with zstd; decompress it first",
        ),
        (
            b"\x89HDF",
            "is an HDF5 file; save the array with numpy.save",
        ),
        (b"PAR1", "is a Parquet file; write it as CSV"),
        (
            b"\x80",
            "looks like a Python pickle, which is never loaded; save the array with numpy.save",
        ),
        (b"{", "looks like JSON; write one number a line"),
    ];
    if start.is_empty() {
        return Err(Problem::Empty("holds no bytes".to_owned()));
    }
    if start.starts_with(npy::MAGIC) || npy::MAGIC.starts_with(start) {
        return Ok(Format::Npy);
    }
    if safetensors::is_start(start) {
        return Ok(Format::Safetensors);
    }
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Problem::UnknownFormat(what));
    }
    match extension.to_ascii_lowercase().as_str() {
        "npy" => Ok(Format::Npy),
        "safetensors" => Ok(Format::Safetensors),
        _ if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") => {
            Err(Problem::NotUtf8 { line: 1 })
        }
        _ if start.contains(&0) => Err(Problem::UnknownFormat("holds bytes that are no text")),
        _ => Ok(Format::Csv),
    }
}

/// Names for a message: in quotes, the first few of many.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<_> = (names.iter().take(SHOWN))
        .map(|name| format!("'{}'", error::clean(name)))
        .collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}
