//! Lemma 16: no test from k bits is right with probability more than ½(1 + √(k·KL/2)), below ¾ for k p_0 ≤ 1.
//!
//! The success of the best test, which takes the likelier ν, is exact: 1 − ½Σ min(P_0, P_1) over the number of spikes.
//! Pinsker's bound stands with the exact divergence, and with p_0/(4(1 − p_0)) in its place (χ²). Both are drawn for
//! the pair of functions with the largest p_0 that α allows, about 2^{−α}, and for a rare spike, p_0 = 2⁻²⁰, where α no
//! longer matters.

use acclip_noise::lanes::mix;
use rayon::prelude::*;

use super::super::Settings;
use super::sample::{GROUPS, Random};
use super::start;
use crate::bounds::lower_strongly_convex::HardMean;
use crate::ensemble::Control;
use crate::estimate::{Estimate, mean};
use crate::finding::{Check, Curve, Finding, Kind, Plot, Table};
use crate::{Cell, Error};

/// 1/p_0 of rare spikes.
const RARE: u64 = 1 << 20;
/// 1/p_0 where the best test is simulated, and numbers of bits.
const SIMULATED: u64 = 256;
const BITS: [u64; 3] = [64, 256, 1024];
/// Points of a curve, from k p_0 = 0.01 to 10.
const POINTS: i32 = 60;

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = start(
        16,
        "From k bits of probability p_ν no test finds ν with probability more than ½(1 + √(k·KL(p_1‖p_0)/2)), and KL \
         is at most p_0/(4(1 − p_0)) ≤ p_0/2: below ¾ for k p_0 ≤ 1.",
        settings,
        "simulated tests of each function",
    );
    let (mut rows, mut tests, mut simulated) = (Vec::new(), Vec::new(), Vec::new());
    let (mut excess, mut sharpest) = (f64::NEG_INFINITY, 0.0_f64);
    let (mut least_exact, mut most_exact, mut most_bound) = (1.0_f64, 0.0_f64, 0.0_f64);
    for &alpha in &settings.alphas {
        let smallest = 2_f64.powf(alpha).ceil() as u64;
        for horizon in [smallest, RARE] {
            control.count(POINTS as u64)?;
            let hard = HardMean::for_horizon(alpha, horizon)?;
            let points = curves(&hard);
            for &(_, [exact, pinsker, simple]) in &points {
                excess = excess.max(exact - pinsker).max(pinsker - simple);
                if pinsker < 1.0 {
                    sharpest = sharpest.max((exact - 0.5) / (pinsker - 0.5));
                }
            }
            let at = |k| {
                [
                    hard.bayes_success(k),
                    hard.pinsker_success(k),
                    hard.success_bound(k),
                ]
            };
            let [exact, pinsker, simple] = at(horizon);
            (least_exact, most_exact) = (least_exact.min(exact), most_exact.max(exact));
            most_bound = most_bound.max(simple);
            let reach = |of: usize| reaches(|k| at(k)[of]) as f64 / horizon as f64;
            let mut row = vec![alpha, 1.0 / horizon as f64, exact, pinsker, simple];
            row.extend([reach(0), reach(1), reach(2)]);
            rows.push(row.into_iter().map(Cell::from).collect());
            finding.plots.push(plot(alpha, horizon, &points));
        }
        let hard = HardMean::for_horizon(alpha, SIMULATED)?;
        let hits = |bits: u64| bits as f64 / SIMULATED as f64;
        for bits in BITS {
            let found = simulate(
                &hard,
                bits,
                settings.stream("lemma 16", alpha),
                settings,
                control,
            )?;
            let exact = hard.bayes_success(bits);
            tests.push(vec![
                alpha.into(),
                hits(bits).into(),
                found.into(),
                exact.into(),
            ]);
            simulated.push((found, exact));
        }
    }
    finding.checks.push(Check::new(
        "best test ≤ Pinsker ≤ Pinsker with χ², for k p_0 from 0.01 to 10",
        excess <= 1e-12,
        format!("largest difference {excess:.1e}"),
    ));
    finding.checks.push(Check::new(
        "at k p_0 = 1 the bound is below ¾, and the best test is right with probability 0.61 to 0.65",
        most_bound < 0.75 && least_exact > 0.61 && most_exact < 0.65,
        format!("bound at most {most_bound:.4}; best test {least_exact:.4} to {most_exact:.4}"),
    ));
    let apart = simulated
        .iter()
        .filter(|(found, exact)| !found.holds_among(*exact, simulated.len()));
    let apart = apart.count();
    finding.checks.push(Check::new(
        "simulated tests are right as often as the binomial law says",
        apart == 0,
        format!("{apart} of {} are not", simulated.len()),
    ));
    finding.tables.push(Table::new(
        "Success at k p_0 = 1, and k p_0 where it reaches ¾",
        &[
            "α",
            "p_0",
            "best test",
            "Pinsker",
            "Pinsker, χ²",
            "best test reaches ¾ at",
            "Pinsker at",
            "Pinsker, χ², at",
        ],
        rows,
    ));
    finding.tables.push(Table::new(
        format!("Success of the best test, p_0 = 1/{SIMULATED}"),
        &["α", "k p_0", "simulated", "exact"],
        tests,
    ));
    finding.notes.push(format!(
        "Above ½, the best test has at most {sharpest:.3} of what Pinsker's inequality allows. The budget of Theorem \
         5, k p_0 = 1, could be the larger one at which the best test reaches ¾."
    ));
    Ok(finding)
}

/// Best test, Pinsker, and Pinsker with χ², against k p_0.
fn curves(hard: &HardMean) -> Vec<(f64, [f64; 3])> {
    let p0 = hard.probability(false);
    let mut bits: Vec<u64> = (0..=POINTS)
        .map(|i| 10_f64.powf(-2.0 + 3.0 * f64::from(i) / f64::from(POINTS)) / p0)
        .map(|k| (k.round() as u64).max(1))
        .collect();
    bits.dedup();
    let at = |k| {
        [
            hard.bayes_success(k),
            hard.pinsker_success(k),
            hard.success_bound(k),
        ]
    };
    bits.into_iter().map(|k| (k as f64 * p0, at(k))).collect()
}

/// The least k with a success of ¾.
fn reaches(success: impl Fn(u64) -> f64) -> u64 {
    let (mut low, mut high) = (1, 1);
    while success(high) < 0.75 && high < 1 << 40 {
        (low, high) = (high, 2 * high);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if success(middle) >= 0.75 {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}

fn plot(alpha: f64, horizon: u64, points: &[(f64, [f64; 3])]) -> Plot {
    let names = [
        ("best test", Kind::Measured),
        ("Pinsker", Kind::Upper),
        ("Pinsker with χ²", Kind::Upper),
    ];
    let line = |(i, (name, kind)): (usize, (&str, Kind))| {
        Curve::line(name, kind, points.iter().map(|&(x, values)| (x, values[i])))
    };
    let mut curves: Vec<Curve> = names.into_iter().enumerate().map(line).collect();
    curves.push(Curve::line(
        "¾",
        Kind::Reference,
        [(0.0, 0.75), (10.0, 0.75)],
    ));
    Plot {
        title: format!("Tests, α = {alpha}, p_0 = 1/{horizon}"),
        caption: "Probability of finding ν from k bits.".into(),
        x: "k p_0".into(),
        y: "success".into(),
        log: false,
        curves,
    }
}

/// How often the likelier ν is the right one.
fn simulate(
    hard: &HardMean,
    bits: u64,
    key: u64,
    settings: &Settings,
    control: &Control,
) -> Result<Estimate, Error> {
    let (p0, p1) = (hard.probability(false), hard.probability(true));
    let rows = settings.trajectories.div_ceil(GROUPS);
    let key = mix(key, bits);
    let group = |group: usize| {
        let mut right = 0;
        for run in 0..rows {
            control.count(2 * bits)?;
            for (nu, p) in [(false, p0), (true, p1)] {
                let stream = mix(mix(key, group as u64), 2 * run as u64 + u64::from(nu));
                let mut random = Random::new(stream);
                let spikes = (0..bits).filter(|_| random.uniform() < p).count() as f64;
                let rest = bits as f64 - spikes;
                let log_odds = spikes * (p0 / p1).ln() + rest * ((1.0 - p0) / (1.0 - p1)).ln();
                right += u32::from((log_odds <= 0.0) == nu);
            }
        }
        Ok(f64::from(right) / (2 * rows) as f64)
    };
    let groups: Vec<Result<f64, Error>> = (0..GROUPS).into_par_iter().map(group).collect();
    Ok(mean(&groups.into_iter().collect::<Result<Vec<_>, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_a_best_test_is_the_best() {
        let settings = Settings {
            alphas: vec![1.1, 2.0],
            trajectories: 1 << 11,
            ..super::super::defaults(16)
        };
        let finding = run(&settings, &Control::default()).unwrap();
        assert!(finding.holds(), "{:?}", finding.checks);
    }

    #[test]
    fn where_a_success_reaches_three_quarters() {
        assert_eq!(reaches(|k| 0.5 + 0.001 * k as f64), 250);
        assert_eq!(reaches(|_| 1.0), 1);
        // χ² at p_0 = 2⁻²⁰: ½(1 + √(k p_0/(8(1 − p_0)))) = ¾ at k = 2(1 − p_0)/p_0.
        let hard = HardMean::for_horizon(1.5, RARE).unwrap();
        assert_eq!(reaches(|k| hard.success_bound(k)), 2 * (RARE - 1));
        // Rare spikes: Poisson of mean c/2 against c; the best test says ν = 1 for at most so many spikes.
        let k = reaches(|k| hard.bayes_success(k));
        let c = k as f64 / RARE as f64;
        let (mut low, mut high, mut difference, mut best) =
            ((-0.5 * c).exp(), (-c).exp(), 0.0, 0.0);
        for spikes in 1..30 {
            difference += low - high;
            best = f64::max(best, difference);
            (low, high) = (
                low * 0.5 * c / f64::from(spikes),
                high * c / f64::from(spikes),
            );
        }
        assert!((0.5 * (1.0 + best) - 0.75).abs() < 1e-5, "{c} {best}");
    }
}
