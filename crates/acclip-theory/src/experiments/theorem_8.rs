//! Theorem 8 and Corollary 7: CClip and GClip under a bound B on each coordinate's moment.
//!
//! E f(x̄_k) − f* ≤ 6α‖B‖₂²/(μ(k+1)^{2(α−1)/α}) for CClip with τ_k = B k^{1/α}, and with ‖B‖_α in place of ‖B‖₂ for GClip
//! (the paper prints 16 d‖B‖_α²). The function is a quadratic on a ball, and B_i comes from
//! sup|∂_i f| and E|ξ_i|^α by [`gradient_moment`].

use super::Settings;
use super::families::largest_gap;
use super::rate::{Rate, judge_below};
use super::theorem_4;
use crate::Error;
use crate::bounds::clipping::{gradient_moment, norm};
use crate::bounds::strongly_convex::{cclip, gclip_coordinatewise};
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::mean;
use crate::finding::{Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update};
use crate::noise::{Independent, Law, Noise};
use crate::problems::Quadratic;

/// Radius of the domain.
const RADIUS: f64 = 4.0;
/// Each coordinate of the optimum: no coordinate of the gradient is larger than the sum of the two.
const CENTRE: f64 = 0.1;
/// x₀ is minus this in every coordinate, nearly at the edge.
const START: f64 = 1.4;
/// Dimension.
const DIM: usize = 8;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.25, 1.5, 1.75, 2.0],
        trajectories: 1 << 10,
        steps: 1 << 13,
    }
}

/// CClip as Theorem 8 has it.
fn cclip_method(b: &[f64], alpha: f64) -> Method {
    let update = Update::CClip {
        tau: b.to_vec(),
        growth: 1.0 / alpha,
    };
    Method::harmonic("CClip", update, 1.0)
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Theorem 8 and Corollary 7",
        "With E|g_i|^α ≤ B_i^α, CClip has E f(x̄_k) − f* ≤ 6α‖B‖₂²/(μ(k+1)^{2(α−1)/α}), and GClip the same with ‖B‖_α, \
         which is larger by up to d^{1/α−1/2}.",
        settings,
    );
    finding.notes.push(
        "The paper's Corollary 7 has another factor d, from ‖·‖₂ ≤ √d max: ‖v‖₂ ≤ ‖v‖_α shows that it is not needed. The \
         theorem is stated without a projection; a bound on E|g_i|^α at every x and strong convexity need a bounded domain, \
         so there is one."
            .into(),
    );
    let mut rows = Vec::new();
    for &alpha in &settings.alphas {
        let law = Law::Pareto { index: alpha + 0.5 };
        // A few coordinates have most of the noise.
        let scales: Vec<f64> = (0..DIM)
            .map(|i| 2_f64.powf(0.75 * i as f64 - 5.0))
            .collect();
        let noise = Independent { law, scales };
        let moments = noise.coordinate_moments(alpha, DIM).into_iter();
        let b: Vec<f64> = moments
            .map(|moment| gradient_moment(RADIUS + CENTRE, moment, alpha).powf(1.0 / alpha))
            .collect();
        let problem = Quadratic::new(vec![1.0; DIM], vec![CENTRE; DIM], Some(RADIUS))?;
        let (theorem, corollary) = (
            cclip(&b, alpha, 1.0)?,
            gclip_coordinatewise(&b, alpha, 1.0)?,
        );
        let k = super::octaves(4, settings.steps);
        let steps: Vec<f64> = k.iter().map(|&k| k as f64).collect();
        type Bound<'a> = &'a dyn Fn(u64) -> f64;
        let bounds: [Bound; 2] = [&|k| theorem.bound(k), &|k| corollary.tight.bound(k)];
        let methods = [
            (cclip_method(&b, alpha), norm(&b, 2.0)?, bounds[0]),
            (
                theorem_4::gclip(&corollary.tight, alpha),
                norm(&b, alpha)?,
                bounds[1],
            ),
        ];
        let mut curves = Vec::new();
        for (method, norm_of_b, bound) in methods {
            let ensemble = Ensemble {
                problem: &problem,
                noise: &noise,
                method: &method,
                start: &[-START; DIM],
                trajectories: settings.trajectories,
                checkpoints: &k,
                metrics: &[Metric::AverageGap],
                seed: settings.stream("theorem 8", alpha),
            };
            let measured = ensemble.run(control)?;
            let groups: Vec<Vec<f64>> = measured.rows(0).into_iter().map(<[f64]>::to_vec).collect();
            let (last, late) = (k.len() - 1, k.len() / 2);
            // The later half, wherever it lies.
            let found = Rate::new(
                &k[late..],
                &groups[late..],
                theorem.exponent(),
                f64::INFINITY,
                1.0,
            );
            let means: Vec<_> = groups.iter().map(|row| mean(row)).collect();
            let name = format!("{}, α = {alpha}", method.name);
            judge_below(
                &name,
                &k,
                &means,
                bound,
                largest_gap(&problem),
                &mut finding,
            );
            rows.push(vec![
                alpha.into(),
                method.name.clone().into(),
                norm_of_b.into(),
                means[last].into(),
                bound(k[last]).into(),
                found.measured.into(),
                theorem.exponent().into(),
            ]);
            let points = steps.iter().copied().zip(means);
            curves.push(Curve::measured(method.name.clone(), points));
            if method.name == "CClip" {
                curves.extend(found.lines("CClip"));
            }
            let line = steps.iter().zip(&k).map(|(&x, &k)| (x, bound(k)));
            curves.push(Curve::line(
                format!("bound of {}", method.name),
                Kind::Upper,
                line,
            ));
        }
        let printed = k
            .iter()
            .map(|&k| (k as f64, corollary.printed.printed_bound(k)));
        curves.push(Curve::line("Corollary 7 as printed", Kind::Upper, printed));
        finding.plots.push(Plot {
            title: format!("Unequal coordinates, α = {alpha}"),
            caption: format!("E f(x̄_k) − f* in {DIM} dimensions, noise scales from 1/32 to 1.2."),
            x: "steps k".into(),
            y: "E f − f*".into(),
            log: true,
            curves,
        });
    }
    let header = [
        "α",
        "method",
        "norm of B",
        "E f − f* at the end",
        "bound",
        "late exponent",
        "of the bound",
    ];
    finding.tables.push(Table::new(
        "CClip and GClip on unequal coordinates",
        &header,
        rows,
    ));
    finding.steps = control.steps();
    Ok(finding)
}
