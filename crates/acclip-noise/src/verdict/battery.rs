//! Known truths, on which the verdict is tried: how often is it right?
//!
//! Each [`Truth`] is a law of gradients in d dimensions with a fixed mean; a sample is n of them, whose
//! noise norms are taken about their own mean, as a measurement does. A *light* truth is Gaussian given
//! what is fixed, or bounded; what is heavy is the noise itself, so unequal scales, sparse or
//! correlated coordinates, and a mean that drifts must not be called heavy.

use super::{Verdict, diagnose};
use crate::stable::SymmetricStable;
use crate::stream::centred_norms;
use crate::{Error, Interval};
use rand::distr::{Distribution, Open01};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// What the verdict should say of a law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tail {
    /// No heavier than Gaussian noise.
    Light,
    /// All moments, but heavier than Gaussian.
    HeavyWithoutIndex,
    /// A power law with this α.
    PowerLaw(f64),
}

/// How a sample of gradients is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Law {
    /// Independent standard normal coordinates.
    Gaussian,
    /// Normal coordinates with scales exp(σZ), drawn once for a sample.
    Scales(f64),
    /// One coordinate five times as large.
    OneLarge,
    /// Each coordinate of each gradient is zero but with this probability.
    Sparse(f64),
    /// Normal coordinates with correlation 1/2.
    Correlated,
    /// Normal coordinates whose mean moves by two standard deviations over the sample.
    Drift,
    /// Gaussian noise, of which a share of 1/20 is ten times as large.
    Contaminated,
    /// Gaussian noise times exp(σZ).
    Lognormal(f64),
    /// Multivariate t.
    Student(f64),
    /// Independent t coordinates.
    StudentCoordinates(f64),
    /// Independent α-stable coordinates.
    Stable(f64),
    /// A direction times a Pareto norm.
    Pareto(f64),
}

/// A law of gradients of which the answer is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// What it is.
    pub name: &'static str,
    /// What should be said of it.
    pub tail: Tail,
    /// Number of coordinates.
    pub dimension: usize,
    law: Law,
}

const fn truth(name: &'static str, tail: Tail, dimension: usize, law: Law) -> Truth {
    Truth {
        name,
        tail,
        dimension,
        law,
    }
}

/// The battery.
pub const BATTERY: [Truth; 29] = {
    use Law::*;
    use Tail::{HeavyWithoutIndex, Light, PowerLaw};
    [
        truth("Gaussian, d = 1", Light, 1, Gaussian),
        truth("Gaussian, d = 2", Light, 2, Gaussian),
        truth("Gaussian, d = 100", Light, 100, Gaussian),
        truth("Gaussian, d = 1000 (chi norms)", Light, 1000, Gaussian),
        truth("Gaussian, log-normal scales, sd 1", Light, 300, Scales(1.0)),
        truth("Gaussian, log-normal scales, sd 2", Light, 300, Scales(2.0)),
        truth("Gaussian, log-normal scales, sd 3", Light, 300, Scales(3.0)),
        truth("Gaussian, one large coordinate", Light, 300, OneLarge),
        truth("sparse, 1 % active", Light, 1000, Sparse(0.01)),
        truth("sparse, 10 % active", Light, 300, Sparse(0.1)),
        truth("Gaussian, correlated", Light, 100, Correlated),
        truth("Gaussian, drifting mean", Light, 100, Drift),
        truth(
            "contaminated Gaussian, d = 1",
            HeavyWithoutIndex,
            1,
            Contaminated,
        ),
        truth(
            "contaminated Gaussian, d = 100",
            HeavyWithoutIndex,
            100,
            Contaminated,
        ),
        truth(
            "lognormal factor, σ = 1, d = 100",
            HeavyWithoutIndex,
            100,
            Lognormal(1.0),
        ),
        truth(
            "lognormal factor, σ = 2, d = 100",
            HeavyWithoutIndex,
            100,
            Lognormal(2.0),
        ),
        truth("Student t, ν = 3, d = 1", PowerLaw(3.0), 1, Student(3.0)),
        truth(
            "Student t, ν = 3, d = 100",
            PowerLaw(3.0),
            100,
            Student(3.0),
        ),
        truth(
            "t coordinates, ν = 3, d = 100",
            PowerLaw(3.0),
            100,
            StudentCoordinates(3.0),
        ),
        truth("Pareto, α = 3, d = 100", PowerLaw(3.0), 100, Pareto(3.0)),
        truth("α-stable 1.9, d = 1", PowerLaw(1.9), 1, Stable(1.9)),
        truth("α-stable 1.9, d = 100", PowerLaw(1.9), 100, Stable(1.9)),
        truth("α-stable 1.7, d = 1", PowerLaw(1.7), 1, Stable(1.7)),
        truth("α-stable 1.7, d = 100", PowerLaw(1.7), 100, Stable(1.7)),
        truth("α-stable 1.5, d = 1", PowerLaw(1.5), 1, Stable(1.5)),
        truth("α-stable 1.5, d = 100", PowerLaw(1.5), 100, Stable(1.5)),
        truth("α-stable 1.2, d = 1", PowerLaw(1.2), 1, Stable(1.2)),
        truth("α-stable 1.2, d = 100", PowerLaw(1.2), 100, Stable(1.2)),
        truth("Pareto, α = 1.5, d = 100", PowerLaw(1.5), 100, Pareto(1.5)),
    ]
};

impl Truth {
    /// Noise norms of `n` gradients.
    ///
    /// # Errors
    /// [`Error::TooFew`] for `n` = 0.
    pub fn noise_norms(&self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<f64>, Error> {
        let d = self.dimension;
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let chi_squared = |nu: f64, rng: &mut ChaCha8Rng| -> f64 {
            ChiSquared::new(nu).expect("ν > 0").sample(rng)
        };
        let scales: Vec<f64> = match self.law {
            Law::Scales(sd) => (0..d).map(|_| (sd * normal(rng)).exp()).collect(),
            Law::OneLarge => (0..d).map(|j| if j == 0 { 5.0 } else { 1.0 }).collect(),
            _ => vec![1.0; d],
        };
        let mut gradients = vec![0.0_f64; n * d];
        for (i, gradient) in gradients.chunks_mut(d).enumerate() {
            // What all coordinates of a gradient share: a factor, an addend.
            let factor = match self.law {
                Law::Contaminated if rng.random::<f64>() < 0.05 => 10.0,
                Law::Lognormal(sigma) => (sigma * normal(rng)).exp(),
                Law::Student(nu) => (nu / chi_squared(nu, rng)).sqrt(),
                _ => 1.0,
            };
            let addend = match self.law {
                Law::Correlated => normal(rng),
                Law::Drift => 2.0 * i as f64 / n as f64,
                _ => 0.0,
            };
            for (x, scale) in gradient.iter_mut().zip(&scales) {
                *x = match self.law {
                    Law::Sparse(active) if rng.random::<f64>() >= active => 0.0,
                    Law::StudentCoordinates(nu) => normal(rng) * (nu / chi_squared(nu, rng)).sqrt(),
                    Law::Stable(alpha) => SymmetricStable::new(alpha)?.sample(rng),
                    Law::Correlated => (normal(rng) + addend) / 2.0_f64.sqrt(),
                    _ => scale * factor * normal(rng) + addend,
                };
            }
            if let Law::Pareto(alpha) = self.law {
                let uniform: f64 = rng.sample(Open01);
                let norm = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
                let scale = uniform.powf(-1.0 / alpha) / norm;
                gradient.iter_mut().for_each(|x| *x *= scale);
            }
        }
        centred_norms(&gradients, d)
    }
}

/// What the verdict said of one truth, over many samples. Shares are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// What it was.
    pub name: String,
    /// What should have been said.
    pub tail: Tail,
    /// Norms in a sample.
    pub norms: usize,
    /// Number of samples.
    pub samples: usize,
    /// Share of samples called light.
    pub light: f64,
    /// Share called heavy with finite variance.
    pub heavy_finite_variance: f64,
    /// Share called infinite-variance.
    pub infinite_variance: f64,
    /// Share left undecided.
    pub undecided: f64,
    /// Share found heavier than Gaussian, whatever the verdict.
    pub heavier_than_gaussian: f64,
    /// Share of the intervals of α (where one was given) that hold the true one; `None` without one.
    pub coverage: Option<f64>,
    /// Median of the estimates of α, where one was given.
    pub median_alpha: Option<f64>,
}

impl Score {
    /// Standard error of a share near `share`.
    #[must_use]
    pub fn standard_error(&self, share: f64) -> f64 {
        (share * (1.0 - share) / self.samples as f64).sqrt()
    }
}

/// Tries the verdict on `samples` samples of `norms` norms of each truth. The stream of a sample
/// depends on `seed`, the truth's place and the sample's number alone. `done` is told after each truth.
///
/// # Errors
/// [`Error::Parameter`] if `samples` is 0; [`Error::TooFew`] for `norms` below 2.
pub fn calibrate(
    truths: &[Truth],
    norms: usize,
    samples: usize,
    seed: u64,
    mut done: impl FnMut(usize),
) -> Result<Vec<Score>, Error> {
    if samples == 0 {
        return Err(Error::Parameter {
            name: "samples",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let score = |(place, truth): (usize, &Truth)| {
        let said: Vec<_> = (0..samples)
            .into_par_iter()
            .map(|i| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(((place as u64) << 32) | i as u64);
                let found = diagnose(&truth.noise_norms(norms, &mut rng)?)?;
                Ok((found.verdict, found.heavier_than_gaussian, found.alpha))
            })
            .collect::<Result<_, Error>>()?;
        done(place + 1);
        Ok(tally(truth, norms, &said))
    };
    truths.iter().enumerate().map(score).collect()
}

fn tally(truth: &Truth, norms: usize, said: &[(Verdict, bool, Option<Interval>)]) -> Score {
    let share = |wanted: Verdict| {
        said.iter().filter(|(v, ..)| *v == wanted).count() as f64 / said.len() as f64
    };
    let mut alphas: Vec<Interval> = said.iter().filter_map(|(.., alpha)| *alpha).collect();
    alphas.sort_by(|a, b| a.estimate.total_cmp(&b.estimate));
    let covered = |alpha: f64| alphas.iter().filter(|i| i.contains(alpha)).count();
    Score {
        name: truth.name.to_owned(),
        tail: truth.tail,
        norms,
        samples: said.len(),
        light: share(Verdict::Light),
        heavy_finite_variance: share(Verdict::HeavyFiniteVariance),
        infinite_variance: share(Verdict::InfiniteVariance),
        undecided: share(Verdict::Undecided),
        heavier_than_gaussian: said.iter().filter(|(_, heavier, _)| *heavier).count() as f64
            / said.len() as f64,
        coverage: match truth.tail {
            Tail::PowerLaw(alpha) if !alphas.is_empty() => {
                Some(covered(alpha) as f64 / alphas.len() as f64)
            }
            _ => None,
        },
        median_alpha: alphas.get(alphas.len() / 2).map(|i| i.estimate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Truth {
        *BATTERY.iter().find(|t| t.name == name).unwrap()
    }

    #[test]
    fn samples_have_the_laws_that_they_are_named_after() {
        let norms = |name: &str| {
            let mut rng = ChaCha8Rng::seed_from_u64(8);
            named(name).noise_norms(4000, &mut rng).unwrap()
        };
        let mean_square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        // d coordinates of variance 1; a tenth of 300 of them active.
        for (name, expected) in [
            ("Gaussian, d = 2", 2.0),
            ("Gaussian, d = 100", 100.0),
            ("sparse, 10 % active", 30.0),
            ("Gaussian, one large coordinate", 324.0),
            ("Gaussian, correlated", 100.0),
            // 1 + 99 · 1/20
            ("contaminated Gaussian, d = 1", 5.95),
            // 100 (1 + Var(2U)) = 100 (1 + 1/3)
            ("Gaussian, drifting mean", 400.0 / 3.0),
        ] {
            let found = mean_square(&norms(name));
            assert!((found / expected - 1.0).abs() < 0.12, "{name}: {found}");
        }
        // A Pareto norm: P(X > 2) = 2^{−1.5}.
        let pareto = norms("Pareto, α = 1.5, d = 100");
        let share = pareto.iter().filter(|&&x| x > 2.0).count() as f64 / 4000.0;
        assert!((share - 2.0_f64.powf(-1.5)).abs() < 0.03, "{share}");
        // Symmetric stable with scale 1: the quartiles of |Cauchy| are not at hand at 1.5, but its
        // median lies near 0.97 (the normal law's with variance 2 is 0.95, Cauchy's 1).
        let mut stable = norms("α-stable 1.5, d = 1");
        stable.sort_by(f64::total_cmp);
        assert!((stable[2000] - 0.97).abs() < 0.06, "{}", stable[2000]);
    }

    #[test]
    fn scores_count_what_was_said() {
        let truth = named("Student t, ν = 3, d = 1");
        let interval = |low, estimate, high| {
            Some(Interval {
                low,
                estimate,
                high,
                level: 0.95,
            })
        };
        let said = [
            (Verdict::Light, false, None),
            (Verdict::HeavyFiniteVariance, true, interval(2.0, 2.5, 3.5)),
            (Verdict::Undecided, true, interval(1.0, 2.7, 2.9)),
            (Verdict::Undecided, true, interval(2.0, 2.6, f64::INFINITY)),
        ];
        let score = tally(&truth, 1000, &said);
        assert_eq!(
            (
                score.light,
                score.heavy_finite_variance,
                score.infinite_variance
            ),
            (0.25, 0.25, 0.0)
        );
        assert_eq!((score.undecided, score.heavier_than_gaussian), (0.5, 0.75));
        assert_eq!(
            (score.coverage, score.median_alpha),
            (Some(2.0 / 3.0), Some(2.6))
        );
        assert!((score.standard_error(0.5) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn the_seed_decides_and_threads_do_not() {
        let truths = [named("Gaussian, d = 2"), named("α-stable 1.2, d = 1")];
        let run = |seed| calibrate(&truths, 200, 4, seed, |_| {}).unwrap();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| run(5)), run(5));
        assert_ne!(run(5)[1].median_alpha, run(6)[1].median_alpha);
        assert!(calibrate(&truths, 200, 0, 1, |_| {}).is_err());
        assert!(calibrate(&truths, 1, 1, 1, |_| {}).is_err());
    }
}
