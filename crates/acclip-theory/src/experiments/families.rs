//! Families of problems on which the rates of Table 1 are attained.
//!
//! A rate is a statement about the worst problem at a number of steps, and that problem changes with the number: on
//! any one of them a method is eventually faster. So each point of a measured curve is the worst of a family, run for
//! that many steps alone.
//!
//! - [`hard_mean`]: the two functions of Theorem 5, strongly convex.
//! - [`Slopes`]: rippled slopes of any steepness, smooth and not convex, with noise whose clipping drives iterates uphill.
//! - [`chain`]: the zero-chain of Theorem 6.

use super::Settings;
use crate::Error;
use crate::bounds::lower_non_convex::HardChain;
use crate::bounds::lower_strongly_convex::HardMean;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::mean;
use crate::methods::Method;
use crate::noise::{HiddenCoordinate, Independent, Law, Noise};
use crate::problems::{Domain, HardMeanObjective, Problem, Ramp, ZeroChain};

/// E f(x̄_k) − f* (of x_k, without an average) on the worse of the two functions of Theorem 5 for k steps, from a start in
/// [0, ½]: means of groups. From 0 a method that does not move is good already, since both optima are near.
pub(super) fn hard_mean(
    method: &Method,
    start: f64,
    alpha: f64,
    k: u64,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<f64>, Error> {
    let hard = HardMean::for_horizon(alpha, k)?;
    let mut worst = Vec::new();
    for nu in [false, true] {
        // g = x − b + ξ with ξ = b − 1/(2γ) with probability p, and else b = p/(2γ).
        let noise = Independent {
            law: Law::TwoPoint {
                p: hard.probability(nu),
            },
            scales: vec![-hard.spike()],
        };
        let ensemble = Ensemble {
            problem: &HardMeanObjective::new(hard.b(nu))?,
            noise: &noise,
            method,
            start: &[start],
            trajectories: settings.trajectories,
            checkpoints: &[k],
            metrics: &[Metric::AverageGap],
            seed: settings.stream("hard mean", alpha + k as f64),
        };
        worst = worse(worst, ensemble.run(control)?.groups(0, 0).to_vec());
    }
    Ok(worst)
}

/// Rippled slopes ([`Ramp`]) with L, F0 and σ = 1, each twice as steep as the fourth after it, in the order from the
/// steepest that a function with these L and F0 can have.
#[derive(Debug)]
pub(super) struct Slopes {
    alpha: f64,
    /// The slope that was worst so far, and where to look next.
    worst: i32,
}

/// L = F0 = σ = 1 in the family of slopes: units can be chosen so.
pub(super) const UNIT: f64 = 1.0;
/// Slopes that are tried on either side of the last worst one.
const STEEPER: i32 = 2;
const FLATTER: i32 = 8;

impl Slopes {
    pub(super) fn new(alpha: f64) -> Self {
        Slopes { alpha, worst: 0 }
    }

    /// The mean over a run of k steps of E min{‖∇f‖², τ‖∇f‖}, for the worst slope: means of groups. `tau` is the
    /// method's threshold, for which the noise is made.
    ///
    /// The mean rises slowly as slopes get flatter, and falls steeply after the flattest one that cannot be walked down in
    /// k steps. So the grid of slopes misses the largest mean by a little; how much, relatively, is seen in the rise from
    /// the slope before the worst, and comes second.
    pub(super) fn run(
        &mut self,
        method: &Method,
        tau: f64,
        k: u64,
        settings: &Settings,
        control: &Control,
    ) -> Result<(Vec<f64>, f64), Error> {
        let noise = uphill(self.alpha, tau);
        let mut found: Vec<(i32, Vec<f64>)> = Vec::new();
        for slope in self.worst - STEEPER..=self.worst + FLATTER {
            let ramp = Ramp::new(UNIT, 2_f64.powf(0.5 - 0.25 * f64::from(slope)))?;
            let ensemble = Ensemble {
                problem: &ramp,
                noise: &noise,
                method,
                start: &[ramp.at_height(UNIT)],
                trajectories: settings.trajectories,
                checkpoints: &[k],
                metrics: &[Metric::MeanTruncatedGradient { tau }],
                seed: settings.stream("slopes", self.alpha + k as f64),
            };
            found.push((slope, ensemble.run(control)?.groups(0, 0).to_vec()));
        }
        let means: Vec<f64> = found.iter().map(|(_, groups)| mean(groups).value).collect();
        let at = (0..means.len()).fold(0, |at, i| if means[i] > means[at] { i } else { at });
        let rise = 1.0 - means[at.saturating_sub(1)] / means[at];
        let (slope, groups) = found.swap_remove(at);
        self.worst = slope;
        Ok((groups, rise))
    }
}

/// Noise of α-moment 1 whose clipping drives iterates uphill: its rare large values point along ∇f, and what is clipped of
/// them is missing in the step downhill. Of all sizes s, s = ατ/(α − 1) loses most, p(s − τ) at p = s^{−α}.
fn uphill(alpha: f64, tau: f64) -> Independent {
    let size = alpha / (alpha - 1.0) * tau;
    let moment = |p: f64| Law::TwoPoint { p }.absolute_moment(alpha);
    // The moment grows with p up to ½.
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..100 {
        let p = 0.5 * (low + high);
        if size.powf(alpha) * moment(p) < UNIT {
            low = p;
        } else {
            high = p;
        }
    }
    // Below moment 1 at p = ½ where τ is small: then the scale makes up for it.
    let scale = (UNIT / moment(high)).powf(1.0 / alpha);
    Independent {
        law: Law::TwoPoint { p: high },
        scales: vec![scale],
    }
}

/// E‖∇f(x_k)‖ after k steps on the chain of Theorem 6: means of groups.
pub(super) fn chain(
    method: &Method,
    hard: &HardChain,
    k: u64,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<f64>, Error> {
    let length = hard.length() as usize;
    let chain = ZeroChain::new(length, UNIT, hard.scale())?;
    let noise = HiddenCoordinate {
        chain,
        p: hard.probability(),
    };
    let ensemble = Ensemble {
        problem: &chain,
        noise: &noise,
        method,
        start: &vec![0.0; length],
        trajectories: settings.trajectories,
        checkpoints: &[k],
        metrics: &[Metric::Gradient],
        seed: settings.stream("chain", hard.probability() + k as f64),
    };
    Ok(ensemble.run(control)?.groups(0, 0).to_vec())
}

/// A problem that does not change with the number of steps.
pub(super) struct Fixed<'a> {
    pub name: &'static str,
    pub problem: &'a dyn Problem,
    pub noise: Box<dyn Noise>,
    /// x₀ in every coordinate.
    pub start: f64,
}

impl<'a> Fixed<'a> {
    pub(super) fn new(
        name: &'static str,
        problem: &'a dyn Problem,
        noise: impl Noise + 'static,
        start: f64,
    ) -> Self {
        Fixed {
            name,
            problem,
            noise: Box::new(noise),
            start,
        }
    }
}

/// The largest f − f* found on the axes and the diagonal of the problem's ball; ∞ without a ball.
pub(super) fn largest_gap(problem: &dyn Problem) -> f64 {
    let Some(Domain::Ball { radius }) = problem.facts().domain else {
        return f64::INFINITY;
    };
    let dim = problem.dim();
    let axis = |at: usize| {
        (0..dim)
            .map(|i| if i == at { radius } else { 0.0 })
            .collect()
    };
    let diagonal = vec![radius / (dim as f64).sqrt(); dim];
    let mut largest = 0.0_f64;
    for point in (0..dim).map(axis).chain([diagonal]) {
        for sign in [-1.0, 1.0] {
            let x: Vec<f64> = point.iter().map(|x| sign * x).collect();
            let mut gap = [0.0];
            problem.gap(&x, &mut gap);
            largest = largest.max(gap[0]);
        }
    }
    largest
}

/// The one with the larger mean.
fn worse(a: Vec<f64>, b: Vec<f64>) -> Vec<f64> {
    if a.is_empty() || mean(&b).value > mean(&a).value {
        b
    } else {
        a
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Update;

    #[test]
    fn noise_that_pushes_uphill_has_moment_one() {
        for alpha in [1.05, 1.3, 1.7, 2.0] {
            for tau in [0.3, 2.0, 50.0, 1e4] {
                let noise = uphill(alpha, tau);
                let moment = noise.scales[0].powf(alpha) * noise.law.absolute_moment(alpha);
                assert!((moment - 1.0).abs() < 1e-9, "{alpha} {tau}: {moment}");
                if tau > 5.0 {
                    assert!((noise.scales[0] / tau - alpha / (alpha - 1.0)).abs() < 1e-9);
                }
            }
        }
    }

    /// By hand, in units of τ: the bias of a clip at 1 is p(s − 1), and p = s^{−α} for s ≫ 1 and small p^{α−1}.
    #[test]
    fn the_push_uphill_is_of_the_size_that_biases_a_clip_most() {
        for alpha in [1.5_f64, 1.7, 1.9] {
            let found = uphill(alpha, 1e5);
            let Law::TwoPoint { p } = found.law else {
                panic!("{found:?}");
            };
            let (size, p) = (found.scales[0] / 1e5, p * 1e5_f64.powf(alpha));
            assert!((p / size.powf(-alpha) - 1.0).abs() < 1e-3, "{alpha}: {p}");
            let bias = |size: f64| size.powf(-alpha) * (size - 1.0);
            assert!(bias(size) > bias(0.98 * size) && bias(size) > bias(1.02 * size));
        }
    }

    fn settings(trajectories: usize) -> Settings {
        Settings {
            seed: 8,
            alphas: vec![1.5],
            trajectories,
            steps: 64,
        }
    }

    #[test]
    fn the_hard_mean_is_the_worse_of_two_and_has_the_gradients_of_theorem_5() {
        // With step size 1 from 0, x_k = x_{k−1} − g is 0, or after a spike 1/(2γ), which is projected to ½.
        let method = Method {
            project: true,
            ..Method::constant("last gradient", Update::Sgd, 1.0)
        };
        let (alpha, k) = (1.5, 64);
        let run = |seed| {
            let settings = Settings {
                seed,
                ..settings(1 << 14)
            };
            hard_mean(&method, 0.0, alpha, k, &settings, &Control::default()).unwrap()
        };
        let groups = run(8);
        let hard = HardMean::for_horizon(alpha, k).unwrap();
        let (b, p) = (hard.b(false), hard.probability(false));
        let (rare, often) = (0.5 * (0.5 - b).powi(2), 0.5 * b * b);
        // ν = 0, which has twice the spikes, is worse.
        let exact = p * rare + (1.0 - p) * often;
        let found = mean(&groups);
        let error = rare * (p / f64::from(1 << 14)).sqrt();
        assert!(
            (found.value - exact).abs() < 4.0 * error && error < 0.01 * exact,
            "{found:?} {exact}"
        );
        // Each group has a whole number of spikes.
        for group in &groups {
            let rows = (1..=512).find(|&rows| {
                let spikes = (group - often) / (rare - often) * f64::from(rows);
                (1 << 14) % rows == 0 && (spikes - spikes.round()).abs() < 1e-9
            });
            assert!(rows.is_some(), "{group}");
        }
        assert!(run(8) == groups && run(9) != groups);
    }

    #[test]
    fn the_slope_that_is_kept_is_the_worst_around_the_last_one() {
        let (alpha, tau, k) = (1.5, 3.0, 64);
        let method = Method::constant(
            "GClip",
            Update::GClip {
                max_norm: tau,
                growth: 0.0,
            },
            0.05,
        );
        let (settings, control) = (settings(512), Control::default());
        let mut slopes = Slopes::new(alpha);
        let mut centre = 0;
        for _ in 0..2 {
            let found = slopes.run(&method, tau, k, &settings, &control).unwrap();
            let of = |slope: i32| {
                let ramp = Ramp::new(1.0, 2_f64.powf(0.5 - 0.25 * f64::from(slope))).unwrap();
                let ensemble = Ensemble {
                    problem: &ramp,
                    noise: &uphill(alpha, tau),
                    method: &method,
                    start: &[ramp.at_height(1.0)],
                    trajectories: 512,
                    checkpoints: &[k],
                    metrics: &[Metric::MeanTruncatedGradient { tau }],
                    seed: settings.stream("slopes", alpha + k as f64),
                };
                ensemble.run(&control).unwrap().groups(0, 0).to_vec()
            };
            let all: Vec<Vec<f64>> = (centre - 2..=centre + 8).map(of).collect();
            let worst = (0..all.len())
                .max_by(|&i, &j| mean(&all[i]).value.total_cmp(&mean(&all[j]).value))
                .unwrap();
            assert_eq!(found.0, all[worst]);
            let before = mean(&all[worst.saturating_sub(1)]).value / mean(&all[worst]).value;
            assert!(found.1 == 1.0 - before && found.1 >= 0.0, "{}", found.1);
            centre += worst as i32 - 2;
            assert_eq!(slopes.worst, centre);
        }
    }

    #[test]
    fn the_chain_begins_at_its_first_gradient_and_stays_above_epsilon() {
        let hard = HardChain::for_horizon(1.5, 1.0, 1.0, 50.0, 30).unwrap();
        // At 0 only the first derivative is not 0: (Lλ/152)Ψ(1)Φ'(0) = 2ε√e.
        let still = Method::constant("stands still", Update::Sgd, 1e-12);
        let found = chain(&still, &hard, 1, &settings(64), &Control::default()).unwrap();
        let exact = 2.0 * hard.epsilon() * 0.5_f64.exp();
        assert!(
            found.iter().all(|x| (x / exact - 1.0).abs() < 1e-9),
            "{found:?} {exact}"
        );
        let sgd = Method::constant("SGD", Update::Sgd, 0.5);
        let found = chain(&sgd, &hard, 30, &settings(64), &Control::default()).unwrap();
        let found = mean(&found);
        assert!(
            found.low > hard.epsilon() && (found.value / exact - 1.0).abs() > 0.01,
            "{found:?} {exact}"
        );
    }

    #[test]
    fn of_two_the_one_with_the_larger_mean_is_worse() {
        let (a, b) = (vec![3.0, 0.0], vec![1.0, 1.0]);
        assert_eq!(worse(a.clone(), b.clone()), a);
        assert_eq!(worse(b.clone(), a.clone()), a);
        assert_eq!(worse(vec![], b.clone()), b);
    }
}
