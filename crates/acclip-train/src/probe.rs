//! The paper's noise measurement (§2 and Appendix H): with the weights frozen, ‖g − ∇f‖ of every
//! minibatch of a pass over the data.
//!
//! Two passes over the same whole batches, with the same masks: the first sums the gradients, and
//! their mean is ∇f; the second takes the norm of each gradient's difference from it. Memory is a few
//! buffers of the parameters' size, whatever the number of batches. The model is in evaluation mode
//! (no dropout) unless asked otherwise.
//!
//! With n batches the mean contains each gradient itself with weight 1/n, so the norms come out
//! small by a factor of √(1 − 1/n) on average: 0.06 % at n = 800. Nothing is corrected.

use crate::adapter::Batches;
use crate::checkpoint::{Array, Checkpoint};
use crate::config::MIN_BATCHES;
use crate::files::read;
use crate::result::Clock;
use crate::trainer::{checkpointed, initial};
use crate::{Config, Control, Dataset, Error, Outcome, Timing};
use acclip_data::{Pass, Purpose, rng};
use acclip_models::Bert;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Dropout masks of a measurement.
const DROPOUT: Purpose = Purpose::new("noisedrp");
/// Batches between two saves.
const SAVE_EVERY: usize = 500;

/// What a measurement saw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measurement {
    /// The training step of the weights; 0 at initialisation.
    pub step: u64,
    /// Number of parameters.
    pub dimension: usize,
    /// Norm of the mean gradient over the pass, ‖∇f‖.
    pub mean_grad_norm: f64,
    /// ‖g‖ of every batch.
    pub grad_norms: Vec<f64>,
    /// ‖g − ∇f‖ of every batch.
    pub noise_norms: Vec<f64>,
    /// Seconds by part, and tokens, over both passes.
    pub timing: Timing,
}

impl Measurement {
    /// Reads a measurement that was written as JSON.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::RunFolder`] if the file is not what this program wrote.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |problem: String| Error::RunFolder {
            path: path.to_path_buf(),
            problem: format!("{problem}; delete it to measure again"),
        };
        let found: Self = serde_json::from_str(&read(path)?)
            .map_err(|error| refuse(format!("cannot be understood ({error})")))?;
        match found.noise_norms.len() {
            n if n >= MIN_BATCHES && n == found.grad_norms.len() => Ok(found),
            n => Err(refuse(format!(
                "has {} and {n} norms",
                found.grad_norms.len()
            ))),
        }
    }
}

/// The state between two batches.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    batches: usize,
    seen: usize,
    measurement: Measurement,
}

/// Measures the noise of `config`'s model, at initialisation or at the weights that
/// `noise.weights` names; or continues a measurement that was interrupted in `folder`, where its
/// state is kept meanwhile.
///
/// # Errors
/// [`Error`] for what cannot be read, written or built, and for weights that are not there.
pub fn measure(
    config: &Config,
    dataset: &Dataset,
    name: &str,
    folder: &Path,
    control: Control,
) -> Result<Outcome<Measurement>, Error> {
    dataset.check_noise(config)?;
    let device = config.model.backend.device()?;
    let model = Bert::new(config.bert(dataset.tokenizer.vocab_size())?, &device)?;
    let (step, params) = match &config.noise.weights {
        None => (0, initial(config, &model)),
        Some(run) => checkpointed(Path::new(run), config.noise.weights_step, &model, control)?,
    };
    let d = params.len();
    let pass = Pass::new(dataset.train.len(), config.noise.batch_size, config.seed)?;
    let all = pass.batches().len();
    let batches = match config.noise.batches {
        0 => all,
        wanted => wanted.min(all),
    };

    // The sum of the gradients, then their mean.
    let mut mean = vec![0.0_f64; d];
    let mut record = Record {
        batches,
        seen: 0,
        measurement: Measurement {
            step,
            dimension: d,
            ..Measurement::default()
        },
    };
    let warn = |text: &str| control.progress.warn(text);
    if let Some(mut found) = Checkpoint::<Record>::newest(folder, &warn)?
        && found.meta.batches == batches
        && found.meta.measurement.step == step
        && let Some((_, Array::F64(values))) = found.arrays.remove("mean")
        && values.len() == d
    {
        (record, mean) = (found.meta, values);
    }

    let source = Batches::new(dataset, config, &model, Purpose::NOISE);
    let mut grad = vec![0.0_f32; d];
    let mut task = control.progress.begin(name, 2 * batches as u64);
    let both_passes = pass
        .batches()
        .take(batches)
        .chain(pass.batches().take(batches));
    for (i, indices) in both_passes.enumerate().skip(record.seen) {
        if control.stopped() || (i > 0 && i.is_multiple_of(SAVE_EVERY)) {
            let mean = (vec![d], Array::F64(mean.clone()));
            let checkpoint = Checkpoint {
                meta: record.clone(),
                arrays: BTreeMap::from([("mean".to_string(), mean)]),
            };
            checkpoint.save(folder, i as u64, |_| true)?;
            if control.stopped() {
                return Ok(Outcome::Interrupted);
            }
        }
        let timing = &mut record.measurement.timing;
        let mut clock = Clock::start();
        let batch = source.get(&dataset.train, indices, 0);
        timing.data += clock.lap();
        let mut dropout = rng::stream(config.seed, DROPOUT, 0, (i % batches) as u64);
        let dropout = config
            .noise
            .dropout
            .then_some(&mut dropout as &mut dyn rand::Rng);
        let forward = model.forward(&params, &batch.view(), dropout)?;
        timing.forward += clock.lap();
        forward.backward(&mut grad)?;
        timing.backward += clock.lap();
        timing.tokens += batch.tokens();

        if i < batches {
            for (sum, g) in mean.iter_mut().zip(&grad) {
                *sum += f64::from(*g);
            }
            let grad = grad.iter().map(|g| f64::from(*g));
            record.measurement.grad_norms.push(norm(grad));
        } else {
            let noise = grad.iter().zip(&mean).map(|(g, m)| f64::from(*g) - m);
            record.measurement.noise_norms.push(norm(noise));
        }
        if i + 1 == batches {
            mean.iter_mut().for_each(|sum| *sum /= batches as f64);
            record.measurement.mean_grad_norm = norm(mean.iter().copied());
        }
        record.seen = i + 1;
        task.update(record.seen as u64, "");
    }
    Ok(Outcome::Done(record.measurement))
}

/// Euclidean norm, summed in f64 in the order of the entries.
fn norm(entries: impl Iterator<Item = f64>) -> f64 {
    entries.map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Progress, Silent, Task};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Stops the measurement after some batches.
    struct StopAfter(u64, Arc<AtomicBool>);

    impl Progress for StopAfter {
        fn begin(&self, _: &str, _: u64) -> Box<dyn Task + Send> {
            Box::new(StopAfter(self.0, Arc::clone(&self.1)))
        }
        fn warn(&self, text: &str) {
            panic!("unexpected warning: {text}");
        }
    }

    impl Task for StopAfter {
        fn update(&mut self, done: u64, _: &str) {
            self.1.store(done == self.0, Ordering::Relaxed);
        }
    }

    fn small(folder: &Path, settings: &[&str]) -> (Config, Dataset) {
        let words = ["noise", "tail", "heavy", "light", "clip", "norm", "step"];
        let text: String = (0..4000_usize)
            .map(|i| {
                format!(
                    "{} {}",
                    words[i * i % 7],
                    if i % 50 == 49 { "\n\n" } else { "" }
                )
            })
            .collect();
        let file = folder.join("corpus.txt");
        std::fs::write(&file, text).unwrap();
        let corpus = format!("corpus.path={:?}", file.to_str().unwrap());
        let mut all = vec![corpus, "noise.batches=24".to_string()];
        all.extend(settings.iter().map(|s| s.to_string()));
        let config = Config::resolve(Some("smoke"), None, &all).unwrap();
        let dataset = Dataset::load(&config, None).unwrap();
        (config, dataset)
    }

    fn measured(
        config: &Config,
        dataset: &Dataset,
        folder: &Path,
        stop_after: u64,
    ) -> Option<Measurement> {
        let stop = Arc::new(AtomicBool::new(false));
        let progress = StopAfter(stop_after, Arc::clone(&stop));
        let control = Control {
            stop: &stop,
            progress: &progress,
        };
        match measure(config, dataset, "", folder, control).unwrap() {
            Outcome::Done(measurement) => Some(Measurement {
                timing: Timing::default(),
                ..measurement
            }),
            Outcome::Interrupted => None,
        }
    }

    /// Every gradient kept, their mean, and the norms of the differences.
    #[test]
    fn the_noise_is_what_the_definition_says() {
        for dropout in ["noise.dropout=false", "noise.dropout=true"] {
            let folder = tempfile::tempdir().unwrap();
            let (config, dataset) = small(folder.path(), &[dropout]);
            let got = measured(&config, &dataset, &folder.path().join("state"), 0).unwrap();

            let device = config.model.backend.device().unwrap();
            let vocabulary = dataset.tokenizer.vocab_size();
            let model = Bert::new(config.bert(vocabulary).unwrap(), &device).unwrap();
            let params = initial(&config, &model);
            let source = Batches::new(&dataset, &config, &model, Purpose::NOISE);
            let pass = Pass::new(dataset.train.len(), 4, config.seed).unwrap();
            let gradients: Vec<Vec<f32>> = pass
                .batches()
                .take(24)
                .enumerate()
                .map(|(i, indices)| {
                    let batch = source.get(&dataset.train, indices, 0);
                    let mut masks = rng::stream(config.seed, DROPOUT, 0, i as u64);
                    let masks = config
                        .noise
                        .dropout
                        .then_some(&mut masks as &mut dyn rand::Rng);
                    let mut grad = vec![0.0; params.len()];
                    let forward = model.forward(&params, &batch.view(), masks).unwrap();
                    forward.backward(&mut grad).unwrap();
                    grad
                })
                .collect();
            assert_eq!(
                (got.dimension, got.noise_norms.len(), got.step),
                (params.len(), 24, 0)
            );
            for (i, gradient) in gradients.iter().enumerate() {
                let (mut squares, mut own) = (0.0, 0.0);
                for (j, g) in gradient.iter().enumerate() {
                    let mean = gradients.iter().map(|g| f64::from(g[j])).sum::<f64>() / 24.0;
                    squares += (f64::from(*g) - mean).powi(2);
                    own += f64::from(*g).powi(2);
                }
                assert!(
                    (got.noise_norms[i] / squares.sqrt() - 1.0).abs() < 1e-10,
                    "{dropout} {i}"
                );
                assert!(
                    (got.grad_norms[i] / own.sqrt() - 1.0).abs() < 1e-10,
                    "{dropout} {i}"
                );
            }
        }
    }

    #[test]
    fn a_stop_in_either_pass_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let (config, dataset) = small(folder.path(), &["model.input=gaussian"]);
        let [straight, broken] = ["a", "b"].map(|name| folder.path().join(name));
        let expected = measured(&config, &dataset, &straight, 0);
        for stop_after in [7, 24, 31] {
            assert_eq!(measured(&config, &dataset, &broken, stop_after), None);
        }
        assert_eq!(measured(&config, &dataset, &broken, 0), expected);
        assert!(expected.is_some());
    }

    #[test]
    fn too_little_text_and_missing_weights_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let control = Control {
            stop: &stop,
            progress: &Silent,
        };
        let error = |settings: &[&str]| {
            let (config, dataset) = small(folder.path(), settings);
            let outcome = measure(&config, &dataset, "", &folder.path().join("state"), control);
            outcome.unwrap_err().to_string()
        };
        assert!(error(&["noise.batch_size=1000"]).contains("noise.batch_size"));
        assert!(error(&["noise.weights=nowhere"]).contains("nowhere"));
    }
}
