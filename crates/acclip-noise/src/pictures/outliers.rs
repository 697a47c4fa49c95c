//! How many values lie far above the quartiles, compared with a normal sample.
//!
//! With quartiles Q₁, Q₃ and IQR = Q₃ − Q₁, a value is a *mild* outlier above Q₃ + 1.5 IQR and
//! an *extreme* one above Q₃ + 3 IQR (extreme ones are mild as well). Only the upper side
//! counts, as for norms. Shares are divided by those of a normal law:
//!
//! ```text
//! P[Z > Q₃ + 1.5 IQR] = P[Z > 2.6980] = 3.488e-3
//! P[Z > Q₃ + 3 IQR]   = P[Z > 4.7214] = 1.171e-6
//! ```
//!
//! so a single extreme outlier among 1000 values already gives the ratio 854. The norm of a
//! normal vector is not itself normal: |Z| has the shares 1.65e-2 and 2.67e-4, and the norm of
//! a vector with one coordinate much noisier than the rest up to those of Z², 7.6e-2 and
//! 2.5e-2. A large ratio is therefore no proof of a heavy tail.
//!
//! References: Tukey (1977) for the fences; the ratios follow Gorbunov, Danilova & Gasnikov
//! (2020), appendix.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::sample::{check, quantile, sorted};

/// Share of a normal law above Q₃ + 1.5 IQR.
pub const NORMAL_MILD: f64 = 3.488_301_619_640_118_4e-3;

/// Share of a normal law above Q₃ + 3 IQR.
pub const NORMAL_EXTREME: f64 = 1.170_971_231_451_581_5e-6;

/// Counts and ratios of upper outliers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outliers {
    /// Number of values above Q₃ + 1.5 IQR.
    pub mild: usize,
    /// Number of values above Q₃ + 3 IQR.
    pub extreme: usize,
    /// Share of mild outliers over that of a normal law; 1 if normal.
    pub mild_ratio: f64,
    /// Share of extreme outliers over that of a normal law; 1 if normal.
    pub extreme_ratio: f64,
}

/// Upper outliers of `values` (shape: n ≥ 4).
///
/// # Errors
/// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Constant`] if the quartiles coincide.
pub fn outliers(values: &[f64]) -> Result<Outliers, Error> {
    const WHAT: &str = "the outlier ratio";
    check(WHAT, values, 4)?;
    let x = sorted(values);
    let q3 = quantile(&x, 0.75);
    let iqr = q3 - quantile(&x, 0.25);
    if iqr == 0.0 {
        return Err(Error::Constant { what: WHAT });
    }
    let above = |fence: f64| x.iter().rev().take_while(|&&x| x > fence).count();
    let (mild, extreme) = (above(q3 + 1.5 * iqr), above(q3 + 3.0 * iqr));
    let n = x.len() as f64;
    Ok(Outliers {
        mild,
        extreme,
        mild_ratio: mild as f64 / n / NORMAL_MILD,
        extreme_ratio: extreme as f64 / n / NORMAL_EXTREME,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_by_hand() {
        // Quartiles 1 and 3: fences at 6 and 9, which do not count themselves.
        let x = [0.0, 1.0, 2.0, 3.0, 6.0];
        assert_eq!(outliers(&x).unwrap().mild, 0);
        let found = outliers(&[0.0, 1.0, 2.0, 3.0, 8.9]).unwrap();
        assert_eq!((found.mild, found.extreme), (1, 0));
        assert!((found.mild_ratio * NORMAL_MILD - 0.2).abs() < 1e-15);
        let found = outliers(&[9.1, 2.0, 1.0, 3.0, 0.0]).unwrap();
        assert_eq!((found.mild, found.extreme), (1, 1));
        assert!((found.extreme_ratio * NORMAL_EXTREME - 0.2).abs() < 1e-15);
        // Only the upper side counts.
        assert_eq!(outliers(&[-90.0, 1.0, 2.0, 3.0, 4.0]).unwrap().mild, 0);
    }

    #[test]
    fn a_normal_sample_has_ratio_one() {
        use rand::{SeedableRng, distr::Distribution};
        let rng = rand_chacha::ChaCha8Rng::seed_from_u64(14);
        let n = 100_000;
        let x: Vec<f64> = rand_distr::StandardNormal
            .sample_iter(rng)
            .take(n)
            .collect();
        let found = outliers(&x).unwrap();
        let error = 1.0 / (n as f64 * NORMAL_MILD).sqrt();
        assert!((found.mild_ratio - 1.0).abs() < 4.0 * error);
        assert!(found.extreme <= 2);
    }

    #[test]
    fn bad_input() {
        for n in 0..4 {
            assert!(matches!(
                outliers(&vec![1.0; n]),
                Err(Error::TooFew { needed: 4, .. })
            ));
        }
        assert!(matches!(outliers(&[1.0; 9]), Err(Error::Constant { .. })));
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(outliers(&[1.0, 2.0, 3.0, bad]).is_err());
        }
    }
}
