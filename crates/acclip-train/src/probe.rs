//! The paper's noise measurement (§2 and Appendix H): with the weights frozen, ‖g − ∇f‖ of every
//! minibatch of a pass over the data.
//!
//! Two passes over the same whole batches, with the same masks: the first sums the gradients, and
//! their mean is ∇f; the second takes the norm of each gradient's difference from it, whole and by layer
//! ([`acclip_noise::stream::Measure`], which asks for two more where one gradient moved the mean too far).
//! Memory is a few buffers of the parameters' size, whatever the number of batches. The model is in
//! evaluation mode (no dropout) unless asked otherwise.
//!
//! Running statistics of batch normalisation stay as they are; before training they are first collected.
//!
//! With n batches the mean contains each gradient itself with weight 1/n, so the norms come out
//! small by a factor of √(1 − 1/n) on average: 0.06 % at n = 800. Nothing is corrected.

use crate::checkpoint::{Array, Checkpoint, Keep};
use crate::config::MIN_BATCHES;
use crate::files::{read, remove, write_json};
use crate::task::{Ask, Place};
use crate::trainer::checkpointed;
use crate::{Config, Control, Dataset, Error, Outcome, Timing};
use acclip_data::Pass;
use acclip_noise::stream::{GradientNoise, Layers, Measure};
use acclip_noise::verdict::causes::{Frequencies, is_table};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Batches between two saves.
const SAVE_EVERY: usize = 500;

/// What a measurement saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The training step of the weights; 0 at initialisation.
    pub step: u64,
    /// Gradients and their noise, by batch and by layer.
    pub gradients: GradientNoise,
    /// How often the tokens or classes of the training data occur.
    pub frequencies: Frequencies,
    /// Seconds by part, and tokens, over all passes.
    pub timing: Timing,
}

impl Measurement {
    /// ‖g − ∇f‖ of every batch.
    pub fn noise_norms(&self) -> &[f64] {
        &self.gradients.noise.norms.whole
    }

    /// ‖g‖ of every batch.
    pub fn grad_norms(&self) -> &[f64] {
        &self.gradients.grad_norms
    }

    /// A measurement of which only the norms matter.
    #[cfg(test)]
    pub(crate) fn of_norms(norms: Vec<f64>, dimension: usize) -> Self {
        use acclip_noise::pictures::noise_scale::NoiseScale;
        use acclip_noise::stream::{CoordinateSeries, LayerNoise, MeasuredNoise, Norms};
        let series = CoordinateSeries::new(dimension, &[], 1).unwrap();
        let noise = LayerNoise {
            scale: NoiseScale {
                trace: 1.0,
                squared_mean: 1.0,
            },
            effective_dimension: None,
        };
        Self {
            step: 0,
            gradients: GradientNoise {
                dimension,
                layers: vec!["all".into()],
                layer_sizes: vec![dimension],
                grad_norms: norms.clone(),
                mean_grad_norm: 1.0,
                recentred: false,
                noise: MeasuredNoise {
                    norms: Norms {
                        layers: vec![norms.clone()],
                        whole: norms,
                    },
                    whole: noise,
                    layers: vec![noise],
                },
                coordinates: series.finalize(),
                table_coordinates: series.finalize(),
                snapshot: None,
                snapshot_layer: None,
            },
            frequencies: Frequencies::new(&[1.0]).unwrap(),
            timing: Timing::default(),
        }
    }

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
        match found.noise_norms().len() {
            n if n >= MIN_BATCHES && n == found.grad_norms().len() => Ok(found),
            n => Err(refuse(format!(
                "has {} and {n} norms",
                found.grad_norms().len()
            ))),
        }
    }
}

/// The record of a checkpoint between two batches; the state itself is an array of bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    batches: usize,
    step: u64,
    /// Gradients so far, over all passes.
    done: u64,
    timing: Timing,
}

/// The name of the state in a checkpoint.
const STATE: &str = "state";

/// Whether there are data and memory for a measurement, and weights that fit.
///
/// # Errors
/// [`Error`] says what is missing, or does not fit.
pub fn check_measurement(dataset: &Dataset, config: &Config) -> Result<(), Error> {
    dataset.check_noise(config)?;
    dataset.check_memory(config, 1)?;
    if let Some(run) = &config.noise.weights {
        let task = dataset.task(config)?;
        checkpointed(Path::new(run), config.noise.weights_step, &*task, &|_| {})?;
    }
    Ok(())
}

/// Measures the noise of `config`'s model, at initialisation or at the weights that
/// `noise.weights` names; or continues a measurement that was interrupted in `folder`, where its
/// state is kept meanwhile.
///
/// # Errors
/// [`Error`] for what cannot be read, written or built, for weights that are not there, and for
/// a gradient that is not finite.
pub fn measure(
    config: &Config,
    dataset: &Dataset,
    name: &str,
    folder: &Path,
    control: Control,
) -> Result<Outcome<Measurement>, Error> {
    dataset.check_noise(config)?;
    let task = dataset.task(config)?;
    let (step, params, mut carried) = match &config.noise.weights {
        None => (0, task.initial(), task.carried()),
        Some(run) => {
            let warn = |text: &str| control.progress.warn(text);
            checkpointed(Path::new(run), config.noise.weights_step, &*task, &warn)?
        }
    };
    let params = Arc::new(params);
    task.prepare_measurement(&params, step, &mut carried)?;
    let pass = Pass::new(task.examples(), config.noise.batch_size, config.seed)?;
    let all = pass.batches().len();
    let batches = match config.noise.batches {
        0 => all,
        wanted => wanted.min(all),
    };

    let sizes = task.parameters().iter();
    let sizes = sizes.map(|p| (p.name.clone(), p.shape.iter().product()));
    let mut measure = Measure::new(Layers::from_lengths(sizes)?, is_table)?;
    let mut record = Record {
        batches,
        step,
        done: 0,
        timing: Timing::default(),
    };
    let warn = |text: &str| control.progress.warn(text);
    if let Some(mut found) = Checkpoint::<Record>::newest(folder, &warn)?
        && (found.meta.batches, found.meta.step) == (batches, step)
        && let Some((_, Array::Raw(_, bytes))) = found.arrays.remove(STATE)
        && let Ok(state) = ciborium::from_reader::<Measure, _>(&bytes[..])
    {
        (record, measure) = (found.meta, state);
    }

    let mut grad = vec![0.0_f32; params.len()];
    let total = 2 * batches as u64;
    let mut shown = control.progress.begin(name, total);
    while measure.wants_pass() {
        if record.done == total {
            warn("one gradient moves the mean too far: measuring again about a trimmed mean");
            shown = control.progress.begin(name, 2 * total);
        }
        let first = measure.seen();
        for (i, indices) in pass.batches().enumerate().take(batches).skip(first) {
            let planned = record.done > 0 && record.done.is_multiple_of(SAVE_EVERY as u64);
            if control.stopped() || planned {
                let mut bytes = Vec::new();
                ciborium::into_writer(&measure, &mut bytes).expect("writing to memory succeeds");
                let state = (vec![bytes.len()], Array::Raw(Dtype::U8, bytes));
                let checkpoint = Checkpoint {
                    meta: record.clone(),
                    arrays: BTreeMap::from([(STATE.to_string(), state)]),
                };
                checkpoint.save(folder, record.done, |_| Keep::Newest)?;
                if control.stopped() {
                    return Ok(Outcome::Interrupted);
                }
            }
            let ask = Ask {
                params: &params,
                indices,
                place: Place::Noise {
                    batch: i as u64,
                    dropout: config.noise.dropout,
                },
            };
            task.gradient(&ask, &mut carried, &mut grad, &mut record.timing)?;
            measure.push(&grad)?;
            record.done += 1;
            shown.update(record.done, "");
        }
        measure.end_pass()?;
    }
    Ok(Outcome::Done(Measurement {
        step,
        gradients: measure.finish().expect("no pass is wanted"),
        frequencies: Frequencies::new(&task.label_counts())?,
        timing: record.timing,
    }))
}

/// Measures as [`measure`], or reads what was measured before from `ROOT/noise/NAME.json`.
///
/// # Errors
/// Those of [`measure`] and [`Measurement::read`].
pub fn measured(
    config: &Config,
    dataset: &Dataset,
    name: &str,
    root: &Path,
    control: Control,
) -> Result<Outcome<Measurement>, Error> {
    let file = root.join(format!("noise/{name}.json"));
    if file.exists() {
        return Measurement::read(&file).map(Outcome::Done);
    }
    let state = root.join(format!("noise/{name}"));
    let outcome = measure(config, dataset, &format!("noise {name}"), &state, control)?;
    if let Outcome::Done(measurement) = &outcome {
        fs::create_dir_all(root.join("noise")).map_err(Error::io("create", &state))?;
        write_json(&file, measurement)?;
        remove(&state)?;
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Progress, Silent, Task};
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

    /// A layer that is looked at alone.
    const BIAS: &str = "cls.predictions.bias";

    /// Every gradient kept, their mean, and the norms of the differences.
    #[test]
    fn the_noise_is_what_the_definition_says() {
        for dropout in ["noise.dropout=false", "noise.dropout=true"] {
            let folder = tempfile::tempdir().unwrap();
            let (config, dataset) = small(folder.path(), &[dropout]);
            let got = measured(&config, &dataset, &folder.path().join("state"), 0).unwrap();

            let task = dataset.task(&config).unwrap();
            let params = Arc::new(task.initial());
            let pass = Pass::new(task.examples(), 4, config.seed).unwrap();
            let gradients: Vec<Vec<f32>> = pass
                .batches()
                .take(24)
                .enumerate()
                .map(|(i, indices)| {
                    let ask = Ask {
                        params: &params,
                        indices,
                        place: Place::Noise {
                            batch: i as u64,
                            dropout: config.noise.dropout,
                        },
                    };
                    let (mut carried, mut timing) = (task.carried(), Timing::default());
                    let mut grad = vec![0.0; params.len()];
                    task.gradient(&ask, &mut carried, &mut grad, &mut timing)
                        .unwrap();
                    grad
                })
                .collect();
            assert_eq!(
                (
                    got.gradients.dimension,
                    got.noise_norms().len(),
                    got.grad_norms().len(),
                    got.step
                ),
                (params.len(), 24, 24, 0)
            );
            let bias = got.gradients.layers.iter().position(|name| name == BIAS);
            let bias = bias.expect("the model has it");
            let begin: usize = got.gradients.layer_sizes[..bias].iter().sum();
            let bias = (bias, begin..begin + got.gradients.layer_sizes[bias]);
            for (i, gradient) in gradients.iter().enumerate() {
                let (mut squares, mut own, mut in_bias) = (0.0, 0.0, 0.0);
                for (j, g) in gradient.iter().enumerate() {
                    let mean = gradients.iter().map(|g| f64::from(g[j])).sum::<f64>() / 24.0;
                    let square = (f64::from(*g) - mean).powi(2);
                    squares += square;
                    if bias.1.contains(&j) {
                        in_bias += square;
                    }
                    own += f64::from(*g).powi(2);
                }
                let layer = &got.gradients.noise.norms.layers[bias.0];
                for (found, expected) in [
                    (got.noise_norms()[i], squares),
                    (got.grad_norms()[i], own),
                    (layer[i], in_bias),
                ] {
                    assert!(
                        (found / expected.sqrt() - 1.0).abs() < 1e-10,
                        "{dropout} {i}: {found}"
                    );
                }
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
