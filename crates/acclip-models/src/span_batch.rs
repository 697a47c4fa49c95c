//! A batch for question answering: which span of the text is the answer.

use crate::masked_batch::{Sequences, expect};
use crate::{BertConfig, Error, Input};

/// A batch of B sequences of T positions, row-major: `[CLS] question [SEP] text [SEP]`, and where the answer stands.
#[derive(Debug, Clone, Copy)]
pub struct SpanBatch<'a> {
    /// Number of sequences, B.
    pub batch: usize,
    /// Positions in each, T.
    pub length: usize,
    /// Token ids, (B, T).
    pub tokens: &'a [u32],
    /// Segment ids, (B, T): 1 on the text; `None` is segment 0 everywhere.
    pub segments: Option<&'a [u32]>,
    /// `true` where a token is, `false` on padding, (B, T).
    pub real: &'a [bool],
    /// The position in its sequence, from 0 to T − 1, of the answer's first token, (B).
    pub starts: &'a [u32],
    /// And of its last token, (B).
    pub ends: &'a [u32],
}

impl<'a> SpanBatch<'a> {
    /// The sequences alone.
    pub(crate) fn sequences<F>(&self) -> Sequences<'a, F> {
        Sequences {
            batch: self.batch,
            length: self.length,
            input: Input::Tokens(self.tokens),
            segments: self.segments,
            real: self.real,
        }
    }

    /// Refuses a batch that does not fit a model of `config`, naming the argument.
    pub(crate) fn check(&self, config: &BertConfig) -> Result<(), Error> {
        self.sequences::<f32>().check(config)?;
        let is_token = |(b, &t): (usize, &u32)| {
            let t = t as usize;
            t < self.length && self.real[b * self.length + t]
        };
        for (what, positions) in [("starts", self.starts), ("ends", self.ends)] {
            expect(
                what,
                positions.len() == self.batch && positions.iter().enumerate().all(is_token),
                format!(
                    "{} positions for {} sequences, or one that is ≥ {} or on padding",
                    positions.len(),
                    self.batch,
                    self.length
                ),
            )?;
        }
        let reversed = self.starts.iter().zip(self.ends).position(|(s, e)| e < s);
        match reversed {
            None => Ok(()),
            Some(b) => Err(Error::Shape {
                what: "ends",
                problem: format!(
                    "sequence {b} has an answer from {} to {}",
                    self.starts[b], self.ends[b]
                ),
            }),
        }
    }

    /// (2B): where each answer starts and ends, sequence by sequence.
    pub(crate) fn labels(&self) -> Vec<u32> {
        let pairs = self.starts.iter().zip(self.ends);
        pairs.flat_map(|(start, end)| [*start, *end]).collect()
    }
}
