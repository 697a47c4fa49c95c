//! What a comparison found, as data (`summary.json`) and in words.

use super::stats::{Paired, SIGNIFICANCE};
use crate::{CorpusFacts, Provenance, RunResult, Timing};
use acclip_noise::{Diagnosis, Verdict};
use serde::{Deserialize, Serialize};

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Where it comes from.
    pub provenance: Provenance,
    /// The findings, a sentence or two each.
    pub verdict: Vec<String>,
    /// The text.
    pub corpus: CorpusFacts,
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
    /// Sequences in a batch.
    pub batch_size: usize,
}

/// One noise measurement and what it allows to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseCell {
    /// A short name, such as `attention-text-init`; the norms are in `noise/NAME.json`.
    pub name: String,
    /// In words, for a reader.
    pub title: String,
    /// With attention, or the attention-free twin.
    pub attention: bool,
    /// `text` or `gaussian`.
    pub input: String,
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
    /// The verdict in a few words.
    pub fn in_words(&self) -> &'static str {
        match self.diagnosis.verdict {
            Verdict::Light => "light-tailed",
            Verdict::HeavyFiniteVariance => "heavy-tailed, with finite variance",
            Verdict::InfiniteVariance => "heavy-tailed, consistent with infinite variance",
            Verdict::Undecided if self.diagnosis.heavier_than_gaussian => {
                "heavier than Gaussian (how heavy is undecided)"
            }
            Verdict::Undecided => "undecided",
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
    /// Mean masked-token accuracy.
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
            _ if self.diverged_seeds > 0 => format!("diverged on {} seeds", self.diverged_seeds),
            (Some(_), None) => "best".to_string(),
            (Some(_), Some(p)) if p < SIGNIFICANCE => format!("worse (p = {})", p_value(p)),
            (Some(_), Some(p)) => format!("no significant difference (p = {})", p_value(p)),
        }
    }
}

/// One step of the order SGD → GClip → CClip → ACClip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderPair {
    /// The one that the paper puts behind.
    pub behind: String,
    /// The one that the paper puts ahead.
    pub ahead: String,
    /// Loss of `behind` minus loss of `ahead`, paired by seed; positive agrees with the paper.
    pub difference: Option<Paired>,
    /// `as in the paper`, `opposite`, `no significant difference` or `not comparable`.
    pub finding: String,
}

/// A p-value for a reader.
pub fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => "<0.001".to_string(),
        false => format!("{p:.3}"),
    }
}

impl Summary {
    /// The findings in words: the answer first, then its grounds.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.headline());
        words.extend(self.noise_words());
        words.extend(self.attention_words());
        words.extend(self.winner_words());
        words.extend(self.order_words());
        words
    }

    /// The cell of the attention model on text at initialisation.
    fn first_cell(&self) -> Option<&NoiseCell> {
        let mut cells = self.noise.iter();
        cells.find(|c| c.attention && c.input == "text" && c.step == 0)
    }

    fn headline(&self) -> Option<String> {
        let noise = self.first_cell()?.in_words();
        let winner = self
            .optimizers
            .first()
            .filter(|row| row.loss_mean.is_some());
        let Some(winner) = winner else {
            return Some(format!(
                "The gradient noise is {noise}; no optimizer could be tuned."
            ));
        };
        let ties = self.ties();
        let sure = match ties.len() {
            0 => "significantly ahead of every other".to_string(),
            _ => format!("not significantly ahead of {}", ties.join(", ")),
        };
        Some(format!(
            "The gradient noise is {noise}. {} had the lowest validation loss, {sure}.",
            winner.optimizer
        ))
    }

    /// The optimizers that the winner is not significantly ahead of.
    fn ties(&self) -> Vec<&str> {
        let rivals = self.optimizers.iter().skip(1);
        let tied = rivals.filter(|row| row.p_adjusted.is_some_and(|p| p >= SIGNIFICANCE));
        tied.map(|row| row.optimizer.as_str()).collect()
    }

    fn noise_words(&self) -> Option<String> {
        let d = &self.first_cell()?.diagnosis;
        let later = self.noise.iter().filter(|cell| cell.step > 0);
        let later: Vec<String> = later
            .map(|cell| format!("after {} steps {}", cell.step, cell.in_words()))
            .collect();
        let later = match later.is_empty() {
            true => String::new(),
            false => format!(" In training: {}.", later.join(", ")),
        };
        Some(format!(
            "Noise of the attention model on this text, at initialisation: {} {}{later}",
            d.reason, d.advice
        ))
    }

    fn attention_words(&self) -> Option<String> {
        let t = self.attention?;
        let finding = match () {
            _ if t.low > 0.0 => "Attention is heavier-tailed than its attention-free twin",
            _ if t.high < 0.0 => "Attention is lighter-tailed than its attention-free twin",
            _ => "No significant difference in tails between attention and its attention-free twin",
        };
        Some(format!(
            "{finding}: extreme-value index differs by {:+.2} (95 % interval {:+.2} to {:+.2}).",
            t.difference, t.low, t.high
        ))
    }

    fn winner_words(&self) -> Option<String> {
        let Some((winner, loss)) = self
            .optimizers
            .first()
            .and_then(|r| Some((r, r.loss_mean?)))
        else {
            return Some(
                "Every optimizer diverged on every setting: try smaller learning rates.".into(),
            );
        };
        let ties = self.ties();
        let setting = match (winner.learning_rate, winner.threshold) {
            (Some(rate), Some(threshold)) => {
                format!("learning rate {rate}, threshold {threshold:.3e}")
            }
            (Some(rate), None) => format!("learning rate {rate}"),
            (None, _) => String::new(),
        };
        let clips = match winner.clip_rate > 0.0 {
            true => format!(
                " It clips {:.1} % of {}.",
                100.0 * winner.clip_rate,
                clipped_unit(&winner.optimizer)
            ),
            false => String::new(),
        };
        let rivals = match ties.is_empty() {
            true => "every other optimizer tried is significantly worse".to_string(),
            false => format!("no significant difference from {}", ties.join(", ")),
        };
        let edge = match winner.at_edge {
            true => {
                " Its learning rate is at the edge of the grid: widen it before relying on this."
            }
            false => "",
        };
        Some(format!(
            "Lowest validation loss after {} steps: {} ({setting}), {loss:.3} ± {:.3} over {} seeds; {rivals} \
             (paired t-test, Holm-adjusted, level {SIGNIFICANCE}).{clips}{edge}",
            self.budget.steps,
            winner.optimizer,
            winner.loss_sd.unwrap_or(0.0),
            winner.losses.len(),
        ))
    }

    fn order_words(&self) -> Option<String> {
        if self.paper_order.is_empty() {
            return None;
        }
        let pairs: Vec<String> = self
            .paper_order
            .iter()
            .map(|pair| format!("{} → {}: {}", pair.behind, pair.ahead, pair.finding))
            .collect();
        let agree = self
            .paper_order
            .iter()
            .filter(|pair| pair.finding == AS_IN_PAPER)
            .count();
        let whole = match agree == self.paper_order.len() {
            true => "appears at this scale",
            false if agree == 0 => "does not appear at this scale",
            false => "appears only in part at this scale",
        };
        Some(format!(
            "The paper's order (SGD, GClip, CClip, ACClip, each better than the one before) {whole}: {}.",
            pairs.join("; ")
        ))
    }
}

/// The finding of a pair that agrees with the paper.
pub(super) const AS_IN_PAPER: &str = "as in the paper";

/// What an optimizer's clip rate is a share of.
pub fn clipped_unit(optimizer: &str) -> &'static str {
    match optimizer {
        "gclip" | "adamw-clip" => "the steps",
        _ => "the coordinates",
    }
}
