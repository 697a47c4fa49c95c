//! The commands: from arguments to a run folder with results.

use crate::args::{BenchWhat, Command, Common, Compare, Noise, Train};
use crate::report;
use crate::{bench, bench_noise, bench_train, calibration, noise_file, paper, squad_eval, theory};
use acclip_noise::{GradientDiagnosis, diagnose_gradients};
use acclip_train::compare::{self, compare};
use acclip_train::config::quoted;
use acclip_train::{
    Config, Control, CorpusFacts, Dataset, Error, Measurement, Outcome, Provenance, RunFolder,
    RunResult, Timing, Validation, check_measurement, checkpointed_steps, export, measure, train,
};
use jiff::Zoned;
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How a command ended, if not with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did what was asked.
    Done,
    /// It did, and what it checked does not hold.
    CheckFailed,
    /// It was stopped by Ctrl-C.
    Interrupted,
}

impl Ended {
    /// The exit status.
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CheckFailed => 1,
            Self::Interrupted => crate::INTERRUPTED,
        }
    }
}

/// Runs a command.
pub fn run(command: Command, control: Control) -> Result<Ended, Error> {
    match command {
        Command::Compare(args) => run_compare(args, control),
        Command::Noise(args) => match &args.file {
            _ if args.calibrate => calibration::run(&args, control).map(|()| Ended::Done),
            Some(file) => noise_file::run(file, &args).map(|()| Ended::Done),
            None => run_noise(args, control),
        },
        Command::Train(args) => run_train(args, control),
        Command::Theory(args) => theory::run(&args, control),
        Command::Paper(args) => paper::run(&args, control),
        Command::SquadEval(args) => squad_eval::run(&args).map(|()| Ended::Done),
        Command::Bench(args) => match args.what {
            BenchWhat::Optim(args) => bench::run(&args, &note),
            BenchWhat::Noise(args) => bench_noise::run(&args),
            BenchWhat::Train(args) => bench_train::run(&args),
        }
        .map(|()| Ended::Done),
    }
}

/// The names under which a run folder keeps its vocabulary.
const VOCABULARIES: [&str; 2] = ["vocab.txt", "tokenizer.json"];

/// The vocabulary that a run folder keeps, if it does.
fn kept_vocabulary(folder: &Path) -> Option<PathBuf> {
    let mut names = VOCABULARIES.iter().map(|name| folder.join(name));
    names.find(|file| file.exists())
}

/// A run folder with its configuration and corpus, new or resumed.
struct Run {
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
}

impl Run {
    /// Opens or makes the folder of a run; `None` if only the configuration was to be printed.
    /// `check` says whether the corpus is large enough for what is to be done.
    fn prepare(
        command: &str,
        file: Option<&Path>,
        extra: Vec<String>,
        common: &Common,
        control: Control,
        check: fn(&Dataset, &Config) -> Result<(), Error>,
    ) -> Result<Option<Self>, Error> {
        let warn = |text: &str| control.progress.warn(text);
        if let Some(path) = &common.resume {
            let (folder, text) = RunFolder::open(path, command)?;
            let name = path.join("config.toml");
            let config = Config::from_toml(&name.to_string_lossy(), &text)?;
            let dataset = Dataset::load(&config, kept_vocabulary(path).as_deref())?;
            folder.check(dataset.facts.crc32, env!("ACCLIP_COMMIT"), &warn)?;
            return Ok(Some(Self::with_vocab(folder, config, dataset)?));
        }
        let mut config = Self::resolve(file, extra, common)?;
        if common.print_config {
            print(&config.to_toml())?;
            return Ok(None);
        }
        // A resumed run must find its files from wherever it is started.
        let (corpus, model, noise) = (&mut config.corpus, &mut config.model, &mut config.noise);
        let paths = [
            &mut corpus.path,
            &mut corpus.vocab,
            &mut model.weights,
            &mut noise.weights,
        ];
        for path in paths.into_iter().flatten() {
            if let Ok(whole) = fs::canonicalize(&*path) {
                *path = whole.to_string_lossy().into_owned();
            }
        }
        let dataset = Dataset::load(&config, None)?;
        check(&dataset, &config)?;
        // Builds the model, so that what does not fit leaves no folder.
        let (model, parameters) = dataset.describe(&config)?;
        let now = Zoned::now();
        let path = common.out.clone();
        let path = path.unwrap_or_else(|| default_folder(command, &now));
        let provenance = provenance(command, &now, config.seed, dataset.facts.crc32);
        let folder = RunFolder::create(&path, provenance, &config.to_toml())?;
        note(&format!(
            "run folder: {}  seed: {}",
            path.display(),
            config.seed
        ));
        let facts = &dataset.facts;
        note(&format!(
            "data: {}; {} training and {} held-out examples",
            facts.content, facts.train_examples, facts.valid_examples
        ));
        note(&format!("model: {model}; {parameters} parameters"));
        Ok(Some(Self::with_vocab(folder, config, dataset)?))
    }

    /// The configuration: preset, file, flags.
    fn resolve(file: Option<&Path>, extra: Vec<String>, common: &Common) -> Result<Config, Error> {
        let mut settings = extra;
        let mut set = |key: &str, value: Option<String>| {
            settings.extend(value.map(|value| format!("{key}={value}")));
        };
        set("corpus.path", common.corpus.as_deref().map(quoted));
        set("corpus.vocab", common.vocab.as_deref().map(quoted));
        set("seed", common.seed.map(|seed| seed.to_string()));
        settings.extend(common.set.iter().cloned());
        let text = file.map(read).transpose()?;
        let name = file.map(|path| path.to_string_lossy().into_owned());
        let preset = common.preset.as_deref().unwrap_or("quick");
        Config::resolve(
            Some(preset),
            name.as_deref().zip(text.as_deref()),
            &settings,
        )
    }

    /// Keeps the vocabulary in the folder: a resumed run must have the same tokens. A given file is
    /// kept as it is, since a `tokenizer.json` says more than a list of tokens; that of pre-trained weights stays
    /// with them.
    fn with_vocab(folder: RunFolder, config: Config, dataset: Dataset) -> Result<Self, Error> {
        if kept_vocabulary(folder.path()).is_none() {
            match &config.corpus.vocab {
                None if config.model.weights.is_some() => {}
                Some(given) if given.ends_with(".json") => {
                    folder.write(VOCABULARIES[1], read(Path::new(given))?.as_bytes())?;
                }
                _ => {
                    if let Some(vocabulary) = dataset.vocabulary() {
                        folder.write(VOCABULARIES[0], vocabulary.as_bytes())?;
                    }
                }
            }
        }
        Ok(Self {
            folder,
            config,
            dataset,
        })
    }

    /// Says how an interrupted run goes on.
    fn interrupted(&self) -> Ended {
        note(&format!(
            "stopped; continue with: acclip {} --resume {}",
            self.folder.provenance.command,
            self.folder.path().display()
        ));
        Ended::Interrupted
    }

    /// Writes the report, and says where it is.
    fn write_report(&self, report: &acclip_report::Report) -> Result<(), Error> {
        let html = acclip_report::to_html(report);
        self.folder.write("report.html", html.as_bytes())?;
        note(&format!(
            "report: {}",
            self.folder.path().join("report.html").display()
        ));
        Ok(())
    }
}

fn run_compare(args: Compare, control: Control) -> Result<Ended, Error> {
    let jobs = args.jobs.map(|jobs| format!("compare.jobs={jobs}"));
    let extra = jobs.into_iter().collect();
    let file = args.config.as_deref();
    let prepared = Run::prepare(
        "compare",
        file,
        extra,
        &args.common,
        control,
        compare::check,
    )?;
    let Some(run) = prepared else {
        return Ok(Ended::Done);
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
    show(&args.common, &summary, report::comparison_text)?;
    Ok(Ended::Done)
}

/// What `acclip noise` found.
#[derive(Serialize)]
pub struct NoiseSummary {
    /// Where it comes from.
    pub provenance: Provenance,
    /// The data.
    pub corpus: CorpusFacts,
    /// The model in a sentence.
    pub model: String,
    /// Training step of the weights.
    pub step: u64,
    /// Number of parameters.
    pub parameters: usize,
    /// ‖∇f‖.
    pub mean_grad_norm: f64,
    /// Seconds by part, and tokens, over both passes.
    pub speed: Timing,
    /// `light`, `heavy-finite-variance`, `infinite-variance` or `undecided`, with all its grounds;
    /// by layer, in single coordinates, and what else may be the cause.
    #[serde(flatten)]
    pub diagnosis: GradientDiagnosis,
}

fn run_noise(args: Noise, control: Control) -> Result<Ended, Error> {
    let trained = args.weights.as_deref().map(fs::canonicalize).transpose();
    let trained = trained.map_err(|source| Error::Io {
        action: "find",
        path: args.weights.clone().unwrap_or_default(),
        source,
    })?;
    // The configuration and vocabulary of the run whose weights are measured decide what fits them.
    let mut extra = Vec::new();
    if let Some(run) = &trained {
        if let Some(vocab) = kept_vocabulary(run) {
            extra.push(format!("corpus.vocab={}", quoted(&vocab.to_string_lossy())));
        }
        extra.push(format!("noise.weights={}", quoted(&run.to_string_lossy())));
        let steps = checkpointed_steps(run)?;
        let newest = steps.last().ok_or_else(|| Error::RunFolder {
            path: run.clone(),
            problem: "has no checkpoints; name the folder of an `acclip train` run".into(),
        })?;
        extra.push(format!("noise.weights_step={newest}"));
    }
    let file = trained.map(|run| run.join("config.toml")).or(args.config);
    let prepared = Run::prepare(
        "noise",
        file.as_deref(),
        extra,
        &args.common,
        control,
        check_measurement,
    )?;
    let Some(run) = prepared else {
        return Ok(Ended::Done);
    };
    let done = run.folder.path().join("noise.json");
    let state = run.folder.path().join("checkpoints");
    let measurement = match done.exists() {
        true => Measurement::read(&done)?,
        false => match measure(&run.config, &run.dataset, "noise", &state, control)? {
            Outcome::Done(measurement) => {
                run.folder.write_json("noise.json", &measurement)?;
                measurement
            }
            Outcome::Interrupted => return Ok(run.interrupted()),
        },
    };
    let _ = fs::remove_dir_all(&state); // of no more use; nothing is lost if it stays
    let (model, _) = run.dataset.describe(&run.config)?;
    let summary = NoiseSummary {
        provenance: run.folder.provenance.clone(),
        corpus: run.dataset.facts.clone(),
        model,
        step: measurement.step,
        parameters: measurement.gradients.dimension,
        mean_grad_norm: measurement.gradients.mean_grad_norm,
        speed: measurement.timing,
        diagnosis: diagnose_gradients(
            &measurement.gradients,
            Some(measurement.frequencies),
            args.steps,
        )?,
    };
    run.folder.write_json("summary.json", &summary)?;
    let norms = report::norms_table(measurement.grad_norms(), measurement.noise_norms());
    run.folder
        .write("noise.csv", acclip_report::to_csv(&norms).as_bytes())?;
    run.write_report(&report::of_noise(&run.config, &summary, &measurement)?)?;
    show(&args.common, &summary, report::noise_text)?;
    Ok(Ended::Done)
}

/// How `acclip train` ended.
#[derive(Serialize)]
struct TrainSummary {
    #[serde(flatten)]
    result: RunResult,
    /// How well the exported model does on all held-out data.
    all_held_out: Option<Validation>,
}

fn run_train(args: Train, control: Control) -> Result<Ended, Error> {
    let file = args.config.as_deref();
    let check = |dataset: &Dataset, config: &Config| {
        dataset.check_training(config)?;
        dataset.check_memory(config, 1)
    };
    let prepared = Run::prepare("train", file, Vec::new(), &args.common, control, check)?;
    let Some(run) = prepared else {
        return Ok(Ended::Done);
    };
    let outcome = train(&run.config, &run.dataset, run.folder.path(), control)?;
    let Outcome::Done(result) = outcome else {
        return Ok(run.interrupted());
    };
    let keeps_best = run.config.train.patience > 0 && !result.curve.is_empty();
    let unit = run.config.task.unit();
    let mut whole = None;
    if result.diverged_at.is_none() || keeps_best {
        let held_out = run.dataset.facts.valid_examples;
        note(&format!(
            "scoring all {held_out} held-out examples; the training is over, and --resume scores again"
        ));
        let (model, scores) = export(&run.config, &run.dataset, run.folder.path(), control)?;
        run.folder.write_json("scores.json", &scores)?;
        note(&format!(
            "model of step {}: {}",
            scores.step,
            model.display()
        ));
        whole = Some(scores);
    }
    let curve = report::curve_table(std::slice::from_ref(&result));
    run.folder
        .write("curve.csv", acclip_report::to_csv(&curve).as_bytes())?;
    run.write_report(&report::of_training(
        &run.config,
        &run.folder.provenance,
        &run.dataset,
        (&result, whole.as_ref()),
    )?)?;
    let summary = TrainSummary {
        result,
        all_held_out: whole,
    };
    run.folder.write_json("summary.json", &summary)?;
    show(&args.common, &summary, |summary| {
        report::training_text(&summary.result, summary.all_held_out.as_ref(), unit)
    })?;
    Ok(Ended::Done)
}

/// Where a run comes from that begins now.
pub fn provenance(command: &str, now: &Zoned, seed: u64, crc32: u32) -> Provenance {
    Provenance {
        format: 0,
        config_crc32: 0,
        command: command.to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        commit: env!("ACCLIP_COMMIT").to_string(),
        machine: machine(),
        started: now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        seed,
        corpus_crc32: crc32,
    }
}

/// `runs/compare-20261124-101500`, with a number behind if that is taken.
pub fn default_folder(command: &str, now: &Zoned) -> PathBuf {
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
pub fn machine() -> String {
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

/// Writes a result to stdout. A reader that has gone away (`| head`) is no error of ours.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Io {
            action: "write to",
            path: "stdout".into(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Prints a result, as JSON if that was asked for.
pub fn show<T: Serialize>(
    common: &Common,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Error> {
    print(&match common.json {
        true => serde_json::to_string_pretty(value).expect("our own records are valid JSON") + "\n",
        false => text(value),
    })
}

/// A line on stderr, which may have gone away.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_are_those_of_the_help_text() {
        let statuses = [Ended::Done, Ended::CheckFailed, Ended::Interrupted].map(Ended::status);
        assert_eq!(statuses, [0, 1, 130]);
    }
}
