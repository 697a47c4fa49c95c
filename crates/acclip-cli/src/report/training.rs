//! The report of one training run, and curves as a table.

use super::{again, facts, number, setting, speed_text};
use acclip_report::{Axis, Figure, Item, Report, Section, Series, Table};
use acclip_train::{Config, CorpusFacts, Error, Provenance, RunResult};

/// Validation loss and accuracy of runs, step by step.
pub fn curve_table(runs: &[RunResult]) -> Table {
    let mut rows = Vec::new();
    for run in runs {
        for (step, loss, accuracy) in &run.curve {
            rows.push(vec![
                run.optimizer.clone(),
                run.learning_rate.to_string(),
                run.threshold.map_or(String::new(), |t| t.to_string()),
                run.seed.to_string(),
                step.to_string(),
                loss.to_string(),
                accuracy.to_string(),
            ]);
        }
    }
    let header = [
        "optimizer",
        "learning_rate",
        "threshold",
        "seed",
        "step",
        "valid_loss",
        "valid_accuracy",
    ];
    Table {
        header: header.map(String::from).to_vec(),
        rows,
        ..Table::default()
    }
}

/// The report of `acclip train`.
pub fn of_training(
    config: &Config,
    provenance: &Provenance,
    corpus: &CorpusFacts,
    result: &RunResult,
) -> Result<Report, Error> {
    let curve = |pick: fn(&(u64, f64, f64)) -> f64| -> Vec<(f64, f64)> {
        result.curve.iter().map(|p| (p.0 as f64, pick(p))).collect()
    };
    let figure = |title: &str, label: &str, points| {
        Item::Figure(Figure {
            title: title.into(),
            caption: "On held-out text, the same batches and masks at every step.".into(),
            x: Axis::linear("step"),
            y: Axis::linear(label),
            series: vec![Series::line(result.optimizer.clone(), points)],
        })
    };
    let ended = match (result.diverged_at, result.valid_loss, result.valid_accuracy) {
        (Some(step), _, _) => format!("Diverged at step {step}: try a smaller learning rate."),
        (None, Some(loss), Some(accuracy)) => format!(
            "Validation loss {loss:.4} nats per masked token, accuracy {:.2} %, after {} steps of {}.",
            100.0 * accuracy,
            config.train.steps,
            result.optimizer
        ),
        _ => "No validation was made.".to_string(),
    };
    Ok(Report {
        title: format!("Training with {}", result.optimizer),
        verdict: vec![ended],
        facts: facts(provenance, corpus),
        sections: vec![
            Section {
                title: "Learning curve".into(),
                items: vec![
                    figure(
                        "Validation loss",
                        "loss (nats per masked token)",
                        curve(|p| p.1),
                    ),
                    figure(
                        "Validation accuracy",
                        "share of masked tokens found",
                        curve(|p| p.2),
                    ),
                    Item::Text(format!(
                        "Learning rate {}; clip rate {}. {}.",
                        number(result.learning_rate),
                        number(result.clip_rate),
                        speed_text(&result.timing)
                    )),
                ],
            },
            Section {
                title: "The setting".into(),
                items: vec![setting(config, corpus)?],
            },
            again("train", config),
        ],
    })
}
