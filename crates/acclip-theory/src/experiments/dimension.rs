//! GClip against CClip as the dimension grows: the quotient of their errors, beside d^{2/α−1}.
//!
//! The noise has independent coordinates of equal scale, spikes ±s with probability s^{−α}: E|ξ_i|^α = 1 whatever s. GClip's
//! threshold has to let through what all coordinates do together, ‖B‖_α = d^{1/α}, so that spikes of one coordinate pass
//! that CClip would cut. Each method meets the size of spikes that is worst for it.
//!
//! Started at the optimum of ½‖x‖², so that all of the error is noise, and without a domain: only the quotient is of
//! interest.

use super::Settings;
use crate::Error;
use crate::bounds::strongly_convex::dimension_ratio;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::{Estimate, exponent, mean};
use crate::finding::{Check, Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update};
use crate::noise::{Independent, Law};
use crate::problems::Quadratic;

/// Sizes of spikes, as powers of this.
const SIZE: f64 = std::f64::consts::SQRT_2;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.25, 1.5, 1.75, 2.0],
        trajectories: 1 << 12,
        steps: 1 << 7,
    }
}

/// The dimensions that are tried.
const DIMENSIONS: [usize; 5] = [1, 4, 16, 64, 256];

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "GClip and CClip as the dimension grows",
        "With coordinates of equal scale the bounds of GClip and CClip differ by ‖B‖_α²/‖B‖₂² = d^{2/α−1} (by d times that \
         as printed, where ‖B‖_α² has a factor d that is not needed).",
        settings,
    );
    let dimensions: Vec<f64> = DIMENSIONS.iter().map(|&d| d as f64).collect();
    let mut rows = Vec::new();
    for &alpha in &settings.alphas {
        let mut quotients: Vec<Vec<f64>> = Vec::new();
        for dim in DIMENSIONS {
            let d = dim as f64;
            let growth = 1.0 / alpha;
            let max_norm = d.powf(growth);
            let gclip = worst(
                Update::GClip { max_norm, growth },
                max_norm,
                alpha,
                dim,
                settings,
                control,
            )?;
            let tau = vec![1.0];
            let cclip = worst(
                Update::CClip { tau, growth },
                1.0,
                alpha,
                dim,
                settings,
                control,
            )?;
            // In one dimension the two are one method.
            quotients.push(gclip.iter().zip(&cclip).map(|(g, c)| g / c).collect());
        }
        let groups: Vec<&[f64]> = quotients.iter().map(Vec::as_slice).collect();
        let means: Vec<Estimate> = groups.iter().map(|row| mean(row)).collect();
        let grows = exponent(&dimensions, &groups).times(-1.0);
        let proved = 2.0 / alpha - 1.0;
        let detail = format!(
            "{:.4} [{:.4}, {:.4}] beside {proved:.4}",
            grows.value, grows.low, grows.high
        );
        let name = format!("α = {alpha}: exponent of the quotient in d");
        finding.checks.push(Check::new(
            name,
            grows.holds_among(proved, settings.alphas.len()),
            detail,
        ));
        let bound = |dim: usize| dimension_ratio(&vec![1.0; dim], alpha);
        let bounds = DIMENSIONS
            .iter()
            .map(|&dim| bound(dim))
            .collect::<Result<Vec<f64>, _>>()?;
        rows.push(vec![
            alpha.into(),
            means[DIMENSIONS.len() - 1].into(),
            bounds[DIMENSIONS.len() - 1].into(),
            grows.into(),
            proved.into(),
        ]);
        finding.plots.push(Plot {
            title: format!("Quotient of errors, α = {alpha}"),
            caption: format!(
                "Error of GClip over that of CClip after {} steps, each on its worst noise.",
                settings.steps
            ),
            x: "dimension d".into(),
            y: "GClip ÷ CClip".into(),
            log: true,
            curves: vec![
                Curve::measured("measured", dimensions.iter().copied().zip(means)),
                Curve::line(
                    "quotient of the bounds",
                    Kind::Reference,
                    dimensions.iter().copied().zip(bounds),
                ),
            ],
        });
    }
    let header = [
        "α",
        "quotient at d = 256",
        "of the bounds",
        "exponent in d",
        "2/α − 1",
    ];
    finding
        .tables
        .push(Table::new("Error of GClip ÷ error of CClip", &header, rows));
    finding.steps = control.steps();
    Ok(finding)
}

/// E f(x̄_k) with the size of spikes that is worst: means of groups. Sizes around the threshold at the end are tried.
fn worst(
    update: Update,
    threshold: f64,
    alpha: f64,
    dim: usize,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<f64>, Error> {
    let method = Method {
        project: false,
        ..Method::harmonic("clip", update, 1.0)
    };
    let problem = Quadratic::new(vec![1.0; dim], vec![0.0; dim], None)?;
    let last = threshold * (settings.steps as f64).powf(1.0 / alpha);
    let mut worst: Vec<f64> = Vec::new();
    for i in -5..=1 {
        let size = (last * SIZE.powi(i)).max(1.0);
        let noise = Independent {
            law: Law::Spike {
                p: size.powf(-alpha),
            },
            scales: vec![size],
        };
        let ensemble = Ensemble {
            problem: &problem,
            noise: &noise,
            method: &method,
            start: &vec![0.0; dim],
            trajectories: settings.trajectories,
            checkpoints: &[settings.steps],
            metrics: &[Metric::AverageGap],
            seed: settings.stream("dimension", alpha + dim as f64),
        };
        let found = ensemble.run(control)?.groups(0, 0).to_vec();
        if worst.is_empty() || mean(&found).value > mean(&worst).value {
            worst = found;
        }
    }
    // Fewer trajectories would have the same errors in more dimensions: the groups are put together to as many.
    Ok(crate::estimate::regroup(&worst, 8))
}
