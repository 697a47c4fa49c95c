//! One training run: steps, validation, checkpoints, and a result.
//!
//! A run is a function of its configuration, its corpus and its seed. The state between two steps is
//! the parameters, the optimizer's slots, what the task carries, and the step number t, and nothing else: the
//! batch, its masks and the dropout masks of step t come from generators keyed by (seed, purpose, t). A run that
//! is stopped and resumed therefore gives the same bits as one that was not.
//!
//! With `train.accumulate` = k, a step has k batches, and its gradient is the mean of theirs. With `train.patience`
//! = p, a run ends after p validations that are not better than the best before them, and its model and its result are
//! those of the best.
//!
//! ```text
//! FOLDER/metrics.jsonl   a line a step (loss, norms, clip rate), a line a validation
//! FOLDER/tensorboard/    the same as TensorBoard's event file, where `train.tensorboard` is on
//! FOLDER/checkpoints/    the newest two, and those of the steps `train.keep`
//! FOLDER/best/           that of the best validation, with `train.patience`
//! FOLDER/result.json     how it ended; where this is, the run is over
//! ```

use crate::adapter::layout;
use crate::checkpoint::{self, Array, Checkpoint, Keep};
use crate::files::{read, remove, write_json};
use crate::metrics::{Metrics, MetricsLog};
use crate::result::{Clock, Outcome, RunResult, Timing, Validation};
use crate::task::{Ask, Carried, HeldOut, Place, Scores, Task};
use crate::{Config, Control, Dataset, Error};
use acclip_data::Order;
use acclip_optim::{Layout, Optimizer, State, Tensor};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a checkpoint keeps the optimizer's state.
const STATE: &str = "optimizer/";
/// Where a checkpoint keeps what the task carries.
const CARRIED: &str = "carried/";
/// The folder of the checkpoints of a run.
const CHECKPOINTS: &str = "checkpoints";
/// The folder of the checkpoint of the best validation.
const BEST: &str = "best";
/// A loss beyond this many times that of a uniform guess counts as diverged.
const DIVERGED: f64 = 10.0;

/// What a checkpoint remembers beside the arrays.
#[derive(Serialize, Deserialize)]
struct Record {
    step: u64,
    /// What the optimizer's state is besides arrays.
    state: BTreeMap<String, String>,
    tally: Tally,
    curve: Vec<Validation>,
    timing: Timing,
}

/// Sums over steps.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Tally {
    /// Shares of coordinates that were clipped.
    clipped: f64,
    /// Training losses since the last validation.
    losses: f64,
    /// Steps since then.
    steps: u64,
}

/// A training run in progress.
pub(crate) struct Trainer<'a> {
    config: &'a Config,
    folder: PathBuf,
    task: Box<dyn Task + 'a>,
    optimizer: Optimizer,
    layout: Layout,
    params: Arc<Vec<f32>>,
    grad: Vec<f32>,
    /// The gradient of one part of a batch, where there are several.
    part: Vec<f32>,
    state: State<f32>,
    carried: Carried,
    order: Order,
    tally: Tally,
    curve: Vec<Validation>,
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

/// The steps of which the run in `folder` has checkpoints, oldest first.
///
/// # Errors
/// [`Error::Io`] if its folder cannot be read.
pub fn checkpointed_steps(folder: &Path) -> Result<Vec<u64>, Error> {
    checkpoint::steps(&folder.join(CHECKPOINTS))
}

/// Removes the checkpoints of the run in `folder`.
pub(crate) fn remove_checkpoints(folder: &Path) -> Result<(), Error> {
    [CHECKPOINTS, BEST]
        .iter()
        .try_for_each(|name| remove(&folder.join(name)))
}

/// Writes the model of the newest checkpoint of the run in `folder`, or with `train.patience` that of the best
/// validation, into `folder/model`, in the form in which others read it: Hugging Face's or torchvision's; of questions,
/// the predictions as well. Returns that folder, the step of the model, and its scores on *all* held-out data.
///
/// # Errors
/// [`Error::RunFolder`] if there is no checkpoint; [`Error::Io`].
pub fn export(
    config: &Config,
    dataset: &Dataset,
    folder: &Path,
    control: Control,
) -> Result<(PathBuf, Validation), Error> {
    let task = dataset.task(config)?;
    let warn = |text: &str| control.progress.warn(text);
    let kept = match folder.join(BEST) {
        best if best.is_dir() => best,
        _ => folder.join(CHECKPOINTS),
    };
    let (step, params, carried) = read_checkpoint(&kept, None, &*task, &warn)?;
    let model = folder.join("model");
    fs::create_dir_all(&model).map_err(Error::io("create", &model))?;
    let scores = task.export(&Arc::new(params), &carried, &model)?;
    let validation = Validation {
        step,
        train_loss: None,
        loss: scores.loss,
        accuracy: scores.accuracy,
        scores: scores.others,
    };
    Ok((model, validation))
}

/// The step, the parameters and what is carried, of a checkpoint in a run's folder, the newest if no step is named.
pub(crate) fn checkpointed(
    folder: &Path,
    step: Option<u64>,
    task: &dyn Task,
    warn: &dyn Fn(&str),
) -> Result<(u64, Vec<f32>, Carried), Error> {
    read_checkpoint(&folder.join(CHECKPOINTS), step, task, warn)
}

fn read_checkpoint(
    checkpoints: &Path,
    step: Option<u64>,
    task: &dyn Task,
    warn: &dyn Fn(&str),
) -> Result<(u64, Vec<f32>, Carried), Error> {
    let refuse = |problem: String| Error::RunFolder {
        path: checkpoints.parent().unwrap_or(checkpoints).to_path_buf(),
        problem,
    };
    let steps = checkpoint::steps(checkpoints)?;
    let found = match step {
        Some(step) if !steps.is_empty() && !steps.contains(&step) => {
            let problem = format!("has no checkpoint of step {step}; it has those of {steps:?}");
            return Err(refuse(problem));
        }
        Some(step) if !steps.is_empty() => Some(Checkpoint::<Record>::load(checkpoints, step)?),
        _ => Checkpoint::<Record>::newest(checkpoints, warn)?,
    };
    let mut found = found.ok_or_else(|| {
        refuse("has no checkpoint to measure at; name the folder of an `acclip train` run".into())
    })?;
    let layout = layout(task.parameters())?;
    let step = found.meta.step;
    let params = take(&mut found, "params", &layout, checkpoints)?;
    Ok((step, params, take_carried(&mut found)))
}

impl<'a> Trainer<'a> {
    fn new(
        config: &'a Config,
        dataset: &'a Dataset,
        folder: &Path,
        control: Control,
    ) -> Result<Self, Error> {
        let task = dataset.task(config)?;
        let optimizer = config.optimizer()?;
        let layout = layout(task.parameters())?;
        let (examples, train) = (task.examples(), &config.train);
        let mut trainer = Self {
            config,
            folder: folder.to_path_buf(),
            params: Arc::new(task.initial()),
            grad: vec![0.0; layout.len()],
            part: Vec::new(),
            state: optimizer.init(&layout),
            carried: task.carried(),
            order: Order::new(examples, train.batch_size, config.seed)?,
            tally: Tally::default(),
            curve: Vec::new(),
            timing: Timing::default(),
            task,
            optimizer,
            layout,
        };
        if train.accumulate > 1 {
            trainer.part = vec![0.0; trainer.layout.len()];
        }
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let warn = |text: &str| control.progress.warn(text);
        if let Some(found) = Checkpoint::newest(&trainer.checkpoints(), &warn)? {
            trainer.restore(found)?;
        }
        Ok(trainer)
    }

    fn checkpoints(&self) -> PathBuf {
        self.folder.join(CHECKPOINTS)
    }

    /// Trains from the current step to the end, or until it diverges or is asked to stop.
    fn run(mut self, control: Control) -> Result<Outcome<RunResult>, Error> {
        let done = (!self.curve.is_empty()).then_some(self.state.t);
        let train = &self.config.train;
        let mut log = MetricsLog::open(&self.folder, done, train.tensorboard)?;
        let name = self.describe();
        let mut shown = control.progress.begin(&name, train.steps);
        let mut diverged_at = None;
        if self.curve.is_empty() {
            let line = self.validate()?;
            log.write(&line)?;
            if let Metrics::Diverged { step, .. } = line {
                diverged_at = Some(step);
            }
            self.keep_if_best()?;
            if train.keep.contains(&0) {
                log.flush()?;
                self.save()?;
            }
        }
        while diverged_at.is_none() && self.state.t < train.steps && !self.has_stalled() {
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
                if let Metrics::Validation(validation) = &line {
                    message = format!("validation loss {:.3}", validation.loss);
                }
                self.keep_if_best()?;
            }
            if let Metrics::Diverged { step, .. } = line {
                diverged_at = Some(step);
                break;
            }
            shown.update(t, &message);
            if self.is_planned(t) || train.keep.contains(&t) || self.has_stalled() {
                log.flush()?;
                self.save()?;
            }
        }
        log.flush()?;
        let told = self.told().filter(|_| diverged_at.is_none());
        Ok(Outcome::Done(RunResult {
            optimizer: self.optimizer.name().to_string(),
            learning_rate: self.config.optimizer.learning_rate,
            threshold: self.optimizer.threshold(),
            seed: self.config.seed,
            diverged_at,
            steps: self.state.t,
            valid_step: told.map(|v| v.step),
            valid_loss: told.map(|v| v.loss),
            valid_accuracy: told.and_then(|v| v.accuracy),
            scores: told.map_or_else(BTreeMap::new, |v| v.scores.clone()),
            clip_rate: self.tally.clipped / self.state.t.max(1) as f64,
            curve: self.curve,
            timing: self.timing,
        }))
    }

    /// Whether a checkpoint is due at step `t` by the plan.
    fn is_planned(&self, t: u64) -> bool {
        let train = &self.config.train;
        t.is_multiple_of(train.checkpoint_every) || t == train.steps
    }

    /// Whether the last `train.patience` validations have not been better than the best before them.
    fn has_stalled(&self) -> bool {
        let patience = self.config.train.patience;
        let losses: Vec<f64> = self.curve.iter().map(|v| v.loss).collect();
        if patience == 0 || losses.len() <= patience {
            return false;
        }
        let best = |losses: &[f64]| losses.iter().copied().fold(f64::INFINITY, f64::min);
        let (before, last) = losses.split_at(losses.len() - patience);
        best(last) >= best(before)
    }

    /// The validation that the result tells of: the last, or with `train.patience` the first of the best.
    fn told(&self) -> Option<&Validation> {
        match self.config.train.patience {
            0 => self.curve.last(),
            _ => (self.curve.iter()).min_by(|a, b| a.loss.total_cmp(&b.loss)),
        }
    }

    /// With `train.patience`, keeps the checkpoint of the last validation if none before it was as good.
    fn keep_if_best(&self) -> Result<(), Error> {
        match self.curve.split_last() {
            Some((last, before))
                if self.config.train.patience > 0 && before.iter().all(|v| v.loss > last.loss) =>
            {
                self.save_in(&self.folder.join(BEST), |_| Keep::UntilNext)
            }
            _ => Ok(()),
        }
    }

    /// Loss and gradient of the batch of step `t`, the mean over its parts.
    fn gradient(&mut self, t: u64) -> Result<f64, Error> {
        let parts = self.config.train.accumulate as u64;
        let mut sum = 0.0;
        for part in 0..parts {
            let batch = (t - 1) * parts + part;
            let ask = Ask {
                params: &self.params,
                indices: self.order.indices(batch),
                place: Place::Training {
                    step: t,
                    part,
                    batch,
                },
            };
            let grad = match part {
                0 => &mut self.grad,
                _ => &mut self.part,
            };
            sum += (self.task).gradient(&ask, &mut self.carried, grad, &mut self.timing)?;
            if part > 0 {
                for (total, g) in self.grad.iter_mut().zip(&self.part) {
                    *total += g;
                }
            }
        }
        if parts > 1 {
            let scale = 1.0 / parts as f32;
            self.grad.iter_mut().for_each(|g| *g *= scale);
        }
        Ok(sum / parts as f64)
    }

    /// One step: gradient and update. Divergence is a kind of line.
    fn step(&mut self) -> Result<Metrics, Error> {
        let t = self.state.t + 1;
        let loss = self.gradient(t)?;
        if self.is_diverged(loss) {
            let diverged = format!("loss {loss}");
            return Ok(Metrics::Diverged { step: t, diverged });
        }

        let mut clock = Clock::start();
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
        self.tally.clipped += stats.clipped;
        self.tally.losses += loss;
        self.tally.steps += 1;
        Ok(Metrics::Step {
            step: t,
            loss,
            learning_rate,
            grad_norm: stats.grad_norm,
            update_norm: stats.update_norm,
            clipped: stats.clipped,
        })
    }

    /// Whether a loss is beyond what a model that learns has. Before the first step any finite one is allowed: running
    /// statistics that nothing was seen of make it as large as they like.
    fn is_diverged(&self, loss: f64) -> bool {
        !loss.is_finite() || (self.state.t > 0 && loss > DIVERGED * self.task.uniform_loss())
    }

    /// How well the model does on the held-out data.
    fn validate(&mut self) -> Result<Metrics, Error> {
        let Scores {
            loss,
            accuracy,
            others: scores,
        } = self
            .task
            .evaluate(&self.params, &self.carried, HeldOut::Sample)?;
        let step = self.state.t;
        if self.is_diverged(loss) {
            let diverged = format!("validation loss {loss}");
            return Ok(Metrics::Diverged { step, diverged });
        }
        let Tally { losses, steps, .. } = self.tally;
        (self.tally.losses, self.tally.steps) = (0.0, 0);
        let validation = Validation {
            step,
            train_loss: (steps > 0).then(|| losses / steps as f64),
            loss,
            accuracy,
            scores,
        };
        self.curve.push(validation.clone());
        Ok(Metrics::Validation(validation))
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

    /// Writes a checkpoint of the current step among those of the run.
    fn save(&self) -> Result<(), Error> {
        self.save_in(&self.checkpoints(), |t| match t {
            t if self.config.train.keep.contains(&t) => Keep::Always,
            t if self.is_planned(t) => Keep::Newest,
            _ => Keep::UntilNext,
        })
    }

    /// Writes a checkpoint of the current step.
    fn save_in(&self, folder: &Path, keep: impl Fn(u64) -> Keep) -> Result<(), Error> {
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
        let carried = self.carried.0.iter().map(|(name, shape, values)| {
            let array = (shape.clone(), Array::F32(values.clone()));
            (format!("{CARRIED}{name}"), array)
        });
        let arrays: BTreeMap<_, _> = params.chain(state).chain(carried).collect();
        let meta = Record {
            step: self.state.t,
            state: self.state.header(&self.layout),
            tally: self.tally,
            curve: self.curve.clone(),
            timing: self.timing,
        };
        Checkpoint { meta, arrays }.save(folder, self.state.t, keep)
    }

    /// Takes over parameters, optimizer state and step from a checkpoint.
    fn restore(&mut self, mut found: Checkpoint<Record>) -> Result<(), Error> {
        let folder = self.checkpoints();
        let refuse = |problem: String| Error::Checkpoint {
            path: folder.clone(),
            problem,
        };
        self.params = Arc::new(take(&mut found, "params", &self.layout, &folder)?);
        self.carried = take_carried(&mut found);
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
        self.tally = found.meta.tally;
        self.curve = found.meta.curve;
        self.timing = found.meta.timing;
        Ok(())
    }
}

/// Takes what a task carries out of a checkpoint.
fn take_carried(found: &mut Checkpoint<Record>) -> Carried {
    let arrays = std::mem::take(&mut found.arrays);
    let mut carried = Carried::default();
    for (name, (shape, array)) in arrays {
        match (name.strip_prefix(CARRIED), array) {
            (Some(short), Array::F32(values)) => carried.0.push((short.into(), shape, values)),
            (_, array) => {
                found.arrays.insert(name, (shape, array));
            }
        }
    }
    carried
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
