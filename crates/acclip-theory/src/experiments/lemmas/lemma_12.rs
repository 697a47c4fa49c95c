//! Lemma 12: where E‖ξ‖^α can lie if E|ξ_i|^α = B_i^α in each of d coordinates.
//!
//! ```text
//! d^{α/2−1} ‖B‖_α^α ≤ E‖ξ‖^α ≤ ‖B‖_α^α        in print d^{α/2} ‖B‖_α^α on the right
//! ```
//!
//! The lower end is attained by coordinates of equal size, the upper one by noise on one coordinate at a time; the
//! printed one, d^{α/2} higher, by nothing. B is exact here. E‖ξ‖^α is exact where there is a closed form, also for
//! heavy tails; where it is measured, the tail index is above 2α, so that the mean of ‖ξ‖^α has a finite variance.

use super::super::Settings;
use super::ratio::ROUNDING;
use super::sample::{Case, independent, length, mean_of, means};
use super::start;
use crate::bounds::clipping::moment_range;
use crate::ensemble::Control;
use crate::estimate::Estimate;
use crate::finding::{Check, Curve, Finding, Kind, Plot, Table};
use crate::noise::{Law, Moment, OneCoordinate, SharedScale};
use crate::{Cell, Error};

/// Dimensions.
const DIMS: [usize; 4] = [1, 2, 5, 50];

/// E‖ξ‖^α of one law, in units of ‖B‖_α^α.
struct Found {
    law: &'static str,
    alpha: f64,
    dim: usize,
    lower: f64,
    printed: f64,
    exact: Option<f64>,
    measured: Option<Estimate>,
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = start(
        12,
        "With E|ξ_i|^α = B_i^α for each of d coordinates: d^{α/2−1} ‖B‖_α^α ≤ E‖ξ‖^α ≤ ‖B‖_α^α. The paper prints \
         d^{α/2} ‖B‖_α^α for the upper end, which is never attained for d > 1.",
        settings,
        "samples",
    );
    let mut all = Vec::new();
    for &alpha in &settings.alphas {
        for dim in DIMS {
            for (case, light) in laws(alpha, dim) {
                all.push(find(&case, light, alpha, settings, control)?);
            }
        }
    }
    judge(&mut finding, &all);
    for &alpha in &settings.alphas {
        finding.plots.push(plot(alpha, &all));
    }
    let row = |found: &Found| {
        vec![
            found.law.into(),
            found.alpha.into(),
            (found.dim as f64).into(),
            found.lower.into(),
            found.exact.map_or(Cell::Empty, Cell::from),
            found.measured.map_or(Cell::Empty, Cell::from),
            found.printed.into(),
        ]
    };
    let shown = all.iter().filter(|found| found.dim == 5).map(row).collect();
    finding.tables.push(Table::new(
        "E‖ξ‖^α in units of ‖B‖_α^α, in 5 dimensions",
        &[
            "law",
            "α",
            "d",
            "lower end",
            "exact",
            "measured",
            "printed upper end",
        ],
        shown,
    ));
    finding.notes.push(
        "The upper end is 1 in these units. Heavy-tailed laws, of tail index α + 0.2, have no measured column: the \
         mean of ‖ξ‖^α over samples would have infinite variance, and their moments are exact."
            .into(),
    );
    Ok(finding)
}

/// Laws, and whether E‖ξ‖^{2α} is finite.
fn laws(alpha: f64, dim: usize) -> Vec<(Case, bool)> {
    let heavy = Law::Pareto { index: alpha + 0.2 };
    let light = Law::StudentT {
        nu: 4.0 * alpha + 1.0,
    };
    let unequal: Vec<f64> = (0..dim).map(|i| 0.8_f64.powi(i as i32)).collect();
    let shared = |law, correlation| SharedScale {
        law,
        scale: 1.0,
        correlation,
    };
    let one = |law| OneCoordinate { law, scale: 1.0 };
    let sparse = Law::Spike { p: 0.02 };
    vec![
        (
            Case::new("equal coordinates, Student t", dim, shared(light, 1.0)),
            true,
        ),
        (
            Case::new("equal coordinates, heavy Pareto", dim, shared(heavy, 1.0)),
            false,
        ),
        (
            Case::new("correlated, Student t", dim, shared(light, 0.5)),
            true,
        ),
        (
            Case::new("uncorrelated, heavy Pareto", dim, shared(heavy, 0.0)),
            false,
        ),
        (
            Case::new(
                "independent Gaussians",
                dim,
                independent(Law::Gaussian, vec![1.0]),
            ),
            true,
        ),
        (
            Case::new(
                "independent Student t, unequal",
                dim,
                independent(light, unequal),
            ),
            true,
        ),
        (
            Case::new(
                "independent rare spikes",
                dim,
                independent(sparse, vec![1.0]),
            ),
            true,
        ),
        (
            Case::new("one coordinate, Student t", dim, one(light)),
            true,
        ),
        (
            Case::new("one coordinate, heavy Pareto", dim, one(heavy)),
            false,
        ),
    ]
}

fn find(
    case: &Case,
    light: bool,
    alpha: f64,
    settings: &Settings,
    control: &Control,
) -> Result<Found, Error> {
    let moments = case.noise.coordinate_moments(alpha, case.dim);
    let b: Vec<f64> = moments
        .iter()
        .map(|moment| moment.powf(1.0 / alpha))
        .collect();
    let range = moment_range(&b, alpha)?;
    let unit = 1.0 / range.upper;
    let exact = match case.noise.norm_moment(alpha, case.dim) {
        Moment::Exact(moment) => Some(moment * unit),
        Moment::Between(..) => None,
    };
    let measured = if light {
        let key = settings.stream(
            &format!("lemma 12, {}", case.name),
            alpha + 4.0 * case.dim as f64,
        );
        // Fewer rows where they are long.
        let samples = settings.trajectories.div_ceil(case.dim.div_ceil(5));
        let groups = means(case, samples, key, 1, control, |row, sums| {
            sums[0] += length(row).powf(alpha);
        })?;
        Some(mean_of(&groups, 0).times(unit))
    } else {
        None
    };
    Ok(Found {
        law: case.name,
        alpha,
        dim: case.dim,
        lower: range.lower * unit,
        printed: range.printed_upper * unit,
        exact,
        measured,
    })
}

/// The checks.
fn judge(finding: &mut Finding, all: &[Found]) {
    let number = all.iter().filter(|found| found.measured.is_some()).count();
    let inside = |found: &Found, upper: f64| {
        let exact = found.exact.is_none_or(|exact| {
            exact >= found.lower * (1.0 - ROUNDING) && exact <= upper * (1.0 + ROUNDING)
        });
        let measured = found.measured.is_none_or(|e| {
            let low = e.value >= found.lower || e.holds_among(found.lower, 3 * number);
            low && (e.value <= upper || e.holds_among(upper, 3 * number))
        });
        exact && measured
    };
    let outside: Vec<&Found> = all.iter().filter(|found| !inside(found, 1.0)).collect();
    finding.checks.push(Check::new(
        "E‖ξ‖^α is between d^{α/2−1} ‖B‖_α^α and ‖B‖_α^α",
        outside.is_empty() && !all.is_empty(),
        format!("{} of {} outside", outside.len(), all.len()),
    ));
    let agree = |found: &&Found| match (found.exact, found.measured) {
        (Some(exact), Some(measured)) => !measured.holds_among(exact, 3 * number),
        _ => false,
    };
    let apart = all.iter().filter(agree).count();
    let both = all
        .iter()
        .filter(|found| found.exact.is_some() && found.measured.is_some());
    finding.checks.push(Check::new(
        "measured moments agree with those in closed form",
        apart == 0,
        format!("{apart} of {} do not", both.count()),
    ));
    for (end, kind) in [("lower", "equal coordinates"), ("upper", "one coordinate")] {
        let of = |found: &Found| if end == "lower" { found.lower } else { 1.0 };
        let attaining = all.iter().filter(|found| found.law.starts_with(kind));
        let error = attaining
            .filter_map(|found| Some((found.exact? / of(found) - 1.0).abs()))
            .fold(
                f64::NAN,
                |most: f64, error| if most >= error { most } else { error },
            );
        finding.checks.push(Check::new(
            format!("the {end} end is attained by {kind}"),
            error <= 1e-12,
            format!("relative difference at most {error:.1e}"),
        ));
    }
    let values = all.iter().filter(|found| found.dim > 1);
    let closest = values
        .filter_map(|found| Some(found.exact.or(found.measured.map(|e| e.high))? / found.printed))
        .fold(0.0, f64::max);
    finding.checks.push(Check::new(
        "the printed upper end is not attained for d > 1",
        closest < 1.0,
        format!("largest moment is {closest:.3} of it"),
    ));
}

/// Moments against the dimension.
fn plot(alpha: f64, all: &[Found]) -> Plot {
    let here: Vec<&Found> = all.iter().filter(|found| found.alpha == alpha).collect();
    let mut laws: Vec<&str> = here.iter().map(|found| found.law).collect();
    laws.dedup();
    let mut curves: Vec<Curve> = Vec::new();
    for law in laws {
        if curves.iter().any(|curve| curve.name == law) {
            continue;
        }
        let of_law = here.iter().filter(|found| found.law == law);
        let exact = |value| Estimate {
            value,
            low: value,
            high: value,
            groups: 1,
        };
        let point = |found: &&Found| {
            let value = found.exact.map(exact).or(found.measured)?;
            Some((found.dim as f64, value))
        };
        curves.push(Curve::measured(law, of_law.filter_map(point)));
    }
    let d = || DIMS.map(|d| d as f64).into_iter();
    curves.extend([
        Curve::line("upper end", Kind::Upper, d().map(|d| (d, 1.0))),
        Curve::line(
            "printed upper end",
            Kind::Upper,
            d().map(|d| (d, d.powf(0.5 * alpha))),
        ),
        Curve::line(
            "lower end",
            Kind::Lower,
            d().map(|d| (d, d.powf(0.5 * alpha - 1.0))),
        ),
    ]);
    Plot {
        title: format!("E‖ξ‖^α against the dimension, α = {alpha}"),
        caption: "In units of ‖B‖_α^α, which is the upper end.".into(),
        x: "dimension d".into(),
        y: "E‖ξ‖^α ÷ ‖B‖_α^α".into(),
        log: true,
        curves,
    }
}

#[cfg(test)]
mod tests;
