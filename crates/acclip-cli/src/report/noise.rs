//! Figures and tables of gradient noise.

use super::verdict::{gradient_sections, laws, qq};
use super::{again, facts, number, setting, speed_text};
use crate::commands::NoiseSummary;
use crate::noise_file::FileSummary;
use acclip_noise::stream::GradientNoise;
use acclip_noise::{Diagnosis, Error};
use acclip_paper::figures::{
    NOISE_CAPTION, References, growth, hill, histogram, noise_header, noise_row, reference_caption,
    verdict_name,
};
use acclip_report::{Item, Report, Section, Table};
use acclip_train::{Config, Measurement};

/// Norms, batch by batch.
pub fn norms_table(grad_norms: &[f64], noise_norms: &[f64]) -> Table {
    let rows = grad_norms.iter().zip(noise_norms).enumerate();
    Table {
        header: ["batch", "grad_norm", "noise_norm"]
            .map(String::from)
            .to_vec(),
        rows: rows
            .map(|(i, (g, n))| vec![i.to_string(), g.to_string(), n.to_string()])
            .collect(),
        ..Table::default()
    }
}

/// The figures and the table of one sample of norms.
fn norm_items(diagnosis: &Diagnosis, norms: &[f64], seed: u64) -> Result<Vec<Item>, Error> {
    let references = References::new(norms, diagnosis.evidence.cv, seed)?;
    let sample = [("measured".to_string(), norms)];
    let mut figure = histogram("Noise norms", norms, &references)?;
    figure.caption = reference_caption(&references);
    let mut items = vec![
        Item::Figure(figure),
        Item::Figure(growth(&sample, &references)?),
        Item::Figure(hill(&sample)?),
    ];
    items.extend(qq(norms).map(Item::Figure));
    items.push(Item::Table(Table {
        caption: NOISE_CAPTION.into(),
        header: noise_header(),
        rows: vec![noise_row(diagnosis)],
        numeric: (1..8).collect(),
        highlight: None,
    }));
    items.extend(diagnosis.evidence.mixtures.as_ref().map(laws));
    Ok(items)
}

/// The verdict in words.
fn verdict_words(diagnosis: &Diagnosis) -> Vec<String> {
    let alpha = diagnosis.alpha.map(|a| format!(" Tail index α: {a}."));
    let needed = diagnosis
        .norms_needed
        .map(|n| format!(" About {n} norms in all may decide."));
    vec![
        format!(
            "Verdict: {}.{}{}",
            verdict_name(diagnosis),
            alpha.unwrap_or_default(),
            needed.unwrap_or_default()
        ),
        diagnosis.reason.clone(),
        diagnosis.advice.to_string(),
    ]
}

/// The report of `acclip noise` on a model.
pub fn of_noise(
    config: &Config,
    summary: &NoiseSummary,
    measurement: &Measurement,
) -> Result<Report, acclip_train::Error> {
    let found = &summary.diagnosis;
    let mut items = norm_items(&found.whole, measurement.noise_norms(), config.seed)?;
    items.push(Item::Text(format!(
        "Weights of training step {}; ‖∇f‖ = {}. A finite sample cannot prove an \
         infinite variance; the verdict says what it is consistent with. {}.",
        summary.step,
        number(summary.mean_grad_norm),
        speed_text(&summary.speed)
    )));
    let mut sections = vec![Section {
        title: "The noise".into(),
        items,
    }];
    sections.extend(gradient_sections(found, &measurement.gradients));
    sections.push(Section {
        title: "The setting".into(),
        items: vec![setting(&summary.corpus, &summary.model, summary.parameters)],
    });
    sections.push(again("noise", config));
    Ok(Report {
        title: TITLE.into(),
        verdict: verdict_words(&found.whole),
        facts: facts(&summary.provenance, &summary.corpus),
        sections,
    })
}

/// The report of `acclip noise FILE`.
pub fn of_noise_file(
    summary: &FileSummary,
    norms: &[f64],
    measured: Option<&GradientNoise>,
    seed: u64,
) -> Result<Report, acclip_train::Error> {
    let whole = summary.found.whole();
    let mut sections = vec![Section {
        title: "The noise".into(),
        items: norm_items(whole, norms, seed)?,
    }];
    if let (Some(found), Some(measured)) = (summary.found.gradients(), measured) {
        sections.extend(gradient_sections(found, measured));
    }
    let source = &summary.source;
    let facts = [
        ("file", source.file.clone()),
        ("holds", format!("{} {}", source.n, source.holds)),
        ("entries", source.dimension.to_string()),
        ("began", source.started.clone()),
        (
            "program",
            format!("acclip {} ({})", source.version, source.commit),
        ),
        ("machine", source.machine.clone()),
    ];
    Ok(Report {
        title: TITLE.into(),
        verdict: verdict_words(whole),
        facts: facts
            .map(|(name, value)| (name.to_string(), value))
            .to_vec(),
        sections,
    })
}

const TITLE: &str = "Is the gradient noise heavy-tailed?";
