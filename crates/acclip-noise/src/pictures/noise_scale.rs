//! The simple noise scale: how many minibatches must be averaged until noise equals signal.
//!
//! With Σ the covariance of the gradient of one minibatch and G = ∇f the true gradient,
//!
//! ```text
//! B = tr Σ / ‖G‖²                            in minibatches; times their size, in examples
//! ```
//!
//! Averaging B minibatches makes the squared error of the mean as large as ‖G‖². From n
//! gradients gᵢ with mean ĝ, both parts are estimated without bias,
//!
//! ```text
//! tr Σ ≈ S = Σᵢ ‖gᵢ − ĝ‖² / (n − 1) = (Σᵢ ‖gᵢ‖² − n ‖ĝ‖²) / (n − 1)
//! ‖G‖² ≈ ‖ĝ‖² − S/n
//! ```
//!
//! which is McCandlish et al. with one minibatch as the small batch, all n as the big one, and
//! the small one averaged over all n. Their quotient is not unbiased. When noise drowns the mean
//! the second estimate may come out negative, and B is not given: n is then too small. For
//! infinite variance S estimates nothing.
//!
//! Reference: McCandlish, Kaplan, Amodei et al. (2018), "An empirical model of large-batch
//! training", §2.2 and appendix A.1.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::sample::check_norms;

/// The two parts of the simple noise scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NoiseScale {
    /// Estimate of tr Σ for one minibatch, in the squared unit of the gradient.
    pub trace: f64,
    /// Estimate of ‖∇f‖², in the same unit; negative if noise drowns the mean.
    pub squared_mean: f64,
}

impl NoiseScale {
    /// From the sum S·(n − 1) of squared noise norms and ‖ĝ‖²; `n` ≥ 2.
    pub(crate) fn from_sums(n: usize, squared_noise: f64, squared_mean: f64) -> Self {
        let n = n as f64;
        let trace = squared_noise / (n - 1.0);
        Self {
            trace,
            squared_mean: squared_mean - trace / n,
        }
    }

    /// B in minibatches; `None` unless the estimate of ‖∇f‖² is positive.
    #[must_use]
    pub fn batches(&self) -> Option<f64> {
        let batches = self.trace / self.squared_mean;
        (self.squared_mean > 0.0 && batches.is_finite()).then_some(batches)
    }
}

/// The noise scale from the norms ‖gᵢ‖ of n ≥ 2 gradients and the norm ‖ĝ‖ of their mean.
///
/// When the noise is small beside the mean, digits cancel: S then has an absolute error of
/// about 1e-16 n ‖ĝ‖². [`stream::Noise`](crate::stream::Noise) has no such loss.
///
/// # Errors
/// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Negative`],
/// [`Error::Parameter`] if `mean_norm` is above the mean of `norms`, where no mean can be
/// (a relative 1e-9 is granted to rounding), or is not a norm.
pub fn noise_scale(norms: &[f64], mean_norm: f64) -> Result<NoiseScale, Error> {
    check_norms("the noise scale", norms, 2)?;
    let n = norms.len();
    let largest = norms.iter().sum::<f64>() / n as f64;
    if !(0.0..=largest * (1.0 + 1e-9)).contains(&mean_norm) {
        return Err(Error::Parameter {
            name: "mean_norm",
            value: mean_norm,
            expected: "non-negative and no larger than the mean of the norms",
        });
    }
    // Σ ‖gᵢ‖² − n ‖ĝ‖², without the difference of two large sums.
    let squared_noise = norms.iter().map(|x| (x - mean_norm) * (x + mean_norm));
    let squared_noise = squared_noise.sum::<f64>().max(0.0);
    Ok(NoiseScale::from_sums(
        n,
        squared_noise,
        mean_norm * mean_norm,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gradients_by_hand() {
        // g = (1, 2) and (1, 0): ĝ = (1, 1), S = 2, ‖G‖² ≈ 2 − 1 = 1.
        let found = noise_scale(&[5.0_f64.sqrt(), 1.0], 2.0_f64.sqrt()).unwrap();
        assert!((found.trace - 2.0).abs() < 1e-15);
        assert!((found.squared_mean - 1.0).abs() < 1e-15);
        assert!((found.batches().unwrap() - 2.0).abs() < 1e-14);
    }

    #[test]
    fn no_scale_without_a_signal() {
        // g = ±1: the mean vanishes.
        let found = noise_scale(&[1.0, 1.0], 0.0).unwrap();
        assert_eq!((found.trace, found.squared_mean), (2.0, -1.0));
        assert_eq!(found.batches(), None);
        let zero = noise_scale(&[0.0, 0.0], 0.0).unwrap();
        assert_eq!((zero.trace, zero.batches()), (0.0, None));
        // No noise at all.
        let still = noise_scale(&[2.0, 2.0, 2.0], 2.0).unwrap();
        assert_eq!(still.batches(), Some(0.0));
    }

    #[test]
    fn bad_input() {
        for norms in [&[][..], &[1.0]] {
            let error = noise_scale(norms, 0.0);
            assert!(matches!(error, Err(Error::TooFew { needed: 2, .. })));
        }
        for norms in [
            [1.0, f64::NAN],
            [f64::INFINITY, 1.0],
            [1.0, -1.0],
            [1e76, 1.0],
        ] {
            assert!(noise_scale(&norms, 1.0).is_err());
        }
        for mean in [-1.0, 2.001, f64::NAN, f64::INFINITY] {
            let error = noise_scale(&[1.0, 3.0], mean);
            assert!(matches!(error, Err(Error::Parameter { .. })));
        }
        assert!(noise_scale(&[1.0, 3.0], 2.0).is_ok());
        assert!(
            noise_scale(&[5e-324, 5e-324], 5e-324)
                .unwrap()
                .batches()
                .is_none()
        );
        assert!(noise_scale(&[1e75, 1e75], 0.0).unwrap().trace.is_finite());
    }
}
