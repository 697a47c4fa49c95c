//! Lemma 9: a clipped gradient under E‖g‖^α ≤ G^α.
//!
//! ```text
//! E‖ĝ‖² ≤ G^α τ^{2−α}        ‖Eĝ − ∇f‖² ≤ c² G^{2α} τ^{2−2α}        c = (α − 1)^{α−1}/α^α; 1 in print
//! ```
//!
//! Without a gradient, G^α = E‖ξ‖^α; with one, ‖∇f‖^α + 2^{2−α} E‖ξ‖^α, which is at least E‖∇f + ξ‖^α
//! ([`gradient_moment`]), and equal to it at α = 2. Where E‖ξ‖^α has no closed form, its upper bound by Lemma 12 stands in.
//!
//! The bounds are attained by a gradient that is 0 most of the time, and else of length τ (second moment) or
//! τα/(α − 1) (bias).

use super::super::Settings;
use super::atoms::Push;
use super::ratio::{ROUNDING, Ratios, attained, report};
use super::sample::{Case, direction, mean_of, means, norm_of, panel};
use super::start;
use crate::bounds::clipping::{gradient_moment, second_moment, sharp_squared_bias, squared_bias};
use crate::ensemble::Control;
use crate::finding::{Finding, Table};
use crate::{Cell, Error};

/// Thresholds, as powers of two times G or σ.
pub(super) const THRESHOLDS: std::ops::RangeInclusive<i32> = -2..=4;
/// ‖∇f‖ beside (E‖ξ‖^α)^{1/α}.
const GRADIENTS: [f64; 2] = [0.0, 0.5];
/// Probabilities of the rare gradients that attain the bounds.
const RARE: [f64; 3] = [0.5, 1e-2, 1e-6];

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = start(
        9,
        "With E‖g‖^α ≤ G^α and ĝ = min{1, τ/‖g‖} g: E‖ĝ‖² ≤ G^α τ^{2−α} and ‖Eĝ − ∇f‖² ≤ G^{2α} τ^{2−2α}; the second \
         even with the factor c² = ((α−1)^{α−1}/α^α)² ≤ 1.",
        settings,
        "samples",
    );
    let mut found = Vec::new();
    for &alpha in &settings.alphas {
        for case in &panel(alpha) {
            for gradient in GRADIENTS {
                found.extend(measure(case, alpha, gradient, settings, control)?);
            }
        }
    }
    let names = [
        "E‖ĝ‖² ÷ bound",
        "‖Eĝ − ∇f‖ ÷ printed bound",
        "‖Eĝ − ∇f‖ ÷ bound with c",
    ];
    report(&mut finding, names, &[0, 2], "log₂(τ/G)", &found);
    equality(&mut finding, &settings.alphas, |bound| bound)?;
    finding.notes.push(
        "Figures have ∇f = 0; the tables and checks also ∇f ≠ 0. A clipped gradient is bounded, so that its means have \
         intervals although the noise has infinite variance. The bias is compared without the square; an estimate of \
         it is not below the length of the noise in the mean."
            .into(),
    );
    Ok(finding)
}

/// All thresholds, for noise of one law. `gradient` is ‖∇f‖ in units of the noise.
fn measure(
    case: &Case,
    alpha: f64,
    gradient: f64,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Ratios<3>>, Error> {
    let moment = case.noise.norm_moment(alpha, case.dim).at_most();
    let length = gradient * moment.powf(1.0 / alpha);
    let g = gradient_moment(length, moment, alpha).powf(1.0 / alpha);
    let at: Vec<f64> = direction(case.dim).iter().map(|u| length * u).collect();
    let thresholds: Vec<(i32, f64)> = THRESHOLDS.map(|i| (i, g * 2_f64.powi(i))).collect();
    let values = 1 + case.dim;
    let key = settings.stream(&format!("lemma 9, {}", case.name), alpha + 4.0 * gradient);
    let sums = thresholds.len() * values;
    let groups = means(
        case,
        settings.trajectories,
        key,
        sums,
        control,
        |noise, sums| {
            for ((_, tau), sums) in thresholds.iter().zip(sums.chunks_exact_mut(values)) {
                add_clipped(noise, &at, *tau, sums);
            }
        },
    )?;
    let ratios = |(place, &(power, tau)): (usize, &(i32, f64))| {
        let first = place * values;
        let second = mean_of(&groups, first);
        let bias = norm_of(&groups, first + 1..first + values);
        Ok(Ratios {
            alpha,
            law: case.name,
            place: format!("τ = 2^{power} G, ‖∇f‖^α = {gradient}^α E‖ξ‖^α"),
            x: (gradient == 0.0).then_some(f64::from(power)),
            ratios: [
                second.times(1.0 / second_moment(g, alpha, tau)?),
                bias.times(1.0 / squared_bias(g, alpha, tau)?.sqrt()),
                bias.times(1.0 / sharp_squared_bias(g, alpha, tau)?.sqrt()),
            ],
        })
    };
    thresholds.iter().enumerate().map(ratios).collect()
}

/// Adds ‖ĝ‖² and ĝ − ∇f for g = ∇f + ξ.
pub(super) fn add_clipped(noise: &[f64], gradient: &[f64], tau: f64, sums: &mut [f64]) {
    let g = || {
        noise
            .iter()
            .zip(gradient)
            .map(|(noise, gradient)| noise + gradient)
    };
    let norm = g().map(|g| g * g).sum::<f64>().sqrt();
    let factor = if norm > tau { tau / norm } else { 1.0 };
    sums[0] += norm.min(tau).powi(2);
    for ((sum, g), gradient) in sums[1..].iter_mut().zip(g()).zip(gradient) {
        *sum += factor * g - gradient;
    }
}

/// The gradients that attain the bounds; `altered` is the identity, but for a test.
fn equality(
    finding: &mut Finding,
    alphas: &[f64],
    altered: impl Fn(f64) -> f64,
) -> Result<(), Error> {
    let (mut second, mut sharp, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for &alpha in alphas {
        for p in RARE {
            let place = format!("α = {alpha}, p = {p}");
            let law = Push::rare_gradient(1.0, p);
            let g = law.moment(alpha).powf(1.0 / alpha);
            let of_second = law.second(1.0) / altered(second_moment(g, alpha, 1.0)?);
            let tau = (alpha - 1.0) / alpha;
            let bias = law.squared_bias(tau);
            let of_sharp = bias / altered(sharp_squared_bias(g, alpha, tau)?);
            let of_printed = bias / squared_bias(g, alpha, tau)?;
            rows.push(
                [alpha, p, of_second, of_printed, of_sharp]
                    .map(Cell::from)
                    .to_vec(),
            );
            second.push((place.clone(), of_second));
            sharp.push((place, of_sharp));
        }
    }
    finding.tables.push(Table::new(
        "Where the bounds are attained: ‖g‖ = 1 with probability p, else 0; τ = 1 for the second moment, (α − 1)/α for \
         the bias (exact)",
        &[
            "α",
            "p",
            "E‖ĝ‖² ÷ bound",
            "‖Eĝ − ∇f‖² ÷ printed bound",
            "‖Eĝ − ∇f‖² ÷ bound with c²",
        ],
        rows,
    ));
    finding
        .checks
        .push(attained("E‖ĝ‖²: the bound is attained", &second, ROUNDING));
    finding.checks.push(attained(
        "‖Eĝ − ∇f‖²: the bound with c² is attained",
        &sharp,
        ROUNDING,
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_of_one_row_by_hand() {
        // g = (3, 4), τ = 1.
        let mut sums = [0.0; 3];
        add_clipped(&[2.0, 5.0], &[1.0, -1.0], 1.0, &mut sums);
        for (found, exact) in sums.iter().zip([1.0, -0.4, 1.8]) {
            assert!((found - exact).abs() < 1e-15, "{sums:?}");
        }
        add_clipped(&[2.0, 5.0], &[1.0, -1.0], 6.0, &mut sums);
        for (found, exact) in sums.iter().zip([26.0, 1.6, 6.8]) {
            assert!((found - exact).abs() < 1e-14, "{sums:?}");
        }
    }

    /// A Gaussian's clipped moments by hand: at τ = G = 1, E min{x², 1} = 1 − 2φ(1), no bias.
    /// Pareto with |ξ| ≥ 1 and threshold below 1: ĝ = ±τ.
    #[test]
    fn measured_ratios_are_those_by_hand() {
        let settings = Settings {
            seed: 1,
            alphas: vec![2.0],
            trajectories: 1 << 16,
            steps: 1,
        };
        let case = |at: usize, alpha| {
            measure(
                &panel(alpha)[at],
                alpha,
                0.0,
                &settings,
                &Control::default(),
            )
            .unwrap()
        };
        let [second, bias, sharp] = case(0, 2.0)[2].ratios;
        assert!(second.holds_among(0.516_058_551, 3), "{second:?}");
        // A symmetric law has no bias; c = ¼.
        assert!(bias.holds_among(0.0, 3) && (sharp.value / bias.value - 4.0).abs() < 1e-9);
        // a = 1.7, α = 1.5: G^α = 8.5, G = 4.164… and τ = G/4 above 1: τ²(τ/G)^{−α}·P(|ξ| > τ) and so on.
        let g = 8.5_f64.powf(1.0 / 1.5);
        let tau = 0.25 * g;
        let inside = 1.7 / 0.3 * (tau.powf(0.3) - 1.0);
        let exact = (inside + tau.powf(2.0 - 1.7)) / (8.5 * tau.powf(0.5));
        let second = case(2, 1.5)[0].ratios[0];
        assert!(second.holds_among(exact, 3), "{second:?} {exact}");
        assert!(second.high - second.low < 0.02 * exact);
        // Two-point: ½-push of 0.95 with probability 0.05, else −0.05. τ = G/4 = 0.0545 at α = 2 cuts it to τ.
        let case = &case(5, 2.0)[0];
        let g = (0.05_f64 * 0.95).sqrt();
        let bias = 0.05 * (0.95 - 0.25 * g) / (g * g / (0.25 * g));
        assert!(case.ratios[1].holds_among(bias, 3), "{case:?} {bias}");
    }

    #[test]
    fn a_wrong_constant_is_seen() {
        for (factor, holds) in [(1.0, true), (0.9, false), (1.1, false)] {
            let mut finding = start(9, "", &super::super::defaults(9), "");
            equality(&mut finding, &[1.1, 2.0], |bound| factor * bound).unwrap();
            assert_eq!(finding.holds(), holds, "{:?}", finding.checks);
        }
    }
}
