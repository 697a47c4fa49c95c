//! The tests behind "better", "worse" and "no significant difference".

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Level at which a difference counts as significant.
pub const SIGNIFICANCE: f64 = 0.05;

/// A spread below this share of the values is rounding.
const ROUNDING: f64 = 1e-12;

/// A paired difference, and Student's test of whether its mean is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Number of pairs, n.
    pub n: usize,
    /// Mean of the differences d = a − b.
    pub mean: f64,
    /// Lower end of its 95 % interval, mean ± t₀.₉₇₅(n−1) s/√n.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p-value of mean = 0; 1 where all differences are the same, which leaves no spread to test by.
    pub p: f64,
}

impl Paired {
    /// Tests a − b over pairs; `None` with fewer than two pairs, or where a difference is not finite.
    ///
    /// The test assumes that the differences are near normal; with a handful of seeds it finds only
    /// differences that are large beside their spread, and says "no significant difference" otherwise.
    pub fn test(a: &[f64], b: &[f64]) -> Option<Self> {
        let d: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let n = d.len();
        if n < 2 || a.len() != b.len() || d.iter().any(|d| !d.is_finite()) {
            return None;
        }
        let (mean, sd) = mean_sd(&d);
        // Differences that are the same but for rounding have no spread.
        let largest = a
            .iter()
            .chain(b)
            .fold(0.0, |most: f64, x| most.max(x.abs()));
        let error = match sd > ROUNDING * largest {
            true => sd / (n as f64).sqrt(),
            false => 0.0,
        };
        let t = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?;
        let p = match error > 0.0 {
            true => 2.0 * t.cdf(-(mean / error).abs()),
            false => 1.0,
        };
        let reach = t.inverse_cdf(0.975) * error;
        Some(Self {
            n,
            mean,
            low: mean - reach,
            high: mean + reach,
            p,
        })
    }

    /// One-sided p-value against the mean being at most `bound`: small where it is above. `None` without a spread.
    pub fn above(&self, bound: f64) -> Option<f64> {
        let t = StudentsT::new(0.0, 1.0, (self.n - 1) as f64).ok()?;
        let error = (self.high - self.mean) / t.inverse_cdf(0.975);
        (error > 0.0).then(|| t.cdf(-(self.mean - bound) / error))
    }

    /// One-sided p-value against the mean being at least `bound`: small where it is below. `None` without a spread.
    pub fn below(&self, bound: f64) -> Option<f64> {
        Some(1.0 - self.above(bound)?)
    }
}

/// Mean and standard deviation (n − 1 in the denominator; 0 for one value).
pub fn mean_sd(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let squares: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
    (
        mean,
        if x.len() > 1 {
            (squares / (n - 1.0)).sqrt()
        } else {
            0.0
        },
    )
}

/// Median of at least one value; the upper one of an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Holm's adjustment of p-values of several tests made together (Holm 1979), in their order.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        largest = largest.max(p[i] * (p.len() - rank) as f64).min(1.0);
        adjusted[i] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_paired_test_on_a_worked_example() {
        // d = 1, 2, 3, 4: mean 2.5, s = 1.2909944, t = 3.8729833 on 3 degrees of freedom.
        // For 3 degrees the distribution function is closed: 1/2 + (atan x + x/(1+x²))/π, x = t/√3.
        let paired = Paired::test(&[2.0, 4.0, 6.0, 8.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        let x = 3.872_983_346_207_417_f64 / 3.0_f64.sqrt();
        let tail = 0.5 - (x.atan() + x / (1.0 + x * x)) / std::f64::consts::PI;
        assert!((paired.p - 2.0 * tail).abs() < 1e-9, "{}", paired.p);
        // t₀.₉₇₅(3) = 3.182446 (any table)
        assert!((paired.high - (2.5 + 3.182_446 * 1.290_994_4 / 2.0)).abs() < 1e-5);
        assert_eq!((paired.mean, paired.n), (2.5, 4));
    }

    #[test]
    fn degenerate_pairs() {
        assert!(Paired::test(&[1.0], &[2.0]).is_none());
        assert!(Paired::test(&[1.0, f64::NAN], &[2.0, 1.0]).is_none());
        assert_eq!(Paired::test(&[1.0, 2.0], &[1.0, 2.0]).unwrap().p, 1.0);
        let same = Paired::test(&[2.0, 3.0], &[1.0, 2.0]).unwrap();
        assert_eq!((same.p, same.mean, same.above(0.0)), (1.0, 1.0, None));
        // 0.3 − 0.2 and 0.2 − 0.1 are the same number, but not in floating point.
        let same = Paired::test(&[0.3, 0.2], &[0.2, 0.1]).unwrap();
        assert_eq!((same.p, same.below(0.2)), (1.0, None));
    }

    /// Where the interval ends, the one-sided p-value is 2.5 %.
    #[test]
    fn one_sided_tests_agree_with_the_interval() {
        let paired = Paired::test(&[2.0, 4.0, 6.0, 8.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((paired.above(paired.low).unwrap() - 0.025).abs() < 1e-9);
        assert!((paired.below(paired.high).unwrap() - 0.025).abs() < 1e-9);
        assert!((2.0 * paired.above(0.0).unwrap() - paired.p).abs() < 1e-12);
        assert!(paired.below(0.0).unwrap() > 0.9);
    }

    #[test]
    fn holm_on_his_rule() {
        // Sorted .01, .02, .04, .3 times 4, 3, 2, 1, made monotone.
        let adjusted = holm(&[0.04, 0.01, 0.3, 0.02]);
        let expected = [0.08, 0.04, 0.3, 0.06];
        assert!(
            adjusted
                .iter()
                .zip(expected)
                .all(|(a, e)| (a - e).abs() < 1e-15)
        );
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
