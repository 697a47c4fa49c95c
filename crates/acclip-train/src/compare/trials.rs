//! The training runs of a comparison: every setting once, then the best of each on fresh seeds.

use super::cells::Scale;
use super::summary::Row;
use crate::config::{Grid, SEEDS_APART, optimizer};
use crate::files::write_atomic;
use crate::trainer::remove_checkpoints;
use crate::{Config, Control, Dataset, Error, Outcome, RunResult, train};
use acclip_optim::Hyper;
use std::fs;
use std::path::Path;

/// One training run to be made.
#[derive(Clone)]
pub(super) struct Trial {
    /// Its folder, below that of the comparison.
    pub name: String,
    pub config: Config,
}

impl Trial {
    /// Trains, or reads the result of a run that is over. Unless they are to be `kept`, checkpoints are
    /// removed when it is.
    pub fn run(
        &self,
        dataset: &Dataset,
        root: &Path,
        kept: bool,
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
            && !kept
        {
            remove_checkpoints(&folder)?;
        }
        Ok(outcome)
    }
}

/// Every setting of every optimizer, in the order of the table.
pub(super) fn tuning(config: &Config, scale: Option<Scale>) -> Vec<Trial> {
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
fn settings(name: &str, grid: &Grid, rates: &[f64], scale: Option<Scale>) -> Vec<(f64, Hyper)> {
    let fixed = optimizer(name, &grid.hyper)
        .expect("checked with the configuration")
        .hyper();
    let with = |threshold: f64| {
        let mut hyper = grid.hyper;
        let scale = scale.expect("it is measured where there are thresholds");
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
pub(super) fn best_setting(name: &str, judge: &str, tuned: &[RunResult]) -> Option<usize> {
    let candidates = tuned
        .iter()
        .enumerate()
        .filter(|(_, r)| r.optimizer == name);
    candidates
        .filter_map(|(i, r)| Some((i, r.badness(judge)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(i, _)| i)
}

/// The best setting of every optimizer, on fresh seeds.
pub(super) fn finals(config: &Config, tuning: &[Trial], tuned: &[RunResult]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in &config.compare.optimizers {
        let Some(best) = best_setting(name, &config.compare.judge, tuned) else {
            continue;
        };
        for i in 1..=config.compare.seeds as u64 {
            let mut config = tuning[best].config.clone();
            config.seed = config.seed * SEEDS_APART + i;
            trials.push(Trial {
                name: format!("final/{name}/seed-{}", config.seed),
                config,
            });
        }
    }
    trials
}

/// The winner's first run on a fresh seed.
pub(super) fn winners_first<'a>(finals: &'a [Trial], rows: &[Row]) -> Option<&'a Trial> {
    let winner = rows.first().filter(|row| row.loss_mean.is_some())?;
    let mut finals = finals.iter();
    finals.find(|trial| trial.config.optimizer.name == winner.optimizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Option<Scale> = Some(Scale {
        norm: 2.0,
        coordinate: 0.1,
    });

    fn config(settings: &[&str]) -> Config {
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        Config::resolve(Some("smoke"), None, &settings).unwrap()
    }

    #[test]
    fn a_grid_is_every_rate_with_every_threshold_on_the_tuning_seed() {
        let config = config(&[
            "seed=3",
            "compare.optimizers=[\"cclip\", \"gclip\"]",
            "compare.grid.gclip.learning_rate=[0.5, 0.1]",
            "compare.grid.cclip.learning_rate=[0.5, 0.1]",
            "compare.grid.gclip.threshold=[1.0, 3.0]",
            "compare.grid.cclip.threshold=[1.0, 3.0]",
        ]);
        let trials = tuning(&config, SCALE);
        let seen = |trial: &Trial| {
            let o = &trial.config.optimizer;
            let hyper = (o.hyper.tau, o.hyper.max_norm, o.hyper.momentum);
            (
                trial.name.clone(),
                o.learning_rate,
                hyper,
                trial.config.seed,
            )
        };
        let expected = |name: &str, rate, tau, max_norm| {
            (name.to_string(), rate, (tau, max_norm, Some(0.9)), 3)
        };
        assert_eq!(trials.len(), 8);
        assert_eq!(
            seen(&trials[0]),
            expected("tuning/cclip/00", 0.1, Some(0.1), None)
        );
        assert_eq!(
            seen(&trials[3]),
            expected("tuning/cclip/03", 0.5, Some(0.1 * 3.0), None)
        );
        assert_eq!(
            seen(&trials[4]),
            expected("tuning/gclip/00", 0.1, None, Some(2.0))
        );
        assert_eq!(
            seen(&trials[5]),
            expected("tuning/gclip/01", 0.1, None, Some(6.0))
        );
    }

    #[test]
    fn the_best_setting_goes_to_fresh_seeds() {
        let config = config(&["seed=3", "compare.optimizers=[\"sgd\", \"adamw\"]"]);
        let tuning = tuning(&config, SCALE);
        let result = |trial: &Trial, valid_loss: Option<f64>| RunResult {
            optimizer: trial.config.optimizer.name.clone(),
            learning_rate: trial.config.optimizer.learning_rate,
            threshold: None,
            seed: trial.config.seed,
            diverged_at: valid_loss.is_none().then_some(1),
            steps: 6,
            valid_step: valid_loss.map(|_| 6),
            valid_loss,
            valid_accuracy: None,
            scores: Default::default(),
            clip_rate: 0.0,
            curve: Vec::new(),
            timing: Default::default(),
        };
        // SGD diverges everywhere; AdamW is best at its third setting.
        let losses = [5.0, 4.0, 3.0, 3.5, 6.0]
            .map(Some)
            .into_iter()
            .chain([None]);
        let losses: Vec<Option<f64>> = [None; 6].into_iter().chain(losses).collect();
        let tuned: Vec<RunResult> = tuning
            .iter()
            .zip(losses)
            .map(|(t, l)| result(t, l))
            .collect();
        let finals = finals(&config, &tuning, &tuned);
        let names: Vec<&str> = finals.iter().map(|trial| trial.name.as_str()).collect();
        assert_eq!(names, ["final/adamw/seed-3001", "final/adamw/seed-3002"]);
        for trial in finals {
            assert_eq!(trial.config.optimizer, tuning[8].config.optimizer);
        }
    }
}
