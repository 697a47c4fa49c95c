//! The table of optimizers, and the tests between them.

use super::stats::{Paired, SIGNIFICANCE, holm, mean_sd};
use super::summary::{Finding, OrderPair, PAPER_ORDER, Row};
use super::trials::best_setting;
use crate::{Config, RunResult};
use std::collections::BTreeSet;

/// The table, best first: those that came to their end on every seed by mean loss, then the others.
pub(super) fn rows(config: &Config, tuned: &[RunResult], finals: &[RunResult]) -> Vec<Row> {
    let of = |results: &[RunResult], name: &str| -> Vec<RunResult> {
        results
            .iter()
            .filter(|r| r.optimizer == name)
            .cloned()
            .collect()
    };
    let mut rows: Vec<Row> = config
        .compare
        .optimizers
        .iter()
        .map(|name| {
            let (tuning, finals) = (of(tuned, name), of(finals, name));
            let losses: Vec<f64> = finals.iter().filter_map(|r| r.valid_loss).collect();
            let accuracies: Vec<f64> = finals.iter().filter_map(|r| r.valid_accuracy).collect();
            let spread = |x: &[f64]| (!x.is_empty()).then(|| mean_sd(x)).unzip();
            let (loss_mean, loss_sd) = spread(&losses);
            let (accuracy_mean, accuracy_sd) = spread(&accuracies);
            let best = best_setting(name, &config.compare.judge, tuned).map(|i| &tuned[i]);
            let rates = &config.compare.grid[name].learning_rate;
            let at_edge = best.is_some_and(|best| {
                let rate = best.learning_rate;
                rates.iter().all(|r| *r >= rate) || rates.iter().all(|r| *r <= rate)
            });
            Row {
                optimizer: name.clone(),
                learning_rate: best.map(|r| r.learning_rate),
                threshold: best.and_then(|r| r.threshold),
                at_edge,
                diverged_settings: tuning.iter().filter(|r| r.diverged_at.is_some()).count(),
                diverged_seeds: finals.iter().filter(|r| r.diverged_at.is_some()).count(),
                losses,
                loss_mean,
                loss_sd,
                accuracy_mean,
                accuracy_sd,
                clip_rate: finals.iter().map(|r| r.clip_rate).sum::<f64>()
                    / finals.len().max(1) as f64,
                behind: None,
                p_adjusted: None,
                tuning,
                finals,
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        let loss = |row: &Row| row.loss_mean.unwrap_or(f64::INFINITY);
        let ended = |row: &Row| (row.loss_mean.is_none(), row.diverged_seeds);
        ended(a).cmp(&ended(b)).then(loss(a).total_cmp(&loss(b)))
    });
    if let Some((winner, rivals)) = rows.split_first_mut() {
        for row in rivals.iter_mut() {
            row.behind = paired(row, winner);
        }
        let mut tested: Vec<&mut Row> = rivals.iter_mut().filter(|r| r.behind.is_some()).collect();
        let p: Vec<f64> = tested.iter().filter_map(|r| Some(r.behind?.p)).collect();
        for (row, p) in tested.iter_mut().zip(holm(&p)) {
            row.p_adjusted = Some(p);
        }
    }
    rows
}

/// Loss of `a` minus loss of `b`, paired by seed; `None` where a seed of either diverged.
fn paired(a: &Row, b: &Row) -> Option<Paired> {
    let loss = |row: &Row, seed: u64| row.finals.iter().find(|r| r.seed == seed)?.valid_loss;
    let seeds = a.finals.iter().chain(&b.finals).map(|r| r.seed);
    let seeds: BTreeSet<u64> = seeds.collect();
    let pairs = seeds
        .into_iter()
        .map(|seed| Some((loss(a, seed)?, loss(b, seed)?)));
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    Paired::test(&a, &b)
}

/// Each neighbouring pair of the paper's order among the optimizers that were compared.
pub(super) fn paper_order(rows: &[Row]) -> Vec<OrderPair> {
    let present: Vec<&Row> = PAPER_ORDER
        .iter()
        .filter_map(|name| rows.iter().find(|row| row.optimizer == *name))
        .collect();
    let differences: Vec<Option<Paired>> = present
        .windows(2)
        .map(|pair| paired(pair[0], pair[1]))
        .collect();
    let p: Vec<f64> = differences.iter().flatten().map(|d| d.p).collect();
    let mut adjusted = holm(&p).into_iter();
    let pairs = present.windows(2).zip(differences);
    pairs
        .map(|(pair, difference)| {
            let p_adjusted = difference.and_then(|_| adjusted.next());
            let finding = match difference.zip(p_adjusted) {
                None => Finding::NotComparable,
                Some((_, p)) if p >= SIGNIFICANCE => Finding::NoSignificantDifference,
                Some((d, _)) if d.mean > 0.0 => Finding::AsInThePaper,
                Some(_) => Finding::Opposite,
            };
            OrderPair {
                behind: pair[0].optimizer.clone(),
                ahead: pair[1].optimizer.clone(),
                difference,
                p_adjusted,
                finding,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(optimizers: &str) -> Config {
        let settings = [format!("compare.optimizers={optimizers}")];
        Config::resolve(Some("smoke"), None, &settings).unwrap()
    }

    fn result(optimizer: &str, learning_rate: f64, seed: u64, loss: Option<f64>) -> RunResult {
        RunResult {
            optimizer: optimizer.into(),
            learning_rate,
            threshold: None,
            seed,
            diverged_at: loss.is_none().then_some(9),
            steps: 9,
            valid_step: loss.map(|_| 9),
            valid_loss: loss,
            valid_accuracy: loss.map(|loss| loss / 10.0),
            scores: Default::default(),
            clip_rate: 0.5,
            curve: Vec::new(),
            timing: Default::default(),
        }
    }

    /// Rows of optimizers with these losses on seeds 1, 2, …
    fn rows_of(losses: &[(&str, &[Option<f64>])]) -> Vec<Row> {
        let names: Vec<&str> = losses.iter().map(|(name, _)| *name).collect();
        let tuned: Vec<RunResult> = names
            .iter()
            .map(|name| result(name, 0.1, 0, Some(1.0)))
            .collect();
        let mut finals = Vec::new();
        for (name, losses) in losses {
            for (seed, loss) in (1..).zip(*losses) {
                finals.push(result(name, 0.1, seed, *loss));
            }
        }
        rows(&config(&format!("{names:?}")), &tuned, &finals)
    }

    #[test]
    fn the_best_comes_first_and_those_that_diverged_last() {
        let rows = rows_of(&[
            ("sgd", &[Some(1.0), None, Some(1.0)]),
            ("gclip", &[Some(4.0), Some(4.2), Some(4.1)]),
            ("adamw", &[Some(2.0), Some(2.2), Some(2.4)]),
            ("acclip", &[None, None, None]),
        ]);
        let order: Vec<&str> = rows.iter().map(|row| row.optimizer.as_str()).collect();
        assert_eq!(order, ["adamw", "gclip", "sgd", "acclip"]);
        assert!((rows[0].loss_mean.unwrap() - 2.2).abs() < 1e-12);
        assert!((rows[0].loss_sd.unwrap() - 0.2).abs() < 1e-12);
        assert!((rows[0].accuracy_mean.unwrap() - 0.22).abs() < 1e-12);
        assert_eq!((rows[0].behind, rows[0].p_adjusted), (None, None));
        let behind = rows[1].behind.unwrap();
        assert!(
            (behind.mean - 1.9).abs() < 1e-12 && behind.low > 0.0,
            "{behind:?}"
        );
        assert!(rows[1].p_adjusted.is_some_and(|p| p < 0.01));
        assert_eq!((rows[2].diverged_seeds, rows[2].behind), (1, None));
        assert_eq!((rows[3].diverged_seeds, rows[3].loss_mean), (3, None));
    }

    #[test]
    fn runs_are_paired_by_seed_or_not_at_all() {
        // As many losses each, but of different seeds: nothing can be paired.
        let rows = rows_of(&[
            ("sgd", &[Some(1.0), None, Some(1.0)]),
            ("adamw", &[None, Some(2.0), Some(2.0)]),
        ]);
        assert_eq!(rows[1].behind, None);
    }

    #[test]
    fn an_edge_of_the_grid_is_marked() {
        let config = config("[\"sgd\"]");
        let mut rates = config.compare.grid["sgd"].learning_rate.clone();
        rates.sort_by(f64::total_cmp);
        for (i, rate) in rates.iter().enumerate() {
            let tuned = [result("sgd", *rate, 0, Some(1.0))];
            let edge = i == 0 || i == rates.len() - 1;
            assert_eq!(rows(&config, &tuned, &[])[0].at_edge, edge, "{rate}");
        }
    }

    #[test]
    fn each_step_of_the_papers_order_is_judged() {
        let rows = rows_of(&[
            ("sgd-momentum", &[Some(5.0), Some(5.1), Some(5.2)]),
            ("gclip", &[Some(4.0), Some(4.1), Some(4.21)]),
            ("cclip", &[Some(4.3), Some(3.9), Some(4.0)]),
            ("acclip-paper", &[Some(6.3), Some(5.9), Some(6.01)]),
        ]);
        let findings: Vec<Finding> = paper_order(&rows).iter().map(|pair| pair.finding).collect();
        use Finding::*;
        assert_eq!(findings, [AsInThePaper, NoSignificantDifference, Opposite]);
        let pair = &paper_order(&rows)[0];
        assert_eq!(
            (pair.behind.as_str(), pair.ahead.as_str()),
            ("sgd-momentum", "gclip")
        );
        assert!((pair.difference.unwrap().mean - 2.99 / 3.0).abs() < 1e-12);
    }
}
