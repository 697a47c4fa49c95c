//! The noise of an experiment: densities, growth, tails, entries, and layers.

use super::strings;
use crate::figures::{
    NOISE_CAPTION, References, growth, hill, histogram, noise_header, noise_row, overlay,
    verdict_name,
};
use crate::plan::Plan;
use crate::runner::{Measured, Noise};
use acclip_noise::diagnose;
use acclip_report::{Axis, Figure, Item, Section, Series, Table};
use acclip_train::Error;

/// Layers in a table of tails by layer: those with the largest share of the noise.
const MOST_LAYERS: usize = 24;
/// Layers whose densities are drawn: again those with the largest share.
const DRAWN_LAYERS: usize = 6;

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

/// Pictures and the table of the noise of all cells.
pub(super) fn items(plan: &Plan, all: &[Measured]) -> Result<Vec<Item>, Error> {
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
pub(super) fn by_layer(measured: &Measured) -> Result<Option<Section>, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cell, even, measured, noise, pareto};

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
}
