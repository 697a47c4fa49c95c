//! Theorem 2, corrected: GClip on smooth functions that need not be convex,
//! (1/K)Σ E min{‖∇f‖², τ‖∇f‖} ≤ 8·96^α F0L/K + 40 σ^{2α/(3α−2)}(F0L/K)^{(2α−2)/(3α−2)}.
//!
//! The guard τ ≥ 96σ of the proof hides the rate below 96^{3α−2} steps, 10⁵ at α = 1.5 and 10⁸ at α = 2. So the bound is checked with the theorem's
//! own parameters, and the rate is measured with the threshold c·τ*, for several c, on the worst of a family of slopes.

use super::Settings;
use super::families::{Fixed, Slopes, UNIT};
use super::rate::{Rate, horizons, judge_below};
use crate::Error;
use crate::bounds::lower_non_convex;
use crate::bounds::non_convex::NonConvex;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::mean;
use crate::finding::{Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update};
use crate::noise::{Independent, Law, SharedScale};
use crate::problems::{DoubleWell, GemanMcClure};

/// No gradient is larger: ‖∇f‖² ≤ 2L(f − f*).
const CEILING: f64 = 2.0 * UNIT * UNIT;
/// A curve is in its range where the gradient is a seventh of that.
const REACH: f64 = 1.0 / 49.0;
/// Multiples of τ*.
const MULTIPLES: [f64; 2] = [1.0, 2.0];
/// The fixed problems need this many times fewer trajectories.
const FEWER: usize = 2;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.1, 1.25, 1.5, 1.75, 2.0],
        trajectories: 1 << 11,
        steps: 1 << 16,
    }
}

/// GClip with the constant step size and threshold of (η, τ).
fn gclip(threshold: f64, learning_rate: f64) -> Method {
    let update = Update::GClip {
        max_norm: threshold,
        growth: 0.0,
    };
    Method::constant("GClip", update, learning_rate)
}

/// The rate of the mean square gradient over the worst slopes, with the threshold c·τ*, or without a clip.
pub(super) fn rate(
    alpha: f64,
    c: f64,
    clipped: bool,
    settings: &Settings,
    control: &Control,
) -> Result<Rate, Error> {
    let theorem = NonConvex::new(alpha, UNIT, UNIT, UNIT)?;
    let k = horizons(settings, 8, 1);
    let method = |k| {
        let (tau, learning_rate) = theorem.scaled(k, c)?;
        let sgd = Method::constant("SGD", Update::Sgd, learning_rate);
        Ok((
            tau,
            if clipped {
                gclip(tau, learning_rate)
            } else {
                sgd
            },
        ))
    };
    let (groups, resolution) = worst(alpha, &k, method, settings, control)?;
    let proved = 2.0 * theorem.exponent();
    Ok(Rate::new(&k, &groups, proved, CEILING, REACH).resolved(resolution))
}

/// GClip with the theorem's own threshold and step size on the worst slopes: the curve and the bound, to be drawn, after
/// a check that the one is below the other.
pub(super) fn own(
    alpha: f64,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<[Curve; 2], Error> {
    let theorem = NonConvex::new(alpha, UNIT, UNIT, UNIT)?;
    let k = horizons(settings, 8, 2);
    let method = |k| {
        let tau = theorem.threshold(k);
        Ok((tau, gclip(tau, theorem.learning_rate(k))))
    };
    let (groups, _) = worst(alpha, &k, method, settings, control)?;
    let means: Vec<_> = groups.iter().map(|groups| mean(groups)).collect();
    let name = format!("not convex, α = {alpha}, GClip with the theorem's τ on the worst slope");
    judge_below(&name, &k, &means, |k| theorem.bound(k), CEILING, finding);
    let steps = k.iter().map(|&k| k as f64);
    let bound = k.iter().map(|&k| (k as f64, theorem.bound(k)));
    Ok([
        Curve::measured("GClip, the theorem's τ ≥ 96σ", steps.zip(means)),
        Curve::line("upper bound of that", Kind::Upper, bound),
    ])
}

/// The lower bound of Theorem 6 for the same L, F0 and σ, squared: on its chain ‖∇f‖ is ε on average at every step, and so
/// its mean square at least ε².
pub(super) fn lower(alpha: f64, k: &[u64]) -> Curve {
    let squared = k.iter().filter_map(|&k| {
        let epsilon = lower_non_convex::bound(alpha, UNIT, UNIT, UNIT, k).ok()?;
        Some((k as f64, epsilon * epsilon))
    });
    Curve::line("lower bound of Theorem 6", Kind::Lower, squared)
}

/// The worst slope at each of `k`, for a threshold and a method that depend on k: means of groups, and how much the grid
/// of slopes may miss, relatively.
fn worst(
    alpha: f64,
    k: &[u64],
    method: impl Fn(u64) -> Result<(f64, Method), Error>,
    settings: &Settings,
    control: &Control,
) -> Result<(Vec<Vec<f64>>, f64), Error> {
    let mut slopes = Slopes::new(alpha);
    let (mut groups, mut resolution) = (Vec::new(), 0.0_f64);
    for &k in k {
        let (tau, method) = method(k)?;
        let (found, rise) = slopes.run(&method, tau, k, settings, control)?;
        groups.push(found);
        resolution = resolution.max(rise);
    }
    Ok((groups, resolution))
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Theorem 2",
        "GClip with a constant step and threshold on an L-smooth f with E‖g − ∇f‖^α ≤ σ^α: the mean of \
         E min{‖∇f‖², τ‖∇f‖} over K steps is O(K^{−(2α−2)/(3α−2)}), with the constants of a corrected derivation.",
        settings,
    );
    finding.notes.push(
        "The threshold as printed has a last term that falls with K: it is the step size (σ/τ*)^α/L and not the threshold \
         τ* = (σ^{3α}K/(F0L))^{1/(3α−2)}, which is used here. With the printed one the bias of clipping would not vanish."
            .into(),
    );
    finding.notes.push(
        "Exponents are of the mean square gradient; those of ‖∇f‖ are half of them. L = F0 = σ = 1. The bound is proved for \
         τ ≥ 96σ; the quotient in the table is by its first form, whose three terms are defined for any τ."
            .into(),
    );
    let mut rows = Vec::new();
    for &alpha in &settings.alphas {
        let theorem = NonConvex::new(alpha, UNIT, UNIT, UNIT)?;
        let mut curves = Vec::new();
        let comparisons = MULTIPLES.len() * settings.alphas.len();
        for c in MULTIPLES {
            let found = rate(alpha, c, true, settings, control)?;
            let name = format!("τ = {c} τ*");
            found.judge(
                &format!("GClip, α = {alpha}, {name}: exponent"),
                comparisons,
                &mut finding,
            );
            let last = found.means.len() - 1;
            let (tau, learning_rate) = theorem.scaled(found.k[last], c)?;
            let terms = theorem.terms(found.k[last], learning_rate, tau);
            rows.push(vec![
                alpha.into(),
                c.into(),
                found.measured.into(),
                found.proved.into(),
                (found.means[last].value / terms.total()).into(),
            ]);
            curves.push(found.curve(&name));
            if c == 1.0 {
                curves.extend(found.lines(&name));
            }
        }
        curves.extend(own(alpha, settings, control, &mut finding)?);
        curves.push(lower(alpha, &horizons(settings, 8, 1)));
        finding.plots.push(Plot {
            title: format!("Worst slope, α = {alpha}"),
            caption: "Mean over the run of E min{‖∇f‖², τ‖∇f‖}; each point is a function and a run of its own.".into(),
            x: "steps K".into(),
            y: "mean square gradient".into(),
            log: true,
            curves,
        });
        guarded(alpha, settings, control, &mut finding)?;
    }
    let header = [
        "α",
        "c",
        "measured exponent",
        "proved",
        "÷ first form of the bound, at the largest K",
    ];
    finding.tables.push(Table::new(
        "GClip with the threshold c·τ* on the worst slope",
        &header,
        rows,
    ));
    finding.steps = control.steps();
    Ok(finding)
}

/// The theorem's own parameters, guard included, on functions that do not change with K.
pub(super) fn guarded(
    alpha: f64,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<(), Error> {
    let heavy = alpha + 0.2;
    let alone = |law| Independent {
        law,
        scales: vec![0.01],
    };
    let (pareto, student) = (Law::Pareto { index: heavy }, Law::StudentT { nu: heavy });
    let shared = SharedScale {
        law: pareto,
        scale: 0.01,
        correlation: 0.3,
    };
    let well = GemanMcClure::new(1)?;
    let wells = DoubleWell::new(4, 0.2)?;
    let cases = [
        Fixed::new("one well, Pareto", &well, alone(pareto), 2.0),
        Fixed::new("one well, Student t", &well, alone(student), 2.0),
        Fixed::new(
            "double wells in 4 dimensions, correlated",
            &wells,
            shared,
            1.5,
        ),
    ];
    let mut curves = Vec::new();
    for Fixed {
        name,
        problem,
        noise,
        start,
    } in cases
    {
        let dim = problem.dim();
        let start = vec![start; dim];
        let mut gap = [0.0];
        problem.gap(&start, &mut gap);
        let sigma = noise.norm_moment(alpha, dim).at_most().powf(1.0 / alpha);
        let theorem = NonConvex::new(
            alpha,
            sigma,
            problem.facts().smoothness.unwrap_or(f64::NAN),
            gap[0],
        )?;
        let k = horizons(settings, 10, 2);
        let mut means = Vec::new();
        for &k in &k {
            let tau = theorem.threshold(k);
            let ensemble = Ensemble {
                problem,
                noise: &*noise,
                method: &gclip(tau, theorem.learning_rate(k)),
                start: &start,
                trajectories: settings.trajectories / FEWER / dim,
                checkpoints: &[k],
                metrics: &[Metric::MeanTruncatedGradient { tau }],
                seed: settings.stream(name, alpha + k as f64),
            };
            means.push(mean(ensemble.run(control)?.groups(0, 0)));
        }
        let bound = |k| theorem.bound(k);
        let facts = problem.facts();
        let largest = facts.gradient_bound.unwrap_or(f64::INFINITY).powi(2);
        let largest = largest.min(2.0 * facts.smoothness.unwrap_or(f64::NAN) * gap[0]);
        let name_of = format!("not convex, α = {alpha}, GClip with the theorem's τ, {name}");
        judge_below(&name_of, &k, &means, bound, largest, finding);
        let ratio = k
            .iter()
            .zip(&means)
            .map(|(&k, mean)| (k as f64, mean.times(1.0 / bound(k))));
        curves.push(Curve::measured(name, ratio));
    }
    finding.plots.push(Plot {
        title: format!("The theorem's own parameters, α = {alpha}"),
        caption: "Mean of E min{‖∇f‖², τ‖∇f‖} ÷ bound; 1 would be the bound.".into(),
        x: "steps K".into(),
        y: "in units of the bound".into(),
        log: true,
        curves,
    });
    Ok(())
}
