//! The report of `acclip paper`.

use super::number;
use crate::paper::{PaperSummary, Request};
use acclip_paper::Experiment;
use acclip_paper::plan::Recalled;
use acclip_report::{Item, Report, Section};

/// What must be known before a verdict is quoted.
const CAVEATS: &str = "A verdict is about this model, this data and this number of steps. The paper's own scale is \
    larger by orders of magnitude where the scale is `lab`; what is not reproduced here says nothing against it \
    there. Heavy-tailed noise is one explanation of why adaptive methods do well, and it is disputed: rare tokens \
    (Kunstner et al. 2024) and full-batch behaviour (Kunstner et al. 2023) are others. Only SGD, GClip, CClip, \
    ACClip and Adam are compared, under equal budgets of settings and steps.";

/// The command that runs it again.
fn again(request: &Request) -> String {
    let mut command = format!("acclip paper {} --scale {}", request.name, request.scale);
    let mut add = |option: &str, value: &str| {
        let plain = |c: char| c.is_alphanumeric() || "/._-=,".contains(c);
        match value.chars().all(plain) {
            true => command += &format!(" {option} {value}"),
            false => command += &format!(" {option} '{}'", value.replace('\'', r"'\''")),
        }
    };
    let data = &request.data;
    for (option, path) in [
        ("--text", &data.text),
        ("--images", &data.images),
        ("--questions", &data.questions),
        ("--weights", &data.weights),
    ] {
        if let Some(path) = path {
            add(option, &path.to_string_lossy());
        }
    }
    for setting in &request.settings {
        add("--set", setting);
    }
    command
}

/// Verdicts, claims, figures and tables.
pub fn paper_report(request: &Request, summary: &PaperSummary) -> Report {
    let experiment = Experiment::find(&request.name);
    let provenance = &summary.provenance;
    let facts = [
        ("experiment", request.name.clone()),
        ("scale", request.scale.clone()),
        ("seed", provenance.seed.to_string()),
        ("began", provenance.started.clone()),
        (
            "program",
            format!("acclip {} ({})", provenance.version, provenance.commit),
        ),
        ("machine", provenance.machine.clone()),
        ("seconds", number(summary.seconds)),
    ];
    let mut sections = Vec::new();
    if !summary.claims.is_empty() {
        sections.push(Section {
            title: "The claims".into(),
            items: std::iter::once(summary.finding.claims_table())
                .chain(request.plan.recalled.as_ref().map(Recalled::table))
                .map(Item::Table)
                .collect(),
        });
    }
    sections.extend(summary.finding.sections.iter().cloned());
    sections.push(Section {
        title: "What this does and does not show".into(),
        items: vec![Item::Text(CAVEATS.into())],
    });
    sections.push(Section {
        title: "Run it again".into(),
        items: vec![
            Item::Text(
                "The plan, with all data and settings, lies beside this report as config.toml."
                    .into(),
            ),
            Item::Code(again(request)),
        ],
    });
    Report {
        title: experiment.map_or_else(|| request.name.clone(), |one| one.title.to_string()),
        verdict: summary.finding.words(),
        facts: facts
            .map(|(name, value)| (name.to_string(), value))
            .to_vec(),
        sections,
    }
}
