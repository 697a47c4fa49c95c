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
        let ours = |cell: &&NoiseCell| {
            // `None`: the only cell there is.
            let attention = cell.attention.unwrap_or(self.model.attention);
            let on = cell.input.as_deref().unwrap_or(input);
            attention == self.model.attention && on == input && cell.step == 0
        };
        self.noise.iter().find(ours)
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
            .map(|cell| format!("{} after {} steps", cell.in_words(), cell.step))
            .collect();
        let later = match later.is_empty() {
            true => String::new(),
            false => format!(" In training it was {}.", later.join(", ")),
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
            .filter(|c| c.input.as_deref() == Some("text") && c.step == 0);
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

#[cfg(test)]
mod tests {
    use super::super::stats::Paired;
    use super::super::summary::{Budget, OrderPair, TailDifference};
    use super::*;
    use crate::config::{Config, TaskKind};
    use crate::{CorpusFacts, Provenance, Timing};
    use acclip_noise::diagnose;

    /// Norms that grow evenly, which are light, or as a power law with α = 1, which are not.
    fn cell(attention: bool, step: u64, heavy: bool) -> NoiseCell {
        let norm = |i: i32| match heavy {
            true => 1.0 / f64::from(i),
            false => 1.0 + f64::from(i) / 1000.0,
        };
        NoiseCell {
            name: String::new(),
            title: if attention {
                "Attention, text"
            } else {
                "Attention-free, text"
            }
            .into(),
            attention: Some(attention),
            input: Some("text".into()),
            step,
            median_grad_norm: 1.0,
            mean_grad_norm: 1.0,
            diagnosis: diagnose(&(1..=1000).map(norm).collect::<Vec<_>>()).unwrap(),
        }
    }

    fn row(optimizer: &str, loss_mean: Option<f64>, p_adjusted: Option<f64>) -> Row {
        Row {
            optimizer: optimizer.into(),
            learning_rate: Some(0.3),
            threshold: None,
            at_edge: false,
            diverged_settings: 0,
            diverged_seeds: 0,
            losses: loss_mean.into_iter().collect(),
            loss_mean,
            loss_sd: loss_mean.map(|_| 0.01),
            accuracy_mean: None,
            accuracy_sd: None,
            clip_rate: 0.0,
            behind: None,
            p_adjusted,
            tuning: Vec::new(),
            finals: Vec::new(),
        }
    }

    fn summary(optimizers: Vec<Row>) -> Summary {
        Summary {
            provenance: Provenance {
                format: 1,
                config_crc32: 0,
                command: "compare".into(),
                version: String::new(),
                commit: String::new(),
                machine: String::new(),
                started: String::new(),
                seed: 0,
                corpus_crc32: 0,
            },
            verdict: Vec::new(),
            task: TaskKind::MaskedLm,
            corpus: CorpusFacts {
                source: String::new(),
                content: String::new(),
                crc32: 0,
                labels: 9,
                train_examples: 1,
                valid_examples: 1,
            },
            model: Config::resolve(Some("smoke"), None, &[]).unwrap().model,
            described: String::new(),
            parameters: 1,
            budget: Budget {
                settings: 6,
                seeds: 3,
                steps: 100,
                batch_size: 4,
            },
            noise: vec![cell(true, 0, false), cell(false, 0, false)],
            attention: None,
            optimizers,
            paper_order: Vec::new(),
            speed: Timing::default(),
            jobs: 1,
        }
    }

    #[test]
    fn the_headline_claims_what_was_tested_and_no_more() {
        let best = || row("adamw", Some(2.0), None);
        let worse = || row("sgd", Some(3.0), Some(0.01));
        let tied = || row("acclip", Some(2.1), Some(0.4));
        let lost = || row("gclip", None, None);
        for (rows, says) in [
            (
                vec![best()],
                "adamw had the lowest validation loss: nothing to compare it with.",
            ),
            (vec![best(), worse()], "significantly ahead of 1 other."),
            (
                vec![best(), tied()],
                "no significant difference from acclip.",
            ),
            (
                vec![best(), tied(), worse(), worse(), lost()],
                "significantly ahead of 2 others; no significant difference from acclip; not tested \
                 against gclip, which diverged.",
            ),
            (vec![lost()], "No optimizer came to its end"),
        ] {
            let words = summary(rows).words();
            assert!(words[0].contains(says), "{}", words[0]);
            assert!(words[0].starts_with("At initialisation the gradient noise is light-tailed."));
        }
    }

    #[test]
    fn the_noise_is_that_of_the_model_that_was_trained() {
        let mut summary = summary(vec![row("adamw", Some(2.0), None)]);
        summary.noise = vec![
            cell(true, 0, true),
            cell(false, 0, false),
            cell(false, 7, true),
        ];
        summary.model.attention = false;
        let words = summary.words();
        assert!(words[0].contains("light-tailed"), "{}", words[0]);
        assert!(
            words[1].starts_with("Noise (attention-free, text)"),
            "{}",
            words[1]
        );
        assert!(
            words[1].contains("In training it was heav") && words[1].contains("after 7 steps"),
            "{}",
            words[1]
        );
        summary.model.attention = true;
        assert!(!summary.words()[0].contains("light-tailed"));
    }

    #[test]
    fn nothing_is_said_of_attention_where_there_is_no_twin() {
        let mut summary = summary(vec![row("adamw", Some(2.0), None)]);
        let only = |step, heavy| NoiseCell {
            title: "resnet18, images".into(),
            attention: None,
            input: None,
            ..cell(true, step, heavy)
        };
        summary.noise = vec![only(0, false), only(9, true)];
        let words = summary.words();
        assert!(words[0].contains("light-tailed"), "{}", words[0]);
        let noise = "Noise (resnet18, images)";
        assert!(words[1].starts_with(noise) && words[1].contains("after 9 steps"));
        assert!(
            !words
                .iter()
                .any(|words| words.to_lowercase().contains("attention"))
        );
    }

    #[test]
    fn attention_is_called_heavier_by_its_interval_alone() {
        let mut summary = summary(vec![row("adamw", Some(2.0), None)]);
        for (low, high, says) in [
            (0.1, 0.5, "The noise with attention has the heavier tail"),
            (
                -0.5,
                -0.1,
                "The noise without attention has the heavier tail",
            ),
            (-0.1, 0.5, "No significant difference in tails"),
        ] {
            let difference = (low + high) / 2.0;
            summary.attention = Some(TailDifference {
                difference,
                low,
                high,
            });
            let words = summary.words();
            assert!(
                words[2].starts_with(says) && words[2].ends_with("Both are light."),
                "{}",
                words[2]
            );
        }
    }

    #[test]
    fn the_papers_order_is_whole_partial_or_absent() {
        use Finding::*;
        let mut summary = summary(vec![row("adamw", Some(2.0), None)]);
        let pair = |finding| OrderPair {
            behind: "a".into(),
            ahead: "b".into(),
            difference: None::<Paired>,
            p_adjusted: None,
            finding,
        };
        for (findings, says) in [
            (
                [AsInThePaper, AsInThePaper, NoSignificantDifference],
                "appears at this scale",
            ),
            (
                [AsInThePaper, NoSignificantDifference, AsInThePaper],
                "only in part",
            ),
            ([Opposite, NotComparable, Opposite], "does not appear"),
        ] {
            summary.paper_order = findings.map(pair).to_vec();
            let words = summary.words();
            let last = &words[words.len() - 1];
            assert!(last.contains(says), "{last}");
        }
        summary.paper_order.pop();
        assert!(
            !summary.words().iter().any(|words| words.contains("order")),
            "less than all of it"
        );
    }
}
