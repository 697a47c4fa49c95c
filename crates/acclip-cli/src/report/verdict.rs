//! What stands behind a verdict: the laws, the layers, single coordinates, causes; and how often it is right.

use super::number;
use crate::calibration::Calibration;
use acclip_noise::GradientDiagnosis;
use acclip_noise::fit::{Symmetry, mcculloch::mcculloch};
use acclip_noise::mixture::Mixtures;
use acclip_noise::pictures::qq::{Qq, qq as quantiles, qq_normal};
use acclip_noise::stable::Stable;
use acclip_noise::stream::GradientNoise;
use acclip_noise::verdict::battery::Tail;
use acclip_noise::verdict::causes::Cause;
use acclip_paper::figures::{NOISE_CAPTION, noise_header, noise_row, verdict_name};
use acclip_report::{Axis, Figure, Item, Section, Series, Table};

/// Points of a QQ plot.
const QQ_POINTS: usize = 200;
/// Most values of a QQ plot; of a larger sample, evenly spaced ones in order.
const QQ_VALUES: usize = 2000;

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".into())
}

/// The six laws, best first.
pub(super) fn laws(mixtures: &Mixtures) -> Item {
    let mut fits: Vec<_> = mixtures.fits.iter().collect();
    fits.sort_by(|a, b| a.delta_aic.total_cmp(&b.delta_aic));
    let row = |fit: &&acclip_noise::mixture::Fit| {
        vec![
            fit.mixing.title().to_string(),
            or_dash(fit.alpha.map(|alpha| alpha.to_string())),
            number(fit.dimension),
            format!("{:.1}", 0.5 * fit.delta_aic),
            format!("{:.1} %", 100.0 * fit.weight),
            format!("{:.2}", fit.distance),
        ]
    };
    Item::Table(Table {
        caption: "Six laws of the noise norms, fitted by maximum likelihood. α: tail index with its 95 % \
                  interval. d: effective dimension. Nats: penalised log-likelihood behind the best. Weight: \
                  Akaike’s. √n·KS: Kolmogorov’s distance; above 1.25 the law does not fit."
            .into(),
        header: strings(["law", "α", "d", "nats", "weight", "√n·KS"]),
        rows: fits.iter().map(row).collect(),
        numeric: (1..6).collect(),
        highlight: Some(0),
    })
}

/// A sample beside the normal and a stable law; nothing for a sample with tied quartiles.
pub(super) fn qq(values: &[f64]) -> Option<Figure> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let kept = sorted.len().min(QQ_VALUES);
    let kept: Vec<f64> = (0..kept)
        .map(|i| sorted[(i * last).checked_div(kept - 1).unwrap_or(0)])
        .collect();
    let points =
        |qq: Qq| -> Vec<(f64, f64)> { qq.theoretical.into_iter().zip(qq.sample).collect() };
    let normal = qq_normal(&kept, QQ_POINTS).ok()?;
    let end = normal
        .theoretical
        .iter()
        .fold(0.0_f64, |m, x| m.max(x.abs()));
    let mut series = vec![Series::points("beside the normal law", points(normal))];
    let fitted = mcculloch(values, Symmetry::Free).ok();
    let law = fitted.and_then(|fit| Stable::try_from(fit.law()).ok());
    let stable = law
        .and_then(|law| quantiles(&kept, |p| law.quantile(p).unwrap_or(f64::NAN), QQ_POINTS).ok());
    if let Some(stable) = stable {
        series.push(Series::points(
            "beside the fitted stable law",
            points(stable),
        ));
    }
    series.push(Series::dashed(
        "the law itself",
        vec![(-end, -end), (end, end)],
    ));
    Some(Figure {
        title: "Quantiles".into(),
        caption: "Ordered values beside those of a normal law and of the stable law fitted by McCulloch’s \
                  quantiles, both about the median in interquartile ranges. Points above the line on the right: \
                  a tail heavier than the law’s."
            .into(),
        x: Axis::linear("quantile of the law"),
        y: Axis::linear("quantile of the sample"),
        series,
    })
}

/// Layers, coordinates and causes.
pub(super) fn gradient_sections(
    found: &GradientDiagnosis,
    measured: &GradientNoise,
) -> Vec<Section> {
    let mut sections = vec![Section {
        title: "What else may be the cause".into(),
        items: vec![Item::Table(causes(found))],
    }];
    if found.layers.len() > 1 {
        sections.push(Section {
            title: "By layer".into(),
            items: vec![Item::Table(layers(found))],
        });
    }
    let mut items = Vec::new();
    if let Some(snapshot) = &measured.snapshot {
        let raw = qq(&snapshot.raw_sample);
        let standardised = qq(&snapshot.standardised_sample);
        let titled = |figure: Option<Figure>, title: &str| {
            figure.map(|figure| Figure {
                title: title.into(),
                caption: String::new(),
                ..figure
            })
        };
        items.push(Item::Grid {
            caption: format!(
                "The noise of one gradient across the entries of {}, as it is and in units of each entry’s own \
                 standard deviation. If only the first is heavy, scales differ across entries.",
                measured.snapshot_of()
            ),
            columns: 2,
            figures: [
                titled(raw, "Entries as they are"),
                titled(standardised, "Entries in their own units"),
            ]
            .into_iter()
            .flatten()
            .collect(),
        });
    }
    let series = [
        ("layers", &found.coordinates, &measured.coordinates),
        (
            "token tables",
            &found.table_coordinates,
            &measured.table_coordinates,
        ),
    ];
    let mut rows = Vec::new();
    for (name, diagnosis, pooled) in series {
        let Some(single) = diagnosis else { continue };
        items.push(Item::Text(format!(
            "Single coordinates of {name} over all gradients, each in its own unit ({} followed, {} of them the \
             same in half of the gradients and left out): {}. {}",
            pooled.followed,
            pooled.sparse,
            verdict_name(single),
            single.reason
        )));
        rows.push([vec![name.to_string()], noise_row(single)].concat());
    }
    if !rows.is_empty() {
        items.push(Item::Table(Table {
            caption: NOISE_CAPTION.into(),
            header: [strings(["coordinates of"]), noise_header()].concat(),
            rows,
            numeric: (2..9).collect(),
            highlight: None,
        }));
    }
    if !items.is_empty() {
        sections.push(Section {
            title: "Within a gradient".into(),
            items,
        });
    }
    sections
}

fn causes(found: &GradientDiagnosis) -> Table {
    let name = |cause: Cause| match cause {
        Cause::HeavyNoise => "heavy-tailed noise",
        Cause::UnequalScales => "unequal scales of coordinates",
        Cause::TokenFrequency => "heavy-tailed token frequency",
        Cause::FullBatch => "full-batch behaviour",
    };
    Table {
        caption: "Where SGD lags behind Adam, each of these may be why. The evidence is of this measurement; \
                  none of it is proof."
            .into(),
        header: strings(["cause", "likely", "evidence"]),
        rows: found
            .causes
            .iter()
            .map(|f| {
                let likely = if f.likely { "yes" } else { "no" };
                vec![name(f.cause).into(), likely.into(), f.text.clone()]
            })
            .collect(),
        numeric: vec![],
        highlight: None,
    }
}

/// A row a layer.
pub(super) fn layers(found: &GradientDiagnosis) -> Table {
    let row = |layer: &acclip_noise::verdict::gradients::LayerDiagnosis| {
        let d = layer.diagnosis.as_ref();
        vec![
            layer.name.clone(),
            layer.size.to_string(),
            format!("{:.1} %", 100.0 * layer.noise_share),
            or_dash(layer.effective_dimension.map(number)),
            d.map_or("does not move".into(), verdict_name),
            or_dash(d.and_then(|d| d.alpha).map(|alpha| alpha.to_string())),
            or_dash(d.and_then(|d| d.norms_needed).map(|n| n.to_string())),
        ]
    };
    Table {
        caption: "Verdicts on the norm of each layer’s noise. Share: of tr Σ. D: effective dimension \
                  (Σλ)²/Σλ² of the variances of its entries. Needed: norms that may decide an undecided case. \
                  Of many layers a few will be misjudged: the error rates are those of `acclip noise \
                  --calibrate`."
            .into(),
        header: strings(["layer", "entries", "share", "D", "verdict", "α", "needed"]),
        rows: found.layers.iter().map(row).collect(),
        numeric: vec![1, 2, 3, 5, 6],
        highlight: None,
    }
}

/// How often the verdict is right.
pub(super) fn calibration(found: &Calibration) -> Table {
    let percent = |x: f64| format!("{:.1}", 100.0 * x);
    let row = |s: &acclip_noise::verdict::battery::Score| {
        let tail = match s.tail {
            Tail::Light => "light".into(),
            Tail::HeavyWithoutIndex => "heavy, all moments".into(),
            Tail::PowerLaw(alpha) => format!("α = {alpha}"),
        };
        vec![
            s.name.clone(),
            tail,
            percent(s.light),
            percent(s.heavy_finite_variance),
            percent(s.infinite_variance),
            percent(s.undecided),
            percent(s.heavier_than_gaussian),
            or_dash(s.median_alpha.map(|alpha| format!("{alpha:.2}"))),
            or_dash(s.coverage.map(percent)),
        ]
    };
    Table {
        header: strings([
            "noise",
            "truth",
            "light",
            "finite",
            "infinite",
            "undecided",
            "heavier",
            "α̂",
            "covered",
        ]),
        rows: found.scores.iter().map(row).collect(),
        numeric: (2..9).collect(),
        ..Table::default()
    }
}
