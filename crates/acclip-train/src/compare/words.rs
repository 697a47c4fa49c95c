//! What a comparison found, in words: the answer first, then its grounds.

use super::stats::SIGNIFICANCE;
use super::summary::{Finding, NoiseCell, PAPER_ORDER, Row, Summary};
use crate::config::InputKind;
use acclip_noise::Verdict;

impl Summary {
    /// The findings, a sentence or two each.
    pub(super) fn words(&self) -> Vec<String> {
        let words = [
            self.headline(),
            self.noise_words(),
            self.attention_words(),
            self.winner_words(),
            self.order_words(),
        ];
        words.into_iter().flatten().collect()
    }

    /// The noise of the configured model at initialisation.
    fn first_cell(&self) -> Option<&NoiseCell> {
        let input = match self.model.input {
            InputKind::Text => "text",
            InputKind::Gaussian => "gaussian",
        };
        self.noise.iter().find(|cell| {
            cell.attention == self.model.attention && cell.input == input && cell.step == 0
        })
    }

    /// The best optimizer, if one came to its end.
    fn winner(&self) -> Option<(&Row, f64)> {
        let row = self.optimizers.first()?;
        Some((row, row.loss_mean?))
    }

    /// How sure it is that the winner is ahead.
    fn sure(&self) -> String {
        let rivals = || self.optimizers.iter().skip(1);
        let names = |rows: Vec<&Row>| {
            let names: Vec<&str> = rows.iter().map(|row| row.optimizer.as_str()).collect();
            names.join(", ")
        };
        let tied: Vec<&Row> = rivals()
            .filter(|row| row.p_adjusted.is_some_and(|p| p >= SIGNIFICANCE))
            .collect();
        let untested: Vec<&Row> = rivals().filter(|row| row.p_adjusted.is_none()).collect();
        let behind = self
            .optimizers
            .len()
            .saturating_sub(1 + tied.len() + untested.len());
        let mut parts = Vec::new();
        if behind > 0 {
            let others = if behind == 1 { "other" } else { "others" };
            parts.push(format!("significantly ahead of {behind} {others}"));
        }
        if !tied.is_empty() {
            parts.push(format!("no significant difference from {}", names(tied)));
        }
        if !untested.is_empty() {
            parts.push(format!(
                "not tested against {}, which diverged",
                names(untested)
            ));
        }
        match parts.is_empty() {
            true => "nothing to compare it with".to_string(),
            false => parts.join("; "),
        }
    }

    fn headline(&self) -> Option<String> {
        let noise = self.first_cell()?.in_words();
        Some(match self.winner() {
            Some((winner, _)) => format!(
                "At initialisation the gradient noise is {noise}. {} had the lowest validation loss: {}.",
                winner.optimizer,
                self.sure()
            ),
            None => format!(
                "At initialisation the gradient noise is {noise}. No optimizer came to its end: try \
                 smaller learning rates."
            ),
        })
    }

    fn noise_words(&self) -> Option<String> {
        let cell = self.first_cell()?;
        let later = self.noise.iter().filter(|cell| cell.step > 0);
        let later: Vec<String> = later
            .map(|cell| format!("after {} steps {}", cell.step, cell.in_words()))
            .collect();
        let later = match later.is_empty() {
            true => String::new(),
            false => format!(" In training it is {}.", later.join(", ")),
        };
        let d = &cell.diagnosis;
        Some(format!(
            "Noise ({}): {} {}{later}",
            cell.title.to_lowercase(),
            d.reason,
            d.advice
        ))
    }

    fn attention_words(&self) -> Option<String> {
        let t = self.attention?;
        let finding = match () {
            _ if t.low > 0.0 => "The noise with attention has the heavier tail",
            _ if t.high < 0.0 => "The noise without attention has the heavier tail",
            _ => "No significant difference in tails between attention and its attention-free twin",
        };
        let mut on_text = self
            .noise
            .iter()
            .filter(|c| c.input == "text" && c.step == 0);
        let light = match on_text.all(|cell| cell.diagnosis.verdict == Verdict::Light) {
            true => " Both are light.",
            false => "",
        };
        Some(format!(
            "{finding} on this text, at initialisation: extreme-value index ξ of attention minus that of \
             its twin {:+.2}, 95 % interval {:+.2} to {:+.2}.{light}",
            t.difference, t.low, t.high
        ))
    }

    fn winner_words(&self) -> Option<String> {
        let (winner, loss) = self.winner()?;
        let rate = winner.learning_rate?;
        let threshold = match winner.threshold {
            Some(threshold) => format!(", threshold {threshold:.3e}"),
            None => String::new(),
        };
        let clips = match winner.clip_rate > 0.0 {
            true => format!(
                " It clips {:.1} % of {}.",
                100.0 * winner.clip_rate,
                winner.clipped_unit()
            ),
            false => String::new(),
        };
        let edge = match winner.at_edge {
            true => {
                " Its learning rate is at the edge of the grid: widen it before relying on this."
            }
            false => "",
        };
        Some(format!(
            "Lowest validation loss after {} steps: {} at learning rate {rate}{threshold}, {loss:.3} ± {:.3} \
             over {} fresh seeds; {} (paired t-tests, Holm-adjusted, level {SIGNIFICANCE}).{clips}{edge}",
            self.budget.steps,
            winner.optimizer,
            winner.loss_sd.unwrap_or(0.0),
            winner.losses.len(),
            self.sure()
        ))
    }

    fn order_words(&self) -> Option<String> {
        // Less than the whole order says nothing of it.
        if self.paper_order.len() + 1 < PAPER_ORDER.len() {
            return None;
        }
        let last = self.paper_order.len() - 1;
        let agrees = |i: usize, finding: Finding| match finding {
            Finding::AsInThePaper => true,
            Finding::NoSignificantDifference => i == last, // ACClip at least as good as CClip
            Finding::Opposite | Finding::NotComparable => false,
        };
        let pairs = self.paper_order.iter().enumerate();
        let agree = pairs.filter(|(i, pair)| agrees(*i, pair.finding)).count();
        let whole = match agree {
            n if n == self.paper_order.len() => "appears at this scale",
            0 => "does not appear at this scale",
            _ => "appears only in part at this scale",
        };
        let pairs: Vec<String> = self
            .paper_order
            .iter()
            .map(|pair| format!("{} → {}: {}", pair.behind, pair.ahead, pair.finding))
            .collect();
        Some(format!(
            "The paper\u{2019}s order (SGD behind GClip behind CClip, ACClip at least as good) {whole}: {}.",
            pairs.join("; ")
        ))
    }
}
