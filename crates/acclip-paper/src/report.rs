//! What a report shows of an experiment: the noise, the races, the settings.

use crate::figures::{
    NOISE_CAPTION, References, growth, hill, histogram, noise_header, noise_row, overlay,
    verdict_name,
};
use crate::plan::Plan;
use crate::runner::{Measured, Noise};
use crate::scan::{Scanned, section, words};
use acclip_noise::diagnose;
use acclip_report::{Axis, Figure, Item, Section, Series, Table};
use acclip_train::compare::stats::mean_sd;
use acclip_train::compare::summary::Row;
use acclip_train::{Error, RunResult, Validation};
use std::collections::BTreeSet;

/// Layers in a table of tails by layer: those with the largest share of the noise.
const MOST_LAYERS: usize = 24;
/// Layers whose densities are drawn: again those with the largest share.
const DRAWN_LAYERS: usize = 6;

/// The sections of the report.
///
/// # Errors
/// [`Error::Noise`] for norms of which there is no picture.
pub fn sections(plan: &Plan, all: &[Measured]) -> Result<Vec<Section>, Error> {
    let mut sections = Vec::new();
    if all.iter().any(|m| !m.noise.is_empty()) {
        sections.push(Section {
            title: "The noise".into(),
            items: noise_items(plan, all)?,
        });
        sections.extend(
            all.iter()
                .filter_map(|m| by_layer(m).transpose())
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    for measured in all.iter().filter(|m| !m.rows.is_empty()) {
        sections.push(Section {
            title: format!("{}: training", measured.cell.title),
            items: race_items(measured),
        });
    }
    let scanned = scanned(all);
    if !scanned.is_empty() {
        sections.push(section(plan, &scanned));
    }
    sections.push(Section {
        title: "The settings".into(),
        items: all.iter().map(setting).collect(),
    });
    Ok(sections)
}

fn scanned<'a>(all: &'a [Measured]) -> Vec<&'a Scanned> {
    all.iter().flat_map(|m| &m.scanned).collect()
}

/// What was found beside the claims: where tails begin, and which trainings diverged.
pub fn remarks(plan: &Plan, all: &[Measured]) -> Vec<String> {
    let scanned = scanned(all);
    let scan = (!scanned.is_empty()).then(|| words(plan, &scanned));
    let diverged = all.iter().flat_map(|m| {
        m.diverged.iter().map(|(seed, step)| {
            format!(
                "{}: on seed {seed} training diverged at step {step}, and there is no noise from there on.",
                m.cell.title
            )
        })
    });
    scan.into_iter().chain(diverged).collect()
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

/// The measurement of a cell in a few words.
fn name(measured: &Measured, noise: &Noise) -> String {
    let title = &measured.cell.title;
    match measured.cell.noise_at.len() {
        1 if noise.step == 0 => title.clone(),
        _ => format!("{title}, step {}", noise.step),
    }
}

/// The first seed's measurements of every cell.
fn first_seed<'a>(measured: &'a Measured) -> impl Iterator<Item = &'a Noise> {
    let seed = measured.noise.first().map(|noise| noise.seed);
    let noise = measured.noise.iter();
    noise.filter(move |noise| Some(noise.seed) == seed)
}

fn noise_items(plan: &Plan, all: &[Measured]) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let mut grid = Vec::new();
    let mut samples: Vec<(String, &[f64])> = Vec::new();
    for measured in all {
        for noise in first_seed(measured) {
            let norms = noise.measurement.noise_norms();
            let references = References::new(norms, noise.diagnosis.evidence.cv, noise.seed)?;
            grid.push(histogram(&name(measured, noise), norms, &references)?);
            samples.push((name(measured, noise), norms));
        }
    }
    items.push(Item::Grid {
        caption: "Noise norms ‖g − ∇f‖. Bars: measured. Dashed: norms of Gaussian or α-stable (α = 1.5, our choice) \
                  vectors, scaled to the same median, with as many coordinates as give the Gaussian ones the \
                  measured spread."
            .into(),
        columns: 2,
        figures: grid,
    });
    for measured in all.iter().filter(|m| m.cell.noise_at.len() > 1) {
        let steps: Vec<(String, &[f64])> = first_seed(measured)
            .map(|noise| {
                (
                    format!("step {}", noise.step),
                    noise.measurement.noise_norms(),
                )
            })
            .collect();
        items.push(Item::Figure(overlay(&measured.cell.title, &steps)?));
    }
    if let Some(noise) = all.iter().find_map(|m| m.noise.first()) {
        let norms = noise.measurement.noise_norms();
        let references = References::new(norms, noise.diagnosis.evidence.cv, noise.seed)?;
        items.push(Item::Figure(growth(&samples, &references)?));
    }
    items.push(Item::Figure(hill(&samples)?));
    let rows = all.iter().flat_map(|measured| {
        measured.noise.iter().map(|noise| {
            let who = vec![name(measured, noise), noise.seed.to_string()];
            [who, noise_row(&noise.diagnosis)].concat()
        })
    });
    items.push(Item::Table(Table {
        caption: NOISE_CAPTION.into(),
        header: [strings(["cell", "seed"]), noise_header()].concat(),
        rows: rows.collect(),
        numeric: (3..10).collect(),
        highlight: None,
    }));
    let entries = all
        .iter()
        .flat_map(|m| first_seed(m).filter_map(move |noise| entries(m, noise)));
    let figures: Vec<Figure> = entries.collect();
    if !figures.is_empty() {
        items.push(Item::Grid {
            caption: "The noise of one gradient across its entries (Figure 5c): as it is, and in each entry’s own unit. \
                      If only the first is heavy, scales differ across entries."
                .into(),
            columns: 2,
            figures,
        });
    }
    if plan.noise_seeds > 1 {
        items.push(Item::Text("Figures show the first seed.".into()));
    }
    Ok(items)
}

/// The entries of one gradient's noise, as they are and in their own unit, as densities.
fn entries(measured: &Measured, noise: &Noise) -> Option<Figure> {
    let snapshot = noise.measurement.gradients.snapshot.as_ref()?;
    let mut series = Vec::new();
    for (label, values) in [
        ("as they are", &snapshot.raw_sample),
        ("in their own units", &snapshot.standardised_sample),
    ] {
        let scaled = acclip_noise::pictures::moments::Moments::of(values)
            .finalize()
            .ok()?;
        let sd = scaled.variance?.sqrt();
        let mut histogram =
            acclip_noise::pictures::histogram::Histogram::with_range(-8.0, 8.0, 64).ok()?;
        let values: Vec<f64> = values.iter().map(|x| x / sd).collect();
        histogram.extend(&values).ok()?;
        let edges = histogram.edges();
        let centres = edges.windows(2).map(|e| (e[0] + e[1]) / 2.0);
        let density = histogram.density();
        let seen = centres.zip(density).filter(|(_, density)| *density > 0.0);
        series.push(Series::line(label, seen.collect()));
    }
    let normal = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let grid = (-16..=16).map(|i| f64::from(i) / 4.0);
    series.push(Series::dashed(
        "normal law",
        grid.map(|x| (x, normal(x))).collect(),
    ));
    Some(Figure {
        title: name(measured, noise),
        caption: String::new(),
        x: Axis::linear("entry of the noise over its standard deviation"),
        y: Axis::log("density"),
        series,
    })
}

/// Verdicts by layer, a column a step.
fn by_layer(measured: &Measured) -> Result<Option<Section>, Error> {
    let steps: Vec<&Noise> = first_seed(measured).collect();
    let Some(first) = steps.first() else {
        return Ok(None);
    };
    let gradients = &first.measurement.gradients;
    if gradients.layers.len() < 2 {
        return Ok(None);
    }
    let share = |layer: usize| {
        let squares = gradients.noise.norms.layers[layer].iter().map(|x| x * x);
        squares.sum::<f64>()
    };
    let mut largest: Vec<usize> = (0..gradients.layers.len()).collect();
    largest.sort_by(|a, b| share(*b).total_cmp(&share(*a)));
    let in_order = |most: usize| {
        let mut layers = largest[..most.min(largest.len())].to_vec();
        layers.sort_unstable();
        layers
    };
    let mut rows = Vec::new();
    for layer in in_order(MOST_LAYERS) {
        let mut row = vec![
            gradients.layers[layer].clone(),
            gradients.layer_sizes[layer].to_string(),
        ];
        for noise in &steps {
            let norms = &noise.measurement.gradients.noise.norms.layers[layer];
            row.push(match diagnose(norms) {
                Ok(found) => {
                    let xi = found
                        .evidence
                        .moment
                        .map_or("–".into(), |m| m.xi.to_string());
                    format!("{}, ξ {xi}", verdict_name(&found))
                }
                Err(_) => "does not move".into(),
            });
        }
        rows.push(row);
    }
    let mut header = strings(["layer", "entries"]);
    header.extend(steps.iter().map(|noise| format!("step {}", noise.step)));
    let mut items = vec![Item::Table(Table {
        caption: format!(
            "Verdicts on the norm of each layer’s noise, for the {MOST_LAYERS} layers with most of it; ξ is the \
             extreme-value index. Of many layers a few are misjudged."
        ),
        header,
        rows,
        numeric: vec![1],
        highlight: None,
    })];
    if steps.len() > 1 {
        items.push(Item::Grid {
            caption: format!(
                "Densities of the noise norms of single layers at several steps, each in units of its own mean: the \
                 {DRAWN_LAYERS} layers with most noise at step {}.",
                first.step
            ),
            columns: 2,
            figures: layer_overlays(&steps, &in_order(DRAWN_LAYERS))?,
        });
    }
    Ok(Some(Section {
        title: format!("{}: by layer", measured.cell.title),
        items,
    }))
}

/// The overlay of Figure 2 for single layers; steps at which a layer does not move are left out.
fn layer_overlays(steps: &[&Noise], layers: &[usize]) -> Result<Vec<Figure>, Error> {
    let figure = |&layer: &usize| {
        let moves = |norms: &[f64]| norms.iter().any(|norm| *norm > 0.0);
        let samples: Vec<(String, &[f64])> = steps
            .iter()
            .map(|noise| (noise.step, &noise.measurement.gradients.noise))
            .map(|(step, noise)| (format!("step {step}"), &*noise.norms.layers[layer]))
            .filter(|(_, norms)| moves(norms))
            .collect();
        let title = &steps[0].measurement.gradients.layers[layer];
        (!samples.is_empty()).then(|| {
            let figure = overlay(title, &samples)?;
            Ok(Figure {
                caption: String::new(), // that of the grid
                ..figure
            })
        })
    };
    layers.iter().filter_map(figure).collect()
}

/// Table and curves of a race.
fn race_items(measured: &Measured) -> Vec<Item> {
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
        Item::Table(race_table(measured)),
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

fn race_table(measured: &Measured) -> Table {
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

/// The data and the model of a cell, in a sentence each.
fn setting(measured: &Measured) -> Item {
    let (facts, (model, parameters)) = (&measured.facts, &measured.model);
    let train = &measured.cell.config.train;
    Item::Text(format!(
        "{}. Data: {} — {}; {} labels; {} training and {} held-out examples. Model: {model}; {parameters} parameters. \
         Training: {} steps of {} examples.",
        measured.cell.title,
        facts.source,
        facts.content,
        facts.labels,
        facts.train_examples,
        facts.valid_examples,
        train.steps,
        train.batch_size * train.accumulate
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cell, even, measured, noise, pareto, plan, row};

    #[test]
    fn the_table_of_a_race_has_every_score_and_every_optimizer() {
        let here = cell("a", &[]);
        let mut found = measured(&here);
        let mut best = row("x", &[Some(1.0), Some(2.0)]);
        (best.at_edge, best.threshold) = (true, Some(0.25));
        found.rows = vec![best, row("y", &[Some(4.0), None]), row("z", &[])];
        let table = race_table(&found);
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

    #[test]
    fn layers_are_those_with_most_noise_in_the_order_of_the_model() {
        let here = cell("a", &[0, 5]);
        let mut found = measured(&here);
        let names: Vec<String> = (0..30).map(|i| format!("layer {i}")).collect();
        // Every fifth layer has next to no noise; the one before the last has none.
        let share = |i: usize| match i {
            28 => 0.0,
            i if i % 5 == 0 => 1e-9,
            _ => 1.0,
        };
        let layers: Vec<(&str, f64)> = (0..30).map(|i| (names[i].as_str(), share(i))).collect();
        for (step, seed, norms) in [
            (0, 3, even(500)),
            (5, 3, pareto(1.2, 500)),
            (0, 4, pareto(1.2, 500)),
        ] {
            found.noise.push(noise(step, seed, &norms, &layers));
        }
        let section = by_layer(&found).unwrap().unwrap();
        let Item::Table(table) = &section.items[0] else {
            panic!("a table is the only item")
        };
        assert_eq!(table.header, ["layer", "entries", "step 0", "step 5"]);
        let shown: Vec<&str> = table.rows.iter().map(|row| row[0].as_str()).collect();
        // 23 layers with noise, and one of those with little: the first of equals.
        let expected: Vec<&str> = (0..30)
            .filter(|i| share(*i) == 1.0 || *i == 0)
            .map(|i| names[i].as_str())
            .collect();
        assert_eq!(shown, expected);
        for row in &table.rows {
            assert!(row[2].starts_with("light, ξ"), "{row:?}");
            assert!(row[3].starts_with("infinite-variance, ξ"), "{row:?}");
        }
        let Item::Grid { figures, .. } = &section.items[1] else {
            panic!("the densities come after the table")
        };
        let drawn: Vec<&str> = figures.iter().map(|figure| figure.title.as_str()).collect();
        assert_eq!(drawn, expected[1..7]);
        for figure in figures {
            let names: Vec<&str> = figure.series.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(names, ["step 0", "step 5"]);
        }
        found.noise.truncate(0);
        assert!(by_layer(&found).unwrap().is_none());
        found
            .noise
            .push(noise(0, 3, &even(99), &[("a", 1.0), ("b", 0.0)]));
        let section = by_layer(&found).unwrap().unwrap();
        let Item::Table(table) = &section.items[0] else {
            panic!("a table is the only item")
        };
        assert_eq!(table.rows[1], ["b", "1", "does not move"]);
        assert_eq!(
            section.items.len(),
            1,
            "with one step there is nothing to lay over"
        );
    }

    #[test]
    fn sections_are_of_what_was_measured() {
        let (noisy, raced) = (cell("a", &[0, 5]), cell("b", &[]));
        let mut all = [measured(&noisy), measured(&raced)];
        let titles = |all: &[Measured]| -> Vec<String> {
            let sections = sections(&plan(""), all).unwrap().into_iter();
            sections.map(|section| section.title).collect()
        };
        assert_eq!(titles(&all), ["The settings"]);
        for step in [0, 5] {
            all[0]
                .noise
                .push(noise(step, 3, &pareto(3.0, 200), &[("l", 0.5), ("m", 0.5)]));
        }
        all[1].rows = vec![row("x", &[Some(1.0), Some(2.0)])];
        let expected = [
            "The noise",
            "Cell a: by layer",
            "Cell b: training",
            "The settings",
        ];
        assert_eq!(titles(&all), expected);
        assert!(remarks(&plan(""), &all).is_empty());
        all[0].diverged = vec![(3, 7)];
        let says =
            "Cell a: on seed 3 training diverged at step 7, and there is no noise from there on.";
        assert_eq!(remarks(&plan(""), &all), [says]);

        let items = noise_items(&plan(""), &all).unwrap();
        let Item::Grid { figures, .. } = &items[0] else {
            panic!("histograms come first")
        };
        let names: Vec<&str> = figures.iter().map(|figure| figure.title.as_str()).collect();
        assert_eq!(names, ["Cell a, step 0", "Cell a, step 5"]);
        let Item::Text(text) = setting(&all[1]) else {
            panic!("a setting is a text")
        };
        let says = "Model: a model; 12 parameters. Training: 6 steps of 4 examples.";
        assert!(
            text.starts_with("Cell b. Data: here — much;") && text.ends_with(says),
            "{text}"
        );
    }
}
