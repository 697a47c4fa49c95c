//! What a report shows of an experiment: the noise, the races, the settings.

mod noise;
mod race;

use crate::plan::Plan;
use crate::runner::Measured;
use crate::scan::{Scanned, section, words};
use acclip_report::{Item, Section};
use acclip_train::Error;

/// The sections of the report.
///
/// # Errors
/// [`Error::Noise`] for norms of which there is no picture.
pub fn sections(plan: &Plan, all: &[Measured]) -> Result<Vec<Section>, Error> {
    let mut sections = Vec::new();
    if all.iter().any(|m| !m.noise.is_empty()) {
        sections.push(Section {
            title: "The noise".into(),
            items: noise::items(plan, all)?,
        });
        sections.extend(
            all.iter()
                .filter_map(|m| noise::by_layer(m).transpose())
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    for measured in all.iter().filter(|m| !m.rows.is_empty()) {
        sections.push(Section {
            title: format!("{}: training", measured.cell.title),
            items: race::items(measured),
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

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cell, measured, noise, pareto, plan, row};

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

        let items = super::noise::items(&plan(""), &all).unwrap();
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
