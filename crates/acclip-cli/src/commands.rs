//! The commands: from arguments to a run folder with results.

use crate::args::{Command, Common, Compare, Noise, Train};
use crate::report;
use acclip_noise::{Diagnosis, diagnose};
use acclip_train::compare::compare;
use acclip_train::{
    Config, Control, CorpusFacts, Dataset, Error, Measurement, Outcome, Provenance, RunFolder,
    Weights, measure, train,
};
use jiff::Zoned;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs a command; `false` if it was interrupted.
pub fn run(command: Command, control: Control) -> Result<bool, Error> {
    match command {
        Command::Compare(args) => run_compare(args, control),
        Command::Noise(args) => run_noise(args, control),
        Command::Train(args) => run_train(args, control),
    }
}

/// The names under which a run folder keeps its vocabulary.
const VOCABULARIES: [&str; 2] = ["vocab.txt", "tokenizer.json"];

/// A run folder with its configuration and corpus, new or resumed.
struct Run {
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
}

impl Run {
    /// Opens or makes the folder of a run; `None` if only the configuration was to be printed.
    fn prepare(
        command: &str,
        preset: &str,
        file: Option<&Path>,
        extra: Vec<String>,
        common: &Common,
    ) -> Result<Option<Self>, Error> {
        if let Some(path) = &common.resume {
            let (folder, config) = RunFolder::open(path, command)?;
            let kept = VOCABULARIES.map(|name| path.join(name));
            let vocab = kept.iter().find(|file| file.exists());
            let dataset = Dataset::load(&config, vocab.map(PathBuf::as_path))?;
            return Ok(Some(Self::with_vocab(folder, config, dataset)?));
        }
        let mut settings = extra;
        let mut set = |key: &str, value: Option<String>| {
            settings.extend(value.map(|value| format!("{key}={value}")));
        };
        let quoted = |text: &String| format!("{text:?}");
        set("corpus.path", common.corpus.as_ref().map(quoted));
        set("corpus.vocab", common.vocab.as_ref().map(quoted));
        set("seed", common.seed.map(|seed| seed.to_string()));
        settings.extend(common.set.iter().cloned());
        let text = match file {
            Some(path) => Some(read(path)?),
            None => None,
        };
        let name = file.map(|path| path.to_string_lossy().into_owned());
        let file = name.as_deref().zip(text.as_deref());
        let preset = common.preset.as_deref().unwrap_or(preset);
        let config = Config::resolve(Some(preset), file, &settings)?;
        if common.print_config {
            print!("{}", config.to_toml());
            return Ok(None);
        }
        let dataset = Dataset::load(&config, None)?;
        let now = Zoned::now();
        let path = common
            .out
            .clone()
            .unwrap_or_else(|| default_folder(command, &now));
        let provenance = Provenance {
            format: 0,
            command: command.to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            commit: env!("ACCLIP_COMMIT").to_string(),
            machine: machine(),
            started: now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            seed: config.seed,
        };
        let folder = RunFolder::create(&path, provenance, &config)?;
        eprintln!("run folder: {}  seed: {}", path.display(), config.seed);
        Ok(Some(Self::with_vocab(folder, config, dataset)?))
    }

    /// Keeps the vocabulary in the folder: a resumed run must have the same tokens. A given file is
    /// kept as it is, since a `tokenizer.json` says more than a list of tokens.
    fn with_vocab(folder: RunFolder, config: Config, dataset: Dataset) -> Result<Self, Error> {
        let kept = VOCABULARIES.map(|name| folder.path().join(name));
        if !kept.iter().any(|file| file.exists()) {
            match &config.corpus.vocab {
                Some(given) if given.ends_with(".json") => {
                    folder.write(VOCABULARIES[1], read(Path::new(given))?.as_bytes())?;
                }
                _ => dataset.tokenizer.save_vocab(&kept[0])?,
            }
        }
        Ok(Self {
            folder,
            config,
            dataset,
        })
    }

    /// Says how an interrupted run goes on.
    fn interrupted(&self) -> bool {
        eprintln!(
            "stopped; continue with: acclip {} --resume {}",
            self.folder.provenance.command,
            self.folder.path().display()
        );
        false
    }

    /// Writes the report, and says where it is.
    fn write_report(&self, report: &acclip_report::Report) -> Result<(), Error> {
        self.folder
            .write("report.html", acclip_report::to_html(report).as_bytes())?;
        let path = self.folder.path().join("report.html");
        eprintln!("report: {}", path.display());
        Ok(())
    }
}

fn run_compare(args: Compare, control: Control) -> Result<bool, Error> {
    let jobs = args.jobs.map(|jobs| format!("compare.jobs={jobs}"));
    let extra = jobs.into_iter().collect();
    let prepared = Run::prepare(
        "compare",
        "quick",
        args.config.as_deref(),
        extra,
        &args.common,
    )?;
    let Some(run) = prepared else {
        return Ok(true);
    };
    let Outcome::Done(summary) = compare(&run.config, &run.dataset, &run.folder, control)? else {
        return Ok(run.interrupted());
    };
    run.folder.write_json("summary.json", &summary)?;
    let measurements = report::measurements(run.folder.path(), &summary)?;
    for (name, table) in report::compare_tables(&summary) {
        run.folder
            .write(name, acclip_report::to_csv(&table).as_bytes())?;
    }
    run.write_report(&report::of_comparison(
        &run.config,
        &summary,
        &measurements,
    )?)?;
    match args.common.json {
        true => print_json(&summary),
        false => print!("{}", report::comparison_text(&summary)),
    }
    Ok(true)
}

/// What `acclip noise` found.
#[derive(Serialize)]
pub struct NoiseSummary {
    /// Where it comes from.
    pub provenance: Provenance,
    /// The text.
    pub corpus: CorpusFacts,
    /// Training step of the weights.
    pub step: u64,
    /// Number of parameters.
    pub parameters: usize,
    /// ‖∇f‖.
    pub mean_grad_norm: f64,
    /// `light`, `heavy-finite-variance`, `infinite-variance` or `undecided`, with all its grounds.
    #[serde(flatten)]
    pub diagnosis: Diagnosis,
}

fn run_noise(args: Noise, control: Control) -> Result<bool, Error> {
    // The configuration of the run whose weights are measured, which decides what fits them.
    let trained = args.weights.as_ref().map(|path| path.join("config.toml"));
    let file = trained.as_deref().or(args.config.as_deref());
    let kept = args
        .weights
        .iter()
        .flat_map(|path| VOCABULARIES.map(|name| path.join(name)));
    let vocab = kept
        .filter(|file| file.exists())
        .map(|file| format!("corpus.vocab={:?}", file.to_string_lossy()))
        .next();
    let extra = vocab.into_iter().collect();
    let Some(run) = Run::prepare("noise", "quick", file, extra, &args.common)? else {
        return Ok(true);
    };
    // Kept in the folder for a resumed measurement.
    let note = run.folder.path().join("weights.json");
    let weights: Option<PathBuf> = match note.exists() {
        true => serde_json::from_str(&read(&note)?).ok().flatten(),
        false => args.weights.clone(),
    };
    run.folder.write_json("weights.json", &weights)?;
    let weights = match weights {
        Some(run) => Weights::Checkpoint { run, step: None },
        None => Weights::Initial,
    };
    let state = run.folder.path().join("checkpoints");
    let outcome = measure(
        &run.config,
        &run.dataset,
        &weights,
        "noise",
        &state,
        control,
    )?;
    let Outcome::Done(measurement) = outcome else {
        return Ok(run.interrupted());
    };
    let summary = NoiseSummary {
        provenance: run.folder.provenance.clone(),
        corpus: run.dataset.facts.clone(),
        step: measurement.step,
        parameters: measurement.dimension,
        mean_grad_norm: measurement.mean_grad_norm,
        diagnosis: diagnose(&measurement.noise_norms)?,
    };
    run.folder.write_json("noise.json", &measurement)?;
    run.folder.write_json("summary.json", &summary)?;
    let norms = report::norms_table(&measurement);
    run.folder
        .write("noise.csv", acclip_report::to_csv(&norms).as_bytes())?;
    run.write_report(&report::of_noise(&run.config, &summary, &measurement)?)?;
    match args.common.json {
        true => print_json(&summary),
        false => print!("{}", report::noise_text(&summary)),
    }
    Ok(true)
}

fn run_train(args: Train, control: Control) -> Result<bool, Error> {
    let file = args.config.as_deref();
    let Some(run) = Run::prepare("train", "quick", file, Vec::new(), &args.common)? else {
        return Ok(true);
    };
    let outcome = train(&run.config, &run.dataset, run.folder.path(), control)?;
    let Outcome::Done(result) = outcome else {
        return Ok(run.interrupted());
    };
    run.folder.write_json("summary.json", &result)?;
    let curve = report::curve_table(std::slice::from_ref(&result));
    run.folder
        .write("curve.csv", acclip_report::to_csv(&curve).as_bytes())?;
    let (provenance, facts) = (&run.folder.provenance, &run.dataset.facts);
    run.write_report(&report::of_training(
        &run.config,
        provenance,
        facts,
        &result,
    )?)?;
    match args.common.json {
        true => print_json(&result),
        false => print!("{}", report::training_text(&result)),
    }
    Ok(true)
}

/// `runs/compare-20261124-101500`, with a number behind if that is taken.
fn default_folder(command: &str, now: &Zoned) -> PathBuf {
    let name = format!("runs/{command}-{}", now.strftime("%Y%m%d-%H%M%S"));
    let numbered = (2..).map(|i| format!("{name}-{i}"));
    let mut names = std::iter::once(name.clone())
        .chain(numbered)
        .map(PathBuf::from);
    names
        .find(|path| !path.exists())
        .expect("one of endlessly many")
}

/// Processor, cores and operating system.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model);
    format!("{model}, {cores} cores, {}", std::env::consts::OS)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })
}

fn print_json(value: &impl Serialize) {
    println!(
        "{}",
        serde_json::to_string_pretty(value).expect("our own records are valid JSON")
    );
}

/// Reads a measurement that a comparison left in its folder.
pub fn read_measurement(path: &Path) -> Result<Measurement, Error> {
    serde_json::from_str(&read(path)?).map_err(|error| Error::RunFolder {
        path: path.to_path_buf(),
        problem: format!("cannot be understood: {error}"),
    })
}
