//! Lemma 11: the direction of a stochastic gradient, ⟨g/‖g‖, ∇f⟩ ≥ ‖∇f‖/3 − (8/3)‖g − ∇f‖.
//!
//! It holds for every g, so there is nothing to estimate: random cases, and the noise that is worst for each length.
//! With ‖∇f‖ = 1 and r = ‖g − ∇f‖ the left side can be as small as √(1 − r²) for r ≤ 1 (g at a right angle to the
//! noise) and −1 beyond (noise straight back). The best bound that is linear in both norms, and exact without noise, is
//! ‖∇f‖ − 2‖g − ∇f‖; it is approached as r falls to 1.

use rayon::prelude::*;

use super::super::Settings;
use super::ratio::ROUNDING;
use super::sample::{Random, length};
use super::start;
use crate::bounds::clipping::{normalised_gradient, sharp_normalised_gradient};
use crate::ensemble::Control;
use crate::finding::{Check, Curve, Finding, Kind, Plot, Table};
use crate::{Cell, Error};

/// Dimensions of the random cases.
const DIMS: [usize; 4] = [1, 2, 5, 50];
/// ‖g − ∇f‖/‖∇f‖ in the table.
const LENGTHS: [f64; 9] = [0.0, 0.1, 0.125, 0.3, 0.5, 0.9, 0.999, 1.001, 2.0];
/// Bins of length 1/16, up to 2, for the figure.
const BINS: usize = 32;
/// Random cases that a task makes.
const TASK: usize = 4096;

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = start(
        11,
        "For all vectors g ≠ 0 and ∇f: ⟨g/‖g‖, ∇f⟩ ≥ ‖∇f‖/3 − (8/3)‖g − ∇f‖. The least left side is known, and even \
         ‖∇f‖ − 2‖g − ∇f‖ is a bound.",
        settings,
        "random cases",
    );
    for (name, value) in &mut finding.settings {
        if name == "α" {
            *value = "unused".into();
        }
    }
    let RandomCases {
        least,
        violations,
        margin,
    } = random_cases(settings, control, normalised_gradient)?;
    finding.checks.push(Check::new(
        "random directions in 1, 2, 5 and 50 dimensions: no left side below the bound",
        violations == 0,
        format!(
            "{violations} of {}; least (left side − bound)/max(‖∇f‖, ‖g − ∇f‖) {margin:.4}",
            settings.trajectories
        ),
    ));
    let mut rows = Vec::new();
    let mut attained: f64 = 0.0;
    let mut holds = true;
    for r in LENGTHS {
        let (bound, sharp) = (
            normalised_gradient(1.0, r),
            sharp_normalised_gradient(1.0, r),
        );
        let worst = adversary(r);
        attained = attained.max((worst - sharp).abs());
        holds &= worst >= bound - ROUNDING && worst >= 1.0 - 2.0 * r - ROUNDING;
        rows.push(
            [r, worst, sharp, 1.0 - 2.0 * r, bound]
                .map(Cell::from)
                .to_vec(),
        );
    }
    finding.checks.push(Check::new(
        "adversarial noise: the known infimum is attained, and above both bounds",
        holds && attained <= 1e-12,
        format!("|left side − infimum| at most {attained:.1e}"),
    ));
    finding.tables.push(Table::new(
        "The worst noise of length r, with ‖∇f‖ = 1",
        &["r", "left side", "infimum", "1 − 2r", "bound, (1 − 8r)/3"],
        rows,
    ));
    let line = |name: &str, kind, f: &dyn Fn(f64) -> f64| {
        let points = (0..=8 * BINS).map(|i| i as f64 / 128.0);
        Curve::line(name, kind, points.map(|r| (r, f(r))))
    };
    let middle = |bin: usize| (bin as f64 + 0.5) / 16.0;
    let seen = least
        .iter()
        .enumerate()
        .filter(|(_, least)| least.is_finite());
    finding.plots.push(Plot {
        title: "Direction of a noisy gradient".into(),
        caption:
            "⟨g/‖g‖, ∇f⟩ with ‖∇f‖ = 1: the least of the random cases in each bin, and bounds."
                .into(),
        x: "‖g − ∇f‖/‖∇f‖".into(),
        y: "⟨g/‖g‖, ∇f⟩/‖∇f‖".into(),
        log: false,
        curves: vec![
            Curve::line(
                "least of random cases",
                Kind::Measured,
                seen.map(|(bin, &least)| (middle(bin), least)),
            ),
            line("infimum", Kind::Reference, &|r| {
                sharp_normalised_gradient(1.0, r)
            }),
            line("1 − 2r", Kind::Lower, &|r| 1.0 - 2.0 * r),
            line("bound, (1 − 8r)/3", Kind::Lower, &|r| {
                normalised_gradient(1.0, r)
            }),
        ],
    });
    finding.notes.push(
        "The printed bound is nowhere attained: it is ⅔‖∇f‖ too low without noise, and lower still with it. It is \
         negative, and says nothing about descent, once ‖g − ∇f‖ > ‖∇f‖/8; the infimum is positive up to ‖g − ∇f‖ = \
         ‖∇f‖."
            .into(),
    );
    Ok(finding)
}

/// ⟨g/‖g‖, ∇f⟩ for ∇f = e₁ and the worst noise of length `r` in the plane.
fn adversary(r: f64) -> f64 {
    let g = if r <= 1.0 {
        // At a right angle to its noise: ⟨g, g − e₁⟩ = 0.
        [1.0 - r * r, r * ((1.0 - r) * (1.0 + r)).sqrt()]
    } else {
        [1.0 - r, 0.0]
    };
    g[0] / length(&g)
}

/// What random cases show.
struct RandomCases {
    /// The least ⟨g/‖g‖, ∇f⟩/‖∇f‖ by bin of ‖g − ∇f‖/‖∇f‖.
    least: Vec<f64>,
    /// Cases below the bound.
    violations: usize,
    /// The least difference to the bound, over the larger of the norms.
    margin: f64,
}

/// Gradients and noise of random directions; lengths over four decades, half of the noise as long as the gradient
/// within a factor of two.
fn random_cases(
    settings: &Settings,
    control: &Control,
    bound: impl Fn(f64, f64) -> f64 + Sync,
) -> Result<RandomCases, Error> {
    let key = settings.stream("lemma 11", 0.0);
    let task = |first: usize| {
        let cases = TASK.min(settings.trajectories - first);
        control.count(cases as u64)?;
        let mut found = RandomCases {
            least: vec![f64::INFINITY; BINS],
            violations: 0,
            margin: f64::INFINITY,
        };
        for case in first..first + cases {
            let mut random = Random::new(acclip_noise::lanes::mix(key, case as u64));
            let dim = DIMS[case % DIMS.len()];
            let size = random.decade(-2.0, 2.0);
            let ratio = match case / DIMS.len() % 2 {
                0 => random.decade(-2.0, 2.0),
                _ => random.between(0.0, 2.0),
            };
            let gradient: Vec<f64> = random.direction(dim).iter().map(|u| size * u).collect();
            let noise: Vec<f64> = random
                .direction(dim)
                .iter()
                .map(|u| ratio * size * u)
                .collect();
            let g: Vec<f64> = gradient.iter().zip(&noise).map(|(a, b)| a + b).collect();
            let norm = length(&g);
            if norm == 0.0 {
                continue;
            }
            let left = g.iter().zip(&gradient).map(|(g, f)| g * f).sum::<f64>() / norm;
            let scale = size.max(ratio * size);
            let margin = (left - bound(length(&gradient), length(&noise))) / scale;
            found.margin = found.margin.min(margin);
            // Rounding of g is amplified where it is short.
            found.violations += usize::from(margin < -ROUNDING * (1.0 + scale / norm));
            if let Some(least) = found.least.get_mut((16.0 * ratio) as usize) {
                *least = least.min(left / size);
            }
        }
        Ok(found)
    };
    let tasks: Vec<usize> = (0..settings.trajectories).step_by(TASK).collect();
    let found: Vec<Result<RandomCases, Error>> = tasks.into_par_iter().map(task).collect();
    let mut all = RandomCases {
        least: vec![f64::INFINITY; BINS],
        violations: 0,
        margin: f64::INFINITY,
    };
    for found in found {
        let found = found?;
        all.violations += found.violations;
        all.margin = all.margin.min(found.margin);
        all.least
            .iter_mut()
            .zip(&found.least)
            .for_each(|(all, x)| *all = all.min(*x));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            trajectories: 20_000,
            ..super::super::defaults(11)
        }
    }

    #[test]
    fn the_bound_holds_and_a_higher_one_does_not() {
        let finding = run(&settings(), &Control::default()).unwrap();
        assert!(finding.holds(), "{:?}", finding.checks);
        let violations = |bound: &(dyn Fn(f64, f64) -> f64 + Sync)| {
            random_cases(&settings(), &Control::default(), bound)
                .unwrap()
                .violations
        };
        // The best linear bound holds, and nothing a little above it or above the infimum does.
        assert_eq!(violations(&|f, e| f - 2.0 * e), 0);
        assert_eq!(violations(&sharp_normalised_gradient), 0);
        assert!(violations(&|f, e| f - 1.9 * e) > 0);
        assert!(violations(&|f, e| sharp_normalised_gradient(f, e) + 1e-3 * f) > 0);
    }

    #[test]
    fn the_adversary_by_hand() {
        // r = 0.6: g = (0.64, 0.48), of length 0.8.
        assert!((adversary(0.6) - 0.8).abs() < 1e-15 && adversary(3.0) == -1.0);
        assert_eq!(adversary(0.0), 1.0);
    }
}
