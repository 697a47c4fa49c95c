//! The continuous power law of Clauset, Shalizi and Newman: from which x_min on, and how steep?
//!
//! **Their α is the exponent of the *density*.** It is called [`PowerLawFit::exponent`] here, and
//! it is the tail index plus one: density x^{−exponent}, survival x^{−(exponent − 1)}. What the
//! rest of this crate calls α is [`PowerLawFit::tail_index`]. The variance is infinite when the
//! exponent is below 3, that is, the tail index below 2.
//!
//! For a threshold x_min, with n values x ≥ x_min (x_min itself is one of them),
//!
//! ```text
//! exponent = 1 + n / Σ ln(x / x_min)        standard error (exponent − 1)/√n      (3.1), (3.2)
//! D        = max over the tail of |S(x) − P(x)|                                   (3.9)
//! ```
//!
//! and x_min is the candidate with the least D. S is the share of values below x, as in the
//! authors' program; the supremum over all x, both sides of every step, is up to 1/n larger.
//!
//! **The candidates are all distinct positive values that leave at least [`MIN_TAIL`] values, not
//! all equal, and every one of them is judged exactly**: there is no grid. At equal D the smaller
//! x_min wins. Two things make it fast. D is found by bisection on the monotone functions S and
//! P, not by a loop over the tail; and a candidate is given up as soon as one point shows a gap
//! above the best D so far, the first points tried being those that refuted its neighbours.
//! 5·10⁶ values, Pareto, stable, lognormal or exponential, take 0.2 to 1.3 s on two cores,
//! by their neighbours' load, sorting included.
//!
//! The standard error takes x_min as known; [`crate::tail::power_law_bootstrap`] does not, and
//! tells whether the power law is believable at all.
//!
//! Departure from the authors' `plfit.m`: tails of fewer than [`MIN_TAIL`] values are not
//! considered.
//!
//! Reference: Clauset, Shalizi & Newman (2009), "Power-law distributions in empirical data",
//! SIAM Review 51, §3.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::sample::check_norms;
use crate::tail::hill::mean_log_excesses;
use crate::tail::ks::{Step, Tails, largest_gap, least_distance};
use crate::{Error, Interval};

/// Fewest values in a tail.
pub const MIN_TAIL: usize = 10;

const WHAT: &str = "a power-law fit";

/// A power law from `x_min` on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PowerLawFit {
    /// Exponent of the **density** (tail index + 1), with the 95 % interval for a known x_min.
    pub exponent: Interval,
    /// Where the power law starts, in the unit of the values.
    pub x_min: f64,
    /// Number of values from `x_min` on.
    pub n_tail: usize,
    /// Number of positive values.
    pub n: usize,
    /// Kolmogorov–Smirnov distance D of the tail from the law.
    pub ks_distance: f64,
    /// Σ ln p over the tail; depends on the unit (p is a density) unless the law is discrete.
    pub log_likelihood: f64,
}

impl PowerLawFit {
    /// The tail index α = exponent − 1, which Hill's estimator estimates.
    #[must_use]
    pub fn tail_index(&self) -> Interval {
        Interval {
            low: self.exponent.low - 1.0,
            estimate: self.exponent.estimate - 1.0,
            high: self.exponent.high - 1.0,
            level: self.exponent.level,
        }
    }
}

/// The positive values in descending order, with what every candidate needs.
struct Tail {
    values: Vec<f64>,
    logs: Vec<f64>,
    /// Entry k − 1: mean of the k largest logarithms over the next one.
    means: Vec<f64>,
}

impl Tail {
    fn new(values: &[f64]) -> Result<Self, Error> {
        check_norms(WHAT, values, MIN_TAIL)?;
        // The bits of positive floats are ordered like the floats, and sort faster.
        let mut bits: Vec<u64> = values
            .iter()
            .filter(|&&x| x > 0.0)
            .map(|x| x.to_bits())
            .collect();
        bits.par_sort_unstable_by(|a, b| b.cmp(a));
        let values: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
        let logs: Vec<f64> = values.par_iter().map(|x| x.ln()).collect();
        let means = mean_log_excesses(&logs);
        Ok(Self {
            values,
            logs,
            means,
        })
    }

    fn fit(&self, last: usize) -> PowerLawFit {
        let n_tail = last + 1;
        let n = n_tail as f64;
        let alpha = self.law(last);
        let x_min = self.values[last];
        PowerLawFit {
            exponent: Interval::normal(1.0 + alpha, alpha / n.sqrt()),
            x_min,
            n_tail,
            n: self.logs.len(),
            ks_distance: self.distance(last),
            // Σ ln(x/x_min) = n/α.
            log_likelihood: n * (alpha.ln() - x_min.ln() - 1.0 - 1.0 / alpha),
        }
    }
}

impl Tails for Tail {
    /// The tail index.
    type Law = f64;

    fn range(&self) -> Option<(usize, usize)> {
        (self.logs.len() >= MIN_TAIL).then(|| (MIN_TAIL - 1, self.logs.len() - 1))
    }

    /// The last of its ties, and not the largest.
    fn is_candidate(&self, k: usize) -> bool {
        let next = self.logs.get(k + 1);
        next.is_none_or(|&x| x < self.logs[k]) && self.logs[0] > self.logs[k]
    }

    /// The threshold counts as a value here, so this is (k + 1)/k times Hill's estimate.
    fn law(&self, k: usize) -> f64 {
        (k + 1) as f64 / (k as f64 * self.means[k - 1])
    }

    fn step(&self, k: usize, alpha: f64, i: usize) -> Step {
        let fitted = (-alpha * (self.logs[i] - self.logs[k])).exp();
        Step::at((i + 1) as f64 / (k + 1) as f64, fitted)
    }
}

/// The power law that fits `values` (shape: n ≥ [`MIN_TAIL`], non-negative; zeros are left out)
/// best, with x_min.
///
/// # Errors
/// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Negative`];
/// [`Error::Constant`] if no tail of [`MIN_TAIL`] positive values has two different ones.
pub fn fit_continuous(values: &[f64]) -> Result<PowerLawFit, Error> {
    let tail = Tail::new(values)?;
    let best = least_distance(&tail).ok_or(Error::Constant { what: WHAT })?;
    Ok(tail.fit(best))
}

/// The power law from a given `x_min` > 0 on: the law starts at `x_min` itself, not at the next
/// value.
///
/// # Errors
/// As [`fit_continuous`]; [`Error::Parameter`] unless `x_min` is positive and finite,
/// [`Error::TooFew`] if fewer than [`MIN_TAIL`] values are ≥ `x_min`.
pub fn fit_continuous_from(values: &[f64], x_min: f64) -> Result<PowerLawFit, Error> {
    if !(x_min > 0.0 && x_min.is_finite()) {
        return Err(Error::Parameter {
            name: "x_min",
            value: x_min,
            expected: "positive and finite",
        });
    }
    let tail = Tail::new(values)?;
    let n_tail = tail.values.partition_point(|&x| x >= x_min);
    if n_tail < MIN_TAIL {
        return Err(Error::TooFew {
            what: WHAT,
            needed: MIN_TAIL,
            found: n_tail,
        });
    }
    let log_min = x_min.ln();
    let logs = &tail.logs[..n_tail];
    let sum: f64 = logs.iter().map(|x| x - log_min).sum();
    if sum <= 0.0 {
        return Err(Error::Constant { what: WHAT });
    }
    let (count, alpha) = (n_tail as f64, n_tail as f64 / sum);
    let step = |i: usize| {
        let fitted = (-alpha * (logs[i] - log_min)).exp();
        Step::at((i + 1) as f64 / count, fitted)
    };
    Ok(PowerLawFit {
        exponent: Interval::normal(1.0 + alpha, alpha / count.sqrt()),
        x_min,
        n_tail,
        n: tail.logs.len(),
        ks_distance: largest_gap(n_tail - 1, f64::INFINITY, step).0,
        log_likelihood: count * (alpha.ln() - log_min - 1.0 - 1.0 / alpha),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Every candidate, every point, from the formulas.
    fn exhaustive(values: &[f64]) -> Option<(f64, f64, f64)> {
        let mut x: Vec<f64> = values.iter().copied().filter(|&x| x > 0.0).collect();
        x.sort_by(f64::total_cmp);
        let mut best: Option<(f64, f64, f64)> = None;
        for start in 0..x.len() {
            let tail = &x[start..];
            let n = tail.len() as f64;
            let first_of_ties = start == 0 || x[start - 1] < x[start];
            if !first_of_ties || tail.len() < MIN_TAIL || tail[0] == tail[tail.len() - 1] {
                continue;
            }
            let alpha = n / tail.iter().map(|x| x.ln() - tail[0].ln()).sum::<f64>();
            let gap = |(i, x): (usize, &f64)| {
                let below = i as f64 / n;
                ((1.0 - (x / tail[0]).powf(-alpha)) - below).abs()
            };
            let d = tail.iter().enumerate().map(gap).fold(0.0, f64::max);
            if best.is_none_or(|(least, ..)| d < least - 1e-13) {
                best = Some((d, tail[0], alpha + 1.0));
            }
        }
        best
    }

    fn samples() -> Vec<(&'static str, Vec<f64>)> {
        let mut rng = ChaCha8Rng::seed_from_u64(30);
        let mut all = Vec::new();
        for n in (10..40).chain([63, 64, 65, 257, 700, 2000]) {
            let mut draw = |law: fn(f64) -> f64| -> Vec<f64> {
                (0..n).map(|_| law(1.0 - rng.random::<f64>())).collect()
            };
            all.push(("Pareto", draw(|u| u.powf(-1.0 / 1.5))));
            all.push(("exponential", draw(|u| -u.ln())));
            all.push(("ties", draw(|u| (3.0 * u.powf(-0.6)).floor())));
            all.push((
                "body",
                draw(|u| {
                    if u < 0.3 {
                        u.powf(-0.5)
                    } else {
                        1.8 * (1.0 - u)
                    }
                }),
            ));
            all.push(("wide", draw(|u| (60.0 * (u - 0.5)).exp())));
            all.push(("two values", draw(|u| 1.0 + (2.0 * u).floor())));
        }
        all
    }

    #[test]
    fn equals_the_exhaustive_search() {
        for (name, values) in samples() {
            let Some((d, x_min, exponent)) = exhaustive(&values) else {
                assert!(fit_continuous(&values).is_err(), "{name}");
                continue;
            };
            let fit = fit_continuous(&values).unwrap();
            let n = values.len();
            assert_eq!(
                fit.x_min, x_min,
                "{name}, n {n}: {} beside {d}",
                fit.ks_distance
            );
            assert!((fit.ks_distance - d).abs() < 1e-12, "{name}, n {n}");
            assert!(
                (fit.exponent.estimate / exponent - 1.0).abs() < 1e-11,
                "{name}, n {n}"
            );
            let tail = values.iter().filter(|&&x| x >= x_min);
            assert_eq!(fit.n_tail, tail.count(), "{name}, n {n}");
        }
    }

    /// The same bits on one thread and on three.
    #[test]
    fn threads_do_not_matter() {
        let (_, values) = samples().pop().unwrap();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| fit_continuous(&values))
        };
        assert_eq!(on(1), on(3));
    }

    /// Values 1 and e^{1/2} five times each: mean logarithm 1/4, so the exponent is 5.
    #[test]
    fn by_hand() {
        let values = [[1.0; 5], [0.5_f64.exp(); 5]].concat();
        let fit = fit_continuous(&values).unwrap();
        assert!((fit.exponent.estimate - 5.0).abs() < 1e-13);
        let half = fit.exponent.high - 5.0;
        assert!((half - crate::interval::Z * 4.0 / 10.0_f64.sqrt()).abs() < 1e-12);
        assert!((fit.log_likelihood - (10.0 * 4.0_f64.ln() - 5.0 * 2.5)).abs() < 1e-12);
        // At 1 the last of five ties has 4/10 below and P = 0; at √e the first has 5/10, P = 1 − e^{−2}.
        assert!((fit.ks_distance - 0.4).abs() < 1e-13);
        assert!((fit.tail_index().estimate - 4.0).abs() < 1e-13);
        // From ½ on, the mean logarithm is larger by ln 2.
        let from = fit_continuous_from(&values, 0.5).unwrap();
        let expected = 1.0 + 1.0 / (0.25 + 2.0_f64.ln());
        assert!((from.exponent.estimate - expected).abs() < 1e-13);
        assert!(
            (from.log_likelihood / 10.0 - (expected - 1.0).ln() - 2.0_f64.ln()
                + expected / (expected - 1.0))
                .abs()
                < 1e-12
        );
    }

    /// The figure of the module doc.
    #[test]
    #[ignore = "takes some seconds and depends on the machine"]
    fn five_million_values_in_two_seconds() {
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        for name in ["Pareto", "exponential"] {
            let mut draw = || 1.0 - rng.random::<f64>();
            let values: Vec<f64> = match name {
                "Pareto" => (0..5_000_000).map(|_| draw().powf(-1.0 / 1.5)).collect(),
                _ => (0..5_000_000).map(|_| -draw().ln()).collect(),
            };
            let start = std::time::Instant::now();
            let fit = fit_continuous(&values).unwrap();
            let seconds = start.elapsed().as_secs_f64();
            println!("{name}: {seconds:.2} s, x_min {}", fit.x_min);
            assert!(seconds < 2.0, "{name}: {seconds} s");
        }
    }

    #[test]
    fn the_unit_does_not_matter() {
        let (_, values) = samples().swap_remove(6 * 34);
        let one = fit_continuous(&values).unwrap();
        let scaled: Vec<f64> = values.iter().map(|x| x * 1024.0).collect();
        let other = fit_continuous(&scaled).unwrap();
        assert_eq!(other.x_min, one.x_min * 1024.0);
        assert!((other.exponent.estimate - one.exponent.estimate).abs() < 1e-9);
    }

    #[test]
    fn bad_input() {
        for n in [0, 1, 2, 9] {
            let values = vec![1.0; n];
            assert!(matches!(fit_continuous(&values), Err(Error::TooFew { .. })));
            assert!(matches!(
                fit_continuous_from(&values, 0.5),
                Err(Error::TooFew { .. })
            ));
        }
        for constant in [0.0, 3.0, 5e-324, 1e75] {
            let values = [constant; 20];
            assert!(matches!(
                fit_continuous(&values),
                Err(Error::Constant { .. })
            ));
        }
        assert!(matches!(
            fit_continuous_from(&[3.0; 20], 3.0),
            Err(Error::Constant { .. })
        ));
        // Zeros do not count: nine positive values are too few for a tail.
        let zeros: Vec<f64> = (0..20).map(|i| f64::from(i.max(10) - 10)).collect();
        assert!(matches!(
            fit_continuous(&zeros),
            Err(Error::Constant { .. })
        ));
        assert!(matches!(
            fit_continuous_from(&zeros, 1.0),
            Err(Error::TooFew { found: 9, .. })
        ));
        let good: Vec<f64> = (1..30).map(f64::from).collect();
        for x_min in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                fit_continuous_from(&good, x_min),
                Err(Error::Parameter { name: "x_min", .. })
            ));
        }
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e80] {
            let mut values = good.clone();
            values[4] = bad;
            assert!(fit_continuous(&values).is_err());
            assert!(fit_continuous_from(&values, 1.0).is_err());
        }
        // Subnormal values beside ordinary ones.
        let mut wide = good.clone();
        wide.extend([5e-324, 1e-310]);
        let fit = fit_continuous(&wide).unwrap();
        assert!(fit.exponent.estimate.is_finite() && fit.ks_distance < 1.0);
    }
}
