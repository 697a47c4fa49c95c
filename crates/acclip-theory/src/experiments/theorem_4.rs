//! Theorem 4: proj-GClip on strongly convex functions, E f(x̄_k) − f* ≤ 6α G²/(μ(k+1)^{2(α−1)/α}).
//!
//! Three pictures: the worst of Theorem 5's functions at each number of steps, where the rate is attained; fixed laws of
//! noise on a quadratic; and a function with kinks in five dimensions. G comes from
//! sup‖∇f‖ and E‖ξ‖^α by [`gradient_moment`].

use super::Settings;
use super::families::{self, Fixed, largest_gap};
use super::rate::{Rate, horizons, judge_below};
use crate::Error;
use crate::bounds::clipping::gradient_moment;
use crate::bounds::lower_strongly_convex;
use crate::bounds::strongly_convex::StronglyConvex;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::mean;
use crate::finding::{Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update};
use crate::noise::{Independent, Law, OneCoordinate, SharedScale};
use crate::problems::{NonSmooth, Quadratic};

/// The largest value of f − f* on the domain of Theorem 5.
pub(super) const CEILING: f64 = 0.125;
/// A curve is in its range where the distance from the optimum is 1/16 of the domain.
const REACH: f64 = 1.0 / 256.0;
/// The far end of the domain: from 0, where both optima are near, standing still would have the proved rate.
const START: f64 = 0.5;
/// The fixed laws need this many times fewer trajectories.
const FEWER: usize = 4;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.1, 1.25, 1.5, 1.75, 2.0],
        trajectories: 1 << 13,
        steps: 1 << 16,
    }
}

/// proj-GClip as Theorem 4 has it.
pub(super) fn gclip(theorem: &StronglyConvex, alpha: f64) -> Method {
    let update = Update::GClip {
        max_norm: theorem.threshold(1),
        growth: 1.0 / alpha,
    };
    Method::harmonic("GClip", update, theorem.mu())
}

/// A method's rate over the worst functions of Theorem 5.
pub(super) fn rate(
    method: &Method,
    alpha: f64,
    settings: &Settings,
    control: &Control,
) -> Result<Rate, Error> {
    rate_at(
        &horizons(settings, 6, 1),
        method,
        START,
        alpha,
        settings,
        control,
    )
}

/// The same, at these numbers of steps and from this start.
pub(super) fn rate_at(
    k: &[u64],
    method: &Method,
    start: f64,
    alpha: f64,
    settings: &Settings,
    control: &Control,
) -> Result<Rate, Error> {
    let run = |&k: &u64| families::hard_mean(method, start, alpha, k, settings, control);
    let groups = k.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    let proved = lower_strongly_convex::exponent(alpha)?;
    Ok(Rate::new(k, &groups, proved, CEILING, REACH))
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Theorem 4",
        "proj-GClip with τ_k = G k^{1/α} and η_k = 4/(μ(k+1)) on a μ-strongly convex f with E‖g‖^α ≤ G^α has \
         E f(x̄_k) − f* ≤ 6α G²/(μ(k+1)^{2(α−1)/α}) (the paper prints 16 for 6α).",
        settings,
    );
    let mut rows = Vec::new();
    for &alpha in &settings.alphas {
        let theorem = StronglyConvex::new(alpha, 1.0, 1.0)?;
        let found = rate(&gclip(&theorem, alpha), alpha, settings, control)?;
        let name = format!("GClip, α = {alpha}");
        found.judge(
            &format!("{name}: exponent"),
            settings.alphas.len(),
            &mut finding,
        );
        let bound = |k| theorem.bound(k);
        judge_below(
            &format!("{name}, worst of Theorem 5's functions"),
            &found.k,
            &found.means,
            bound,
            CEILING,
            &mut finding,
        );
        rows.push(vec![
            alpha.into(),
            found.measured.into(),
            found.proved.into(),
        ]);
        let line = |name: &str, kind, bound: &dyn Fn(u64) -> f64| {
            Curve::line(name, kind, found.k.iter().map(|&k| (k as f64, bound(k))))
        };
        let [fitted, proved] = found.lines("GClip");
        let lower = |k| lower_strongly_convex::bound(alpha, k).unwrap_or(f64::NAN);
        finding.plots.push(Plot {
            title: format!("Worst of Theorem 5's functions, α = {alpha}"),
            caption: "E f(x̄_k) − f* of GClip; each point is a function and a run of its own."
                .into(),
            x: "steps k".into(),
            y: "E f − f*".into(),
            log: true,
            curves: vec![
                found.curve("GClip"),
                line("bound, 6α", Kind::Upper, &bound),
                line("bound as printed, 16", Kind::Upper, &|k| {
                    theorem.printed_bound(k)
                }),
                line("lower bound, 1/512", Kind::Lower, &lower),
                fitted,
                proved,
            ],
        });
        fixed_laws(alpha, settings, control, &mut finding)?;
    }
    finding.tables.push(Table::new(
        "Exponent of E f(x̄_k) − f* in k, on the worst of Theorem 5's functions",
        &["α", "measured", "proved"],
        rows,
    ));
    finding.steps = control.steps();
    Ok(finding)
}

/// The bound on problems that do not change with k.
fn fixed_laws(
    alpha: f64,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<(), Error> {
    let heavy = alpha + 0.2;
    let alone = |law| Independent {
        law,
        scales: vec![1.0],
    };
    let (pareto, student) = (Law::Pareto { index: heavy }, Law::StudentT { nu: heavy });
    let one = OneCoordinate {
        law: pareto,
        scale: 2.0,
    };
    let shared = SharedScale {
        law: student,
        scale: 0.5,
        correlation: 0.5,
    };
    let quadratic = Quadratic::new(vec![1.0], vec![0.5], Some(4.0))?;
    let kinks = NonSmooth::new(1.0, 0.5, vec![0.6, 0.0, -0.3, 0.1, 0.0], 3.0)?;
    let mut cases = vec![
        Fixed::new("Pareto", &quadratic, alone(pareto), -4.0),
        Fixed::new("Student t", &quadratic, alone(student), -4.0),
        Fixed::new("Gaussian", &quadratic, alone(Law::Gaussian), -4.0),
        Fixed::new("kinks, one coordinate at a time", &kinks, one, -1.3),
        Fixed::new("kinks, correlated", &kinks, shared, -1.3),
    ];
    if heavy <= 2.0 {
        let law = Law::Stable {
            alpha: heavy,
            beta: 1.0,
        };
        cases.push(Fixed::new("skewed stable", &quadratic, alone(law), -4.0));
    }
    let k = super::octaves(3, settings.steps / 8);
    let mut curves = Vec::new();
    for Fixed {
        name,
        problem,
        noise,
        start,
    } in cases
    {
        let facts = problem.facts();
        let sigma = noise.norm_moment(alpha, problem.dim()).at_most();
        let gradient = facts.gradient_bound.unwrap_or(f64::NAN);
        let g = gradient_moment(gradient, sigma, alpha).powf(1.0 / alpha);
        let theorem = StronglyConvex::new(alpha, g, facts.strong_convexity)?;
        let ensemble = Ensemble {
            problem,
            noise: &*noise,
            method: &gclip(&theorem, alpha),
            start: &vec![start; problem.dim()],
            trajectories: settings.trajectories / FEWER / problem.dim(),
            checkpoints: &k,
            metrics: &[Metric::AverageGap],
            seed: settings.stream(name, alpha),
        };
        let means: Vec<_> = ensemble
            .run(control)?
            .rows(0)
            .iter()
            .map(|row| mean(row))
            .collect();
        let name_of = format!("GClip, α = {alpha}, {name}");
        let bound = |k| theorem.bound(k);
        judge_below(&name_of, &k, &means, bound, largest_gap(problem), finding);
        // Divided by the bound, so that one figure holds them all.
        let ratio = k
            .iter()
            .zip(&means)
            .map(|(&k, mean)| (k as f64, mean.times(1.0 / theorem.bound(k))));
        curves.push(Curve::measured(name, ratio));
    }
    finding.plots.push(Plot {
        title: format!("Fixed problems, α = {alpha}"),
        caption: format!(
            "(E f(x̄_k) − f*)/bound; tail index of the noise {heavy:.2}. 1 would be the bound."
        ),
        x: "steps k".into(),
        y: "E f − f*, in units of the bound".into(),
        log: true,
        curves,
    });
    Ok(())
}
