//! The report of a comparison.

use super::training::curve_table;
use super::{again, facts, number, setting, speed_text, spread};
use acclip_paper::figures::{
    NOISE_CAPTION, References, growth, hill, histogram, noise_header, noise_row, reference_caption,
};
use acclip_report::{Axis, Figure, Item, Report, Section, Series, Table};
use acclip_train::compare::stats::mean_sd;
use acclip_train::compare::summary::{Row, Summary, p_value};
use acclip_train::{Config, Error, Measurement, RunResult};
use std::collections::BTreeSet;
use std::path::Path;

/// The measurements behind the cells of a summary, from its run folder.
pub fn measurements(folder: &Path, summary: &Summary) -> Result<Vec<Measurement>, Error> {
    let file = |name: &str| folder.join(format!("noise/{name}.json"));
    summary
        .noise
        .iter()
        .map(|cell| Measurement::read(&file(&cell.name)))
        .collect()
}

/// The tables of a comparison, by file name.
pub fn compare_tables(summary: &Summary) -> Vec<(&'static str, Table)> {
    let finals: Vec<RunResult> = summary
        .optimizers
        .iter()
        .flat_map(|r| r.finals.clone())
        .collect();
    let tuning: Vec<RunResult> = summary
        .optimizers
        .iter()
        .flat_map(|r| r.tuning.clone())
        .collect();
    vec![
        ("optimizers.csv", optimizer_table(summary)),
        ("noise.csv", noise_table(summary)),
        ("curves.csv", curve_table(&finals)),
        ("tuning.csv", curve_table(&tuning)),
    ]
}

/// The table of optimizers, best first.
pub fn optimizer_table(summary: &Summary) -> Table {
    let scores: BTreeSet<&String> = (summary.optimizers.iter())
        .flat_map(|row| &row.finals)
        .flat_map(|run| run.scores.keys())
        .collect();
    let mut header = ["optimizer", "verdict", "validation loss", "accuracy"]
        .map(String::from)
        .to_vec();
    header.extend(scores.iter().map(|name| name.replace('_', " ")));
    header.extend(["learning rate", "threshold", "clipped"].map(String::from));
    let row = |row: &Row| {
        let edge = if row.at_edge { " †" } else { "" };
        let mut cells = vec![
            row.optimizer.clone(),
            row.against_winner(),
            spread(row.loss_mean, row.loss_sd, 1.0, 4),
            spread(row.accuracy_mean, row.accuracy_sd, 100.0, 2),
        ];
        cells.extend(scores.iter().map(|name| {
            let values: Vec<f64> = row.finals.iter().filter_map(|r| r.metric(name)).collect();
            let (mean, sd) = (!values.is_empty()).then(|| mean_sd(&values)).unzip();
            spread(mean, sd, 1.0, 2)
        }));
        cells.extend([
            row.learning_rate
                .map_or("–".into(), |rate| format!("{}{edge}", number(rate))),
            row.threshold.map_or("–".into(), number),
            match row.clip_rate > 0.0 {
                true => format!("{:.1} %", 100.0 * row.clip_rate),
                false => "–".into(),
            },
        ]);
        cells
    };
    let b = summary.budget;
    let diverged: usize = summary.optimizers.iter().map(|r| r.diverged_settings).sum();
    Table {
        caption: format!(
            "Validation loss in nats per {} and accuracy in %: mean ± standard \
             deviation over {} fresh seeds, after {} steps of {} examples. Every optimizer was tuned on \
             {} settings, one run each; {diverged} of the {} diverged. Clipped: share of the steps for a \
             global-norm clip, of the coordinates otherwise. Verdict: paired t-test against the best by \
             seed, Holm-adjusted. †: the best learning rate is at the edge of the grid.",
            summary.task.unit(),
            b.seeds,
            b.steps,
            b.batch_size,
            b.settings,
            b.settings * summary.optimizers.len()
        ),
        numeric: (2..header.len()).collect(),
        header,
        rows: summary.optimizers.iter().map(row).collect(),
        highlight: Some(0),
    }
}

/// The table of noise cells.
pub fn noise_table(summary: &Summary) -> Table {
    let mut header = noise_header();
    header.insert(0, "model, input".into());
    let rows = summary.noise.iter().map(|cell| {
        let mut row = noise_row(&cell.diagnosis);
        row.insert(0, cell.title.clone());
        row
    });
    Table {
        caption: NOISE_CAPTION.into(),
        header,
        rows: rows.collect(),
        numeric: (2..9).collect(),
        highlight: None,
    }
}

/// Validation curves: mean over seeds with a band of one standard deviation.
fn curves(summary: &Summary, unit: &str) -> Figure {
    let mut series = Vec::new();
    for row in &summary.optimizers {
        let whole: Vec<&RunResult> = row
            .finals
            .iter()
            .filter(|r| r.diverged_at.is_none())
            .collect();
        let Some(first) = whole.first() else { continue };
        // Step 0, the same for all, would flatten the rest.
        let points: Vec<(f64, f64, f64)> = (1..first.curve.len())
            .map(|i| {
                let losses: Vec<f64> = whole
                    .iter()
                    .filter_map(|r| Some(r.curve.get(i)?.loss))
                    .collect();
                let (mean, sd) = mean_sd(&losses);
                (first.curve[i].step as f64, mean, sd)
            })
            .collect();
        let band: Vec<_> = points
            .iter()
            .map(|(x, mean, sd)| (*x, mean - sd, mean + sd))
            .collect();
        series.push(Series::band(row.optimizer.clone(), &band));
        let line = points.iter().map(|(x, mean, _)| (*x, *mean)).collect();
        series.push(Series::line(row.optimizer.clone(), line));
    }
    Figure {
        title: "Learning curves".into(),
        caption:
            "Validation loss of each optimizer's best setting: mean over fresh seeds, band of one \
                  standard deviation."
                .into(),
        x: Axis::linear("step"),
        y: Axis::linear(format!("validation loss (nats per {unit})")),
        series,
    }
}

/// Final validation loss against learning rate, from the tuning runs.
fn sensitivity(summary: &Summary, unit: &str) -> Figure {
    let series = summary.optimizers.iter().map(|row| {
        let mut rates: Vec<f64> = row.tuning.iter().map(|r| r.learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        // With several thresholds, the best at each rate; a rate at which all diverged has no point.
        let best = rates.iter().filter_map(|rate| {
            let at = row.tuning.iter().filter(|r| r.learning_rate == *rate);
            let loss = at.filter_map(|r| r.valid_loss).min_by(f64::total_cmp)?;
            Some((*rate, loss))
        });
        Series::line(row.optimizer.clone(), best.collect())
    });
    Figure {
        title: "Loss against learning rate".into(),
        caption: "Validation loss of the tuning runs, one each; with several thresholds, the best. A wide \
                  valley is easy to tune. Diverged runs have no point."
            .into(),
        x: Axis::log("learning rate"),
        y: Axis::linear(format!("validation loss (nats per {unit})")),
        series: series.collect(),
    }
}

/// The whole report.
pub fn of_comparison(
    config: &Config,
    summary: &Summary,
    measurements: &[Measurement],
) -> Result<Report, Error> {
    Ok(Report {
        title: "Which optimizer, which threshold, and how heavy is the noise?".into(),
        verdict: summary.verdict.clone(),
        facts: facts(&summary.provenance, &summary.corpus),
        sections: vec![
            Section {
                title: "The optimizers".into(),
                items: vec![
                    Item::Table(optimizer_table(summary)),
                    Item::Figure(curves(summary, config.task.unit())),
                    Item::Figure(sensitivity(summary, config.task.unit())),
                    Item::Table(order_table(summary)),
                ],
            },
            Section {
                title: "The noise".into(),
                items: noise_items(config, summary, measurements)?,
            },
            Section {
                title: "The setting".into(),
                items: vec![
                    setting(&summary.corpus, &summary.described, summary.parameters),
                    Item::Text(format!(
                        "Speed of one run (of {} at a time): {}.",
                        summary.jobs,
                        speed_text(&summary.speed)
                    )),
                ],
            },
            Section {
                title: "What this does and does not show".into(),
                items: vec![Item::Text(CAVEATS.into())],
            },
            again("compare", config),
        ],
    })
}

/// Figures and table of the noise.
fn noise_items(
    config: &Config,
    summary: &Summary,
    measurements: &[Measurement],
) -> Result<Vec<Item>, Error> {
    let cells: Vec<_> = summary.noise.iter().zip(measurements).collect();
    let mut items = Vec::new();
    let mut grid = Vec::new();
    let mut later = Vec::new();
    for (cell, measurement) in &cells {
        let norms = measurement.noise_norms();
        let references = References::new(norms, cell.diagnosis.evidence.cv, config.seed)?;
        let mut figure = histogram(&cell.title, norms, &references)?;
        match cell.step {
            0 => grid.push(figure),
            _ => {
                figure.caption = reference_caption(&references);
                later.push(figure);
            }
        }
    }
    let (cells_are, columns) = match grid.len() > 1 {
        true => (
            ": with and without attention, on text and on Gaussian input",
            2,
        ),
        false => ("", 1),
    };
    items.push(Item::Grid {
        caption: format!(
            "Noise norms at initialisation{cells_are}. Bars: measured. Dashed: norms of Gaussian or α-stable (α = 1.5, \
             our choice) vectors, scaled to the same median, with as many coordinates as give the Gaussian ones the \
             measured spread."
        ),
        columns,
        figures: grid,
    });
    let at_start: Vec<(String, &[f64])> = cells
        .iter()
        .filter(|(cell, _)| cell.step == 0)
        .map(|(cell, m)| (cell.title.clone(), m.noise_norms()))
        .collect();
    if let Some((cell, measurement)) = cells.first() {
        let cv = cell.diagnosis.evidence.cv;
        let references = References::new(measurement.noise_norms(), cv, config.seed)?;
        items.push(Item::Figure(growth(&at_start, &references)?));
    }
    items.push(Item::Figure(hill(&at_start)?));
    if !later.is_empty() {
        items.push(Item::Grid {
            caption: "Noise norms at later checkpoints of the best optimizer's first run.".into(),
            columns: 2,
            figures: later,
        });
    }
    items.push(Item::Table(noise_table(summary)));
    Ok(items)
}

/// The paper's order, pair by pair.
fn order_table(summary: &Summary) -> Table {
    let rows = summary.paper_order.iter().map(|pair| {
        let d = pair.difference;
        vec![
            format!("{} → {}", pair.behind, pair.ahead),
            d.map_or("–".into(), |d| {
                format!("{:.4} [{:.4}, {:.4}]", d.mean, d.low, d.high)
            }),
            pair.p_adjusted
                .map_or("–".into(), |p| p_value(p).replace("= ", "")),
            pair.finding.to_string(),
        ]
    });
    Table {
        caption: "The order that the paper reports (Figure 3a): each step should lower the loss. Difference of \
                  the losses, paired by seed, with its 95 % interval; positive agrees with the paper."
            .into(),
        header: ["step", "difference", "p", "finding"].map(String::from).to_vec(),
        rows: rows.collect(),
        numeric: vec![1, 2],
        highlight: None,
    }
}

/// What the reader must know before quoting the result.
const CAVEATS: &str = "The optimizers were compared at one size, on one data set, for one number of steps, with the \
    learning-rate schedule of the configuration; an optimizer that is behind here may lead elsewhere. Grids are \
    coarse, and a best learning rate at the edge of its grid is marked. Tuning and final runs are validated on the \
    same held-out examples. Tests over a few seeds find only differences that \
    are large beside the spread.\n\nHeavy-tailed noise is one explanation of why adaptive methods do well on \
    attention models, and it is disputed: the gap persists, and grows, with full batches (Kunstner et al. 2023), \
    and rare tokens alone make gradient descent slow (Kunstner et al. 2024). Norms of whole-batch noise can be \
    light-tailed while single coordinates are not. A light verdict with a winner among the adaptive methods is \
    therefore no contradiction.";
