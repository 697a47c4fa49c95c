//! Mean, variance, skewness and kurtosis in one pass, mergeable.
//!
//! For a set of n values write μ for the mean and Mₚ = Σ (xᵢ − μ)ᵖ. Two sets A and B with δ =
//! μ_B − μ_A and n = n_A + n_B combine without loss:
//!
//! ```text
//! (1)  μ  = μ_A + δ n_B/n
//! (2)  M₂ = M₂A + M₂B + δ² n_A n_B/n
//! (3)  M₃ = M₃A + M₃B + δ³ n_A n_B (n_A − n_B)/n² + 3δ (n_A M₂B − n_B M₂A)/n
//! (4)  M₄ = M₄A + M₄B + δ⁴ n_A n_B (n_A² − n_A n_B + n_B²)/n³
//!           + 6δ² (n_A² M₂B + n_B² M₂A)/n² + 4δ (n_A M₃B − n_B M₃A)/n
//! ```
//!
//! No large sums are subtracted, so a mean that is huge beside the spread does no harm. Pushing
//! one value is merging with a set of one.
//!
//! References: Chan, Golub & LeVeque (1979) for (1), (2); Pébay (2008), "Formulas for robust,
//! one-pass parallel computation of covariances and arbitrary-order statistical moments",
//! Sandia report SAND2008-6212, for (3), (4).

use serde::{Deserialize, Serialize};

use crate::Error;

/// Accumulator of the first four moments and the range.
///
/// ```
/// # use acclip_noise::pictures::moments::Moments;
/// let summary = Moments::of(&[1.0, 2.0, 3.0, 4.0]).finalize()?;
/// assert_eq!((summary.mean, summary.variance), (2.5, Some(5.0 / 3.0)));
/// # Ok::<(), acclip_noise::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    n: u64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
    min: f64,
    max: f64,
}

/// What [`Moments::finalize`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of values.
    pub n: u64,
    /// Mean μ.
    pub mean: f64,
    /// Unbiased variance M₂/(n − 1); `None` for a single value.
    pub variance: Option<f64>,
    /// Skewness √n M₃/M₂^{3/2}, not corrected for bias; `None` if all values are equal.
    pub skewness: Option<f64>,
    /// Excess kurtosis n M₄/M₂² − 3, not corrected for bias: about 0 for a normal
    /// sample, and never above n − 5 + 1/(n − 1), so a finite sample cannot show an
    /// infinite one. `None` if all values are equal.
    pub excess_kurtosis: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            n: 0,
            mean: 0.0,
            m2: 0.0,
            m3: 0.0,
            m4: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All of `values`, in order.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut moments = Self::new();
        values.iter().for_each(|&x| moments.push(x));
        moments
    }

    /// Adds one value. NaN and infinity are noticed by [`finalize`](Self::finalize).
    pub fn push(&mut self, x: f64) {
        self.merge(&Self {
            n: 1,
            mean: x,
            min: x,
            max: x,
            ..Self::default()
        });
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (na, nb) = (self.n as f64, other.n as f64);
        let n = na + nb;
        let delta = other.mean - self.mean;
        let step = delta / n;

        // (4), (3), (2), (1): each needs the lower moments as they were.
        self.m4 += other.m4
            + delta * step.powi(3) * na * nb * (na * na - na * nb + nb * nb)
            + 6.0 * step * step * (na * na * other.m2 + nb * nb * self.m2)
            + 4.0 * step * (na * other.m3 - nb * self.m3);
        self.m3 += other.m3
            + delta * step * step * na * nb * (na - nb)
            + 3.0 * step * (na * other.m2 - nb * self.m2);
        self.m2 += other.m2 + delta * step * na * nb;
        self.mean += step * nb;

        self.n += other.n;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The statistics of the values so far.
    ///
    /// # Errors
    /// [`Error::TooFew`] if there are none, [`Error::Poisoned`] if a value was NaN or
    /// infinite, or so large that a fourth power overflowed.
    pub fn finalize(&self) -> Result<Summary, Error> {
        if self.n == 0 {
            return Err(Error::TooFew {
                what: "a summary",
                needed: 1,
                found: 0,
            });
        }
        if ![self.mean, self.m2, self.m3, self.m4]
            .iter()
            .all(|m| m.is_finite())
        {
            return Err(Error::Poisoned { what: "`Moments`" });
        }
        let n = self.n as f64;
        // Spread that is only rounding of the mean counts as none.
        let varies = self.max > self.min && self.m2 > 0.0 && self.m2 * self.m2 > 0.0;
        Ok(Summary {
            n: self.n,
            mean: self.mean,
            variance: (self.n > 1).then(|| self.m2 / (n - 1.0)),
            skewness: varies.then(|| n.sqrt() * self.m3 / self.m2.powf(1.5)),
            excess_kurtosis: varies.then(|| n * self.m4 / (self.m2 * self.m2) - 3.0),
            min: self.min,
            max: self.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: [f64; 9] = [3.0, 1.0, -4.0, 1.5, 9.0, -2.6, 5.0, 35.0, 8.9];

    /// The definitions, written out in two passes.
    fn slow(values: &[f64]) -> (f64, f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let m = |p| values.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
        (
            mean,
            m(2) * n / (n - 1.0),
            m(3) / m(2).powf(1.5),
            m(4) / m(2).powi(2) - 3.0,
        )
    }

    fn assert_close(a: f64, b: f64, tolerance: f64) {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1e-3),
            "{a} is not {b}"
        );
    }

    fn assert_equals_slow(values: &[f64], summary: &Summary, tolerance: f64) {
        let (mean, variance, skewness, kurtosis) = slow(values);
        assert_close(summary.mean, mean, tolerance);
        assert_close(summary.variance.unwrap(), variance, tolerance);
        assert_close(summary.skewness.unwrap(), skewness, tolerance);
        assert_close(summary.excess_kurtosis.unwrap(), kurtosis, tolerance);
    }

    #[test]
    fn one_pass_equals_two_passes() {
        for n in 2..=SAMPLE.len() {
            let summary = Moments::of(&SAMPLE[..n]).finalize().unwrap();
            assert_equals_slow(&SAMPLE[..n], &summary, 1e-13);
        }
    }

    #[test]
    fn merge_equals_concatenation_at_every_cut() {
        for cut in 0..=SAMPLE.len() {
            let (head, tail) = SAMPLE.split_at(cut);
            let mut merged = Moments::of(head);
            merged.merge(&Moments::of(tail));
            let summary = merged.finalize().unwrap();
            assert_equals_slow(&SAMPLE, &summary, 1e-13);
            assert_eq!((summary.n, summary.min, summary.max), (9, -4.0, 35.0));
        }
    }

    #[test]
    fn a_huge_mean_does_no_harm() {
        let shifted: Vec<f64> = SAMPLE.iter().map(|x| x + 1e6).collect();
        let (_, variance, skewness, kurtosis) = slow(&SAMPLE);
        let summary = Moments::of(&shifted).finalize().unwrap();
        assert_close(summary.variance.unwrap(), variance, 1e-9);
        assert_close(summary.skewness.unwrap(), skewness, 1e-9);
        assert_close(summary.excess_kurtosis.unwrap(), kurtosis, 1e-9);
    }

    #[test]
    fn closed_forms() {
        // A fair coin has the least kurtosis there is, −2.
        let coin = Moments::of(&[-1.0, 1.0, 1.0, -1.0]).finalize().unwrap();
        assert_eq!(
            (coin.skewness, coin.excess_kurtosis),
            (Some(0.0), Some(-2.0))
        );
        // One value among n − 1 zeros: kurtosis n − 2 + 1/(n − 1).
        let mut spike = [0.0; 11];
        spike[4] = 7.0;
        let spike = Moments::of(&spike).finalize().unwrap();
        assert_close(spike.excess_kurtosis.unwrap(), 9.1 - 3.0, 1e-14);
    }

    #[test]
    fn empty_single_constant_and_poisoned() {
        assert!(matches!(
            Moments::new().finalize(),
            Err(Error::TooFew { found: 0, .. })
        ));
        let one = Moments::of(&[2.0]).finalize().unwrap();
        assert_eq!((one.mean, one.variance, one.skewness), (2.0, None, None));
        let constant = Moments::of(&[0.1; 7]).finalize().unwrap();
        assert_eq!(constant.variance, Some(0.0));
        assert_eq!(constant.excess_kurtosis, None);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e200] {
            for values in [[bad, 1.0], [1.0, bad]] {
                assert!(matches!(
                    Moments::of(&values).finalize(),
                    Err(Error::Poisoned { .. })
                ));
            }
        }
        assert!(matches!(
            Moments::of(&[f64::NAN]).finalize(),
            Err(Error::Poisoned { .. })
        ));
    }
}
