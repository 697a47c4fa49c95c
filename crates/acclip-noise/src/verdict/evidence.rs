//! Every number that a verdict rests on, collected from one sample of noise norms.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::mixture::Mixtures;
use crate::pictures::growth;
use crate::pictures::moments::Moments;
use crate::pictures::outliers::{Outliers, outliers};
use crate::sample::{check_norms, sorted};
use crate::tail::hill::{HillEstimate, default_k, hill};
use crate::tail::mohammadi::{Centring, mohammadi};
use crate::tail::moment_estimator::{MomentEstimate, moment_estimator};

/// The statistics of a sample of noise norms. `None` where the sample is too short or
/// has too many ties; everything but `mean` is independent of the unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Number of norms.
    pub n: usize,
    /// Mean norm, in the unit of the norms.
    pub mean: f64,
    /// Coefficient of variation: standard deviation over mean. About √(1/(2d)) for the
    /// norm of d independent normal variables, 0.76 for d = 1.
    pub cv: f64,
    /// Excess kurtosis of the norms: about 0 for large d, 0.87 for d = 1.
    pub excess_kurtosis: Option<f64>,
    /// Hill's tail index at [`default_k`].
    pub hill: Option<HillEstimate>,
    /// Extreme-value index at the same k.
    pub moment: Option<MomentEstimate>,
    /// Mohammadi's tail index of the norms minus their mean; only reported, never decisive.
    pub mohammadi: Option<f64>,
    /// Upper outliers.
    pub outliers: Option<Outliers>,
    /// max X²/Σ X² over the whole sample.
    pub max_to_sum: f64,
    /// p-value of the hypothesis that the positive norms are lognormal: Jarque & Bera's
    /// test on their logarithms, exp(−n (S²/12 + K²/48)) with skewness S and excess kurtosis K.
    pub lognormal_p: Option<f64>,
    /// Six laws of noise norms, fitted and compared.
    pub mixtures: Option<Mixtures>,
}

impl Evidence {
    /// Collects the evidence from `norms` (shape: n ≥ 2).
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Negative`];
    /// [`Error::Constant`] if all norms are equal.
    pub fn collect(norms: &[f64]) -> Result<Self, Error> {
        const WHAT: &str = "a diagnosis of noise norms";
        check_norms(WHAT, norms, 2)?;
        let unit = norms.iter().copied().fold(0.0, f64::max);
        if norms.iter().all(|&x| x == unit) {
            return Err(Error::Constant { what: WHAT });
        }
        // In units of the largest norm, squares neither overflow nor vanish.
        let x: Vec<f64> = norms.iter().map(|x| x / unit).collect();
        // Those that look at order statistics sort; what is sorted already takes them one pass.
        let ascending = sorted(&x);
        let n = x.len();
        let summary = Moments::of(&x).finalize()?;
        let k = default_k(n);
        // What can still fail below is "too few" or "too many ties": no evidence.
        Ok(Self {
            n,
            mean: summary.mean * unit,
            cv: summary.variance.unwrap_or(0.0).sqrt() / summary.mean,
            excess_kurtosis: summary.excess_kurtosis,
            hill: hill(&ascending, k).ok(),
            moment: moment_estimator(&ascending, k).ok(),
            mohammadi: mohammadi(&x, Centring::Mean).ok(),
            outliers: outliers(&ascending).ok(),
            max_to_sum: growth::variance_growth(&x, 1)?[0].max_to_sum,
            lognormal_p: lognormal_p(&x),
            mixtures: Mixtures::fit(norms).ok(),
        })
    }
}

/// Jarque & Bera's p-value for normality of the logarithms of the positive values.
fn lognormal_p(values: &[f64]) -> Option<f64> {
    let mut logs = Moments::new();
    let positive = values.iter().filter(|&&x| x > 0.0);
    positive.for_each(|x| logs.push(x.ln()));
    let logs = logs.finalize().ok()?;
    let (s, k) = (logs.skewness?, logs.excess_kurtosis?);
    Some((-(logs.n as f64) * (s * s / 12.0 + k * k / 48.0)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 norms with a few large ones; nothing symmetric.
    fn norms() -> Vec<f64> {
        (1..=60)
            .map(|i| 1.0 + f64::from(i * 37 % 60) / 60.0 + 9.0 / f64::from(i))
            .collect()
    }

    #[test]
    fn only_the_mean_has_a_unit() {
        let one = Evidence::collect(&norms()).unwrap();
        for unit in [1e-200, 1e-3, 1e60] {
            let scaled: Vec<f64> = norms().iter().map(|x| x * unit).collect();
            let other = Evidence::collect(&scaled).unwrap();
            assert!((other.mean / unit / one.mean - 1.0).abs() < 1e-12);
            assert!((other.cv / one.cv - 1.0).abs() < 1e-12);
            let xi = |e: &Evidence| e.moment.unwrap().xi.estimate;
            assert!((xi(&other) - xi(&one)).abs() < 1e-9);
            assert_eq!(other.outliers, one.outliers);
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_modules() {
        let x = norms();
        let found = Evidence::collect(&x).unwrap();
        let summary = Moments::of(&x).finalize().unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.abs();
        assert!(close(found.mean, summary.mean));
        assert!(close(
            found.cv,
            summary.variance.unwrap().sqrt() / summary.mean
        ));
        assert!(close(
            found.excess_kurtosis.unwrap(),
            summary.excess_kurtosis.unwrap()
        ));
        let direct = hill(&x, default_k(60)).unwrap().alpha.estimate;
        assert!(close(found.hill.unwrap().alpha.estimate, direct));
        let direct = mohammadi(&x, Centring::Mean).unwrap();
        assert!(close(found.mohammadi.unwrap(), direct));
        let squares: f64 = x.iter().map(|x| x * x).sum();
        assert!(close(found.max_to_sum, summary.max.powi(2) / squares));
    }

    #[test]
    fn jarque_bera_by_hand() {
        // Logs −1, 1, 1, −1: skewness 0, excess kurtosis −2, so p = exp(−4·4/48).
        let values = [-1.0_f64, 1.0, 1.0, -1.0].map(f64::exp);
        assert!((lognormal_p(&values).unwrap() - (-1.0_f64 / 3.0).exp()).abs() < 1e-12);
        assert_eq!(lognormal_p(&[0.0, 2.0]), None);
    }

    #[test]
    fn short_samples_and_bad_ones() {
        for values in [&[][..], &[1.0]] {
            assert!(matches!(
                Evidence::collect(values),
                Err(Error::TooFew { needed: 2, .. })
            ));
        }
        let two = Evidence::collect(&[0.0, 2.0]).unwrap();
        assert_eq!((two.n, two.mean, two.max_to_sum), (2, 1.0, 1.0));
        assert!(two.hill.is_none() && two.outliers.is_none() && two.mohammadi.is_none());
        for constant in [0.0, 3.0] {
            assert!(matches!(
                Evidence::collect(&[constant; 80]),
                Err(Error::Constant { .. })
            ));
        }
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            let mut x = norms();
            x[2] = bad;
            assert!(Evidence::collect(&x).is_err());
        }
    }
}
