//! How a run ended, and what it cost.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// Seconds spent, by what they were spent on, and tokens seen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Making batches.
    pub data: f64,
    /// Forward passes.
    pub forward: f64,
    /// Backward passes.
    pub backward: f64,
    /// Optimizer steps.
    pub optimizer: f64,
    /// Tokens in the training batches, padding not counted; images, where there are such.
    pub tokens: u64,
}

impl Timing {
    /// Seconds in all four parts.
    pub fn seconds(&self) -> f64 {
        self.data + self.forward + self.backward + self.optimizer
    }

    /// Training speed.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.seconds().max(f64::MIN_POSITIVE)
    }

    /// Adds what another run spent.
    pub fn add(&mut self, other: &Timing) {
        self.data += other.data;
        self.forward += other.forward;
        self.backward += other.backward;
        self.optimizer += other.optimizer;
        self.tokens += other.tokens;
    }
}

/// How well a run did on the held-out data at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The step.
    pub step: u64,
    /// Mean loss of the training batches since the last validation, in nats; `None` before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// Loss on the held-out data, in nats: per masked token, word, question or image.
    #[serde(rename = "valid_loss")]
    pub loss: f64,
    /// Share of the predictions that are right, where the task has single ones.
    #[serde(
        rename = "valid_accuracy",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub accuracy: Option<f64>,
    /// What else the task is judged by, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The optimizer's name.
    pub optimizer: String,
    /// The learning rate before the schedule.
    pub learning_rate: f64,
    /// The clip's threshold, if it has a fixed one.
    pub threshold: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// The step at which the loss or the gradient left the finite numbers, or the loss exceeded ten
    /// times that of a uniform guess; `None` for a run that came to its end.
    pub diverged_at: Option<u64>,
    /// The last step, which is earlier than planned where the validation loss stalled.
    pub steps: u64,
    /// The step of the validation that the following are of: the last, or with `train.patience` the best. `None` if
    /// diverged.
    #[serde(default)]
    pub valid_step: Option<u64>,
    /// Its loss, in nats.
    pub valid_loss: Option<f64>,
    /// Its share of predictions that are right, where the task has single ones.
    pub valid_accuracy: Option<f64>,
    /// What else the task is judged by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    /// Mean share of coordinates clipped (for a global clip: share of steps).
    pub clip_rate: f64,
    /// Every validation, from step 0 on.
    pub curve: Vec<Validation>,
    /// Seconds by part.
    pub timing: Timing,
}

impl RunResult {
    /// A metric of that validation: `loss`, `accuracy`, one of the scores, or `train_loss`, the mean of the training
    /// batches since the validation before; `None` if diverged or if there is no such.
    pub fn metric(&self, name: &str) -> Option<f64> {
        match name {
            "loss" => self.valid_loss,
            "accuracy" => self.valid_accuracy,
            "train_loss" => {
                // A result from before there was `valid_step` is of the last validation.
                let last = self.curve.last().filter(|_| self.diverged_at.is_none());
                let step = self.valid_step.or(last.map(|v| v.step))?;
                self.curve.iter().find(|v| v.step == step)?.train_loss
            }
            name => self.scores.get(name).copied(),
        }
    }

    /// What is to be small: the loss, or a score with its sign turned.
    pub(crate) fn badness(&self, judge: &str) -> Option<f64> {
        let metric = self.metric(judge)?;
        Some(if is_loss(judge) { metric } else { -metric })
    }
}

/// Whether a metric is the better the smaller it is: a loss, by its name, or the perplexity.
pub fn is_loss(metric: &str) -> bool {
    metric.starts_with("loss") || metric.ends_with("_loss") || metric == "perplexity"
}

/// A finished or interrupted computation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// It came to its end.
    Done(T),
    /// It was asked to stop; everything that is needed to continue is on disk.
    Interrupted,
}

/// Seconds since the last look.
pub(crate) struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Clock(Instant::now())
    }

    pub fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.0).as_secs_f64();
        self.0 = now;
        seconds
    }
}
