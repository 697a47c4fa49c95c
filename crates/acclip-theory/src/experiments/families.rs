//! Families of problems on which the rates of Table 1 are attained.
//!
//! A rate is a statement about the worst problem at a number of steps, and that problem changes with the number: on
//! any one of them a method is eventually faster. So each point of a measured curve is the worst of a family, run for
//! that many steps alone.
//!
//! - [`hard_mean`]: the two functions of Theorem 5, strongly convex.
//! - [`Slopes`]: rippled slopes of any steepness, smooth and not convex, with noise whose clipping bias points uphill.
//! - [`chain`]: the zero-chain of Theorem 6.

use super::Settings;
use crate::Error;
use crate::bounds::lower_non_convex::HardChain;
use crate::bounds::lower_strongly_convex::HardMean;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::estimate::mean;
use crate::methods::Method;
use crate::noise::{HiddenCoordinate, Independent, Law};
use crate::problems::{HardMeanObjective, Ramp, ZeroChain};

/// E f(x̄_k) − f* (of x_k, without an average) on the worse of the two functions of Theorem 5 for k steps: means of
/// groups.
pub(super) fn hard_mean(
    method: &Method,
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
            start: &[0.0],
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
    pub(super) fn run(
        &mut self,
        method: &Method,
        tau: f64,
        k: u64,
        settings: &Settings,
        control: &Control,
    ) -> Result<Vec<f64>, Error> {
        let noise = uphill(self.alpha, tau);
        let (mut worst, mut at) = (Vec::new(), self.worst);
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
            let found = ensemble.run(control)?.groups(0, 0).to_vec();
            if worst.is_empty() || mean(&found).value > mean(&worst).value {
                (worst, at) = (found, slope);
            }
        }
        self.worst = at;
        Ok(worst)
    }
}

/// Noise of α-moment 1 whose rare pushes up the slope are clipped most, so that the clipped gradient is biased uphill:
/// of all sizes s, s = ατ/(α − 1) has the largest bias p(s − τ) at p = s^{−α}.
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
}
