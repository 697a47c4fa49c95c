//! Which optimizer, which threshold, and how heavy is the noise: the whole comparison.
//!
//! 1. Noise at initialisation: attention or its twin, on text or on Gaussian vectors.
//! 2. Tuning: every setting of every optimizer's grid, one run each on the configured seed.
//! 3. Finals: each optimizer's best setting, on fresh seeds that the tuning has not seen.
//! 4. Noise again, at the checkpoints of the winner's first final run.
//! 5. The table, the tests, the words.
//!
//! Every part is a function of the configuration and leaves its result in the folder, so that a
//! comparison that was stopped goes on where it was.

pub mod stats;
pub mod summary;
mod workers;

use crate::checkpoint;
use crate::config::{Grid, InputKind, optimizer};
use crate::files::{read, write_atomic, write_json};
use crate::probe::{Measurement, Weights, measure};
use crate::{Config, Control, Dataset, Error, Outcome, RunFolder, RunResult, Timing, train};
use acclip_noise::diagnose;
use acclip_optim::Hyper;
use stats::{Paired, SIGNIFICANCE, holm, mean_sd};
use std::fs;
use std::path::Path;
use summary::{AS_IN_PAPER, Budget, NoiseCell, OrderPair, Row, Summary, TailDifference};

/// The order that the paper reports (Figure 3a), each better than the one before. SGD stands here
/// with the momentum that its rivals have.
const PAPER_ORDER: [&str; 4] = ["sgd-momentum", "gclip", "cclip", "acclip-paper"];

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
    let jobs = match config.compare.jobs {
        0 => workers::default_jobs(),
        jobs => jobs,
    };
    let root = folder.path();
    let cells = initial_cells(config);
    let run = |cell: &Cell| cell.measure(dataset, root, control);
    let Outcome::Done(mut noise) = workers::run("noise: cells", jobs, &cells, control, run)? else {
        return Ok(Outcome::Interrupted);
    };

    let scale = Scale::of(config, &cells, &noise);
    let tuning = tuning_trials(config, scale);
    let run = |trial: &Trial| trial.run(dataset, root, false, control);
    let Outcome::Done(tuned) = workers::run("tuning: runs", jobs, &tuning, control, run)? else {
        return Ok(Outcome::Interrupted);
    };

    let finals = final_trials(config, &tuning, &tuned);
    let run = |trial: &Trial| trial.run(dataset, root, true, control);
    let Outcome::Done(results) = workers::run("fresh seeds: runs", jobs, &finals, control, run)?
    else {
        return Ok(Outcome::Interrupted);
    };

    let rows = rows(config, &tuned, &results);
    let later = later_cells(config, root, &finals, &rows)?;
    let run = |cell: &Cell| cell.measure(dataset, root, control);
    let Outcome::Done(later_noise) =
        workers::run("noise: later checkpoints", jobs, &later, control, run)?
    else {
        return Ok(Outcome::Interrupted);
    };
    // The winner's first run keeps its checkpoints: its weights may be wanted.
    let kept = winner_trial(&finals, &rows).map(|trial| &trial.name);
    for trial in finals.iter().filter(|trial| Some(&trial.name) != kept) {
        remove_checkpoints(&root.join(&trial.name))?;
    }

    noise.extend(later_noise);
    let cells = cells.iter().chain(&later).zip(&noise);
    let noise: Vec<NoiseCell> = cells
        .map(|(cell, measurement)| cell.judge(measurement))
        .collect::<Result<_, _>>()?;
    let mut speed = Timing::default();
    for result in tuned.iter().chain(&results) {
        speed.add(&result.timing);
    }
    let mut summary = Summary {
        provenance: folder.provenance.clone(),
        verdict: Vec::new(),
        corpus: dataset.facts.clone(),
        parameters: config.parameters(dataset.tokenizer.vocab_size())?,
        budget: Budget {
            settings: tuning.len() / config.compare.optimizers.len(),
            seeds: config.compare.seeds,
            steps: config.train.steps,
            batch_size: config.train.batch_size,
        },
        attention: tail_difference(&noise),
        noise,
        paper_order: paper_order(&rows),
        optimizers: rows,
        speed,
        jobs,
    };
    summary.verdict = summary.words();
    Ok(Outcome::Done(summary))
}

/// One noise measurement to be made.
struct Cell {
    name: String,
    title: String,
    config: Config,
    weights: Weights,
}

impl Cell {
    fn new(config: &Config, attention: bool, input: InputKind) -> Self {
        let mut config = config.clone();
        config.model.attention = attention;
        config.model.input = input;
        let (model, short) = match attention {
            true => ("Attention", "attention"),
            false => ("Attention-free", "attention-free"),
        };
        let input = input_name(input);
        Self {
            name: format!("{short}-{input}-init"),
            title: format!("{model}, {input}"),
            config,
            weights: Weights::Initial,
        }
    }

    fn measure(
        &self,
        dataset: &Dataset,
        root: &Path,
        control: Control,
    ) -> Result<Outcome<Measurement>, Error> {
        let file = root.join(format!("noise/{}.json", self.name));
        if file.exists() {
            let text = read(&file)?;
            return serde_json::from_str(&text)
                .map(Outcome::Done)
                .map_err(|error| Error::RunFolder {
                    path: file,
                    problem: format!("cannot be understood ({error}); delete it to measure again"),
                });
        }
        let state = root.join(format!("noise/{}", self.name));
        let task = format!("noise {}", self.name);
        let outcome = measure(&self.config, dataset, &self.weights, &task, &state, control)?;
        if let Outcome::Done(measurement) = &outcome {
            fs::create_dir_all(root.join("noise")).map_err(Error::io("create", &state))?;
            write_json(&file, measurement)?;
            remove(&state)?;
        }
        Ok(outcome)
    }

    fn judge(&self, measurement: &Measurement) -> Result<NoiseCell, Error> {
        Ok(NoiseCell {
            name: self.name.clone(),
            title: self.title.clone(),
            attention: self.config.model.attention,
            input: input_name(self.config.model.input).to_string(),
            step: measurement.step,
            median_grad_norm: median(&measurement.grad_norms),
            mean_grad_norm: measurement.mean_grad_norm,
            diagnosis: diagnose(&measurement.noise_norms)?,
        })
    }
}

/// The paper's 2 × 2 (Figure 4), at initialisation.
fn initial_cells(config: &Config) -> Vec<Cell> {
    [true, false]
        .into_iter()
        .flat_map(|attention| {
            [InputKind::Text, InputKind::Gaussian].map(|input| Cell::new(config, attention, input))
        })
        .collect()
}

/// The winner's first run on a fresh seed.
fn winner_trial<'a>(finals: &'a [Trial], rows: &[Row]) -> Option<&'a Trial> {
    let winner = rows.first().filter(|row| row.loss_mean.is_some())?;
    let mut finals = finals.iter();
    finals.find(|trial| trial.config.optimizer.name == winner.optimizer)
}

/// The configured model at the checkpoints of the winner's first final run.
fn later_cells(
    config: &Config,
    root: &Path,
    finals: &[Trial],
    rows: &[Row],
) -> Result<Vec<Cell>, Error> {
    let Some(run) = winner_trial(finals, rows) else {
        return Ok(Vec::new());
    };
    let file = root.join("noise/later.json");
    let path = root.join(&run.name);
    // Which steps there were is written down, since the checkpoints are removed in the end.
    let steps: Vec<u64> = match file.exists() {
        true => serde_json::from_str(&read(&file)?).unwrap_or_default(),
        false => {
            let steps = checkpoint::steps(&path.join("checkpoints"))?;
            write_json(&file, &steps)?;
            steps
        }
    };
    Ok(steps
        .into_iter()
        .map(|step| {
            let mut cell = Cell::new(config, config.model.attention, config.model.input);
            cell.name = cell.name.replace("-init", &format!("-step-{step}"));
            cell.title = format!(
                "{}, after {step} steps of {}",
                cell.title, run.config.optimizer.name
            );
            cell.weights = Weights::Checkpoint {
                run: path.clone(),
                step: Some(step),
            };
            cell.config.seed = run.config.seed;
            cell
        })
        .collect())
}

/// What thresholds are measured in: the gradient at initialisation.
#[derive(Clone, Copy)]
struct Scale {
    norm: f64,
    coordinate: f64,
}

impl Scale {
    /// From the cell of the configured model.
    fn of(config: &Config, cells: &[Cell], noise: &[Measurement]) -> Self {
        let mine = cells
            .iter()
            .position(|cell| cell.config.model == config.model);
        let measurement = &noise[mine.unwrap_or(0)];
        let norm = median(&measurement.grad_norms);
        Self {
            norm,
            coordinate: norm / (measurement.dimension as f64).sqrt(),
        }
    }
}

/// One training run to be made.
struct Trial {
    name: String,
    config: Config,
}

impl Trial {
    fn run(
        &self,
        dataset: &Dataset,
        root: &Path,
        keep: bool,
        control: Control,
    ) -> Result<Outcome<RunResult>, Error> {
        let folder = root.join(&self.name);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        write_atomic(
            &folder.join("config.toml"),
            self.config.to_toml().as_bytes(),
        )?;
        let outcome = train(&self.config, dataset, &folder, control)?;
        if let Outcome::Done(_) = outcome
            && !keep
        {
            remove_checkpoints(&folder)?;
        }
        Ok(outcome)
    }
}

/// Every setting of every optimizer, in the order of the table.
fn tuning_trials(config: &Config, scale: Scale) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in &config.compare.optimizers {
        let grid = &config.compare.grid[name];
        let mut rates = grid.learning_rate.clone();
        rates.sort_by(f64::total_cmp);
        for (i, (rate, hyper)) in settings(name, grid, &rates, scale).into_iter().enumerate() {
            let mut config = config.clone();
            config.optimizer.name = name.clone();
            config.optimizer.learning_rate = rate;
            config.optimizer.hyper = hyper;
            trials.push(Trial {
                name: format!("tuning/{name}/{i:02}"),
                config,
            });
        }
    }
    trials
}

/// Learning rates × thresholds of one optimizer.
fn settings(name: &str, grid: &Grid, rates: &[f64], scale: Scale) -> Vec<(f64, Hyper)> {
    let fixed = optimizer(name, &grid.hyper)
        .expect("checked with the configuration")
        .hyper();
    let with = |threshold: f64| {
        let mut hyper = grid.hyper;
        match fixed.max_norm.is_some() {
            true => hyper.max_norm = Some(threshold * scale.norm),
            false => hyper.tau = Some(threshold * scale.coordinate),
        }
        hyper
    };
    let hypers: Vec<Hyper> = match grid.threshold.is_empty() {
        true => vec![grid.hyper],
        false => grid.threshold.iter().map(|t| with(*t)).collect(),
    };
    let rates = rates.iter();
    rates
        .flat_map(|rate| hypers.iter().map(|hyper| (*rate, *hyper)))
        .collect()
}

/// The index of each optimizer's best setting in the list of tuning runs, if one did not diverge.
fn best_setting(name: &str, tuned: &[RunResult]) -> Option<usize> {
    let candidates = tuned
        .iter()
        .enumerate()
        .filter(|(_, r)| r.optimizer == name);
    candidates
        .filter_map(|(i, r)| Some((i, r.valid_loss?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(i, _)| i)
}

/// The best setting of every optimizer, on fresh seeds.
fn final_trials(config: &Config, tuning: &[Trial], tuned: &[RunResult]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in &config.compare.optimizers {
        let Some(best) = best_setting(name, tuned) else {
            continue;
        };
        for i in 1..=config.compare.seeds as u64 {
            let mut config = tuning[best].config.clone();
            config.seed += i;
            trials.push(Trial {
                name: format!("final/{name}/seed-{}", config.seed),
                config,
            });
        }
    }
    trials
}

/// The table, best first: those that came to their end on every seed by mean loss, then the others.
fn rows(config: &Config, tuned: &[RunResult], finals: &[RunResult]) -> Vec<Row> {
    let of = |results: &[RunResult], name: &str| -> Vec<RunResult> {
        results
            .iter()
            .filter(|r| r.optimizer == name)
            .cloned()
            .collect()
    };
    let mut rows: Vec<Row> = config
        .compare
        .optimizers
        .iter()
        .map(|name| {
            let (tuning, finals) = (of(tuned, name), of(finals, name));
            let losses: Vec<f64> = finals.iter().filter_map(|r| r.valid_loss).collect();
            let accuracies: Vec<f64> = finals.iter().filter_map(|r| r.valid_accuracy).collect();
            let spread = |x: &[f64]| (!x.is_empty()).then(|| mean_sd(x)).unzip();
            let (loss_mean, loss_sd) = spread(&losses);
            let (accuracy_mean, accuracy_sd) = spread(&accuracies);
            let best = best_setting(name, tuned).map(|i| &tuned[i]);
            let rates = &config.compare.grid[name].learning_rate;
            let at_edge = best.is_some_and(|best| {
                let rate = best.learning_rate;
                rates.iter().all(|r| *r >= rate) || rates.iter().all(|r| *r <= rate)
            });
            Row {
                optimizer: name.clone(),
                learning_rate: best.map(|r| r.learning_rate),
                threshold: best.and_then(|r| r.threshold),
                at_edge,
                diverged_settings: tuning.iter().filter(|r| r.diverged_at.is_some()).count(),
                diverged_seeds: finals.iter().filter(|r| r.diverged_at.is_some()).count(),
                losses,
                loss_mean,
                loss_sd,
                accuracy_mean,
                accuracy_sd,
                clip_rate: finals.iter().map(|r| r.clip_rate).sum::<f64>()
                    / finals.len().max(1) as f64,
                behind: None,
                p_adjusted: None,
                tuning,
                finals,
            }
        })
        .collect();
    let key = |row: &Row| (row.diverged_seeds, row.loss_mean.unwrap_or(f64::INFINITY));
    rows.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    if let Some((winner, rivals)) = rows.split_first_mut() {
        for row in rivals.iter_mut() {
            row.behind = Paired::test(&row.losses, &winner.losses);
        }
        let mut tested: Vec<&mut Row> = rivals.iter_mut().filter(|r| r.behind.is_some()).collect();
        let p: Vec<f64> = tested.iter().filter_map(|r| Some(r.behind?.p)).collect();
        for (row, p) in tested.iter_mut().zip(holm(&p)) {
            row.p_adjusted = Some(p);
        }
    }
    rows
}

/// Each neighbouring pair of the paper's order among the optimizers that were compared.
fn paper_order(rows: &[Row]) -> Vec<OrderPair> {
    let present: Vec<&Row> = PAPER_ORDER
        .iter()
        .filter_map(|name| rows.iter().find(|row| row.optimizer == *name))
        .collect();
    present
        .windows(2)
        .map(|pair| {
            let (behind, ahead) = (pair[0], pair[1]);
            let difference = Paired::test(&behind.losses, &ahead.losses);
            let finding = match difference {
                None => "not comparable",
                Some(d) if d.p >= SIGNIFICANCE => "no significant difference",
                Some(d) if d.mean > 0.0 => AS_IN_PAPER,
                Some(_) => "opposite",
            };
            OrderPair {
                behind: behind.optimizer.clone(),
                ahead: ahead.optimizer.clone(),
                difference,
                finding: finding.to_string(),
            }
        })
        .collect()
}

/// ξ of attention minus ξ of the twin on text at initialisation; the two samples are independent
/// enough for their variances to add.
fn tail_difference(noise: &[NoiseCell]) -> Option<TailDifference> {
    let xi = |attention: bool| {
        let mut cells = noise.iter();
        let cell = cells.find(|c| c.attention == attention && c.input == "text" && c.step == 0)?;
        Some(cell.diagnosis.evidence.moment?.xi)
    };
    let (with, without) = (xi(true)?, xi(false)?);
    let difference = with.estimate - without.estimate;
    let half = |xi: acclip_noise::Interval| (xi.high - xi.low) / 2.0;
    let reach = half(with).hypot(half(without));
    Some(TailDifference {
        difference,
        low: difference - reach,
        high: difference + reach,
    })
}

fn input_name(input: InputKind) -> &'static str {
    match input {
        InputKind::Text => "text",
        InputKind::Gaussian => "gaussian",
    }
}

/// Median; the upper one of an even number.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn remove_checkpoints(run: &Path) -> Result<(), Error> {
    remove(&run.join("checkpoints"))
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
