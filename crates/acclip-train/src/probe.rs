//! The paper's noise measurement (§2 and Appendix H): with the weights frozen, ‖g − ∇f‖ of every
//! minibatch of a pass over the data.
//!
//! Two passes over the same whole batches, with the same masks: the first sums the gradients, and
//! their mean is ∇f; the second takes the norm of each gradient's difference from it. Memory is two
//! buffers of the parameters' size, whatever the number of batches. The model is in evaluation mode
//! (no dropout) unless asked otherwise.
//!
//! With n batches the mean contains each gradient itself with weight 1/n, so the norms come out
//! small by a factor of √(1 − 1/n) on average: 0.06 % at n = 800. Nothing is corrected.

use crate::adapter::Batches;
use crate::checkpoint::{Array, Checkpoint};
use crate::trainer::{checkpointed, initial};
use crate::{Config, Control, Dataset, Error, Outcome};
use acclip_data::{Pass, Purpose, rng};
use acclip_models::Bert;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Dropout masks of a measurement.
const DROPOUT: Purpose = Purpose::new("noisedrp");
/// Batches between two saves.
const SAVE_EVERY: usize = 500;

/// Where the weights of a measurement come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// Initialisation from the seed.
    Initial,
    /// A checkpoint of a training run.
    Checkpoint {
        /// The run's folder.
        run: PathBuf,
        /// Which of its checkpoints; `None` is the newest.
        step: Option<u64>,
    },
}

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
}

/// The state between two batches.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    batches: usize,
    seen: usize,
    measurement: Measurement,
}

/// Measures the noise of `config`'s model, or continues a measurement that was interrupted in
/// `folder`, where its state is kept meanwhile.
///
/// # Errors
/// [`Error`] for what cannot be read, written or built, and for weights that are not there.
pub fn measure(
    config: &Config,
    dataset: &Dataset,
    weights: &Weights,
    name: &str,
    folder: &Path,
    control: Control,
) -> Result<Outcome<Measurement>, Error> {
    let device = config.model.backend.device()?;
    let model = Bert::new(config.bert(dataset.tokenizer.vocab_size())?, &device)?;
    let (step, params) = match weights {
        Weights::Initial => (0, initial(config, &model)),
        Weights::Checkpoint { run, step } => {
            let found = checkpointed(run, *step, &model, control)?;
            found.ok_or_else(|| Error::RunFolder {
                path: run.clone(),
                problem: "has no such checkpoint to measure at".into(),
            })?
        }
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
    for (i, indices) in pass
        .batches()
        .take(batches)
        .chain(pass.batches().take(batches))
        .enumerate()
    {
        if i < record.seen {
            continue;
        }
        if control.stopped() || (i > 0 && i.is_multiple_of(SAVE_EVERY)) {
            let arrays =
                BTreeMap::from([("mean".to_string(), (vec![d], Array::F64(mean.clone())))]);
            let checkpoint = Checkpoint {
                meta: record,
                arrays,
            };
            checkpoint.save(folder, i as u64)?;
            record = checkpoint.meta;
            if control.stopped() {
                return Ok(Outcome::Interrupted);
            }
        }
        let batch = source.get(&dataset.train, indices, 0);
        let mut dropout = rng::stream(config.seed, DROPOUT, 0, (i % batches) as u64);
        let dropout = config
            .noise
            .dropout
            .then_some(&mut dropout as &mut dyn rand::Rng);
        model
            .forward(&params, &batch.view(), dropout)?
            .backward(&mut grad)?;

        if i < batches {
            for (sum, g) in mean.iter_mut().zip(&grad) {
                *sum += f64::from(*g);
            }
            record
                .measurement
                .grad_norms
                .push(norm(grad.iter().map(|g| f64::from(*g))));
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

    #[test]
    fn the_norm_is_euclidean() {
        assert_eq!(norm([3.0, -4.0].into_iter()), 5.0);
        assert_eq!(norm(std::iter::empty()), 0.0);
    }
}
