//! The discrete power law of Clauset, Shalizi and Newman, for counts.
//!
//! **The exponent is the tail index plus one**, as in [`crate::tail::power_law`]:
//!
//! ```text
//! P(X = x) = x^{−exponent} / ζ(exponent, x_min)             x = x_min, x_min + 1, …       (2.4)
//! P(X ≥ x) = ζ(exponent, x) / ζ(exponent, x_min)
//! ```
//!
//! with Hurwitz's zeta function. For each x_min the exponent is the root of the likelihood
//! equation (Newton's method; the likelihood is concave), its standard error is from the
//! information (3.6), and x_min is the distinct value, of those that leave at least
//! [`MIN_TAIL`] values of which two differ, with the least Kolmogorov–Smirnov distance over all
//! integers x ≥ x_min. Counts beyond 2⁵³ are rounded to `f64`. Every candidate is judged; at equal distance the smaller x_min wins.
//!
//! Departures from the authors' `plfit.m`: the exponent is not rounded to a grid of 0.01 nor
//! bounded by 1.5 and 3.5, x_min is not bounded, and short tails are not considered. The same
//! law fitted as if continuous, with x_min − ½, is off by 1 % and more for x_min below 6.
//!
//! Reference: Clauset, Shalizi & Newman (2009), SIAM Review 51, §3 and appendix B.

use rayon::prelude::*;

use crate::tail::hurwitz_zeta::{scaled_zeta, survival};
use crate::tail::ks::{Step, Tails, least_distance};
use crate::tail::power_law::{MIN_TAIL, PowerLawFit};
use crate::{Error, Interval};

const WHAT: &str = "a discrete power-law fit";

/// Exponent, x_min and Z(exponent, x_min).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Law {
    pub(crate) exponent: f64,
    pub(crate) x_min: f64,
    z: f64,
}

impl Law {
    pub(crate) fn new(exponent: f64, x_min: f64) -> Self {
        let z = scaled_zeta(exponent, x_min)[0];
        Self { exponent, x_min, z }
    }

    /// The law with mean ln(X/x_min) equal to `mean_log` > 0.
    fn fit(x_min: f64, mean_log: f64) -> Self {
        // Concave likelihood: Newton from the continuous approximation, never below 1.
        let shift = (x_min / (x_min - 0.5)).ln();
        let mut exponent = 1.0 + 1.0 / (mean_log + shift);
        for _ in 0..60 {
            let [z, dz, ddz] = scaled_zeta(exponent, x_min);
            let mean = -dz / z;
            let variance = ddz / z - mean * mean;
            let next = exponent - (mean_log - mean) / variance;
            let next = next.max(1.0 + (exponent - 1.0) / 2.0).min(2.0 * exponent);
            let done = (next - exponent).abs() <= 1e-14 * exponent;
            exponent = next;
            if done {
                break;
            }
        }
        Self::new(exponent, x_min)
    }

    /// P(X ≥ `x`).
    pub(crate) fn survival(&self, x: f64) -> f64 {
        survival(self.exponent, self.x_min, self.z, x)
    }

    /// Variance of ln X: the information about the exponent in one value.
    fn information(&self) -> f64 {
        let [z, dz, ddz] = scaled_zeta(self.exponent, self.x_min);
        ddz / z - (dz / z).powi(2)
    }
}

/// The distinct values in descending order, with what every candidate needs.
struct Counts {
    values: Vec<f64>,
    /// Number of values ≥ `values[i]`.
    above: Vec<usize>,
    /// Σ ln(x / `values[i]`) over those.
    log_sums: Vec<f64>,
}

impl Counts {
    fn new(values: &[u64]) -> Result<Self, Error> {
        if values.len() < MIN_TAIL {
            return Err(Error::TooFew {
                what: WHAT,
                needed: MIN_TAIL,
                found: values.len(),
            });
        }
        let mut sorted: Vec<u64> = values.iter().copied().filter(|&x| x > 0).collect();
        sorted.par_sort_unstable_by(|a, b| b.cmp(a));
        let mut counts = Self {
            values: Vec::new(),
            above: Vec::new(),
            log_sums: Vec::new(),
        };
        let (mut n, mut sum) = (0, 0.0);
        for ties in sorted.chunk_by(|&a, &b| a as f64 == b as f64) {
            let x = ties[0] as f64;
            if let Some(previous) = counts.values.last() {
                sum += n as f64 * (previous / x).ln();
            }
            n += ties.len();
            counts.values.push(x);
            counts.above.push(n);
            counts.log_sums.push(sum);
        }
        Ok(counts)
    }

    fn fit(&self, k: usize) -> PowerLawFit {
        let law = self.law(k);
        let n = self.above[k] as f64;
        let error = (n * law.information()).sqrt().recip();
        PowerLawFit {
            exponent: Interval::normal(law.exponent, error),
            x_min: law.x_min,
            n_tail: self.above[k],
            n: self.above[self.above.len() - 1],
            ks_distance: self.distance(k),
            log_likelihood: -n * law.z.ln() - law.exponent * self.log_sums[k],
        }
    }
}

impl Tails for Counts {
    type Law = Law;

    fn range(&self) -> Option<(usize, usize)> {
        (self.values.len() > 1).then(|| (1, self.values.len() - 1))
    }

    fn is_candidate(&self, k: usize) -> bool {
        self.above[k] >= MIN_TAIL
    }

    fn law(&self, k: usize) -> Law {
        Law::fit(self.values[k], self.log_sums[k] / self.above[k] as f64)
    }

    /// P(X > x) and P(X ≥ x). Between two data values the empirical function is flat, so that the
    /// gap is largest right beside them.
    fn step(&self, k: usize, law: Law, i: usize) -> Step {
        let n = self.above[k] as f64;
        let more = if i == 0 { 0 } else { self.above[i - 1] };
        let x = self.values[i];
        Step {
            before: (more as f64 / n, law.survival(x + 1.0)),
            after: (self.above[i] as f64 / n, law.survival(x)),
        }
    }
}

/// The discrete power law that fits `values` (shape: n ≥ [`MIN_TAIL`]; zeros are left out) best,
/// with x_min.
///
/// # Errors
/// [`Error::TooFew`]; [`Error::Constant`] if no tail of [`MIN_TAIL`] positive values has two
/// different ones.
pub fn fit_discrete(values: &[u64]) -> Result<PowerLawFit, Error> {
    let counts = Counts::new(values)?;
    let best = least_distance(&counts).ok_or(Error::Constant { what: WHAT })?;
    Ok(counts.fit(best))
}

/// The discrete power law from a given `x_min` ≥ 1 on.
///
/// # Errors
/// [`Error::TooFew`] if fewer than [`MIN_TAIL`] values are ≥ `x_min`, [`Error::Parameter`] if
/// `x_min` is 0, [`Error::Constant`] if all of them equal `x_min`.
pub fn fit_discrete_from(values: &[u64], x_min: u64) -> Result<PowerLawFit, Error> {
    if x_min == 0 {
        return Err(Error::Parameter {
            name: "x_min",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let mut counts = Counts::new(values)?;
    let n = counts.above.last().copied().unwrap_or(0);
    let x = x_min as f64;
    let k = counts.values.partition_point(|&v| v >= x);
    let n_tail = if k == 0 { 0 } else { counts.above[k - 1] };
    if n_tail < MIN_TAIL {
        return Err(Error::TooFew {
            what: WHAT,
            needed: MIN_TAIL,
            found: n_tail,
        });
    }
    let last = counts.values[k - 1];
    if last > x {
        // A threshold that is no data value becomes a point without values.
        let sum = counts.log_sums[k - 1] + n_tail as f64 * (last / x).ln();
        counts.values.insert(k, x);
        counts.above.insert(k, n_tail);
        counts.log_sums.insert(k, sum);
    } else if k == 1 {
        return Err(Error::Constant { what: WHAT });
    }
    let index = if last > x { k } else { k - 1 };
    let mut fit = counts.fit(index);
    fit.n = n;
    Ok(fit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::power_law_bootstrap::Values;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Every candidate, every integer, from the formulas.
    fn exhaustive(values: &[u64]) -> Option<(f64, u64, f64)> {
        let mut candidates: Vec<u64> = values.iter().copied().filter(|&x| x > 0).collect();
        candidates.sort_unstable();
        let largest = *candidates.last()?;
        candidates.dedup();
        let mut best: Option<(f64, u64, f64)> = None;
        for x_min in candidates {
            let tail: Vec<u64> = values.iter().copied().filter(|&x| x >= x_min).collect();
            if tail.len() < MIN_TAIL || x_min == largest {
                continue;
            }
            let n = tail.len() as f64;
            let q = x_min as f64;
            let mean = tail.iter().map(|&x| (x as f64 / q).ln()).sum::<f64>() / n;
            // Bisection on the mean of ln(X/q), which falls with the exponent.
            let (mut low, mut high) = (1.0 + 1e-9, 100.0);
            for _ in 0..100 {
                let middle = f64::midpoint(low, high);
                let [z, dz, _] = scaled_zeta(middle, q);
                if -dz / z > mean {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            let z = scaled_zeta(low, q)[0];
            let d = (x_min..=largest)
                .map(|x| {
                    let share = tail.iter().filter(|&&y| y <= x).count() as f64 / n;
                    (share - (1.0 - survival(low, q, z, x as f64 + 1.0))).abs()
                })
                .fold(0.0, f64::max);
            if best.is_none_or(|(least, ..)| d < least - 1e-12) {
                best = Some((d, x_min, low));
            }
        }
        best
    }

    fn draws(n: usize, largest: u64, seed: u64) -> Vec<u64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|_| {
                let u = 1.0 - rng.random::<f64>();
                ((2.0 * u.powf(-0.8)).floor() as u64).min(largest) - u64::from(u > 0.9)
            })
            .collect()
    }

    #[test]
    fn equals_the_exhaustive_search() {
        for n in (10..30).chain([100, 600]) {
            for seed in 0..6 {
                // Cut off at 3, ties dominate; the far tail is sparse at 2000.
                let values = draws(n, if seed < 2 { 3 } else { 2000 }, seed);
                let (d, x_min, exponent) = exhaustive(&values).unwrap();
                let fit = fit_discrete(&values).unwrap();
                assert_eq!(fit.x_min, x_min as f64, "n {n}, seed {seed}");
                assert!((fit.ks_distance - d).abs() < 1e-11, "n {n}, seed {seed}");
                assert!((fit.exponent.estimate - exponent).abs() < 1e-9 * exponent);
                assert_eq!(fit_discrete_from(&values, x_min), Ok(fit));
            }
        }
    }

    /// The likelihood is highest where the fit says, and its curvature is the standard error.
    #[test]
    fn likelihood_and_standard_error() {
        let values = draws(400, 5000, 9);
        // A threshold between data values, too.
        for x_min in [2, 20, 21, 22, 23, 24] {
            let fit = fit_discrete_from(&values, x_min).unwrap();
            let q = x_min as f64;
            let likelihood = |s: f64| {
                let tail = values.iter().filter(|&&x| x >= x_min);
                let terms = tail.map(|&x| -s * (x as f64 / q).ln() - scaled_zeta(s, q)[0].ln());
                terms.sum::<f64>()
            };
            let s = fit.exponent.estimate;
            assert!((fit.log_likelihood - likelihood(s)).abs() < 1e-9);
            let h = 1e-4;
            let (up, down) = (likelihood(s + h), likelihood(s - h));
            assert!(up < likelihood(s) && down < likelihood(s));
            let error = (h * h / (2.0 * likelihood(s) - up - down)).sqrt();
            let found = (fit.exponent.high - s) / crate::interval::Z;
            assert!((found / error - 1.0).abs() < 1e-4, "{found} beside {error}");
        }
    }

    /// Counts of the draws against their probabilities: χ² with 20 degrees of freedom is below 45
    /// in 99.9 % of samples.
    #[test]
    fn draws_follow_the_law() {
        let mut fit = fit_discrete(&draws(400, 5000, 9)).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        for (exponent, x_min) in [(1.8, 1.0), (2.5, 1.0), (2.5, 6.0), (5.0, 40.0)] {
            fit.exponent = Interval::normal(exponent, 0.1);
            fit.x_min = x_min;
            let law = Law::new(exponent, x_min);
            let n = 20_000;
            let mut found = [0.0; 21];
            for _ in 0..n {
                let x = u64::draw(&fit, &mut rng);
                assert!(x as f64 >= x_min);
                found[((x as f64 - x_min) as usize).min(20)] += 1.0;
            }
            let chi: f64 = (0..21)
                .map(|i| {
                    let x = x_min + f64::from(i);
                    let next = if i == 20 { 0.0 } else { law.survival(x + 1.0) };
                    let expected = f64::from(n) * (law.survival(x) - next);
                    (found[i as usize] - expected).powi(2) / expected
                })
                .sum();
            assert!((4.0..45.0).contains(&chi), "{exponent}, {x_min}: {chi}");
        }
    }

    #[test]
    fn bad_input() {
        for n in [0, 1, 2, 9] {
            let values = vec![7; n];
            assert!(matches!(fit_discrete(&values), Err(Error::TooFew { .. })));
            assert!(matches!(
                fit_discrete_from(&values, 1),
                Err(Error::TooFew { .. })
            ));
        }
        for constant in [0, 1, 5, u64::MAX] {
            assert!(matches!(
                fit_discrete(&[constant; 20]),
                Err(Error::Constant { .. })
            ));
        }
        assert!(matches!(
            fit_discrete_from(&[5; 20], 5),
            Err(Error::Constant { .. })
        ));
        assert!(matches!(
            fit_discrete_from(&[0; 20], 1),
            Err(Error::TooFew { found: 0, .. })
        ));
        assert!(matches!(
            fit_discrete_from(&[5; 20], 0),
            Err(Error::Parameter { name: "x_min", .. })
        ));
        // All equal, but above x_min: a steep law, and a finite answer.
        let steep = fit_discrete_from(&[6; 20], 5).unwrap().exponent;
        assert!(steep.estimate > 4.0 && steep.high.is_finite(), "{steep}");
        // Where u64 is finer than f64.
        let mut huge = vec![u64::MAX; 12];
        huge.extend([1, 2, 3, u64::MAX - 1]);
        let fit = fit_discrete(&huge).unwrap();
        assert!(fit.exponent.estimate.is_finite() && fit.ks_distance <= 1.0);
        // Neighbours far out: the exponent is of the order of x_min, and found at once.
        let steep: Vec<u64> = (0..20).map(|i| 1_000_000_000_000_000 + i % 2).collect();
        let fit = fit_discrete(&steep).unwrap();
        assert!(fit.exponent.estimate > 1e14 && fit.exponent.estimate < 1e16);
    }
}
