//! A stream of words as a batch of columns, in segments that follow one another.
//!
//! The text is cut into B pieces of consecutive words, the columns of the batch. Segment k holds places
//! kT to kT + T − 1 of each column, and its targets are the words one place on. A model with a memory
//! reads the segments in order, and begins with an empty memory at segment 0.
//!
//! Two ways to cut n words:
//!
//! * [`WordStream::new`], for training, as the authors do: columns of ⌊n/B⌋ words. The n mod B words that
//!   are left over, and the step from the end of one column to the beginning of the next, are not used.
//! * [`WordStream::evaluation`]: every word but the first is a target exactly once, so that the loss is the
//!   same sum over the same words whatever B. The last word of a column is the first of the next; r =
//!   (n − 1) mod B columns have one target more than the others, and these r targets make a last segment of
//!   r columns, the first r, and one word.
//!
//! The last segment that has all columns may be shorter than T: with ℓ targets a column, it has
//! ℓ mod T of them, if that is not 0. The authors' iterator gives it too. To have one shape only, take the
//! first [`WordStream::whole_segments`].
//!
//! Reference: `LMOrderedIterator` in `pytorch/data_utils.py` of kimiyoung/transformer-xl; departure: rows
//! are columns of the text (B, T), where the authors have (T, B).

use crate::Error;

/// Consecutive words of each column, and the words that follow them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// B, columns in the segment.
    pub batch_size: usize,
    /// T, words of each column.
    pub len: usize,
    /// (B, T) row-major: what the model reads.
    pub tokens: Vec<u32>,
    /// (B, T) row-major: what it is to predict, the words one place on.
    pub targets: Vec<u32>,
}

/// Ids cut into columns, with random access to the segments.
#[derive(Clone, Debug)]
pub struct WordStream {
    ids: Vec<u32>,
    /// Where each column begins.
    starts: Vec<usize>,
    /// Targets in each column.
    depth: usize,
    /// The first columns, so many of them, have one target more.
    extra: usize,
    target_len: usize,
}

impl WordStream {
    /// The columns for training: `batch_size` of them, in segments of `target_len` words.
    ///
    /// # Errors
    /// [`Error::Setting`] if `batch_size` or `target_len` is 0, [`Error::TooFewWords`] if there is not one
    /// whole segment.
    pub fn new(ids: Vec<u32>, batch_size: usize, target_len: usize) -> Result<WordStream, Error> {
        let needed = target_len.saturating_add(1).saturating_mul(batch_size);
        check(ids.len(), batch_size, target_len, needed)?;
        let column = ids.len() / batch_size;
        Ok(WordStream {
            starts: (0..batch_size).map(|b| b * column).collect(),
            depth: column - 1,
            extra: 0,
            target_len,
            ids,
        })
    }

    /// The columns for evaluation: every word but the first is a target, once.
    ///
    /// # Errors
    /// [`Error::Setting`] if `batch_size` or `target_len` is 0, [`Error::TooFewWords`] if a column would
    /// have no target.
    pub fn evaluation(
        ids: Vec<u32>,
        batch_size: usize,
        target_len: usize,
    ) -> Result<WordStream, Error> {
        let needed = batch_size.saturating_add(1);
        check(ids.len(), batch_size, target_len, needed)?;
        let (depth, extra) = ((ids.len() - 1) / batch_size, (ids.len() - 1) % batch_size);
        Ok(WordStream {
            starts: (0..batch_size).map(|b| b * depth + b.min(extra)).collect(),
            depth,
            extra,
            target_len,
            ids,
        })
    }

    /// How many segments there are; at least one.
    pub fn segments(&self) -> usize {
        self.depth.div_ceil(self.target_len) + usize::from(self.extra > 0)
    }

    /// How many segments, from the first on, have all columns and `target_len` words.
    pub fn whole_segments(&self) -> usize {
        self.depth / self.target_len
    }

    /// Targets in all segments together.
    pub fn targets(&self) -> usize {
        self.starts.len() * self.depth + self.extra
    }

    /// Segment `k`, counted from 0; any of them, at any time.
    ///
    /// # Panics
    /// If `k ≥ segments()`, as indexing a slice does.
    pub fn segment(&self, k: usize) -> Segment {
        let segments = self.segments();
        assert!(k < segments, "segment {k} of {segments}");
        let first = k * self.target_len;
        let (batch_size, from, len) = if first < self.depth {
            let len = self.target_len.min(self.depth - first);
            (self.starts.len(), first, len)
        } else {
            (self.extra, self.depth, 1)
        };
        let mut tokens = Vec::with_capacity(batch_size * len);
        let mut targets = Vec::with_capacity(batch_size * len);
        for start in &self.starts[..batch_size] {
            let words = &self.ids[start + from..][..len + 1];
            tokens.extend_from_slice(&words[..len]);
            targets.extend_from_slice(&words[1..]);
        }
        Segment {
            batch_size,
            len,
            tokens,
            targets,
        }
    }
}

/// Checks the sizes, and that `words` are at least `needed`.
fn check(words: usize, batch_size: usize, target_len: usize, needed: usize) -> Result<(), Error> {
    for (name, value) in [("batch_size", batch_size), ("target_len", target_len)] {
        if value == 0 {
            return Err(Error::Setting {
                name,
                value: "0".into(),
                range: "at least 1",
            });
        }
    }
    if words < needed {
        return Err(Error::TooFewWords {
            words,
            batch_size,
            needed,
        });
    }
    Ok(())
}
