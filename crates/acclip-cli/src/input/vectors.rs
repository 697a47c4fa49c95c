//! Gradients in a file, to be read row by row, as often as wanted.

use super::array::{Array, zeros};
use super::csv::Table;
use super::error::{InputError, Place, Problem};
use super::{Layers, Options};
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::PathBuf;

/// Short rows are read many at a time: this many numbers, 1 MiB.
const BLOCK: usize = 1 << 17;

/// n gradients of d entries in a file.
///
/// Memory while reading: one gradient in f64, or 1 MiB if that is more. An array in Fortran order is held
/// whole, and refused beyond 1 GiB.
#[derive(Debug)]
pub struct Vectors {
    pub(super) path: PathBuf,
    /// Of the file, in bytes.
    pub(super) size: u64,
    pub(super) n: usize,
    pub(super) d: usize,
    pub(super) layers: Layers,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    /// Beside each other, they make a row.
    Arrays(Vec<Array>),
    Csv(Options),
}

impl Vectors {
    /// How many gradients.
    #[cfg(test)]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Entries of a gradient.
    pub fn d(&self) -> usize {
        self.d
    }

    /// Names and ranges of the layers, which partition 0..d in order. Files without names have one, `all`.
    pub fn layers(&self) -> &[(String, Range<usize>)] {
        &self.layers
    }

    /// Starts to read, from the first gradient.
    pub fn rows(&self) -> Result<Rows<'_>, InputError> {
        self.start().map_err(|problem| self.error(problem))
    }

    fn start(&self) -> Result<Rows<'_>, Problem> {
        let mut file = File::open(&self.path).map_err(Problem::io("open"))?;
        let size = file.metadata().map_err(Problem::io("look at"))?.len();
        if size != self.size {
            return Err(Problem::Changed);
        }
        let (reader, per_block) = match &self.source {
            Source::Csv(options) => {
                let table = Table::new(BufReader::new(file), options)?;
                (Reader::Csv(Box::new(table)), 1)
            }
            Source::Arrays(arrays) => match &arrays[..] {
                [array] if array.fortran => (Reader::Fortran(array, array.load(&mut file)?), 1),
                _ => {
                    let per_block = (BLOCK / self.d).clamp(1, self.n);
                    (Reader::Arrays(file, arrays), per_block)
                }
            },
        };
        Ok(Rows {
            vectors: self,
            reader,
            block: zeros(per_block * self.d, "; a gradient must fit in memory")?,
            start: 0,
            end: 0,
            next: 0,
        })
    }

    fn error(&self, problem: Problem) -> InputError {
        InputError {
            path: self.path.clone(),
            problem,
        }
    }
}

/// A pass over the gradients of a file.
pub struct Rows<'a> {
    vectors: &'a Vectors,
    reader: Reader<'a>,
    /// Rows `start..end`.
    block: Vec<f64>,
    start: usize,
    end: usize,
    next: usize,
}

enum Reader<'a> {
    Arrays(File, &'a [Array]),
    Fortran(&'a Array, Vec<u8>),
    Csv(Box<Table<BufReader<File>>>),
}

impl Rows<'_> {
    /// The next gradient, all of it finite; `None` after the last.
    pub fn next_row(&mut self) -> Result<Option<&[f64]>, InputError> {
        if self.next == self.vectors.n {
            return Ok(None);
        }
        if self.next == self.end {
            self.fill().map_err(|problem| self.vectors.error(problem))?;
        }
        let d = self.vectors.d;
        let row = &self.block[(self.next - self.start) * d..][..d];
        if let Some(index) = row.iter().position(|x| !x.is_finite()) {
            let (tensor, entry) = self.name(index);
            let place = Place::Entry {
                tensor,
                row: self.next as u64,
                entry: Some(entry),
            };
            let value = row[index].to_string();
            return Err(self.vectors.error(Problem::NotFinite { place, value }));
        }
        self.next += 1;
        Ok(Some(row))
    }

    /// Reads the block that starts with row `next`.
    fn fill(&mut self) -> Result<(), Problem> {
        let Vectors { n, d, layers, .. } = self.vectors;
        let count = (self.block.len() / d).min(n - self.next);
        match &mut self.reader {
            Reader::Arrays(file, arrays) => {
                for (array, (_, range)) in arrays.iter().zip(layers) {
                    array.rows(file, self.next, count, &mut self.block[range.start..], *d)?;
                }
            }
            Reader::Fortran(array, all) => array.pick(all, self.next, &mut self.block),
            // The table was well-formed when it was first read.
            Reader::Csv(table) => match table.next(&mut self.block) {
                Ok(true) if self.block.len() == *d => {}
                Err(problem @ Problem::Io { .. }) => return Err(problem),
                _ => return Err(Problem::Changed),
            },
        }
        (self.start, self.end) = (self.next, self.next + count);
        Ok(())
    }

    /// The tensor of an entry, if tensors have names, and its index there.
    fn name(&self, index: usize) -> (Option<String>, usize) {
        match &self.vectors.source {
            Source::Arrays(arrays) if arrays[0].name.is_some() => {
                let mut layers = self.vectors.layers.iter();
                let layer = layers.find(|(_, range)| range.contains(&index));
                let (name, range) = layer.expect("layers partition a row");
                (Some(name.clone()), index - range.start)
            }
            _ => (None, index),
        }
    }
}
