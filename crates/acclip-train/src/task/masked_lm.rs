//! Masked-token prediction by BERT: windows of text, or pairs of segments with the question whether the second
//! follows the first (pre-training), of which some tokens are hidden.
//!
//! Pairs are drawn `corpus.copies` times from the same documents, so that a sentence stands beside others in each copy
//! (Devlin et al. 2019, A.2: ten copies); masks are new in every step. Pairs are drawn from `corpus.split_seed`, and
//! held-out masks as well, so that they are the same for every seed. The paper trains the last tenth of its steps on longer pairs: here that is another run with a larger
//! `model.seq_len`, from the weights of the first (`model.weights`).

use super::bert::{Start, describe, write};
use super::text::{checksum, content, corpus, source, tokenizer};
use super::{Ask, Carried, HeldOut, Laps, Scores, Task};
use crate::config::{InputKind, TaskKind};
use crate::{Config, CorpusFacts, Error, Timing};
use acclip_data::{
    Document, Masker, Masking, Pairs, Purpose, Sequences, Specials, Tokenizer, frequency_bins, rng,
};
use acclip_models::{Evaluation, Head, Input, MaskedBatch, Parameter, gaussian_vectors};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Sets the streams of Gaussian vectors apart from those of masks, whose index is a sequence's.
const GAUSSIAN: u64 = 1 << 63;

/// Tokenised text, split by document into training and held-out examples.
pub(crate) struct Text {
    pub tokenizer: Tokenizer,
    train: Examples,
    valid: Examples,
    masker: Masker,
}

/// What is masked.
enum Examples {
    Windows(Sequences),
    Pairs(Pairs),
}

impl Examples {
    fn new(
        config: &Config,
        tokenizer: &Tokenizer,
        documents: &[&Document],
        (seed, copies): (u64, u64),
    ) -> Result<Self, Error> {
        let (length, specials) = (config.model.seq_len, tokenizer.specials());
        Ok(match config.task {
            TaskKind::Pretraining => {
                let documents = tokenizer.encode_sentences(documents)?;
                Self::Pairs(Pairs::copies(&documents, length, &specials, seed, copies)?)
            }
            _ => {
                let tokens = tokenizer.encode_documents(documents)?;
                Self::Windows(Sequences::new(&tokens, length, &specials)?)
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Windows(windows) => windows.len(),
            Self::Pairs(pairs) => pairs.len(),
        }
    }

    /// Tokens of example `i`.
    fn tokens(&self, i: usize) -> &[u32] {
        match self {
            Self::Windows(windows) => windows.get(i),
            Self::Pairs(pairs) => pairs.get(i).tokens,
        }
    }
}

impl Text {
    /// Reads the corpus, splits it, gets or trains the vocabulary (on the training documents alone) and tokenises.
    pub fn load(config: &Config, kept: Option<&Path>) -> Result<(Self, CorpusFacts), Error> {
        let c = &config.corpus;
        let corpus = corpus(config)?;
        let (train, valid) = corpus.split(c.held_out, c.split_seed)?;
        let tokenizer = tokenizer(config, kept, &train)?;
        let masking = Masking {
            whole_words: c.whole_words,
            max_predictions: c.max_predictions,
            ..Masking::default()
        };
        let text = Self {
            masker: Masker::for_tokenizer(masking, &tokenizer)?,
            // The same for every seed: the data is read once for all runs of a comparison.
            train: Examples::new(config, &tokenizer, &train, (c.split_seed, c.copies))?,
            valid: Examples::new(config, &tokenizer, &valid, (c.split_seed, 1))?,
            tokenizer,
        };
        let facts = CorpusFacts {
            source: source(config),
            content: content(&corpus),
            crc32: checksum(&corpus),
            labels: text.tokenizer.vocab_size(),
            train_examples: text.train.len(),
            valid_examples: text.valid.len(),
        };
        Ok((text, facts))
    }

    /// How often each token occurs in the training text.
    fn counts(&self) -> Vec<f64> {
        let tokens = (0..self.train.len()).flat_map(|i| self.train.tokens(i));
        let specials = self.tokenizer.specials();
        counts(tokens, self.tokenizer.vocab_size(), &specials)
    }
}

/// BERT on masked text.
pub(crate) struct MaskedLm<'a> {
    config: &'a Config,
    text: &'a Text,
    start: Start,
    /// The frequency bin of each token, the rarest first, with `train.frequency_bins`.
    bin_of: Option<Vec<u32>>,
}

impl<'a> MaskedLm<'a> {
    pub fn new(config: &'a Config, text: &'a Text) -> Result<Self, Error> {
        let head = match config.task {
            TaskKind::Pretraining => Head::Pretraining,
            _ => Head::MaskedLm,
        };
        let bins = config.train.frequency_bins;
        let bin_of = (bins > 0).then(|| {
            let counts: Vec<u64> = text.counts().iter().map(|count| *count as u64).collect();
            frequency_bins(&counts, bins)
        });
        Ok(Self {
            config,
            text,
            start: Start::new(config, text.tokenizer.vocab_size(), head)?,
            bin_of: bin_of.transpose()?,
        })
    }

    /// The batch of `indices` into `examples`, and Gaussian vectors in place of its tokens where the input is such.
    fn batch(
        &self,
        examples: &Examples,
        indices: &[usize],
        seed: u64,
        (purpose, step): (Purpose, u64),
    ) -> OwnedBatch {
        let masker = &self.text.masker;
        let masked = match examples {
            Examples::Windows(windows) => masker.batch(windows, indices, seed, purpose, step),
            Examples::Pairs(pairs) => masker.pair_batch(pairs, indices, seed, purpose, step),
        };
        let gaussian = self.config.model.input == InputKind::Gaussian;
        let vectors = gaussian.then(|| {
            // The batch's first sequence tells apart the batches of a pass, which share a step.
            let index = GAUSSIAN | indices.first().map_or(0, |&i| i as u64);
            let mut generator = rng::stream(seed, purpose, step, index);
            let hidden = self.start.model.config().hidden;
            gaussian_vectors(masked.tokens.len(), hidden, &mut generator)
        });
        OwnedBatch { masked, vectors }
    }
}

impl Task for MaskedLm<'_> {
    fn parameters(&self) -> &[Parameter] {
        self.start.model.parameters()
    }

    fn initial(&self) -> Vec<f32> {
        self.start.initial()
    }

    fn examples(&self) -> usize {
        self.text.train.len()
    }

    fn gradient(
        &self,
        ask: &Ask,
        _: &mut Carried,
        grad: &mut Vec<f32>,
        timing: &mut Timing,
    ) -> Result<f64, Error> {
        let mut laps = Laps::start(timing);
        let seed = self.config.seed;
        let batch = self.batch(&self.text.train, ask.indices, seed, ask.place.stream());
        laps.data(batch.tokens());
        let mut dropout = ask.place.dropout(seed);
        let dropout = dropout.as_mut().map(|d| d as &mut dyn rand::Rng);
        let model = &self.start.model;
        let forward = model.forward(ask.params, &batch.view(), dropout)?;
        let loss = forward.loss;
        laps.forward();
        forward.backward(grad)?;
        laps.backward();
        Ok(loss)
    }

    fn evaluate(
        &self,
        params: &Arc<Vec<f32>>,
        _: &Carried,
        part: HeldOut,
    ) -> Result<Scores, Error> {
        let (valid, train) = (&self.text.valid, &self.config.train);
        // Validation masks are the same for every seed.
        let seed = self.config.corpus.split_seed;
        let (mut loss, mut correct, mut masked) = (0.0, 0, 0);
        let (mut next_loss, mut next_correct, mut pairs) = (0.0, 0, 0);
        let mut split = (self.bin_of.as_deref()).map(|of| Split::new(of, train.frequency_bins));
        for indices in part.batches(valid.len(), self.config)? {
            let batch = self.batch(valid, &indices, seed, (Purpose::VALID, 0));
            let e: Evaluation = self.start.model.evaluate(params, &batch.view())?;
            loss += e.loss * e.losses.len() as f64;
            correct += e.correct;
            masked += e.losses.len();
            if let Some(split) = &mut split {
                split.add(&e.losses, &batch.masked.labels);
            }
            if let Some(next) = e.next {
                next_loss += next.loss * next.pairs as f64;
                next_correct += next.correct;
                pairs += next.pairs;
            }
        }
        let masked_loss = loss / masked as f64;
        let mut scores = Scores {
            loss: masked_loss,
            accuracy: Some(correct as f64 / masked as f64),
            others: BTreeMap::new(),
        };
        if let Some(split) = split {
            scores.others.extend(split.means());
        }
        if pairs > 0 {
            scores.loss += next_loss / pairs as f64;
            let next_accuracy = next_correct as f64 / pairs as f64;
            scores.others.insert("masked_loss".into(), masked_loss);
            scores.others.insert("next_accuracy".into(), next_accuracy);
        }
        Ok(scores)
    }

    fn uniform_loss(&self) -> f64 {
        (self.start.model.config().vocab_size as f64).ln()
    }

    fn label_counts(&self) -> Vec<f64> {
        self.text.counts()
    }

    fn export(
        &self,
        params: &Arc<Vec<f32>>,
        carried: &Carried,
        folder: &Path,
    ) -> Result<Scores, Error> {
        let bert = self.start.model.config();
        write(self.config, bert, params, &self.text.tokenizer, folder)?;
        self.evaluate(params, carried, HeldOut::All)
    }

    fn describe(&self) -> String {
        let head = match self.config.task {
            TaskKind::Pretraining => "masked-LM and next-sentence heads",
            _ => "a masked-LM head",
        };
        describe(self.config, &self.start, head)
    }
}

/// Losses by how often their token occurs (Kunstner et al., NeurIPS 2024).
struct Split<'a> {
    bin_of: &'a [u32],
    /// Sum and number of the losses in each bin, the rarest tokens first.
    sums: Vec<(f64, usize)>,
}

impl<'a> Split<'a> {
    fn new(bin_of: &'a [u32], bins: usize) -> Self {
        Self {
            bin_of,
            sums: vec![(0.0, 0); bins],
        }
    }

    fn add(&mut self, losses: &[f64], labels: &[u32]) {
        for (loss, label) in losses.iter().zip(labels) {
            let (sum, n) = &mut self.sums[self.bin_of[*label as usize] as usize];
            *sum += loss;
            *n += 1;
        }
    }

    /// `loss_bin_0` of the rarest tokens, and so on; `loss_rare_tokens` and `loss_frequent_tokens` of the rarer and the
    /// more frequent half of the bins, without the middle one of an odd number. What no label fell into is left out.
    fn means(&self) -> Vec<(String, f64)> {
        let (bins, half) = (self.sums.len(), self.sums.len() / 2);
        let single = (0..bins).map(|i| (format!("loss_bin_{i}"), &self.sums[i..=i]));
        let halves = [
            ("loss_rare_tokens".to_string(), &self.sums[..half]),
            (
                "loss_frequent_tokens".to_string(),
                &self.sums[bins - half..],
            ),
        ];
        let mean = |(name, sums): (String, &[(f64, usize)])| {
            let n: usize = sums.iter().map(|(_, n)| n).sum();
            (n > 0).then(|| {
                (
                    name,
                    sums.iter().map(|(sum, _)| sum).sum::<f64>() / n as f64,
                )
            })
        };
        single.chain(halves).filter_map(mean).collect()
    }
}

/// How often each token occurs; special ones count as never.
pub(super) fn counts<'a>(
    tokens: impl Iterator<Item = &'a u32>,
    vocab_size: usize,
    specials: &Specials,
) -> Vec<f64> {
    let mut counts = vec![0.0; vocab_size];
    for &id in tokens.filter(|id| !specials.contains(**id)) {
        counts[id as usize] += 1.0;
    }
    counts
}

/// A batch with everything it owns.
struct OwnedBatch {
    masked: acclip_data::MaskedBatch,
    vectors: Option<Vec<f32>>,
}

impl OwnedBatch {
    /// As the model takes it.
    fn view(&self) -> MaskedBatch<'_, f32> {
        MaskedBatch {
            batch: self.masked.batch_size,
            length: self.masked.seq_len,
            input: match &self.vectors {
                Some(vectors) => Input::Vectors(vectors),
                None => Input::Tokens(&self.masked.tokens),
            },
            segments: self.masked.segments.as_deref(),
            real: &self.masked.real,
            positions: &self.masked.positions,
            labels: &self.masked.labels,
            next: self.masked.next.as_deref(),
        }
    }

    /// Number of tokens that are not padding.
    fn tokens(&self) -> u64 {
        self.masked.real.iter().filter(|real| **real).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_split_by_bin_and_by_half() {
        // Tokens 0 to 3 are in bins 2, 0, 1 and 0 of three; none of bin 1 is asked for.
        let mut split = Split::new(&[2, 0, 1, 0], 3);
        split.add(&[1.0, 4.0], &[0, 1]);
        split.add(&[6.0, 2.0], &[3, 0]);
        let expected = [
            ("loss_bin_0", 5.0),
            ("loss_bin_2", 1.5),
            ("loss_rare_tokens", 5.0),
            ("loss_frequent_tokens", 1.5),
        ];
        assert_eq!(split.means(), expected.map(|(n, x)| (n.to_string(), x)));
        let mut split = Split::new(&[3, 0, 1, 2], 4);
        split.add(&[1.0, 4.0, 6.0, 8.0, 10.0], &[0, 1, 2, 2, 3]);
        let means: BTreeMap<String, f64> = split.means().into_iter().collect();
        assert_eq!(means["loss_rare_tokens"], 6.0, "the mean over occurrences");
        assert_eq!(means["loss_frequent_tokens"], 5.5);
        let mut one = Split::new(&[0], 1);
        one.add(&[3.0], &[0]);
        assert_eq!(one.means(), [("loss_bin_0".to_string(), 3.0)]);
    }
}
