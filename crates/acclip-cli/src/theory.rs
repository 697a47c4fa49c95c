//! `acclip theory`: the theorems of the paper, running.
//!
//! Text or JSON goes to stdout. Files are written with `--out` alone, into a folder that is claimed before the
//! computation begins: one that cannot be written to is found in the first moment and not in the last.

mod watch;

use crate::args::{Theory, TheoryOptions, TheoryWhat};
use crate::commands::{Ended, machine, note, print};
use crate::report;
use acclip_theory::experiments::{Experiment, Settings};
use acclip_theory::{Error as TheoryError, Finding};
use acclip_train::{Control, Error, write_atomic};
use jiff::Zoned;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
use watch::watched;

/// What `acclip theory` found, and how: the content of `finding.json`.
#[derive(Serialize)]
pub struct TheorySummary {
    /// The command line that gives the same numbers.
    pub command: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The program.
    pub version: &'static str,
    /// Its commit.
    pub commit: &'static str,
    /// The machine.
    pub machine: String,
    /// Threads for computation.
    pub threads: usize,
    /// When.
    pub started: String,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Steps a second, over all trajectories.
    pub steps_per_second: f64,
    /// Whether every check holds.
    pub holds: bool,
    /// Settings, tables, curves, checks.
    #[serde(flatten)]
    pub finding: Finding,
}

impl TheorySummary {
    /// How the command ends.
    fn ended(&self) -> Ended {
        match self.holds {
            true => Ended::Done,
            false => Ended::CheckFailed,
        }
    }
}

/// Runs an experiment, prints what it found, and writes the files that were asked for.
pub fn run(args: &Theory, control: Control) -> Result<Ended, Error> {
    let (experiment, name) = chosen(&args.what);
    let settings = resolve(experiment.defaults(), &args.options);
    let folder = args.options.out.as_deref().map(Folder::claim).transpose()?;
    let started = Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let clock = Instant::now();
    let finding = match watched(&name, control, |inner| experiment.run(&settings, inner)) {
        Err(TheoryError::Stopped) => {
            note("stopped; nothing is kept of an experiment that is not over");
            return Ok(Ended::Interrupted);
        }
        finding => finding.map_err(failed)?,
    };
    let seconds = clock.elapsed().as_secs_f64();
    let summary = TheorySummary {
        command: command_line(&name, &settings),
        seed: settings.seed,
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("ACCLIP_COMMIT"),
        machine: machine(),
        threads: rayon::current_num_threads(),
        started,
        seconds,
        steps_per_second: finding.steps as f64 / seconds,
        holds: finding.holds(),
        finding,
    };
    let json = serde_json::to_string_pretty(&summary).expect("our own records are valid JSON");
    let json = json + "\n";
    // Whatever becomes of the files, the result is on stdout first.
    let printed = match args.options.json {
        true => print(&json),
        false => print(&report::theory_text(&summary)),
    };
    if let Some(folder) = folder {
        folder.write("finding.json", &json)?;
        for (name, table) in report::theory_tables(&summary.finding) {
            folder.write(&name, &acclip_report::to_csv(&table))?;
        }
        let html = acclip_report::to_html(&report::of_theory(&summary));
        folder.write("report.html", &html)?;
        let path = folder.path.join("report.html");
        note(&format!("report: {}", path.display()));
    }
    printed.map(|()| summary.ended())
}

/// An experiment, and its name on the command line.
fn chosen(what: &TheoryWhat) -> (Experiment, String) {
    match what {
        TheoryWhat::Table1 => (Experiment::Table1, "table1".into()),
        TheoryWhat::Theorem { number: one } => (one.experiment, format!("theorem {}", one.number)),
        TheoryWhat::Lemma { number: one } => (one.experiment, format!("lemma {}", one.number)),
        TheoryWhat::Remark1 => (Experiment::Remark1, "remark1".into()),
        TheoryWhat::Dimension => (Experiment::Dimension, "dimension".into()),
        TheoryWhat::Rmsprop => (Experiment::RmsProp, "rmsprop".into()),
    }
}

/// The experiment's own settings, but for those that were given.
fn resolve(defaults: Settings, options: &TheoryOptions) -> Settings {
    Settings {
        seed: options.seed.unwrap_or(defaults.seed),
        alphas: match options.alpha.is_empty() {
            true => defaults.alphas,
            false => options.alpha.clone(),
        },
        trajectories: options
            .trajectories
            .map_or(defaults.trajectories, |n| n as usize),
        steps: options.steps.unwrap_or(defaults.steps),
    }
}

/// The command line that gives these settings.
fn command_line(name: &str, settings: &Settings) -> String {
    let alphas: Vec<String> = settings.alphas.iter().map(f64::to_string).collect();
    format!(
        "acclip theory {name} --alpha {} --trajectories {} --steps {} --seed {}",
        alphas.join(","),
        settings.trajectories,
        settings.steps,
        settings.seed
    )
}

/// An error of an experiment is one of the program's own kinds.
fn failed(error: TheoryError) -> Error {
    match error {
        TheoryError::Optimizer(error) => Error::Optim(error),
        TheoryError::Noise(error) => Error::Noise(error),
        other => Error::Input(Box::new(other)),
    }
}

/// A new or empty folder, for results that are not there yet. A folder that it made itself goes again
/// unless something was written into it.
struct Folder {
    path: PathBuf,
    made: bool,
}

impl Folder {
    /// Makes the folder, and a file in it that it removes again.
    fn claim(path: &Path) -> Result<Self, Error> {
        let io = |action| {
            let path = path.to_path_buf();
            move |source| Error::Io {
                action,
                path,
                source,
            }
        };
        let made = !path.exists();
        std::fs::create_dir_all(path).map_err(io("create"))?;
        let folder = Self {
            path: path.to_path_buf(),
            made,
        };
        let mut entries = std::fs::read_dir(path).map_err(io("list"))?;
        if entries.next().is_some() {
            return Err(Error::RunFolder {
                path: folder.path.clone(),
                problem: "is not empty; name another with --out".into(),
            });
        }
        let trial = path.join("finding.json.tmp");
        let tried = std::fs::File::create(&trial).and_then(|_| std::fs::remove_file(&trial));
        tried.map_err(io("write to"))?;
        Ok(folder)
    }

    fn write(&self, name: &str, content: &str) -> Result<(), Error> {
        write_atomic(&self.path.join(name), content.as_bytes())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            let _ = std::fs::remove_dir(&self.path); // refused if there is anything in it, as it should be
        }
    }
}

#[cfg(test)]
mod tests;
