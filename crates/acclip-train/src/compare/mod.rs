//! Which optimizer, which threshold, and how heavy is the noise: the whole comparison.
//!
//! 1. Noise at initialisation: attention or its twin, on text or on Gaussian vectors; of a model without a twin, its own
//!    alone (`cells`).
//! 2. Tuning: every setting of every optimizer's grid, one run each on the configured seed (`trials`).
//! 3. Finals: each optimizer's best setting, on fresh seeds that the tuning has not seen.
//! 4. Noise again, at the checkpoints of the winner's first final run.
//! 5. The table and the tests (`table`), and the words (`words`).
//!
//! Every part is a function of the configuration and leaves its result in the folder, so that a
//! comparison that was stopped goes on where it was.

mod cells;
pub mod stats;
pub mod summary;
mod table;
mod trials;
mod words;
mod workers;

use crate::trainer::remove_checkpoints;
use crate::{Config, Control, Dataset, Error, Outcome, RunFolder, Timing};
use cells::{Cell, Scale};
use std::path::Path;
use summary::{Budget, NoiseCell, Row, Summary};
use trials::Trial;

/// Runs or continues a comparison.
///
/// # Errors
/// [`Error`] for what cannot be read, written or built; a run that diverges is a result.
pub fn compare(
    config: &Config,
    dataset: &Dataset,
    folder: &RunFolder,
    control: Control,
) -> Result<Outcome<Summary>, Error> {
    check(dataset, config)?;
    let jobs = jobs(config);
    let root = folder.path();
    let measure = |cell: &Cell| cell.measure(dataset, root, control);
    let judge = |(cell, measurement)| Cell::judge(cell, measurement);

    let initial = cells::initial(config);
    let done = workers::run("noise: cells", jobs, &initial, control, measure)?;
    let Outcome::Done(measured) = done else {
        return Ok(Outcome::Interrupted);
    };
    let mut noise: Vec<NoiseCell> = initial
        .iter()
        .zip(&measured)
        .map(judge)
        .collect::<Result<_, _>>()?;

    let Outcome::Done(race) = race(config, dataset, root, control)? else {
        return Ok(Outcome::Interrupted);
    };
    let winner = race.winner.as_ref();
    let later = winner.map(|run| cells::later(config, root, run));
    let later = later.transpose()?.unwrap_or_default();
    let done = workers::run("noise: later checkpoints", jobs, &later, control, measure)?;
    let Outcome::Done(measured_later) = done else {
        return Ok(Outcome::Interrupted);
    };
    for cell in later.iter().zip(&measured_later).map(judge) {
        noise.push(cell?);
    }
    let (described, parameters) = dataset.describe(config)?;
    let mut summary = Summary {
        provenance: folder.provenance.clone(),
        verdict: Vec::new(),
        task: config.task,
        corpus: dataset.facts.clone(),
        model: config.model.clone(),
        described,
        parameters,
        budget: Budget {
            settings: race.settings,
            seeds: config.compare.seeds,
            steps: config.train.steps,
            batch_size: config.train.batch_size * config.train.accumulate,
        },
        attention: cells::tail_difference(config.seed, &initial, &measured),
        noise,
        paper_order: table::paper_order(&race.rows),
        optimizers: race.rows,
        speed: race.speed,
        jobs,
    };
    summary.verdict = summary.words();
    Ok(Outcome::Done(summary))
}

/// Optimizers under one tuning budget, without the measurements of noise.
pub struct Race {
    /// The optimizers, best first.
    pub rows: Vec<Row>,
    /// Settings that were tried for each.
    pub settings: usize,
    /// Training speed over all runs.
    pub speed: Timing,
    /// The winner's first run on a fresh seed, which keeps its checkpoints.
    winner: Option<Trial>,
}

/// Runs or continues steps 2 and 3 of a comparison, below the folder `root`.
///
/// # Errors
/// As [`compare`].
pub fn race(
    config: &Config,
    dataset: &Dataset,
    root: &Path,
    control: Control,
) -> Result<Outcome<Race>, Error> {
    let jobs = jobs(config);
    let Outcome::Done(scale) = Scale::measure(config, dataset, root, control)? else {
        return Ok(Outcome::Interrupted);
    };
    let tuning = trials::tuning(config, scale);
    let run = |trial: &Trial| trial.run(dataset, root, false, control);
    let done = workers::run("tuning: runs", jobs, &tuning, control, run)?;
    let Outcome::Done(tuned) = done else {
        return Ok(Outcome::Interrupted);
    };
    let finals = trials::finals(config, &tuning, &tuned);
    let run = |trial: &Trial| trial.run(dataset, root, true, control);
    let done = workers::run("fresh seeds: runs", jobs, &finals, control, run)?;
    let Outcome::Done(results) = done else {
        return Ok(Outcome::Interrupted);
    };
    let rows = table::rows(config, &tuned, &results);
    let winner = trials::winners_first(&finals, &rows).cloned();
    let kept = winner.as_ref().map(|trial| &trial.name);
    for trial in finals.iter().filter(|trial| Some(&trial.name) != kept) {
        remove_checkpoints(&root.join(&trial.name))?;
    }
    let mut speed = Timing::default();
    for result in tuned.iter().chain(&results) {
        speed.add(&result.timing);
    }
    Ok(Outcome::Done(Race {
        rows,
        settings: tuning.len() / config.compare.optimizers.len(),
        speed,
        winner,
    }))
}

/// Whether there is data and memory for a comparison.
///
/// # Errors
/// [`Error::Config`] names what to change.
pub fn check(dataset: &Dataset, config: &Config) -> Result<(), Error> {
    dataset.check_noise(config)?;
    check_race(dataset, config)
}

/// Whether there is data and memory for a race.
///
/// # Errors
/// As [`check`].
pub fn check_race(dataset: &Dataset, config: &Config) -> Result<(), Error> {
    dataset.check_training(config)?;
    Scale::check(config, dataset)?;
    dataset.check_memory(config, jobs(config))
}

/// Runs at the same time.
fn jobs(config: &Config) -> usize {
    match config.compare.jobs {
        0 => workers::default_jobs(),
        jobs => jobs,
    }
}
