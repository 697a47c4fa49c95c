//! One configuration for every command: defaults, then a preset, then a file, then `--set key=value`.
//!
//! A run is a file. The resolved configuration is written into the run folder before step 1, so that
//! the folder says by itself how to make it again.

use crate::Error;
use acclip_models::{Backend, BertConfig};
use acclip_optim::{Hyper, Optimizer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::{Table, Value};

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

/// Learning rate over time, after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Stays.
    Constant,
    /// Falls in a line, to reach 0 one step after the last (BERT).
    Linear,
}

impl TrainConfig {
    /// The factor on the learning rate at step `t` (1 to `steps`).
    pub fn schedule_at(&self, t: u64) -> f64 {
        if t <= self.warmup {
            return t as f64 / self.warmup as f64;
        }
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => (self.steps + 1 - t) as f64 / (self.steps + 1 - self.warmup) as f64,
        }
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

/// The presets: name, what it is for, and the file.
pub const PRESETS: [(&str, &str, &str); 3] = [
    (
        "smoke",
        "seconds, to see that everything works; its results mean nothing",
        include_str!("../presets/smoke.toml"),
    ),
    (
        "quick",
        "under ten minutes on two cores",
        include_str!("../presets/quick.toml"),
    ),
    (
        "standard",
        "some hours on a few cores, a larger model and more seeds",
        include_str!("../presets/standard.toml"),
    ),
];

/// The values that every preset starts from.
const DEFAULTS: &str = include_str!("../presets/defaults.toml");

impl Config {
    /// Resolves a configuration: the defaults, a preset, a TOML file's text (with the name to show
    /// in errors), and `key=value` settings, each over the ones before.
    ///
    /// # Errors
    /// [`Error::Config`] names the key, and the nearest key there is where one is unknown.
    pub fn resolve(
        preset: Option<&str>,
        file: Option<(&str, &str)>,
        settings: &[String],
    ) -> Result<Self, Error> {
        let mut table = parse("defaults", DEFAULTS)?;
        if let Some(name) = preset {
            let found = PRESETS.iter().find(|preset| preset.0 == name);
            let (_, _, text) = found.ok_or_else(|| {
                let names: Vec<&str> = PRESETS.iter().map(|preset| preset.0).collect();
                Error::config("preset", unknown("preset", name, &names))
            })?;
            merge(&mut table, parse(name, text)?);
        }
        if let Some((name, text)) = file {
            merge(&mut table, parse(name, text)?);
        }
        for setting in settings {
            merge(&mut table, parse_setting(setting)?);
        }
        Self::from_table(table)
    }

    /// Reads a configuration that says everything itself, such as `config.toml` of a run folder.
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub fn from_toml(name: &str, text: &str) -> Result<Self, Error> {
        Self::from_table(parse(name, text)?)
    }

    fn from_table(table: Table) -> Result<Self, Error> {
        check_keys(&table)?;
        let config: Config =
            serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
                let problem = error.inner().message().to_string();
                Error::config(error.path().to_string(), problem)
            })?;
        config.validate()?;
        Ok(config)
    }

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

/// A string as a value for a `key=value` setting, whatever it contains.
pub fn quoted(text: &str) -> String {
    Value::String(text.to_string()).to_string()
}

fn learning_rate(key: &str, value: f64) -> Result<(), Error> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(Error::config(key, format!("{value} is not above 0"))),
    }
}

fn parse(name: &str, text: &str) -> Result<Table, Error> {
    text.parse::<Table>()
        .map_err(|error| Error::config(name, error.to_string()))
}

/// `a.b=value`: the value as TOML if it is TOML, otherwise as a string.
fn parse_setting(setting: &str) -> Result<Table, Error> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(Error::config(
            setting,
            "a setting is key=value, such as train.steps=500",
        ));
    };
    if value.contains(['\n', '\r']) {
        return Err(Error::config(key, "one setting is one line"));
    }
    let value = format!("x = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("x"))
        .unwrap_or_else(|| Value::String(value.to_string()));
    let mut names = key.trim().rsplit('.');
    let mut table = Table::new();
    table.insert(names.next().unwrap_or_default().to_string(), value);
    for name in names {
        table = Table::from_iter([(name.to_string(), Value::Table(table))]);
    }
    Ok(table)
}

/// Lays `over` on `table`, key by key.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Every dotted key below a table.
fn keys(table: &Table, prefix: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            Value::Table(below) if !below.is_empty() => keys(below, &format!("{key}."), found),
            _ => found.push(key),
        }
    }
}

/// Refuses a key that no configuration has, and names the nearest that one has.
fn check_keys(table: &Table) -> Result<(), Error> {
    let (mut given, mut known) = (Vec::new(), Vec::new());
    keys(table, "", &mut given);
    keys(
        &Table::try_from(complete()).expect("a configuration is a table"),
        "",
        &mut known,
    );
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let Some(key) = given.iter().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let table = format!("{key}.");
    let below: Vec<&str> = known
        .iter()
        .copied()
        .filter(|k| k.starts_with(&table))
        .collect();
    let problem = match below.is_empty() {
        true => unknown("key", key, &known),
        false => format!("is a table; set one of {}", below.join(", ")),
    };
    Err(Error::config(key.clone(), problem))
}

/// "unknown …; did you mean …?", with the nearest known name, or all of them if none is near.
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    // `steps` is near `train.steps`: the last part alone counts as well.
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    let likeness = |candidate: &str| {
        let part = strsim::jaro_winkler(&last(name), &last(candidate));
        strsim::jaro_winkler(name, candidate).max(0.99 * part)
    };
    let nearest = known
        .iter()
        .map(|candidate| (likeness(candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((near, candidate)) if near > 0.75 => {
            format!("unknown {what} '{name}'; did you mean '{candidate}'?")
        }
        _ => format!("unknown {what} '{name}'; known: {}", known.join(", ")),
    }
}

/// A configuration in which every key has a value; written out in full, so that a new field cannot
/// be forgotten here. Its values are never used.
fn complete() -> Config {
    let hyper = Hyper {
        momentum: Some(0.0),
        beta1: Some(0.0),
        beta2: Some(0.0),
        eps: Some(0.0),
        alpha: Some(0.0),
        weight_decay: Some(0.0),
        max_norm: Some(0.0),
        tau: Some(0.0),
    };
    let grid = Grid {
        learning_rate: Vec::new(),
        threshold: Vec::new(),
        hyper,
    };
    Config {
        seed: 0,
        corpus: CorpusConfig {
            path: Some(String::new()),
            vocab: Some(String::new()),
            vocab_size: 0,
            held_out: 0.0,
            split_seed: 0,
        },
        model: ModelConfig {
            size: String::new(),
            seq_len: 0,
            hidden: Some(0),
            layers: Some(0),
            heads: Some(0),
            feed_forward: Some(0),
            dropout: Some(0.0),
            attention: true,
            input: InputKind::Text,
            backend: Backend::Flex,
        },
        train: TrainConfig {
            steps: 0,
            batch_size: 0,
            eval_every: 0,
            eval_batches: 0,
            checkpoint_every: 0,
            schedule: Schedule::Constant,
            warmup: 0,
        },
        optimizer: OptimizerConfig {
            name: String::new(),
            learning_rate: 0.0,
            hyper,
        },
        noise: NoiseConfig {
            batches: 0,
            batch_size: 0,
            dropout: false,
            weights: Some(String::new()),
            weights_step: Some(0),
        },
        compare: CompareConfig {
            optimizers: Vec::new(),
            seeds: 0,
            jobs: 0,
            grid: acclip_optim::NAMES
                .iter()
                .map(|name| (name.to_string(), grid.clone()))
                .collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(settings: &[&str]) -> String {
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        Config::resolve(None, None, &settings)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_preset_resolves_and_survives_its_own_file() {
        for (name, _, _) in PRESETS {
            let config = Config::resolve(Some(name), None, &[]).unwrap();
            let again = Config::from_toml("config.toml", &config.to_toml());
            assert_eq!(again.unwrap(), config, "{name}");
        }
    }

    #[test]
    fn every_preset_gives_every_optimizer_the_same_budget() {
        for (name, _, _) in PRESETS {
            let config = Config::resolve(Some(name), None, &[]).unwrap();
            let sizes = config.compare.grid.values().map(Grid::len);
            let sizes: std::collections::BTreeSet<usize> = sizes.collect();
            assert_eq!(sizes.len(), 1, "{name}: {sizes:?}");
        }
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let file = "[train]\nsteps = 7\nwarmup = 3\n";
        let settings = [
            "train.steps=9".to_string(),
            "corpus.path=a/b.txt".to_string(),
        ];
        let config = Config::resolve(Some("quick"), Some(("x.toml", file)), &settings).unwrap();
        assert_eq!((config.train.steps, config.train.warmup), (9, 3));
        assert_eq!(config.corpus.path.as_deref(), Some("a/b.txt"));
    }

    #[test]
    fn a_wrong_key_or_value_is_named_with_its_nearest() {
        assert!(problem(&["train.stebs=1"]).contains("did you mean 'train.steps'?"));
        assert!(problem(&["optimizer.name=aclip"]).contains("did you mean 'acclip'?"));
        assert!(problem(&["optimizer.beta3=0.1"]).contains("did you mean 'optimizer.beta"));
        assert!(problem(&["model.size=tinny"]).contains("tiny"));
        assert!(problem(&["train.steps=0"]).contains("train.steps"));
        let wrong_type = problem(&["train.steps=many"]);
        assert!(wrong_type.contains("train.steps") && wrong_type.contains("expected u64"));
        assert!(problem(&["optimizer.learning_rate=-1"]).contains("above 0"));
        assert!(problem(&["optimizer.tau=1"]).contains("tau"));
        assert!(problem(&["noise.batches=1"]).contains("noise.batches"));
        assert!(problem(&["compare.seeds=1"]).contains("compare.seeds"));
        assert!(problem(&["train.steps=100"]).contains("train.warmup"));
        assert!(problem(&["seed=9223372036854775807"]).contains("seed"));
        assert!(problem(&["compare.optimizers=[\"adam\"]"]).contains("compare.optimizers"));
        assert!(problem(&["compare.grid.sgd.threshold=[1.0]"]).contains("has no threshold"));
        assert!(problem(&["compare.grid.adamw.learning_rate=[1e-3]"]).contains("as many of each"));
        assert!(problem(&["train.steps"]).contains("key=value"));
        assert!(problem(&["train.steps=5\nseed=9"]).contains("one line"));
        assert!(problem(&["steps=5"]).contains("did you mean 'train.steps'?"));
        assert!(problem(&["train=5"]).contains("is a table; set one of train."));
        assert!(problem(&["bogus={}"]).contains("unknown key 'bogus'"));
        assert!(problem(&["model.seq_len=100000"]).contains("model.seq_len"));
        assert!(problem(&["model.hidden=100000000"]).contains("hidden"));
        let error = Config::resolve(None, Some(("my.toml", "[train")), &[]).unwrap_err();
        assert!(error.to_string().contains("my.toml"));
    }

    #[test]
    fn any_string_survives_as_a_setting() {
        for text in ["a b", "e\u{301}", "tab\t\"quoted\" \\ 'x'", "\u{7}", "3"] {
            let setting = format!("corpus.path={}", quoted(text));
            let config = Config::resolve(None, None, &[setting]).unwrap();
            assert_eq!(config.corpus.path.as_deref(), Some(text));
        }
    }

    #[test]
    fn the_schedule_rises_then_falls_to_the_last_step() {
        let mut train = complete().train;
        (train.steps, train.warmup, train.schedule) = (10, 4, Schedule::Linear);
        let factors: Vec<f64> = (1..=10).map(|t| train.schedule_at(t)).collect();
        assert_eq!(factors[..4], [0.25, 0.5, 0.75, 1.0]);
        assert!((factors[4] - 6.0 / 7.0).abs() < 1e-12 && (factors[9] - 1.0 / 7.0).abs() < 1e-12);
    }
}
