//! Figures and tables of gradient noise.

use super::verdict::{gradient_sections, laws, qq};
use super::{again, facts, number, setting, speed_text};
use crate::commands::NoiseSummary;
use crate::noise_file::FileSummary;
use acclip_data::{Purpose, rng};
use acclip_noise::pictures::growth::variance_growth;
use acclip_noise::pictures::histogram::{Histogram, freedman_diaconis};
use acclip_noise::pictures::reference::{squared_gaussians, squared_stable};
use acclip_noise::stream::GradientNoise;
use acclip_noise::tail::hill::hill_plot;
use acclip_noise::{Diagnosis, Error, Verdict};
use acclip_report::{Axis, Figure, Item, Report, Section, Series, Table};
use acclip_train::compare::stats::median;
use acclip_train::{Config, Measurement};

/// Reference draws in the figures.
const REFERENCE: Purpose = Purpose::new("figures");
/// Tail index of the coordinates of the heavy reference; our choice, the paper prints none.
const STABLE_ALPHA: f64 = 1.5;
/// Most coordinates a reference draw sums.
const MOST_COORDINATES: usize = 10_000;
/// Normal and stable variables drawn for a reference: enough draws for a smooth curve, in a moment.
const BUDGET: usize = 4_000_000;
const GAUSSIAN: &str = "sums of squared Gaussians";
const STABLE: &str = "sums of squared α-stable (α = 1.5)";
const MOST_BINS: usize = 60;

/// Norms that Gaussian and α-stable coordinates would have, at the sample's median.
///
/// The number of coordinates, which the paper does not print, is the one at which the Gaussian
/// reference has the sample's own relative spread: the norm of d normal variables has a coefficient
/// of variation of √(1/(2d)).
pub(super) struct References {
    gaussian: Vec<f64>,
    stable: Vec<f64>,
    pub coordinates: usize,
}

impl References {
    pub fn new(norms: &[f64], cv: f64, seed: u64) -> Result<Self, Error> {
        let d = (0.5 / (cv * cv))
            .round()
            .clamp(1.0, MOST_COORDINATES as f64) as usize;
        let mut generator = rng::stream(seed, REFERENCE, 0, 0);
        let scaled = |squares: Vec<f64>| {
            let roots: Vec<f64> = squares.iter().map(|x| x.sqrt()).collect();
            let factor = median(norms) / median(&roots);
            roots.iter().map(|x| x * factor).collect()
        };
        let n = norms.len().max((BUDGET / d).min(20_000));
        Ok(Self {
            gaussian: scaled(squared_gaussians(n, d, &mut generator)?),
            stable: scaled(squared_stable(n, d, STABLE_ALPHA, &mut generator)?),
            coordinates: d,
        })
    }
}

impl References {
    /// Both samples, with their names in a legend.
    fn named(&self) -> [(&'static str, &Vec<f64>); 2] {
        [(GAUSSIAN, &self.gaussian), (STABLE, &self.stable)]
    }
}

/// Histogram of noise norms with both references drawn over it.
pub(super) fn histogram(
    title: &str,
    norms: &[f64],
    references: &References,
) -> Result<Figure, Error> {
    let bins = freedman_diaconis(norms, MOST_BINS)?;
    let measured = Histogram::new(norms, bins)?;
    let edges = measured.edges();
    let mut series = vec![Series::histogram("measured", &edges, &measured.density())];
    for (name, values) in references.named() {
        // The references in the bins of the sample, and as many more to the right as half its range.
        let (low, high) = (edges[0], edges[edges.len() - 1]);
        let width = measured.width();
        let more = bins.div_ceil(2);
        let mut reference = Histogram::with_range(low, high + more as f64 * width, bins + more)?;
        reference.extend(values)?;
        let centres = reference.edges();
        let centres = centres.windows(2).map(|e| (e[0] + e[1]) / 2.0);
        series.push(Series::dashed(
            name,
            centres.zip(reference.density()).collect(),
        ));
    }
    Ok(Figure {
        title: title.into(),
        caption: String::new(),
        x: Axis::linear("noise norm ‖g − ∇f‖"),
        y: Axis::linear("density"),
        series,
    })
}

/// Empirical variance against sample size, relative to the whole sample's.
pub(super) fn growth(
    samples: &[(String, &[f64])],
    references: &References,
) -> Result<Figure, Error> {
    let curve = |values: &[f64]| -> Result<Vec<(f64, f64)>, Error> {
        let points = variance_growth(values, 60)?;
        let whole = points.last().map_or(1.0, |p| p.variance);
        let relative = points.iter().map(|p| (p.n as f64, p.variance / whole));
        Ok(relative.collect())
    };
    let mut series = Vec::new();
    for (name, values) in samples {
        series.push(Series::line(name.clone(), curve(values)?));
    }
    // References as long as the longest sample.
    let n = samples.iter().map(|(_, values)| values.len()).max();
    for (name, values) in references.named() {
        let part = &values[..n.unwrap_or(0).min(values.len())];
        series.push(Series::dashed(name, curve(part)?));
    }
    Ok(Figure {
        title: "Empirical variance against sample size".into(),
        caption:
            "σ̂²(n) over the variance of the whole sample. With finite variance it settles; with \
                  infinite variance it goes on jumping, as the α-stable reference does."
                .into(),
        x: Axis::log("number of batches n"),
        y: Axis::log("σ̂²(n) / σ̂²(all)"),
        series,
    })
}

/// Hill's tail index against the number of largest norms it rests on.
pub(super) fn hill(samples: &[(String, &[f64])]) -> Result<Figure, Error> {
    let mut series = Vec::new();
    for (name, values) in samples {
        let plot: Vec<_> = hill_plot(values, 60)?
            .into_iter()
            .filter(|p| p.k >= 5)
            .collect();
        let band: Vec<_> = plot
            .iter()
            .map(|p| (p.k as f64, p.alpha.low, p.alpha.high))
            .collect();
        series.push(Series::band(name.clone(), &band));
        let line = plot
            .iter()
            .map(|p| (p.k as f64, p.alpha.estimate))
            .collect();
        series.push(Series::line(name.clone(), line));
    }
    let most = samples
        .iter()
        .map(|(_, values)| values.len())
        .max()
        .unwrap_or(10);
    series.push(Series::dashed(
        "α = 2 (infinite variance below)",
        vec![(5.0, 2.0), (most as f64, 2.0)],
    ));
    Ok(Figure {
        title: "Hill plot".into(),
        caption:
            "Tail index α̂ of the noise norms with 95 % intervals. A power law shows as a level \
                  stretch; a light tail has no index, and α̂ is then large."
                .into(),
        x: Axis::log("number k of largest norms used"),
        y: Axis::log("α̂"),
        series,
    })
}

/// The columns of the noise table after its name.
pub(super) fn noise_header() -> Vec<String> {
    [
        "verdict",
        "batches",
        "spread",
        "kurtosis",
        "outliers",
        "ξ",
        "α (Hill)",
        "α (Moh.)",
    ]
    .map(String::from)
    .to_vec()
}

/// The verdict of a cell in a few words.
pub(super) fn verdict_name(diagnosis: &Diagnosis) -> String {
    match diagnosis.verdict {
        Verdict::Undecided if diagnosis.heavier_than_gaussian => {
            "undecided, but heavier than Gaussian".into()
        }
        verdict => verdict.to_string(),
    }
}

/// The cells of one row of the noise table.
pub(super) fn noise_row(diagnosis: &Diagnosis) -> Vec<String> {
    let e = &diagnosis.evidence;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    let two = |x: f64| format!("{x:.2}");
    vec![
        verdict_name(diagnosis),
        e.n.to_string(),
        format!("{:.1} %", 100.0 * e.cv),
        or_dash(e.excess_kurtosis.map(two)),
        or_dash(e.outliers.map(|o| o.extreme.to_string())),
        or_dash(e.moment.map(|m| m.xi.to_string())),
        or_dash(e.hill.map(|h| format!("{:.1}", h.alpha.estimate))),
        or_dash(e.mohammadi.map(two)),
    ]
}

/// What the columns of the noise table mean.
pub(super) const NOISE_CAPTION: &str = "Noise norms ‖g − ∇f‖. Spread: standard deviation over mean. \
    Kurtosis: excess over the normal law's. Outliers: more than three interquartile ranges above the \
    third quartile. ξ: extreme-value index after Dekkers, Einmahl and de Haan with its 95 % interval \
    (0 or less: light; above ½: infinite variance). α: tail index; Hill's is large where there is no \
    power law. Mohammadi's (Appendix H of the paper) is shown because the paper uses it, and decides \
    nothing: it calls unequal scales heavy-tailed.";

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
        items: vec![setting(config, &summary.corpus)?],
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

/// How the references were made.
pub(super) fn reference_caption(references: &References) -> String {
    format!(
        "Bars: measured. Dashed: norms of vectors of {} Gaussian or α-stable coordinates, scaled to the \
         same median. The number of coordinates is the one at which the Gaussian reference has the \
         measured spread; it and α = {STABLE_ALPHA} are our choice, the paper prints neither.",
        references.coordinates
    )
}
