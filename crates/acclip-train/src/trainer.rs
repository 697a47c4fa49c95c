//! One training run: steps, validation, checkpoints, and a result.
//!
//! A run is a function of its configuration, its corpus and its seed. The state between two steps is
//! the parameters, the optimizer's slots and the step number t, and nothing else: the batch, its masks
//! and the dropout masks of step t come from generators keyed by (seed, purpose, t). A run that is
//! stopped and resumed therefore gives the same bits as one that was not.
//!
//! ```text
//! FOLDER/metrics.jsonl   a line a step (loss, norms, clip rate), a line a validation
//! FOLDER/checkpoints/    the newest two
//! FOLDER/result.json     how it ended; where this is, the run is over
//! ```

use crate::adapter::{Batches, layout};
use crate::checkpoint::{self, Array, Checkpoint};
use crate::config::TrainConfig;
use crate::files::{read, write_json};
use crate::metrics::{Metrics, MetricsLog};
use crate::result::{Clock, Outcome, RunResult, Timing};
use crate::{Config, Control, Dataset, Error};
use acclip_data::{Order, Pass, Purpose, rng};
use acclip_models::{Bert, Evaluation};
use acclip_optim::{Layout, Optimizer, State, Tensor};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Initial parameters.
const INIT: Purpose = Purpose::new("init");
/// Dropout masks.
const DROPOUT: Purpose = Purpose::new("dropout");
/// Where a checkpoint keeps the optimizer's state.
const STATE: &str = "optimizer/";
/// A loss beyond this many times ln V, the loss of a uniform guess, counts as diverged.
const DIVERGED: f64 = 10.0;

/// What a checkpoint remembers beside the arrays.
#[derive(Serialize, Deserialize)]
struct Record {
    step: u64,
    /// What the optimizer's state is besides arrays.
    state: BTreeMap<String, String>,
    clipped: f64,
    curve: Vec<(u64, f64, f64)>,
    timing: Timing,
}

/// A training run in progress.
pub(crate) struct Trainer<'a> {
    config: &'a Config,
    dataset: &'a Dataset,
    folder: PathBuf,
    model: Bert,
    optimizer: Optimizer,
    layout: Layout,
    params: Arc<Vec<f32>>,
    grad: Vec<f32>,
    state: State<f32>,
    order: Order,
    clipped: f64,
    curve: Vec<(u64, f64, f64)>,
    timing: Timing,
}

/// Runs or continues the training run of `config` in `folder`, and returns how it ended. If it is
/// over already, its result is read and returned.
///
/// # Errors
/// [`Error`] for what cannot be read, written or built. Divergence is a result, not an error.
pub fn train(
    config: &Config,
    dataset: &Dataset,
    folder: &Path,
    control: Control,
) -> Result<Outcome<RunResult>, Error> {
    let result = folder.join("result.json");
    if result.exists() {
        let text = read(&result)?;
        return serde_json::from_str(&text)
            .map(Outcome::Done)
            .map_err(|error| Error::RunFolder {
                path: result,
                problem: format!(
                    "cannot be understood ({error}); delete it to finish the run again"
                ),
            });
    }
    dataset.check_training(config)?;
    let outcome = Trainer::new(config, dataset, folder, control)?.run(control)?;
    if let Outcome::Done(done) = &outcome {
        write_json(&result, done)?;
    }
    Ok(outcome)
}

/// The parameters at which a run starts, for a model of `config`.
pub(crate) fn initial(config: &Config, model: &Bert) -> Vec<f32> {
    model
        .config()
        .init(&mut rng::stream(config.seed, INIT, 0, 0))
}

/// The steps of which the run in `folder` has checkpoints, oldest first.
///
/// # Errors
/// [`Error::Io`] if its folder cannot be read.
pub fn checkpointed_steps(folder: &Path) -> Result<Vec<u64>, Error> {
    checkpoint::steps(&folder.join("checkpoints"))
}

/// The step and the parameters of a checkpoint in a run's folder, the newest if no step is named.
pub(crate) fn checkpointed(
    folder: &Path,
    step: Option<u64>,
    model: &Bert,
    control: Control,
) -> Result<(u64, Vec<f32>), Error> {
    let checkpoints = folder.join("checkpoints");
    let warn = |text: &str| control.progress.warn(text);
    let found = match step {
        Some(step) => Some(Checkpoint::<Record>::load(&checkpoints, step)?),
        None => Checkpoint::<Record>::newest(&checkpoints, &warn)?,
    };
    let mut found = found.ok_or_else(|| Error::RunFolder {
        path: folder.to_path_buf(),
        problem: "has no checkpoint to measure at; name the folder of an `acclip train` run".into(),
    })?;
    let layout = layout(model.parameters())?;
    let step = found.meta.step;
    Ok((step, take(&mut found, "params", &layout, &checkpoints)?))
}

/// The steps of the checkpoints that a finished run leaves, whatever happened on its way: the last
/// two of those planned.
pub(crate) fn kept_steps(train: &TrainConfig) -> Vec<u64> {
    let mut steps = vec![train.steps];
    let before = (train.steps - 1) / train.checkpoint_every * train.checkpoint_every;
    if before > 0 {
        steps.insert(0, before);
    }
    steps
}

impl<'a> Trainer<'a> {
    fn new(
        config: &'a Config,
        dataset: &'a Dataset,
        folder: &Path,
        control: Control,
    ) -> Result<Self, Error> {
        let model = config.build(dataset.tokenizer.vocab_size())?;
        let optimizer = config.optimizer()?;
        let layout = layout(model.parameters())?;
        let mut trainer = Self {
            config,
            dataset,
            folder: folder.to_path_buf(),
            params: Arc::new(initial(config, &model)),
            grad: vec![0.0; layout.len()],
            state: optimizer.init(&layout),
            order: Order::new(dataset.train.len(), config.train.batch_size, config.seed)?,
            clipped: 0.0,
            curve: Vec::new(),
            timing: Timing::default(),
            model,
            optimizer,
            layout,
        };
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let warn = |text: &str| control.progress.warn(text);
        if let Some(found) = Checkpoint::newest(&trainer.checkpoints(), &warn)? {
            trainer.restore(found)?;
        }
        Ok(trainer)
    }

    fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// Trains from the current step to the end, or until it diverges or is asked to stop.
    fn run(mut self, control: Control) -> Result<Outcome<RunResult>, Error> {
        let done = (!self.curve.is_empty()).then_some(self.state.t);
        let mut log = MetricsLog::open(&self.folder.join("metrics.jsonl"), done)?;
        let train = &self.config.train;
        let name = self.describe();
        let mut task = control.progress.begin(&name, train.steps);
        let mut diverged_at = None;
        if self.curve.is_empty() {
            let line = self.validate()?;
            log.write(&line)?;
        }
        while self.state.t < train.steps {
            if control.stopped() {
                log.flush()?;
                self.save()?;
                return Ok(Outcome::Interrupted);
            }
            let mut line = self.step()?;
            log.write(&line)?;
            let t = self.state.t;
            let mut message = String::new();
            let validates = t.is_multiple_of(train.eval_every) || t == train.steps;
            if validates && !matches!(line, Metrics::Diverged { .. }) {
                line = self.validate()?;
                log.write(&line)?;
                if let Metrics::Validation { valid_loss, .. } = line {
                    message = format!("validation loss {valid_loss:.3}");
                }
            }
            if let Metrics::Diverged { step, .. } = line {
                diverged_at = Some(step);
                break;
            }
            task.update(t, &message);
            if t.is_multiple_of(train.checkpoint_every) || t == train.steps {
                log.flush()?;
                self.save()?;
            }
        }
        log.flush()?;
        let last = self.curve.last().filter(|_| diverged_at.is_none());
        Ok(Outcome::Done(RunResult {
            optimizer: self.optimizer.name().to_string(),
            learning_rate: self.config.optimizer.learning_rate,
            threshold: self.optimizer.threshold(),
            seed: self.config.seed,
            diverged_at,
            valid_loss: last.map(|point| point.1),
            valid_accuracy: last.map(|point| point.2),
            clip_rate: self.clipped / self.state.t.max(1) as f64,
            curve: self.curve,
            timing: self.timing,
        }))
    }

    /// One step: batch, forward, backward, update. Divergence is a kind of line.
    fn step(&mut self) -> Result<Metrics, Error> {
        let t = self.state.t + 1;
        let seed = self.config.seed;
        let mut clock = Clock::start();

        let batches = Batches::new(self.dataset, self.config, &self.model, Purpose::MASK);
        let indices = self.order.indices(t - 1);
        let batch = batches.get(&self.dataset.train, indices, t);
        self.timing.data += clock.lap();

        let mut dropout = rng::stream(seed, DROPOUT, t, 0);
        let forward = self
            .model
            .forward(&self.params, &batch.view(), Some(&mut dropout))?;
        let loss = forward.loss;
        self.timing.forward += clock.lap();
        if self.is_diverged(loss) {
            let diverged = format!("loss {loss}");
            return Ok(Metrics::Diverged { step: t, diverged });
        }

        forward.backward(&mut self.grad)?;
        self.timing.backward += clock.lap();

        let learning_rate = self.config.optimizer.learning_rate * self.config.train.schedule_at(t);
        let step = self.optimizer.step(
            learning_rate,
            &self.layout,
            Arc::make_mut(&mut self.params).as_mut_slice(),
            &self.grad,
            &mut self.state,
        );
        self.timing.optimizer += clock.lap();
        let stats = match step {
            Ok(stats) if stats.update_norm.is_finite() => stats,
            Ok(stats) => {
                let diverged = format!("update of norm {}", stats.update_norm);
                return Ok(Metrics::Diverged { step: t, diverged });
            }
            Err(error @ acclip_optim::Error::NonFiniteGradient { .. }) => {
                let diverged = error.to_string();
                return Ok(Metrics::Diverged { step: t, diverged });
            }
            Err(error) => return Err(error.into()),
        };
        self.timing.tokens += batch.tokens();
        self.clipped += stats.clipped;
        Ok(Metrics::Step {
            step: t,
            loss,
            learning_rate,
            grad_norm: stats.grad_norm,
            update_norm: stats.update_norm,
            clipped: stats.clipped,
        })
    }

    /// Whether a loss is beyond what a model that learns has.
    fn is_diverged(&self, loss: f64) -> bool {
        let uniform = (self.dataset.facts.vocab_size as f64).ln();
        loss.is_nan() || loss > DIVERGED * uniform
    }

    /// Loss and accuracy on the held-out text, the same batches and masks at every step and seed.
    fn validate(&mut self) -> Result<Metrics, Error> {
        let batches = Batches::new(self.dataset, self.config, &self.model, Purpose::VALID);
        let valid = &self.dataset.valid;
        let seed = self.config.corpus.split_seed;
        let pass = Pass::new(valid.len(), self.config.train.batch_size, seed)?;
        let (mut loss, mut correct, mut masked) = (0.0, 0, 0);
        for indices in pass.batches().take(self.config.train.eval_batches) {
            let batch = batches.get(valid, indices, 0);
            let e: Evaluation = self.model.evaluate(&self.params, &batch.view())?;
            loss += e.loss * e.masked as f64;
            correct += e.correct;
            masked += e.masked;
        }
        let (valid_loss, valid_accuracy) = (loss / masked as f64, correct as f64 / masked as f64);
        let step = self.state.t;
        if self.is_diverged(valid_loss) {
            let diverged = format!("validation loss {valid_loss}");
            return Ok(Metrics::Diverged { step, diverged });
        }
        self.curve.push((step, valid_loss, valid_accuracy));
        Ok(Metrics::Validation {
            step,
            valid_loss,
            valid_accuracy,
        })
    }

    /// The run in a few words.
    fn describe(&self) -> String {
        let threshold = match self.optimizer.threshold() {
            Some(threshold) => format!(" clip {threshold:.3e}"),
            None => String::new(),
        };
        format!(
            "{} lr {}{threshold} seed {}",
            self.optimizer.name(),
            self.config.optimizer.learning_rate,
            self.config.seed
        )
    }

    /// Writes a checkpoint of the current step.
    fn save(&self) -> Result<(), Error> {
        let params = self.layout.blocks().map(|(block, range)| {
            let values = Array::F32(self.params[range].to_vec());
            (
                format!("params/{}", block.name),
                (block.shape.clone(), values),
            )
        });
        let state = self.state.tensors().into_iter().map(|tensor| {
            let array = match tensor.dtype {
                "F64" => Array::F64(bytemuck::pod_collect_to_vec(&tensor.bytes)),
                "F32" => Array::F32(bytemuck::pod_collect_to_vec(&tensor.bytes)),
                "BF16" => Array::Raw(Dtype::BF16, tensor.bytes.to_vec()),
                _ => Array::Raw(Dtype::U8, tensor.bytes.to_vec()),
            };
            (
                format!("{STATE}{}", tensor.name),
                (vec![tensor.len()], array),
            )
        });
        let arrays: BTreeMap<_, _> = params.chain(state).collect();
        let meta = Record {
            step: self.state.t,
            state: self.state.header(&self.layout),
            clipped: self.clipped,
            curve: self.curve.clone(),
            timing: self.timing,
        };
        let train = &self.config.train;
        let planned = |t: u64| t.is_multiple_of(train.checkpoint_every) || t == train.steps;
        Checkpoint { meta, arrays }.save(&self.checkpoints(), self.state.t, planned)
    }

    /// Takes over parameters, optimizer state and step from a checkpoint.
    fn restore(&mut self, mut found: Checkpoint<Record>) -> Result<(), Error> {
        let folder = self.checkpoints();
        let refuse = |problem: String| Error::Checkpoint {
            path: folder.clone(),
            problem,
        };
        self.params = Arc::new(take(&mut found, "params", &self.layout, &folder)?);
        let mut tensors = Vec::new();
        for (name, (_, array)) in &found.arrays {
            let Some(slot) = name.strip_prefix(STATE) else {
                return Err(refuse(format!(
                    "has an array '{name}' that this run does not know"
                )));
            };
            let (dtype, bytes) = match array {
                Array::F32(values) => ("F32", bytemuck::cast_slice(values)),
                Array::F64(values) => ("F64", bytemuck::cast_slice(values)),
                Array::Raw(Dtype::BF16, bytes) => ("BF16", bytes.as_slice()),
                Array::Raw(Dtype::U8, bytes) => ("U8", bytes.as_slice()),
                Array::Raw(other, _) => {
                    return Err(refuse(format!("has an array '{name}' of type {other:?}")));
                }
            };
            let (name, bytes) = (slot.into(), bytes.into());
            tensors.push(Tensor { name, dtype, bytes });
        }
        self.state = State::restore(&self.optimizer, &self.layout, &found.meta.state, tensors)
            .map_err(|error| refuse(error.to_string()))?;
        self.clipped = found.meta.clipped;
        self.curve = found.meta.curve;
        self.timing = found.meta.timing;
        Ok(())
    }
}

/// Takes the arrays `slot/…` of a checkpoint as one flat buffer, and names all that do not fit.
fn take(
    found: &mut Checkpoint<Record>,
    slot: &str,
    layout: &Layout,
    folder: &Path,
) -> Result<Vec<f32>, Error> {
    let mut flat = Vec::with_capacity(layout.len());
    let mut wrong = Vec::new();
    for (block, _) in layout.blocks() {
        let name = format!("{slot}/{}", block.name);
        match found.arrays.remove(&name) {
            Some((shape, Array::F32(values))) if shape == block.shape => flat.extend(values),
            Some((shape, _)) => wrong.push(format!("{name} is {shape:?}, not {:?}", block.shape)),
            None => wrong.push(format!("{name} is missing")),
        }
    }
    match wrong.is_empty() {
        true => Ok(flat),
        false => Err(Error::Checkpoint {
            path: folder.to_path_buf(),
            problem: format!("does not fit the configuration: {}", wrong.join("; ")),
        }),
    }
}
