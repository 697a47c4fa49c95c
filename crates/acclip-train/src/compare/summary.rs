//! What a comparison found, as data: `summary.json`.

use super::stats::{Paired, SIGNIFICANCE};
use crate::config::{ModelConfig, TaskKind};
use crate::{CorpusFacts, Provenance, RunResult, Timing};
use acclip_noise::{Diagnosis, Verdict};
use acclip_optim::{Hyper, Link, Optimizer};
use serde::{Deserialize, Serialize};

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Where it comes from.
    pub provenance: Provenance,
    /// The findings, a sentence or two each.
    pub verdict: Vec<String>,
    /// What was learned.
    pub task: TaskKind,
    /// The data.
    pub corpus: CorpusFacts,
    /// The model that was trained.
    pub model: ModelConfig,
    /// The same in a sentence.
    pub described: String,
    /// Number of parameters of the model.
    pub parameters: usize,
    /// The tuning budget, the same for every optimizer.
    pub budget: Budget,
    /// The noise, cell by cell.
    pub noise: Vec<NoiseCell>,
    /// Whether attention's noise is heavier-tailed than its twin's, on text, at initialisation.
    pub attention: Option<TailDifference>,
    /// The optimizers, best first.
    pub optimizers: Vec<Row>,
    /// The order that the paper reports, pair by pair.
    pub paper_order: Vec<OrderPair>,
    /// Training speed over all runs. With several jobs at a time, tokens per second are those of one job.
    pub speed: Timing,
    /// Runs at the same time.
    pub jobs: usize,
}

/// What every optimizer was given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Settings tried, one run each.
    pub settings: usize,
    /// Fresh seeds on which the best setting was run again.
    pub seeds: usize,
    /// Steps in each run.
    pub steps: u64,
    /// Examples in a step.
    pub batch_size: usize,
}

/// One noise measurement and what it allows to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseCell {
    /// A short name, such as `attention-text-init` or `resnet18-init`; the norms are in `noise/NAME.json`.
    pub name: String,
    /// In words, for a reader.
    pub title: String,
    /// With attention, or the attention-free twin; `None` for a model that has no twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<bool>,
    /// `text` or `gaussian`; `None` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Training step of the weights.
    pub step: u64,
    /// Median of ‖g‖.
    pub median_grad_norm: f64,
    /// ‖∇f‖.
    pub mean_grad_norm: f64,
    /// Verdict, interval, evidence, advice.
    pub diagnosis: Diagnosis,
}

impl NoiseCell {
    /// The verdict in a few words: "the noise is …".
    pub fn in_words(&self) -> &'static str {
        match self.diagnosis.verdict {
            Verdict::Light => "light-tailed",
            Verdict::HeavyFiniteVariance => "heavy-tailed, with finite variance",
            Verdict::InfiniteVariance => "heavy-tailed, consistent with infinite variance",
            Verdict::Undecided if self.diagnosis.heavier_than_gaussian => {
                "heavier than Gaussian (how heavy is undecided)"
            }
            Verdict::Undecided => "neither clearly light-tailed nor clearly heavy-tailed",
        }
    }
}

/// A difference of extreme-value indices ξ = 1/α, attention minus twin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TailDifference {
    /// The difference; positive where attention is heavier.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub optimizer: String,
    /// The learning rate that won the tuning; `None` if every setting diverged.
    pub learning_rate: Option<f64>,
    /// The threshold that won.
    pub threshold: Option<f64>,
    /// Whether the best learning rate was the smallest or the largest tried, so that the best may
    /// lie outside the grid.
    pub at_edge: bool,
    /// How many of the settings diverged.
    pub diverged_settings: usize,
    /// How many of the fresh seeds diverged.
    pub diverged_seeds: usize,
    /// Validation loss of each fresh seed that came to its end.
    pub losses: Vec<f64>,
    /// Mean validation loss.
    pub loss_mean: Option<f64>,
    /// Its standard deviation over seeds.
    pub loss_sd: Option<f64>,
    /// Mean accuracy, where the task has one.
    pub accuracy_mean: Option<f64>,
    /// Its standard deviation over seeds.
    pub accuracy_sd: Option<f64>,
    /// Mean clip rate of the fresh seeds.
    pub clip_rate: f64,
    /// Loss minus the winner's, paired by seed; `None` for the winner and where a seed diverged.
    pub behind: Option<Paired>,
    /// The p-value of that, adjusted for the number of rivals (Holm).
    pub p_adjusted: Option<f64>,
    /// The tuning runs.
    pub tuning: Vec<RunResult>,
    /// The runs on fresh seeds.
    pub finals: Vec<RunResult>,
}

impl Row {
    /// In words, against the winner.
    pub fn against_winner(&self) -> String {
        match (self.loss_mean, self.p_adjusted) {
            (None, _) => "diverged".to_string(),
            _ if self.diverged_seeds > 0 => format!(
                "diverged on {} of {} seeds",
                self.diverged_seeds,
                self.finals.len()
            ),
            (Some(_), None) => "best".to_string(),
            (Some(_), Some(p)) if p < SIGNIFICANCE => format!("worse (p {})", p_value(p)),
            (Some(_), Some(p)) => format!("no significant difference (p {})", p_value(p)),
        }
    }

    /// What its clip rate is a share of.
    pub fn clipped_unit(&self) -> &'static str {
        let whole = |link: &Link| match link {
            Link::ClipNorm(clip) => !clip.by_block,
            other => matches!(other, Link::ZClip(_) | Link::AutoClip(_)),
        };
        match Optimizer::new(&self.optimizer, &Hyper::default()) {
            Ok(optimizer) if optimizer.links().iter().any(whole) => "the steps",
            _ => "the coordinates",
        }
    }
}

/// The order that the paper reports (Figure 3a), each better than the one before, the last at least as
/// good. SGD stands here with the momentum that its rivals have.
pub const PAPER_ORDER: [&str; 4] = ["sgd-momentum", "gclip", "cclip", "acclip-paper"];

/// One step of [`PAPER_ORDER`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderPair {
    /// The one that the paper puts behind.
    pub behind: String,
    /// The one that the paper puts ahead.
    pub ahead: String,
    /// Loss of `behind` minus loss of `ahead`, paired by seed; positive agrees with the paper.
    pub difference: Option<Paired>,
    /// The p-value of that, adjusted for the number of steps (Holm).
    pub p_adjusted: Option<f64>,
    /// What follows.
    pub finding: Finding,
}

/// How a pair stands to the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Significantly in the paper's direction.
    AsInThePaper,
    /// Significantly in the other direction.
    Opposite,
    /// Neither.
    NoSignificantDifference,
    /// One of the two did not come to its end on every seed.
    NotComparable,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Finding::AsInThePaper => "as in the paper",
            Finding::Opposite => "opposite",
            Finding::NoSignificantDifference => "no significant difference",
            Finding::NotComparable => "not comparable",
        })
    }
}

/// A p-value for a reader, with its sign: `= 0.012`, `< 0.001`.
pub fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => "< 0.001".to_string(),
        false => format!("= {p:.3}"),
    }
}
