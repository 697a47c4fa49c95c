//! One configuration for every command: defaults, then a preset, then what the task needs, then a file, then
//! `--set key=value`.
//!
//! A run is a file. The resolved configuration is written into the run folder before step 1, so that
//! the folder says by itself how to make it again.

use crate::Error;
use acclip_data::images::Augment;
use acclip_models::{Backend, BertConfig, Head, ImageModelConfig, Stem, TransformerXlConfig};
use acclip_optim::{Hyper, Optimizer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod resolve;

pub use resolve::quoted;
use resolve::unknown;

/// Everything that determines a run, apart from the program and the content of the files it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Seed of initialisation, data order, masks and dropout.
    pub seed: u64,
    /// What is learned, from which kind of data.
    pub task: TaskKind,
    /// The data.
    pub corpus: CorpusConfig,
    /// What is particular to questions.
    pub questions: QuestionsConfig,
    /// What is particular to images.
    pub images: ImagesConfig,
    /// The model.
    pub model: ModelConfig,
    /// One training run.
    pub train: TrainConfig,
    /// The optimizer of `acclip train`.
    pub optimizer: OptimizerConfig,
    /// The noise measurement.
    pub noise: NoiseConfig,
    /// What `acclip compare` compares.
    pub compare: CompareConfig,
}

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// BERT predicts hidden tokens of windows of a text.
    MaskedLm,
    /// BERT predicts hidden tokens of pairs of segments, and whether the second follows the first.
    Pretraining,
    /// BERT points at the answers to questions (SQuAD v1.1).
    QuestionAnswering,
    /// Transformer-XL predicts the next word.
    LanguageModel,
    /// ResNet or AlexNet tells what is in an image.
    ImageClassification,
}

impl TaskKind {
    /// What is predicted, of which losses are means.
    pub fn unit(self) -> &'static str {
        match self {
            TaskKind::MaskedLm | TaskKind::Pretraining => "masked token",
            TaskKind::QuestionAnswering => "window",
            TaskKind::LanguageModel => "word",
            TaskKind::ImageClassification => "image",
        }
    }

    /// Whether its model has an attention-free twin, and Gaussian vectors for an input.
    pub fn has_twin(self) -> bool {
        matches!(self, TaskKind::MaskedLm | TaskKind::Pretraining)
    }

    /// What its runs are judged by; of masked tokens also the losses of single bins and of their halves, with
    /// `train.frequency_bins`.
    fn metrics(self) -> &'static [&'static str] {
        match self {
            TaskKind::MaskedLm => &["loss", "train_loss", "accuracy"],
            TaskKind::Pretraining => &[
                "loss",
                "train_loss",
                "accuracy",
                "masked_loss",
                "next_accuracy",
            ],
            TaskKind::QuestionAnswering => &["loss", "train_loss", "exact_match", "f1"],
            TaskKind::LanguageModel => &["loss", "train_loss", "perplexity"],
            TaskKind::ImageClassification => &["loss", "train_loss", "accuracy", "top5"],
        }
    }
}

/// The data, and its tokens where it is text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusConfig {
    /// The data: UTF-8 text (a file or folder; absent: the embedded State of the Union addresses), for a language model
    /// also a folder with `ptb.train.txt`, `wiki.train.tokens` or `train.txt` and the like; a SQuAD v1.1 file, or a
    /// folder with `train-v1.1.json` and `dev-v1.1.json`; images (a folder of classes, CIFAR binaries, IDX files).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `vocab.txt` or `tokenizer.json`; absent: a vocabulary is trained on the training documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab: Option<String>,
    /// Size of the vocabulary to train; of a language model, the most words.
    pub vocab_size: usize,
    /// Of a language model: how many words to train on, the first of the text; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_words: Option<usize>,
    /// Whether words are masked whole, rather than single tokens.
    pub whole_words: bool,
    /// The most masked tokens of a sequence (BERT: 20 of 128 tokens, 77 of 512).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_predictions: Option<usize>,
    /// Pre-training: how often pairs are drawn from the same documents.
    pub copies: u64,
    /// Share held out for validation: of the documents, of the articles of questions, of images without a test split.
    pub held_out: f64,
    /// Seed that draws the held-out documents; kept apart from `seed` so that runs of several seeds
    /// are validated on the same documents.
    pub split_seed: u64,
}

/// The model's size and kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// A size by name. BERT: nano, tiny, mini, small, medium, base6, base, large; Transformer-XL: lab, paper; images:
    /// resnet18, resnet34, resnet50, alexnet.
    pub size: String,
    /// Pre-trained weights to start from: the folder of a Hugging Face BERT, whose sizes are taken; a safetensors file
    /// with torchvision's names, or the folder of one; the folder of a Transformer-XL that this program trained on a
    /// text of the same words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Positions in a sequence, `[CLS]` and `[SEP]` included; words in a segment of a Transformer-XL.
    pub seq_len: usize,
    /// Positions that a BERT has embeddings for, where it shall be trained on longer sequences later (BERT's own: 512);
    /// absent: `seq_len`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_len: Option<usize>,
    /// Overrides the positions that a Transformer-XL remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_len: Option<usize>,
    /// Where the adaptive softmax of a Transformer-XL cuts its vocabulary; absent: a full softmax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutoffs: Option<Vec<usize>>,
    /// What stands before the blocks of a model of images.
    pub stem: Stem,
    /// Overrides the channels of the first stage of a model of images (64).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Overrides the width of the hidden states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Overrides the number of blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Overrides the number of attention heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Overrides the width of the feed-forward layer (4 × hidden).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_forward: Option<usize>,
    /// Overrides the standard deviation of a BERT's initial weights (0.02).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_std: Option<f64>,
    /// Overrides the probability of dropping an entry in training (0.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// `false`: the attention-free twin.
    pub attention: bool,
    /// Tokens, or Gaussian vectors in place of their embeddings.
    pub input: InputKind,
    /// Which backend computes.
    pub backend: Backend,
    /// Blocks keep their input alone and run again in the backward pass: less memory, more time, the same numbers.
    pub recompute: bool,
}

/// Windows and answers (Devlin et al. 2019; `run_squad.py`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuestionsConfig {
    /// Context tokens from the beginning of a window to that of the next.
    pub stride: usize,
    /// Tokens of the question; what is longer is cut off.
    pub max_question: usize,
    /// Starts, and ends, of which the best answer is made.
    pub n_best: usize,
    /// The most tokens of an answer.
    pub max_answer: usize,
}

/// Size and augmentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImagesConfig {
    /// How training images are varied: none, center, cifar, imagenet.
    pub augment: Augment,
    /// Height and width of the model's images; absent: those of the files, which must agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Whether images that stay on disk, since they are more than 2 GiB of pixels, are all decoded once before anything
    /// begins. Otherwise one that does not decode stops the training that comes to it.
    #[serde(default = "yes")]
    pub check: bool,
}

fn yes() -> bool {
    true
}

/// What stands at the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Word embeddings of the text.
    Text,
    /// A fresh Gaussian vector of unit root mean square for every token.
    Gaussian,
}

/// One training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Optimizer steps.
    pub steps: u64,
    /// Examples in a batch: sequences, windows, images.
    pub batch_size: usize,
    /// Batches in a step, whose gradients are averaged.
    pub accumulate: usize,
    /// Steps between validations.
    pub eval_every: u64,
    /// Bins of about equal shares of all tokens, from the rarest to the most frequent, by which a validation of masked
    /// tokens splits its loss: `loss_bin_0`, …, and `loss_rare_tokens` and `loss_frequent_tokens` of their halves (the middle
    /// one of an odd number is in neither); 0: none.
    pub frequency_bins: usize,
    /// Validation batches; fewer if the held-out data has fewer.
    pub eval_batches: usize,
    /// Ends the run after so many validations that are not better than the best before them, and tells of and exports the
    /// model of the best, that with the lowest loss; 0: never.
    pub patience: usize,
    /// Steps between checkpoints, of which the newest two are kept.
    pub checkpoint_every: u64,
    /// Steps whose checkpoints are kept to the end; 0 is the start.
    pub keep: Vec<u64>,
    /// Whether to write TensorBoard's event file beside `metrics.jsonl`.
    pub tensorboard: bool,
    /// Learning rate over time.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from 0.
    pub warmup: u64,
}

/// Learning rate over time, after the warm-up; formulas: [`acclip_optim::Schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays.
    Constant,
    /// Falls in a line, to reach 0 one step after the last (BERT).
    Linear,
    /// Falls along half a cosine, to reach 0 one step after the last.
    Cosine,
    /// Falls as 1/√t.
    InverseSqrt,
}

impl TrainConfig {
    /// The factor on the learning rate at step `t` (1 to `steps`).
    pub fn schedule_at(&self, t: u64) -> f64 {
        let (warm_up, total) = (self.warmup, self.steps);
        let schedule = match self.schedule {
            Schedule::Constant => acclip_optim::Schedule::Constant { warm_up },
            Schedule::Linear => acclip_optim::Schedule::Linear { warm_up, total },
            Schedule::Cosine => acclip_optim::Schedule::Cosine {
                warm_up,
                total,
                floor: 0.0,
            },
            Schedule::InverseSqrt => acclip_optim::Schedule::InverseSqrt { warm_up },
        };
        schedule.factor(t)
    }
}

/// An optimizer by name, its learning rate, and what departs from its defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// The name.
    pub name: String,
    /// The learning rate, before the schedule.
    pub learning_rate: f64,
    /// Hyper-parameters.
    #[serde(flatten)]
    pub hyper: Hyper,
}

/// The noise measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseConfig {
    /// How many batches of the pass over the data; 0 is all of them.
    pub batches: usize,
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Whether dropout adds its own noise.
    pub dropout: bool,
    /// A run folder of `acclip train` whose weights are measured; absent: at initialisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The step of its checkpoint; absent: the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_step: Option<u64>,
}

/// Fewest batches of a noise measurement. Nothing can be said about tails from fewer than
/// [`acclip_noise::verdict::MIN_NORMS`]; this is what the estimators need to run at all.
pub const MIN_BATCHES: usize = 20;

/// What `acclip compare` compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompareConfig {
    /// The optimizers, by name.
    pub optimizers: Vec<String>,
    /// By what the best setting of each is chosen on the tuning seed: `loss`, `train_loss`, `accuracy` or a score of the task.
    pub judge: String,
    /// Fresh seeds on which each optimizer's best setting is run again.
    pub seeds: usize,
    /// Runs at the same time; 0 is one for every core. Results do not depend on it.
    pub jobs: usize,
    /// The settings tried for each optimizer: as many for each, or the comparison is not fair.
    pub grid: BTreeMap<String, Grid>,
}

/// The settings tried for one optimizer: every learning rate with every threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Learning rates.
    pub learning_rate: Vec<f64>,
    /// Thresholds of a clip, as multiples of what is measured at initialisation: of the median
    /// gradient norm for a global clip, of that norm over √d (the size of a typical coordinate) for
    /// a coordinate clip. Empty: the default threshold.
    #[serde(default)]
    pub threshold: Vec<f64>,
    /// Hyper-parameters that stay the same.
    #[serde(flatten)]
    pub hyper: Hyper,
}

impl Grid {
    /// Number of settings.
    pub fn len(&self) -> usize {
        self.learning_rate.len() * self.threshold.len().max(1)
    }

    /// Whether there is nothing to try.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The fresh seeds of a comparison with seed s are `SEEDS_APART`·s + 1, + 2, …, so that comparisons
/// with different seeds share no run.
pub(crate) const SEEDS_APART: u64 = 1000;
/// TOML's integers have 63 bits, and fresh seeds must fit them.
const MOST_SEED: u64 = i64::MAX as u64 / SEEDS_APART - 1;

impl Config {
    /// The configuration as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is valid TOML")
    }

    /// The BERT that this configuration describes, for a vocabulary of `vocab_size` tokens, if it is not pre-trained.
    ///
    /// # Errors
    /// [`Error::Model`] for an unknown or impossible size.
    pub fn bert(&self, vocab_size: usize, head: Head) -> Result<BertConfig, Error> {
        let m = &self.model;
        let max_len = m.max_len.unwrap_or(m.seq_len);
        if max_len < m.seq_len {
            let problem = format!("{max_len} is below model.seq_len = {}", m.seq_len);
            return Err(Error::config("model.max_len", problem));
        }
        let mut bert = BertConfig::named(&m.size, vocab_size, max_len)?;
        bert.hidden = m.hidden.unwrap_or(bert.hidden);
        bert.layers = m.layers.unwrap_or(bert.layers);
        bert.heads = m.heads.unwrap_or(bert.heads);
        bert.feed_forward = m.feed_forward.unwrap_or(4 * bert.hidden);
        bert.dropout = m.dropout.unwrap_or(bert.dropout);
        bert.attention = m.attention;
        bert.head = head;
        bert.validate()?;
        Ok(bert)
    }

    /// The Transformer-XL that this configuration describes, for a vocabulary of `vocab_size` words.
    ///
    /// # Errors
    /// As [`Config::bert`].
    pub fn transformer_xl(&self, vocab_size: usize) -> Result<TransformerXlConfig, Error> {
        let m = &self.model;
        let mut xl = TransformerXlConfig::named(&m.size, vocab_size)?;
        xl.target_len = m.seq_len;
        xl.memory_len = m.memory_len.unwrap_or(xl.memory_len);
        xl.layers = m.layers.unwrap_or(xl.layers);
        xl.feed_forward = m.feed_forward.unwrap_or(xl.feed_forward);
        xl.heads = m.heads.unwrap_or(xl.heads);
        xl.hidden = m.hidden.unwrap_or(xl.hidden);
        xl.dropout = m.dropout.unwrap_or(xl.dropout);
        xl.cutoffs = m.cutoffs.clone().unwrap_or_default();
        xl.validate()?;
        Ok(xl)
    }

    /// The model of images that this configuration describes.
    ///
    /// # Errors
    /// As [`Config::bert`].
    pub fn image_model(&self, channels: usize, classes: usize) -> Result<ImageModelConfig, Error> {
        let m = &self.model;
        let mut model = ImageModelConfig::named(&m.size, m.stem, channels, classes)?;
        if let Some(width) = m.width {
            model = model.with_width(width);
        }
        if let Some(dropout) = m.dropout {
            model = model.with_dropout(dropout);
        }
        model.validate()?;
        Ok(model)
    }

    /// Refuses sizes that no model can have, whatever the data, and what the model of the task does not know.
    fn check_model(&self) -> Result<(), Error> {
        let twin = self.task.has_twin();
        let only = "only the tasks masked-lm and pretraining have";
        if !self.model.attention && !twin {
            let problem = format!("{only} an attention-free twin; leave it out");
            return Err(Error::config("model.attention", problem));
        }
        if let (Some(weights), false) = (&self.model.weights, self.model.attention) {
            let problem = format!(
                "the weights of {weights} are of a model with attention; leave one of the two out"
            );
            return Err(Error::config("model.attention", problem));
        }
        if self
            .model
            .init_std
            .is_some_and(|std| !std.is_finite() || std <= 0.0)
        {
            return Err(Error::config("model.init_std", "must be a positive number"));
        }
        if self.model.input == InputKind::Gaussian && !twin {
            let problem = format!("{only} Gaussian input; leave it out");
            return Err(Error::config("model.input", problem));
        }
        let sized = match self.task {
            TaskKind::MaskedLm => self.bert(1000, Head::MaskedLm).map(drop),
            TaskKind::Pretraining => self.bert(1000, Head::Pretraining).map(drop),
            TaskKind::QuestionAnswering => self.bert(1000, Head::Span).map(drop),
            TaskKind::LanguageModel => self.transformer_xl(1_000_000).map(drop),
            TaskKind::ImageClassification => self.image_model(3, 10).map(drop),
        };
        sized.map_err(|error| match error {
            // Presets name sizes of BERT, which other tasks do not have.
            Error::Model(acclip_models::Error::Unknown { what, name, known }) => Error::config(
                "model.size",
                format!("unknown {what} '{name}'; set it to one of {known}"),
            ),
            error => error,
        })
    }

    /// Refuses a metric that runs of the task do not have.
    ///
    /// # Errors
    /// [`Error::Config`] for `key`, with the metrics that there are.
    pub fn check_metric(&self, key: &str, metric: &str) -> Result<(), Error> {
        let bins = match self.task.has_twin() {
            true => self.train.frequency_bins,
            false => 0,
        };
        let bin = metric
            .strip_prefix("loss_bin_")
            .and_then(|i| i.parse().ok());
        let half = ["loss_rare_tokens", "loss_frequent_tokens"].contains(&metric);
        let known = self.task.metrics();
        let found =
            known.contains(&metric) || bin.is_some_and(|i: usize| i < bins) || half && bins > 1;
        match found {
            true => Ok(()),
            false if self.task.has_twin() && (half || metric.starts_with("loss_bin_")) => {
                let problem = format!(
                    "'{metric}' is there with more train.frequency_bins only; they are {bins}"
                );
                Err(Error::config(key, problem))
            }
            false => Err(Error::config(key, unknown("metric", metric, known))),
        }
    }

    /// The optimizer of `acclip train`.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::Optim`] for an unknown name or a value out of range.
    pub fn optimizer(&self) -> Result<Optimizer, Error> {
        optimizer(&self.optimizer.name, &self.optimizer.hyper)
    }

    /// Checks what needs no corpus.
    fn validate(&self) -> Result<(), Error> {
        let positive = |key: &str, value: u64| match value {
            0 => Err(Error::config(key, "must be at least 1")),
            _ => Ok(()),
        };
        positive("train.steps", self.train.steps)?;
        positive("train.eval_every", self.train.eval_every)?;
        positive("train.eval_batches", self.train.eval_batches as u64)?;
        positive("train.checkpoint_every", self.train.checkpoint_every)?;
        if (1..MIN_BATCHES).contains(&self.noise.batches) {
            let problem = format!("must be at least {MIN_BATCHES}, or 0 for the whole corpus");
            return Err(Error::config("noise.batches", problem));
        }
        if self.train.warmup >= self.train.steps {
            let problem = format!("must be below train.steps = {}", self.train.steps);
            return Err(Error::config("train.warmup", problem));
        }
        if self.seed > MOST_SEED || self.corpus.split_seed > MOST_SEED {
            return Err(Error::config(
                "seed",
                format!("must be at most {MOST_SEED}"),
            ));
        }
        let between = |key: &str, value: usize, low: usize, high: usize| match value {
            value if (low..=high).contains(&value) => Ok(()),
            value => Err(Error::config(
                key,
                format!("{value} is not from {low} to {high}"),
            )),
        };
        between("model.seq_len", self.model.seq_len, 8, 1 << 16)?;
        between("corpus.vocab_size", self.corpus.vocab_size, 6, 1 << 20)?;
        between("corpus.copies", self.corpus.copies as usize, 1, 1000)?;
        between("train.frequency_bins", self.train.frequency_bins, 0, 1000)?;
        let questions = &self.questions;
        between("questions.stride", questions.stride, 1, 1 << 16)?;
        between("questions.max_question", questions.max_question, 1, 1 << 16)?;
        between("questions.n_best", questions.n_best, 1, 1 << 16)?;
        between("questions.max_answer", questions.max_answer, 1, 1 << 16)?;
        between("train.batch_size", self.train.batch_size, 1, 1 << 20)?;
        between("train.accumulate", self.train.accumulate, 1, 1 << 20)?;
        between("noise.batch_size", self.noise.batch_size, 1, 1 << 20)?;
        let tokens = !matches!(
            self.task,
            TaskKind::LanguageModel | TaskKind::ImageClassification
        );
        if self.corpus.vocab.is_some() && !tokens {
            let problem = "is for BERT; leave it out: a language model takes the words of its text, and images have none";
            return Err(Error::config("corpus.vocab", problem));
        }
        if self.corpus.max_words.is_some() && self.task != TaskKind::LanguageModel {
            let problem = "only the task language-model counts words; leave it out";
            return Err(Error::config("corpus.max_words", problem));
        }
        self.check_model()?;
        self.optimizer()?;
        learning_rate("optimizer.learning_rate", self.optimizer.learning_rate)?;

        let compare = &self.compare;
        self.check_metric("compare.judge", &compare.judge)?;
        if compare.optimizers.is_empty() {
            return Err(Error::config("compare.optimizers", "name at least one"));
        }
        if !(2..SEEDS_APART as usize).contains(&compare.seeds) {
            let problem = format!(
                "must be from 2 (one run has no spread) to {}",
                SEEDS_APART - 1
            );
            return Err(Error::config("compare.seeds", problem));
        }
        for (i, name) in compare.optimizers.iter().enumerate() {
            if !acclip_optim::NAMES.contains(&name.as_str()) {
                let problem = unknown("optimizer", name, &acclip_optim::NAMES);
                return Err(Error::config("compare.optimizers", problem));
            }
            if compare.optimizers[..i].contains(name) {
                let problem = format!("'{name}' stands twice");
                return Err(Error::config("compare.optimizers", problem));
            }
            let key = format!("compare.grid.{name}");
            let Some(grid) = compare.grid.get(name).filter(|grid| !grid.is_empty()) else {
                return Err(Error::config(key, "give at least one learning rate"));
            };
            for value in &grid.learning_rate {
                learning_rate(&format!("{key}.learning_rate"), *value)?;
            }
            let clips = optimizer(name, &grid.hyper)?.threshold().is_some();
            if !clips && !grid.threshold.is_empty() {
                let problem = format!("{name} has no threshold; leave it out");
                return Err(Error::config(format!("{key}.threshold"), problem));
            }
            if grid.threshold.iter().any(|t| !(*t > 0.0 && t.is_finite())) {
                let problem = "thresholds are above 0";
                return Err(Error::config(format!("{key}.threshold"), problem));
            }
            let first = &compare.optimizers[0];
            let budget = compare.grid.get(first).map_or(0, Grid::len);
            if grid.len() != budget {
                let problem = format!(
                    "{} settings, but {first} has {budget}: a fair comparison tries as many of each",
                    grid.len()
                );
                return Err(Error::config(key, problem));
            }
        }
        Ok(())
    }
}

/// An optimizer by name; an unknown one is answered with the nearest.
pub(crate) fn optimizer(name: &str, hyper: &Hyper) -> Result<Optimizer, Error> {
    if !acclip_optim::NAMES.contains(&name) {
        let problem = unknown("optimizer", name, &acclip_optim::NAMES);
        return Err(Error::config("optimizer.name", problem));
    }
    Ok(Optimizer::new(name, hyper)?)
}

fn learning_rate(key: &str, value: f64) -> Result<(), Error> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(Error::config(key, format!("{value} is not above 0"))),
    }
}
