//! A batch for masked-token prediction.

use crate::by_example::Groups;
use crate::{BertConfig, Error, Head};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// What stands at the model's input.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a, F> {
    /// Token ids, (B, T) row-major: the word embeddings are looked up.
    Tokens(&'a [u32]),
    /// Vectors in place of the word embeddings, (B, T, H) row-major.
    Vectors(&'a [F]),
}

/// A batch for masked-token prediction: B sequences of T positions, row-major.
#[derive(Debug, Clone, Copy)]
pub struct MaskedBatch<'a, F> {
    /// Number of sequences, B.
    pub batch: usize,
    /// Positions in each, T.
    pub length: usize,
    /// The input, with its tokens already masked.
    pub input: Input<'a, F>,
    /// Segment ids, (B, T); `None` is segment 0 everywhere.
    pub segments: Option<&'a [u32]>,
    /// `true` where a token is, `false` on padding, (B, T).
    pub real: &'a [bool],
    /// Flat indices b·T + t of the masked positions, (M).
    pub positions: &'a [u32],
    /// The true tokens there, (M).
    pub labels: &'a [u32],
    /// Whether the second segment follows the first in the text, 0, or is of another place, 1, (B): for
    /// [`Head::Pretraining`], and for no other.
    pub next: Option<&'a [u32]>,
}

/// What the encoder looks at.
#[derive(Clone, Copy)]
pub(crate) struct Sequences<'a, F> {
    /// B.
    pub batch: usize,
    /// T.
    pub length: usize,
    /// (B, T), or (B, T, H).
    pub input: Input<'a, F>,
    /// (B, T).
    pub segments: Option<&'a [u32]>,
    /// (B, T).
    pub real: &'a [bool],
}

/// Refuses the argument `what`, with the problem, unless it is `ok`.
pub(crate) fn expect(what: &'static str, ok: bool, problem: String) -> Result<(), Error> {
    match ok {
        true => Ok(()),
        false => Err(Error::Shape { what, problem }),
    }
}

fn below(ids: &[u32], limit: usize) -> bool {
    ids.iter().all(|&id| (id as usize) < limit)
}

impl<F> Sequences<'_, F> {
    /// Refuses sequences that do not fit a model of `config`, naming the argument.
    pub fn check(&self, config: &BertConfig) -> Result<(), Error> {
        let (vocabulary, places) = (config.vocab_size, self.batch * self.length);
        expect(
            "length",
            (1..=config.max_len).contains(&self.length) && self.batch > 0,
            format!(
                "{} × {} positions; a model of max_len {} takes 1 to {0} sequences of 1 to {2}",
                self.batch, self.length, config.max_len
            ),
        )?;
        match self.input {
            Input::Tokens(ids) => expect(
                "input",
                ids.len() == places && below(ids, vocabulary),
                format!(
                    "{} tokens for {places} positions, or an id ≥ {vocabulary}",
                    ids.len()
                ),
            )?,
            Input::Vectors(x) => expect(
                "input",
                x.len() == places * config.hidden,
                format!("{} numbers for {places} × {}", x.len(), config.hidden),
            )?,
        }
        if let Some(ids) = self.segments {
            expect(
                "segments",
                ids.len() == places && below(ids, config.segments),
                format!(
                    "{} ids for {places} positions, or an id too large",
                    ids.len()
                ),
            )?;
        }
        expect(
            "real",
            self.real.len() == places,
            format!("{} flags for {places} positions", self.real.len()),
        )
    }
}

impl<'a, F: Copy> MaskedBatch<'a, F> {
    /// The sequences alone.
    pub(crate) fn sequences(&self) -> Sequences<'a, F> {
        Sequences {
            batch: self.batch,
            length: self.length,
            input: self.input,
            segments: self.segments,
            real: self.real,
        }
    }

    /// The range of the masked positions of each sequence, where the positions ascend.
    pub(crate) fn head_rows(&self) -> Groups {
        let first = |b: usize| {
            let begin = b * self.length;
            self.positions.partition_point(|&p| (p as usize) < begin)
        };
        (0..self.batch).map(|b| first(b)..first(b + 1)).collect()
    }

    /// Refuses a batch that does not fit a model of `config`, naming the argument.
    pub(crate) fn check(&self, config: &BertConfig) -> Result<(), Error> {
        self.sequences().check(config)?;
        let (masked, places) = (self.positions.len(), self.batch * self.length);
        expect(
            "positions",
            masked > 0 && masked == self.labels.len() && below(self.positions, places),
            format!(
                "{masked} positions and {} labels in {places} places",
                self.labels.len()
            ),
        )?;
        expect(
            "labels",
            below(self.labels, config.vocab_size),
            format!("a label ≥ {}", config.vocab_size),
        )?;
        let (wanted, given) = (config.head == Head::Pretraining, self.next.is_some());
        let not = |yes| if yes { "" } else { "no " };
        expect(
            "next",
            wanted == given,
            format!(
                "the batch has {}labels of the next sentence, and the model has {}head for them",
                not(given),
                not(wanted)
            ),
        )?;
        match self.next {
            None => Ok(()),
            Some(next) => expect(
                "next",
                next.len() == self.batch && below(next, 2),
                format!(
                    "{} labels for {} sequences, or one that is neither 0 nor 1",
                    next.len(),
                    self.batch
                ),
            ),
        }
    }
}

/// `n` Gaussian vectors of `width` entries, each scaled to unit root mean square, row-major: what
/// stands in place of word embeddings in the paper's "Gaussian" data.
pub fn gaussian_vectors(n: usize, width: usize, generator: &mut dyn Rng) -> Vec<f32> {
    let mut vectors = Vec::with_capacity(n * width);
    let mut vector = vec![0.0_f64; width];
    for _ in 0..n {
        vector.fill_with(|| StandardNormal.sample(generator));
        let mean_square = vector.iter().map(|x| x * x).sum::<f64>() / width as f64;
        vectors.extend(vector.iter().map(|x| (x / mean_square.sqrt()) as f32));
    }
    vectors
}
