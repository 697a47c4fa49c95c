//! Pairs of segments for next-sentence prediction: `[CLS] A [SEP] B [SEP]`.
//!
//! A document is a list of sentences. From its beginning, sentences are gathered until they hold `target`
//! tokens; the first few of them, a uniformly drawn number but not all, are A. With probability ½ the rest
//! of them is B (label 0: it does follow). Otherwise, and always where only one sentence was gathered, B is
//! sentences of another document from a random one on, up to `target` tokens with A (label 1: random); the
//! sentences that A left over then begin the next pair. `target` is `max_len − 3`, but for one document in
//! ten it is uniform in 2..=max_len − 3, for all of its pairs: more than a tenth of the pairs are short.
//! While A and B together are longer than `max_len − 3`, the longer one (B if equal) loses its first or its
//! last token, either with probability ½.
//!
//! Departures from the original code: it draws the pairs once, in ten copies, while here each copy (an
//! epoch, say) has its own, drawn from (seed, copy, document); the other document is always another one,
//! where the original gives up after ten draws; a pair without any ordinary token is dropped.
//!
//! Reference: Devlin et al. 2019, §3.1 and A.2; `create_pretraining_data.py` of google-research/bert.

use crate::{
    Error, Specials,
    rng::{Purpose, stream},
};
use rand::{Rng, RngExt};

/// Share of the documents whose pairs are shorter.
const SHORT: f64 = 0.1;

/// Share of the pairs with a random B, where there is a choice.
const RANDOM: f64 = 0.5;

/// A pair of segments, ready to be masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// `[CLS] A [SEP] B [SEP]`: 5 to `max_len` ids.
    pub tokens: &'a [u32],
    /// 0 for `[CLS] A [SEP]`, 1 for `B [SEP]`; as long as `tokens`.
    pub segments: Vec<u32>,
    /// 0 if B follows A in the document, 1 if B is from another one.
    pub next: u32,
}

/// The pairs of one copy in one flat buffer, in the order of the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// Pair `i` is `flat[bounds[i].start..bounds[i + 1].start]`.
    flat: Vec<u32>,
    /// One for each pair, and one for the end.
    bounds: Vec<Bounds>,
    max_len: usize,
}

/// Where a pair stands in the flat buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    start: usize,
    /// The first place of B.
    second: usize,
    next: u32,
}

impl Pairs {
    /// Draws the pairs of `documents`: document → sentence → ids, without special tokens.
    ///
    /// Blank sentences and documents are passed over. The pairs that begin in document `d` are drawn from
    /// [`stream`]`(seed, Purpose::PAIRS, copy, d)`. Copies differ in their number of pairs as well. A second
    /// phase with longer pairs is another `Pairs` with another `max_len`.
    ///
    /// # Errors
    /// [`Error::Setting`] if `max_len < 5`, [`Error::NoOtherDocument`] if fewer than two documents have
    /// tokens, [`Error::NoSequence`] if there is not one ordinary token.
    pub fn new(
        documents: &[Vec<Vec<u32>>],
        max_len: usize,
        specials: &Specials,
        seed: u64,
        copy: u64,
    ) -> Result<Pairs, Error> {
        if max_len < 5 {
            return Err(Error::Setting {
                name: "max_len",
                value: max_len.to_string(),
                range: "at least 5: [CLS], one token, [SEP], one token, [SEP]",
            });
        }
        // (number, sentences) of the documents that are not blank.
        let documents: Vec<(usize, Vec<&[u32]>)> = documents
            .iter()
            .map(|sentences| sentences.iter().map(Vec::as_slice))
            .map(|sentences| sentences.filter(|ids| !ids.is_empty()).collect::<Vec<_>>())
            .enumerate()
            .filter(|(_, sentences)| !sentences.is_empty())
            .collect();
        if documents.len() < 2 {
            return Err(Error::NoOtherDocument {
                documents: documents.len(),
            });
        }

        let mut pairs = Pairs {
            flat: Vec::new(),
            bounds: Vec::new(),
            max_len,
        };
        for (place, (number, _)) in documents.iter().enumerate() {
            let rng = &mut stream(seed, Purpose::PAIRS, copy, *number as u64);
            pairs.draw(&documents, place, specials, rng);
        }
        if pairs.bounds.is_empty() {
            return Err(Error::NoSequence { needed: 1 });
        }
        pairs.bounds.push(Bounds {
            start: pairs.flat.len(),
            second: pairs.flat.len(),
            next: 0,
        });
        Ok(pairs)
    }

    /// The pairs of copies 0 to `copies` − 1, one after another.
    ///
    /// # Errors
    /// As [`Pairs::new`]; [`Error::Setting`] for no copy.
    pub fn copies(
        documents: &[Vec<Vec<u32>>],
        max_len: usize,
        specials: &Specials,
        seed: u64,
        copies: u64,
    ) -> Result<Pairs, Error> {
        if copies == 0 {
            return Err(Error::Setting {
                name: "copies",
                value: "0".into(),
                range: "at least 1",
            });
        }
        let mut all = Pairs::new(documents, max_len, specials, seed, 0)?;
        for copy in 1..copies {
            let more = Pairs::new(documents, max_len, specials, seed, copy)?;
            let begin = all.flat.len();
            all.bounds.pop(); // the end, where the next copy begins
            all.bounds.extend(more.bounds.iter().map(|bounds| Bounds {
                start: begin + bounds.start,
                second: begin + bounds.second,
                next: bounds.next,
            }));
            all.flat.extend(more.flat);
        }
        Ok(all)
    }

    /// The pairs that begin in document `place`.
    fn draw(
        &mut self,
        documents: &[(usize, Vec<&[u32]>)],
        place: usize,
        specials: &Specials,
        rng: &mut impl Rng,
    ) {
        let sentences = &documents[place].1;
        let room = self.max_len - 3;
        let target = if rng.random_bool(SHORT) {
            rng.random_range(2..=room)
        } else {
            room
        };
        let mut start = 0;
        while start < sentences.len() {
            let end = start + gather(&sentences[start..], target);
            let middle = match end - start {
                1 => end,
                count => start + rng.random_range(1..count),
            };
            let a = sentences[start..middle].concat();
            let is_random = middle == end || rng.random_bool(RANDOM);
            let b = if is_random {
                let mut other = rng.random_range(0..documents.len() - 1);
                other += usize::from(other >= place);
                let others = &documents[other].1;
                let others = &others[rng.random_range(0..others.len())..];
                start = middle;
                others[..gather(others, target.saturating_sub(a.len()))].concat()
            } else {
                start = end;
                sentences[middle..end].concat()
            };
            let (a, b) = truncate(&a, &b, room, rng);
            self.push(a, b, u32::from(is_random), specials);
        }
    }

    fn push(&mut self, a: &[u32], b: &[u32], next: u32, specials: &Specials) {
        if a.iter().chain(b).all(|&id| specials.contains(id)) {
            return;
        }
        let start = self.flat.len();
        self.flat.push(specials.cls);
        self.flat.extend_from_slice(a);
        self.flat.push(specials.sep);
        let second = self.flat.len();
        self.flat.extend_from_slice(b);
        self.flat.push(specials.sep);
        self.bounds.push(Bounds {
            start,
            second,
            next,
        });
    }

    /// How many pairs there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Pair `i`.
    ///
    /// # Panics
    /// If `i ≥ len()`, as indexing a slice does.
    pub fn get(&self, i: usize) -> Pair<'_> {
        let end = self.bounds[i + 1].start;
        let Bounds {
            start,
            second,
            next,
        } = self.bounds[i];
        let mut segments = vec![0; second - start];
        segments.resize(end - start, 1);
        Pair {
            tokens: &self.flat[start..end],
            segments,
            next,
        }
    }

    /// The length to which batches are padded.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// Tokens in all pairs together, `[CLS]` and `[SEP]` included, padding not.
    pub fn total_tokens(&self) -> usize {
        self.flat.len()
    }
}

/// How many of the first sentences hold `target` tokens: at least one, at most all.
fn gather(sentences: &[&[u32]], target: usize) -> usize {
    let mut length = 0;
    let enough = sentences.iter().position(|ids| {
        length += ids.len();
        length >= target
    });
    enough.map_or(sentences.len(), |last| last + 1)
}

/// What remains of A and B when together they have `room` tokens.
fn truncate<'a>(
    mut a: &'a [u32],
    mut b: &'a [u32],
    room: usize,
    rng: &mut impl Rng,
) -> (&'a [u32], &'a [u32]) {
    while a.len() + b.len() > room {
        let longer = if a.len() > b.len() { &mut a } else { &mut b };
        *longer = if rng.random_bool(0.5) {
            &longer[1..]
        } else {
            &longer[..longer.len() - 1]
        };
    }
    (a, b)
}
