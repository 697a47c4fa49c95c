//! Runs the cells of a plan: noise measured at steps of a training run, optimizers in a race.
//!
//! ```text
//! ROOT/CELL/seed-S/train/           the training run whose weights are measured, where there is one
//! ROOT/CELL/seed-S/noise/step-T.json
//! ROOT/CELL/tuning/, final/         the race
//! ```

use crate::finding::Finding;
use crate::plan::{Cell, Plan};
use crate::scan::{Scanned, scan, variants};
use crate::{claims, report};
use acclip_noise::{Diagnosis, diagnose};
use acclip_train::compare::summary::Row;
use acclip_train::compare::{check_race, race};
use acclip_train::{Control, CorpusFacts, Dataset, Error, Measurement, Outcome, measured, train};
use std::path::Path;

/// What was measured in a cell.
pub struct Measured<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Its data.
    pub facts: CorpusFacts,
    /// Its model in a sentence, and the number of parameters.
    pub model: (String, usize),
    /// The noise, by step and seed.
    pub noise: Vec<Noise>,
    /// The optimizers, best first; none where there was no race.
    pub rows: Vec<Row>,
    /// Settings tried for each.
    pub settings: usize,
    /// The noise along the axes of the plan.
    pub scanned: Vec<Scanned>,
    /// Seed and step of trainings that diverged, so that their noise could not be measured from there on.
    pub diverged: Vec<(u64, u64)>,
}

/// A measurement of noise.
pub struct Noise {
    /// The training step of the weights.
    pub step: u64,
    /// The seed.
    pub seed: u64,
    /// What was seen.
    pub measurement: Measurement,
    /// What it allows to be said.
    pub diagnosis: Diagnosis,
}

/// Reads the data of every cell, and sees whether there is enough of it and of memory. Returns a checksum of all.
///
/// # Errors
/// [`Error`] for data that is not there, is wrong or too small.
pub fn check(plan: &Plan, cells: &[Cell]) -> Result<u32, Error> {
    let mut crc32 = 0_u32;
    for cell in cells {
        let dataset = Dataset::load(&cell.config, None)?;
        check_cell(cell, &dataset)?;
        crc32 = crc32.rotate_left(1) ^ dataset.facts.crc32;
        for variant in variants(plan, cell)? {
            variant.with_data(cell, &dataset, |data| check_cell(&variant.cell, data))?;
        }
    }
    Ok(crc32)
}

/// Whether there is data and memory for a cell, and whether its model can be built.
fn check_cell(cell: &Cell, dataset: &Dataset) -> Result<(), Error> {
    if cell.noise_at.iter().any(|step| *step > 0) {
        dataset.check_training(&cell.config)?;
    }
    if !cell.noise_at.is_empty() {
        dataset.check_noise(&cell.config)?;
    }
    if cell.race {
        check_race(dataset, &cell.config)?;
    }
    dataset.check_memory(&cell.config, 1)?;
    dataset.describe(&cell.config).map(drop)
}

/// Runs or continues an experiment in the folder `root`.
///
/// # Errors
/// [`Error`] for what cannot be read, written or built; a run that diverges is a result.
pub fn run(
    plan: &Plan,
    cells: &[Cell],
    root: &Path,
    control: Control,
) -> Result<Outcome<Finding>, Error> {
    let mut all = Vec::new();
    for cell in cells {
        match measure_cell(plan, cell, &root.join(&cell.name), control)? {
            Outcome::Done(measured) => all.push(measured),
            Outcome::Interrupted => return Ok(Outcome::Interrupted),
        }
    }
    Ok(Outcome::Done(Finding {
        claims: claims::judged(plan, &all),
        remarks: report::remarks(plan, &all),
        sections: report::sections(plan, &all)?,
    }))
}

/// Everything that is to be measured in one cell.
fn measure_cell<'a>(
    plan: &Plan,
    cell: &'a Cell,
    folder: &Path,
    control: Control,
) -> Result<Outcome<Measured<'a>>, Error> {
    let dataset = Dataset::load(&cell.config, None)?;
    let mut found = Measured {
        cell,
        facts: dataset.facts.clone(),
        model: dataset.describe(&cell.config)?,
        noise: Vec::new(),
        rows: Vec::new(),
        settings: 0,
        scanned: Vec::new(),
        diverged: Vec::new(),
    };
    if !cell.noise_at.is_empty() {
        for i in 0..plan.noise_seeds {
            let seed = cell.config.seed + i;
            let folder = folder.join(format!("seed-{seed}"));
            match measure_noise(cell, seed, &dataset, &folder, control)? {
                Outcome::Done(of) => {
                    found.noise.extend(of.noise);
                    found.diverged.extend(of.diverged.map(|step| (seed, step)));
                }
                Outcome::Interrupted => return Ok(Outcome::Interrupted),
            }
        }
    }
    match scan(plan, cell, &dataset, folder, control)? {
        Outcome::Done(scanned) => found.scanned = scanned,
        Outcome::Interrupted => return Ok(Outcome::Interrupted),
    }
    if cell.race {
        match race(&cell.config, &dataset, folder, control)? {
            Outcome::Done(race) => (found.rows, found.settings) = (race.rows, race.settings),
            Outcome::Interrupted => return Ok(Outcome::Interrupted),
        }
    }
    Ok(Outcome::Done(found))
}

/// The noise of a cell on one seed.
pub(crate) struct OneSeed {
    /// At each of its steps; where the training diverged, at those before.
    pub noise: Vec<Noise>,
    /// The step at which it did.
    pub diverged: Option<u64>,
}

/// Measures the noise of a cell on one seed, or reads what was measured before.
pub(crate) fn measure_noise(
    cell: &Cell,
    seed: u64,
    dataset: &Dataset,
    folder: &Path,
    control: Control,
) -> Result<Outcome<OneSeed>, Error> {
    let mut config = cell.config.clone();
    config.seed = seed;
    let mut diverged = None;
    if let Some(last) = cell.noise_at.iter().max().filter(|last| **last > 0) {
        config.train.steps = config.train.steps.max(*last);
        config.train.keep = cell.noise_at.clone();
        config.train.patience = 0; // every step is wanted
        let run = folder.join("train");
        match train(&config, dataset, &run, control)? {
            Outcome::Done(result) => diverged = result.diverged_at,
            Outcome::Interrupted => return Ok(Outcome::Interrupted),
        }
        config.noise.weights = Some(run.to_string_lossy().into_owned());
    }
    let mut all = Vec::new();
    let reached = |step: &&u64| diverged.is_none_or(|at| **step < at);
    for &step in cell.noise_at.iter().filter(reached) {
        config.noise.weights_step = config.noise.weights.as_ref().map(|_| step);
        let name = format!("step-{step}");
        let Outcome::Done(measurement) = measured(&config, dataset, &name, folder, control)? else {
            return Ok(Outcome::Interrupted);
        };
        all.push(Noise {
            step,
            seed,
            diagnosis: diagnose(measurement.noise_norms())?,
            measurement,
        });
    }
    Ok(Outcome::Done(OneSeed {
        noise: all,
        diverged,
    }))
}
