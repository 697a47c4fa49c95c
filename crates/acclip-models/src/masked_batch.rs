//! A batch for masked-token prediction.

use crate::by_example::Groups;
use crate::{BertConfig, Error};
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
}

impl<F> MaskedBatch<'_, F> {
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
        let (batch, places) = (self, self.batch * self.length);
        let expect = |what, ok: bool, problem: String| match ok {
            true => Ok(()),
            false => Err(Error::Shape { what, problem }),
        };
        let below = |ids: &[u32], limit: usize| ids.iter().all(|&id| (id as usize) < limit);
        let vocabulary = config.vocab_size;
        expect(
            "length",
            (1..=config.max_len).contains(&batch.length) && batch.batch > 0,
            format!(
                "{} × {} positions; a model of max_len {} takes 1 to {0} sequences of 1 to {2}",
                batch.batch, batch.length, config.max_len
            ),
        )?;
        match batch.input {
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
        if let Some(ids) = batch.segments {
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
            batch.real.len() == places,
            format!("{} flags for {places} positions", batch.real.len()),
        )?;
        let masked = batch.positions.len();
        expect(
            "positions",
            masked > 0 && masked == batch.labels.len() && below(batch.positions, places),
            format!(
                "{masked} positions and {} labels in {places} places",
                batch.labels.len()
            ),
        )?;
        expect(
            "labels",
            below(batch.labels, vocabulary),
            format!("a label ≥ {vocabulary}"),
        )
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
