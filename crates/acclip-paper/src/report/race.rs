//! A race of optimizers: its table and its curves.

use super::strings;
use crate::runner::Measured;
use acclip_report::{Axis, Figure, Item, Series, Table};
use acclip_train::compare::stats::mean_sd;
use acclip_train::compare::summary::Row;
use acclip_train::{RunResult, Validation};
use std::collections::BTreeSet;

/// Table and curves of a race.
pub(super) fn items(measured: &Measured) -> Vec<Item> {
    let unit = measured.cell.config.task.unit();
    let figure = |title: &str, label: String, pick: fn(&Validation) -> Option<f64>| {
        Item::Figure(Figure {
            title: title.into(),
            caption: "Mean over fresh seeds, with a band of one standard deviation.".into(),
            x: Axis::linear("step"),
            y: Axis::linear(label),
            series: measured
                .rows
                .iter()
                .flat_map(|row| curve(row, pick))
                .collect(),
        })
    };
    vec![
        Item::Table(table(measured)),
        figure("Held-out loss", format!("loss (nats per {unit})"), |v| {
            Some(v.loss)
        }),
        figure("Training loss", format!("loss (nats per {unit})"), |v| {
            v.train_loss
        }),
    ]
}

/// The mean over seeds of what is picked, and a band of one standard deviation.
fn curve(row: &Row, pick: fn(&Validation) -> Option<f64>) -> Vec<Series> {
    let whole: Vec<&RunResult> = row
        .finals
        .iter()
        .filter(|r| r.diverged_at.is_none())
        .collect();
    let Some(first) = whole.first() else {
        return Vec::new();
    };
    let mut points = Vec::new();
    // Step 0, the same for all, would flatten the rest.
    for (i, validation) in first.curve.iter().enumerate().skip(1) {
        let at = whole.iter().filter_map(|run| pick(run.curve.get(i)?));
        let values: Vec<f64> = at.collect();
        if !values.is_empty() {
            let (mean, sd) = mean_sd(&values);
            points.push((validation.step as f64, mean, sd));
        }
    }
    let band: Vec<_> = points
        .iter()
        .map(|(x, mean, sd)| (*x, mean - sd, mean + sd))
        .collect();
    let line = points.iter().map(|(x, mean, _)| (*x, *mean)).collect();
    vec![
        Series::band(row.optimizer.clone(), &band),
        Series::line(row.optimizer.clone(), line),
    ]
}

fn table(measured: &Measured) -> Table {
    let scores: BTreeSet<&String> = (measured.rows.iter())
        .flat_map(|row| &row.finals)
        .flat_map(|run| run.scores.keys())
        .collect();
    let spread = |x: Vec<f64>, scale: f64, digits: usize| match x.is_empty() {
        true => "–".to_string(),
        false => {
            let (mean, sd) = mean_sd(&x);
            format!("{:.digits$} ± {:.digits$}", scale * mean, scale * sd)
        }
    };
    let row = |row: &Row| {
        let of = |name: &str| -> Vec<f64> {
            row.finals
                .iter()
                .filter_map(|run| run.metric(name))
                .collect()
        };
        let or_dash = |x: Option<f64>| x.map_or("–".into(), |x| format!("{x:.3e}"));
        let mut cells = vec![
            row.optimizer.clone(),
            row.against_winner(),
            spread(of("loss"), 1.0, 4),
            spread(of("train_loss"), 1.0, 4),
            spread(of("accuracy"), 100.0, 2),
        ];
        cells.extend(scores.iter().map(|name| spread(of(name), 1.0, 2)));
        cells.extend([
            format!(
                "{}{}",
                or_dash(row.learning_rate),
                if row.at_edge { " (edge)" } else { "" }
            ),
            or_dash(row.threshold),
            format!("{:.1} %", 100.0 * row.clip_rate),
        ]);
        cells
    };
    let mut header = strings([
        "optimizer",
        "by loss",
        "loss",
        "training loss",
        "accuracy (%)",
    ]);
    header.extend(scores.iter().map(|name| name.replace('_', " ")));
    header.extend(strings(["learning rate", "threshold", "clipped"]));
    let compare = &measured.cell.config.compare;
    Table {
        caption: format!(
            "{} settings of each optimizer were tried on one seed, chosen by {}, and run again on {} fresh seeds: mean ± \
             standard deviation; the training loss is that of the steps since the last validation but one. Paired t-tests against the best by loss, Holm-adjusted. (edge): the best learning \
             rate was the smallest or the largest tried.",
            measured.settings, compare.judge, compare.seeds
        ),
        numeric: (2..header.len()).collect(),
        header,
        rows: measured.rows.iter().map(row).collect(),
        highlight: Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cell, measured, row};

    #[test]
    fn the_table_of_a_race_has_every_score_and_every_optimizer() {
        let here = cell("a", &[]);
        let mut found = measured(&here);
        let mut best = row("x", &[Some(1.0), Some(2.0)]);
        (best.at_edge, best.threshold) = (true, Some(0.25));
        found.rows = vec![best, row("y", &[Some(4.0), None]), row("z", &[])];
        let table = table(&found);
        let header = [
            "optimizer",
            "by loss",
            "loss",
            "training loss",
            "accuracy (%)",
            "masked loss",
            "next accuracy",
            "perplexity",
            "learning rate",
            "threshold",
            "clipped",
        ];
        assert_eq!(table.header, header);
        assert_eq!(table.numeric, (2..11).collect::<Vec<_>>());
        // Of 1 and 2 the standard deviation is 1/√2; of e and e² it is (e² − e)/√2.
        let rows = [
            [
                "x",
                "best",
                "1.5000 ± 0.7071",
                "2.5000 ± 0.7071",
                "37.50 ± 17.68",
                "0.75 ± 0.35",
                "0.15 ± 0.07",
                "5.05 ± 3.30",
                "1.000e-1 (edge)",
                "2.500e-1",
                "50.0 %",
            ],
            [
                "y",
                "diverged on 1 of 2 seeds",
                "4.0000 ± 0.0000",
                "5.0000 ± 0.0000",
                "100.00 ± 0.00",
                "2.00 ± 0.00",
                "0.40 ± 0.00",
                "54.60 ± 0.00",
                "1.000e-1",
                "–",
                "50.0 %",
            ],
            [
                "z", "diverged", "–", "–", "–", "–", "–", "–", "–", "–", "50.0 %",
            ],
        ];
        assert_eq!(table.rows, rows);
        let says = "6 settings of each optimizer were tried on one seed, chosen by loss, and run again on 2 fresh";
        assert!(table.caption.starts_with(says), "{}", table.caption);
    }

    #[test]
    fn curves_are_means_of_the_runs_that_came_to_their_end() {
        let curves = curve(&row("x", &[None, Some(1.0), Some(3.0)]), |v| Some(v.loss));
        // At step 5 the losses are 2 and 6, at step 9 they are 1 and 3; step 0 is left out.
        assert_eq!(curves[1].points, [(5.0, 4.0), (9.0, 2.0)]);
        let sd = 2.0_f64.sqrt();
        for ((x, low), (at, mean, sd)) in curves[0]
            .points
            .iter()
            .zip([(5.0, 4.0, 2.0 * sd), (9.0, 2.0, sd)])
        {
            assert!(*x == at && (low - (mean - sd)).abs() < 1e-12, "{x}: {low}");
        }
        let training = curve(&row("x", &[Some(1.0)]), |v| v.train_loss);
        assert_eq!(training[1].points, [(5.0, 3.0), (9.0, 2.0)]);
        assert!(curve(&row("x", &[None, None]), |v| Some(v.loss)).is_empty());
        assert!(curve(&row("x", &[]), |v| Some(v.loss)).is_empty());
    }
}
