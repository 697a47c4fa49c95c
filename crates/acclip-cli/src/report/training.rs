//! The report of one training run, and curves as a table.

use super::{again, facts, number, setting, speed_text};
use acclip_report::{Axis, Figure, Item, Report, Section, Series, Table};
use acclip_train::{Config, Dataset, Error, Provenance, RunResult, Validation};
use std::collections::BTreeMap;

/// Validation loss and accuracy of runs, step by step.
pub fn curve_table(runs: &[RunResult]) -> Table {
    let mut rows = Vec::new();
    for run in runs {
        for v in &run.curve {
            rows.push(vec![
                run.optimizer.clone(),
                run.learning_rate.to_string(),
                run.threshold.map_or(String::new(), |t| t.to_string()),
                run.seed.to_string(),
                v.step.to_string(),
                number_or_blank(v.train_loss),
                v.loss.to_string(),
                number_or_blank(v.accuracy),
            ]);
        }
    }
    let header = [
        "optimizer",
        "learning_rate",
        "threshold",
        "seed",
        "step",
        "train_loss",
        "valid_loss",
        "valid_accuracy",
    ];
    Table {
        header: header.map(String::from).to_vec(),
        rows,
        ..Table::default()
    }
}

fn number_or_blank(x: Option<f64>) -> String {
    x.map_or_else(String::new, |x| x.to_string())
}

/// How a run ended, for a reader.
pub fn ended(result: &RunResult, unit: &str) -> String {
    match (result.diverged_at, result.valid_loss) {
        (Some(step), _) => format!("diverged at step {step}: try a smaller learning rate"),
        (None, Some(loss)) => {
            let scores = scores(loss, result.valid_accuracy, &result.scores, unit);
            format!("validation {scores}")
        }
        _ => "no validation was made".to_string(),
    }
}

/// How well the exported model does, for a reader.
pub fn on_all(whole: &Validation, unit: &str) -> String {
    let scores = scores(whole.loss, whole.accuracy, &whole.scores, unit);
    format!(
        "model of step {} on all held-out data: {scores}",
        whole.step
    )
}

fn scores(loss: f64, accuracy: Option<f64>, more: &BTreeMap<String, f64>, unit: &str) -> String {
    let accuracy = accuracy.map(|a| format!(", accuracy {:.2} %", 100.0 * a));
    let more = more.iter();
    let more = more.map(|(name, x)| format!(", {} {}", name.replace('_', " "), number(*x)));
    let more: String = accuracy.into_iter().chain(more).collect();
    format!("loss {loss:.4} nats per {unit}{more}")
}

/// The report of `acclip train`; `whole` is how well the exported model does.
pub fn of_training(
    config: &Config,
    provenance: &Provenance,
    dataset: &Dataset,
    (result, whole): (&RunResult, Option<&Validation>),
) -> Result<Report, Error> {
    let unit = config.task.unit();
    let curve = |pick: fn(&Validation) -> Option<f64>| -> Vec<(f64, f64)> {
        let points = result.curve.iter();
        points
            .filter_map(|v| Some((v.step as f64, pick(v)?)))
            .collect()
    };
    let figure = |title: &str, label: String, series: Vec<Series>| {
        Item::Figure(Figure {
            title: title.into(),
            caption: "On held-out data, the same batches at every step.".into(),
            x: Axis::linear("step"),
            y: Axis::linear(label),
            series,
        })
    };
    let losses = vec![
        Series::line("held-out", curve(|v| Some(v.loss))),
        Series::line("training", curve(|v| v.train_loss)),
    ];
    let mut items = vec![figure("Loss", format!("loss (nats per {unit})"), losses)];
    let accuracy = curve(|v| v.accuracy);
    if !accuracy.is_empty() {
        let label = format!("share of right predictions ({unit}s)");
        let series = vec![Series::line(result.optimizer.clone(), accuracy)];
        items.push(figure("Accuracy", label, series));
    }
    items.push(Item::Text(format!(
        "Learning rate {}; clip rate {}. {}.",
        number(result.learning_rate),
        number(result.clip_rate),
        speed_text(&result.timing)
    )));
    let (model, parameters) = dataset.describe(config)?;
    let ended = format!(
        "{}, after {} of {} steps.",
        ended(result, unit),
        result.steps,
        config.train.steps
    );
    let mut verdict = vec![ended];
    verdict.extend(whole.map(|whole| format!("{}.", on_all(whole, unit))));
    for sentence in &mut verdict {
        sentence[..1].make_ascii_uppercase();
    }
    Ok(Report {
        title: format!("Training with {}", result.optimizer),
        verdict,
        facts: facts(provenance, &dataset.facts),
        sections: vec![
            Section {
                title: "Learning curves".into(),
                items,
            },
            Section {
                title: "The setting".into(),
                items: vec![setting(&dataset.facts, &model, parameters)],
            },
            again("train", config),
        ],
    })
}
