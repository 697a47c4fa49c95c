//! Results on stdout.

use super::comparison::{noise_table, optimizer_table};
use super::{number, speed_text};
use crate::commands::NoiseSummary;
use acclip_report::Table;
use acclip_train::RunResult;
use acclip_train::compare::summary::Summary;

/// A table in columns of equal width.
fn columns(table: &Table) -> String {
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let width = |column: usize| {
        let rows = std::iter::once(&table.header).chain(&table.rows);
        rows.map(|row| cell(row, column).chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for row in std::iter::once(&table.header).chain(&table.rows) {
        let line: Vec<String> = (0..table.header.len())
            .map(|c| match table.numeric.contains(&c) {
                true => format!("{:>1$}", cell(row, c), width(c)),
                false => format!("{:<1$}", cell(row, c), width(c)),
            })
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The result of `acclip compare`.
pub fn comparison_text(summary: &Summary) -> String {
    format!(
        "{}\n\n{}\n{}\n{}\n",
        summary.verdict.join("\n\n"),
        columns(&optimizer_table(summary)),
        columns(&noise_table(summary)),
        speed_text(&summary.speed)
    )
}

/// The result of `acclip noise`.
pub fn noise_text(summary: &NoiseSummary) -> String {
    let d = &summary.diagnosis;
    let alpha = d
        .alpha
        .map_or("none, no heavy tail is established".to_string(), |alpha| {
            alpha.to_string()
        });
    format!(
        "verdict: {}\n{}\n{}\n\ntail index α: {alpha}\nbatches: {}\nmean noise norm: {}\nnorm of the mean gradient: {}\n{}\n",
        d.verdict,
        d.reason,
        d.advice,
        d.evidence.n,
        number(d.evidence.mean),
        number(summary.mean_grad_norm),
        speed_text(&summary.speed)
    )
}

/// The result of `acclip train`.
pub fn training_text(result: &RunResult) -> String {
    let end = match (result.diverged_at, result.valid_loss, result.valid_accuracy) {
        (Some(step), _, _) => format!("diverged at step {step}: try a smaller learning rate"),
        (None, Some(loss), Some(accuracy)) => {
            format!(
                "validation loss {loss:.4}, accuracy {:.2} %",
                100.0 * accuracy
            )
        }
        _ => "no validation".to_string(),
    };
    format!(
        "{}: {end}\n{}\n",
        result.optimizer,
        speed_text(&result.timing)
    )
}
