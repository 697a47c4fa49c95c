//! `acclip noise FILE`: the verdict on norms or gradients that another program wrote.

use crate::args::Noise;
use crate::commands::{default_folder, machine, note, show};
use crate::input::{self, Options, Sample, Shape, Vectors};
use crate::report;
use acclip_noise::stream::{GradientNoise, Layers, Measure};
use acclip_noise::verdict::causes::{Frequencies, is_table};
use acclip_noise::{Diagnosis, GradientDiagnosis, diagnose, diagnose_gradients};
use acclip_train::{Error, write_atomic};
use jiff::Zoned;
use serde::Serialize;
use std::path::Path;

/// What `acclip noise FILE` found.
#[derive(Serialize)]
pub struct FileSummary {
    /// Where the sample comes from.
    pub source: Source,
    /// `light`, `heavy-finite-variance`, `infinite-variance` or `undecided`, with all its grounds.
    #[serde(flatten)]
    pub found: Found,
}

/// Where a sample comes from, and what judged it.
#[derive(Serialize)]
pub struct Source {
    /// The file.
    pub file: String,
    /// `norms` or `gradients`.
    pub holds: &'static str,
    /// How many.
    pub n: usize,
    /// Entries of a gradient; 1 for norms.
    pub dimension: usize,
    /// The program.
    pub version: &'static str,
    /// Its commit.
    pub commit: &'static str,
    /// The machine.
    pub machine: String,
    /// When.
    pub started: String,
}

/// A verdict on norms, or on gradients.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Found {
    /// Norms say nothing about layers or coordinates.
    Norms(Box<Diagnosis>),
    /// Gradients do.
    Gradients(Box<GradientDiagnosis>),
}

impl Found {
    /// The verdict on the norms.
    pub fn whole(&self) -> &Diagnosis {
        match self {
            Self::Norms(diagnosis) => diagnosis,
            Self::Gradients(found) => &found.whole,
        }
    }

    /// The verdict on gradients.
    pub fn gradients(&self) -> Option<&GradientDiagnosis> {
        match self {
            Self::Norms(_) => None,
            Self::Gradients(found) => Some(found),
        }
    }
}

/// Reads, judges, and writes a folder with the report.
pub fn run(file: &Path, args: &Noise) -> Result<(), Error> {
    let options = Options {
        shape: match (args.norms, args.vectors) {
            (true, _) => Some(Shape::Norms),
            (_, true) => Some(Shape::Vectors),
            _ => None,
        },
        column: args.column.clone(),
    };
    let frequencies = args.counts.as_deref().map(counts).transpose()?;
    let mut source = Source {
        file: file.display().to_string(),
        holds: "norms",
        n: 0,
        dimension: 1,
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("ACCLIP_COMMIT"),
        machine: machine(),
        started: Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    };
    let (norms, measured, found) = match input::read(file, &options).map_err(failed)? {
        Sample::Norms(norms) => {
            let diagnosis = diagnose(&norms)?.advised(&norms, args.steps);
            (norms, None, Found::Norms(Box::new(diagnosis)))
        }
        Sample::Vectors(vectors) => {
            (source.holds, source.dimension) = ("gradients", vectors.d());
            let measured = measure(&vectors)?;
            let found = diagnose_gradients(&measured, frequencies, args.steps)?;
            let norms = measured.noise.norms.whole.clone();
            (norms, Some(measured), Found::Gradients(Box::new(found)))
        }
    };
    source.n = norms.len();
    let summary = FileSummary { source, found };

    let folder = args.common.out.clone();
    let folder = folder.unwrap_or_else(|| default_folder("noise", &Zoned::now()));
    let io = |action| {
        let path = folder.clone();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    };
    std::fs::create_dir_all(&folder).map_err(io("create"))?;
    let mut entries = std::fs::read_dir(&folder).map_err(io("list"))?;
    if entries.next().is_some() {
        return Err(Error::RunFolder {
            path: folder,
            problem: "is not empty; name another with --out".into(),
        });
    }
    let seed = args.common.seed.unwrap_or(0);
    let report = report::of_noise_file(&summary, &norms, measured.as_ref(), seed)?;
    let html = acclip_report::to_html(&report);
    let json = serde_json::to_string_pretty(&summary).expect("our own records are valid JSON");
    write_atomic(&folder.join("summary.json"), (json + "\n").as_bytes())?;
    if let Some(measured) = &measured {
        let table = report::norms_table(&measured.grad_norms, &norms);
        let csv = acclip_report::to_csv(&table);
        write_atomic(&folder.join("noise.csv"), csv.as_bytes())?;
    }
    write_atomic(&folder.join("report.html"), html.as_bytes())?;
    note(&format!("report: {}", folder.join("report.html").display()));
    show(&args.common, &summary, report::noise_file_text)
}

/// An unreadable file is an error of the program's own kind.
fn failed(error: input::InputError) -> Error {
    Error::Input(Box::new(error))
}

/// Walks over the rows as often as the measurement wants.
fn measure(vectors: &Vectors) -> Result<GradientNoise, Error> {
    let sizes = vectors.layers().iter();
    let sizes = sizes.map(|(name, range)| (name.clone(), range.len()));
    Measure::run(Layers::from_lengths(sizes)?, is_table, |measure| {
        let mut rows = vectors.rows().map_err(failed)?;
        while let Some(row) = rows.next_row().map_err(failed)? {
            measure.push(row)?;
        }
        Ok(())
    })
}

/// Occurrences of classes, one number a line.
fn counts(file: &Path) -> Result<Frequencies, Error> {
    let options = Options {
        shape: Some(Shape::Norms),
        column: None,
    };
    match input::read(file, &options).map_err(failed)? {
        Sample::Norms(counts) => Ok(Frequencies::new(&counts)?),
        Sample::Vectors(_) => unreachable!("norms were asked for"),
    }
}
