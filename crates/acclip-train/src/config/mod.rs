//! One configuration for every command: defaults, then a preset, then a file, then `--set key=value`.
//!
//! A run is a file. The resolved configuration is written into the run folder before step 1, so that
//! the folder says by itself how to make it again.

use crate::Error;
use acclip_models::{Backend, Bert, BertConfig};
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
    /// The text.
    pub corpus: CorpusConfig,
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

/// The text and its tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusConfig {
    /// A file or folder of UTF-8 text; absent: the embedded State of the Union addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `vocab.txt` or `tokenizer.json`; absent: a vocabulary is trained on the training documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab: Option<String>,
    /// Size of the vocabulary to train.
    pub vocab_size: usize,
    /// Share of the documents held out for validation.
    pub held_out: f64,
    /// Seed that draws the held-out documents; kept apart from `seed` so that runs of several seeds
    /// are validated on the same documents.
    pub split_seed: u64,
}

/// The model's size and kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// A size by name: nano, tiny, mini, small, medium, base6, base, large.
    pub size: String,
    /// Positions in a sequence, `[CLS]` and `[SEP]` included.
    pub seq_len: usize,
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
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Steps between validations.
    pub eval_every: u64,
    /// Validation batches; fewer if the held-out text has fewer.
    pub eval_batches: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
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

    /// The model this configuration describes, for a vocabulary of `vocab_size` tokens.
    ///
    /// # Errors
    /// [`Error::Model`] for an unknown or impossible size.
    pub fn bert(&self, vocab_size: usize) -> Result<BertConfig, Error> {
        let m = &self.model;
        let mut bert = BertConfig::named(&m.size, vocab_size, m.seq_len)?;
        bert.hidden = m.hidden.unwrap_or(bert.hidden);
        bert.layers = m.layers.unwrap_or(bert.layers);
        bert.heads = m.heads.unwrap_or(bert.heads);
        bert.feed_forward = m.feed_forward.unwrap_or(4 * bert.hidden);
        bert.dropout = m.dropout.unwrap_or(bert.dropout);
        bert.attention = m.attention;
        bert.validate()?;
        Ok(bert)
    }

    /// That model, on the configured backend.
    ///
    /// # Errors
    /// As [`Config::bert`], and if this build lacks the backend.
    pub fn build(&self, vocab_size: usize) -> Result<Bert, Error> {
        let device = self.model.backend.device()?;
        let model = Bert::new(self.bert(vocab_size)?, &device)?;
        Ok(model.with_recomputation(self.model.recompute))
    }

    /// How many parameters that model has.
    ///
    /// # Errors
    /// As [`Config::bert`].
    pub fn parameters(&self, vocab_size: usize) -> Result<usize, Error> {
        Ok(acclip_models::len(&self.bert(vocab_size)?.parameters()))
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
        between("train.batch_size", self.train.batch_size, 1, 1 << 20)?;
        between("noise.batch_size", self.noise.batch_size, 1, 1 << 20)?;
        self.bert(1000)?; // any vocabulary: the other sizes are checked here
        self.optimizer()?;
        learning_rate("optimizer.learning_rate", self.optimizer.learning_rate)?;

        let compare = &self.compare;
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
