//! Lemma 18: the noise that hides the next coordinate of Theorem 6's chain,
//!
//! ```text
//! E‖g − ∇F‖^α = |∂_i F|^α (p(1/p − 1)^α + 1 − p) ≤ 2·23^α p^{1−α}        i = prog_¼(x) + 1
//! ```
//!
//! It takes two values, so that the moment is a sum of two terms, from what the oracle does on a hit and on a miss. The
//! hidden coordinate has |x_i| ≤ ¼, where |∂_i F| < e√e = 4.48; with that in place of 23 the bound is still one, and
//! the first equality above has a supremum that is attained.

use acclip_noise::lanes::mix;
use rayon::prelude::*;

use super::super::Settings;
use super::ratio::{ROUNDING, attained};
use super::sample::{Random, length};
use super::start;
use crate::bounds::lower_non_convex::{GRADIENT, SMOOTHNESS, moment_bound};
use crate::ensemble::Control;
use crate::finding::{Check, Curve, Finding, Kind, Plot, Table};
use crate::problems::{Problem, ZeroChain};
use crate::{Cell, Error};

/// T.
const LENGTH: usize = 8;
/// Powers of ten of p; 0.3 and 1 come with them.
const POWERS: std::ops::RangeInclusive<i32> = -8..=-1;

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = start(
        18,
        "The gradient whose next coordinate is multiplied by z/p, z ~ Bern(p), is unbiased, and \
         E‖g − ∇F‖^α ≤ 2·23^α p^{1−α}; even with e√e = 4.48 in place of 23.",
        settings,
        "random points",
    );
    let chain = ZeroChain::new(LENGTH, SMOOTHNESS, 1.0)?;
    let points = random_points(&chain, settings, control)?;
    // The hidden coordinate is at 0, after a large one.
    let mut worst = [0.0; LENGTH];
    worst[..LENGTH / 2].fill(1e6);
    let worst = Point::new(&chain, worst.to_vec());
    let odds: Vec<f64> = POWERS.map(|i| 10_f64.powi(i)).chain([0.3, 1.0]).collect();
    let (mut rows, mut printed, mut sharp, mut equal) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut curves, mut bias) = (Vec::new(), 0.0_f64);
    for &alpha in &settings.alphas {
        let mut of_printed = Vec::new();
        let mut of_sharp = Vec::new();
        for &p in &odds {
            control.count(points.len() as u64)?;
            let moment = |point: &Point| point.moment(&chain, alpha, p);
            let parts: Vec<(f64, f64)> = points.par_iter().map(moment).collect();
            let random = parts.iter().map(|part| part.0).fold(0.0, f64::max);
            bias = parts.iter().map(|part| part.1).fold(bias, f64::max);
            let (found, _) = moment(&worst);
            let bound = moment_bound(alpha, p)?;
            let smaller = bound * (chain.largest_hidden() / GRADIENT).powf(alpha);
            let exact = two_points(alpha, p) * chain.largest_hidden().powf(alpha);
            let place = format!("α = {alpha}, p = {p}");
            printed.push((place.clone(), random.max(found) / bound));
            sharp.push((place.clone(), random.max(found) / smaller));
            if p < 1.0 {
                equal.push((place, found / exact));
            }
            of_printed.push((p, found / bound));
            of_sharp.push((p, found / smaller));
            rows.push(
                [alpha, p, random / bound, found / bound, found / smaller]
                    .map(Cell::from)
                    .to_vec(),
            );
        }
        curves.push(Curve::line(
            format!("with 23, α = {alpha}"),
            Kind::Measured,
            of_printed,
        ));
        curves.push(Curve::line(
            format!("with e√e, α = {alpha}"),
            Kind::Reference,
            of_sharp,
        ));
    }
    finding
        .checks
        .push(under("E‖g − ∇F‖^α ≤ 2·23^α p^{1−α}", &printed));
    finding
        .checks
        .push(under("E‖g − ∇F‖^α ≤ 2(e√e)^α p^{1−α}", &sharp));
    finding.checks.push(attained(
        "(e√e)^α (p(1/p − 1)^α + 1 − p) is attained",
        &equal,
        ROUNDING * 100.0,
    ));
    finding.checks.push(Check::new(
        "E g = ∇F",
        bias <= 1e-15,
        format!("|E g_i − ∂_i F| at most {bias:.1e} of |∂_i F|"),
    ));
    finding.tables.push(Table::new(
        "E‖g − ∇F‖^α, exact, over its bound",
        &[
            "α",
            "p",
            "random points ÷ 2·23^α p^{1−α}",
            "worst point ÷ 2·23^α p^{1−α}",
            "worst point ÷ 2(e√e)^α p^{1−α}",
        ],
        rows,
    ));
    curves
        .iter_mut()
        .for_each(|curve| curve.points.retain(|point| point.y > 0.0));
    finding.plots.push(Plot {
        title: "Moment of the noise over its bound".into(),
        caption: "At the worst point; 1 would be the bound. At p = 1 there is no noise.".into(),
        x: "p".into(),
        y: "E‖g − ∇F‖^α ÷ bound".into(),
        log: true,
        curves,
    });
    finding.notes.push(
        "The factor 2 is for both terms of the sum; for a fixed α and p → 0 the second one vanishes, and the ratio \
         with e√e tends to ½. It tends to 1 if α → 1 at the same time, p^{α−1} → 1."
            .into(),
    );
    Ok(finding)
}

/// Differences are relative to it at least.
const SMALLEST: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// p(1/p − 1)^α + 1 − p.
fn two_points(alpha: f64, p: f64) -> f64 {
    p * (1.0 / p - 1.0).powf(alpha) + 1.0 - p
}

/// Whether no ratio is above 1.
fn under(name: &str, ratios: &[(String, f64)]) -> Check {
    let holds = ratios.iter().all(|&(_, ratio)| ratio <= 1.0 + ROUNDING);
    let worst = ratios.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let detail = worst.map_or(String::new(), |(place, ratio)| {
        format!("largest {ratio:.4} ({place})")
    });
    Check::new(name, holds && worst.is_some(), detail)
}

/// A point and its gradient.
struct Point {
    x: Vec<f64>,
    gradient: Vec<f64>,
}

impl Point {
    fn new(chain: &ZeroChain, x: Vec<f64>) -> Self {
        let mut gradient = vec![0.0; x.len()];
        chain.gradient(&x, &mut gradient);
        Point { x, gradient }
    }

    /// E‖g − ∇F‖^α, and the largest |E g_i − ∂_i F|/|∂_i F|, from the two outcomes of the oracle.
    fn moment(&self, chain: &ZeroChain, alpha: f64, p: f64) -> (f64, f64) {
        let outcome = |hit| {
            let mut g = self.gradient.clone();
            chain.perturb_row(&self.x, &mut g, hit, p);
            g
        };
        let (hit, miss) = (outcome(true), outcome(false));
        let distance = |g: &[f64]| {
            length(
                &g.iter()
                    .zip(&self.gradient)
                    .map(|(g, f)| g - f)
                    .collect::<Vec<_>>(),
            )
        };
        let moment = p * distance(&hit).powf(alpha) + (1.0 - p) * distance(&miss).powf(alpha);
        let means = hit
            .iter()
            .zip(&miss)
            .map(|(hit, miss)| p * hit + (1.0 - p) * miss);
        // A gradient below the normal numbers has no relative accuracy.
        let error = |(mean, f): (f64, &f64)| (mean - f).abs() / f.abs().max(SMALLEST);
        (
            moment,
            means.zip(&self.gradient).map(error).fold(0.0, f64::max),
        )
    }
}

/// Points whose first coordinates are large and whose next one is hidden, at many scales.
fn random_points(
    chain: &ZeroChain,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Point>, Error> {
    control.count(settings.trajectories as u64)?;
    let key = settings.stream("lemma 18", 0.0);
    let point = |case: usize| {
        let mut random = Random::new(mix(key, case as u64));
        let scale = random.decade(-1.0, 2.0);
        let end = (random.uniform() * (LENGTH + 1) as f64) as usize;
        let x = (0..LENGTH).map(|i| match i {
            i if i < end => scale * random.between(-1.0, 1.0),
            _ => random.between(-0.3, 0.3),
        });
        Point::new(chain, x.collect())
    };
    Ok((0..settings.trajectories)
        .into_par_iter()
        .map(point)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_the_sharp_one_is_attained() {
        let settings = Settings {
            alphas: vec![1.001, 2.0],
            trajectories: 1 << 10,
            ..super::super::defaults(18)
        };
        let finding = run(&settings, &Control::default()).unwrap();
        assert!(finding.holds(), "{:?}", finding.checks);
        // By hand at α = 2, p = 0.1: (e√e/23)²·9/(2·10) = 0.01709 and 0.45.
        let row = finding.tables[0]
            .rows
            .iter()
            .find(|row| row[..2] == [2.0.into(), 0.1.into()]);
        let values: Vec<f64> = row.unwrap()[3..]
            .iter()
            .map(|cell| match cell {
                Cell::Number(value) => *value,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(
            (values[0] - 0.45 * 3_f64.exp() / 529.0).abs() < 1e-9,
            "{values:?}"
        );
        assert!((values[1] - 0.45).abs() < 1e-9, "{values:?}");
        // Near 1 for α near 1 and p small.
        let near = finding.checks[1].detail.clone();
        assert!(near.starts_with("largest 0.99"), "{near}");
    }

    #[test]
    fn a_ratio_above_one_is_found() {
        let place = |ratio| ("here".to_owned(), ratio);
        assert!(under("", &[place(0.5), place(1.0)]).holds);
        assert!(!under("", &[place(0.5), place(1.0 + 1e-9)]).holds);
        assert!(!under("", &[place(f64::NAN)]).holds && !under("", &[]).holds);
    }
}
