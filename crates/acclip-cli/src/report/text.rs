//! Results on stdout.

use super::comparison::{noise_table, optimizer_table};
use super::training::{ended, on_all};
use super::verdict::{calibration, layers};
use super::{number, speed_text};
use crate::calibration::Calibration;
use crate::commands::NoiseSummary;
use crate::noise_file::FileSummary;
use acclip_noise::{Diagnosis, GradientDiagnosis};
use acclip_report::Table;
use acclip_train::compare::summary::Summary;
use acclip_train::{RunResult, Validation};

/// A table in columns of equal width.
pub fn columns(table: &Table) -> String {
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

/// The verdict on norms in lines.
fn verdict_lines(d: &Diagnosis) -> String {
    let alpha = d
        .alpha
        .map_or("none, no heavy tail is established".to_string(), |alpha| {
            alpha.to_string()
        });
    let needed = d
        .norms_needed
        .map_or(String::new(), |n| format!("\nnorms that may decide: {n}"));
    format!(
        "verdict: {}\n{}\n{}\n\ntail index α: {alpha}{needed}\nnorms: {}\nmean noise norm: {}\n",
        d.verdict,
        d.reason,
        d.advice,
        d.evidence.n,
        number(d.evidence.mean),
    )
}

/// What gradients say beside their norms.
fn gradient_lines(found: &GradientDiagnosis) -> String {
    let mut text = String::from("\n");
    for finding in &found.causes {
        text.push_str(if finding.likely { "+ " } else { "- " });
        text.push_str(&finding.text);
        text.push('\n');
    }
    if found.layers.len() > 1 {
        text.push('\n');
        text.push_str(&columns(&layers(found)));
    }
    text
}

/// The result of `acclip noise`.
pub fn noise_text(summary: &NoiseSummary) -> String {
    format!(
        "{}norm of the mean gradient: {}\n{}\n{}",
        verdict_lines(&summary.diagnosis.whole),
        number(summary.mean_grad_norm),
        speed_text(&summary.speed),
        gradient_lines(&summary.diagnosis)
    )
}

/// The result of `acclip noise FILE`.
pub fn noise_file_text(summary: &FileSummary) -> String {
    let gradients = summary.found.gradients();
    format!(
        "{}{}",
        verdict_lines(summary.found.whole()),
        gradients.map_or(String::new(), gradient_lines)
    )
}

/// The result of `acclip noise --calibrate`.
pub fn calibration_text(found: &Calibration) -> String {
    format!(
        "{}\n{} samples of {} gradients each, seed {}; shares in %. Heavier: found heavier than Gaussian, \
         whatever the verdict.\nα̂: median of the estimates, where one was given. Covered: intervals that \
         hold the true α.\n",
        columns(&calibration(found)),
        found.samples,
        found.gradients,
        found.seed
    )
}

/// The result of `acclip train`.
pub fn training_text(result: &RunResult, whole: Option<&Validation>, unit: &str) -> String {
    let whole = whole.map(|whole| on_all(whole, unit) + "\n");
    format!(
        "{}: {}\n{}{}\n",
        result.optimizer,
        ended(result, unit),
        whole.unwrap_or_default(),
        speed_text(&result.timing)
    )
}
