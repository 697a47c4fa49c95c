//! The noise cells of a comparison: which are measured, and how they compare.

use super::stats::median;
use super::summary::{NoiseCell, TailDifference};
use super::trials::Trial;
use crate::config::{InputKind, TaskKind};
use crate::trainer::checkpointed_steps;
use crate::{Config, Control, Dataset, Error, Measurement, Outcome, measured};
use acclip_data::{Purpose, rng};
use acclip_noise::diagnose;
use acclip_noise::tail::hill::default_k;
use acclip_noise::tail::moment_estimator::moment_estimator;
use rand::RngExt;
use std::path::Path;

/// The stream of the bootstrap.
const BOOTSTRAP: Purpose = Purpose::new("bootstrp");

/// One noise measurement to be made.
pub(super) struct Cell {
    name: String,
    title: String,
    config: Config,
}

impl Cell {
    /// The configured model, with or without attention, on either input.
    fn of_twins(config: &Config, attention: bool, input: InputKind) -> Self {
        let mut config = config.clone();
        config.model.attention = attention;
        config.model.input = input;
        Self::new(&config)
    }

    /// The configured model at initialisation.
    fn new(config: &Config) -> Self {
        let model = &config.model;
        let (short, title) = match config.task {
            TaskKind::MaskedLm | TaskKind::Pretraining => {
                let (short, title) = match model.attention {
                    true => ("attention", "Attention"),
                    false => ("attention-free", "Attention-free"),
                };
                let input = input_name(model.input);
                (format!("{short}-{input}"), format!("{title}, {input}"))
            }
            TaskKind::QuestionAnswering => ("bert".into(), "BERT, questions".into()),
            TaskKind::LanguageModel => ("transformer-xl".into(), "Transformer-XL, words".into()),
            TaskKind::ImageClassification => {
                (model.size.clone(), format!("{}, images", model.size))
            }
        };
        Self {
            name: format!("{short}-init"),
            title,
            config: config.clone(),
        }
    }

    /// Measures, or reads what was measured before; `None` where no threshold is tried.
    pub fn measure(
        &self,
        dataset: &Dataset,
        root: &Path,
        control: Control,
    ) -> Result<Outcome<Measurement>, Error> {
        measured(&self.config, dataset, &self.name, root, control)
    }

    /// What the measurement allows to be said.
    pub fn judge(&self, measurement: &Measurement) -> Result<NoiseCell, Error> {
        let twin = self.config.task.has_twin();
        Ok(NoiseCell {
            name: self.name.clone(),
            title: self.title.clone(),
            attention: twin.then_some(self.config.model.attention),
            input: twin.then(|| input_name(self.config.model.input).to_string()),
            step: measurement.step,
            median_grad_norm: median(measurement.grad_norms()),
            mean_grad_norm: measurement.gradients.mean_grad_norm,
            diagnosis: diagnose(measurement.noise_norms())?
                .advised(measurement.grad_norms(), self.config.train.steps),
        })
    }
}

/// The paper's 2 × 2 (Figure 4), at initialisation; the configured model alone where it has no attention-free twin.
pub(super) fn initial(config: &Config) -> Vec<Cell> {
    if !config.task.has_twin() || config.model.weights.is_some() {
        return vec![Cell::new(config)];
    }
    [true, false]
        .into_iter()
        .flat_map(|attention| {
            [InputKind::Text, InputKind::Gaussian]
                .map(|input| Cell::of_twins(config, attention, input))
        })
        .collect()
}

/// The configured model at the checkpoints that a final run leaves.
pub(super) fn later(config: &Config, root: &Path, run: &Trial) -> Result<Vec<Cell>, Error> {
    let path = root.join(&run.name);
    let cell = |step: u64| {
        let mut cell = Cell::new(config);
        cell.name = cell.name.replace("-init", &format!("-step-{step}"));
        let optimizer = &run.config.optimizer.name;
        cell.title = format!("{}, after {step} steps of {optimizer}", cell.title);
        cell.config.noise.weights = Some(path.to_string_lossy().into_owned());
        cell.config.noise.weights_step = Some(step);
        cell
    };
    let steps = checkpointed_steps(&path)?;
    Ok(steps.into_iter().map(cell).collect())
}

/// What thresholds are measured in: the gradient at initialisation, as the training has it (its
/// batch size, its dropout, averaged over as many batches).
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Median of ‖g‖; of accumulated batches, √(‖∇f‖² + tr Σ / k).
    pub norm: f64,
    /// The same over √d: the size of a coordinate if all were equal.
    pub coordinate: f64,
}

impl Scale {
    /// Batches it is measured on.
    const BATCHES: usize = 50;

    /// What is measured.
    fn cell(config: &Config) -> Cell {
        let mut cell = Cell::new(config);
        cell.name = "threshold-scale".into();
        cell.config.noise.batch_size = config.train.batch_size;
        cell.config.noise.batches = Self::BATCHES;
        cell.config.noise.dropout = true;
        cell
    }

    /// Whether an optimizer has thresholds to be tried.
    fn is_needed(config: &Config) -> bool {
        let compare = &config.compare;
        let mut grids = compare.optimizers.iter().map(|name| &compare.grid[name]);
        grids.any(|grid| !grid.threshold.is_empty())
    }

    /// Whether there is data for it, where it is needed.
    pub fn check(config: &Config, dataset: &Dataset) -> Result<(), Error> {
        if !Self::is_needed(config) {
            return Ok(());
        }
        let enough = dataset.check_noise(&Self::cell(config).config);
        enough.map_err(|error| match error {
            Error::Config { problem, .. } => Error::config("train.batch_size", problem),
            error => error,
        })
    }

    /// Measures, or reads what was measured before.
    pub fn measure(
        config: &Config,
        dataset: &Dataset,
        root: &Path,
        control: Control,
    ) -> Result<Outcome<Option<Self>>, Error> {
        if !Self::is_needed(config) {
            return Ok(Outcome::Done(None));
        }
        let cell = Self::cell(config);
        Ok(match cell.measure(dataset, root, control)? {
            Outcome::Done(measurement) => {
                Outcome::Done(Some(Self::of(&measurement, config.train.accumulate)))
            }
            Outcome::Interrupted => Outcome::Interrupted,
        })
    }

    fn of(measurement: &Measurement, accumulate: usize) -> Self {
        let scale = &measurement.gradients.noise.whole.scale;
        let norm = match accumulate {
            1 => median(measurement.grad_norms()),
            k => (scale.squared_mean.max(0.0) + scale.trace / k as f64).sqrt(),
        };
        Self {
            norm,
            coordinate: norm / (measurement.gradients.dimension as f64).sqrt(),
        }
    }
}

/// Resamples for [`tail_difference`].
const RESAMPLES: usize = 1000;

/// ξ of attention minus ξ of the twin on text at initialisation, with a percentile bootstrap interval.
///
/// Both saw the same batches with the same masks, so the batches are resampled in pairs.
pub(super) fn tail_difference(
    seed: u64,
    cells: &[Cell],
    measured: &[Measurement],
) -> Option<TailDifference> {
    let norms = |attention: bool| {
        let mut both = cells.iter().zip(measured);
        let (_, found) = both.find(|(cell, _)| {
            let model = &cell.config.model;
            model.attention == attention && model.input == InputKind::Text
        })?;
        Some(found.noise_norms())
    };
    let (with, without) = (norms(true)?, norms(false)?);
    let n = with.len().min(without.len());
    let k = default_k(n);
    let difference = |indices: &[usize]| {
        let xi = |norms: &[f64]| {
            let sample: Vec<f64> = indices.iter().map(|&i| norms[i]).collect();
            Some(moment_estimator(&sample, k).ok()?.xi.estimate)
        };
        Some(xi(with)? - xi(without)?)
    };
    let estimate = difference(&(0..n).collect::<Vec<_>>())?;
    let mut resampled: Vec<f64> = (0..RESAMPLES as u64)
        .filter_map(|i| {
            let mut generator = rng::stream(seed, BOOTSTRAP, 0, i);
            let indices: Vec<usize> = (0..n).map(|_| generator.random_range(0..n)).collect();
            difference(&indices)
        })
        .collect();
    if resampled.len() < RESAMPLES / 2 {
        return None; // too many ties to say anything
    }
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled[((resampled.len() - 1) as f64 * share).round() as usize];
    Some(TailDifference {
        difference: estimate,
        low: at(0.025),
        high: at(0.975),
    })
}

fn input_name(input: InputKind) -> &'static str {
    match input {
        InputKind::Text => "text",
        InputKind::Gaussian => "gaussian",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(norms: impl Iterator<Item = f64>) -> Measurement {
        let norms: Vec<f64> = norms.collect();
        Measurement::of_norms(norms, 100)
    }

    /// Quantiles of a Pareto law with tail index `alpha`, in a scrambled order.
    fn pareto(alpha: f64) -> Measurement {
        let place = |i: u64| (i * 387 % 1000) as f64 + 0.5;
        measurement((0..1000).map(move |i| (1.0 - place(i) / 1000.0).powf(-1.0 / alpha)))
    }

    fn cells() -> Vec<Cell> {
        initial(&Config::resolve(Some("smoke"), None, &[]).unwrap())
    }

    #[test]
    fn thresholds_are_measured_in_norms_and_in_coordinates() {
        let scale = Scale::of(&measurement([3.0, 9.0, 5.0].into_iter()), 1);
        assert_eq!((scale.norm, scale.coordinate), (5.0, 0.5));
        // ‖∇f‖² = 1 and tr Σ = 1: the mean of four has a quarter of the noise.
        let scale = Scale::of(&measurement([3.0, 9.0, 5.0].into_iter()), 4);
        assert_eq!(
            (scale.norm, scale.coordinate),
            (1.25_f64.sqrt(), 1.25_f64.sqrt() / 10.0)
        );
    }

    #[test]
    fn a_model_without_a_twin_has_one_cell_with_its_name() {
        let of = |task: &str, size: &str| {
            let settings = [format!("task={task}"), format!("model.size={size}")];
            let config = Config::resolve(Some("smoke"), None, &settings).unwrap();
            let cells = initial(&config);
            let names = cells.iter().map(|c| format!("{}: {}", c.name, c.title));
            let judged = cells.first().unwrap().judge(&pareto(3.0)).unwrap();
            (names.collect::<Vec<_>>(), judged.attention, judged.input)
        };
        for (task, size, cell) in [
            (
                "image-classification",
                "alexnet",
                "alexnet-init: alexnet, images",
            ),
            (
                "language-model",
                "lab",
                "transformer-xl-init: Transformer-XL, words",
            ),
            ("question-answering", "nano", "bert-init: BERT, questions"),
        ] {
            assert_eq!(of(task, size), (vec![cell.to_string()], None, None));
        }
        // Nor has a pre-trained model a twin.
        let settings = ["model.weights=bert".to_string()];
        let config = Config::resolve(Some("smoke"), None, &settings).unwrap();
        assert_eq!(initial(&config).len(), 1);
        for task in ["masked-lm", "pretraining"] {
            let (names, attention, input) = of(task, "nano");
            let expected = [
                "attention-text-init: Attention, text",
                "attention-gaussian-init: Attention, gaussian",
                "attention-free-text-init: Attention-free, text",
                "attention-free-gaussian-init: Attention-free, gaussian",
            ];
            assert_eq!(names, expected, "{task}");
            assert_eq!((attention, input.as_deref()), (Some(true), Some("text")));
        }
    }

    #[test]
    fn the_heavier_tail_is_found_and_equal_tails_are_not_told_apart() {
        let light = pareto(20.0);
        // In the order of `initial`: attention on text, on Gaussian; the twin on text, on Gaussian.
        let heavier = [pareto(1.5), light.clone(), pareto(6.0), light.clone()];
        let found = tail_difference(1, &cells(), &heavier).unwrap();
        assert!(
            (found.difference - (1.0 / 1.5 - 1.0 / 6.0)).abs() < 0.1,
            "{found:?}"
        );
        assert!(0.0 < found.low && found.low < found.difference && found.difference < found.high);
        let equal = [pareto(3.0), pareto(1.1), pareto(3.0), light];
        let found = tail_difference(1, &cells(), &equal).unwrap();
        assert_eq!((found.low, found.difference, found.high), (0.0, 0.0, 0.0)); // paired
    }
}
