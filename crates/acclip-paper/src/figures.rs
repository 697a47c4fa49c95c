//! Figures and tables of gradient noise.

use acclip_data::{Purpose, rng};
use acclip_noise::pictures::growth::variance_growth;
use acclip_noise::pictures::histogram::{Histogram, freedman_diaconis};
use acclip_noise::pictures::reference::{squared_gaussians, squared_stable};
use acclip_noise::tail::hill::hill_plot;
use acclip_noise::{Diagnosis, Error, Verdict};
use acclip_report::{Axis, Figure, Series};
use acclip_train::compare::stats::median;

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
pub struct References {
    gaussian: Vec<f64>,
    stable: Vec<f64>,
    /// Coordinates of each vector.
    pub coordinates: usize,
}

impl References {
    /// References for `norms`, whose coefficient of variation is `cv`.
    ///
    /// # Errors
    /// Those of [`squared_gaussians`].
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
///
/// # Errors
/// [`Error`] for norms of which there is no picture.
pub fn histogram(title: &str, norms: &[f64], references: &References) -> Result<Figure, Error> {
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
///
/// # Errors
/// [`Error`] for norms of which there is no picture.
pub fn growth(samples: &[(String, &[f64])], references: &References) -> Result<Figure, Error> {
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
///
/// # Errors
/// [`Error`] for norms of which there is no picture.
pub fn hill(samples: &[(String, &[f64])]) -> Result<Figure, Error> {
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
pub fn noise_header() -> Vec<String> {
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
pub fn verdict_name(diagnosis: &Diagnosis) -> String {
    match diagnosis.verdict {
        Verdict::Undecided if diagnosis.heavier_than_gaussian => {
            "undecided, but heavier than Gaussian".into()
        }
        verdict => verdict.to_string(),
    }
}

/// The cells of one row of the noise table.
pub fn noise_row(diagnosis: &Diagnosis) -> Vec<String> {
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
pub const NOISE_CAPTION: &str = "Noise norms ‖g − ∇f‖. Spread: standard deviation over mean. \
    Kurtosis: excess over the normal law's. Outliers: more than three interquartile ranges above the \
    third quartile. ξ: extreme-value index after Dekkers, Einmahl and de Haan with its 95 % interval \
    (0 or less: light; above ½: infinite variance). α: tail index; Hill's is large where there is no \
    power law. Mohammadi's (Appendix H of the paper) is shown because the paper uses it, and decides \
    nothing: it calls unequal scales heavy-tailed.";

/// How the references were made.
pub fn reference_caption(references: &References) -> String {
    format!(
        "Bars: measured. Dashed: norms of vectors of {} Gaussian or α-stable coordinates, scaled to the \
         same median. The number of coordinates is the one at which the Gaussian reference has the \
         measured spread; it and α = {STABLE_ALPHA} are our choice, the paper prints neither.",
        references.coordinates
    )
}

/// Densities of several samples of norms, each in units of its own mean, over one another.
///
/// # Errors
/// [`Error`] for norms of which there is no picture.
pub fn overlay(title: &str, samples: &[(String, &[f64])]) -> Result<Figure, Error> {
    let relative = |norms: &[f64]| -> Vec<f64> {
        let mean = norms.iter().sum::<f64>() / norms.len() as f64;
        norms.iter().map(|x| x / mean).collect()
    };
    let samples: Vec<(String, Vec<f64>)> = samples
        .iter()
        .map(|(name, norms)| (name.clone(), relative(norms)))
        .collect();
    let all = samples.iter().flat_map(|(_, x)| x);
    let high = all.fold(0.0_f64, |high, x| high.max(*x));
    let mut series = Vec::new();
    for (name, norms) in &samples {
        let bins = freedman_diaconis(norms, MOST_BINS)?;
        let mut histogram = Histogram::with_range(0.0, high, bins.max(20))?;
        histogram.extend(norms)?;
        let edges = histogram.edges();
        let centres = edges.windows(2).map(|e| (e[0] + e[1]) / 2.0);
        let points = centres.zip(histogram.density()).collect();
        series.push(Series::line(name.clone(), points));
    }
    Ok(Figure {
        title: title.into(),
        caption: "Densities of the noise norms at several steps, each in units of its own mean."
            .into(),
        x: Axis::linear("noise norm over its mean"),
        y: Axis::linear("density"),
        series,
    })
}
