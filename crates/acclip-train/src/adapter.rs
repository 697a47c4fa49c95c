//! Between the model's list of parameters and the optimizer's layout, and between a batch of the
//! corpus and a batch of the model. It gathers and scatters, and never multiplies.

use crate::config::InputKind;
use crate::{Config, Dataset, Error};
use acclip_data::{Purpose, Sequences, rng};
use acclip_models::{Bert, Input, MaskedBatch, Parameter, gaussian_vectors};
use acclip_optim::{Block, Layout};

/// Sets the streams of Gaussian vectors apart from those of masks, whose index is a sequence's.
const GAUSSIAN: u64 = 1 << 63;

/// The optimizer's view of a model's parameters.
pub(crate) fn layout(parameters: &[Parameter]) -> Result<Layout, Error> {
    let block = |p: &Parameter| Block::new(p.name.clone(), p.shape.clone(), p.decay);
    Ok(Layout::new(parameters.iter().map(block).collect())?)
}

/// Masked batches of one configuration: which sequences, and from which stream their masks come.
pub(crate) struct Batches<'a> {
    dataset: &'a Dataset,
    input: InputKind,
    hidden: usize,
    seed: u64,
    purpose: Purpose,
}

/// A batch with everything it owns.
pub(crate) struct OwnedBatch {
    masked: acclip_data::MaskedBatch,
    vectors: Option<Vec<f32>>,
}

impl<'a> Batches<'a> {
    pub fn new(dataset: &'a Dataset, config: &Config, model: &Bert, purpose: Purpose) -> Self {
        Self {
            dataset,
            input: config.model.input,
            hidden: model.config().hidden,
            // Validation masks are the same for every seed.
            seed: match purpose == Purpose::VALID {
                true => config.corpus.split_seed,
                false => config.seed,
            },
            purpose,
        }
    }

    /// The batch of `indices` into `sequences`; `step` selects its masks and Gaussian vectors.
    pub fn get(&self, sequences: &Sequences, indices: &[usize], step: u64) -> OwnedBatch {
        let masked = self
            .dataset
            .masker
            .batch(sequences, indices, self.seed, self.purpose, step);
        let vectors = (self.input == InputKind::Gaussian).then(|| {
            // The batch's first sequence tells apart the batches of a pass, which share a step.
            let index = GAUSSIAN | indices.first().map_or(0, |&i| i as u64);
            let mut generator = rng::stream(self.seed, self.purpose, step, index);
            gaussian_vectors(masked.tokens.len(), self.hidden, &mut generator)
        });
        OwnedBatch { masked, vectors }
    }
}

impl OwnedBatch {
    /// As the model takes it.
    pub fn view(&self) -> MaskedBatch<'_, f32> {
        MaskedBatch {
            batch: self.masked.batch_size,
            length: self.masked.seq_len,
            input: match &self.vectors {
                Some(vectors) => Input::Vectors(vectors),
                None => Input::Tokens(&self.masked.tokens),
            },
            segments: None,
            real: &self.masked.real,
            positions: &self.masked.positions,
            labels: &self.masked.labels,
        }
    }

    /// Number of tokens that are not padding.
    pub fn tokens(&self) -> u64 {
        self.masked.real.iter().filter(|real| **real).count() as u64
    }
}
