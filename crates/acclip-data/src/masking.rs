//! BERT's masking: hide some tokens, ask the model for them.
//!
//! Of a sequence with n ordinary tokens (not `[CLS]`, `[SEP]`, `[PAD]`, `[UNK]`, `[MASK]`),
//! k = max(1, round(rate · n)) are chosen, every set of k equally likely. Each chosen token is a label; in
//! the input it becomes `[MASK]` with probability 0.8, a uniformly drawn ordinary token with 0.1, and
//! stays as it is with 0.1. A cap, if there is one, bounds k.
//!
//! With whole words, the units are words, not tokens (see `whole_words.rs`). What the tokens of a word
//! become is drawn for each of them on its own.
//!
//! Departures from the original code: it counts `[CLS]` and `[SEP]` in n, may choose `[UNK]`, and may draw
//! a special token as replacement; it masks the corpus once (ten copies), while here each step has its own
//! masks.
//!
//! Reference: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (2019), §3.1, A.1;
//! `create_pretraining_data.py` of google-research/bert.

use crate::{
    Error, Pairs, Sequences, Specials, Tokenizer,
    rng::{Purpose, stream},
    whole_words::{fitting, words},
};
use rand::{RngExt, seq::SliceRandom};
use serde::{Deserialize, Serialize};

/// How much is masked, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    /// Share of the ordinary tokens that become labels, in (0, 1].
    pub rate: f64,
    /// Share of the labels whose input is `[MASK]`, in [0, 1].
    pub mask: f64,
    /// Share of the labels whose input is a random token, in [0, 1]; `mask + random ≤ 1`, the rest stays.
    pub random: f64,
    /// Whether words are chosen whole, rather than single tokens.
    pub whole_words: bool,
    /// The most labels a sequence may have, at least 1; BERT: 20 of 128 tokens, 77 of 512.
    pub max_predictions: Option<usize>,
}

impl Default for Masking {
    fn default() -> Self {
        Masking {
            rate: 0.15,
            mask: 0.8,
            random: 0.1,
            whole_words: false,
            max_predictions: None,
        }
    }
}

/// A batch of B sequences of T tokens, ready for a masked language model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedBatch {
    /// B, sequences in the batch.
    pub batch_size: usize,
    /// T, tokens in a sequence, padding included: `max_len` in every batch.
    pub seq_len: usize,
    /// (B, T) row-major: input ids, masked, and padded with `[PAD]`.
    pub tokens: Vec<u32>,
    /// (B, T) row-major: true where there is a token, false where there is padding.
    pub real: Vec<bool>,
    /// (M) flat places b·T + t of the labels, ascending; at least one in each row.
    pub positions: Vec<u32>,
    /// (M) the true ids at those places.
    pub labels: Vec<u32>,
    /// (B, T) row-major, of pairs only: 0 in `[CLS] A [SEP]` and in padding, 1 in `B [SEP]`.
    pub segments: Option<Vec<u32>>,
    /// (B), of pairs only: 0 if B follows A, 1 if B is from another document.
    pub next: Option<Vec<u32>>,
}

/// Makes masked batches; [`Masking`] with the vocabulary it works on, checked.
#[derive(Clone, Debug)]
pub struct Masker {
    masking: Masking,
    specials: Specials,
    /// Ids that a random replacement is drawn from.
    ordinary: Vec<u32>,
    /// Whether id `i` continues a word; empty where words play no part.
    continues: Vec<bool>,
}

impl Masker {
    /// Checks the settings once.
    ///
    /// # Errors
    /// [`Error::Setting`] if a share lies outside its range, if the vocabulary is all special tokens, or if
    /// whole words are asked for: only [`Masker::for_tokenizer`] knows them.
    pub fn new(masking: Masking, specials: Specials, vocab_size: usize) -> Result<Masker, Error> {
        if masking.whole_words {
            return Err(Error::Setting {
                name: "masking.whole_words",
                value: "true".into(),
                range: "false without a tokenizer that knows the words: see Masker::for_tokenizer",
            });
        }
        Masker::checked(masking, specials, vocab_size)
    }

    /// The masker for the ids of a tokenizer, with whole words or without.
    ///
    /// # Errors
    /// As [`Masker::new`].
    pub fn for_tokenizer(masking: Masking, tokenizer: &Tokenizer) -> Result<Masker, Error> {
        let vocab_size = tokenizer.vocab_size();
        let mut masker = Masker::checked(masking, tokenizer.specials(), vocab_size)?;
        if masking.whole_words {
            masker.continues = (0..vocab_size as u32)
                .map(|id| tokenizer.continues_word(id))
                .collect();
        }
        Ok(masker)
    }

    fn checked(masking: Masking, specials: Specials, vocab_size: usize) -> Result<Masker, Error> {
        let Masking {
            rate, mask, random, ..
        } = masking;
        let wrong = |name, value: f64, range| {
            Err(Error::Setting {
                name,
                value: value.to_string(),
                range,
            })
        };
        if !(rate > 0.0 && rate <= 1.0) {
            return wrong("masking.rate", rate, "above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&mask) {
            return wrong("masking.mask", mask, "between 0 and 1");
        }
        if !(random >= 0.0 && mask + random <= 1.0) {
            return wrong("masking.random", random, "between 0 and 1 - masking.mask");
        }
        if masking.max_predictions == Some(0) {
            return wrong("masking.max_predictions", 0.0, "at least 1, or left out");
        }
        let ordinary: Vec<u32> = (0..vocab_size as u32)
            .filter(|&id| !specials.contains(id))
            .collect();
        if ordinary.is_empty() {
            return wrong(
                "vocab_size",
                vocab_size as f64,
                "larger than the number of special tokens",
            );
        }
        Ok(Masker {
            masking,
            specials,
            ordinary,
            continues: Vec::new(),
        })
    }

    /// The sequences `indices`, masked and padded to `sequences.max_len()`.
    ///
    /// The masks of sequence `i` come from [`stream`]`(seed, purpose, step, i)`: they depend neither on
    /// the other sequences of the batch nor on its place in it. Training takes ([`Purpose::MASK`], its
    /// step); validation and noise measurement take their own purpose and step 0, so that their masks
    /// never change.
    ///
    /// # Panics
    /// If an index is not below `sequences.len()`.
    pub fn batch(
        &self,
        sequences: &Sequences,
        indices: &[usize],
        seed: u64,
        purpose: Purpose,
        step: u64,
    ) -> MaskedBatch {
        let mut batch = self.empty(indices.len(), sequences.max_len());
        for (b, &index) in indices.iter().enumerate() {
            let rng = &mut stream(seed, purpose, step, index as u64);
            self.fill(&mut batch, b, sequences.get(index), rng);
        }
        batch
    }

    /// The pairs `indices`, masked and padded to `pairs.max_len()`, with their segments and labels.
    ///
    /// The masks come from the same streams as those of [`Masker::batch`].
    ///
    /// # Panics
    /// If an index is not below `pairs.len()`.
    pub fn pair_batch(
        &self,
        pairs: &Pairs,
        indices: &[usize],
        seed: u64,
        purpose: Purpose,
        step: u64,
    ) -> MaskedBatch {
        let mut batch = self.empty(indices.len(), pairs.max_len());
        let mut segments = vec![0; batch.tokens.len()];
        let mut next = Vec::with_capacity(indices.len());
        for (b, &index) in indices.iter().enumerate() {
            let pair = pairs.get(index);
            let rng = &mut stream(seed, purpose, step, index as u64);
            self.fill(&mut batch, b, pair.tokens, rng);
            segments[b * pairs.max_len()..][..pair.segments.len()].copy_from_slice(&pair.segments);
            next.push(pair.next);
        }
        batch.segments = Some(segments);
        batch.next = Some(next);
        batch
    }

    /// A batch that is all padding.
    fn empty(&self, batch_size: usize, seq_len: usize) -> MaskedBatch {
        MaskedBatch {
            batch_size,
            seq_len,
            tokens: vec![self.specials.pad; batch_size * seq_len],
            real: vec![false; batch_size * seq_len],
            positions: Vec::new(),
            labels: Vec::new(),
            segments: None,
            next: None,
        }
    }

    /// Masks `sequence` into row `b`.
    fn fill(&self, batch: &mut MaskedBatch, b: usize, sequence: &[u32], rng: &mut impl rand::Rng) {
        let first = b * batch.seq_len;
        batch.tokens[first..][..sequence.len()].copy_from_slice(sequence);
        batch.real[first..][..sequence.len()].fill(true);
        for t in self.choose(sequence, rng) {
            batch.positions.push((first + t) as u32);
            batch.labels.push(sequence[t]);
            batch.tokens[first + t] = self.replace(sequence[t], rng);
        }
    }

    /// The places in `sequence` that become labels, ascending.
    fn choose(&self, sequence: &[u32], rng: &mut impl rand::Rng) -> Vec<usize> {
        let mut candidates: Vec<usize> = (0..sequence.len())
            .filter(|&t| !self.specials.contains(sequence[t]))
            .collect();
        let count = (self.masking.rate * candidates.len() as f64)
            .round()
            .max(1.0) as usize;
        let count = count.min(self.masking.max_predictions.unwrap_or(count));
        let mut chosen = if self.masking.whole_words {
            let mut words = words(sequence, &candidates, &self.continues);
            words.shuffle(rng);
            fitting(&words, count)
        } else {
            candidates.partial_shuffle(rng, count).0.to_vec()
        };
        chosen.sort_unstable();
        chosen
    }

    /// What the model sees in place of `id`.
    fn replace(&self, id: u32, rng: &mut impl rand::Rng) -> u32 {
        let u: f64 = rng.random();
        if u < self.masking.mask {
            self.specials.mask
        } else if u < self.masking.mask + self.masking.random {
            self.ordinary[rng.random_range(0..self.ordinary.len())]
        } else {
            id
        }
    }
}
