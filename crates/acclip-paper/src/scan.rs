//! Where tails begin: one key of the configuration varied at a time, noise measured at each value on several seeds.
//!
//! ```text
//! ROOT/CELL/scan/KEY=VALUE/seed-S/noise/…
//! ```

use crate::plan::{Axis, Cell, Plan};
use crate::runner::{Noise, measure_noise};
use acclip_noise::Verdict;
use acclip_report::{Axis as Scale, Figure, Item, Section, Series, Table};
use acclip_train::{Config, Control, Dataset, Error, Outcome};
use std::path::Path;

/// The noise at one value of an axis.
pub struct Scanned {
    /// The cell's title.
    pub cell: String,
    /// Which axis.
    pub axis: usize,
    /// The value, for a reader.
    pub value: String,
    /// One measurement a seed.
    pub noise: Vec<Noise>,
}

/// Measures, or reads what was measured before.
pub fn scan(
    plan: &Plan,
    cell: &Cell,
    folder: &Path,
    control: Control,
) -> Result<Outcome<Vec<Scanned>>, Error> {
    let mut all = Vec::new();
    for (axis, of) in plan.axes.iter().enumerate() {
        for value in &of.values {
            let cell = at(cell, of, value)?;
            let value = value.to_string().replace('"', "");
            let folder = folder.join(format!("scan/{}={value}", of.key));
            let dataset = Dataset::load(&cell.config, None)?;
            dataset.check_noise(&cell.config)?;
            dataset.check_memory(&cell.config, 1)?;
            let mut noise = Vec::new();
            for seed in (0..plan.noise_seeds).map(|i| cell.config.seed + i) {
                let folder = folder.join(format!("seed-{seed}"));
                match measure_noise(&cell, seed, &dataset, &folder, control)? {
                    Outcome::Done(found) => noise.extend(found),
                    Outcome::Interrupted => return Ok(Outcome::Interrupted),
                }
            }
            all.push(Scanned {
                cell: cell.title,
                axis,
                value,
                noise,
            });
        }
    }
    Ok(Outcome::Done(all))
}

/// A cell with one key at another value.
fn at(cell: &Cell, axis: &Axis, value: &toml::Value) -> Result<Cell, Error> {
    if let ("step", Some(step)) = (axis.key.as_str(), value.as_integer()) {
        return Ok(Cell {
            noise_at: vec![step as u64],
            ..cell.clone()
        });
    }
    let settings = [format!("{}={value}", axis.key)];
    let text = cell.config.to_toml();
    Ok(Cell {
        noise_at: vec![0],
        config: Config::resolve(None, Some((&cell.name, &text)), &settings)?,
        ..cell.clone()
    })
}

/// A figure and a table for every axis.
pub fn section(plan: &Plan, all: &[&Scanned]) -> Section {
    let items = plan.axes.iter().enumerate().flat_map(|(i, axis)| {
        let of: Vec<&Scanned> = all.iter().copied().filter(|s| s.axis == i).collect();
        [
            Item::Figure(figure(axis, &of)),
            Item::Table(table(axis, &of)),
        ]
    });
    Section {
        title: "Where tails begin".into(),
        items: std::iter::once(Item::Text(words(plan, all)))
            .chain(items)
            .collect(),
    }
}

/// Settings at which every seed finds infinite variance.
fn words(plan: &Plan, all: &[&Scanned]) -> String {
    let infinite = all.iter().filter(|scanned| {
        let verdicts = scanned.noise.iter().map(|noise| noise.diagnosis.verdict);
        verdicts.clone().count() > 0 && verdicts.into_iter().all(|v| v == Verdict::InfiniteVariance)
    });
    let found: Vec<String> = infinite
        .map(|s| format!("{} at {} = {}", s.cell, plan.axes[s.axis].title, s.value))
        .collect();
    match found.is_empty() {
        true => "No setting of the scan has noise of infinite variance on every seed.".into(),
        false => format!("Infinite variance on every seed: {}.", found.join("; ")),
    }
}

/// ξ against the value: the mean over seeds, and a band of the intervals.
fn figure(axis: &Axis, all: &[&Scanned]) -> Figure {
    let mut cells: Vec<&str> = all.iter().map(|s| s.cell.as_str()).collect();
    cells.dedup();
    let mut series = Vec::new();
    for cell in cells {
        let of = all.iter().filter(|s| s.cell == cell).enumerate();
        let points: Vec<(f64, [f64; 3])> = of
            .filter_map(|(i, s)| {
                // A value that is no number has its place in the list.
                let x = s.value.parse().unwrap_or(i as f64);
                Some((x, xi(&s.noise)?))
            })
            .collect();
        let band: Vec<_> = points
            .iter()
            .map(|(x, [_, low, high])| (*x, *low, *high))
            .collect();
        series.push(Series::band(cell, &band));
        series.push(Series::line(
            cell,
            points.iter().map(|(x, xi)| (*x, xi[0])).collect(),
        ));
    }
    Figure {
        title: format!("Tail against {}", axis.title),
        caption: "Extreme-value index ξ of the noise norms: mean over seeds, and the lowest and highest end of their \
                  95 % intervals. 0 or less: light; above ½: infinite variance."
            .into(),
        x: Scale::linear(axis.title.clone()),
        y: Scale::linear("ξ"),
        series,
    }
}

/// Mean ξ, lowest low and highest high.
fn xi(noise: &[Noise]) -> Option<[f64; 3]> {
    let all = noise
        .iter()
        .filter_map(|n| Some(n.diagnosis.evidence.moment?.xi));
    let all: Vec<_> = all.collect();
    let mean = all.iter().map(|xi| xi.estimate).sum::<f64>() / all.len() as f64;
    let low = all.iter().map(|xi| xi.low).fold(f64::INFINITY, f64::min);
    let high = all
        .iter()
        .map(|xi| xi.high)
        .fold(f64::NEG_INFINITY, f64::max);
    (!all.is_empty()).then_some([mean, low, high])
}

fn table(axis: &Axis, all: &[&Scanned]) -> Table {
    let row = |s: &&Scanned| {
        let verdicts: Vec<String> = s
            .noise
            .iter()
            .map(|noise| crate::figures::verdict_name(&noise.diagnosis))
            .collect();
        let spreads = s.noise.iter().map(|noise| noise.diagnosis.evidence.cv);
        let spread = spreads.sum::<f64>() / s.noise.len().max(1) as f64;
        vec![
            s.cell.clone(),
            s.value.clone(),
            verdicts.join("; "),
            xi(&s.noise).map_or("–".into(), |[x, low, high]| {
                format!("{x:.2} [{low:.2}, {high:.2}]")
            }),
            format!("{:.1} %", 100.0 * spread),
        ]
    };
    Table {
        caption: format!("The noise by {}: verdict on each seed.", axis.title),
        header: ["cell", axis.title.as_str(), "verdicts", "ξ", "spread"]
            .map(String::from)
            .to_vec(),
        rows: all.iter().map(row).collect(),
        numeric: vec![1, 3, 4],
        highlight: None,
    }
}
