//! What a run trains: a model on its data, behind one interface.
//!
//! The trainer, the noise measurement and the comparison know a [`Task`] and nothing of tokens, images or
//! questions. A task file joins a data set of `acclip-data` to a model of `acclip-models`: it makes batches, asks for
//! loss and gradient, and evaluates. It gathers and scatters, and never multiplies.
//!
//! A task is a function of its configuration and data. What changes in a run beside the parameters (running
//! statistics of batch normalisation, the memory of a Transformer-XL) is [`Carried`], which checkpoints keep.
//!
//! | file | data | model |
//! |---|---|---|
//! | `masked_lm.rs` | windows of text, or pairs of segments | BERT |
//! | `questions.rs` | SQuAD | BERT with a span head |
//! | `words.rs` | a stream of words | Transformer-XL |
//! | `images.rs` | images in classes | ResNet, AlexNet |

mod bert;
mod images;
mod masked_lm;
mod questions;
mod text;
mod words;

pub(crate) use images::{Classification, Pictures};
pub(crate) use masked_lm::{MaskedLm, Text};
pub(crate) use questions::{QuestionAnswering, Questions};
pub(crate) use words::{LanguageModel, Words};

use crate::result::Clock;
use crate::{Config, Error, Timing};

use acclip_data::{Pass, Purpose, rng};
use acclip_models::Parameter;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Initial parameters.
const INIT: Purpose = Purpose::new("init");
/// Dropout masks of training.
const DROPOUT: Purpose = Purpose::new("dropout");
/// Dropout masks of a measurement.
const NOISE_DROPOUT: Purpose = Purpose::new("noisedrp");

/// A model on its data.
pub(crate) trait Task: Sync {
    /// Every parameter, in the order of the flat buffer.
    fn parameters(&self) -> &[Parameter];

    /// The parameters at which a run starts.
    fn initial(&self) -> Vec<f32>;

    /// What a run carries beside them, at its start.
    fn carried(&self) -> Carried {
        Carried::default()
    }

    /// Makes what is carried fit for measurements at the weights of `step`.
    fn prepare_measurement(
        &self,
        _params: &Arc<Vec<f32>>,
        _step: u64,
        _carried: &mut Carried,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// How many training examples there are.
    fn examples(&self) -> usize;

    /// Loss of a batch, in nats, and its gradient, in the layout of the parameters. The parts of `timing` are added to.
    fn gradient(
        &self,
        ask: &Ask,
        carried: &mut Carried,
        grad: &mut Vec<f32>,
        timing: &mut Timing,
    ) -> Result<f64, Error>;

    /// How well the model does on held-out data: the same at every step and seed.
    fn evaluate(
        &self,
        params: &Arc<Vec<f32>>,
        carried: &Carried,
        part: HeldOut,
    ) -> Result<Scores, Error>;

    /// The loss of a uniform guess, in nats.
    fn uniform_loss(&self) -> f64;

    /// How often each label occurs in the training data: tokens or classes.
    fn label_counts(&self) -> Vec<f64>;

    /// Writes the model into `folder` in the form in which others read it: Hugging Face's or torchvision's. Returns how
    /// well it does on all held-out data.
    fn export(
        &self,
        params: &Arc<Vec<f32>>,
        carried: &Carried,
        folder: &Path,
    ) -> Result<Scores, Error>;

    /// The model in a sentence.
    fn describe(&self) -> String;
}

/// Which of the held-out data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeldOut {
    /// As much as `train.eval_batches` batches hold, which is what a training is followed by.
    Sample,
    /// All of them.
    All,
}

impl HeldOut {
    /// The batches of `examples`; of all, the last may be smaller.
    pub fn batches(self, examples: usize, config: &Config) -> Result<Vec<Vec<usize>>, Error> {
        let train = &config.train;
        Ok(match self {
            Self::Sample => {
                let pass = Pass::new(examples, train.batch_size, config.corpus.split_seed)?;
                let batches = pass.batches().take(train.eval_batches);
                batches.map(<[usize]>::to_vec).collect()
            }
            Self::All => {
                let all: Vec<usize> = (0..examples).collect();
                let batches = all.chunks(train.batch_size);
                batches.map(<[usize]>::to_vec).collect()
            }
        })
    }
}

/// Which gradient is asked for.
pub(crate) struct Ask<'a> {
    /// The parameters.
    pub params: &'a Arc<Vec<f32>>,
    /// The examples of the batch.
    pub indices: &'a [usize],
    /// What it is for.
    pub place: Place,
}

/// Where in a run a batch stands: what is random in it is a function of this and of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Part `part` of the batch of training step `step`, which is the `batch`-th of the run, from 0 on.
    Training { step: u64, part: u64, batch: u64 },
    /// A batch of a noise measurement.
    Noise { batch: u64, dropout: bool },
}

impl Place {
    /// The stream of what is random in the examples: purpose and step.
    pub fn stream(self) -> (Purpose, u64) {
        match self {
            // With one batch a step, that is the step.
            Place::Training { batch, .. } => (Purpose::MASK, batch + 1),
            Place::Noise { .. } => (Purpose::NOISE, 0),
        }
    }

    /// The generator of dropout masks, where there is dropout.
    pub fn dropout(self, seed: u64) -> Option<ChaCha8Rng> {
        match self {
            Place::Training { step, part, .. } => Some(rng::stream(seed, DROPOUT, step, part)),
            Place::Noise { dropout: false, .. } => None,
            Place::Noise { batch, .. } => Some(rng::stream(seed, NOISE_DROPOUT, 0, batch)),
        }
    }
}

/// The generator of initial parameters.
fn init_stream(seed: u64) -> ChaCha8Rng {
    rng::stream(seed, INIT, 0, 0)
}

/// Named arrays with their shapes, which a run carries from step to step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Carried(pub Vec<(String, Vec<usize>, Vec<f32>)>);

/// How well a model does on held-out data.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scores {
    /// Mean loss, in nats.
    pub loss: f64,
    /// Share of predictions that are right, where the task has single predictions.
    pub accuracy: Option<f64>,
    /// Whatever else the task is judged by, by name.
    pub others: BTreeMap<String, f64>,
}

/// The seconds of data, forward and backward, and the tokens or images of one batch.
pub(crate) struct Laps<'a> {
    clock: Clock,
    timing: &'a mut Timing,
}

impl<'a> Laps<'a> {
    pub fn start(timing: &'a mut Timing) -> Self {
        Self {
            clock: Clock::start(),
            timing,
        }
    }

    pub fn data(&mut self, tokens: u64) {
        self.timing.data += self.clock.lap();
        self.timing.tokens += tokens;
    }

    pub fn forward(&mut self) {
        self.timing.forward += self.clock.lap();
    }

    pub fn backward(&mut self) {
        self.timing.backward += self.clock.lap();
    }
}
