//! Where tails begin: one key of the configuration varied at a time, noise measured at each value on several seeds.
//!
//! ```text
//! ROOT/CELL/scan/KEY=VALUE/seed-S/noise/…
//! ROOT/CELL/scan/step/seed-S/…             training steps: one run with all of them
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
    /// One measurement a seed; none where the training had diverged.
    pub noise: Vec<Noise>,
}

/// A cell with one key at another value; of training steps, with all of them, which one training run goes through.
pub struct Variant {
    /// Which axis.
    axis: usize,
    /// The value, for a reader; `None` for training steps.
    value: Option<String>,
    /// Where it is measured, below the folder of the cell.
    folder: String,
    /// What is measured.
    pub cell: Cell,
}

impl Variant {
    /// Does something with the data of the variant: with that of the cell, where they have the same.
    pub fn with_data<T>(
        &self,
        cell: &Cell,
        dataset: &Dataset,
        work: impl FnOnce(&Dataset) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match same_data(&cell.config, &self.cell.config) {
            true => work(dataset),
            false => work(&Dataset::load(&self.cell.config, None)?),
        }
    }
}

/// Whether two configurations differ at most in what no data depend on.
fn same_data(a: &Config, b: &Config) -> bool {
    let mut like = a.clone();
    like.noise = b.noise.clone();
    like.optimizer = b.optimizer.clone();
    let (ours, theirs) = (&mut like.model, &b.model);
    (ours.layers, ours.hidden) = (theirs.layers, theirs.hidden);
    (ours.init_std, ours.dropout) = (theirs.init_std, theirs.dropout);
    like == *b
}

/// Everything that the axes of a plan ask for in a cell.
///
/// # Errors
/// [`Error::Config`] for a key or value that is wrong.
pub fn variants(plan: &Plan, cell: &Cell) -> Result<Vec<Variant>, Error> {
    let mut all = Vec::new();
    for (axis, of) in plan.axes.iter().enumerate() {
        if of.key == STEP {
            let steps = of.values.iter().map(|value| {
                let step = value.as_integer().and_then(|step| u64::try_from(step).ok());
                step.ok_or_else(|| Error::Config {
                    key: format!("axes: {}", of.title),
                    problem: format!("{value} is no training step"),
                })
            });
            let noise_at = steps.collect::<Result<_, _>>()?;
            all.push(Variant {
                axis,
                value: None,
                folder: format!("scan/{STEP}"),
                cell: Cell {
                    noise_at,
                    race: false,
                    ..cell.clone()
                },
            });
            continue;
        }
        for value in &of.values {
            let settings = [format!("{}={value}", of.key)];
            let text = cell.config.to_toml();
            let value = value.to_string().replace('"', "");
            all.push(Variant {
                axis,
                folder: format!("scan/{}={value}", of.key),
                value: Some(value),
                cell: Cell {
                    noise_at: vec![0],
                    race: false,
                    config: Config::resolve(None, Some((&cell.name, &text)), &settings)?,
                    ..cell.clone()
                },
            });
        }
    }
    Ok(all)
}

/// The axis of training steps.
const STEP: &str = "step";

/// Measures, or reads what was measured before.
pub fn scan(
    plan: &Plan,
    cell: &Cell,
    dataset: &Dataset,
    folder: &Path,
    control: Control,
) -> Result<Outcome<Vec<Scanned>>, Error> {
    let mut all = Vec::new();
    for variant in variants(plan, cell)? {
        let folder = folder.join(&variant.folder);
        let measure = |data: &Dataset| {
            let mut noise = Vec::new();
            for seed in (0..plan.noise_seeds).map(|i| cell.config.seed + i) {
                let folder = folder.join(format!("seed-{seed}"));
                match measure_noise(&variant.cell, seed, data, &folder, control)? {
                    Outcome::Done(of) => noise.extend(of.noise),
                    Outcome::Interrupted => return Ok(Outcome::Interrupted),
                }
            }
            Ok(Outcome::Done(noise))
        };
        let Outcome::Done(mut noise) = variant.with_data(cell, dataset, measure)? else {
            return Ok(Outcome::Interrupted);
        };
        for &step in &variant.cell.noise_at {
            all.push(Scanned {
                cell: cell.title.clone(),
                axis: variant.axis,
                value: variant.value.clone().unwrap_or_else(|| step.to_string()),
                noise: noise.extract_if(.., |noise| noise.step == step).collect(),
            });
        }
    }
    Ok(Outcome::Done(all))
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
        items: items.collect(),
    }
}

/// Settings at which every seed finds infinite variance.
pub fn words(plan: &Plan, all: &[&Scanned]) -> String {
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
        let spread = spreads.sum::<f64>() / s.noise.len() as f64;
        vec![
            s.cell.clone(),
            s.value.clone(),
            match s.noise.is_empty() {
                true => "training diverged".into(),
                false => verdicts.join("; "),
            },
            xi(&s.noise).map_or("–".into(), |[x, low, high]| {
                format!("{x:.2} [{low:.2}, {high:.2}]")
            }),
            match s.noise.is_empty() {
                true => "–".into(),
                false => format!("{:.1} %", 100.0 * spread),
            },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cell, even, noise, pareto, plan};

    const AXES: &str = "[[axes]]\ntitle = \"batch\"\nkey = \"noise.batch_size\"\nvalues = [1, 8]\n\
                        [[axes]]\ntitle = \"optimizer\"\nkey = \"optimizer.name\"\nvalues = [\"sgd\", \"adamw\"]\n\
                        [[axes]]\ntitle = \"training\"\nkey = \"step\"\nvalues = [0, 40]\n\
                        [[axes]]\ntitle = \"length\"\nkey = \"model.seq_len\"\nvalues = [32]\n";

    #[test]
    fn one_key_is_varied_at_a_time() {
        let cell = cell("a", &[]);
        let all = variants(&plan(AXES), &cell).unwrap();
        let seen = all.iter().map(|v| {
            let config = &v.cell.config;
            let keys = (
                config.noise.batch_size,
                config.optimizer.name.as_str(),
                config.model.seq_len,
            );
            (v.axis, v.folder.as_str(), v.cell.noise_at.as_slice(), keys)
        });
        type Seen<'a> = (usize, &'a str, &'a [u64], (usize, &'a str, usize));
        let expected: [Seen; 6] = [
            (0, "scan/noise.batch_size=1", &[0], (1, "acclip", 16)),
            (0, "scan/noise.batch_size=8", &[0], (8, "acclip", 16)),
            (1, "scan/optimizer.name=sgd", &[0], (4, "sgd", 16)),
            (1, "scan/optimizer.name=adamw", &[0], (4, "adamw", 16)),
            (2, "scan/step", &[0, 40], (4, "acclip", 16)),
            (3, "scan/model.seq_len=32", &[0], (4, "acclip", 32)),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        // Only the length of a sequence asks for other data.
        let same = all.iter().map(|v| same_data(&cell.config, &v.cell.config));
        assert_eq!(
            same.collect::<Vec<_>>(),
            [true, true, true, true, true, false]
        );
        let problem = |from: &str, to: &str| {
            let plan = plan(&AXES.replace(from, to));
            variants(&plan, &cell).err().unwrap().to_string()
        };
        assert!(problem("[0, 40]", "[0, -4]").contains("axes: training: -4 is no training step"));
        assert!(problem("[1, 8]", "[0, 8]").contains("noise.batch_size"));
        assert!(problem("noise.batch_size", "noise.batch").contains("did you mean 'noise.batch"));
    }

    /// Values of two axes in two cells: light, but for one value that is heavy on every seed, and one that is on some.
    fn scanned() -> Vec<Scanned> {
        let of = |cell: &str, axis: usize, value: &str, alphas: &[Option<f64>]| Scanned {
            cell: cell.into(),
            axis,
            value: value.into(),
            noise: (0..)
                .zip(alphas)
                .map(|(seed, alpha)| match alpha {
                    Some(alpha) => noise(0, seed, &pareto(*alpha, 2000), &[]),
                    None => noise(0, seed, &even(2000), &[]),
                })
                .collect(),
        };
        vec![
            of("A", 0, "1", &[Some(1.2), Some(1.3)]),
            of("A", 0, "8", &[Some(1.2), None]),
            of("A", 1, "sgd", &[None, None]),
            of("A", 1, "adamw", &[None, None]),
            of("B", 0, "1", &[None, None]),
            of("B", 0, "8", &[]),
            of("B", 1, "sgd", &[None, None]),
            of("B", 1, "adamw", &[None, None]),
        ]
    }

    #[test]
    fn a_setting_is_named_where_every_seed_finds_infinite_variance() {
        let all = scanned();
        let all: Vec<&Scanned> = all.iter().collect();
        let plan = plan(AXES);
        assert_eq!(
            words(&plan, &all),
            "Infinite variance on every seed: A at batch = 1."
        );
        let none = "No setting of the scan has noise of infinite variance on every seed.";
        assert_eq!(words(&plan, &all[1..]), none);
    }

    #[test]
    fn every_axis_has_its_figure_and_table() {
        let all = scanned();
        let all: Vec<&Scanned> = all.iter().collect();
        let mut two = plan(AXES);
        two.axes.truncate(2);
        let section = section(&two, &all);
        assert_eq!(section.items.len(), 4);
        let [
            Item::Figure(batch),
            Item::Table(rows),
            Item::Figure(optimizer),
            Item::Table(_),
        ] = &section.items[..]
        else {
            panic!("a figure and a table for each axis")
        };
        let places = |figure: &Figure| -> Vec<(String, Vec<f64>)> {
            let lines = figure.series.iter().skip(1).step_by(2);
            lines
                .map(|s| (s.name.clone(), s.points.iter().map(|(x, _)| *x).collect()))
                .collect()
        };
        // A number is its own place; a name has that in the list; what was not measured has none.
        assert_eq!(
            places(batch),
            [("A".into(), vec![1.0, 8.0]), ("B".into(), vec![1.0])]
        );
        assert_eq!(
            places(optimizer),
            [("A".into(), vec![0.0, 1.0]), ("B".into(), vec![0.0, 1.0])]
        );
        // The mean over seeds: ξ is 1/α; the band reaches from the lowest to the highest end.
        let (_, mean) = batch.series[1].points[0];
        assert!(
            (mean - (1.0 / 1.2 + 1.0 / 1.3) / 2.0).abs() < 0.05,
            "{mean}"
        );
        let one = |norms: &[f64]| xi(&[noise(0, 0, norms, &[])]).unwrap();
        let (heavy, lighter) = (one(&pareto(1.2, 2000)), one(&pareto(1.3, 2000)));
        let both = xi(&all[0].noise).unwrap();
        assert_eq!(
            both[1..],
            [lighter[1].min(heavy[1]), lighter[2].max(heavy[2])]
        );
        assert!((both[0] - (heavy[0] + lighter[0]) / 2.0).abs() < 1e-12);
        let verdicts: Vec<&str> = rows.rows.iter().map(|row| row[2].as_str()).collect();
        let expected = [
            "infinite-variance; infinite-variance",
            "infinite-variance; light",
            "light; light",
            "training diverged",
        ];
        assert_eq!(verdicts, expected);
        assert_eq!(rows.rows[3][3..], ["–", "–"]);
    }
}
