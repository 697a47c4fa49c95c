//! From presets, files and settings to one checked configuration.

use super::*;
use toml::{Table, Value};

/// The presets: name and file. `smoke` takes seconds, and its results mean nothing; `quick`, under ten
/// minutes on two cores; `standard`, some hours, for a larger model and more seeds.
const PRESETS: [(&str, &str); 3] = [
    ("smoke", include_str!("../../presets/smoke.toml")),
    ("quick", include_str!("../../presets/quick.toml")),
    ("standard", include_str!("../../presets/standard.toml")),
];

/// What a task needs other than presets have.
const TASKS: &str = include_str!("../../presets/tasks.toml");

/// The values that every preset starts from.
const DEFAULTS: &str = include_str!("../../presets/defaults.toml");

impl Config {
    /// Resolves a configuration: the defaults, a preset, what the task needs, a TOML file's text (with the name to
    /// show in errors), and `key=value` settings, each over the ones before.
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
            let (_, text) = found.ok_or_else(|| {
                let names: Vec<&str> = PRESETS.iter().map(|preset| preset.0).collect();
                Error::config("preset", unknown("preset", name, &names))
            })?;
            merge(&mut table, parse(name, text)?);
        }
        let mut given = Table::new();
        if let Some((name, text)) = file {
            merge(&mut given, parse(name, text)?);
        }
        for setting in settings {
            merge(&mut given, parse_setting(setting)?);
        }
        let task = given.get("task").unwrap_or(&table["task"]);
        let mut tasks = parse("tasks", TASKS)?;
        if let Some(Value::Table(needs)) = task.as_str().and_then(|task| tasks.remove(task)) {
            merge(&mut table, needs);
        }
        merge(&mut table, given);
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
}

/// A string as a value for a `key=value` setting, whatever it contains.
pub fn quoted(text: &str) -> String {
    Value::String(text.to_string()).to_string()
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
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
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
        threshold_growth: Some(0.0),
        nesterov: Some(false),
        bias_correction: Some(false),
        l2: Some(0.0),
        clip_factor: Some(0.0),
        clip_decay: Some(0.0),
        clip_rate: Some(0.0),
        clip_gain: Some(0.0),
        z_score: Some(0.0),
        percentile: Some(0.0),
        warm_up: Some(0),
        floor: Some(0.0),
        radius: Some(0.0),
    };
    let grid = Grid {
        learning_rate: Vec::new(),
        threshold: Vec::new(),
        hyper,
    };
    Config {
        seed: 0,
        task: TaskKind::MaskedLm,
        corpus: CorpusConfig {
            path: Some(String::new()),
            vocab: Some(String::new()),
            vocab_size: 0,
            whole_words: false,
            max_words: Some(0),
            max_predictions: Some(0),
            copies: 0,
            held_out: 0.0,
            split_seed: 0,
        },
        questions: QuestionsConfig {
            stride: 0,
            max_question: 0,
            n_best: 0,
            max_answer: 0,
        },
        images: ImagesConfig {
            augment: Augment::None,
            size: Some(0),
            check: false,
        },
        model: ModelConfig {
            size: String::new(),
            weights: Some(String::new()),
            seq_len: 0,
            max_len: Some(0),
            memory_len: Some(0),
            cutoffs: Some(Vec::new()),
            stem: Stem::Small,
            width: Some(0),
            hidden: Some(0),
            layers: Some(0),
            heads: Some(0),
            feed_forward: Some(0),
            init_std: Some(0.0),
            dropout: Some(0.0),
            attention: true,
            input: InputKind::Text,
            backend: Backend::Flex,
            recompute: false,
        },
        train: TrainConfig {
            steps: 0,
            batch_size: 0,
            accumulate: 0,
            eval_every: 0,
            frequency_bins: 0,
            eval_batches: 0,
            patience: 0,
            checkpoint_every: 0,
            keep: Vec::new(),
            tensorboard: false,
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
            judge: String::new(),
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
        for (name, _) in PRESETS {
            let config = Config::resolve(Some(name), None, &[]).unwrap();
            let again = Config::from_toml("config.toml", &config.to_toml());
            assert_eq!(again.unwrap(), config, "{name}");
        }
    }

    #[test]
    fn every_preset_gives_every_optimizer_the_same_budget() {
        for (name, _) in PRESETS {
            let config = Config::resolve(Some(name), None, &[]).unwrap();
            let sizes = config.compare.grid.values().map(Grid::len);
            let sizes: std::collections::BTreeSet<usize> = sizes.collect();
            assert_eq!(sizes.len(), 1, "{name}: {sizes:?}");
        }
    }

    #[test]
    fn a_task_has_what_it_needs_with_every_preset_and_what_is_given_wins() {
        let of = |preset: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
            Config::resolve(Some(preset), None, &settings)
                .unwrap()
                .model
        };
        for (preset, _) in PRESETS {
            assert_eq!(of(preset, &["task=question-answering"]).seq_len, 384);
            assert_eq!(of(preset, &["task=image-classification"]).size, "resnet18");
            let paper = of(preset, &["task=language-model", "model.size=paper"]);
            assert_eq!((paper.size.as_str(), paper.seq_len), ("paper", 128));
        }
        let short = ["model.seq_len=64", "task=question-answering"];
        assert_eq!(of("quick", &short).seq_len, 64);
        let file = "task = \"question-answering\"\n[model]\nseq_len = 96\n";
        let config = Config::resolve(Some("quick"), Some(("x.toml", file)), &[]).unwrap();
        assert_eq!(config.model.seq_len, 96);
        assert_eq!(of("quick", &[]).seq_len, 32);
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
        assert!(problem(&["compare.optimizers=[\"aclip\"]"]).contains("compare.optimizers"));
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
