//! Remark 1: with infinite variance, E‖∇f(x_k)‖² of SGD is infinite after one step, on the simplest of functions.
//!
//! f = ½x² and g = x + ξ with E ξ² = ∞ give E x²_{k+1} ≥ η²E ξ² = ∞, whatever the step sizes. An infinite mean is not
//! something one sees in a run; it is seen in the mean over n runs, which does not settle as n grows. With tail index
//! α the mean of n squares grows like n^{2/α−1}.
//!
//! The remark is about SGD on an unbounded domain. Projected onto a bounded one, SGD converges, and can have the rate of
//! Theorem 5's lower bound: Fatkhullin, Hübler & Lan, *Can SGD Handle Heavy-Tailed Noise?*, 2025 (arXiv 2508.04860).
//! That depends on its step sizes. With noise of tail P(|ξ| > s) = s^{−α} on a domain of size R, a step η moves by
//! min{ηs, R}, so that the mean square of a move is of order R^{2−α}η^α:
//!
//! ```text
//! η_k = 4/(k + 1):     k moves of k^{−α} each remain in x̄_k        E f − f* ∝ k^{−(α−1)}
//! η_k = k^{−1/α}:      clipped at R/η like GClip at k^{1/α}        E f − f* ∝ k^{−2(α−1)/α}
//! ```
//!
//! (The noise here is α-stable, whose moment of order α is infinite: it is at the edge of Assumption 4, which holds for every
//! smaller order.) The first is slower for α < 2: GClip's step sizes, without the clip, are not SGD's best ones.

use acclip_optim::Schedule;

use super::Settings;
use super::rate::Rate;
use crate::Error;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::{Estimate, log_slope, mean};
use crate::finding::{Check, Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update};
use crate::noise::{Independent, Law, Noise};
use crate::problems::Quadratic;

/// Steps after which squares are taken: the law of x_k has settled.
const STEPS: u64 = 64;
/// Radius of the domain for curves over k.
const RADIUS: f64 = 4.0;
/// A curve over k is in its range where the distance from the optimum is 1/16 of the domain's radius.
const REACH: f64 = 1.0 / 256.0;
/// Constant step size.
const LEARNING_RATE: f64 = 0.1;
/// Independent parts, each of which gives one slope of the growth.
const PARTS: usize = 16;
/// A growth exponent below this is none.
const SETTLED: f64 = 0.005;
/// Blocks that a median is of, at least.
const BLOCKS: usize = 8;
/// The curves over k need this many times fewer trajectories than the means over n.
const FEWER: usize = 64;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.2, 1.5, 1.8, 2.0],
        trajectories: 1 << 20,
        steps: 1 << 13,
    }
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Remark 1",
        "With noise of infinite variance, E‖∇f(x_k)‖² of SGD is infinite for every k ≥ 1: f = ½x², and any step \
                sizes that do not depend on the gradient.",
        settings,
    );
    finding.notes = vec![
        "The mean over n runs is shown against n: a mean that exists settles in the end. Its growth exponent is the slope of the \
             median over blocks of runs; for squares of tail index α/2 < 1 it tends to 2/α − 1. (Medians of skewed means grow a little where the mean exists, too.)"
            .into(),
        "E|x| is finite: the loss of one run does not go to infinity. What is infinite is the second moment on an \
             unbounded domain; projected onto a bounded one, SGD converges: like k^{−(α−1)} with the step sizes of Theorem 4, \
             and with steps like k^{−1/α} at the rate of GClip, which is the best possible."
            .into(),
    ];
    let (mut rows, mut rates) = (Vec::new(), Vec::new());
    for &alpha in &settings.alphas {
        let noise = Independent {
            law: Law::Stable { alpha, beta: 0.0 },
            scales: vec![1.0],
        };
        let growth = growth(alpha, settings, control)?;
        rows.push(vec![
            alpha.into(),
            growth.into(),
            (2.0 / alpha - 1.0).into(),
        ]);
        second_moments(alpha, &noise, settings, control, &mut finding)?;
        let [sgd, slower, gclip] = curves(alpha, &noise, settings, control, &mut finding)?;
        rates.push(vec![
            alpha.into(),
            sgd.cell(),
            sgd.proved.into(),
            slower.cell(),
            gclip.cell(),
            gclip.proved.into(),
        ]);
        finding.checks.push(growth_check(
            &format!("α = {alpha}"),
            growth,
            alpha,
            settings.alphas.len(),
        ));
    }
    let header = ["α", "exponent in n", "in the limit, 2/α − 1"];
    finding.tables.push(Table::new(
        "Growth of the mean of ‖∇f‖² over n runs of SGD",
        &header,
        rows,
    ));
    let header = [
        "α",
        "SGD, steps 4/(k + 1)",
        "α − 1",
        "SGD, steps k^{−1/α}",
        "GClip",
        "2(α − 1)/α",
    ];
    finding.tables.push(Table::new(
        "Projected onto [−4, 4]: exponent of E f − f* in k",
        &header,
        rates,
    ));
    finding.steps = control.steps();
    Ok(finding)
}

/// Whether the mean of ‖∇f‖² grows as it does with infinite variance: like n^{2/α−1}, so not at all at α = 2, where the
/// median of a mean of squares still moves by its skewness.
pub(super) fn growth_check(name: &str, growth: Estimate, alpha: f64, among: usize) -> Check {
    let limit = 2.0 / alpha - 1.0;
    let (holds, what) = match alpha < 2.0 {
        true => (
            growth.low > 0.0 && growth.holds_among(limit, among),
            "does not settle",
        ),
        false => (growth.value.abs() < SETTLED, "settles"),
    };
    let detail = match growth.value.is_nan() {
        true => format!(
            "not measured: give more than {} trajectories",
            2 * PARTS * BLOCKS * 512
        ),
        false => format!(
            "grows like n^{:.4} [{:.4}, {:.4}] beside n^{limit:.4}",
            growth.value, growth.low, growth.high
        ),
    };
    Check::new(
        format!("SGD, {name}: the mean of ‖∇f‖² over n runs {what}"),
        holds,
        detail,
    )
}

/// Growth exponent of SGD's mean ‖∇f‖² with the number of runs.
pub(super) fn growth(
    alpha: f64,
    settings: &Settings,
    control: &Control,
) -> Result<Estimate, Error> {
    let noise = Independent {
        law: Law::Stable { alpha, beta: 0.0 },
        scales: vec![1.0],
    };
    let ensemble = Ensemble {
        problem: &Quadratic::half_square(None)?,
        noise: &noise,
        method: &Method::constant("SGD", Update::Sgd, LEARNING_RATE),
        start: &[1.0],
        trajectories: settings.trajectories,
        checkpoints: &[STEPS],
        metrics: &[Metric::SquaredGradient],
        seed: settings.stream("growth", alpha),
    };
    Ok(growth_exponent(ensemble.run(control)?.groups(0, 0)))
}

/// Means of ‖∇f‖² over the first n runs, of three methods, as a plot.
fn second_moments(
    alpha: f64,
    noise: &dyn Noise,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<(), Error> {
    let methods = [
        Method::constant("SGD", Update::Sgd, LEARNING_RATE),
        Method::constant(
            "GClip",
            Update::GClip {
                max_norm: 4.0,
                growth: 0.0,
            },
            LEARNING_RATE,
        ),
        Method {
            project: true,
            ..Method::constant("SGD, projected", Update::Sgd, LEARNING_RATE)
        },
    ];
    let problem = Quadratic::half_square(Some(1.0))?;
    let mut curves = Vec::new();
    for method in &methods {
        let ensemble = Ensemble {
            problem: &problem,
            noise,
            method,
            start: &[1.0],
            trajectories: settings.trajectories,
            checkpoints: &[STEPS],
            metrics: &[Metric::SquaredGradient],
            seed: settings.stream("remark 1, squares", alpha),
        };
        let (group, _) = ensemble.groups();
        let measured = ensemble.run(control)?;
        let means = measured.groups(0, 0);
        let powers = (0..)
            .map(|i| 1_usize << i)
            .take_while(|&n| n <= means.len());
        let prefix = |n: usize| means[..n].iter().sum::<f64>() / n as f64;
        curves.push(Curve::line(
            method.name.clone(),
            Kind::Measured,
            powers.map(|n| ((n * group) as f64, prefix(n))),
        ));
    }
    finding.plots.push(Plot {
        title: format!("Mean over n runs, α = {alpha}"),
        caption: format!("Mean of ‖∇f(x)‖² after {STEPS} steps, over the first n runs."),
        x: "runs n".into(),
        y: "mean of ‖∇f‖²".into(),
        log: true,
        curves,
    });
    Ok(())
}

/// Slope of the logarithm of the median mean over blocks, against the logarithm of their size; an interval from
/// independent parts.
fn growth_exponent(groups: &[f64]) -> Estimate {
    let part = groups.len() / PARTS;
    let sizes: Vec<usize> = (0..)
        .map(|i| 1 << i)
        .take_while(|&size| BLOCKS * size <= part)
        .collect();
    let slope = |part: &[f64]| {
        let medians = sizes.iter().map(|&size| {
            let mut means: Vec<f64> = part
                .chunks_exact(size)
                .map(|block| block.iter().sum::<f64>() / size as f64)
                .collect();
            means.sort_by(f64::total_cmp);
            let middle = means.len() / 2;
            // The two in the middle, on the scale of the fit.
            (means[middle] * means[(means.len() - 1) / 2]).sqrt()
        });
        let sizes: Vec<f64> = sizes.iter().map(|&size| size as f64).collect();
        log_slope(&sizes, medians)
    };
    match sizes.len() {
        0 | 1 => mean(&[f64::NAN]),
        _ => mean(&groups.chunks_exact(part).map(slope).collect::<Vec<_>>()),
    }
}

/// E f − f* against k on [−4, 4]: projected SGD with two kinds of step sizes, and GClip.
fn curves(
    alpha: f64,
    noise: &dyn Noise,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<[Rate; 3], Error> {
    let growth = 1.0 / alpha;
    let minimax = 2.0 - 2.0 / alpha;
    let problem = Quadratic::half_square(Some(RADIUS))?;
    let checkpoints = super::octaves(4, settings.steps);
    let slower = Method {
        schedule: Schedule::Power {
            shift: 0,
            exponent: growth,
        },
        learning_rate: 1.0,
        average: Some(0.0),
        ..Method::harmonic("SGD, steps k^{−1/α}", Update::Sgd, 1.0)
    };
    let clip = Update::GClip {
        max_norm: RADIUS,
        growth,
    };
    let methods = [
        (
            Method::harmonic("SGD, steps 4/(k + 1)", Update::Sgd, 1.0),
            alpha - 1.0,
        ),
        (slower, minimax),
        (Method::harmonic("GClip", clip, 1.0), minimax),
    ];
    let mut drawn = Vec::new();
    let rates = methods.map(|(method, proved)| -> Result<Rate, Error> {
        let ensemble = Ensemble {
            problem: &problem,
            noise,
            method: &method,
            start: &[1.0],
            trajectories: settings.trajectories.div_ceil(FEWER),
            checkpoints: &checkpoints,
            metrics: &[Metric::AverageGap],
            seed: settings.stream("remark 1, curves", alpha),
        };
        let measured = ensemble.run(control)?;
        let groups: Vec<Vec<f64>> = measured.rows(0).into_iter().map(<[f64]>::to_vec).collect();
        let rate = Rate::new(&checkpoints, &groups, proved, 0.5 * RADIUS * RADIUS, REACH);
        let among = 3 * settings.alphas.len();
        rate.judge(
            &format!("{}, α = {alpha}: exponent", method.name),
            among,
            finding,
        );
        let [_, slope] = rate.lines(&method.name);
        drawn.extend([rate.curve(&method.name), slope]);
        Ok(rate)
    });
    let [sgd, slower, gclip] = rates;
    finding.plots.push(Plot {
        title: format!("Projected, α = {alpha}"),
        caption: "E f(x̄_k) − f* on [−4, 4]: all converge.".into(),
        x: "steps k".into(),
        y: "E f − f*".into(),
        log: true,
        curves: drawn,
    });
    Ok([sgd?, slower?, gclip?])
}
